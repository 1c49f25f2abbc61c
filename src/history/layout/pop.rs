//! pop, and ory's popx: `VERSION_description.DIALECT.up.sql` with `.down.sql`, by version as text; also in folders.
//!
//! The names are those of gobuffalo/pop's migrator.go. A file of a dialect runs in place of one without. popx, which ory's
//! kratos and hydra use, also knows `.autocommit.up.sql`: no transaction. One connection runs each file in a transaction
//! (`UpTo`). Files in fizz are for any database, and no SQL.

use super::names::{base, is_digits};
use super::write::{Outgoing, Output, Versions};
use super::{Down, Entry, Layout, Listing, Wrap};
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;

/// The layout of pop.
pub struct Pop;

/// What a name says.
struct Name<'a> {
    version: &'a str,
    description: &'a str,
    dialect: Option<&'a str>,
    is_bare: bool,
    is_up: bool,
    is_fizz: bool,
}

impl Layout for Pop {
    fn name(&self) -> &'static str {
        "pop"
    }

    fn about(&self) -> &'static str {
        "VERSION_description.postgres.up.sql, .down.sql; also in folders"
    }

    /// Without a dialect, golang-migrate's names are the same.
    fn fits(&self, contents: &Contents) -> bool {
        let is_its = |name: &Name| name.is_fizz || name.is_bare || name.dialect.is_some();
        let is_soda = |text: &String| text.lines().any(|line| line.trim_start().starts_with("dialect:"));
        let mut names = contents.paths().filter_map(|path| named(base(path))).peekable();
        names.peek().is_some()
            && (names.any(|name| is_its(&name)) || contents.above("database.yml").iter().any(is_soda))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut listing = Listing::default();
        let files: Vec<(&str, Name)> = contents.paths().filter_map(|path| Some((path, named(base(path))?))).collect();
        let runs = |name: &Name| name.dialect.is_none_or(is_postgres);
        let has_own = |version: &str| {
            files
                .iter()
                .any(|(_, n)| n.is_up && !n.is_fizz && n.version == version && n.dialect.is_some_and(is_postgres))
        };
        let mut others: Vec<&str> = Vec::new();
        for (path, name) in &files {
            if !runs(name) {
                others.push(path);
            } else if !name.is_up {
                listing.set_aside.push((*path).to_string());
            } else if name.dialect.is_none() && has_own(name.version) {
                let why = "the file of this version for PostgreSQL runs in its place: not read";
                listing.passed_over.push(((*path).to_string(), why.to_string()));
            } else if name.is_fizz {
                let message = "a migration in fizz, which isn't SQL and isn't read";
                let hint = "in a copy of the history, write what it does as SQL, with .postgres.up.sql for .up.fizz";
                return Err(Error::new(message).at(At::new(*path, 1)).hint(hint));
            } else {
                listing.entries.push(entry(path, name));
            }
        }
        if let Some(first) = others.first() {
            let why = format!("for another database: not read (of such files: {})", others.len());
            listing.passed_over.push(((*first).to_string(), why));
        }
        listing.beside.extend(others.into_iter().skip(1).map(String::from));
        listing.entries.sort_by(|a, b| a.version.cmp(&b.version).then_with(|| a.path.cmp(&b.path)));
        Ok(listing)
    }

    /// They are text: ory's have 20 digits.
    fn versions(&self) -> Versions {
        Versions { as_text: true, takes_last: true, greatest: u128::MAX, ..Versions::KEPT }
    }

    /// What has no file is stepped over without a word (`Down`).
    fn wants_down(&self) -> Down {
        Down::AsHistory
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let bare = if m.bare { ".autocommit" } else { "" };
        let name = |direction: &str| format!("{}_{}.postgres{bare}.{direction}.sql", m.version, m.words);
        let down = m.down.as_ref().map(|down| (name("down"), down.clone()));
        std::iter::once((name("up"), m.text.clone())).chain(down).collect()
    }
}

