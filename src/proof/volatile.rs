//! Compares rows, telling apart what the sets say and what differs from one run to the next of the same set: times,
//! random identifiers.
//!
//! A value is volatile if a second replay of the same set doesn't give it again: in the same row, where rows have a key that
//! both replays gave, else anywhere in the column. For the comparison each volatile value is replaced by a mark, so neither
//! the order of rows nor the match of one row with another depends on it.
//! The marks of long random values (identifiers, not times) are told apart by where the value stands: two rows that share
//! one, such as a parent and its child, must share one on the other side too.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use super::TableRows;
use super::clock::Clock;
use super::session::TextRow;

/// The rows of one side, with marks in place of volatile values.
#[derive(Debug, Default)]
pub(super) struct Marked {
    /// Each table's rows, as `(schema, table)` → rows.
    pub tables: HashMap<(String, String), Vec<MarkedRow>>,
}

impl Marked {
    /// Values that only this marking takes for volatile, and another one of the same rows doesn't, are values again.
    pub fn fix(&mut self, own: &Marked) {
        for (table, rows) in &mut self.tables {
            for (row, other) in rows.iter_mut().zip(own.tables.get(table).into_iter().flatten()) {
                for (cell, seen) in row.cells.iter_mut().zip(&other.cells) {
                    if matches!(cell, Cell::Volatile(_)) && !matches!(seen, Cell::Volatile(_)) {
                        *cell = seen.clone();
                    }
                }
            }
        }
    }
}

/// A row with marks, and what it really holds.
#[derive(Debug, Clone)]
pub(super) struct MarkedRow {
    /// Values and marks; equal for rows that count as equal.
    pub cells: Vec<Cell>,
    /// The place of the row in its table's rows.
    pub index: usize,
}

/// A value, or a mark in its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cell {
    /// NULL.
    Null,
    /// A value that each replay gives.
    Value(String),
    /// One that differs from run to run; the number tells apart those that stand in different places.
    Volatile(u64),
}

/// The columns of each row that two replays gave otherwise, by the row's key.
type Varied = HashMap<Vec<Option<String>>, HashSet<String>>;

/// The values of each column that both replays of the history gave.
#[derive(Debug, Default)]
pub(super) struct Stable {
    columns: HashMap<(String, String, String), HashSet<String>>,
    /// The columns that hold anything volatile.
    volatile: HashSet<(String, String, String)>,
    /// The tables whose keys both replays gave, and of each row the columns that differed, by its key.
    keyed: HashMap<(String, String), Varied>,
}

impl Stable {
    /// Learns from two replays of the same set, the first of which ran by this clock.
    pub fn learn(once: &[TableRows], again: &[TableRows], clock: &Clock) -> Self {
        let mut stable = Stable::default();
        let again: HashMap<(&str, &str), &TableRows> =
            again.iter().map(|table| ((table.schema.as_str(), table.table.as_str()), table)).collect();
        for table in once {
            let Some(other) = again.get(&(table.schema.as_str(), table.table.as_str())) else { continue };
            if let Some(rows) = row_by_row(table, other, clock) {
                stable.keyed.insert((table.schema.clone(), table.table.clone()), rows);
                continue;
            }
            for (i, (name, _)) in table.columns.iter().enumerate() {
                let key = (table.schema.clone(), table.table.clone(), name.clone());
                let values = |rows: &[TextRow]| -> HashSet<String> {
                    rows.iter().filter_map(|row| row.get(i).cloned().flatten()).collect()
                };
                let (one, two) = (values(&table.rows), values(&other.rows));
                let lasting: HashSet<String> =
                    one.intersection(&two).filter(|value| !clock.gave(value)).cloned().collect();
                if one != two || lasting.len() != one.len() {
                    stable.volatile.insert(key.clone());
                }
                stable.columns.insert(key, lasting);
            }
        }
        stable
    }

    /// Whether a replay of the set may give another value here the next time.
    fn is_volatile(&self, column: &(String, String, String), key: &[Option<String>], value: &str) -> bool {
        if let Some(rows) = self.keyed.get(&(column.0.clone(), column.1.clone())) {
            return rows.get(key).is_some_and(|columns| columns.contains(&column.2));
        }
        self.volatile.contains(column) && self.columns.get(column).is_some_and(|values| !values.contains(value))
    }

