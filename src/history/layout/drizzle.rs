//! Drizzle: `TAG.sql` files in the order of `meta/_journal.json`; or, since its version 1, a folder for each migration
//! with `migration.sql` and `snapshot.json`.
//!
//! The files run in the order in which the journal lists them, whatever their numbers (drizzle-orm/src/migrator.ts), and
//! a file that it doesn't list never runs. Files are cut at `--> statement-breakpoint`, anywhere in a line, and each part
//! is sent by itself. All files run on one connection and in one transaction (drizzle-orm/src/pg-core/dialect.ts); here
//! each has its own, which differs only for `SET LOCAL` and for what a deferred check sees. Version 1 refuses a folder with
//! a journal, runs folders by name, and knows each by its name alone (its migrator.utils.ts).

use super::write::{Companions, Form, Outgoing, Output, Versions, line_end};
use super::{Entry, Layout, Listing, Mask, drizzle_meta, drizzle_snapshots, names};
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;
use std::collections::HashSet;

/// The layout of Drizzle.
pub struct Drizzle;

const JOURNAL: &str = "meta/_journal.json";
const BREAKPOINT: &str = "--> statement-breakpoint";

const NO_SNAPSHOT: &str = "drizzle-kit's snapshots of the schema are no plain chain, so none is written: before the next \
    `drizzle-kit generate`, let `drizzle-kit generate` write one into an empty folder and copy it beside the last migration";

#[derive(serde::Deserialize)]
struct Journal {
    entries: Vec<Step>,
}

#[derive(serde::Deserialize)]
struct Step {
    tag: String,
}

impl Layout for Drizzle {
    fn name(&self) -> &'static str {
        "drizzle"
    }

    fn about(&self) -> &'static str {
        "TAG.sql in the order of meta/_journal.json"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.has(JOURNAL) || (contents.is_foldered("migration.sql") && is_foldered(contents))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        if !contents.has(JOURNAL) {
            if !is_foldered(contents) {
                let message = format!("no {JOURNAL}, which says the order of the files");
                let hint = "name the folder that holds meta/, or another layout with --layout";
                return Err(Error::new(message).at(At::new(JOURNAL, 1)).hint(hint));
            }
            let mut entries: Vec<Entry> = contents
                .folders_with("migration.sql")
                .map(super::prisma::entry)
                .map(|e| e.wrapped(Default::default()))
                .collect();
            entries.sort_by(|a, b| a.path.cmp(&b.path));
            return Ok(Listing { entries, ..Listing::default() });
        }
        let steps = journal(contents)?;
        let mut entries = Vec::new();
        for step in &steps {
            let path = format!("{}.sql", step.tag);
            if !contents.has(&path) {
                let message = format!("the journal names {path}, and there is no such file");
                let hint = "put the file back, or take its entry out of the journal; drizzle refuses this too";
                return Err(Error::new(message).at(At::new(JOURNAL, line_of(contents, &step.tag))).hint(hint));
            }
            entries.push(match names::version_and_description(&step.tag) {
                Some((version, description)) => Entry::numbered(&path, version, description),
                None => Entry::unversioned(&path, &step.tag),
            });
        }
        let listed: HashSet<&str> = entries.iter().map(|e| e.path.as_str()).collect();
        let is_unlisted = |p: &&str| !listed.contains(*p);
        let why = || format!("{JOURNAL} doesn't list it, so drizzle never runs it: not read");
        let passed_over = contents.flat_sql().filter(is_unlisted).map(|p| (p.to_string(), why())).collect();
        Ok(Listing { entries, passed_over, ..Listing::default() })
    }

    fn mask(&self, _entry: &Entry, text: &str) -> Result<Mask> {
        let blanks: Vec<_> = text.match_indices(BREAKPOINT).map(|(at, mark)| at..at + mark.len()).collect();
        let ends = blanks.iter().map(|b| b.start).collect();
        Ok(Mask { blanks, ends, ..Mask::default() })
    }

    fn boilerplate(&self) -> &'static [&'static str] {
        &[
            "-- Custom SQL migration file, put your code below! --",
            "-- Custom SQL migration file, put you code below! --",
        ]
    }

    fn versions(&self) -> Versions {
        Versions { form: Form::Counted(0, 4), ..Versions::KEPT }
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let ending = if m.in_folders { "/migration.sql" } else { ".sql" };
        vec![(format!("{}_{}{ending}", m.version, m.words), with_breakpoints(&m.text))]
    }

    /// A folder's name begins with the time at which it was made, to the second.
    fn versions_in_folders(&self) -> Versions {
        Versions { form: Form::Digits(14, 20_200_101_000_000), takes_last: true, ..Versions::KEPT }
    }

    fn companions(
        &self,
        set: &[Outgoing],
        history: &[&str],
        old: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Companions> {
        let Some(last) = set.last().filter(|m| m.in_folders) else { return drizzle_meta::companions(set, old) };
        Ok(self.beside_part(history, &self.write(last)[0].0, old))
    }

    fn beside_part(&self, consolidated: &[&str], last: &str, old: &dyn Fn(&str) -> Option<String>) -> Companions {
        if !last.ends_with("/migration.sql") {
            return Companions::default();
        }
        match drizzle_snapshots::merged(consolidated, last, old) {
            Some(snapshot) => Companions { files: vec![snapshot], ..Companions::default() },
            None => Companions { notes: vec![NO_SNAPSHOT.into()], ..Companions::default() },
        }
    }

    fn without(&self, path: &str, text: &str, there: &[&str]) -> Option<Result<String>> {
        (path == JOURNAL).then(|| drizzle_meta::journal_of(text, there))
    }
}

