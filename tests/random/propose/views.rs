//! Views, materialized views, rules, statistics: what is built upon tables.

use super::{Cx, OTHERS, VIEWS, quote};
use crate::catalog::Relation;

/// A query over one relation or two.
fn query(cx: &mut Cx) -> Option<String> {
    let (relation, name) = cx.relation("rpvm")?;
    let column = quote(&cx.column(relation)?.name);
    Some(match cx.rng.u32(..7) {
        0 | 1 => format!("SELECT * FROM {name}"),
        2 => format!("SELECT {column} FROM {name}{}", filter(cx, relation)),
        3 => format!("SELECT count(*) AS n, {column} AS by_what FROM {name} GROUP BY {column}"),
        4 => {
            let (other, other_name) = cx.relation("rpvm")?;
            let key = quote(&cx.column(other)?.name);
            format!(
                "SELECT a.{column}, b.{key} AS other FROM {name} a\n    LEFT JOIN {other_name} b ON a.{column}::text = b.{key}::text"
            )
        }
        5 => format!("SELECT x.*, 1 AS one FROM {name} AS x"),
        _ => {
            let columns: Vec<_> = relation.columns.iter().map(|c| quote(&c.name)).collect();
            format!("SELECT {} FROM {name}{}", columns.join(", "), filter(cx, relation))
        }
    })
}

fn filter(cx: &mut Cx, relation: &Relation) -> String {
    if cx.chance(50) {
        return String::new();
    }
    let at = cx.rng.usize(..relation.columns.len());
    let column = &relation.columns[at];
    format!(" WHERE {}", cx.condition(&quote(&column.name), &column.kind))
}

pub fn create(cx: &mut Cx) -> Option<String> {
    let (replace, name, query) = (cx.maybe(35, "OR REPLACE "), cx.fresh(VIEWS), query(cx)?);
    let with = cx.word(&["", "", "", "", " WITH (security_invoker = true)"]);
    let line = cx.word(&[" ", "\n"]);
    Some(format!("CREATE {replace}VIEW {name}{with} AS{line}{query}"))
}

pub fn create_materialized(cx: &mut Cx) -> Option<String> {
    let (exists, name, query) = (cx.maybe(20, "IF NOT EXISTS "), cx.fresh(VIEWS), query(cx)?);
    Some(format!("CREATE MATERIALIZED VIEW {exists}{name} AS {query}{}", cx.maybe(25, " WITH NO DATA")))
}

pub fn alter(cx: &mut Cx) -> Option<String> {
    let (relation, name) = cx.relation("vm")?;
    let column = quote(&cx.column(relation)?.name);
    if relation.kind == 'm' {
        return Some(match cx.rng.u32(..3) {
            0 => format!("ALTER MATERIALIZED VIEW {name} RENAME COLUMN {column} TO {}", cx.name(OTHERS)),
            _ => format!("REFRESH MATERIALIZED VIEW {name}{}", cx.maybe(25, " WITH NO DATA")),
        });
    }
    Some(match cx.rng.u32(..4) {
        0 => format!("ALTER VIEW {name} ALTER COLUMN {column} SET DEFAULT NULL"),
        1 => format!("ALTER VIEW {name} SET (security_barrier = true)"),
        _ => format!("ALTER VIEW {name} RENAME COLUMN {column} TO {}", cx.name(OTHERS)),
    })
}

pub fn drop(cx: &mut Cx) -> Option<String> {
    let (relation, name) = cx.relation("vm")?;
    let word = if relation.kind == 'm' { "MATERIALIZED VIEW" } else { "VIEW" };
    Some(format!("DROP {word} {}{name}{}", cx.maybe(40, "IF EXISTS "), cx.maybe(30, " CASCADE")))
}

pub fn rule(cx: &mut Cx) -> Option<String> {
    let (_, name) = cx.relation("rv")?;
    let (replace, rule, event) = (cx.maybe(30, "OR REPLACE "), cx.name(OTHERS), cx.word(&["DELETE", "UPDATE"]));
    Some(format!("CREATE {replace}RULE {rule} AS ON {event} TO {name} DO INSTEAD NOTHING"))
}

pub fn statistics(cx: &mut Cx) -> Option<String> {
    let (relation, name) = cx.relation("r")?;
    let (a, b) = (quote(&cx.column(relation)?.name), quote(&cx.column(relation)?.name));
    Some(format!("CREATE STATISTICS {} (dependencies) ON {a}, {b} FROM {name}", cx.name(OTHERS)))
}
