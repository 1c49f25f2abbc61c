//! The layouts of migration tools: which files of a folder run, in which order, and what of their text.
//!
//! A new layout is one file and one line in [`ALL`]; what users can name, and what is found by itself, derive from it.

mod alembic;
pub mod atlas;
mod dbmate;
mod diesel;
mod drizzle;
mod drizzle_meta;
mod drizzle_snapshots;
mod find;
mod flyway;
mod frameworks;
mod golang_migrate;
mod goose;
pub(crate) mod graphile_migrate;
mod hasura;
pub(crate) mod liquibase;
mod names;
mod node_pg_migrate;
pub(crate) mod pairs;
mod plain;
pub(crate) mod play;
mod pop;
pub(crate) mod postgrator;
mod prisma;
mod refinery;
pub(super) mod sections;
mod signs;
mod sql_migrate;
mod sqlx;
mod strangers;
mod supabase;
mod tern;
pub mod write;

pub use find::{Found, find};
pub use strangers::refuse;

use super::contents::Contents;
use crate::error::{At, Error, Result};
use std::ops::Range;
use write::{Companions, Linked, Outgoing, Output, Versions};

/// A layout of migrations.
pub trait Layout: Sync {
    /// The name by which users call it.
    fn name(&self) -> &'static str;

    /// What its files look like, in a few words.
    fn about(&self) -> &'static str;

    /// Whether a folder is certainly of this layout.
    fn fits(&self, contents: &Contents) -> bool;

    /// Why a folder that fits may as well be another tool's, which would run it in another order. Nobody is asked who said
    /// the layout.
    fn doubt(&self, _contents: &Contents) -> Option<Error> {
        None
    }

    /// The files of a folder, in the order in which they run.
    ///
    /// # Errors
    /// When the order can't be told, or the tool would refuse the folder.
    fn list(&self, contents: &Contents) -> Result<Listing>;

    /// Whether reading a folder runs code of the project: then the layout must have been asked for.
    fn runs_code(&self, _contents: &Contents) -> bool {
        false
    }

    /// What of a file's text is run.
    ///
    /// # Errors
    /// When the tool would refuse the file.
    fn mask(&self, _entry: &Entry, text: &str) -> Result<Mask> {
        Ok(no_transaction(text))
    }

    /// Lines of comment that the tool itself writes into new files: they are no author's words.
    fn boilerplate(&self) -> &'static [&'static str] {
        &[]
    }

    /// What the tool does to its connection before each file.
    fn between(&self) -> Between {
        Between::Nothing
    }

    /// The versions that a new set gets.
    fn versions(&self) -> Versions {
        Versions::KEPT
    }

    /// The same, where the history's migrations have folders of their own.
    fn versions_in_folders(&self) -> Versions {
        self.versions()
    }

    /// Whether the tool does without a word what a missing down part says, which is nothing, or wants the part.
    fn wants_down(&self) -> Down {
        Down::Never
    }

    /// A migration as the tool's files.
    fn write(&self, migration: &Outgoing) -> Vec<Output>;

    /// What lies beside the migrations; `old` reads a file of the history's folder, whose migrations have these paths.
    ///
    /// # Errors
    /// When a file of the history that the new set needs can't be understood.
    fn companions(
        &self,
        _set: &[Outgoing],
        _history: &[&str],
        _old: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Companions> {
        Ok(Companions::default())
    }

    /// What lies beside the last file of a part, in place of what lay beside the migrations that it stands for.
    fn beside_part(&self, _consolidated: &[&str], _last: &str, _old: &dyn Fn(&str) -> Option<String>) -> Companions {
        Companions::default()
    }

    /// Writes into new files what they say of each other, once all files of the new folder are known.
    ///
    /// # Errors
    /// When a file that stays as it is says something of others that isn't so any more.
    fn link(&self, _files: &mut [Linked]) -> Result<()> {
        Ok(())
    }

    /// What lies beside the migrations and lists them, once only these files are there, by their names without the
    /// ending. None for what lists nothing.
    ///
    /// # Errors
    /// When it can't be read, or doesn't list what is there.
    fn without(&self, _path: &str, _text: &str, _there: &[&str]) -> Option<Result<String>> {
        None
    }
}

