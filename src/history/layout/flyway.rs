//! Flyway: `V1_2__description.sql` by version, then the repeatable `R__description.sql` by description.
//!
//! Names are those of <https://documentation.red-gate.com/fd/migrations-184127470.html>; folders below are searched too.
//! `U` files undo. A `B` file takes the place of all versions up to its own on a new database. `beforeMigrate.sql` and
//! its like are callbacks, which aren't read. `V1__a.sql.conf` may say `executeInTransaction=false`.
//!
//! Each file runs in a transaction, all on one connection. Before each, Flyway sets the role and the search_path as they
//! were (flyway-core's DbMigrate.java, `doMigrateGroup`; PostgreSQLConnection.java).

use super::names::{base, compare_parts, is_digits};
use super::sections;
use super::write::{Outgoing, Output};
use super::{Between, Entry, Layout, Listing, Mask, Wrap, signs};
use crate::error::Result;
use crate::history::contents::Contents;
use std::cmp::Ordering;

/// The layout of Flyway.
pub struct Flyway;

impl Layout for Flyway {
    fn name(&self) -> &'static str {
        "flyway"
    }

    fn about(&self) -> &'static str {
        "V1_2__description.sql, R__description.sql"
    }

    /// An undo file without its version is none: then it is refinery, where `U` means something else. So it is in a project
    /// that depends on refinery, unless a file is named as Flyway alone would.
    fn fits(&self, contents: &Contents) -> bool {
        let versions = |prefix: char| contents.sql().filter_map(move |p| versioned(p, prefix)).map(|(v, _)| v);
        let is_own =
            || versions('V').any(|v| !is_digits(v)) || contents.sql().any(|p| repeatable(contents, p).is_some());
        versions('V').next().is_some()
            && versions('U').all(|u| versions('V').any(|v| v == u))
            && (is_own() || !signs::depends_on(contents, "refinery"))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut entries: Vec<Entry> = contents.sql().filter_map(|p| entry(contents, p, 'V')).collect();
        let mut baselines: Vec<Entry> = contents.sql().filter_map(|p| entry(contents, p, 'B')).collect();
        baselines.sort_by(by_version);
        if let Some(baseline) = baselines.pop() {
            let why = format!("flyway runs {} in its place on a new database: not read", baseline.path);
            let (over, kept): (Vec<Entry>, Vec<Entry>) =
                entries.into_iter().partition(|e| by_version(e, &baseline) != Ordering::Greater);
            listing.passed_over = baselines.into_iter().chain(over).map(|e| (e.path, why.clone())).collect();
            entries = kept;
            entries.push(baseline);
        }
        entries.sort_by(|a, b| by_version(a, b).then_with(|| a.path.cmp(&b.path)));
        super::one_history(contents, &entries)?;
        let mut repeatable: Vec<Entry> = contents.sql().filter_map(|p| repeatable(contents, p)).collect();
        repeatable.sort_by(|a, b| a.description.cmp(&b.description).then_with(|| a.path.cmp(&b.path)));
        listing.entries = entries.into_iter().chain(repeatable).collect();
        listing.set_aside = contents.sql().filter(|p| versioned(p, 'U').is_some()).map(String::from).collect();
        let why = "flyway runs this as a callback, not as a migration: not read";
        listing.passed_over.extend(contents.sql().filter(|p| is_callback(p)).map(|p| (p.into(), why.into())));
        Ok(listing)
    }

    /// A placeholder can't be filled here.
    fn mask(&self, _entry: &Entry, text: &str) -> Result<Mask> {
        let why = "flyway fills in placeholders such as ${this}; the file was read as it stands";
        let line = sections::lines(text).position(|(_, l)| l.contains("${") && !l.trim_start().starts_with("--"));
        Ok(Mask { warnings: line.map(|l| (l + 1, why.to_string())).into_iter().collect(), ..Mask::default() })
    }

    fn between(&self) -> Between {
        Between::ResetPathAndRole
    }

    /// `executeInTransaction` and `placeholderReplacement` are settings of a script: V1__a.sql.conf.
    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let path = format!("V{}__{}.sql", m.version, m.words);
        let mut settings = String::new();
        if m.bare {
            settings.push_str("executeInTransaction=false\n");
        }
        if m.text.contains("${") && m.is_converted {
            settings.push_str("placeholderReplacement=false\n");
        }
        let conf = (!settings.is_empty()).then(|| (format!("{path}.conf"), settings));
        std::iter::once((path, m.text.clone())).chain(conf).collect()
    }
}

