//! Compares two snapshots: what the dump holds, what it leaves out, rows, sequences.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::entries::lines;
use super::same::same;
use super::volatile::{Cell, Marked, MarkedRow, Stable};
use super::{Entry, ReplayError, SequencePosition, Settings, Snapshot, TableRows, hidden, naming};

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
    pub kind: String,
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
}

/// The sorts of differences, for those who wish to leave some out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, clap::ValueEnum)]
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
}

impl Class {
    /// That of a kind of entry.
    fn of(kind: &str) -> Class {
        match kind {
            "COLUMN ORDER" => Class::ColumnOrder,
            "ACL" | "DEFAULT ACL" | "PARAMETER PRIVILEGES" | "LANGUAGE PRIVILEGES" | "ROW TYPE PRIVILEGES" => {
                Class::Privileges
            }
            "COMMENT" | "SECURITY LABEL" | "ROLE COMMENT" => Class::Comments,
            "ROWS" | "LARGE OBJECT" | "MATERIALIZED VIEW DATA" => Class::Rows,
            "SEQUENCE POSITION" => Class::Sequences,
            "ROLE" | "BOOTSTRAP ROLE" | "ROLE MEMBERSHIP" => Class::Roles,
            "ROLE SETTING" | "DATABASE SETTING" | "DATABASE" | "SYSTEM SETTING" => Class::Settings,
            kind if kind.starts_with("EXTENSION ") => Class::Extensions,
            _ => Class::Schema,
        }
    }
}