/// The databases that pop knows, by all of their names. Any other word there is a part of somebody else's names: sqlx' own
/// `1_a.sql.up.sql`, say.
const DIALECTS: &[&str] = &[
    "postgres",
    "postgresql",
    "pg",
    "pgx",
    "mysql",
    "mariadb",
    "sqlite",
    "sqlite3",
    "cockroach",
    "cockroachdb",
    "crdb",
];

fn is_postgres(dialect: &str) -> bool {
    matches!(dialect, "postgres" | "postgresql" | "pg" | "pgx")
}

fn entry(path: &str, name: &Name) -> Entry {
    let entry = Entry::numbered(path, name.version, name.description);
    // Versions compare as text.
    Entry { key: name.version.to_string(), ..entry.wrapped(if name.is_bare { Wrap::Bare } else { Wrap::Transaction }) }
}

fn named(name: &str) -> Option<Name<'_>> {
    let mut parts = name.split('.');
    let (version, description) = parts.next()?.split_once('_').filter(|(version, _)| is_digits(version))?;
    let mut rest: Vec<&str> = parts.collect();
    let (ending, direction) = (rest.pop()?, rest.pop()?);
    let is_bare = rest.last() == Some(&"autocommit");
    if is_bare {
        rest.pop();
    }
    let dialect = match rest[..] {
        [] => None,
        [dialect] if DIALECTS.contains(&dialect) => Some(dialect),
        _ => return None,
    };
    let is_known = matches!(ending, "sql" | "fizz") && matches!(direction, "up" | "down") && !description.is_empty();
    let (is_up, is_fizz) = (direction == "up", ending == "fizz");
    is_known.then_some(Name { version, description, dialect, is_bare, is_up, is_fizz })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_are_other_tools() {
        let contents = Contents::of(&[("20200101000000_a.sql.up.sql", ""), ("20200101000000_a.sql.down.sql", "")]);
        assert!(!Pop.fits(&contents));
    }

    #[test]
    fn the_file_for_postgres_runs() {
        let contents = Contents::of(&[
            ("20200101000000_a.up.sql", ""),
            ("20200102000000_b.mysql.up.sql", ""),
            ("20200102000000_b.postgres.up.sql", ""),
            ("20200102000000_b.up.sql", ""),
            ("20200102000000_b.postgres.down.sql", ""),
            ("sub/20200103000000_c.postgres.autocommit.up.sql", ""),
        ]);
        assert!(Pop.fits(&contents));
        let listing = Pop.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| base(&e.path)).collect();
        let wanted = [
            "20200101000000_a.up.sql",
            "20200102000000_b.postgres.up.sql",
            "20200103000000_c.postgres.autocommit.up.sql",
        ];
        assert_eq!(names, wanted);
        assert_eq!(listing.entries[2].wrap, Wrap::Bare);
        assert_eq!(listing.set_aside, ["20200102000000_b.postgres.down.sql"]);
        let passed: Vec<&str> = listing.passed_over.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(passed, ["20200102000000_b.up.sql", "20200102000000_b.mysql.up.sql"]);
    }

    #[test]
    fn fizz_is_refused_unless_sql_runs_in_its_place() {
        let fizz = ("1_a.up.fizz", "create_table(\"a\") {}");
        assert!(Pop.list(&Contents::of(&[fizz, ("2_b.up.sql", "")])).unwrap_err().message.contains("fizz"));
        let listing = Pop.list(&Contents::of(&[fizz, ("1_a.postgres.up.sql", "")])).unwrap();
        assert_eq!(listing.entries.len(), 1);
    }

    #[test]
    fn names_without_a_dialect_are_its_in_its_project() {
        let files = [("1_a.up.sql", ""), ("1_a.down.sql", "")];
        assert!(!Pop.fits(&Contents::of(&files)));
        let soda = ("database.yml", "development:\n  dialect: postgres\n");
        assert!(Pop.fits(&Contents::of(&files).below(&[soda])));
        assert!(!Pop.fits(&Contents::of(&files).below(&[("database.yml", "development:\n  adapter: postgresql\n")])));
    }
}
