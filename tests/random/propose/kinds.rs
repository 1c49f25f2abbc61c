//! Types, sequences and schemas.

use super::{COLUMNS, Cx, OTHERS, SCHEMAS, SEQUENCES, TYPES, quote};

const LABELS: &[&str] = &["ok", "sad", "new", "Done", "in progress", "old"];

pub fn create(cx: &mut Cx) -> Option<String> {
    let name = cx.fresh(TYPES);
    Some(match cx.rng.u32(..10) {
        0..5 => {
            let mut labels: Vec<String> = LABELS.iter().map(|l| format!("'{l}'")).collect();
            cx.rng.shuffle(&mut labels);
            labels.truncate(cx.rng.usize(1..4));
            format!("CREATE TYPE {name} AS ENUM ({})", labels.join(", "))
        }
        5..8 => {
            let kind = cx.word(&["text", "int", "varchar(20)", "numeric"]);
            let default = if cx.chance(25) { format!(" DEFAULT {}", cx.value(kind)) } else { String::new() };
            let named = if cx.chance(30) { format!(" CONSTRAINT {}", cx.name(OTHERS)) } else { String::new() };
            let check =
                if cx.chance(70) { format!("{named} CHECK ({})", cx.condition("VALUE", kind)) } else { String::new() };
            format!("CREATE DOMAIN {name} AS {kind}{default}{}{check}", cx.maybe(10, " NOT NULL"))
        }
        8 => format!("CREATE TYPE {name} AS (a {}, b {})", cx.kind(), cx.kind()),
        _ => format!("CREATE TYPE {name} AS RANGE (subtype = int4)"),
    })
}

pub fn alter_enum(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let label = cx.pick(&cat.labels)?;
    let name = cx.qualified(&label.schema, &label.of);
    let new = cx.word(LABELS);
    if cx.chance(30) {
        return Some(format!("ALTER TYPE {name} RENAME VALUE '{}' TO '{new}'", label.name));
    }
    let place = match cx.rng.u32(..3) {
        0 => format!(" BEFORE '{}'", label.name),
        1 => format!(" AFTER '{}'", label.name),
        _ => String::new(),
    };
    Some(format!("ALTER TYPE {name} ADD VALUE {}'{new}'{place}", cx.maybe(35, "IF NOT EXISTS ")))
}

pub fn alter_domain(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let domains: Vec<_> = cat.types.iter().filter(|t| t.kind == 'd').collect();
    let domain = *cx.pick(&domains)?;
    let name = cx.qualified(&domain.schema, &domain.name);
    let action = match cx.rng.u32(..6) {
        0 => format!("SET DEFAULT {}", cx.value(&domain.more)),
        1 => "DROP DEFAULT".into(),
        2 => cx.word(&["SET NOT NULL", "DROP NOT NULL"]).into(),
        _ => {
            let named = if cx.chance(60) { format!("CONSTRAINT {} ", cx.name(OTHERS)) } else { String::new() };
            format!("ADD {named}CHECK ({}){}", cx.condition("VALUE", &domain.more), cx.maybe(15, " NOT VALID"))
        }
    };
    Some(format!("ALTER DOMAIN {name} {action}"))
}

pub fn alter_composite(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let composites: Vec<_> = cat.types.iter().filter(|t| t.kind == 'c').collect();
    let composite = *cx.pick(&composites)?;
    let name = cx.qualified(&composite.schema, &composite.name);
    let action = match cx.rng.u32(..4) {
        0 => format!("ADD ATTRIBUTE {} {}", cx.name(COLUMNS), cx.kind()),
        1 => "DROP ATTRIBUTE b".into(),
        2 => format!("ALTER ATTRIBUTE a TYPE {}", cx.kind()),
        _ => format!("RENAME ATTRIBUTE a TO {}", cx.name(COLUMNS)),
    };
    Some(format!("ALTER TYPE {name} {action}"))
}

pub fn rename(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let (kind, name) = cx.thing(&cat.types)?;
    let word = if kind.kind == 'd' { "DOMAIN" } else { "TYPE" };
    Some(format!("ALTER {word} {name} RENAME TO {}", cx.name(TYPES)))
}

pub fn drop(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let (kind, name) = cx.thing(&cat.types)?;
    let word = if kind.kind == 'd' { "DOMAIN" } else { "TYPE" };
    Some(format!("DROP {word} {}{name}{}", cx.maybe(40, "IF EXISTS "), cx.maybe(40, " CASCADE")))
}

pub fn create_sequence(cx: &mut Cx) -> Option<String> {
    let name = cx.fresh(SEQUENCES);
    let options = cx.word(&["", "", " START WITH 100", " INCREMENT BY 10", " AS int MAXVALUE 1000 CYCLE", " CACHE 5"]);
    Some(format!("CREATE SEQUENCE {}{name}{options}", cx.maybe(20, "IF NOT EXISTS ")))
}

pub fn alter_sequence(cx: &mut Cx) -> Option<String> {
    let (_, name) = cx.relation("S")?;
    let action = match cx.rng.u32(..4) {
        0 => {
            let (table, text) = cx.table()?;
            format!("OWNED BY {text}.{}", quote(&cx.column(table)?.name))
        }
        1 => "OWNED BY NONE".into(),
        _ => {
            cx.word(&["INCREMENT BY 2", "RESTART WITH 20", "MAXVALUE 5000", "NO CYCLE", "AS bigint", "RESTART"]).into()
        }
    };
    Some(format!("ALTER SEQUENCE {name} {action}"))
}

pub fn drop_sequence(cx: &mut Cx) -> Option<String> {
    let (_, name) = cx.relation("S")?;
    Some(format!("DROP SEQUENCE {}{name}{}", cx.maybe(30, "IF EXISTS "), cx.maybe(40, " CASCADE")))
}

pub fn create_schema(cx: &mut Cx) -> Option<String> {
    let owner = if cx.chance(15) { cx.role().map(|r| format!(" AUTHORIZATION {r}")) } else { None };
    Some(format!("CREATE SCHEMA {}{}{}", cx.maybe(40, "IF NOT EXISTS "), cx.name(SCHEMAS), owner.unwrap_or_default()))
}

/// A schema that the history made.
fn own_schema(cx: &mut Cx) -> Option<String> {
    let own: Vec<_> = cx.cat.schemas.iter().filter(|s| *s != "public").collect();
    cx.pick(&own).map(|s| quote(s))
}

pub fn drop_schema(cx: &mut Cx) -> Option<String> {
    let name = own_schema(cx)?;
    Some(format!("DROP SCHEMA {}{name}{}", cx.maybe(40, "IF EXISTS "), cx.maybe(50, " CASCADE")))
}

pub fn rename_schema(cx: &mut Cx) -> Option<String> {
    Some(format!("ALTER SCHEMA {} RENAME TO {}", own_schema(cx)?, cx.name(SCHEMAS)))
}
