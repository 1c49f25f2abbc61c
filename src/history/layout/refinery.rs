//! refinery: `V1__description.sql`, and `U2__description.sql` for files that may come late; both run.
//!
//! Names are those of rust-db/refinery's refinery_core/src/util.rs, which searches folders below too; versions are whole
//! numbers (src/runner.rs). Each file runs in a transaction, all on one connection. Without `U` files the names are
//! Flyway's; what tells them apart then is a Cargo.toml above.

use super::flyway::versioned;
use super::names::is_digits;
use super::write::{Outgoing, Output, Versions};
use super::{Entry, Layout, Listing};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of refinery.
pub struct Refinery;

impl Layout for Refinery {
    fn name(&self) -> &'static str {
        "refinery"
    }

    fn about(&self) -> &'static str {
        "V1__description.sql, U2__description.sql"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.sql().any(|p| entry(p).is_some())
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut entries: Vec<Entry> = contents.sql().filter_map(entry).collect();
        super::by_number(&mut entries);
        super::one_history(contents, &entries)?;
        Ok(Listing { entries, ..Listing::default() })
    }

    /// Versions are `i32` unless a feature says otherwise (refinery_core/src/runner.rs, `SchemaVersion`).
    fn versions(&self) -> Versions {
        Versions { greatest: i32::MAX as u128, ..Versions::KEPT }
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        vec![(format!("V{}__{}.sql", m.version, m.words), m.text.clone())]
    }
}

fn entry(path: &str) -> Option<Entry> {
    let (version, description) = versioned(path, 'V').or_else(|| versioned(path, 'U'))?;
    is_digits(version).then(|| Entry::numbered(path, version, description))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::layout::flyway::Flyway;

    #[test]
    fn late_files_run_by_their_version() {
        let contents = Contents::of(&[("V1__a.sql", ""), ("V10__c.sql", ""), ("U2__b.sql", "")]);
        assert!(!Flyway.fits(&contents) && Refinery.fits(&contents));
        let listing = Refinery.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["V1__a.sql", "U2__b.sql", "V10__c.sql"]);
    }

    #[test]
    fn a_project_that_depends_on_it_says_so() {
        let cargo = [("Cargo.toml", "[dependencies]\nrefinery = \"0.8\"\n")];
        let fits = |name: &str| Flyway.fits(&Contents::of(&[("V1__a.sql", ""), (name, "")]).below(&cargo));
        assert!(!fits("V2__b.sql") && fits("V2.1__b.sql") && fits("R__b.sql"));
    }
}
