//! What `diff` compares: a folder of migrations, a dump, a database that exists, a folder of an earlier revision.

mod dump;
mod git;

use crate::as_replayed::replay_files;
use crate::error::{Error, Result};
use crate::history::{self, History, Reading};
use crate::proof::{Source, masked};
use std::path::{Path, PathBuf};

/// One side, as it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// A folder of migrations.
    Folder(PathBuf),
    /// A file that `pg_dump` wrote as plain SQL.
    Dump(PathBuf),
    /// A database that exists, as a URL.
    Database(String),
    /// A folder of a revision of a git repository.
    Revision {
        /// The revision, as git understands it.
        revision: String,
        /// The folder in it, relative to the current one.
        folder: String,
    },
}

/// A side, ready to be compared.
#[derive(Debug)]
pub struct Ready {
    /// Where the schema comes from.
    pub source: Source,
    /// The history, where it is one.
    pub history: Option<History>,
}

impl Side {
    /// What a text names: a URL, a folder or file that is there, or `REV:folder`.
    ///
    /// # Errors
    /// When it names nothing.
    pub fn parse(text: &str) -> Result<Side> {
        let path = PathBuf::from(text);
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Side::Database(text.to_string()));
        }
        if path.is_dir() {
            return Ok(Side::Folder(path));
        }
        if path.is_file() {
            return Ok(Side::Dump(path));
        }
        match text.split_once(':') {
            Some((revision, folder)) if !revision.is_empty() && !text.contains("://") => {
                Ok(Side::Revision { revision: revision.to_string(), folder: folder.to_string() })
            }
            _ => Err(Error::new(format!("there is no {}", masked_if_url(text))).hint(
                "a side is a folder of migrations, a file that pg_dump wrote, postgres://…, or REV:folder of a git repository",
            )),
        }
    }

    /// What it is called in a report; without a password.
    pub fn name(&self) -> String {
        match self {
            Side::Folder(path) | Side::Dump(path) => path.display().to_string(),
            Side::Database(url) => masked(url),
            Side::Revision { revision, folder } => format!("{revision}:{folder}"),
        }
    }

    /// Reads it, as far as that needs no scratch database. `programs` is where `pg_dump` is, if it is said.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn ready(&self, reading: &Reading, programs: Option<&Path>) -> Result<Ready, Vec<Error>> {
        let of = |history: History| Ready { source: Source::Set(replay_files(&history)), history: Some(history) };
        match self {
            Side::Folder(folder) => history::read_by(folder, reading).map(of),
            Side::Revision { revision, folder } => {
                let copy = git::copy(revision, folder).map_err(|e| vec![e])?;
                // The folder keeps its own name, since some layouts are found by it.
                history::read_by(&copy.folder, reading).map(of)
            }
            Side::Dump(path) => {
                let source = dump::read(path).map_err(|e| vec![e])?;
                Ok(Ready { source, history: None })
            }
            Side::Database(url) => {
                Ok(Ready { source: Source::Database(url.clone(), programs.map(Path::to_path_buf)), history: None })
            }
        }
    }
}

fn masked_if_url(text: &str) -> String {
    if text.contains("://") { masked(text) } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_told_apart() {
        let database = Side::parse("postgres://me:secret@h/d").unwrap();
        assert_eq!(database.name(), "postgres://me@h/d");
        let revision = Side::Revision { revision: "v1".into(), folder: "a/b".into() };
        assert_eq!(Side::parse("v1:a/b").unwrap(), revision);
        assert!(matches!(Side::parse("src").unwrap(), Side::Folder(_)));
        assert!(matches!(Side::parse("Cargo.toml").unwrap(), Side::Dump(_)));
        let error = Side::parse("mysql://me:secret@h/d").unwrap_err();
        assert!(!error.message.contains("secret") && error.hint.is_some());
    }
}
