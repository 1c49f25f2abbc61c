//! What happened to each object, statement by statement: the record from which lifetimes and fates are read.

use crate::history::StatementId;
use crate::schema::ObjectId;

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
    Folded(String),
    /// It wrote the object anew; the text of the statement named here is superseded.
    Superseded(StatementId),
    /// It ended the object, alone or along with another.
    Died(Option<ObjectId>),
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
pub enum Property {
    /// A routine runs with the rights of its owner.
    SecurityDefiner,
    /// A routine looks names up in a search_path of its own.
    SearchPath,
    /// A view doesn't let conditions of others see rows that it hides.
    SecurityBarrier,
    /// A view reads with the rights of who asks.
    SecurityInvoker,
}

impl Property {
    /// Its words in SQL.
    pub fn word(self) -> &'static str {
        match self {
            Property::SecurityDefiner => "SECURITY DEFINER",
            Property::SearchPath => "SET search_path",
            Property::SecurityBarrier => "security_barrier",
            Property::SecurityInvoker => "security_invoker",
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
    pub property: Property,
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
