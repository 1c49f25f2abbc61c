//! Which values of rows may be alike in several replays by chance: those that chance gave elsewhere in their column. A random truth
//! value is alike in two replays every second time; a random identifier never is.

use std::collections::{HashMap, HashSet};

use super::volatile::{Cell, MarkedRow, TableName};

/// Values of a table, by column.
pub(super) type ByColumn = HashMap<String, HashSet<Option<String>>>;

/// The values that came by chance, by table and column: those of volatile cells. Where one of them stands in a cell that all
/// replays gave alike, that may be chance too.
#[derive(Debug, Default)]
pub(super) struct Chance {
    values: HashMap<TableName, ByColumn>,
}

impl Chance {
    /// Those of a table.
    pub fn of(&mut self, table: &TableName) -> &mut ByColumn {
        self.values.entry(table.clone()).or_default()
    }

    /// Whether this value of the column may have come by chance.
    pub fn gave(&self, table: &TableName, column: &str, value: &Option<String>) -> bool {
        self.values.get(table).and_then(|columns| columns.get(column)).is_some_and(|values| values.contains(value))
    }

    /// Whether chance gave anything in this column.
    pub fn reaches(&self, table: &TableName, column: &str) -> bool {
        self.values.get(table).is_some_and(|columns| columns.contains_key(column))
    }

    /// The row as if chance had given all in those columns of which nothing else is known.
    pub fn unknown(&self, table: &TableName, columns: &[&str], row: &MarkedRow) -> MarkedRow {
        let mut row = self.loosened(table, columns, row);
        let cells = row.cells.iter_mut().zip(columns).filter(|(_, column)| !self.reaches(table, column));
        cells.for_each(|(cell, _)| *cell = Cell::Volatile(0));
        row
    }

    /// Whether a marked row holds a value that may have come by chance. `columns` names its cells.
    pub fn is_in(&self, table: &TableName, columns: &[&str], row: &MarkedRow) -> bool {
        self.values.contains_key(table) && self.loosened(table, columns, row).cells != flat(row).cells
    }

    /// The row as if all in it that may have come by chance had done so.
    pub fn loosened(&self, table: &TableName, columns: &[&str], row: &MarkedRow) -> MarkedRow {
        let mut row = flat(row);
        for (cell, column) in row.cells.iter_mut().zip(columns) {
            let by_chance = match cell {
                Cell::Null => self.gave(table, column, &None),
                Cell::Value(value) => self.gave(table, column, &Some(value.clone())),
                Cell::Volatile(_) => false,
            };
            if by_chance {
                *cell = Cell::Volatile(0);
            }
        }
        row
    }
}

/// The row with all its marks alike.
fn flat(row: &MarkedRow) -> MarkedRow {
    let cells = row.cells.iter().map(|cell| match cell {
        Cell::Volatile(_) => Cell::Volatile(0),
        other => other.clone(),
    });
    MarkedRow { cells: cells.collect(), index: row.index }
}
