//! sqlx: `VERSION_description.sql`, or `.up.sql` with `.down.sql`, by version.
//!
//! Names and the mark `-- no-transaction` are those of sqlx-core/src/migrate/source.rs. `Migrator::run` takes one
//! connection and runs each file in a transaction of its own (sqlx-postgres/src/migrate.rs).

use super::write::{Outgoing, Output};
use super::{Down, Entry, Layout, Listing, pairs, signs};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of sqlx.
pub struct Sqlx;

/// What `sqlx migrate add` writes (sqlx-cli/src/migrate.rs); it stands in the files of many who never took it out.
const BOILERPLATE: &[&str] = &["-- Add migration script here", "-- Add up migration script here"];

impl Layout for Sqlx {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn about(&self) -> &'static str {
        "VERSION_description.sql"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.flat_sql().next().is_some()
            && contents.flat_sql().all(|path| super::numbered(path).is_some())
            && pairs::undoing(contents).is_empty()
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let set_aside = contents.flat_sql().filter(|p| p.ends_with(".down.sql")).map(String::from).collect();
        let mut entries = super::flat(contents, entry);
        super::by_number(&mut entries);
        Ok(Listing { entries, set_aside, ..Listing::default() })
    }

    fn boilerplate(&self) -> &'static [&'static str] {
        BOILERPLATE
    }

    fn wants_down(&self) -> Down {
        Down::AsHistory
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let mark = if m.bare { "-- no-transaction\n" } else { "" };
        let text = format!("{mark}{}", m.text);
        if !m.is_reversible {
            return vec![(format!("{}_{}.sql", m.version, m.words), text)];
        }
        super::up_and_down(m, text)
    }
}

/// Whether files that golang-migrate would name so are sqlx's: by what its program wrote, or by the project around.
pub(super) fn is_meant(contents: &Contents) -> bool {
    let is_written = |path: &str| contents.text(path).lines().any(|line| BOILERPLATE.contains(&line.trim_end()));
    contents.flat_sql().next().is_some() && (contents.flat_sql().any(is_written) || signs::depends_on(contents, "sqlx"))
}

/// A file that runs forward.
pub(super) fn entry(path: &str) -> Option<Entry> {
    let entry = super::numbered(path).filter(|_| !path.ends_with(".down.sql"))?;
    let description = entry.description.strip_suffix(".up").unwrap_or(&entry.description).to_string();
    Some(Entry { description, ..entry })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_numbers() {
        let contents = Contents::of(&[("10_b.sql", ""), ("9_a.up.sql", ""), ("9_a.down.sql", "")]);
        assert!(Sqlx.fits(&contents));
        let listing = Sqlx.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["9_a.up.sql", "10_b.sql"]);
        assert_eq!(listing.entries[0].description, "a");
        assert_eq!(listing.set_aside, ["9_a.down.sql"]);
    }

    #[test]
    fn reversible_files_are_its_by_what_it_wrote_and_by_the_project() {
        let taken = |text: &str, above: &[(&str, &str)]| {
            let contents = Contents::of(&[("1_a.up.sql", text), ("1_a.down.sql", "")]).below(above);
            super::super::ALL.iter().find(|layout| layout.fits(&contents)).map(|layout| layout.name())
        };
        assert_eq!(taken("SELECT 1;\n", &[]), Some("golang-migrate"));
        assert_eq!(taken("-- Add up migration script here\nSELECT 1;\n", &[]), Some("sqlx"));
        assert_eq!(taken("SELECT 1;\n", &[("Cargo.toml", "[dependencies]\nsqlx = \"0.8\"\n")]), Some("sqlx"));
    }
}
