//! dbmate: `VERSION….sql` with sections `-- migrate:up` and `-- migrate:down`.
//!
//! Marks and options are those of amacneil/dbmate's pkg/dbmate/migration.go. Files are sorted by name, and each section
//! is sent as one query, in a transaction unless the mark says `transaction:false` (pkg/dbmate/db.go). All use one pool,
//! and so in effect one connection.

use super::names::leading_digits;
use super::sections::{self, Mark, Marks};
use super::write::{Outgoing, Output, Versions};
use super::{Down, Entry, Layout, Listing, Mask, Wrap};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of dbmate.
pub struct Dbmate;

impl Layout for Dbmate {
    fn name(&self) -> &'static str {
        "dbmate"
    }

    fn about(&self) -> &'static str {
        "VERSION_description.sql with -- migrate:up"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.flat_sql().any(|p| sections::has_up(&contents.text(p), &mark))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut entries = super::flat(contents, entry);
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Listing { entries, ..Listing::default() })
    }

    fn mask(&self, entry: &Entry, text: &str) -> Result<Mask> {
        let marks = Marks { tool: "dbmate", up: "-- migrate:up", read: &mark, strict_head: true };
        sections::read(&entry.path, text, &marks)
    }

    fn versions(&self) -> Versions {
        Versions { as_text: true, takes_last: true, ..Versions::KEPT }
    }

    /// dbmate 2 demands a down block: "requires each migration to define a down block".
    fn wants_down(&self) -> Down {
        Down::Always
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let mark = if m.bare { " transaction:false" } else { "" };
        let down = m.down.as_ref().map(|down| format!("\n-- migrate:down\n{down}")).unwrap_or_default();
        let text = format!("-- migrate:up{mark}\n{}{down}", m.text);
        vec![(format!("{}_{}.sql", m.version, m.words), text)]
    }
}

fn entry(path: &str) -> Option<Entry> {
    let (version, rest) = leading_digits(path.strip_suffix(".sql")?)?;
    Some(Entry::numbered(path, version, rest.trim_start_matches(['_', '-', '.', ' '])))
}

fn mark(line: &str) -> Option<Mark> {
    let mut words = line.strip_prefix("--")?.split_whitespace();
    match words.next()? {
        "migrate:up" => Some(Mark::Up(words.any(|w| w == "transaction:false").then_some(Wrap::OneQuery))),
        "migrate:down" => Some(Mark::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_up_part_is_run() {
        let text = "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON t (a);\n\n-- migrate:down\nDROP INDEX i;\n";
        assert!(Dbmate.fits(&Contents::of(&[("1_a.sql", text)])));
        let mask = Dbmate.mask(&entry("20240101000000-add index.sql").unwrap(), text).unwrap();
        assert_eq!((mask.wrap, mask.has_down), (Some(Wrap::OneQuery), true));
        assert_eq!(mask.apply(text.to_string()).trim(), "CREATE INDEX CONCURRENTLY i ON t (a);");
    }

    #[test]
    fn a_down_part_may_be_missing() {
        let mask = Dbmate.mask(&entry("1_a.sql").unwrap(), "-- migrate:up\nSELECT 1;\n").unwrap();
        assert!(!mask.has_down);
    }
}
