//! sql-migrate: `.sql` files with sections `-- +migrate Up` and `-- +migrate Down`.
//!
//! Marks are those of rubenv/sql-migrate's sqlparse/sqlparse.go, which begin a line; sections may take turns, and what
//! stands above the first is left out. Files whose names begin with a number come first, by number, the others by name
//! (migrate.go, `Migration.Less`). Each runs in a transaction unless its mark says `notransaction`; all use one pool, and
//! so in effect one connection.

use super::names::leading_digits;
use super::sections::{self, Mark, Marks};
use super::write::{Outgoing, Output, Versions, with_statement_marks};
use super::{Down, Entry, Layout, Listing, Mask, Wrap};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of sql-migrate.
pub struct SqlMigrate;

impl Layout for SqlMigrate {
    fn name(&self) -> &'static str {
        "sql-migrate"
    }

    fn about(&self) -> &'static str {
        "NUMBER_description.sql with -- +migrate Up"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.flat_sql().any(|p| sections::has_up(&contents.text(p), &mark))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let (mut entries, mut others): (Vec<Entry>, Vec<Entry>) =
            super::flat(contents, |path| Some(entry(path))).into_iter().partition(|e| e.version.is_some());
        super::by_number(&mut entries);
        others.sort_by(|a, b| a.path.cmp(&b.path));
        entries.extend(others);
        // Two files of one number are no mistake here: the whole name is the version.
        entries.iter_mut().for_each(|e| e.key = String::new());
        Ok(Listing { entries, ..Listing::default() })
    }

    fn mask(&self, entry: &Entry, text: &str) -> Result<Mask> {
        let marks = Marks { tool: "sql-migrate", up: "-- +migrate Up", read: &mark, strict_head: false };
        sections::read(&entry.path, text, &marks)
    }

    fn versions(&self) -> Versions {
        Versions { takes_last: true, ..Versions::KEPT }
    }

    fn wants_down(&self) -> Down {
        Down::AsHistory
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let mark = if m.bare { " notransaction" } else { "" };
        let cut = |sql: &str| with_statement_marks(sql, "-- +migrate StatementBegin", "-- +migrate StatementEnd");
        let down = m.down.as_ref().map(|down| format!("\n-- +migrate Down{mark}\n{}", cut(down))).unwrap_or_default();
        let text = format!("-- +migrate Up{mark}\n{}{down}", cut(&m.text));
        vec![(format!("{}_{}.sql", m.version, m.words), text)]
    }
}

fn entry(path: &str) -> Entry {
    let stem = path.strip_suffix(".sql").unwrap_or(path);
    match leading_digits(stem) {
        Some((version, rest)) => Entry::numbered(path, version, rest.trim_start_matches(['_', '-', '.', ' '])),
        None => Entry::unversioned(path, stem),
    }
}

fn mark(line: &str) -> Option<Mark> {
    let mut words = line.strip_prefix("-- +migrate ")?.split_whitespace();
    Some(match words.next()? {
        "Up" => Mark::Up(words.any(|w| w == "notransaction").then_some(Wrap::Bare)),
        "Down" => Mark::Down,
        "StatementBegin" => Mark::Begin,
        "StatementEnd" => Mark::End,
        _ => Mark::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_first() {
        let text = "-- +migrate Up\n";
        let contents = Contents::of(&[("10_b.sql", text), ("2-a.sql", text), ("init.sql", text)]);
        assert!(SqlMigrate.fits(&contents));
        let listing = SqlMigrate.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["2-a.sql", "10_b.sql", "init.sql"]);
    }

    #[test]
    fn sections_may_take_turns() {
        let text = "SELECT 0;\n-- +migrate Up notransaction\nSELECT 1;\n-- +migrate Down\nSELECT 2;\n-- +migrate Up\nSELECT 3;\n";
        let mask = SqlMigrate.mask(&entry("1_a.sql"), text).unwrap();
        assert_eq!(mask.wrap, Some(Wrap::Bare));
        let text = mask.apply(text.to_string());
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["SELECT", "1;", "SELECT", "3;"]);
    }
}
