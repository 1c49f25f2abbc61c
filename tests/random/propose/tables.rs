//! Tables as a whole: made, changed, dropped; their constraints and indexes.

use super::column::{alter_action, new_name};
use super::{COLUMNS, Cx, OTHERS, TABLES, quote};
use crate::catalog::Relation;

/// `CREATE TABLE`, on one line or on many, with a comment here and there.
pub fn create(cx: &mut Cx) -> Option<String> {
    let name = cx.fresh(TABLES);
    let exists = cx.maybe(15, "IF NOT EXISTS ");
    let form = cx.rng.u32(..100);
    if form < 4
        && let Some((_, other)) = cx.table()
    {
        let including = cx.word(&["", " INCLUDING ALL", " INCLUDING DEFAULTS"]);
        return Some(format!("CREATE TABLE {exists}{name} (LIKE {other}{including})"));
    }
    if form < 7
        && let Some((_, other)) = cx.relation("rpvm")
    {
        return Some(format!("CREATE TABLE {exists}{name} AS SELECT * FROM {other}"));
    }
    if form < 10
        && let Some((parent, other)) = cx.relation("p")
    {
        let _ = parent;
        let bounds = cx.word(&["FOR VALUES FROM (1) TO (10)", "DEFAULT", "FOR VALUES FROM (10) TO (20)"]);
        return Some(format!("CREATE TABLE {exists}{name} PARTITION OF {other} {bounds}"));
    }
    if form < 12 {
        return Some(format!("CREATE TABLE {exists}{name} (id int NOT NULL, name text) PARTITION BY RANGE (id)"));
    }
    let mut elements = Vec::new();
    let mut columns: Vec<&str> = COLUMNS.to_vec();
    if form < 75 {
        let kind = cx.word(&[
            "serial",
            "int",
            "uuid DEFAULT gen_random_uuid()",
            "bigserial",
            "bigint GENERATED ALWAYS AS IDENTITY",
        ]);
        elements.push(format!("id {kind} PRIMARY KEY"));
        columns.retain(|c| *c != "id");
    }
    for _ in 0..cx.rng.usize(1..6) {
        let at = cx.rng.usize(..columns.len());
        let column = quote(columns.swap_remove(at));
        elements.push(cx.column_definition(&column, form >= 75));
    }
    for _ in 0..cx.rng.usize(..8) / 5 {
        elements.push(table_constraint(cx, &used(&elements)));
    }
    let unlogged = cx.maybe(4, "UNLOGGED ");
    let tail = match cx.rng.u32(..30) {
        0 => cx.table().map_or(String::new(), |(_, parent)| format!(" INHERITS ({parent})")),
        1 => " WITH (fillfactor = 70)".into(),
        _ => String::new(),
    };
    Some(format!("CREATE {unlogged}TABLE {exists}{name} ({}){tail}", layout(cx, &elements)))
}

/// One line, or one line for each element.
fn layout(cx: &mut Cx, elements: &[String]) -> String {
    if cx.chance(40) {
        return elements.join(", ");
    }
    let mut text = String::from("\n");
    for (i, element) in elements.iter().enumerate() {
        if cx.chance(8) {
            text.push_str("    -- about what follows\n");
        }
        let comma = if i + 1 < elements.len() { "," } else { "" };
        text.push_str(&format!("    {element}{comma}{}\n", cx.maybe(8, " -- why it is there")));
    }
    text
}

/// Names and types of the columns in a list of elements, as written.
fn used(elements: &[String]) -> Vec<(String, String)> {
    let first = |e: &String| match e.strip_prefix('"') {
        Some(rest) => rest.split_once('"').map(|(n, rest)| (format!("\"{n}\""), rest.to_string())),
        None => e.split_once(' ').map(|(n, rest)| (n.to_string(), rest.to_string())),
    };
    elements
        .iter()
        .filter_map(first)
        .filter(|(n, _)| n.chars().next().is_some_and(|c| !c.is_uppercase()))
        .map(|(n, rest)| (n, rest.split_whitespace().next().unwrap_or("").to_string()))
        .collect()
}

/// A constraint of a table over some of its columns.
fn table_constraint(cx: &mut Cx, columns: &[(String, String)]) -> String {
    let Some((one, kind)) = cx.pick(columns).cloned() else { return "CHECK (1 = 1)".into() };
    let two = cx.pick(columns).cloned().map_or(one.clone(), |(n, _)| n);
    let list = if one == two { one.clone() } else { format!("{one}, {two}") };
    let named = if cx.chance(45) { format!("CONSTRAINT {} ", cx.name(OTHERS)) } else { String::new() };
    let body = match cx.rng.u32(..12) {
        0..3 => format!("UNIQUE{} ({list})", cx.maybe(10, " NULLS NOT DISTINCT")),
        3 => format!("PRIMARY KEY ({list})"),
        4..7 => format!("FOREIGN KEY ({one}){}", cx.references()),
        7 => format!("EXCLUDE USING btree ({one} WITH =)"),
        8 => format!("CHECK ({one} IS NOT NULL OR {two} IS NOT NULL)"),
        _ => format!("CHECK ({})", cx.condition(&one, &kind)),
    };
    format!("{named}{body}")
}

