//! The judge: replays sets of SQL on scratch databases, looks at everything that came out, and compares.
//!
//! It takes statements as texts and knows nothing of how the set was planned or written.

mod canonical;
mod chance;
mod choice;
mod clock;
mod compare;
mod compare_rows;
mod compared;
mod drift;
mod elsewhere;
mod entries;
mod entry_kind;
mod globals;
mod guards;
mod hidden;
mod lack;
mod leftover;
mod live;
mod mode;
mod naming;
mod positions;
mod powers;
mod refused;
mod replay;
mod rows;
mod same;
mod session;
mod side_by_side;
mod sides;
mod snapshot;
mod substitutes;
mod verdict;
mod volatile;
mod words;
mod world;

pub use crate::progress::{Progress, Silent};
pub use crate::scratch::extensions::{StandIn, StandInCall};
pub use crate::scratch::preludes::Prelude;
pub use crate::scratch::{Database, Limits};
pub use choice::{Choice, Ran, Wish, on_chosen};
pub use clock::Clock;
pub use compare::{Change, Class, Comparison, Difference};
pub use compared::Compared;
pub use drift::{NOT_COMPARED as LIVE_NOT_COMPARED, drift, refused_by, run as run_script};
pub use entry_kind::EntryKind;
pub use leftover::{FileEnd, Left};
pub use live::{masked, without_password};
pub use replay::replay;
pub use side_by_side::{Better, Tried, replay_and_survey, replay_both};
pub use sides::{Source, compare_sources};
pub use verdict::{Judge, Verdict, VerdictKind, verify};
pub use world::Facts;

use std::fmt;

use serde::Serialize;

/// One file of a set as the migration tool would run it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReplayFile {
    /// Its name as the user would say it.
    pub name: String,
    /// What the migration tool says to its connection before it.
    pub before: Vec<String>,
    /// Whether it was the first file of a run of the tool, in a session of its own.
    pub new_session: bool,
    /// Whether the migration tool wraps it in a transaction.
    pub in_transaction: bool,
    /// The parts that the tool runs each for itself: the number of the first statement, and whether in a transaction. None for
    /// a file that it runs whole.
    pub parts: Vec<(usize, bool)>,
    /// Its statements in order.
    pub statements: Vec<ReplayStatement>,
}

/// One statement of a file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReplayStatement {
    /// The line of the file on which `text` begins, from 1.
    pub line: usize,
    /// The statement, with or without its semicolon and comments.
    pub text: String,
    /// The data of `COPY ... FROM stdin` that follows it in the file, without the closing `\.`.
    pub copy_data: Option<String>,
}

/// How to replay and how to compare.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Preludes that come with the tool, run before all else on both sides.
    pub platforms: Vec<&'static Prelude>,
    /// Whether they give what they gave in former times.
    pub as_before: bool,
    /// Run next on both sides.
    pub prelude: Vec<ReplayFile>,
    /// One session for the whole set, or a new one for each file.
    pub one_session: bool,
    /// Whether a sequence must stand where it stood even if its table is empty.
    pub exact_sequences: bool,
    /// Stand-ins for extensions, beside those that come with the tool.
    pub stand_ins: Vec<StandIn>,
    /// Differences that aren't wanted.
    pub ignore: Vec<Class>,
    /// Which PostgreSQL the scratch databases are of.
    pub database: Database,
    /// How long a statement may take, and all of the work.
    pub limits: Limits,
}

impl Settings {
    /// The same on platforms as they were before, if any of them was otherwise; and what that is, in words.
    pub fn before(&self) -> Option<(Settings, &'static str)> {
        let was = self.platforms.iter().find_map(|platform| platform.before.as_ref()).filter(|_| !self.as_before);
        was.map(|was| (Settings { as_before: true, ..self.clone() }, was.which))
    }

    /// The SQL that runs first on both sides, or may run there.
    pub fn prelude_texts(&self) -> Vec<String> {
        let platforms = self.platforms.iter().flat_map(|p| p.files(true)).map(|(_, sql)| sql.to_string());
        let own = self.prelude.iter().flat_map(|f| &f.statements).map(|s| s.text.clone());
        platforms.chain(own).collect()
    }
}

/// Everything that was seen of a database after a replay.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Snapshot {
    /// The version of PostgreSQL, as `17.5`.
    pub postgres: String,
    /// Who replayed it: the superuser to whom all belongs that the set gives to nobody else.
    pub superuser: String,
    /// The schema dump as `pg_dump` wrote it, without its random tokens and version lines.
    #[serde(skip)]
    pub dump: String,
    /// The entries of the dump's table of contents, in its order.
    pub entries: Vec<Entry>,
    /// What of the dump doesn't stand under a header that the judge can read: a reason not to trust the comparison.
    pub unread: Vec<String>,
    /// What `pg_dump` leaves out: roles, memberships, settings of roles and of the database, versions of extensions,
    /// whether materialized views are populated. Roles and memberships come as SQL that makes them.
    pub globals: Vec<Entry>,
    /// All rows of all tables that aren't the system's or an extension's, empty ones too.
    pub rows: Vec<TableRows>,
    /// When it was replayed.
    #[serde(skip)]
    pub clock: Clock,
    /// What the server was by itself, as the set saw it.
    #[serde(skip)]
    pub facts: Facts,
    /// The rows once more, where the same set was replayed a second time beside this replay.
    #[serde(skip)]
    pub again: Option<Vec<TableRows>>,
    /// How often its statements name a function that gives a value by chance: what came of it may be alike in two replays.
    #[serde(skip)]
    pub draws: Draws,
    /// Where the sequences stand.
    pub sequences: Vec<SequencePosition>,
    /// What each of its files left in the session; none for what isn't replayed.
    #[serde(skip)]
    pub sessions: Option<Vec<FileEnd>>,
    /// What its statements touched.
    pub touched: Touched,
    /// Functions named by the set for which a stand-in computes something else.
    pub stand_ins: Vec<StandInCall>,
    /// What it can't see in this database.
    pub not_compared: Vec<String>,
    /// Files that run outside of a transaction only, though their tool would wrap them in one.
    pub bare: Vec<Bare>,
    /// What was out of the ordinary while replaying.
    pub notes: Vec<String>,
    /// Statements that a survey left out, since PostgreSQL refused them: with any of them nothing is proven.
    pub refused: Vec<ReplayFailure>,
    /// How long it took from the start of the database.
    pub seconds: f64,
}