/// How much was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Entries of the old side's dump.
    pub objects: usize,
    /// Its rows.
    pub rows: usize,
    /// Its tables.
    pub tables: usize,
    /// Its sequences.
    pub sequences: usize,
    /// What the dump leaves out: roles, memberships, settings ….
    pub settings: usize,
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
    let mut found = Comparison {
        compared: Compared {
            objects: old.entries.len(),
            rows: old.rows.iter().map(|table| table.rows.len()).sum(),
            tables: old.rows.len(),
            sequences: old.sequences.len(),
            settings: old.globals.len(),
        },
        ..Comparison::default()
    };
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
    rows(old, new, more, &mut found)?;
    sequences(old, new, settings, &mut found);
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
                let came: HashSet<_> = other.iter().map(|e| (&*e.kind, &*e.schema, &*e.name)).collect();
                let back: HashSet<_> = one.iter().map(|e| (&*e.kind, &*e.schema, &*e.name)).collect();
                differences.retain(|difference| {
                    let key = (&*difference.kind, &*difference.schema, &*difference.name);
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

fn identity(difference: Difference) -> (String, String, String) {
    (difference.kind, difference.schema, difference.name)
}

/// What the dumps leave out. Some of it says no more than the dumps do, where the object is on one side only.
fn globals(old: &Snapshot, new: &Snapshot, found: &mut Comparison) {
    let known: HashSet<_> = found.differences.iter().cloned().map(identity).collect();
    let telling = |difference: &Difference| {
        let both = hidden::NEEDS_BOTH.contains(&difference.kind.as_str());
        let lone = both && difference.change != Change::Changed;
        let order = difference.kind == "COLUMN ORDER" && !same_columns(difference);
        !lone && !order && !known.contains(&identity(difference.clone()))
    };
    found.differences.extend(entries(&old.globals, &new.globals).into_iter().filter(telling));
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
fn entries(old: &[Entry], new: &[Entry]) -> Vec<Difference> {
    let mut groups: BTreeMap<(&str, &str, &str), Sides> = BTreeMap::new();
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
    let columns = (old.kind == "TABLE").then(|| naming::columns_changed(&old.text, &new.text)).flatten();
    let bare = bare(&old.kind, &old.schema, &old.name, Change::Changed);
    let without_owner = |entry: &Entry| {
        let kept = |line: &&str| !(line.starts_with("ALTER ") && line.contains(" OWNER TO "));
        lines(&entry.text).filter(kept).collect::<Vec<_>>().join("\n")
    };
    let class = if owner.is_some() && without_owner(old) == without_owner(new) {
        Class::Owner
    } else if old.kind == "TABLE" && old.owner == new.owner && naming::same_but_for_order(&old.text, &new.text) {
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

fn bare(kind: &str, schema: &str, name: &str, change: Change) -> Difference {
    Difference {
        kind: kind.into(),
        schema: schema.into(),
        name: name.into(),
        object: naming::object(kind, schema, name),
        class: Class::of(kind),
        change,
        property: None,
        old: None,
        new: None,
    }
}

/// Compares the rows of the tables that both sides have; the others differ as tables already.
fn rows(old: &Snapshot, new: &Snapshot, more: &dyn More, found: &mut Comparison) -> Result<(), ReplayError> {
    let others: HashMap<(&str, &str), &TableRows> =
        new.rows.iter().map(|table| ((table.schema.as_str(), table.table.as_str()), table)).collect();
    let pairs: Vec<(&TableRows, &TableRows)> = old
        .rows
        .iter()
        .filter_map(|table| Some((table, *others.get(&(table.schema.as_str(), table.table.as_str()))?)))
        .collect();
    if pairs.iter().all(|(one, other)| names(one) == names(other) && one.rows == other.rows || are_empty(one, other)) {
        return Ok(());
    }
    let stable = match more.again()? {
        Again::Old(again) => Stable::learn(&old.rows, &again.rows, &old.clock),
        Again::New(again) => Stable::learn(&new.rows, &again.rows, &new.clock),
        Again::Neither => Stable::default(),
    };
    let all = |table: &TableRows| (0..table.columns.len()).collect::<Vec<_>>();
    // The new side's columns in the old side's order: where they stand is the table's affair.
    let places: HashMap<(&str, &str), Vec<usize>> =
        pairs.iter().map(|(one, other)| ((one.schema.as_str(), one.table.as_str()), shared(one, other))).collect();
    let matched = |table: &TableRows| {
        places.get(&(table.schema.as_str(), table.table.as_str())).cloned().unwrap_or_else(|| all(table))
    };
    let one = stable.mark(&old.rows, &all);
    let mut other = stable.mark(&new.rows, &matched);
    let is_volatile = |cell: &&Cell| matches!(cell, Cell::Volatile(_));
    let volatile = one.tables.values().flatten().flat_map(|row| &row.cells).filter(is_volatile).count();
    let mut differences = rows_of_all(&pairs, &one, &other);
    // What differs from run to run on the old side must do so on the new one: a constant is no random value.
    if volatile > 0
        && differences.is_empty()
        && found.differences.is_empty()
        && new.refused.is_empty()
        && let Some(again) = new.again.clone().map_or_else(|| more.new_again(), |rows| Ok(Some(rows)))?
    {
        other.fix(&Stable::learn(&new.rows, &again, &new.clock).mark(&new.rows, &matched));
        differences = rows_of_all(&pairs, &one, &other);
    }
    found.volatile_cells += volatile;
    found.differences.extend(differences);
    Ok(())
}

/// What differs in the rows of the tables that both sides have.
fn rows_of_all(pairs: &[(&TableRows, &TableRows)], one: &Marked, other: &Marked) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (table, counterpart) in pairs {
        let key = (table.schema.clone(), table.table.clone());
        let (Some(mine), Some(theirs)) = (one.tables.get(&key), other.tables.get(&key)) else { continue };
        differences.extend(rows_of(table, counterpart, mine, theirs));
    }
    differences
}

fn are_empty(one: &TableRows, other: &TableRows) -> bool {
    one.rows.is_empty() && other.rows.is_empty()
}

fn names(table: &TableRows) -> Vec<&str> {
    table.columns.iter().map(|(name, _)| name.as_str()).collect()
}

/// The columns of `other` in the order of `one`, if both have the same ones; else those of `other` as they are.
fn shared(one: &TableRows, other: &TableRows) -> Vec<usize> {
    let places = names(other).into_iter().enumerate().map(|(i, name)| (name, i)).collect::<HashMap<_, _>>();
    let found: Option<Vec<usize>> = names(one).iter().map(|name| places.get(name).copied()).collect();
    match found {
        Some(found) if found.len() == places.len() => found,
        _ => (0..other.columns.len()).collect(),
    }
}

/// The rows that only one side has.
fn rows_of(old: &TableRows, new: &TableRows, mine: &[MarkedRow], theirs: &[MarkedRow]) -> Option<Difference> {
    let mut balance: HashMap<&[Cell], i64> = HashMap::new();
    for row in mine {
        *balance.entry(&row.cells).or_default() += 1;
    }
    for row in theirs {
        *balance.entry(&row.cells).or_default() -= 1;
    }
    let mut take = |rows: &[MarkedRow], sign: i64| -> Vec<usize> {
        let mut left = Vec::new();
        for row in rows {
            // Every row of a side stands in the balance.
            if let Some(count) = balance.get_mut(row.cells.as_slice())
                && *count * sign > 0
            {
                *count -= sign;
                left.push(row.index);
            }
        }
        left
    };
    let (gone, come) = (take(mine, 1), take(theirs, -1));
    if gone.is_empty() && come.is_empty() {
        return None;
    }
    let property = format!(
        "{} of {} rows only in the old set, {} of {} only in the new",
        gone.len(),
        mine.len(),
        come.len(),
        theirs.len()
    );
    Some(Difference {
        property: Some(property),
        old: Some(naming::rows(old, &gone)),
        new: Some(naming::rows(new, &come)),
        ..bare("ROWS", &old.schema, &old.table, Change::Changed)
    })
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
            let name = naming::object("SEQUENCE", &sequence.schema, &sequence.name);
            found.notes.push(format!("{name} belongs to an empty table and may start afresh: old {was}, new {is}"));
            continue;
        }
        found.differences.push(Difference {
            property: Some("position".into()),
            old: Some(was),
            new: Some(is),
            ..bare("SEQUENCE POSITION", &sequence.schema, &sequence.name, Change::Changed)
        });
    }
}
