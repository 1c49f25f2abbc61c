//! Reads all rows of all tables, and puts them into an order that doesn't depend on how they came in.
//!
//! A query makes PostgreSQL plan, and for that it looks into the functions of a table's indexes: under another search_path than
//! theirs it doesn't find what they call. So rows are read by COPY, which plans nothing. What COPY doesn't give (generated
//! columns, materialized views, a choice of rows) is planned under the database's own search_path.

use std::cmp::Ordering;

use super::TableRows;
use super::session::{Session, TextRow};
use crate::Result;

/// A table as it is found in the catalogue.
struct Found {
    rows: TableRows,
    /// Its name with its schema, quoted for SQL.
    quoted: String,
    columns: Vec<String>,
    readable: bool,
    /// Whether it has columns that COPY leaves out.
    generated: bool,
    /// Which of its rows count, as a WHERE clause; empty for all.
    condition: String,
}

/// The rows of all tables, and what couldn't be read, as phrases.
pub(super) type Read = (Vec<TableRows>, Vec<String>);

/// Reads the rows of all tables that are neither PostgreSQL's own nor an extension's. Of an extension's tables those count
/// that it has marked as configuration, as they do for `pg_dump`: the jobs of pg_cron, say, are a project's own. The schema
/// that each new database has is number 2200, whatever it is called by now. It wants to be called inside a transaction, with an
/// empty search_path.
pub(super) fn read(session: &mut Session) -> Result<Read> {
    let mut tables = tables(session)?;
    let mut unread = Vec::new();
    let mut path = None;
    for table in tables.iter_mut().filter(|table| table.readable) {
        let columns = table.columns.join(", ");
        let rows = if table.rows.kind == 'm' || table.generated || !table.condition.is_empty() {
            let path = match &mut path {
                Some(path) => path,
                none => none.insert(own_path(session)?),
            };
            let sql = format!("SELECT {columns} FROM ONLY {} {}", table.quoted, table.condition);
            match planned(session, &sql, path, &what(&table.quoted))? {
                Ok(rows) => rows,
                Err(why) => {
                    unread.push(format!("rows of {}: {why}", table.quoted));
                    continue;
                }
            }
        } else {
            let columns = if columns.is_empty() { columns } else { format!("({columns})") };
            let text = session.copy_out(&format!("COPY {} {columns} TO stdout", table.quoted), &what(&table.quoted))?;
            text.split_terminator('\n').map(|line| copied(line, table.columns.len())).collect()
        };
        table.rows.rows = rows;
        sort(&mut table.rows.rows, &table.rows.key);
    }
    Ok((tables.into_iter().map(|table| table.rows).collect(), unread))
}

/// What is read, in words.
fn what(table: &str) -> String {
    format!("reading the rows of {table}")
}

/// The search_path that a new session of the database has, and after that all of its schemas: a history may have set others.
fn own_path(session: &mut Session) -> Result<String> {
    super::snapshot::one(
        session,
        "SELECT concat_ws(', ', (SELECT nullif(reset_val, '') FROM pg_catalog.pg_settings WHERE name = 'search_path'),
            (SELECT string_agg(quote_ident(nspname), ', ' ORDER BY nspname) FROM pg_catalog.pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'))",
    )
}

/// The rows of a query that is planned under a search_path; or what PostgreSQL says against it. The values are written under
/// none, as always.
fn planned(session: &mut Session, sql: &str, path: &str, what: &str) -> Result<Result<Vec<TextRow>, String>> {
    session.must_run("SAVEPOINT consolidate_rows")?;
    let begin = format!(
        "SET LOCAL search_path = {path}; DECLARE consolidate_rows NO SCROLL CURSOR FOR {sql}; SET LOCAL search_path = ''"
    );
    let rows = match session.load(&begin) {
        Ok(()) => match session.rows_of("FETCH ALL FROM consolidate_rows", what) {
            // A limit was reached, or the connection is lost.
            Err(error) if !session.is_open() => return Err(error),
            rows => rows.map_err(|error| error.message),
        },
        Err(refusal) if refusal.is_ours || refusal.sqlstate.is_empty() => return Err(refusal.into_error()),
        Err(refusal) => Err(refusal.message),
    };
    let end = if rows.is_ok() {
        "CLOSE consolidate_rows; RELEASE consolidate_rows"
    } else {
        "ROLLBACK TO consolidate_rows; RELEASE consolidate_rows"
    };
    session.must_run(end)?;
    Ok(rows)
}

/// A line of COPY's text format as a row.
fn copied(line: &str, columns: usize) -> TextRow {
    if columns == 0 {
        return Vec::new();
    }
    line.split('\t').map(|field| (field != "\\N").then(|| unescaped(field))).collect()
}

/// A field of COPY's text format as a value.
fn unescaped(field: &str) -> String {
    let mut value = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        value.push(match escaped {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            Some(other) => other,
            None => c,
        });
    }
    value
}

