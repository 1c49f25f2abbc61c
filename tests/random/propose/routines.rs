//! Functions, procedures, triggers, and the rarer things made of functions.

use super::{Cx, OTHERS, ROUTINES, quote};
use crate::catalog::Thing;

/// A body for a function that returns a type.
fn body(cx: &mut Cx, returns: &str, plpgsql: bool) -> String {
    if returns == "trigger" {
        let inner = cx.word(&[
            "RETURN NEW;",
            "NEW.name := lower(NEW.name); RETURN NEW;",
            "PERFORM pg_notify('x', TG_OP); RETURN NEW;",
            "RETURN NULL;",
        ]);
        return format!("\nBEGIN\n    {inner}\nEND;\n");
    }
    let value = match (cx.relation("rpvm"), returns) {
        (Some((_, table)), "bigint") if cx.chance(60) => format!("(SELECT count(*) FROM {table})"),
        (Some((relation, table)), "text") if cx.chance(60) => {
            let column = cx.pick(&relation.columns).map_or("NULL".into(), |c| quote(&c.name));
            format!("(SELECT {column}::text FROM {table} LIMIT 1)")
        }
        _ => match returns {
            "void" => "NULL".into(),
            _ => cx.value(returns),
        },
    };
    match (plpgsql, returns) {
        (true, "void") => format!("\nBEGIN\n    PERFORM {value};\nEND\n"),
        (true, _) => format!("\nBEGIN\n    RETURN {value};\nEND\n"),
        (false, "void") => " SELECT 1 ".into(),
        (false, _) => format!(" SELECT {value} "),
    }
}

fn routine(cx: &mut Cx, replace: &str, name: &str, arguments: &str, returns: &str) -> String {
    let plpgsql = returns == "trigger" || cx.chance(50);
    let body = body(cx, returns, plpgsql);
    let language = if plpgsql { "plpgsql" } else { "sql" };
    let how = cx.word(&["", "", " STABLE", " SECURITY DEFINER", " IMMUTABLE", " SET search_path = public"]);
    let mark = cx.word(&["$$", "$$", "$body$"]);
    if cx.chance(50) {
        format!(
            "CREATE {replace}FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE {language}{how} AS {mark}{body}{mark}"
        )
    } else {
        format!(
            "CREATE {replace}FUNCTION {name}({arguments})\nRETURNS {returns} AS {mark}{body}{mark} LANGUAGE {language}{how}"
        )
    }
}

pub fn create(cx: &mut Cx) -> Option<String> {
    let (name, replace) = (cx.fresh(ROUTINES), cx.maybe(45, "OR REPLACE "));
    if cx.chance(8) {
        return Some(format!("CREATE {replace}PROCEDURE {name}(n int) LANGUAGE sql AS $$ SELECT n $$"));
    }
    let returns = if cx.chance(40) { "trigger".to_string() } else { result(cx) };
    let mut arguments =
        if returns == "trigger" { "" } else { cx.word(&["", "", "a int", "a text", "a int, b text DEFAULT 'x'"]) }
            .to_string();
    if returns != "trigger" && cx.chance(10) {
        arguments = format!("a {}", cx.kind());
    }
    Some(routine(cx, replace, &name, &arguments, &returns))
}

fn result(cx: &mut Cx) -> String {
    if cx.chance(8)
        && let Some((_, table)) = cx.relation("rv")
    {
        return format!("SETOF {table}");
    }
    if cx.chance(15) { cx.kind() } else { cx.word(&["int", "text", "bigint", "void", "boolean"]).into() }
}

/// A function that exists, written anew.
pub fn replace(cx: &mut Cx) -> Option<String> {
    let (old, name) = a_routine(cx)?;
    if old.kind != 'f' {
        return None;
    }
    let returns = if cx.chance(85) { old.more.clone() } else { result(cx) };
    Some(routine(cx, "OR REPLACE ", &name, &old.of, &returns))
}

