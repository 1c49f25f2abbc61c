//! Compares two snapshots: what the dump holds, what it leaves out, rows, sequences.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::compared::Compared;
use super::entries::lines;
use super::same::same;
use super::{
    Entry, EntryKind, Facts, ReplayError, SequencePosition, Settings, Snapshot, TableRows, compare_rows, elsewhere,
    hidden, leftover, naming,
};
use crate::named::Named;

/// What became of an object from the old side to the new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the new side has it.
    Added,
    /// Only the old side has it.
    Removed,
    /// Both have it, and it isn't the same.
    Changed,
}

/// One object that isn't the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its kind as `pg_dump` calls it; `ROWS` and `SEQUENCE POSITION` are the judge's own.
    pub kind: EntryKind,
    /// Its schema, or `-`.
    pub schema: String,
    /// Its name as the table of contents has it.
    pub name: String,
    /// What one would call it: `index public.idx_a`.
    pub object: String,
    /// What sort of difference it is.
    pub class: Class,
    /// What became of it.
    pub change: Change,
    /// What of it differs, where that is easy to say.
    pub property: Option<String>,
    /// Its text on the old side.
    pub old: Option<String>,
    /// Its text on the new side.
    pub new: Option<String>,
    /// The file of the new side after which it was seen, where it is about the session.
    pub file: Option<String>,
}

/// The sorts of differences, for those who wish to leave some out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Objects and their properties
    #[default]
    Schema,
    /// Only the order of the columns of a table
    ColumnOrder,
    /// Only the owner of an object
    Owner,
    /// Privileges and default privileges
    Privileges,
    /// Comments and security labels
    Comments,
    /// Rows, large objects, and whether materialized views are populated
    Rows,
    /// Where sequences stand
    Sequences,
    /// Roles and memberships
    Roles,
    /// Settings of roles, of the database and of the server
    Settings,
    /// Versions, owners and members of extensions
    Extensions,
    /// What files leave in the session
    Session,
}

impl Named for Class {
    const ALL: &'static [Class] = &[
        Class::Schema,
        Class::ColumnOrder,
        Class::Owner,
        Class::Privileges,
        Class::Comments,
        Class::Rows,
        Class::Sequences,
        Class::Roles,
        Class::Settings,
        Class::Extensions,
        Class::Session,
    ];

    fn name(self) -> &'static str {
        match self {
            Class::Schema => "schema",
            Class::ColumnOrder => "column-order",
            Class::Owner => "owner",
            Class::Privileges => "privileges",
            Class::Comments => "comments",
            Class::Rows => "rows",
            Class::Sequences => "sequences",
            Class::Roles => "roles",
            Class::Settings => "settings",
            Class::Extensions => "extensions",
            Class::Session => "session",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Class::Schema => "Objects and their properties",
            Class::ColumnOrder => "Only the order of the columns of a table",
            Class::Owner => "Only the owner of an object",
            Class::Privileges => "Privileges and default privileges",
            Class::Comments => "Comments and security labels",
            Class::Rows => "Rows, large objects, and whether materialized views are populated",
            Class::Sequences => "Where sequences stand",
            Class::Roles => "Roles and memberships",
            Class::Settings => "Settings of roles, of the database and of the server",
            Class::Extensions => "Versions, owners and members of extensions",
            Class::Session => "What files leave in the session",
        }
    }
}

