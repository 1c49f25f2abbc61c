//! diesel: a folder for each migration, `VERSION_description/up.sql` with `down.sql`.
//!
//! A version is what stands before the first underscore, without its dashes, and versions compare as text
//! (diesel_migrations/migrations_internals/src/lib.rs, `version_from_string`; the harness sorts by it). `metadata.toml`
//! may say `run_in_transaction`; where the file is there and the word is not, diesel takes it for false. One connection
//! runs all files, each sent as one query (diesel_migrations/src/file_based_migrations.rs).

use super::names::{is_digits, out_of_order};
use super::write::{Outgoing, Output, Versions};
use super::{Down, Entry, Layout, Listing, Wrap, signs};
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;

/// The layout of diesel.
pub struct Diesel;

impl Layout for Diesel {
    fn name(&self) -> &'static str {
        "diesel"
    }

    fn about(&self) -> &'static str {
        "VERSION_description/up.sql, down.sql"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.is_foldered("up.sql")
            && contents.folders_with("up.sql").any(|f| f.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// Hasura's folders are named alike, and run by number.
    fn doubt(&self, contents: &Contents) -> Option<Error> {
        let folders = || contents.folders_with("up.sql");
        let versions: Option<Vec<&str>> =
            folders().map(|f| f.split_once('_').map(|(v, _)| v).filter(|v| is_digits(v))).collect();
        let (later, earlier) = out_of_order(&versions?)?;
        if signs::is_diesel(contents) {
            return None;
        }
        let named = |version: &str| folders().find(|f| f.split_once('_').is_some_and(|(v, _)| v == version));
        let (later, earlier) = (named(later)?, named(earlier)?);
        let message =
            format!("diesel runs {later} before this, hasura after it, and nothing here says which tool it is");
        let hint = "say it: --layout diesel, or --layout hasura";
        Some(Error::new(message).at(At::new(format!("{earlier}/up.sql"), 1)).hint(hint))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut entries: Vec<Entry> = contents.folders_with("up.sql").map(|folder| entry(contents, folder)).collect();
        entries.sort_by(|a, b| a.version.cmp(&b.version).then_with(|| a.path.cmp(&b.path)));
        let set_aside = contents.folders_with("down.sql").map(|f| format!("{f}/down.sql")).collect();
        Ok(Listing { entries, set_aside, ..Listing::default() })
    }

    fn boilerplate(&self) -> &'static [&'static str] {
        &["-- Your SQL goes here"]
    }

    fn versions(&self) -> Versions {
        Versions { as_text: true, takes_last: true, ..Versions::KEPT }
    }

    /// diesel wants both files (migrations_internals, `search_for_migrations_directory` and `revert`).
    fn wants_down(&self) -> Down {
        Down::Always
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let prefix = m.old_prefix.as_deref().unwrap_or(&m.version);
        let mut files = super::up_and_down_in_folder(prefix, m);
        if m.bare {
            files.push((format!("{prefix}_{}/metadata.toml", m.words), "run_in_transaction = false\n".into()));
        }
        files
    }
}

fn entry(contents: &Contents, folder: &str) -> Entry {
    let (version, description) = folder.split_once('_').unwrap_or((folder, ""));
    let version = version.replace('-', "");
    let metadata = format!("{folder}/metadata.toml");
    // A metadata.toml that can't be read is none, as in diesel.
    let in_transaction = !contents.has(&metadata)
        || match contents.text(&metadata).parse::<toml::Table>() {
            Ok(table) => table.get("run_in_transaction").and_then(toml::Value::as_bool).unwrap_or(false),
            Err(_) => true,
        };
    let wrap = if in_transaction { Wrap::Transaction } else { Wrap::OneQuery };
    let path = format!("{folder}/up.sql");
    Entry { key: version.clone(), ..Entry::numbered(&path, &version, description).wrapped(wrap) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_without_their_dashes() {
        let contents = Contents::of(&[
            ("00000000000000_diesel_initial_setup/up.sql", ""),
            ("2017-09-23-182408_b/up.sql", ""),
            ("2017-09-23-182408_b/metadata.toml", "run_in_transaction = false\n"),
            ("2017-09-23-182408_b/down.sql", ""),
            ("20170309122510_a/up.sql", ""),
        ]);
        assert!(Diesel.fits(&contents));
        let listing = Diesel.list(&contents).unwrap();
        let versions: Vec<_> = listing.entries.iter().filter_map(|e| e.version.as_deref()).collect();
        assert_eq!(versions, ["00000000000000", "20170309122510", "20170923182408"]);
        let wraps: Vec<_> = listing.entries.iter().map(|e| e.wrap).collect();
        assert_eq!(wraps, [Wrap::Transaction, Wrap::Transaction, Wrap::OneQuery]);
        assert_eq!(listing.set_aside, ["2017-09-23-182408_b/down.sql"]);
    }

    #[test]
    fn an_order_that_another_tool_sees_otherwise_is_in_doubt() {
        let files = [("1_a/up.sql", ""), ("10_c/up.sql", ""), ("2_b/up.sql", "")];
        let error = Diesel.doubt(&Contents::of(&files)).unwrap();
        assert_eq!(error.at, Some(At::new("2_b/up.sql", 1)));
        assert!(error.message.starts_with("diesel runs 10_c before this"), "{}", error.message);
        assert!(Diesel.doubt(&Contents::of(&files).below(&[("diesel.toml", "")])).is_none());
        assert!(Diesel.doubt(&Contents::of(&files[..2])).is_none());
    }
}