/// The version and the description of `V1_2__description.sql`.
pub(super) fn versioned(path: &str, prefix: char) -> Option<(&str, &str)> {
    let (version, description) = base(path).strip_suffix(".sql")?.strip_prefix(prefix)?.split_once("__")?;
    let is_version = version.split(['.', '_']).all(is_digits);
    is_version.then_some((version, description))
}

fn entry(contents: &Contents, path: &str, prefix: char) -> Option<Entry> {
    let (version, description) = versioned(path, prefix)?;
    let parts: Vec<&str> = version.split(['.', '_']).map(|p| p.trim_start_matches('0')).collect();
    let key = format!("{prefix}{}", parts.join(".").trim_end_matches('.'));
    let entry = Entry { key, ..Entry::numbered(path, &version.replace('_', "."), description) };
    Some(entry.wrapped(wrap(contents, path)))
}

fn repeatable(contents: &Contents, path: &str) -> Option<Entry> {
    let description = base(path).strip_suffix(".sql")?.strip_prefix("R__")?;
    Some(Entry::unversioned(path, description).wrapped(wrap(contents, path)))
}

/// As the settings beside a file say.
fn wrap(contents: &Contents, path: &str) -> Wrap {
    let settings = contents.text(&format!("{path}.conf")).replace(' ', "");
    if settings.contains("executeInTransaction=false") { Wrap::Bare } else { Wrap::Transaction }
}

fn by_version(a: &Entry, b: &Entry) -> Ordering {
    let version = |e: &Entry| e.version.clone().unwrap_or_default();
    compare_parts(&version(a), &version(b))
}

fn is_callback(path: &str) -> bool {
    ["before", "after"].iter().any(|w| base(path).strip_prefix(w).is_some_and(|r| r.starts_with(char::is_uppercase)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[&str]) -> (Vec<String>, Listing) {
        let files: Vec<(&str, &str)> = files.iter().map(|f| (*f, "")).collect();
        let listing = Flyway.list(&Contents::of(&files)).unwrap();
        (listing.entries.iter().map(|e| e.path.clone()).collect(), listing)
    }

    #[test]
    fn versions_then_repeatables() {
        let (names, listing) =
            names(&["R__b.sql", "R__a.sql", "V1_10__b.sql", "V1_2__a.sql", "U1_2__a.sql", "afterMigrate.sql"]);
        assert_eq!(names, ["V1_2__a.sql", "V1_10__b.sql", "R__a.sql", "R__b.sql"]);
        assert_eq!(listing.set_aside, ["U1_2__a.sql"]);
        assert_eq!(listing.passed_over[0].0, "afterMigrate.sql");
        assert_eq!(listing.entries[0].version.as_deref(), Some("1.2"));
    }

    #[test]
    fn a_baseline_takes_the_place_of_what_it_sums_up() {
        let (names, listing) = names(&["V1__a.sql", "V2__b.sql", "V3__c.sql", "B2__all.sql"]);
        assert_eq!(names, ["B2__all.sql", "V3__c.sql"]);
        assert_eq!(listing.passed_over.len(), 2);
    }

    #[test]
    fn placeholders_are_named() {
        let entry = Entry::unversioned("V1__a.sql", "a");
        let mask = Flyway.mask(&entry, "-- ${no}\nSELECT '${yes}';\n").unwrap();
        assert_eq!(mask.warnings[0].0, 2);
    }
}
