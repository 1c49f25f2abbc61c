//! Prisma: `VERSION_description/migration.sql`, and a `migration_lock.toml` beside the folders.
//!
//! The folders run in the order of their names (prisma-engines, schema-engine's migrations_directory.rs). One connection
//! runs all, and each file is sent as one query, around which Prisma puts no transaction
//! (schema-engine/connectors/sql-schema-connector/src/flavour/postgres.rs, `apply_migration_script`).

use super::write::{Companions, Outgoing, Output, Versions};
use super::{Entry, Layout, Listing, Mask, Wrap, names};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of Prisma.
pub struct Prisma;

const LOCK: &str = "migration_lock.toml";

impl Layout for Prisma {
    fn name(&self) -> &'static str {
        "prisma"
    }

    fn about(&self) -> &'static str {
        "VERSION_description/migration.sql"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.is_foldered("migration.sql")
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut entries: Vec<Entry> = contents.folders_with("migration.sql").map(entry).collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let set_aside = contents.folders_with("down.sql").map(|f| format!("{f}/down.sql")).collect();
        Ok(Listing { entries, set_aside, ..Listing::default() })
    }

    /// The warnings that Prisma writes above a migration speak of databases that have rows, and of that step alone.
    fn mask(&self, _entry: &Entry, text: &str) -> Result<Mask> {
        let mut mask = Mask::default();
        let start = text.len() - text.trim_start_matches(['\u{feff}', ' ', '\n', '\r']).len();
        let head = &text[start..];
        if let Some(rest) = head.strip_prefix("/*")
            && let Some(end) = rest.find("*/")
            && rest[..end].trim_start().starts_with("Warnings:")
        {
            mask.blanks.push(start..start + end + 4);
        }
        Ok(mask)
    }

    fn versions(&self) -> Versions {
        Versions { may_repeat: true, as_text: true, takes_last: true, ..Versions::KEPT }
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        vec![(format!("{}_{}/migration.sql", m.version, m.words), m.text.clone())]
    }

    fn companions(
        &self,
        _set: &[Outgoing],
        _history: &[&str],
        old: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Companions> {
        let lock = old(LOCK).unwrap_or_else(|| "provider = \"postgresql\"\n".to_string());
        Ok(Companions { files: vec![(LOCK.to_string(), lock)], ..Companions::default() })
    }
}

/// A migration in a folder of its own.
pub(super) fn entry(folder: &str) -> Entry {
    let path = format!("{folder}/migration.sql");
    let entry = match names::version_and_description(folder) {
        Some((version, description)) => Entry::numbered(&path, version, description),
        None => Entry::unversioned(&path, folder),
    };
    // The folder's whole name is the version: two with one time are no mistake.
    Entry { key: String::new(), ..entry.wrapped(Wrap::OneQuery) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_sort_by_name() {
        let contents = Contents::of(&[
            ("20230621133446_b/migration.sql", ""),
            ("0_init/migration.sql", ""),
            ("migration_lock.toml", "provider = \"postgresql\"\n"),
        ]);
        assert!(Prisma.fits(&contents));
        let listing = Prisma.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["0_init/migration.sql", "20230621133446_b/migration.sql"]);
    }

    #[test]
    fn its_warnings_are_no_comment_of_the_author() {
        let text = "/*\n  Warnings:\n\n  - You are about to drop `a`.\n*/\n-- DropTable\nDROP TABLE a;\n";
        let masked = Prisma.mask(&entry("1_a"), text).unwrap().apply(text.to_string());
        assert_eq!(masked.trim_start(), "-- DropTable\nDROP TABLE a;\n");
        assert_eq!(masked.len(), text.len());
    }
}
