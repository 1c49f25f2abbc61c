//! postgrator: `001.do.description.sql` with `001.undo.description.sql`, by version.
//!
//! A name is cut at its dots; the first part is a number above 0, the second `do` or `undo`, the third a name that may be
//! missing (rickbergfalk/postgrator's postgrator.js, `getMigrations`). What `migrationPattern` takes of folders below isn't
//! known here; they are read if the folder itself has no files. A file is sent as one query, around which the tool puts no
//! transaction (`runMigrations`), on whatever connection the project gives it.

use super::names::{base, is_digits};
use super::write::{Outgoing, Output, Versions};
use super::{Down, Entry, Layout, Listing, Wrap};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of postgrator.
pub struct Postgrator;

/// What a file is for.
enum Part {
    Do(Entry),
    Undo,
}

impl Layout for Postgrator {
    fn name(&self) -> &'static str {
        "postgrator"
    }

    fn about(&self) -> &'static str {
        "001.do.description.sql, 001.undo.description.sql"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.files_of_history().into_iter().any(|path| matches!(part(path), Some(Part::Do(_))))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut listing = Listing::default();
        for path in contents.files_of_history() {
            match part(path) {
                Some(Part::Do(entry)) if entry.number().0 == 0 => {
                    let why = "postgrator begins after version 0, and never runs this: not read";
                    listing.passed_over.push((path.to_string(), why.to_string()));
                }
                Some(Part::Do(entry)) => listing.entries.push(entry),
                Some(Part::Undo) => listing.set_aside.push(path.to_string()),
                None => {}
            }
        }
        super::by_number(&mut listing.entries);
        super::one_history(contents, &listing.entries)?;
        Ok(listing)
    }

    /// JavaScript's numbers are exact up to here.
    fn versions(&self) -> Versions {
        Versions { least: 1, greatest: (1 << 53) - 1, takes_last: true, ..Versions::KEPT }
    }

    /// Without its file, a version is stepped over without a word (`getRunnableMigrations`).
    fn wants_down(&self) -> Down {
        Down::AsHistory
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let name = |action: &str| format!("{}.{action}.{}.sql", m.version, m.words);
        let down = m.down.as_ref().map(|down| (name("undo"), down.clone()));
        std::iter::once((name("do"), m.text.clone())).chain(down).collect()
    }
}

fn part(path: &str) -> Option<Part> {
    let mut parts = base(path).strip_suffix(".sql")?.splitn(3, '.');
    let version = parts.next().filter(|v| is_digits(v))?;
    let action = parts.next()?;
    let description = parts.next().unwrap_or_default();
    match action {
        "do" => Some(Part::Do(Entry::numbered(path, version, description).wrapped(Wrap::OneQuery))),
        "undo" => Some(Part::Undo),
        _ => None,
    }
}

/// The name that the tool notes.
pub fn name(description: &str) -> &str {
    description.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_is_run_by_number() {
        let contents = Contents::of(&[
            ("10.do.c.sql", ""),
            ("9.do.b.sql", ""),
            ("001.do.sql", ""),
            ("001.undo.sql", ""),
            ("000.do.never.sql", ""),
            ("notes.sql", ""),
        ]);
        assert!(Postgrator.fits(&contents));
        let listing = Postgrator.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["001.do.sql", "9.do.b.sql", "10.do.c.sql"]);
        assert_eq!(listing.set_aside, ["001.undo.sql"]);
        assert_eq!(listing.passed_over[0].0, "000.do.never.sql");
        assert_eq!(name("a.b"), "a");
        assert!(!Postgrator.fits(&Contents::of(&[("1.doc.a.sql", ""), ("a.do.sql", "")])));
    }
}
