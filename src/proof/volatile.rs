//! Compares rows, telling apart what the sets say and what differs from one run to the next of the same set: times,
//! random identifiers.
//!
//! Nothing is guessed: a value that all replays of a set gave in the same place, and that no clock gave, is a value; one that
//! they didn't is volatile. Rows of several replays are matched by columns whose values all of them gave: by the primary key
//! if it is such, else by as many columns as possible. Where several rows are alike in those, a value is one that each replay
//! gave just as often. For the comparison each volatile value is replaced by a mark, so neither the order of rows nor the match
//! of one row with another depends on it.
//! The marks of long random values (identifiers, not times) are told apart by where the value stands: two rows that share
//! one, such as a parent and its child, must share one on the other side too.
//!
//! Values of few outcomes (a random truth value) are now and then alike in all replays. What may have come about so is told by
//! [`Chance`], and it is for more replays to decide.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use super::TableRows;
use super::chance::{ByColumn, Chance};
use super::clock::Clock;
use super::session::TextRow;

/// A table's schema and name.
pub(super) type TableName = (String, String);

/// The rows of one side, with marks in place of volatile values.
#[derive(Debug, Default)]
pub(super) struct Marked {
    /// Each table's rows, as `(schema, table)` → rows.
    pub tables: HashMap<TableName, Vec<MarkedRow>>,
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

/// Of one class of rows: the columns that differ from run to run, and the values of each that stand nevertheless.
type Varied = HashMap<String, HashSet<Option<String>>>;

/// What several replays showed of a table that isn't the same in all of them.
#[derive(Debug, Default)]
struct Known {
    /// The columns by which rows of different replays are matched.
    by: Vec<String>,
    /// What varies, by the values of those columns.
    classes: HashMap<TextRow, Varied>,
    /// The columns whose values each replay gave just as often, all over the table.
    lasting: HashSet<String>,
}

/// What several replays of one set showed.
#[derive(Debug, Default)]
pub(super) struct Stable {
    tables: HashMap<TableName, Known>,
}

impl Stable {
    /// Learns from replays of the same set, the first of which ran by this clock; `chance` hears what came by chance.
    pub fn learn(replays: &[&[TableRows]], clock: &Clock, chance: &mut Chance) -> Self {
        let mut stable = Stable::default();
        let Some((first, others)) = replays.split_first() else { return stable };
        let others: Vec<HashMap<TableName, &TableRows>> =
            others.iter().map(|tables| tables.iter().map(|table| (named(table), table)).collect()).collect();
        for table in *first {
            let name = named(table);
            let twins: Option<Vec<&TableRows>> = others.iter().map(|tables| tables.get(&name).copied()).collect();
            let Some(twins) = twins.filter(|twins| twins.iter().all(|twin| twin.columns == table.columns)) else {
                continue;
            };
            let all: Vec<&TableRows> = std::iter::once(table).chain(twins).collect();
            let Some(known) = Known::of(&all, clock) else { continue };
            known.tell(&all, clock, chance.of(&name));
            stable.tables.insert(name, known);
        }
        stable
    }

    /// Whether the values of a column, all together, are the same in each replay.
    pub fn lasts(&self, table: &TableName, column: &str) -> bool {
        self.tables.get(table).is_none_or(|known| known.lasting.contains(column))
    }

    /// Whether anything in a table differs from run to run.
    pub fn varies(&self, table: &TableName) -> bool {
        self.tables.contains_key(table)
    }

