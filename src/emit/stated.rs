//! Between the model and the dump of the replayed history: which entries an object has there, and which object an entry
//! belongs to; and statements made from entries and rows.

use crate::proof::{Entry, SequencePosition, Snapshot, TableRows};
use crate::schema::{Body, Kind, ObjectId, Schema};
use crate::sql::names::quote;
use std::collections::HashMap;

/// The identity of an entry: kind, schema, name, as pg_dump's table of contents has them.
pub type Key = (String, String, String);

/// The identity of an entry.
pub fn key_of(entry: &Entry) -> Key {
    (entry.kind.clone(), entry.schema.clone(), entry.name.clone())
}

/// The entries that a live object may have in a dump. An object inside another has entries of its own too.
pub fn keys(schema: &Schema, id: ObjectId) -> Vec<Key> {
    let object = &schema.objects[id];
    let place = if object.schema.is_empty() { "-".to_string() } else { object.schema.clone() };
    let key = |kind: &str, name: String| (kind.to_string(), place.clone(), name);
    let on_parent = |name: &str| {
        let parent = object.parent.map(|p| schema.objects[p].name.clone()).unwrap_or_default();
        format!("{parent} {name}")
    };
    let name = object.name.clone();
    match object.kind {
        Kind::Table => vec![key("TABLE", name.clone()), key("ROW SECURITY", name.clone()), key("TABLE ATTACH", name)],
        Kind::Sequence => vec![key("SEQUENCE", name.clone()), key("SEQUENCE OWNED BY", name)],
        Kind::Default => {
            let column = object.parent.map(|c| (schema.objects[c].name.clone(), schema.objects[c].parent));
            let table = column.as_ref().and_then(|c| c.1).map(|t| schema.objects[t].name.clone()).unwrap_or_default();
            vec![key("DEFAULT", format!("{table} {}", column.map(|c| c.0).unwrap_or_default()))]
        }
        Kind::Constraint => ["CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT"]
            .iter()
            .map(|kind| key(kind, on_parent(&object.name)))
            .collect(),
        Kind::Index => vec![key("INDEX", name.clone()), key("INDEX ATTACH", name)],
        Kind::Trigger | Kind::Policy | Kind::Rule => vec![key(object.kind.toc(), on_parent(&object.name))],
        Kind::Function | Kind::Procedure | Kind::Aggregate => {
            let arguments = object.arguments.as_deref().unwrap_or("");
            vec![key(object.kind.toc(), format!("{name}({arguments})"))]
        }
        Kind::Comment => object.parent.map(|p| vec![comment_key(schema, p)]).unwrap_or_default(),
        Kind::Grant => acl_keys(schema, id),
        Kind::Setting => setting_keys(schema, id),
        Kind::Column | Kind::Rows | Kind::Opaque => Vec::new(),
        Kind::Schema | Kind::Extension => vec![key(object.kind.toc(), name)],
        _ => vec![key(object.kind.toc(), name)],
    }
}

fn comment_key(schema: &Schema, target: ObjectId) -> Key {
    let object = &schema.objects[target];
    let parent = object.parent.map(|p| quote(&schema.objects[p].name)).unwrap_or_default();
    let place = if object.schema.is_empty() { "-".to_string() } else { object.schema.clone() };
    let tag = match object.kind {
        Kind::Column => format!("COLUMN {parent}.{}", quote(&object.name)),
        Kind::Constraint | Kind::Trigger | Kind::Policy | Kind::Rule => {
            format!("{} {} ON {parent}", object.kind.toc(), quote(&object.name))
        }
        _ => match &object.arguments {
            Some(arguments) => format!("{} {}({arguments})", object.kind.toc(), quote(&object.name)),
            None => format!("{} {}", object.kind.toc(), quote(&object.name)),
        },
    };
    ("COMMENT".into(), place, tag)
}

