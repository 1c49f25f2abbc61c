//! node-pg-migrate's SQL files: `TIME_description.sql` with `-- Up Migration` and `-- Down Migration`; steps may also be
//! JavaScript or TypeScript.
//!
//! Marks are those of salsita/node-pg-migrate's src/sqlMigration.ts. Files sort by the number before the first underscore:
//! 13 digits are milliseconds, 17 are a date (src/migration.ts, `getNumericPrefix`). One connection runs all, by default in
//! one transaction; here each file has its own.

use super::names::version_and_description;
use super::sections::{self, Mark};
use super::write::{Outgoing, Output, Versions};
use super::{Entry, Layout, Listing, Mask};
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;

/// The layout of node-pg-migrate.
pub struct NodePgMigrate;

impl Layout for NodePgMigrate {
    fn name(&self) -> &'static str {
        "node-pg-migrate"
    }

    fn about(&self) -> &'static str {
        "TIME_description.sql with -- Up Migration"
    }

    /// Its marks are words that others write into comments too: the names, or code under a down mark, must agree.
    fn fits(&self, contents: &Contents) -> bool {
        let is_timed =
            |p: &str| super::numbered(p).is_some_and(|e| e.version.is_some_and(|v| matches!(v.len(), 13 | 17)));
        let undoes = |p: &str| {
            let text = contents.text(p);
            sections::has_up(&text, &mark) && has_code_below(&text)
        };
        contents.flat_sql().any(|p| sections::has_up(&contents.text(p), &mark))
            && (contents.flat_sql().all(is_timed) || contents.flat_sql().any(undoes))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let entry = |path: &str| match version_and_description(path.strip_suffix(".sql")?) {
            Some((version, description)) => Some(Entry::numbered(path, version, description)),
            None => Some(Entry::unversioned(path, super::plain::stem(path))),
        };
        let mut entries = super::flat(contents, entry);
        entries.sort_by_key(|e| (e.version.as_deref().map_or(0, time), e.path.clone()));
        Ok(Listing { entries, ..Listing::default() })
    }

    fn mask(&self, entry: &Entry, text: &str) -> Result<Mask> {
        let mut mask = Mask::default();
        let mut is_down = false;
        for (number, (place, line)) in sections::lines(text).enumerate() {
            match mark(line) {
                Some(Mark::Down) if !sections::has_up(text, &mark) => {
                    let message = "a down part without -- Up Migration: node-pg-migrate runs the whole file forward";
                    let hint = "write -- Up Migration above the part that runs forward";
                    return Err(Error::new(message).at(At::new(&entry.path, number + 1)).hint(hint));
                }
                Some(found) => {
                    is_down = found == Mark::Down;
                    mask.has_down |= is_down;
                    mask.blanks.push(sections::with_end(text, place));
                }
                None if is_down => mask.blanks.push(sections::with_end(text, place)),
                None => {}
            }
        }
        Ok(mask)
    }

    fn versions(&self) -> Versions {
        Versions { may_repeat: true, takes_last: true, greatest: u128::MAX, ..Versions::KEPT }
    }

    /// Without a down part, node-pg-migrate says that the migration can't be undone (src/sqlMigration.ts).
    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let down = m.down.as_ref().map(|down| format!("\n-- Down Migration\n{down}")).unwrap_or_default();
        vec![(format!("{}_{}.sql", m.version, m.words), format!("-- Up Migration\n{}{down}", m.text))]
    }
}

/// Whether anything but comments stands under a down mark.
fn has_code_below(text: &str) -> bool {
    let below = sections::lines(text).skip_while(|(_, l)| mark(l) != Some(Mark::Down)).skip(1);
    let mut section = below.take_while(|(_, l)| mark(l).is_none());
    section.any(|(_, l)| !l.trim().is_empty() && !l.trim_start().starts_with("--"))
}

/// `-- Up Migration`, in any case and with more dashes.
fn mark(line: &str) -> Option<Mark> {
    let rest = line.trim_start().strip_prefix("--")?.trim_start_matches(|c: char| c == '-' || c.is_whitespace());
    let mut words = rest.split_whitespace().map(str::to_ascii_lowercase);
    let (first, second) = (words.next()?, words.next()?);
    match (first.as_str(), second.starts_with("migration")) {
        ("up", true) => Some(Mark::Up(None)),
        ("down", true) => Some(Mark::Down),
        _ => None,
    }
}

/// The time of a version in milliseconds.
fn time(version: &str) -> u128 {
    let number = version.parse().unwrap_or(0);
    if version.len() != 17 {
        return number;
    }
    let part = |from: usize, to: usize| version[from..to].parse::<i64>().unwrap_or(0);
    // Days since 1970, by Howard Hinnant's `days_from_civil`.
    let (month, day) = (part(4, 6), part(6, 8));
    let year = part(0, 4) - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    let seconds = ((days * 24 + part(8, 10)) * 60 + part(10, 12)) * 60 + part(12, 14);
    u128::try_from(seconds * 1000 + part(14, 17)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "-- Up Migration\nCREATE TABLE a ();\n\n-- Down Migration\nDROP TABLE a;\n";

    #[test]
    fn only_the_up_part_is_run() {
        assert!(NodePgMigrate.fits(&Contents::of(&[("1_a.sql", FILE)])));
        let mask = NodePgMigrate.mask(&Entry::unversioned("1_a.sql", "a"), FILE).unwrap();
        assert!(mask.has_down);
        assert_eq!(mask.apply(FILE.to_string()).trim(), "CREATE TABLE a ();");
        let comments = "-- Up migration\nCREATE TABLE a ();\n-- Down migration\n-- DROP TABLE a;\n";
        assert!(!NodePgMigrate.fits(&Contents::of(&[("1_a.sql", comments)])));
    }

    #[test]
    fn dates_and_milliseconds_are_times() {
        assert_eq!(time("19700101000000000"), 0);
        assert_eq!(time("20200513070724505"), 1_589_353_644_505);
        assert_eq!(time("1391877300255"), 1_391_877_300_255);
    }

    #[test]
    fn a_down_part_alone_is_refused() {
        let error = NodePgMigrate.mask(&Entry::unversioned("1_a.sql", "a"), "-- Down Migration\n").unwrap_err();
        assert_eq!(error.at, Some(At::new("1_a.sql", 1)));
    }
}