/// When a new set has parts that undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// Never: the tool has none, or refuses by itself to undo what has none.
    Never,
    /// Where the history has some: a missing one would be taken for one that has nothing to do.
    AsHistory,
    /// Always: the tool wants the file.
    Always,
}

impl std::fmt::Display for dyn Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for dyn Layout {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl std::fmt::Debug for dyn Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// All layouts, the most particular first: the first that fits a folder is taken.
pub const ALL: &[&dyn Layout] = &[
    &liquibase::Liquibase,
    &drizzle::Drizzle,
    &prisma::Prisma,
    &graphile_migrate::GraphileMigrate,
    &postgrator::Postgrator,
    &play::Play,
    &pop::Pop,
    &flyway::Flyway,
    &refinery::Refinery,
    &goose::Goose,
    &sql_migrate::SqlMigrate,
    &dbmate::Dbmate,
    &atlas::Atlas,
    &tern::Tern,
    &node_pg_migrate::NodePgMigrate,
    &hasura::Hasura,
    &diesel::Diesel,
    &supabase::Supabase,
    &golang_migrate::GolangMigrate,
    &sqlx::Sqlx,
    &alembic::Alembic,
    &plain::Plain,
];

/// The layout of a name.
///
/// # Errors
/// When there is none, with the names that there are.
pub fn by_name(name: &str) -> Result<&'static dyn Layout, String> {
    ALL.iter().copied().find(|l| l.name() == name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|l| l.name()).collect();
        format!("no layout is called \"{name}\"; the layouts are: {}", names.join(", "))
    })
}

/// The layout in which new sets are written.
pub const WRITTEN: &dyn Layout = &sqlx::Sqlx;

/// The migrations of a folder, in order.
#[derive(Debug, Default)]
pub struct Listing {
    /// What runs.
    pub entries: Vec<Entry>,
    /// Files that only undo.
    pub set_aside: Vec<String>,
    /// Files that don't run, and why: each is a warning.
    pub passed_over: Vec<(String, String)>,
    /// Files that are the tool's, and no migrations.
    pub beside: Vec<String>,
    /// What files run that aren't SQL themselves, by path.
    pub texts: Vec<(String, String)>,
}

/// A migration's file, by its name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the folder.
    pub path: String,
    /// The version, as the tool says it.
    pub version: Option<String>,
    /// The version as it compares: two files with one are a warning.
    pub key: String,
    /// The words after the version, without the ending.
    pub description: String,
    /// How it is run, unless its text says otherwise.
    pub wrap: Wrap,
}

impl Entry {
    /// A file without a version.
    pub fn unversioned(path: &str, description: &str) -> Entry {
        let (path, description) = (path.into(), description.into());
        Entry { path, version: None, key: String::new(), description, wrap: Wrap::Transaction }
    }

    /// A file with a version of digits.
    pub fn numbered(path: &str, version: &str, description: &str) -> Entry {
        let key = names::number(version).1.to_string();
        Entry { version: Some(version.into()), key: format!("#{key}"), ..Entry::unversioned(path, description) }
    }

    /// The same, run otherwise.
    fn wrapped(self, wrap: Wrap) -> Entry {
        Entry { wrap, ..self }
    }

    /// Its version as a number.
    fn number(&self) -> (usize, &str) {
        names::number(self.version.as_deref().unwrap_or(""))
    }
}

/// How a tool runs a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrap {
    /// In a transaction of the tool.
    #[default]
    Transaction,
    /// As one query of several statements: PostgreSQL makes that a transaction, and a single statement is none.
    /// <https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>
    OneQuery,
    /// Statement by statement, in no transaction.
    Bare,
}

/// What a tool does to its connection before each file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Between {
    /// Nothing: what a file sets lasts into the next.
    #[default]
    Nothing,
    /// `RESET ALL`, which leaves the role and temporary tables.
    ResetAll,
    /// Gives back search_path and role.
    ResetPathAndRole,
    /// Each file was run by itself, in a session of its own, when it was new.
    NewSession,
}

impl Between {
    /// The statements.
    pub fn sql(self) -> &'static [&'static str] {
        match self {
            Between::Nothing | Between::NewSession => &[],
            Between::ResetAll => &["RESET ALL"],
            Between::ResetPathAndRole => &["RESET ROLE", "RESET search_path"],
        }
    }
}

