//! Rows: brought, changed, taken away; and where sequences stand.

use super::{Cx, quote};
use crate::catalog::{Column, Relation};

/// Columns to give values for: what must have one, and some of the rest.
fn columns<'a>(cx: &mut Cx, relation: &'a Relation) -> Vec<&'a Column> {
    let mut chosen = Vec::new();
    for column in &relation.columns {
        let must = column.is('n') && !column.is('d') && !column.is('i');
        let never = column.is('g') || column.is('i');
        if must || (!never && cx.chance(50)) {
            chosen.push(column);
        }
    }
    chosen
}

pub fn insert(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let columns = columns(cx, relation);
    if columns.is_empty() {
        return Some(format!("INSERT INTO {table} DEFAULT VALUES"));
    }
    let mut rows = Vec::new();
    for _ in 0..cx.rng.usize(1..4) {
        let values: Vec<_> = columns.iter().map(|c| value(cx, c)).collect();
        rows.push(format!("({})", values.join(", ")));
    }
    let names: Vec<_> = columns.iter().map(|c| quote(&c.name)).collect();
    let conflict = match cx.rng.u32(..10) {
        0 | 1 => " ON CONFLICT DO NOTHING".to_string(),
        2 => {
            let key = &names[0];
            format!(" ON CONFLICT ({key}) DO UPDATE SET {key} = EXCLUDED.{key}")
        }
        _ => String::new(),
    };
    let between = cx.word(&[", ", ",\n    "]);
    Some(format!("INSERT INTO {table} ({}) VALUES {}{conflict}", names.join(", "), rows.join(between)))
}

fn value(cx: &mut Cx, column: &Column) -> String {
    match cx.rng.u32(..20) {
        0 if column.is('d') => "DEFAULT".into(),
        1 if !column.is('n') => "NULL".into(),
        2..6 => by_chance(cx, &column.kind),
        _ => cx.value(&column.kind),
    }
}

/// A value of the clock or of chance, so that one column mixes them with constants. None that is alike in two replays of three:
/// a condition on it would let each replay have another number of rows.
fn by_chance(cx: &mut Cx, kind: &str) -> String {
    match kind {
        "text" => cx.word(&["md5(random()::text)", "gen_random_uuid()::text", "clock_timestamp()::text"]).into(),
        "uuid" => "gen_random_uuid()".into(),
        "double precision" => "random()".into(),
        "timestamp with time zone" | "timestamp without time zone" => {
            cx.word(&["now()", "clock_timestamp()", "'2020-01-02 03:04:05'"]).into()
        }
        "jsonb" => cx.word(&["jsonb_build_object('a', random())", "to_jsonb(now())"]).into(),
        _ => cx.value(kind),
    }
}

pub fn insert_select(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let columns = columns(cx, relation);
    let (source, from) = cx.relation("rpvm")?;
    let mut values = Vec::new();
    for column in &columns {
        let same: Vec<_> = source.columns.iter().filter(|c| c.kind == column.kind).collect();
        let expression = match cx.pick(&same) {
            Some(c) if cx.chance(80) => quote(&c.name),
            _ => cx.value(&column.kind),
        };
        values.push(expression);
    }
    let names: Vec<_> = columns.iter().map(|c| quote(&c.name)).collect();
    if names.is_empty() {
        return None;
    }
    Some(format!("INSERT INTO {table} ({}) SELECT {} FROM {from}", names.join(", "), values.join(", ")))
}

fn condition(cx: &mut Cx, relation: &Relation) -> String {
    if cx.chance(25) || relation.columns.is_empty() {
        return String::new();
    }
    let column = &relation.columns[cx.rng.usize(..relation.columns.len())];
    let name = quote(&column.name);
    match cx.rng.u32(..3) {
        0 => format!(" WHERE {name} IS NULL"),
        1 => format!(" WHERE {}", cx.condition(&name, &column.kind)),
        _ => format!(" WHERE {name} = {}", cx.value(&column.kind)),
    }
}

pub fn update(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let column = cx.column(relation)?;
    let name = quote(&column.name);
    let value = match (cx.rng.u32(..4), column.kind.as_str()) {
        (0, "text") => format!("upper({name})"),
        (0, "integer" | "bigint" | "numeric") => format!("{name} + 1"),
        _ => value(cx, column),
    };
    Some(format!("UPDATE {table} SET {name} = {value}{}", condition(cx, relation)))
}

pub fn delete(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    if cx.chance(25) {
        let how = cx.word(&["", " CASCADE", " RESTART IDENTITY", " RESTART IDENTITY CASCADE"]);
        return Some(format!("TRUNCATE {table}{how}"));
    }
    Some(format!("DELETE FROM {table}{}", condition(cx, relation)))
}

pub fn set_position(cx: &mut Cx) -> Option<String> {
    let (_, sequence) = cx.relation("S")?;
    let sequence = sequence.replace('\'', "''");
    Some(match cx.rng.u32(..3) {
        0 => format!("SELECT nextval('{sequence}')"),
        1 => format!("SELECT setval('{sequence}', {}, false)", cx.rng.u32(1..90)),
        _ => format!("SELECT setval('{sequence}', {})", cx.rng.u32(1..90)),
    })
}
