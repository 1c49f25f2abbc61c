//! Compares the rows of two snapshots, and replays both sides again as often as it takes to tell values from chance.

use std::collections::HashMap;
use std::sync::Arc;

use super::chance::Chance;
use super::compare::{Again, Change, Comparison, Difference, More, bare};
use super::volatile::{Cell, Marked, MarkedRow, Stable, TableName, named};
use super::{Draws, EntryKind, ReplayError, Snapshot, TableRows, naming};

/// How often each side is replayed at most where a difference between the sides may be chance. A random truth value is alike
/// in so many replays once in eight million times.
const MOST: usize = 24;

/// How often where nothing shows that there is any chance but the words of a set, or where both sides are alike and hold a
/// value that chance gave elsewhere in the column.
const ENOUGH: usize = 6;

/// Compares the rows of the tables that both sides have; the others differ as tables already.
pub(super) fn rows(old: &Snapshot, new: &Snapshot, more: &dyn More, found: &mut Comparison) -> Result<(), ReplayError> {
    let mut sides = Sides::of(old, new);
    // A set that draws where the other one doesn't may have come to the same by chance.
    let draws_otherwise =
        old.draws.at_once != new.draws.at_once && sides.pairs.iter().any(|(one, _)| !one.rows.is_empty());
    // A set that says what the old side's server was called may have it from there.
    let has_rows = sides.pairs.iter().any(|(one, other)| !one.rows.is_empty() || !other.rows.is_empty());
    if sides.are_alike() && !draws_otherwise && !(has_rows && more.says_facts(&old.facts)) {
        return Ok(());
    }
    let (mut one, mut other) = (Vec::new(), Vec::new());
    match more.again()? {
        Again::Old(again) => one.push(Arc::new(again.rows.clone())),
        Again::New(again) => other.push(Arc::new(again.rows.clone())),
        Again::Neither => {}
    }
    sides.again = [one, other];
    let mut seen = sides.look();
    let is_last = found.differences.is_empty();
    let draws = old.draws != Draws::default() || new.draws != Draws::default();
    // What differs from run to run on the old side must do so on the new one: a constant is no random value.
    let unsure = seen.is_open
        || (draws && seen.is_unknown)
        || (is_last && seen.differences.is_empty() && (seen.volatile > 0 || draws_otherwise));
    if unsure
        && new.refused.is_empty()
        && !sides.again[0].is_empty()
        && let Some(again) = new.again.clone().map_or_else(|| more.new_again(), |rows| Ok(Some(rows)))?
    {
        sides.again[1].push(Arc::new(again));
        seen = sides.look();
    }
    let settled = |seen: &Seen, replays: usize| {
        let same = seen.differences.is_empty();
        let few = replays < ENOUGH
            && (if same { is_last && (seen.has_doubts || draws_otherwise) } else { draws && seen.is_unknown });
        !(few || replays < MOST && seen.is_open)
    };
    for nth in 0.. {
        if !new.refused.is_empty() || settled(&seen, nth + 2) {
            break;
        }
        let [one, other] = more.further(nth)?;
        if one.is_none() && other.is_none() {
            break;
        }
        sides.again[0].extend(one);
        sides.again[1].extend(other);
        seen = sides.look();
        if nth + 3 == MOST && seen.is_open {
            found.notes.push(format!("rows that differ were alike in {MOST} replays of their own side"));
        }
    }
    found.volatile_cells += seen.volatile;
    found.differences.extend(seen.differences);
    Ok(())
}

/// What the replays that were made so far show.
#[derive(Default)]
struct Seen {
    differences: Vec<Difference>,
    /// How many values of the old side differ from run to run.
    volatile: usize,
    /// Whether a difference is none if what may be chance is chance.
    is_open: bool,
    /// Whether a difference is none if chance gave all in columns where nothing shows whether it did.
    is_unknown: bool,
    /// Whether there is any value that may be chance.
    has_doubts: bool,
}

/// The values of a column.
type Values<'a> = Vec<&'a Option<String>>;

/// Two sides and all their replays.
struct Sides<'a> {
    old: &'a Snapshot,
    new: &'a Snapshot,
    /// The tables that both have.
    pairs: Vec<(&'a TableRows, &'a TableRows)>,
    /// The new side's columns in the old side's order: where they stand is the table's affair.
    places: HashMap<TableName, Vec<usize>>,
    /// What each side was replayed to again.
    again: [Vec<Arc<Vec<TableRows>>>; 2],
}

impl<'a> Sides<'a> {
    fn of(old: &'a Snapshot, new: &'a Snapshot) -> Self {
        let others: HashMap<TableName, &TableRows> = new.rows.iter().map(|table| (named(table), table)).collect();
        let pairs: Vec<(&TableRows, &TableRows)> =
            old.rows.iter().filter_map(|table| Some((table, *others.get(&named(table))?))).collect();
        let places = pairs.iter().map(|(one, other)| (named(one), shared(one, other))).collect();
        Sides { old, new, pairs, places, again: [Vec::new(), Vec::new()] }
    }