/// A breakpoint below each statement but the last.
fn with_breakpoints(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let pieces = crate::sql::split::split(text);
    for piece in pieces.iter().take(pieces.len().saturating_sub(1)) {
        let close = line_end(text, piece.body.end);
        out.push_str(&text[at..close]);
        out.push_str(&format!("{BREAKPOINT}\n"));
        at = close;
    }
    out.push_str(&text[at..]);
    out
}

fn is_foldered(contents: &Contents) -> bool {
    contents.folders_with("migration.sql").any(|f| contents.has(&format!("{f}/snapshot.json")))
}

fn journal(contents: &Contents) -> Result<Vec<Step>> {
    let hint = "drizzle-kit writes this file; take it from version control, or repair it";
    let journal: Journal = serde_json::from_str(&contents.text(JOURNAL)).map_err(|error| {
        Error::new(format!("the journal can't be read: {error}")).at(At::new(JOURNAL, error.line().max(1))).hint(hint)
    })?;
    Ok(journal.entries)
}

/// The line of the journal on which a word stands in quotes.
fn line_of(contents: &Contents, word: &str) -> usize {
    let quoted = format!("\"{word}\"");
    contents.text(JOURNAL).lines().position(|l| l.contains(&quoted)).unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "{\n \"dialect\": \"postgresql\",\n \"entries\": [\n  {\"idx\": 0, \"tag\": \"0001_b\"},\n  {\"idx\": 1, \"tag\": \"0000_a\"}\n ]\n}\n";

    #[test]
    fn the_journal_says_the_order() {
        let contents = Contents::of(&[("0000_a.sql", ""), ("0001_b.sql", ""), ("0002_c.sql", ""), (JOURNAL, TWO)]);
        assert!(Drizzle.fits(&contents));
        let listing = Drizzle.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["0001_b.sql", "0000_a.sql"]);
        assert_eq!(listing.passed_over[0].0, "0002_c.sql");
    }

    #[test]
    fn a_journal_without_its_files_or_sense_is_refused() {
        let error = Drizzle.list(&Contents::of(&[("0001_b.sql", ""), (JOURNAL, TWO)])).unwrap_err();
        assert_eq!(error.at, Some(At::new(JOURNAL, 5)));
        let error = Drizzle.list(&Contents::of(&[("0001_b.sql", ""), (JOURNAL, "{\n\"entries\": [\n")])).unwrap_err();
        assert_eq!(error.at.map(|at| at.line), Some(3));
    }

    #[test]
    fn breakpoints_end_statements_and_are_no_comments() {
        let text = "CREATE TABLE a ()\n--> statement-breakpoint\nCREATE TABLE b ();--> statement-breakpoint\nSELECT 1";
        let masked = Drizzle.mask(&Entry::unversioned("a.sql", "a"), text).unwrap().apply(text.to_string());
        assert!(!masked.contains("-->"));
        assert_eq!(crate::sql::split::split(&masked).len(), 3);
    }
}
