//! golang-migrate: `VERSION_description.up.sql` with `.down.sql`, by version. sqlx's reversible migrations have the same
//! names; they are taken for sqlx's where something says so.
//!
//! The names are those of golang-migrate's source/parse.go. The driver holds one connection and sends a file as one
//! query (database/postgres/postgres.go). The tool itself doesn't look into folders below; projects that sort their
//! files into folders of years or modules hand them over by version, and so they are read here.

use super::names::base;
use super::write::{Outgoing, Output, Versions};
use super::{Down, Entry, Layout, Listing, Wrap};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of golang-migrate.
pub struct GolangMigrate;

impl Layout for GolangMigrate {
    fn name(&self) -> &'static str {
        "golang-migrate"
    }

    fn about(&self) -> &'static str {
        "VERSION_description.up.sql, .down.sql; also in folders"
    }

    fn fits(&self, contents: &Contents) -> bool {
        let mut files = contents.files_of_history().into_iter().peekable();
        let is_named = files.peek().is_some() && files.all(|p| entry(p).is_some() || p.ends_with(".down.sql"));
        is_named && !super::sqlx::is_meant(contents)
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let files = contents.files_of_history();
        let set_aside = files.iter().filter(|p| p.ends_with(".down.sql")).map(|p| (*p).to_string()).collect();
        let mut entries: Vec<Entry> = files.iter().filter_map(|p| entry(p)).collect();
        super::by_number(&mut entries);
        super::one_history(contents, &entries)?;
        Ok(Listing { entries, set_aside, ..Listing::default() })
    }

    fn versions(&self) -> Versions {
        Versions { takes_last: true, ..Versions::KEPT }
    }

    /// Without its file, `down` only moves the version (migrate.go, `readDown`).
    fn wants_down(&self) -> Down {
        Down::AsHistory
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        super::up_and_down(m, m.text.clone())
    }
}

fn entry(path: &str) -> Option<Entry> {
    let entry = super::sqlx::entry(base(path)).filter(|_| path.ends_with(".up.sql"))?;
    Some(Entry { path: path.into(), ..entry }.wrapped(Wrap::OneQuery))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_together_by_version() {
        let contents = Contents::of(&[("2023/9_a.up.sql", ""), ("2024/10_b.up.sql", ""), ("2024/10_b.down.sql", "")]);
        assert!(GolangMigrate.fits(&contents));
        let listing = GolangMigrate.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["2023/9_a.up.sql", "2024/10_b.up.sql"]);
        assert_eq!(listing.set_aside, ["2024/10_b.down.sql"]);
    }

    #[test]
    fn a_history_for_each_kind_of_database_is_not_one() {
        let contents = Contents::of(&[("mysql/1_a.up.sql", ""), ("postgres/1_a.up.sql", "")]);
        let error = GolangMigrate.list(&contents).unwrap_err();
        assert!(error.message.contains("mysql/ and postgres/"), "{}", error.message);
    }

    #[test]
    fn simple_files_are_not_its() {
        assert!(!GolangMigrate.fits(&Contents::of(&[("1_a.sql", ""), ("2_a.up.sql", "")])));
    }
}
