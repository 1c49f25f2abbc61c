//! How much a comparison compared: of the old side, and without what preludes give by themselves.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{Entry, SequencePosition, Snapshot, TableRows};

/// How much was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Entries of the old side's dump. What a prelude gives isn't counted here and below.
    pub objects: usize,
    /// Its rows.
    pub rows: usize,
    /// Its tables.
    pub tables: usize,
    /// Its sequences.
    pub sequences: usize,
    /// What the dump leaves out: roles, memberships, settings ….
    pub settings: usize,
    /// Its files after which the session was looked at.
    pub sessions: usize,
    /// Objects besides that a prelude gives, as it gives them.
    pub given: usize,
}

impl Compared {
    pub(super) fn of(old: &Snapshot) -> Compared {
        Compared {
            objects: old.entries.len(),
            rows: old.rows.iter().map(|table| table.rows.len()).sum(),
            tables: old.rows.len(),
            sequences: old.sequences.len(),
            settings: old.globals.len(),
            sessions: old.sessions.as_ref().map_or(0, Vec::len),
            given: 0,
        }
    }

    /// Of a side, what the preludes don't give by themselves.
    pub(super) fn beside(old: &Snapshot, given: &Snapshot) -> Compared {
        let all = Compared::of(old);
        let known: HashSet<&Entry> = given.entries.iter().chain(&given.globals).collect();
        let own = |entries: &[Entry]| entries.iter().filter(|entry| !known.contains(entry)).count();
        let tables: HashMap<(&str, &str), usize> =
            given.rows.iter().map(|t| ((t.schema.as_str(), t.table.as_str()), t.rows.len())).collect();
        let there = |t: &TableRows| tables.get(&(t.schema.as_str(), t.table.as_str())).copied();
        let sequences: HashSet<(&str, &str)> =
            given.sequences.iter().map(|s| (s.schema.as_str(), s.name.as_str())).collect();
        let is_own = |s: &&SequencePosition| !sequences.contains(&(s.schema.as_str(), s.name.as_str()));
        let objects = own(&old.entries);
        Compared {
            objects,
            rows: old.rows.iter().map(|t| t.rows.len().saturating_sub(there(t).unwrap_or(0))).sum(),
            tables: old.rows.iter().filter(|t| there(t).is_none()).count(),
            sequences: old.sequences.iter().filter(is_own).count(),
            settings: own(&old.globals),
            sessions: all.sessions,
            given: all.objects - objects,
        }
    }
}
