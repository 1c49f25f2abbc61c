//! Hasura: `VERSION_description/up.sql` with `down.sql`, where the version mostly is a time in milliseconds, mostly in a
//! folder `default/` for the database.
//!
//! Versions are numbers of any length (graphql-engine's cli/migrate/source/parse.go). The CLI sends each file to the server's
//! `run_sql`, which runs it as one query in a transaction on a connection of its pool
//! (<https://hasura.io/docs/latest/api-reference/schema-api/run-sql/>). Which connection that is can't be told, so no file
//! can count on what an earlier one set: it is given back between them.

use super::names::is_digits;
use super::write::{Form, Outgoing, Output, Versions};
use super::{Between, Down, Entry, Layout, Listing, signs};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of Hasura.
pub struct Hasura;

impl Layout for Hasura {
    fn name(&self) -> &'static str {
        "hasura"
    }

    fn about(&self) -> &'static str {
        "MILLISECONDS_description/up.sql, down.sql"
    }

    fn fits(&self, contents: &Contents) -> bool {
        let version = |folder: &str| folder.split_once('_').map(|(v, _)| v.len()).filter(|n| is_digits(&folder[..*n]));
        let lengths: Option<Vec<usize>> = contents.folders_with("up.sql").map(version).collect();
        let is_timed = |lengths: Vec<usize>| lengths.iter().all(|n| *n == 13) || signs::is_hasura(contents);
        contents.is_foldered("up.sql") && lengths.is_some_and(is_timed) && !signs::is_diesel(contents)
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let entry = |folder: &str| {
            let (version, description) = super::names::version_and_description(folder)?;
            Some(Entry::numbered(&format!("{folder}/up.sql"), version, description))
        };
        let mut entries: Vec<Entry> = contents.folders_with("up.sql").filter_map(entry).collect();
        super::by_number(&mut entries);
        let set_aside = contents.folders_with("down.sql").map(|f| format!("{f}/down.sql")).collect();
        Ok(Listing { entries, set_aside, ..Listing::default() })
    }

    fn between(&self) -> Between {
        Between::ResetAll
    }

    fn versions(&self) -> Versions {
        Versions { form: Form::Digits(13, 1_000_000_000_000), takes_last: true, ..Versions::KEPT }
    }

    fn wants_down(&self) -> Down {
        Down::AsHistory
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        super::up_and_down_in_folder(&m.version, m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_milliseconds() {
        let contents = Contents::of(&[
            ("1654698227514_b/up.sql", ""),
            ("1654696186008_init/up.sql", ""),
            ("1654696186008_init/down.sql", ""),
        ]);
        assert!(Hasura.fits(&contents));
        let listing = Hasura.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["1654696186008_init/up.sql", "1654698227514_b/up.sql"]);
        assert!(!Hasura.fits(&Contents::of(&[("20170309122510_a/up.sql", "")])));
    }

    #[test]
    fn short_versions_are_its_in_its_project() {
        let files = [("1_init/up.sql", ""), ("10_c/up.sql", ""), ("2_b/up.sql", "")];
        let config = ("config.yaml", "version: 3\nendpoint: http://localhost:8080\n");
        let contents = Contents::of(&files).below(&[config]);
        assert!(Hasura.fits(&contents));
        let listing = Hasura.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["1_init/up.sql", "2_b/up.sql", "10_c/up.sql"]);
        let default = Contents::in_memory(std::path::Path::new("migrations/default"), files.into_iter());
        assert!(Hasura.fits(&default));
        assert!(!Hasura.fits(&Contents::of(&files)));
        assert!(!Hasura.fits(&Contents::of(&files).below(&[config, ("diesel.toml", "")])));
        assert!(!Hasura.fits(&Contents::of(&files).below(&[("config.yaml", "app: shop\n")])));
    }
}
