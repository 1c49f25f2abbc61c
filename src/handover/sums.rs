//! Checksums as the tools compute them of a file.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};
use siphasher::sip::SipHasher13;
use std::hash::{Hash, Hasher};

/// sqlx: SHA-384 of the text (sqlx-core/src/migrate/migration.rs, `Migration::new`).
pub fn sha384(text: &str) -> String {
    hex(&Sha384::digest(text.as_bytes()))
}

/// Prisma, of migration.sql (schema-engine's checksum.rs), and drizzle, of the file (drizzle-orm/src/migrator.ts): SHA-256.
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Play: SHA-1 of what undoes and what is run (play-jdbc-evolutions' Evolutions.scala, `Evolution`).
pub fn sha1(text: &str) -> String {
    hex(&Sha1::digest(text.as_bytes()))
}

/// postgrator: MD5 of the file (rickbergfalk/postgrator's lib/utils.js, `checksum`).
pub fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// Flyway: CRC32 over the lines without their ends, as a signed number; a byte order mark doesn't count
/// (flyway-core's resolver/ChecksumCalculator.java).
pub fn flyway(text: &str) -> i32 {
    let mut crc = crc32fast::Hasher::new();
    // As Java's BufferedReader: a line ends with \n, \r or both.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    text.strip_suffix('\n').unwrap_or(&text).split('\n').for_each(|line| crc.update(line.as_bytes()));
    crc.finalize().cast_signed()
}

/// refinery: SipHash 1-3 of name, version and text (refinery_core/src/runner.rs, `Migration::unapplied`). Versions are `i32`;
/// only what is greater needs its feature `int8-versions`.
pub fn refinery(name: &str, version: i64, text: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    match i32::try_from(version) {
        Ok(version) => version.hash(&mut hasher),
        Err(_) => version.hash(&mut hasher),
    }
    text.hash(&mut hasher);
    hasher.finish()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_lines_are_nothing_to_flyway() {
        assert_eq!(flyway("a\nb\n"), flyway("\u{feff}a\r\nb"));
        assert_ne!(flyway("a\nb\n"), flyway("a b\n"));
        // CRC-32's own check value.
        assert_eq!(flyway("1234\n56789").cast_unsigned(), 0xcbf4_3926);
    }

    #[test]
    fn sums_are_hexadecimal() {
        assert_eq!(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert!(sha1("").starts_with("da39a3ee5e6b4b0d"));
        assert!(sha256("").starts_with("e3b0c44298fc1c14"));
        assert!(sha384("").starts_with("38b060a751ac9638"));
    }
}