fn columns_of(relation: &Relation) -> Vec<(String, String)> {
    relation.columns.iter().map(|c| (quote(&c.name), c.kind.clone())).collect()
}

pub fn drop(cx: &mut Cx) -> Option<String> {
    let (_, table) = cx.table()?;
    let also = if cx.chance(10) { cx.table().map(|(_, t)| format!(", {t}")) } else { None };
    let exists = cx.maybe(35, "IF EXISTS ");
    let table = if !exists.is_empty() && cx.chance(15) { "nobody".into() } else { table };
    Some(format!("DROP TABLE {exists}{table}{}{}", also.unwrap_or_default(), cx.maybe(40, " CASCADE")))
}

pub fn add_column(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let exists = cx.maybe(20, "IF NOT EXISTS ");
    let name = new_name(cx);
    let column = cx.column_definition(&name, relation.columns.is_empty());
    Some(format!("ALTER TABLE {table} ADD {}{exists}{column}", cx.maybe(80, "COLUMN ")))
}

pub fn drop_column(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let name = quote(&cx.column(relation)?.name);
    let (exists, cascade) = (cx.maybe(25, "IF EXISTS "), cx.maybe(35, " CASCADE"));
    Some(format!("ALTER TABLE {table} DROP {}{exists}{name}{cascade}", cx.maybe(80, "COLUMN ")))
}

pub fn rename_column(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let name = quote(&cx.column(relation)?.name);
    let to = new_name(cx);
    Some(format!("ALTER TABLE {table} RENAME {}{name} TO {to}", cx.maybe(70, "COLUMN ")))
}

pub fn rename(cx: &mut Cx) -> Option<String> {
    let (relation, name) = cx.relation("rpvmS")?;
    let (word, to) = match relation.kind {
        'v' => ("VIEW", cx.name(super::VIEWS)),
        'm' => ("MATERIALIZED VIEW", cx.name(super::VIEWS)),
        'S' => ("SEQUENCE", cx.name(super::SEQUENCES)),
        _ => ("TABLE", cx.name(TABLES)),
    };
    Some(format!("ALTER {word} {}{name} RENAME TO {to}", cx.maybe(10, "IF EXISTS ")))
}

pub fn set_schema(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let to = quote(cx.pick(&cat.schemas)?);
    let (word, name) = match cx.rng.u32(..8) {
        0 => {
            let (routine, name) = cx.thing(&cat.routines)?;
            let word = if routine.kind == 'p' { "PROCEDURE" } else { "FUNCTION" };
            (word, format!("{name}({})", routine.of))
        }
        1 => {
            let (kind, name) = cx.thing(&cat.types)?;
            (if kind.kind == 'd' { "DOMAIN" } else { "TYPE" }, name)
        }
        _ => {
            let (relation, name) = cx.relation("rpvmS")?;
            let word = match relation.kind {
                'v' => "VIEW",
                'm' => "MATERIALIZED VIEW",
                'S' => "SEQUENCE",
                _ => "TABLE",
            };
            (word, name)
        }
    };
    Some(format!("ALTER {word} {name} SET SCHEMA {to}"))
}

