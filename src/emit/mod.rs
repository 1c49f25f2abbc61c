//! The new set: one statement per live object, in files, ordered by need; proven before it is written.

mod arrange;
mod call;
mod changes;
mod commands;
mod comments;
mod cycles;
mod down;
mod group;
mod happened;
mod lay_out;
mod lead;
mod locks;
mod lower;
mod lower_extras;
mod lower_forms;
mod lower_rows;
mod online;
mod outside;
mod part;
mod portable;
mod prove;
mod provenance;
mod row_values;
mod rungs;
mod session;
mod set;
mod stated;
mod text;
mod unit;
mod value_texts;
pub(crate) mod whole;

pub(crate) use call::{Filed, Order, consolidate};
pub(crate) use comments::comments_left_out;
pub use comments::{CommentLine, comments_of_what_lives};
pub(crate) use cycles::file_cycles;
pub use down::add_downs;
pub(crate) use group::first_version;
pub use group::{FileName, Grouping};
pub use lay_out::{Laid, lay_out};
pub(crate) use lay_out::{inner_folder, wants_downs};
pub(crate) use locks::locks;
pub use locks::{Held, Lock, Work};
pub use lower::{How, Lowered};
pub(crate) use part::prove_part;
pub use prove::{Proven, Unproven, prove, set_files};
pub use rungs::{RowRungs, Rung, Rungs, Standing, Standings};
pub use set::{NewFile, NewSet, NewStatement, render};
pub use unit::Owner;

use crate::history::StatementId;
use crate::proof::EntryKind;
use crate::schema::ObjectId;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What the proof has taught so far about how objects must be written.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// Objects that are written as PostgreSQL states them, and their statements.
    pub stated: HashMap<ObjectId, Vec<String>>,
    /// Objects that aren't written: the replayed history doesn't have them, or has their effects otherwise.
    pub left_out: HashSet<ObjectId>,
    /// What the replayed history has and the model doesn't know.
    pub extras: Vec<Extra>,
    /// Statements that must come right before an object's own: where a sequence stands when rows come.
    pub before: HashMap<ObjectId, Vec<String>>,
    /// Tables that are written as it happened, and their statements in the history.
    pub happened: HashMap<ObjectId, Vec<StatementId>>,
    /// Foreign keys that are written after their tables.
    pub split: HashSet<ObjectId>,
    /// What the last file sets at its end, since the history leaves it so: the setting and the statement.
    pub at_end: BTreeMap<String, String>,
    /// What a file gives back at its end, by its name.
    pub given_back: BTreeMap<String, BTreeSet<String>>,
}

/// An object that only the replayed history showed.
#[derive(Debug, Clone)]
pub struct Extra {
    /// Its kind, as pg_dump names it.
    pub kind: EntryKind,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The statement.
    pub text: String,
    /// Its position in the dump.
    pub position: usize,
}

impl Extra {
    /// It in words.
    fn told(&self) -> String {
        let (place, name) = (&self.schema, &self.name);
        match &self.kind {
            EntryKind::TableData => format!("rows of {place}.{name}"),
            kind => format!("{} {place}.{name}", kind.as_str().to_lowercase()),
        }
    }

    /// Whether it is about rows: the rows themselves, or where a sequence stands after them.
    pub fn brings_rows(&self) -> bool {
        matches!(self.kind, EntryKind::TableData | EntryKind::SequenceSet | EntryKind::MaterializedViewData)
    }
}
