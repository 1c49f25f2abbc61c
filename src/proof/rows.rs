//! Reads all rows of all tables, and puts them into an order that doesn't depend on how they came in.

use std::cmp::Ordering;

use super::TableRows;
use super::session::{Session, TextRow};
use super::snapshot::BATCH;
use crate::Result;

/// A table as it is found in the catalogue.
struct Found {
    rows: TableRows,
    /// Its name with its schema, quoted for SQL.
    quoted: String,
    columns: Vec<String>,
    readable: bool,
    /// Which of its rows count, as a WHERE clause; empty for all.
    condition: String,
}

/// Reads the rows of all tables that are neither PostgreSQL's own nor an extension's. Of an extension's tables those count
/// that it has marked as configuration, as they do for `pg_dump`: the jobs of pg_cron, say, are a project's own. The schema
/// that each new database has is number 2200, whatever it is called by now.
pub(super) fn read(session: &mut Session) -> Result<Vec<TableRows>> {
    let mut tables = tables(session)?;
    let readable: Vec<usize> = (0..tables.len()).filter(|&i| tables[i].readable).collect();
    for batch in readable.chunks(BATCH) {
        let ask = |table: &Found| format!("SELECT FROM ONLY {} {}", table.quoted, table.condition);
        let asks: Vec<String> =
            batch.iter().map(|&i| format!("SELECT {i} WHERE EXISTS ({})", ask(&tables[i]))).collect();
        for row in session.rows(&asks.join(" UNION ALL "))? {
            let index = row.first().and_then(|cell| cell.as_deref()).and_then(|i| i.parse::<usize>().ok());
            let Some(table) = index.and_then(|i| tables.get_mut(i)) else { continue };
            let (columns, table_name, condition) = (table.columns.join(", "), &table.quoted, &table.condition);
            let sql = format!("SELECT {columns} FROM ONLY {table_name} {condition}");
            table.rows.rows = session.rows(&sql)?;
            sort(&mut table.rows.rows, &table.rows.key);
        }
    }
    Ok(tables.into_iter().map(|table| table.rows).collect())
}

fn tables(session: &mut Session) -> Result<Vec<Found>> {
    let columns = session.rows(
        "SELECT n.nspname, c.relname, c.relkind, c.relispopulated, format('%I.%I', n.nspname, c.relname), a.attname,
            pg_catalog.format_type(a.atttypid, a.atttypmod), quote_ident(a.attname),
            array_position(i.indkey::int2[], a.attnum), x.extcondition[array_position(x.extconfig, c.oid)]
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
        LEFT JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
        LEFT JOIN pg_extension x ON x.oid = e.refobjid
        WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND (n.oid >= 16384 OR n.oid = 2200)
            AND (e.objid IS NULL OR c.oid = ANY (x.extconfig))
        ORDER BY n.nspname, c.relname, a.attnum",
    )?;
    let mut tables: Vec<Found> = Vec::new();
    // Places of key columns in the key, to bring them into the key's order.
    let mut order: Vec<Vec<(i32, usize)>> = Vec::new();
    for row in columns {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten();
        let (schema, table, kind) = (next().unwrap_or_default(), next().unwrap_or_default(), next());
        let populated = next().as_deref() == Some("t");
        let quoted = next().unwrap_or_default();
        if tables.last().is_none_or(|last| last.quoted != quoted) {
            let kind = kind.and_then(|kind| kind.chars().next()).unwrap_or('r');
            let rows = TableRows { schema, table, kind, ..TableRows::default() };
            let readable = populated && kind != 'p';
            tables.push(Found { rows, quoted, columns: Vec::new(), readable, condition: String::new() });
            order.push(Vec::new());
        }
        let (Some(found), Some(key)) = (tables.last_mut(), order.last_mut()) else { continue };
        if let (Some(name), Some(kind), Some(column)) = (next(), next(), next()) {
            key.extend(next().and_then(|place| place.parse().ok()).map(|place| (place, found.columns.len())));
            found.condition = next().unwrap_or_default();
            found.rows.columns.push((name, kind));
            found.columns.push(column);
        }
    }
    for (found, mut key) in tables.iter_mut().zip(order) {
        key.sort_unstable();
        found.rows.key = key.into_iter().map(|(_, column)| column).collect();
    }
    Ok(tables)
}

/// Sorts rows by the key's columns, then by all.
pub(super) fn sort(rows: &mut [TextRow], key: &[usize]) {
    rows.sort_by(|a, b| {
        let by_key = key.iter().map(|&i| cells(&a[i], &b[i])).find(|order| order.is_ne());
        by_key
            .unwrap_or_else(|| a.iter().zip(b).map(|(a, b)| cells(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal))
    });
}

/// Numbers as numbers and before texts, texts by their bytes, NULL last.
fn cells(a: &Option<String>, b: &Option<String>) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else { return b.is_some().cmp(&a.is_some()) };
    match (a.parse::<i64>(), b.parse::<i64>()) {
        (Ok(x), Ok(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers_and_null_comes_last() {
        let cell = |text: &str| (text != "null").then(|| text.to_string());
        let mut rows: Vec<TextRow> = ["10", "null", "b", "9", "a"].iter().map(|t| vec![cell(t)]).collect();
        sort(&mut rows, &[0]);
        let sorted: Vec<_> = rows.iter().map(|row| row[0].as_deref().unwrap_or("null")).collect();
        assert_eq!(sorted, ["9", "10", "a", "b", "null"]);
    }
}