    fn are_alike(&self) -> bool {
        let are_empty = |one: &TableRows, other: &TableRows| one.rows.is_empty() && other.rows.is_empty();
        let alike = |one: &TableRows, other: &TableRows| names(one) == names(other) && one.rows == other.rows;
        self.pairs.iter().all(|(one, other)| alike(one, other) || are_empty(one, other))
    }

    /// Compares both sides by what is known of each. A side that wasn't replayed again is seen as the other one is.
    fn look(&self) -> Seen {
        let mut chance = Chance::default();
        let [one, other] = [(self.old, &self.again[0]), (self.new, &self.again[1])].map(|(snapshot, again)| {
            let replays = std::iter::once(&snapshot.rows).chain(again.iter().map(|rows| &**rows));
            let replays: Vec<&[TableRows]> = replays.map(Vec::as_slice).collect();
            (!again.is_empty()).then(|| Stable::learn(&replays, &snapshot.clock, &mut chance))
        });
        let none = Stable::default();
        let known =
            [one.as_ref().or(other.as_ref()), other.as_ref().or(one.as_ref())].map(|side| side.unwrap_or(&none));
        let all = |table: &TableRows| (0..table.columns.len()).collect::<Vec<_>>();
        let matched = |table: &TableRows| self.places.get(&named(table)).cloned().unwrap_or_else(|| all(table));
        let marked = [known[0].mark(&self.old.rows, &all), known[1].mark(&self.new.rows, &matched)];
        let is_volatile = |cell: &&Cell| matches!(cell, Cell::Volatile(_));
        let cells = marked[0].tables.values().flatten().flat_map(|row| &row.cells);
        let mut seen = Seen { volatile: cells.filter(is_volatile).count(), ..Seen::default() };
        for pair in &self.pairs {
            self.table(*pair, known, &marked, &chance, &mut seen);
        }
        seen
    }

    /// Compares one table.
    fn table(
        &self,
        (one, other): (&TableRows, &TableRows),
        known: [&Stable; 2],
        marked: &[Marked; 2],
        chance: &Chance,
        seen: &mut Seen,
    ) {
        let name = named(one);
        let (Some(mine), Some(theirs)) = (marked[0].tables.get(&name), marked[1].tables.get(&name)) else { return };
        let columns = names(one);
        seen.has_doubts |= mine.iter().chain(theirs).any(|row| chance.is_in(&name, &columns, row));
        let difference = rows_of(one, other, mine, theirs);
        if difference.is_some() {
            let are_alike_by = |loose: &dyn Fn(&MarkedRow) -> MarkedRow| {
                let of = |rows: &[MarkedRow]| rows.iter().map(loose).collect::<Vec<_>>();
                rows_of(one, other, &of(mine), &of(theirs)).is_none()
            };
            seen.is_open |= are_alike_by(&|row| chance.loosened(&name, &columns, row));
            seen.is_unknown |= are_alike_by(&|row| chance.unknown(&name, &columns, row));
        }
        let difference = difference.or_else(|| {
            let (column, mine, theirs) = self.column_that_differs((one, other), known)?;
            let by_chance = |value: &&Option<String>| chance.gave(&name, column, value);
            seen.is_open |= mine.iter().chain(&theirs).all(by_chance);
            let shown = |values: &[&Option<String>]| {
                let words = values.iter().take(SHOWN).map(|value| value.as_deref().unwrap_or("NULL"));
                Some(words.collect::<Vec<_>>().join("\n"))
            };
            let property = Some(format!("values of {column} that only one set has"));
            let bare = bare(&EntryKind::Rows, &one.schema, &one.table, Change::Changed);
            Some(Difference { property, old: shown(&mine), new: shown(&theirs), ..bare })
        });
        seen.differences.extend(difference);
    }

    /// A column of which all replays of either side gave the same values, and the sides don't: which of them only one has.
    /// Where rows can't be matched this tells what marks don't.
    fn column_that_differs(
        &self,
        (one, other): (&'a TableRows, &'a TableRows),
        known: [&Stable; 2],
    ) -> Option<(&'a str, Values<'a>, Values<'a>)> {
        let name = named(one);
        if !known.iter().any(|side| side.varies(&name)) {
            return None;
        }
        let (places, all) = (self.places.get(&name)?, names(one));
        let lasting = |column: &str| known.iter().all(|side| side.lasts(&name, column));
        all.into_iter().zip(places).enumerate().filter(|(_, (column, _))| lasting(column)).find_map(
            |(i, (column, at))| {
                let mut counts: HashMap<&Option<String>, i64> = HashMap::new();
                one.rows.iter().for_each(|row| *counts.entry(&row[i]).or_default() += 1);
                other.rows.iter().for_each(|row| *counts.entry(&row[*at]).or_default() -= 1);
                let of = |sign: i64| -> Vec<&Option<String>> {
                    let mut values: Vec<_> =
                        counts.iter().filter(|(_, n)| **n * sign > 0).map(|(value, _)| *value).collect();
                    values.sort();
                    values
                };
                let (mine, theirs) = (of(1), of(-1));
                (!mine.is_empty() || !theirs.is_empty()).then_some((column, mine, theirs))
            },
        )
    }
}

/// How many values of a column a difference shows.
const SHOWN: usize = 20;

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
        ..bare(&EntryKind::Rows, &old.schema, &old.table, Change::Changed)
    })
}
