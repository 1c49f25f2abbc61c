//! Stands in for the crate `bindgen` while pg_query is built, so that the build needs no libclang.
//!
//! pg_query's build script uses bindgen for one header and nothing else. That header declares plain structs of
//! pointers and integers, so its bindings are the same on every platform that Rust and libpg_query share. They lie in
//! `pg_query_bindings.rs`, made once by the real bindgen 0.66.1 (layout tests and token names left out). If pg_query's
//! headers change, the sum below no longer matches and the build stops with a hint, rather than linking wrongly.

use std::io;
use std::path::{Path, PathBuf};

/// What the real bindgen wrote for `pg_query.h` of pg_query 18.1.0.
const BINDINGS: &str = include_str!("pg_query_bindings.rs");

/// The FNV-1a sum of `pg_query.h` and `postgres_deparse.h` for which [`BINDINGS`] were made.
const HEADERS: u64 = 0x4697f5173f3c4199;

/// The part of bindgen's builder that pg_query's build script calls.
#[derive(Default)]
pub struct Builder {
    header: PathBuf,
}

/// Bindings that are ready to be written.
#[derive(Debug)]
pub struct Bindings(());

impl Builder {
    /// Names the header that bindings are wanted for.
    pub fn header(mut self, path: impl Into<String>) -> Self {
        self.header = PathBuf::from(path.into());
        self
    }

    /// Answers with the stored bindings.
    ///
    /// # Errors
    /// When the headers aren't those that the stored bindings were made from.
    pub fn generate(self) -> Result<Bindings, String> {
        let folder = self.header.parent().unwrap_or(Path::new("."));
        let mut sum = 0xcbf2_9ce4_8422_2325_u64;
        for name in ["pg_query.h", "postgres_deparse.h"] {
            let text = std::fs::read_to_string(folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
            for byte in text.bytes().filter(|b| *b != b'\r') {
                sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        if sum == HEADERS {
            Ok(Bindings(()))
        } else {
            Err(format!(
                "the headers of pg_query changed (sum {sum:#018x}): make vendor/bindgen/src/pg_query_bindings.rs anew \
                 with the real bindgen and set HEADERS"
            ))
        }
    }
}

impl Bindings {
    /// Writes the bindings to `path`.
    ///
    /// # Errors
    /// Those of writing the file.
    pub fn write_to_file(&self, path: impl AsRef<Path>) -> io::Result<()> {
        std::fs::write(path, BINDINGS)
    }
}
