//! What happened to each object, statement by statement: the record from which lifetimes and fates are read.

use crate::history::StatementId;
use crate::schema::ObjectId;
use crate::sql::names::quote;
use std::fmt;
use std::ops::Range;

/// One thing that a statement did to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The statement.
    pub statement: StatementId,
    /// Where in the statement, in bytes: the column of a CREATE TABLE, the command of an ALTER TABLE.
    pub offset: usize,
    /// The object; a name that is dropped and made again is two objects.
    pub object: ObjectId,
    /// What it did.
    pub what: What,
}

/// What a statement can do to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It made the object.
    Born,
    /// It changed the object and is worked into the object's own statement.
    Folded(Fold),
    /// It wrote the object anew; the text of the statement named here is superseded.
    Superseded(StatementId),
    /// It ended the object, alone or along with another.
    Died(Option<ObjectId>),
}

/// What a change that is worked into an object's own statement did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fold {
    /// It gave the object another name; what it was is named here.
    Renamed(String),
    /// It gave it one more name, named here.
    RenamedAgain(String),
    /// It renamed it along with something else.
    RenamedWith(String),
    /// It gave a value of an enum another name.
    ValueRenamed(String, String),
    /// It took the object out of the schema named here.
    Moved(String),
    /// It gave a column a default.
    DefaultSet,
    /// It took a column's default away.
    DefaultDropped,
    /// It gave a column another default.
    DefaultChanged,
    /// Anything else, in words for people.
    Said(String),
}

impl Fold {
    /// Whether it is about a column's default.
    pub fn is_of_default(&self) -> bool {
        matches!(self, Fold::DefaultSet | Fold::DefaultDropped | Fold::DefaultChanged)
    }
}

impl From<&str> for Fold {
    fn from(words: &str) -> Fold {
        Fold::Said(words.into())
    }
}

impl From<String> for Fold {
    fn from(words: String) -> Fold {
        Fold::Said(words)
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fold::Renamed(from) => write!(f, "renamed from {}", quote(from)),
            Fold::RenamedAgain(to) => write!(f, "renamed once more, to {}", quote(to)),
            Fold::RenamedWith(other) => write!(f, "renamed with {other}"),
            Fold::ValueRenamed(from, to) => write!(f, "value '{from}' renamed to '{to}'"),
            Fold::Moved(from) => write!(f, "moved from schema {}", quote(from)),
            Fold::DefaultSet => f.write_str("default set"),
            Fold::DefaultDropped => f.write_str("default dropped"),
            Fold::DefaultChanged => f.write_str("default changed"),
            Fold::Said(words) => f.write_str(words),
        }
    }
}

/// What a statement is, where it's more than its effects on objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// It speaks to the session only.
    Session(String),
    /// It does nothing: what it would make is there, what it would drop isn't.
    Noop(String),
    /// It changes rows where a fresh database has none.
    Backfill(String),
    /// It ends rows.
    EndsRows(String),
    /// It can't be understood.
    Opaque(String),
}

/// A property by which a routine or a view guards something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// A routine runs with the rights of its owner.
    SecurityDefiner,
    /// A routine looks names up in a search_path of its own.
    SearchPath,
    /// A view doesn't let conditions of others see rows that it hides.
    SecurityBarrier,
    /// A view reads with the rights of who asks.
    SecurityInvoker,
}

impl Guard {
    /// Its words in SQL.
    pub fn word(self) -> &'static str {
        match self {
            Guard::SecurityDefiner => "SECURITY DEFINER",
            Guard::SearchPath => "SET search_path",
            Guard::SecurityBarrier => "security_barrier",
            Guard::SecurityInvoker => "security_invoker",
        }
    }
}

/// A property of security that went away without a word, since the object was written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The statement that wrote it anew.
    pub statement: StatementId,
    /// The object.
    pub object: ObjectId,
    /// What it lost.
    pub property: Guard,
    /// The statement that had given it.
    pub given: StatementId,
}

/// All events and marks, in the order of the history.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The events.
    pub events: Vec<Event>,
    /// The marks, by statement.
    pub marks: Vec<(StatementId, Mark)>,
    /// Properties of security that went away.
    pub losses: Vec<Loss>,
}

impl Ledger {
    /// Takes the events out that a statement and those after it noted: what an object has to do with is none before its birth.
    pub(crate) fn take_since(&mut self, statement: StatementId) -> Vec<Event> {
        self.events.split_off(self.events.partition_point(|e| e.statement < statement))
    }

    /// The events of some statements that follow each other.
    pub fn events_of(&self, statements: Range<StatementId>) -> &[Event] {
        let at = |statement: StatementId| self.events.partition_point(|e| e.statement < statement);
        &self.events[at(statements.start)..at(statements.end)]
    }

    /// The marks of some statements that follow each other.
    pub fn marks_of(&self, statements: Range<StatementId>) -> &[(StatementId, Mark)] {
        let at = |statement: StatementId| self.marks.partition_point(|(s, _)| *s < statement);
        &self.marks[at(statements.start)..at(statements.end)]
    }
}