    /// Puts marks in place of volatile values. `order` names the columns of each table that are compared.
    pub fn mark(&self, tables: &[TableRows], order: &dyn Fn(&TableRows) -> Vec<usize>) -> Marked {
        let mut marked = Marked::default();
        let mut places: HashMap<&str, Vec<(usize, usize, usize)>> = HashMap::new();
        let mut all: Vec<Vec<MarkedRow>> = Vec::with_capacity(tables.len());
        for (t, table) in tables.iter().enumerate() {
            let columns = order(table);
            let keys: Vec<_> = columns
                .iter()
                .map(|&c| (table.schema.clone(), table.table.clone(), table.columns[c].0.clone()))
                .collect();
            let mut rows = Vec::with_capacity(table.rows.len());
            for (index, row) in table.rows.iter().enumerate() {
                let own: Vec<Option<String>> = table.key.iter().map(|&i| row[i].clone()).collect();
                let mut cells = Vec::with_capacity(columns.len());
                for (place, (&c, key)) in columns.iter().zip(&keys).enumerate() {
                    cells.push(match &row[c] {
                        None => Cell::Null,
                        Some(value) if self.is_volatile(key, &own, value) => {
                            if identifies(value, &table.columns[c].1) {
                                places.entry(value).or_default().push((t, index, place));
                            }
                            Cell::Volatile(0)
                        }
                        Some(value) => Cell::Value(value.clone()),
                    });
                }
                rows.push(MarkedRow { cells, index });
            }
            all.push(rows);
        }
        refine(tables, &mut all, &places);
        for (table, rows) in tables.iter().zip(all) {
            marked.tables.insert((table.schema.clone(), table.table.clone()), rows);
        }
        marked
    }
}

/// The columns of each row that two replays gave otherwise, by the row's key; none if they didn't give the same keys.
fn row_by_row(once: &TableRows, again: &TableRows, clock: &Clock) -> Option<Varied> {
    if once.key.is_empty() || once.key != again.key || once.columns != again.columns {
        return None;
    }
    let of = |table: &TableRows| -> HashMap<Vec<Option<String>>, usize> {
        let key = |row: &TextRow| table.key.iter().map(|&i| row[i].clone()).collect();
        table.rows.iter().enumerate().map(|(at, row)| (key(row), at)).collect()
    };
    let (first, second) = (of(once), of(again));
    if first.len() != second.len() {
        return None;
    }
    let mut found = Varied::new();
    let mut varied = vec![0; once.columns.len()];
    for (key, at) in first {
        let (one, other) = (&once.rows[at], &again.rows[*second.get(&key)?]);
        let of_clock = |i: usize| one[i].as_ref().is_some_and(|value| clock.gave(value));
        let differ: Vec<usize> = (0..one.len()).filter(|&i| one[i] != other[i] || of_clock(i)).collect();
        differ.iter().for_each(|&i| varied[i] += 1);
        found.insert(key, differ.into_iter().map(|i| once.columns[i].0.clone()).collect());
    }
    // Where most rows differ, the others came out alike by chance.
    let most = found.len() / 2;
    for (i, _) in varied.iter().enumerate().filter(|(_, rows)| **rows > most) {
        let column = &once.columns[i].0;
        found.values_mut().for_each(|columns| columns.extend([column.clone()]));
    }
    Some(found)
}

/// Whether a value is long and random enough that two places hold it only by reference. Numbers and times aren't:
/// statements of one transaction share those, and another set has other transactions.
fn identifies(value: &str, of_type: &str) -> bool {
    let texts = ["uuid", "text", "bytea", "citext", "character", "name", "char", "varchar", "bpchar"];
    let is_text =
        texts.iter().any(|t| of_type == *t || of_type.strip_prefix(t).is_some_and(|r| r.starts_with([' ', '('])));
    let bytes = value.as_bytes();
    let clock = bytes.windows(5).any(|w| w[2] == b':' && [0, 1, 3, 4].iter().all(|i| w[*i].is_ascii_digit()));
    value.len() >= 16 && is_text && !clock && value.parse::<f64>().is_err()
}

/// How often marks are told apart anew at most: a chain of references is followed this far.
const ROUNDS: usize = 32;

/// Gives each mark a number made of all the rows in which its value stands. Each round sees one reference further.
fn refine(tables: &[TableRows], all: &mut [Vec<MarkedRow>], places: &HashMap<&str, Vec<(usize, usize, usize)>>) {
    // A value that stands in one place only refers to nothing.
    let shared: Vec<&Vec<(usize, usize, usize)>> = places.values().filter(|places| places.len() > 1).collect();
    let mut told_apart = 0;
    for _ in 0..ROUNDS {
        let mut colours = Vec::with_capacity(shared.len());
        for places in &shared {
            let mut seen: Vec<u64> = places
                .iter()
                .map(|&(t, row, place)| hash(&(&tables[t].schema, &tables[t].table, place, &all[t][row].cells)))
                .collect();
            seen.sort_unstable();
            colours.push(hash(&seen));
        }
        let distinct = colours.iter().collect::<HashSet<_>>().len();
        for (places, colour) in shared.iter().zip(colours) {
            for &(t, row, place) in places.iter() {
                all[t][row].cells[place] = Cell::Volatile(colour);
            }
        }
        // Two sides that refer alike stop in the same round, so their numbers can be compared.
        if distinct == told_apart {
            break;
        }
        told_apart = distinct;
    }
}