impl Class {
    /// That of a kind of entry.
    fn of(kind: &EntryKind) -> Class {
        use EntryKind as K;
        match kind {
            K::ColumnOrder => Class::ColumnOrder,
            K::Acl | K::DefaultAcl | K::ParameterPrivileges | K::LanguagePrivileges | K::RowTypePrivileges => {
                Class::Privileges
            }
            K::Comment | K::SecurityLabel | K::RoleComment | K::BuiltInComments => Class::Comments,
            K::Rows | K::LargeObject | K::MaterializedViewData => Class::Rows,
            K::SequencePosition => Class::Sequences,
            K::Role | K::BootstrapRole | K::RoleMembership => Class::Roles,
            K::RoleSetting | K::DatabaseSetting | K::Database | K::SystemSetting => Class::Settings,
            kind if kind.is_of_extension() => Class::Extensions,
            _ => Class::Schema,
        }
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Comparison {
    /// What differs.
    pub differences: Vec<Difference>,
    /// How much was compared.
    pub compared: Compared,
    /// How many values of the old side differ from run to run, and were compared by kind only.
    pub volatile_cells: usize,
    /// What was out of the ordinary.
    pub notes: Vec<String>,
    /// What it couldn't see.
    pub not_compared: Vec<String>,
    /// Parts of a dump that it couldn't read: with any of them nothing is proven.
    pub unread: Vec<String>,
}

/// A side replayed a second time.
pub(super) enum Again<'a> {
    /// The old one.
    Old(&'a Snapshot),
    /// The new one.
    New(&'a Snapshot),
    /// Neither: both are as they are.
    Neither,
}

/// What else a comparison may ask for, where two snapshots alone leave it open.
pub(super) trait More {
    /// The old side replayed once more, for its rows; or the new one, if only that can be.
    fn again(&self) -> Result<Again<'_>, ReplayError>;
    /// The new side replayed once more, for its rows, if it can be and `again` doesn't tell of it.
    fn new_again(&self) -> Result<Option<Vec<TableRows>>, ReplayError>;
    /// The old side replayed in the world of the new one, if it can be.
    fn elsewhere(&self) -> Result<Option<&Snapshot>, ReplayError>;
    /// Whether the new set says what the old side's server was by itself, and the old set doesn't.
    fn says_facts(&self, facts: &Facts) -> bool;
    /// Both sides replayed once more after that, the old one first, as far as they can be; `nth` counts from 0.
    fn further(&self, nth: usize) -> Result<[Option<Arc<Vec<TableRows>>>; 2], ReplayError>;
    /// The entries of both sides' dumps after a reload.
    fn reloaded(&self, new: &Snapshot) -> Result<(&[Entry], Vec<Entry>), ReplayError>;
}

/// Compares two snapshots. `more` is asked only if rows or texts differ.
pub(super) fn compare(
    old: &Snapshot,
    new: &Snapshot,
    settings: &Settings,
    more: &dyn More,
) -> Result<Comparison, ReplayError> {
    let mut found = Comparison { compared: Compared::of(old), ..Comparison::default() };
    for (one, other, into) in [
        (&old.not_compared, &new.not_compared, &mut found.not_compared),
        (&old.unread, &new.unread, &mut found.unread),
        (&old.notes, &new.notes, &mut found.notes),
    ] {
        into.extend(one.iter().cloned());
        into.extend(other.iter().filter(|text| !one.contains(text)).cloned());
    }
    let refused = old.refused.iter().chain(&new.refused);
    found.unread.extend(refused.map(|f| format!("{}:{} was refused: {}", f.file, f.line, f.message)));
    schema(old, new, more, &mut found);
    globals(old, new, &mut found);
    elsewhere::compare(old, new, more, &mut found)?;
    compare_rows::rows(old, new, more, &mut found)?;
    sequences(old, new, settings, &mut found);
    if let (Some(one), Some(other)) = (&old.sessions, &new.sessions) {
        leftover::compare(one, other, &mut found);
    }
    ignore(settings, &mut found);
    Ok(found)
}

/// Takes out what isn't asked for, and says how much that was.
fn ignore(settings: &Settings, found: &mut Comparison) {
    for class in &settings.ignore {
        let before = found.differences.len();
        found.differences.retain(|difference| difference.class != *class);
        let gone = before - found.differences.len();
        let name =
            serde_json::to_value(class).ok().and_then(|name| name.as_str().map(String::from)).unwrap_or_default();
        let word = if gone == 1 { "difference" } else { "differences" };
        found.notes.push(format!("{gone} {word} of the class {name} left out, as asked"));
    }
}

/// The dumps: as they are, and where texts differ after a reload.
fn schema(old: &Snapshot, new: &Snapshot, more: &dyn More, found: &mut Comparison) {
    let mut differences = entries(&old.entries, &new.entries);
    if differences.iter().any(|difference| difference.change == Change::Changed) {
        match more.reloaded(new) {
            Ok((one, other)) => {
                let still: HashSet<_> = entries(one, &other).into_iter().map(identity).collect();
                // What didn't come back from the reload is compared as it was.
                let came: HashSet<_> = other.iter().map(|e| (&e.kind, &*e.schema, &*e.name)).collect();
                let back: HashSet<_> = one.iter().map(|e| (&e.kind, &*e.schema, &*e.name)).collect();
                differences.retain(|difference| {
                    let key = (&difference.kind, &*difference.schema, &*difference.name);
                    difference.change != Change::Changed
                        || still.contains(&identity(difference.clone()))
                        || !came.contains(&key)
                        || !back.contains(&key)
                });
            }
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().next().unwrap_or_default();
                found.notes.push(format!("texts are compared as they are, not after a reload: {why}"));
            }
        }
    }
    found.differences.extend(differences);
}

pub(super) fn identity(difference: Difference) -> (EntryKind, String, String) {
    (difference.kind, difference.schema, difference.name)
}

/// What the dumps leave out. Some of it says no more than the dumps do, where the object is on one side only.
fn globals(old: &Snapshot, new: &Snapshot, found: &mut Comparison) {
    let known: HashSet<_> = found.differences.iter().cloned().map(identity).collect();
    let differences = entries(&old.globals, &new.globals);
    let comments =
        differences.iter().any(|difference| difference.kind == EntryKind::Comment && difference.schema == "-");
    let telling = |difference: &Difference| {
        let both = hidden::needs_both(&difference.kind);
        let lone = both && difference.change != Change::Changed;
        let order = difference.kind == EntryKind::ColumnOrder && !same_columns(difference);
        // A comment that is named is one more or less as well.
        let counted = difference.kind == EntryKind::BuiltInComments && comments;
        !lone && !order && !counted && !known.contains(&identity(difference.clone()))
    };
    let telling: Vec<Difference> = differences.iter().filter(|one| telling(one)).cloned().collect();
    found.differences.extend(telling);
}

/// Whether both sides have the same columns, in whatever order; otherwise the tables differ already.
fn same_columns(difference: &Difference) -> bool {
    let columns = |side: &Option<String>| {
        let mut names: Vec<String> = side.iter().flat_map(|text| text.lines()).map(ToString::to_string).collect();
        names.sort_unstable();
        names
    };
    columns(&difference.old) == columns(&difference.new)
}

/// The entries of one identity, on the old side and on the new.
type Sides<'a> = (Vec<&'a Entry>, Vec<&'a Entry>);

/// Compares entries by identity and text. Where several share an identity (operators, default privileges), equal ones are
/// matched first, then those of one owner, then the rest in order.
pub(super) fn entries(old: &[Entry], new: &[Entry]) -> Vec<Difference> {
    let mut groups: BTreeMap<(&str, &EntryKind, &str), Sides> = BTreeMap::new();
    for entry in old {
        groups.entry((&entry.schema, &entry.kind, &entry.name)).or_default().0.push(entry);
    }
    for entry in new {
        groups.entry((&entry.schema, &entry.kind, &entry.name)).or_default().1.push(entry);
    }
    let mut differences = Vec::new();
    for (mut one, mut other) in groups.into_values() {
        pair(&mut one, &mut other, |a, b| same(a, b) && a.owner == b.owner, |_, _| {});
        let mut changed = |a: &Entry, b: &Entry| differences.push(changed(a, b));
        pair(&mut one, &mut other, |a, b| a.owner == b.owner, &mut changed);
        pair(&mut one, &mut other, |_, _| true, &mut changed);
        differences.extend(one.into_iter().map(|entry| lone(entry, Change::Removed)));
        differences.extend(other.into_iter().map(|entry| lone(entry, Change::Added)));
    }
    differences
}

/// Takes out all pairs that match.
fn pair<'a>(
    one: &mut Vec<&'a Entry>,
    other: &mut Vec<&'a Entry>,
    matches: impl Fn(&Entry, &Entry) -> bool,
    mut found: impl FnMut(&Entry, &Entry),
) {
    one.retain(|a| {
        let place = other.iter().position(|b| matches(a, b));
        if let Some(place) = place {
            found(a, other.remove(place));
        }
        place.is_none()
    });
}

fn changed(old: &Entry, new: &Entry) -> Difference {
    let owner = (old.owner != new.owner).then(|| format!("owner: {} -> {}", old.owner, new.owner));
    let columns = (old.kind == EntryKind::Table).then(|| naming::columns_changed(&old.text, &new.text)).flatten();
    let bare = bare(&old.kind, &old.schema, &old.name, Change::Changed);
    let without_owner = |entry: &Entry| {
        let kept = |line: &&str| !(line.starts_with("ALTER ") && line.contains(" OWNER TO "));
        lines(&entry.text).filter(kept).collect::<Vec<_>>().join("\n")
    };
    let class = if owner.is_some() && without_owner(old) == without_owner(new) {
        Class::Owner
    } else if old.kind == EntryKind::Table && old.owner == new.owner && naming::same_but_for_order(&old.text, &new.text)
    {
        Class::ColumnOrder
    } else {
        bare.class
    };
    Difference { class, property: columns.or(owner), old: Some(old.text.clone()), new: Some(new.text.clone()), ..bare }
}

fn lone(entry: &Entry, change: Change) -> Difference {
    let text = Some(entry.text.clone());
    let (old, new) = if change == Change::Added { (None, text) } else { (text, None) };
    Difference { old, new, ..bare(&entry.kind, &entry.schema, &entry.name, change) }
}

pub(super) fn bare(kind: &EntryKind, schema: &str, name: &str, change: Change) -> Difference {
    Difference {
        kind: kind.clone(),
        schema: schema.into(),
        name: name.into(),
        object: naming::object(kind, schema, name),
        class: Class::of(kind),
        change,
        property: None,
        old: None,
        new: None,
        file: None,
    }
}

fn sequences(old: &Snapshot, new: &Snapshot, settings: &Settings, found: &mut Comparison) {
    let empty = |snapshot: &Snapshot, (schema, table): &(String, String)| {
        let rows = snapshot.rows.iter().find(|t| t.schema == *schema && t.table == *table);
        rows.is_some_and(|table| table.rows.is_empty())
    };
    // Partitions and heirs draw from the sequence too, and so may any other table.
    let unused = |snapshot: &Snapshot, sequence: &SequencePosition| {
        !sequence.drawn_by.is_empty() && sequence.drawn_by.iter().all(|table| empty(snapshot, table))
    };
    let others: HashMap<(&str, &str), &SequencePosition> =
        new.sequences.iter().map(|sequence| ((sequence.schema.as_str(), sequence.name.as_str()), sequence)).collect();
    for sequence in &old.sequences {
        let Some(other) = others.get(&(sequence.schema.as_str(), sequence.name.as_str())) else { continue };
        if (sequence.last_value, sequence.is_called) == (other.last_value, other.is_called) {
            continue;
        }
        let owner = sequence.owned_by.as_ref().filter(|owner| other.owned_by.as_ref() == Some(*owner));
        // Only numbers that rows took and that went with them may be given again.
        let drawn = !sequence.is_stated && (!other.is_stated || other.is_fresh());
        let fresh = drawn && owner.is_some() && unused(old, sequence) && unused(new, other);
        let (was, is) = (naming::position(sequence), naming::position(other));
        if fresh && !settings.exact_sequences {
            let name = naming::object(&EntryKind::Sequence, &sequence.schema, &sequence.name);
            found.notes.push(format!("{name} belongs to an empty table and may start afresh: old {was}, new {is}"));
            continue;
        }
        found.differences.push(Difference {
            property: Some("position".into()),
            old: Some(was),
            new: Some(is),
            ..bare(&EntryKind::SequencePosition, &sequence.schema, &sequence.name, Change::Changed)
        });
    }
}