/// What of a file's text is run.
#[derive(Debug, Default)]
pub struct Mask {
    /// What isn't: marks for the tool, down parts.
    pub blanks: Vec<Range<usize>>,
    /// Bytes of blanks at which a statement ends, though no semicolon says so.
    pub ends: Vec<usize>,
    /// How it is run, if the text says so.
    pub wrap: Option<Wrap>,
    /// The parts that the tool runs each for itself; none for a file that it runs whole.
    pub parts: Vec<Part>,
    /// Whether there is a part that only undoes.
    pub has_down: bool,
    /// What asks for a look, by line.
    pub warnings: Vec<(usize, String)>,
}

/// A part of a file that the tool runs for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub at: usize,
    /// How it is run.
    pub wrap: Wrap,
}

impl Mask {
    /// The text with blanks in place of what isn't run; every byte stays where it is.
    ///
    /// The blanks are carriage returns, which are white space to PostgreSQL and nothing to whoever looks for empty lines:
    /// a mark above a statement doesn't part it from the comment above that.
    pub fn apply(&self, text: String) -> String {
        if self.blanks.is_empty() {
            return text;
        }
        let mut bytes = text.into_bytes();
        for range in &self.blanks {
            bytes[range.clone()].fill(b'\r');
        }
        for at in &self.ends {
            bytes[*at] = b';';
        }
        // Whole lines or ASCII marks are blanked, so this stays UTF-8.
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Also blanks lines that are just one of these.
    pub fn blank_lines(&mut self, text: &str, these: &[&str]) {
        if !these.is_empty() {
            let is_one = |line: &str| these.contains(&line.trim_end());
            let lines = sections::lines(text).filter(|(_, l)| is_one(l));
            self.blanks.extend(lines.map(|(place, _)| sections::with_end(text, place)));
        }
    }
}

/// sqlx's mark on the first line (sqlx-core/src/migrate/source.rs); understood in all files without marks of their own.
fn no_transaction(text: &str) -> Mask {
    let is_marked = text.trim_start_matches('\u{feff}').starts_with("-- no-transaction");
    Mask { wrap: is_marked.then_some(Wrap::Bare), ..Mask::default() }
}

/// By version as numbers: 10 comes after 9.
fn by_number(entries: &mut [Entry]) {
    entries.sort_by(|a, b| a.number().cmp(&b.number()).then_with(|| a.path.cmp(&b.path)));
}

/// The `.sql` files of a folder itself that a rule takes.
fn flat(contents: &Contents, entry: impl Fn(&str) -> Option<Entry>) -> Vec<Entry> {
    contents.flat_sql().filter_map(entry).collect()
}

/// `VERSION_description.sql` with a version of digits.
fn numbered(path: &str) -> Option<Entry> {
    let (version, description) = names::version_and_description(path.strip_suffix(".sql")?)?;
    Some(Entry::numbered(path, version, description))
}

/// `VERSION_description.up.sql`, and `.down.sql` if there is a part that undoes.
fn up_and_down(m: &Outgoing, text: String) -> Vec<Output> {
    let down = m.down.as_ref().map(|down| (format!("{}_{}.down.sql", m.version, m.words), down.clone()));
    std::iter::once((format!("{}_{}.up.sql", m.version, m.words), text)).chain(down).collect()
}

/// `VERSION_description/up.sql`, and `down.sql` if there is a part that undoes.
fn up_and_down_in_folder(prefix: &str, m: &Outgoing) -> Vec<Output> {
    let folder = format!("{prefix}_{}", m.words);
    let down = m.down.as_ref().map(|down| (format!("{folder}/down.sql"), down.clone()));
    std::iter::once((format!("{folder}/up.sql"), m.text.clone())).chain(down).collect()
}

/// Files of one version in several folders are several histories, such as one for each kind of database.
fn one_history(contents: &Contents, entries: &[Entry]) -> Result<()> {
    for pair in entries.windows(2) {
        let (a, b) = (names::folder(&pair[0].path), names::folder(&pair[1].path));
        if !pair[0].key.is_empty() && pair[0].key == pair[1].key && a != b {
            let message = format!(
                "version {} stands in the folders {a}/ and {b}/: these are several histories",
                pair[0].version.as_deref().unwrap_or_default()
            );
            let hint = format!("name one of them, for example --old {}", contents.root().join(b).display());
            return Err(Error::new(message).at(At::new(&pair[1].path, 1)).hint(hint));
        }
    }
    Ok(())
}