/// The same in each run of the program, unlike a hash map's own.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, columns: &[&str], rows: &[&[&str]]) -> TableRows {
        TableRows {
            schema: "public".into(),
            table: name.into(),
            kind: 'r',
            columns: columns.iter().map(|c| (c.to_string(), "text".to_string())).collect(),
            key: Vec::new(),
            rows: rows.iter().map(|row| row.iter().map(|cell| Some(cell.to_string())).collect()).collect(),
        }
    }

    fn cells(marked: &Marked, name: &str) -> Vec<Vec<Cell>> {
        let mut rows: Vec<_> =
            marked.tables[&("public".to_string(), name.to_string())].iter().map(|row| row.cells.clone()).collect();
        rows.sort();
        rows
    }

    const A: &str = "aaaaaaaa-0000-4000-8000-000000000001";
    const B: &str = "bbbbbbbb-0000-4000-8000-000000000002";
    const C: &str = "cccccccc-0000-4000-8000-000000000003";
    const D: &str = "dddddddd-0000-4000-8000-000000000004";
    const E: &str = "eeeeeeee-0000-4000-8000-000000000005";
    const F: &str = "ffffffff-0000-4000-8000-000000000006";

    fn family(one: &str, two: &str, child_of: &str) -> Vec<TableRows> {
        vec![
            table("parent", &["id", "name"], &[&[one, "one"], &[two, "two"]]),
            table("child", &["parent", "name"], &[&[child_of, "kid"]]),
        ]
    }

    #[test]
    fn random_identifiers_are_equal_where_they_refer_to_the_same() {
        let all = |table: &TableRows| (0..table.columns.len()).collect::<Vec<_>>();
        let (old, again) = (family(A, B, A), family(C, D, C));
        let stable = Stable::learn(&old, &again, &Clock::default());
        let marked = stable.mark(&old, &all);
        let same = stable.mark(&family(E, F, E), &all);
        let other = stable.mark(&family(E, F, F), &all);
        assert_eq!(cells(&marked, "child"), cells(&same, "child"));
        assert_eq!(cells(&marked, "parent"), cells(&same, "parent"));
        assert_ne!(cells(&marked, "child"), cells(&other, "child"));
    }

    #[test]
    fn a_fixed_value_in_a_volatile_column_stays_a_value() {
        let all = |table: &TableRows| (0..table.columns.len()).collect::<Vec<_>>();
        let rows = |now: &str, fixed: &str| vec![table("t", &["a", "at"], &[&["1", now], &["2", fixed]])];
        let stable = Stable::learn(
            &rows("2026-01-01 10:00", "2020-01-01"),
            &rows("2026-01-01 11:00", "2020-01-01"),
            &Clock::default(),
        );
        let marked = cells(&stable.mark(&rows("2026-01-01 10:00", "2020-01-01"), &all), "t");
        assert_eq!(marked, cells(&stable.mark(&rows("2026-01-01 12:00", "2020-01-01"), &all), "t"));
        assert_ne!(marked, cells(&stable.mark(&rows("2026-01-01 12:00", "2021-01-01"), &all), "t"));
    }

    /// Two replays side by side now and then write the same millisecond.
    #[test]
    fn a_time_that_two_replays_happened_to_share_is_volatile() {
        let all = |table: &TableRows| (0..table.columns.len()).collect::<Vec<_>>();
        let rows = |now: &str, fixed: &str| vec![table("t", &["id", "at"], &[&["1", now], &["2", fixed]])];
        let shared = rows("2026-11-22 10:00:01.250", "2026-11-21 10:00:00.250");
        let clock = Clock::between(1_795_341_600.0, 1_795_341_602.0);
        for key in [vec![], vec![0]] {
            let keyed = |mut tables: Vec<TableRows>| {
                tables[0].key.clone_from(&key);
                tables
            };
            let stable = Stable::learn(&keyed(shared.clone()), &keyed(shared.clone()), &clock);
            let at = |marked: Marked| cells(&marked, "t").into_iter().map(|row| row[1].clone()).collect::<Vec<_>>();
            let marked = at(stable.mark(&keyed(shared.clone()), &all));
            assert_eq!(marked, [Cell::Volatile(0), Cell::Value("2026-11-21 10:00:00.250".into())]);
            let later = rows("2026-11-22 10:00:09.750", "2026-11-21 10:00:00.250");
            assert_eq!(marked, at(stable.mark(&keyed(later), &all)));
        }
    }
}