fn acl_keys(schema: &Schema, id: ObjectId) -> Vec<Key> {
    let Body::Grant(grant) = &schema.objects[id].body else { return Vec::new() };
    let mut keys: Vec<Key> = Vec::new();
    for atom in &grant.atoms {
        let (kind, place, tag) = comment_key(schema, atom.target);
        debug_assert_eq!(kind, "COMMENT");
        // Views have their privileges listed as tables have.
        let tag = tag.replacen("MATERIALIZED VIEW ", "TABLE ", 1).replacen("VIEW ", "TABLE ", 1);
        keys.push(("ACL".into(), place.clone(), tag));
        for column in atom.privileges.iter().flat_map(|p| &p.columns) {
            let name =
                format!("COLUMN {}.{}", quote(&schema.objects[atom.target].name), quote(&schema.objects[*column].name));
            keys.push(("ACL".into(), place.clone(), name));
        }
    }
    keys
}

/// A setting shows in the entry of what it belongs to, unless pg_dump gives it one of its own.
fn setting_keys(schema: &Schema, id: ObjectId) -> Vec<Key> {
    let object = &schema.objects[id];
    let Some(parent) = object.parent else { return Vec::new() };
    let (name, place) = (schema.objects[parent].name.clone(), schema.objects[parent].schema.clone());
    match object.name.as_str() {
        "row security" => vec![("ROW SECURITY".into(), place, name)],
        "owned by" => vec![("SEQUENCE OWNED BY".into(), place, name)],
        _ => Vec::new(),
    }
}

/// Which live object each identity belongs to; what stands inside another leads to the object itself.
pub fn owners(schema: &Schema) -> HashMap<Key, Vec<ObjectId>> {
    let mut map: HashMap<Key, Vec<ObjectId>> = HashMap::new();
    for id in schema.live() {
        for key in keys(schema, id) {
            map.entry(key).or_default().push(id);
        }
    }
    map
}

/// The entry's statements that a scratch database or a production database should run: no owner that is the superuser.
pub fn statements(entry: &Entry) -> Vec<String> {
    crate::sql::split::split(&entry.text)
        .into_iter()
        .map(|p| entry.text[p.body].to_string())
        .filter(|text| !is_default_owner(text) && !text.starts_with("SET default_"))
        .collect()
}

fn is_default_owner(text: &str) -> bool {
    text.starts_with("ALTER ") && text.trim_end().ends_with("OWNER TO postgres")
}

/// The rows of a table as one INSERT; triggers of the table's own are held off, since these rows are their results already.
/// `twin` has the rows of a second replay: values that differ there are left to the column's default, or written as the
/// expression that gives such values.
///
/// # Errors
/// Says why, when a value differs from run to run and nothing is known that gives such values: to write down the one that
/// came out here would give every new database the same.
pub fn insert(
    rows: &TableRows,
    twin: Option<&TableRows>,
    snapshot: &Snapshot,
    has_triggers: bool,
) -> Result<Vec<String>, String> {
    let table = format!("{}.{}", quote(&rows.schema), quote(&rows.table));
    let dump = snapshot.entries.iter().find(|e| e.kind == "TABLE" && e.schema == rows.schema && e.name == rows.table);
    let line_of = |column: &str| {
        let begins = format!("{} ", quote(column));
        dump.and_then(|e| e.text.lines().map(str::trim_start).find(|l| l.starts_with(&begins))).unwrap_or("")
    };
    let volatile = volatile_cells(rows, twin);
    let shared = |i: usize| rows.rows.iter().filter_map(|r| r[i].as_ref()).any(|v| is_shared(snapshot, rows, v));
    let all_volatile = |i: usize| volatile.iter().all(|row| row[i]) && !shared(i);
    let wanted: Vec<usize> = (0..rows.columns.len())
        .filter(|i| {
            let line = line_of(&rows.columns[*i].0);
            let by_default = all_volatile(*i) && line.contains(" DEFAULT ");
            !(line.contains(" GENERATED ALWAYS AS (") || by_default)
        })
        .collect();
    if rows.rows.is_empty() || wanted.is_empty() {
        return Ok(Vec::new());
    }
    for i in &wanted {
        let (name, type_name) = &rows.columns[*i];
        let frozen = |n: usize| {
            let value = rows.rows[n][*i].as_ref().filter(|_| volatile[n][*i]);
            value.is_some_and(|v| expression(type_name).is_none() || is_shared(snapshot, rows, v))
        };
        if (0..rows.rows.len()).any(frozen) {
            return Err(format!("{table}.{} differs from run to run, and no expression for it is known", quote(name)));
        }
    }
    let names: Vec<String> = wanted.iter().map(|i| quote(&rows.columns[*i].0)).collect();
    let value = |n: usize, i: usize| match (&rows.rows[n][i], expression(&rows.columns[i].1)) {
        (Some(_), Some(expression)) if volatile[n][i] => expression.to_string(),
        (Some(text), _) if text.contains('\\') => {
            format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
        }
        (Some(text), _) => format!("'{}'", text.replace('\'', "''")),
        (None, _) => "NULL".to_string(),
    };
    let lines: Vec<String> = (0..rows.rows.len())
        .map(|n| format!("    ({})", wanted.iter().map(|i| value(n, *i)).collect::<Vec<_>>().join(", ")))
        .collect();
    let insert =
        format!("INSERT INTO {table} ({}) OVERRIDING SYSTEM VALUE VALUES\n{}", names.join(", "), lines.join(",\n"));
    if has_triggers {
        let switch = |word: &str| format!("ALTER TABLE {table} {word} TRIGGER USER");
        Ok(vec![switch("DISABLE"), insert, switch("ENABLE")])
    } else {
        Ok(vec![insert])
    }
}