/// How often statements name a function whose values may be of few outcomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Draws {
    /// In statements that run what they say.
    pub at_once: usize,
    /// In those that make functions, which may run or not.
    pub in_functions: usize,
}

/// One entry of the dump's table of contents, or one thing of its kind that `pg_dump` leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Entry {
    /// The kind as `pg_dump` calls it: `TABLE`, `FK CONSTRAINT`, `ACL` ….
    pub kind: EntryKind,
    /// The schema, or `-`.
    pub schema: String,
    /// The name as the table of contents has it: functions with arguments, constraints with their table.
    pub name: String,
    /// The owner, or `-`, or nothing.
    pub owner: String,
    /// The SQL, without header comment and settings.
    pub text: String,
}

/// How many rows each statement of each file touched; `None` where that isn't known or isn't its purpose.
pub type Touched = Vec<Vec<Option<u64>>>;

/// The rows of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableRows {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// `r` table, `p` partitioned table, `m` materialized view, as in `pg_class.relkind`.
    pub kind: char,
    /// Names and types of its columns; of a domain, the type that it is over.
    pub columns: Vec<(String, String)>,
    /// Places of the primary key's columns in `columns`; empty without a primary key.
    pub key: Vec<usize>,
    /// The values as PostgreSQL writes them, sorted by the primary key if there is one, else by all columns.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A file that the migration tool would wrap in a transaction, and that doesn't run in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bare {
    /// The file.
    pub file: String,
    /// The line of the statement for which it doesn't.
    pub line: usize,
    /// PostgreSQL's words, where it wasn't known before.
    pub why: Option<String>,
}

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} can't run inside a transaction", self.file, self.line)?;
        self.why.as_ref().map_or(Ok(()), |why| write!(f, " ({why})"))?;
        f.write_str("; the file was replayed outside of one")
    }
}

/// Where a sequence stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SequencePosition {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The last value, or the one to start with if it was never called.
    pub last_value: Option<i64>,
    /// Whether the last value was given out.
    pub is_called: bool,
    /// The table that owns it, as `(schema, name)`.
    pub owned_by: Option<(String, String)>,
    /// All tables that draw from it: its owner's, those whose defaults name it, and the heirs and partitions of these.
    pub drawn_by: Vec<(String, String)>,
    /// Whether a statement said where it stands; otherwise rows brought it there, or nothing did.
    #[serde(skip)]
    pub is_stated: bool,
    /// What its definition starts with.
    #[serde(skip)]
    pub start: Option<i64>,
    /// PostgreSQL's own number for it.
    #[serde(skip)]
    number: String,
}

impl SequencePosition {
    /// Whether it stands as if it had just been made.
    fn is_fresh(&self) -> bool {
        !self.is_called && self.last_value == self.start
    }
}

/// A statement that PostgreSQL refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReplayFailure {
    /// The file.
    pub file: String,
    /// The line that PostgreSQL complains about; else the first line of the statement that isn't a comment.
    pub line: usize,
    /// Which file of the set (or of the prelude), from 0.
    pub file_index: usize,
    /// Which statement of the file, from 0. One past the last means that the COMMIT failed.
    pub statement_index: usize,
    /// PostgreSQL's message.
    pub message: String,
    /// Its SQLSTATE.
    pub sqlstate: String,
    /// Its detail.
    pub detail: Option<String>,
    /// Its hint, or ours where we know better.
    pub hint: Option<String>,
    /// Whether the file is one of the prelude's.
    pub in_prelude: bool,
    /// What the files before it left in the session.
    pub left: Left,
}

/// Why there is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayError {
    /// PostgreSQL refused a statement.
    Failed(Box<ReplayFailure>),
    /// The scratch database couldn't do its part.
    Unable(crate::Error),
    /// It lacks something that another PostgreSQL may have: an extension; or it broke off.
    Missing(crate::Error),
}

impl From<crate::Error> for ReplayError {
    fn from(error: crate::Error) -> Self {
        ReplayError::Unable(error)
    }
}

impl fmt::Display for ReplayFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)?;
        if !self.sqlstate.is_empty() {
            write!(f, " (SQLSTATE {})", self.sqlstate)?;
        }
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, "\ndetail: {detail}"))?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Failed(failure) => failure.fmt(f),
            ReplayError::Unable(error) | ReplayError::Missing(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReplayError {}