fn a_routine<'a>(cx: &mut Cx<'a>) -> Option<(&'a Thing, String)> {
    let cat = cx.cat;
    cx.thing(&cat.routines)
}

fn word(routine: &Thing) -> &'static str {
    match routine.kind {
        'p' => "PROCEDURE",
        'a' => "AGGREGATE",
        _ => "FUNCTION",
    }
}

pub fn alter(cx: &mut Cx) -> Option<String> {
    let (old, name) = a_routine(cx)?;
    let action = match cx.rng.u32(..5) {
        0 | 1 => format!("RENAME TO {}", cx.name(ROUTINES)),
        2 => cx.word(&["SET search_path = public", "RESET ALL", "SET work_mem = '8MB'"]).into(),
        _ => cx.word(&["IMMUTABLE", "STABLE", "SECURITY DEFINER", "STRICT", "COST 5"]).into(),
    };
    Some(format!("ALTER {} {name}({}) {action}", word(old), old.of))
}

pub fn drop(cx: &mut Cx) -> Option<String> {
    let (old, name) = a_routine(cx)?;
    let exists = cx.maybe(40, "IF EXISTS ");
    let arguments = if cx.chance(30) { String::new() } else { format!("({})", old.of) };
    Some(format!("DROP {} {exists}{name}{arguments}{}", word(old), cx.maybe(30, " CASCADE")))
}

pub fn create_trigger(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let fits: Vec<_> = cat.routines.iter().filter(|r| r.more == "trigger").collect();
    let function = *cx.pick(&fits)?;
    let function = cx.qualified(&function.schema, &function.name);
    let (relation, table) = cx.table()?;
    let time = cx.word(&["BEFORE", "AFTER"]);
    let event = match cx.rng.u32(..5) {
        0 => format!("UPDATE OF {}", quote(&cx.column(relation)?.name)),
        _ => cx.word(&["UPDATE", "INSERT", "INSERT OR UPDATE", "DELETE", "INSERT OR UPDATE OR DELETE"]).into(),
    };
    let row = cx.word(&["FOR EACH ROW", "FOR EACH ROW", "FOR EACH STATEMENT"]);
    let when = if event == "UPDATE" && row == "FOR EACH ROW" {
        cx.maybe(25, " WHEN (OLD.* IS DISTINCT FROM NEW.*)")
    } else {
        ""
    };
    let word = cx.word(&["FUNCTION", "FUNCTION", "PROCEDURE"]);
    let (replace, name) = (cx.maybe(20, "OR REPLACE "), cx.name(OTHERS));
    Some(format!(
        "CREATE {replace}TRIGGER {name} {time} {event} ON {table}\n    {row}{when} EXECUTE {word} {function}()"
    ))
}

pub fn change_trigger(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let trigger = cx.pick(&cat.triggers)?;
    let (name, table) = (quote(&trigger.name), cx.table_of(trigger));
    Some(match cx.rng.u32(..4) {
        0 => format!("ALTER TRIGGER {name} ON {table} RENAME TO {}", cx.name(OTHERS)),
        1 => format!("ALTER TABLE {table} {} TRIGGER {name}", cx.word(&["DISABLE", "ENABLE"])),
        _ => format!("DROP TRIGGER {}{name} ON {table}", cx.maybe(40, "IF EXISTS ")),
    })
}

/// What is rare.
pub fn other(cx: &mut Cx) -> Option<String> {
    let (_, function) = a_routine(cx)?;
    Some(match cx.rng.u32(..5) {
        0 => format!("CREATE AGGREGATE {} (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')", cx.name(ROUTINES)),
        1 => format!("CREATE OPERATOR === (FUNCTION = {function}, LEFTARG = int, RIGHTARG = text)"),
        2 => "CREATE COLLATION IF NOT EXISTS plain (LOCALE = 'C')".into(),
        3 => format!("SELECT {function}()"),
        _ => format!("CREATE TEXT SEARCH CONFIGURATION {} (COPY = simple)", cx.name(OTHERS)),
    })
}