/// Whether another table has the same value: what a random key is referred to by must hold the same key.
fn is_shared(snapshot: &Snapshot, rows: &TableRows, value: &str) -> bool {
    value.len() >= 32
        && snapshot
            .rows
            .iter()
            .filter(|t| (&t.schema, &t.table) != (&rows.schema, &rows.table))
            .any(|t| t.rows.iter().flatten().any(|v| v.as_deref() == Some(value)))
}

/// Which cells differ from run to run. Rows are matched in the order of those columns that hold the same values in both.
fn volatile_cells(rows: &TableRows, twin: Option<&TableRows>) -> Vec<Vec<bool>> {
    let none = || rows.rows.iter().map(|r| vec![false; r.len()]).collect();
    let Some(twin) = twin.filter(|t| t.rows.len() == rows.rows.len() && t.columns == rows.columns) else {
        return none();
    };
    let column = |of: &TableRows, i: usize| {
        let mut values: Vec<Option<String>> = of.rows.iter().map(|r| r[i].clone()).collect();
        values.sort();
        values
    };
    let stable: Vec<usize> = (0..rows.columns.len()).filter(|i| column(rows, *i) == column(twin, *i)).collect();
    let order = |of: &TableRows| {
        let mut order: Vec<usize> = (0..of.rows.len()).collect();
        order.sort_by_key(|n| stable.iter().map(|i| of.rows[*n][*i].clone()).collect::<Vec<_>>());
        order
    };
    let mut cells: Vec<Vec<bool>> = none();
    for (a, b) in order(rows).into_iter().zip(order(twin)) {
        for (i, cell) in cells[a].iter_mut().enumerate() {
            *cell = rows.rows[a][i] != twin.rows[b][i];
        }
    }
    cells
}

/// What gives a value of a type that differs from run to run.
fn expression(type_name: &str) -> Option<&'static str> {
    match type_name {
        t if t.starts_with("timestamp") || t == "date" || t.starts_with("time") => Some("now()"),
        "uuid" => Some("gen_random_uuid()"),
        _ => None,
    }
}

/// Sets a sequence where the history left it.
pub fn set_sequence(position: &SequencePosition) -> Option<String> {
    let name = format!("{}.{}", quote(&position.schema), quote(&position.name)).replace('\'', "''");
    Some(format!("SELECT pg_catalog.setval('{name}', {}, {})", position.last_value?, position.is_called))
}