    /// Puts marks in place of volatile values. `order` names the columns of each table that are compared.
    pub fn mark(&self, tables: &[TableRows], order: &dyn Fn(&TableRows) -> Vec<usize>) -> Marked {
        let mut marked = Marked::default();
        let mut places: HashMap<&str, Vec<(usize, usize, usize)>> = HashMap::new();
        let mut all: Vec<Vec<MarkedRow>> = Vec::with_capacity(tables.len());
        for (t, table) in tables.iter().enumerate() {
            let columns = order(table);
            let known = self.tables.get(&named(table));
            let by = known.and_then(|known| known.places(table));
            let mut rows = Vec::with_capacity(table.rows.len());
            for (index, row) in table.rows.iter().enumerate() {
                let varied = known.zip(by.as_ref()).and_then(|(known, by)| known.classes.get(&projected(row, by)));
                let mut cells = Vec::with_capacity(columns.len());
                for (place, &c) in columns.iter().enumerate() {
                    let (name, of_type) = &table.columns[c];
                    let is_volatile = varied.is_some_and(|varied| differs(varied, name, &row[c]));
                    cells.push(match &row[c] {
                        value if is_volatile => {
                            if let Some(value) = value.as_ref().filter(|value| identifies(value, of_type)) {
                                places.entry(value).or_default().push((t, index, place));
                            }
                            Cell::Volatile(0)
                        }
                        None => Cell::Null,
                        Some(value) => Cell::Value(value.clone()),
                    });
                }
                rows.push(MarkedRow { cells, index });
            }
            all.push(rows);
        }
        refine(tables, &mut all, &places);
        for (table, rows) in tables.iter().zip(all) {
            marked.tables.insert(named(table), rows);
        }
        marked
    }
}

impl Known {
    /// What several replays showed of one table; nothing if it is the same in all of them.
    fn of(all: &[&TableRows], clock: &Clock) -> Option<Known> {
        let table = all[0];
        let of_clock = |i: usize| table.rows.iter().any(|row| given(clock, &row[i]));
        let timed: Vec<bool> = (0..table.columns.len()).map(of_clock).collect();
        if !timed.contains(&true) && all.iter().all(|other| other.rows == table.rows) {
            return None;
        }
        let lasting: Vec<usize> = (0..timed.len()).filter(|&i| !timed[i] && are_alike(all, &[i])).collect();
        let by = matching(all, &lasting);
        let mut classes: HashMap<TextRow, Vec<Vec<&TextRow>>> = HashMap::new();
        for (nth, table) in all.iter().enumerate() {
            for row in &table.rows {
                let class = classes.entry(projected(row, &by)).or_insert_with(|| vec![Vec::new(); all.len()]);
                class[nth].push(row);
            }
        }
        let others: Vec<usize> = (0..timed.len()).filter(|i| !by.contains(i)).collect();
        let name = |i: &usize| table.columns[*i].0.clone();
        let varied = |replays: &[Vec<&TextRow>]| -> Varied {
            others.iter().filter_map(|&i| Some((name(&i), standing(replays, i, clock)?))).collect()
        };
        let classes = classes.into_iter().map(|(class, replays)| (class, varied(&replays)));
        let classes = classes.filter(|(_, varied)| !varied.is_empty()).collect();
        Some(Known { by: by.iter().map(name).collect(), classes, lasting: lasting.iter().map(name).collect() })
    }

    /// Where the columns stand by which rows are matched; nothing if the table lacks one.
    fn places(&self, table: &TableRows) -> Option<Vec<usize>> {
        self.by.iter().map(|name| table.columns.iter().position(|(column, _)| column == name)).collect()
    }

    /// Tells which values stood in volatile cells, in any of the replays. Those of the clock are never alike by chance.
    fn tell(&self, all: &[&TableRows], clock: &Clock, chance: &mut ByColumn) {
        for table in all {
            let Some(by) = self.places(table) else { continue };
            for row in &table.rows {
                let Some(varied) = self.classes.get(&projected(row, &by)) else { continue };
                for (value, (name, _)) in row.iter().zip(&table.columns) {
                    if differs(varied, name, value) && !given(clock, value) {
                        chance.entry(name.clone()).or_default().insert(value.clone());
                    }
                }
            }
        }
    }
}

pub(super) fn named(table: &TableRows) -> TableName {
    (table.schema.clone(), table.table.clone())
}

fn projected(row: &TextRow, columns: &[usize]) -> TextRow {
    columns.iter().map(|&i| row[i].clone()).collect()
}

fn given(clock: &Clock, value: &Option<String>) -> bool {
    value.as_ref().is_some_and(|value| clock.gave(value))
}

/// Whether a value of a row isn't one that each replay gives there.
fn differs(varied: &Varied, column: &str, value: &Option<String>) -> bool {
    varied.get(column).is_some_and(|standing| !standing.contains(value))
}

/// How often each row stands in a table, as far as these columns go.
fn counted<'a>(table: &'a TableRows, columns: &[usize]) -> HashMap<Vec<&'a Option<String>>, usize> {
    let mut counted = HashMap::new();
    for row in &table.rows {
        *counted.entry(columns.iter().map(|&i| &row[i]).collect()).or_default() += 1;
    }
    counted
}

/// Whether all replays gave the same rows, as far as these columns go.
fn are_alike(all: &[&TableRows], columns: &[usize]) -> bool {
    let first = counted(all[0], columns);
    all[1..].iter().all(|other| counted(other, columns) == first)
}

/// The columns by which rows of different replays are matched, of those whose values all replays gave: the primary key, or
/// as many as are the same together. Those that tell most rows apart come first.
fn matching(all: &[&TableRows], lasting: &[usize]) -> Vec<usize> {
    let table = all[0];
    let key = &table.key;
    let is_key = |other: &&TableRows| other.key == *key;
    if !key.is_empty() && all.iter().all(is_key) && key.iter().all(|i| lasting.contains(i)) && are_alike(all, key) {
        return key.clone();
    }
    let mut candidates = lasting.to_vec();
    candidates.sort_by_cached_key(|&i| std::cmp::Reverse(counted(table, &[i]).len()));
    let mut by = Vec::new();
    for column in candidates {
        by.push(column);
        if !are_alike(all, &by) {
            by.pop();
        }
    }
    by
}