fn tables(session: &mut Session) -> Result<Vec<Found>> {
    let columns = session.rows(
        "SELECT n.nspname, c.relname, c.relkind, c.relispopulated AND pg_relation_size(c.oid) > 0, format('%I.%I', n.nspname, c.relname), a.attname,
            pg_catalog.format_type(b.oid, b.modifier), quote_ident(a.attname),
            array_position(i.indkey::int2[], a.attnum), x.extcondition[array_position(x.extconfig, c.oid)],
            a.attgenerated
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN LATERAL (WITH RECURSIVE base(oid, modifier, depth) AS (SELECT a.atttypid, a.atttypmod, 0
            UNION ALL SELECT t.typbasetype, t.typtypmod, depth + 1 FROM base JOIN pg_type t ON t.oid = base.oid WHERE t.typtype = 'd')
            SELECT oid, modifier FROM base ORDER BY depth DESC LIMIT 1) b ON true
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
        let filled = next().as_deref() == Some("t");
        let quoted = next().unwrap_or_default();
        if tables.last().is_none_or(|last| last.quoted != quoted) {
            let kind = kind.and_then(|kind| kind.chars().next()).unwrap_or('r');
            let rows = TableRows { schema, table, kind, ..TableRows::default() };
            let readable = filled && kind != 'p';
            let (columns, condition) = (Vec::new(), String::new());
            tables.push(Found { rows, quoted, columns, readable, generated: false, condition });
            order.push(Vec::new());
        }
        let (Some(found), Some(key)) = (tables.last_mut(), order.last_mut()) else { continue };
        if let (Some(name), Some(kind), Some(column)) = (next(), next(), next()) {
            key.extend(next().and_then(|place| place.parse().ok()).map(|place| (place, found.columns.len())));
            found.condition = next().unwrap_or_default();
            found.generated |= next().is_some_and(|how| !how.is_empty());
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
    fn lines_of_copy_are_rows() {
        let some = |text: &str| Some(text.to_string());
        assert_eq!(copied("a\\tb\t\\N\t\t\\\\N", 4), [some("a\tb"), None, some(""), some("\\N")]);
        assert_eq!(copied("\\b\\f\\n\\r\\v", 1), [some("\u{8}\u{c}\n\r\u{b}")]);
        assert_eq!((copied("", 0).len(), copied("", 1)), (0, vec![some("")]));
    }

    #[test]
    fn numbers_sort_as_numbers_and_null_comes_last() {
        let cell = |text: &str| (text != "null").then(|| text.to_string());
        let mut rows: Vec<TextRow> = ["10", "null", "b", "9", "a"].iter().map(|t| vec![cell(t)]).collect();
        sort(&mut rows, &[0]);
        let sorted: Vec<_> = rows.iter().map(|row| row[0].as_deref().unwrap_or("null")).collect();
        assert_eq!(sorted, ["9", "10", "a", "b", "null"]);
    }
}
