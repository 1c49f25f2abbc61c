//! DO blocks: the guards that people write around statements, and dynamic SQL.

use crate::database::HANDLER;

use super::{Cx, PROPOSALS, kinds, quote, rights, tables};

/// A statement inside `IF [NOT] EXISTS (SELECT ... catalogs ...)`, or inside a block that forgives duplicates.
pub fn guard(cx: &mut Cx) -> Option<String> {
    if cx.chance(25) {
        let statement = match cx.rng.u32(..3) {
            0 => kinds::create(cx)?,
            1 => tables::add_constraint(cx)?,
            _ => rights::create_role(cx)?,
        };
        return Some(format!("DO $$ BEGIN\n    {statement};\n{HANDLER}END $$"));
    }
    let (condition, statement) = guarded(cx)?;
    let not = cx.maybe(65, "NOT ");
    let one = cx.word(&["1", "1", ""]);
    Some(format!(
        "DO $$\nBEGIN\n    IF {not}EXISTS (SELECT {one} FROM {condition}) THEN\n        {statement};\n    END IF;\nEND\n$$"
    ))
}

/// What is asked of the catalogs, and the statement that depends on it.
fn guarded(cx: &mut Cx) -> Option<(String, String)> {
    Some(match cx.rng.u32(..6) {
        0 => {
            let statement = kinds::create(cx)?;
            let name = statement.split_whitespace().nth(2)?.rsplit('.').next()?.trim_matches('"').to_string();
            (format!("pg_type WHERE typname = '{name}'"), statement)
        }
        1 => {
            let (relation, table) = cx.table()?;
            let name = cx.word(super::COLUMNS);
            let column = cx.column_definition(&quote(name), false);
            let of =
                format!("information_schema.columns WHERE table_name = '{}' AND column_name = '{name}'", relation.name);
            (of, format!("ALTER TABLE {table} ADD COLUMN {column}"))
        }
        2 => {
            let role = cx.word(super::ROLES);
            (format!("pg_roles WHERE rolname = '{role}'"), format!("CREATE ROLE {}", quote(role)))
        }
        3 => {
            let (relation, table) = cx.table()?;
            let (name, column) = (cx.word(super::OTHERS), quote(&cx.column(relation)?.name));
            let statement = format!("ALTER TABLE {table} ADD CONSTRAINT {} CHECK ({column} IS NOT NULL)", quote(name));
            (format!("pg_constraint WHERE conname = '{name}'"), statement)
        }
        4 => {
            let (relation, table) = cx.table()?;
            let column = cx.column(relation)?;
            let of = format!(
                "information_schema.columns WHERE table_name = '{}' AND column_name = '{}'",
                relation.name, column.name
            );
            (of, format!("ALTER TABLE {table} RENAME COLUMN {} TO {}", quote(&column.name), cx.name(super::COLUMNS)))
        }
        _ => {
            let (relation, table) = cx.table()?;
            (format!("{table} WHERE {} IS NULL", quote(&cx.column(relation)?.name)), super::rows::insert(cx)?)
        }
    })
}

/// A statement that only running it can tell: EXECUTE, a loop, a block of statements.
pub fn dynamic(cx: &mut Cx) -> Option<String> {
    let (_, proposal) = PROPOSALS[cx.rng.usize(..PROPOSALS.len())];
    let statement = proposal(cx)?;
    if statement.contains("$$") || ["DO", "SELECT", "SET"].iter().any(|w| statement.starts_with(w)) {
        return None;
    }
    Some(match cx.rng.u32(..3) {
        0 => format!("DO $$ BEGIN EXECUTE '{}'; END $$", statement.replace('\'', "''")),
        1 => format!("DO $do$\nBEGIN\n    {statement};\nEND\n$do$"),
        _ => format!("DO $do$ BEGIN FOR i IN 1..1 LOOP EXECUTE $q${statement}$q$; END LOOP; END $do$"),
    })
}