/// The values of a column that stand in each replay just as often, and that no clock gave; nothing if those are all values.
/// The rows, by replay, are one class.
fn standing(replays: &[Vec<&TextRow>], column: usize, clock: &Clock) -> Option<HashSet<Option<String>>> {
    let mut counts: HashMap<&Option<String>, Vec<usize>> = HashMap::new();
    for (nth, rows) in replays.iter().enumerate() {
        for row in rows {
            counts.entry(&row[column]).or_insert_with(|| vec![0; replays.len()])[nth] += 1;
        }
    }
    let stands = |value: &Option<String>, counts: &[usize]| {
        counts.iter().all(|count| *count == counts[0]) && !given(clock, value)
    };
    let all = counts.len();
    let standing: HashSet<Option<String>> =
        counts.into_iter().filter(|(value, counts)| stands(value, counts)).map(|(value, _)| value.clone()).collect();
    (standing.len() < all).then_some(standing)
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

    fn learnt(once: &[TableRows], again: &[TableRows], clock: &Clock) -> Stable {
        Stable::learn(&[once, again], clock, &mut Chance::default())
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
        let stable = learnt(&old, &again, &Clock::default());
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
        let stable =
            learnt(&rows("2026-01-01 10:00", "2020-01-01"), &rows("2026-01-01 11:00", "2020-01-01"), &Clock::default());
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
            let stable = learnt(&keyed(shared.clone()), &keyed(shared.clone()), &clock);
            let at = |marked: Marked| cells(&marked, "t").into_iter().map(|row| row[1].clone()).collect::<Vec<_>>();
            let marked = at(stable.mark(&keyed(shared.clone()), &all));
            assert_eq!(marked, [Cell::Volatile(0), Cell::Value("2026-11-21 10:00:00.250".into())]);
            let later = rows("2026-11-22 10:00:09.750", "2026-11-21 10:00:00.250");
            assert_eq!(marked, at(stable.mark(&keyed(later), &all)));
        }
    }

    /// Most rows of the column differ; the others are values all the same.
    #[test]
    fn what_stands_among_times_and_tokens_is_a_value() {
        let all = |table: &TableRows| (0..table.columns.len()).collect::<Vec<_>>();
        let rows = |fixed: &str, drawn: [&str; 2]| {
            vec![table("t", &["id", "at"], &[&["1", drawn[0]], &["2", drawn[1]], &["3", fixed]])]
        };
        for key in [vec![], vec![0]] {
            let keyed = |mut tables: Vec<TableRows>| {
                tables[0].key.clone_from(&key);
                tables
            };
            let (one, again) = (keyed(rows("token", [A, B])), keyed(rows("token", [C, D])));
            let stable = learnt(&one, &again, &Clock::default());
            let of = |tables: Vec<TableRows>| cells(&stable.mark(&keyed(tables), &all), "t");
            assert_eq!(of(rows("token", [A, B])), of(rows("token", [E, F])));
            assert_ne!(of(rows("token", [A, B])), of(rows("other", [A, B])));
        }
    }

    /// Nothing tells the rows apart: what stands in each replay just as often is a value.
    #[test]
    fn without_a_key_values_are_counted() {
        let all = |table: &TableRows| (0..table.columns.len()).collect::<Vec<_>>();
        let rows = |values: [&str; 3]| vec![table("t", &["at"], &[&[values[0]], &[values[1]], &[values[2]]])];
        let stable = learnt(&rows([A, "fixed", B]), &rows([C, D, "fixed"]), &Clock::default());
        let of = |values| cells(&stable.mark(&rows(values), &all), "t");
        assert_eq!(of([A, "fixed", B]), of(["fixed", E, F]));
        assert_ne!(of([A, "fixed", B]), of(["other", E, F]));
    }

    #[test]
    fn what_chance_gave_elsewhere_may_be_chance() {
        let rows = |values: [&str; 3]| {
            vec![table("t", &["id", "drawn"], &[&["1", values[0]], &["2", values[1]], &["3", values[2]]])]
        };
        let mut chance = Chance::default();
        let (one, again) = (rows(["t", "f", "t"]), rows(["f", "f", "x"]));
        let stable = Stable::learn(&[&one, &again], &Clock::default(), &mut chance);
        let name = named(&one[0]);
        let all = |table: &TableRows| (0..table.columns.len()).collect::<Vec<_>>();
        let marked = stable.mark(&one, &all);
        let doubtful: Vec<bool> =
            marked.tables[&name].iter().map(|row| chance.is_in(&name, &["id", "drawn"], row)).collect();
        // The second row is alike, and the first one shows that it may be so by chance.
        assert_eq!(doubtful, [false, true, false]);
        assert!(!chance.gave(&name, "drawn", &Some("2020-01-01".into())));
    }

    #[test]
    fn a_null_may_come_by_chance() {
        let all = |table: &TableRows| (0..table.columns.len()).collect::<Vec<_>>();
        let rows = |value: Option<&str>| {
            let mut tables = vec![table("t", &["id", "drawn"], &[&["1", ""]])];
            tables[0].rows[0][1] = value.map(ToString::to_string);
            tables
        };
        let stable = learnt(&rows(None), &rows(Some("x")), &Clock::default());
        assert_eq!(cells(&stable.mark(&rows(None), &all), "t")[0][1], Cell::Volatile(0));
    }
}