pub fn add_constraint(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let cat = cx.cat;
    if cx.chance(8) {
        let unique: Vec<_> = cat.indexes.iter().filter(|i| i.kind == 'u' && i.of == relation.name).collect();
        let index = quote(&cx.pick(&unique)?.name);
        let (name, kind) = (cx.name(OTHERS), cx.word(&["UNIQUE", "PRIMARY KEY"]));
        return Some(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {index}"));
    }
    if cx.chance(10) {
        let of: Vec<_> = cat.constraints.iter().filter(|c| c.of == relation.name && "cf".contains(c.kind)).collect();
        let name = quote(&cx.pick(&of)?.name);
        return Some(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"));
    }
    let constraint = table_constraint(cx, &columns_of(relation));
    let checks = constraint.contains("CHECK") || constraint.contains("FOREIGN");
    let valid = if checks { cx.maybe(20, " NOT VALID") } else { "" };
    Some(format!("ALTER TABLE {table} ADD {constraint}{valid}"))
}

pub fn drop_constraint(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let constraint = cx.pick(&cat.constraints)?;
    let table = cx.table_of(constraint);
    let word = if constraint.kind == 'd' { "DOMAIN" } else { "TABLE" };
    let (exists, cascade) = (cx.maybe(30, "IF EXISTS "), cx.maybe(25, " CASCADE"));
    Some(format!("ALTER {word} {table} DROP CONSTRAINT {exists}{}{cascade}", quote(&constraint.name)))
}

pub fn rename_constraint(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let constraint = cx.pick(&cat.constraints)?;
    let table = cx.table_of(constraint);
    let word = if constraint.kind == 'd' { "DOMAIN" } else { "TABLE" };
    Some(format!("ALTER {word} {table} RENAME CONSTRAINT {} TO {}", quote(&constraint.name), cx.name(OTHERS)))
}

pub fn setting(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let cat = cx.cat;
    let action = match cx.rng.u32(..9) {
        0..3 => {
            cx.word(&["ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY"]).into()
        }
        3 => cx.word(&["SET (fillfactor = 80)", "RESET (fillfactor)", "SET (autovacuum_enabled = false)"]).into(),
        4 => cx.word(&["REPLICA IDENTITY FULL", "REPLICA IDENTITY DEFAULT", "SET UNLOGGED", "SET LOGGED"]).into(),
        5 => {
            let of: Vec<_> = cat.triggers.iter().filter(|t| t.of == relation.name).collect();
            let name = cx.pick(&of).map_or("ALL".into(), |t| quote(&t.name));
            format!("{} TRIGGER {name}", cx.word(&["DISABLE", "ENABLE", "ENABLE ALWAYS"]))
        }
        6 => {
            let of: Vec<_> = cat.indexes.iter().filter(|t| t.of == relation.name).collect();
            format!("CLUSTER ON {}", quote(&cx.pick(&of)?.name))
        }
        7 => format!("{} {}", cx.word(&["INHERIT", "NO INHERIT"]), cx.table()?.1),
        _ => {
            let (_, other) = cx.relation("p")?;
            let (a, b) = if cx.chance(50) { ("ATTACH", " DEFAULT") } else { ("DETACH", "") };
            return Some(format!("ALTER TABLE {other} {a} PARTITION {table}{b}"));
        }
    };
    Some(format!("ALTER TABLE {table} {action}"))
}

/// An ALTER TABLE with more than one action.
pub fn several_actions(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let mut actions = Vec::new();
    for _ in 0..cx.rng.usize(2..4) {
        let action = match cx.rng.u32(..5) {
            0 => {
                let name = new_name(cx);
                format!("ADD COLUMN {}", cx.column_definition(&name, false))
            }
            1 => format!("DROP COLUMN {}", quote(&cx.column(relation)?.name)),
            2 => format!("ADD {}", table_constraint(cx, &columns_of(relation))),
            _ => {
                let column = cx.column(relation)?;
                alter_action(cx, column)
            }
        };
        actions.push(action);
    }
    let between = cx.word(&[", ", ",\n    "]);
    Some(format!("ALTER TABLE {table}{}{}", if between.len() > 2 { "\n    " } else { " " }, actions.join(between)))
}

pub fn create_index(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.relation("rpm")?;
    let column = cx.column(relation)?;
    let name =
        if cx.chance(80) { format!("{}{} ", cx.maybe(20, "IF NOT EXISTS "), cx.name(OTHERS)) } else { String::new() };
    let column_name = quote(&column.name);
    let first = match cx.rng.u32(..10) {
        0 => format!("lower({column_name}::text)"),
        1 => format!("({column_name} IS NULL)"),
        2 => format!("{column_name} DESC NULLS LAST"),
        _ => column_name.clone(),
    };
    let other = if cx.chance(30) { cx.column(relation).map(|c| format!(", {}", quote(&c.name))) } else { None };
    let partial =
        if cx.chance(20) { format!(" WHERE {}", cx.condition(&column_name, &column.kind)) } else { String::new() };
    let include =
        if cx.chance(6) { format!(" INCLUDE ({})", quote(&cx.column(relation)?.name)) } else { String::new() };
    let using = cx.word(&["", "", "", " USING btree", " USING hash", " USING gin"]);
    let unique = cx.maybe(30, "UNIQUE ");
    Some(format!(
        "CREATE {unique}INDEX {name}ON {table}{using} ({first}{}){include}{partial}",
        other.unwrap_or_default()
    ))
}

pub fn drop_index(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let (_, name) = cx.thing(&cat.indexes)?;
    Some(format!("DROP INDEX {}{name}{}", cx.maybe(40, "IF EXISTS "), cx.maybe(10, " CASCADE")))
}

pub fn rename_index(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let (_, name) = cx.thing(&cat.indexes)?;
    Some(format!("ALTER INDEX {name} RENAME TO {}", cx.name(OTHERS)))
}
