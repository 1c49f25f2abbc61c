//! What the embedded PostgreSQL can't do by itself: catch an error in `BEGIN ... EXCEPTION WHEN ... THEN ... END`.
//!
//! It is PostgreSQL compiled to WebAssembly, where every error leaves the statement (pglite-oxide 0.5.1,
//! `pglite_wasix_bridge.c`). A DO whose handlers do nothing is followed from outside: PostgreSQL would have rolled the block
//! back and gone on, and that is what happens here, if the error is one that a handler names.

use regex::Regex;
use std::sync::LazyLock;

/// `DO $$ BEGIN ... EXCEPTION WHEN conditions THEN nothing; ... END $$`.
static HANDLERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?is)^\s*do\s.*\$\s*(?:declare\b(?:[^;]*?;)*?\s+)?begin\b.*?\b(exception(?:\s+when\s+[a-z_ ']+?\s+then(?:\s+null\s*;|\s+raise\s+(?:notice|info|debug|log|warning)[^;]*;)*)+)\s*end\b[^;]*;?\s*\$",
    )
    .ok()
});

static CONDITIONS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?is)\bwhen\s+([a-z_ ]+?)\s+then\b").ok());

/// A block that holds one block and nothing else: what is around the inner BEGIN and END, and what is inside.
static NESTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?is)^(\s*do\s[^$]*\$\w*\$\s*(?:declare\b(?:[^;]*?;)*?\s+)?begin\b(?:\s|--[^\n]*\n)*)begin\b(.*)\bend\s*;((?:\s|--[^\n]*\n)*end\b[^;$]*;?\s*\$\w*\$.*)$",
    )
    .ok()
});

static BEGIN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\bbegin\b").ok());

static OTHER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\bexception\s+when\b").ok());

/// The statement without its idle handlers, and the SQLSTATEs that they would catch; `None` if it has no such handlers.
/// They are taken out since the subtransaction that they open can't be left in an orderly way after an error.
pub(super) fn without_handlers(sql: &str) -> Option<(String, Vec<&'static str>)> {
    if !sql.get(..2).is_some_and(|w| w.eq_ignore_ascii_case("do")) {
        return None;
    }
    let flat = flattened(sql);
    let sql = flat.as_deref().unwrap_or(sql);
    let handlers = HANDLERS.as_ref()?.captures(sql)?.get(1)?;
    // A block inside may have handlers of its own, which would catch the error first and go on.
    if OTHER.as_ref()?.is_match(&sql[..handlers.start()]) {
        return None;
    }
    let mut states = Vec::new();
    for found in CONDITIONS.as_ref()?.captures_iter(handlers.as_str()) {
        for condition in found.get(1)?.as_str().to_lowercase().split(" or ") {
            states.push(sqlstate(condition.trim())?);
        }
    }
    // As many lines as before, so that places in messages stay right.
    let lines = "\n".repeat(handlers.as_str().matches('\n').count());
    let plain = format!("{}{lines} {}", &sql[..handlers.start()], &sql[handlers.end()..]);
    (!states.is_empty()).then_some((plain, states))
}

/// A DO whose only statement is a block, with that block's statements and handlers as its own: it means the same.
fn flattened(sql: &str) -> Option<String> {
    let parts = NESTED.as_ref()?.captures(sql)?;
    let (before, inside, after) = (parts.get(1)?.as_str(), parts.get(2)?.as_str(), parts.get(3)?.as_str());
    // With a second block inside, the handlers may be that one's.
    (!BEGIN.as_ref()?.is_match(inside)).then(|| format!("{before}{inside}{after}"))
}

/// Whether an error of this SQLSTATE is among those caught. `OTHERS` catches all but what stops the statement itself.
pub(super) fn catches(states: &[&str], sqlstate: &str) -> bool {
    states.iter().any(|s| *s == sqlstate || (*s == "others" && !matches!(sqlstate, "57014" | "P0004" | "")))
}

/// Condition names as PostgreSQL's documentation lists them (appendix A).
fn sqlstate(condition: &str) -> Option<&'static str> {
    Some(match condition {
        "others" => "others",
        "duplicate_object" => "42710",
        "duplicate_table" => "42P07",
        "duplicate_column" => "42701",
        "duplicate_schema" => "42P06",
        "duplicate_function" => "42723",
        "duplicate_database" => "42P04",
        "undefined_object" => "42704",
        "undefined_table" => "42P01",
        "undefined_column" => "42703",
        "undefined_function" => "42883",
        "unique_violation" => "23505",
        "invalid_schema_name" => "3F000",
        "insufficient_privilege" => "42501",
        "invalid_table_definition" => "42P16",
        "dependent_objects_still_exist" => "2BP01",
        "feature_not_supported" => "0A000",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_handlers_are_read() {
        let sql = "DO $$ BEGIN\n CREATE TYPE a AS ENUM ('x');\nEXCEPTION\n WHEN duplicate_object OR duplicate_table THEN null;\nEND $$";
        let (plain, states) = without_handlers(sql).unwrap();
        assert_eq!(states, ["42710", "42P07"]);
        assert_eq!(plain, "DO $$ BEGIN\n CREATE TYPE a AS ENUM ('x');\n\n \nEND $$");
        let nested =
            "DO $$\nBEGIN\n  -- why\n  BEGIN\n x;\n EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'y';\n  END;\nEND\n$$;";
        let (plain, states) = without_handlers(nested).unwrap();
        assert_eq!(states, ["others"]);
        assert_eq!(plain.split_whitespace().collect::<String>(), "DO$$BEGIN--whyx;END$$;");
        assert_eq!(plain.matches('\n').count(), nested.matches('\n').count());
        let declared = "DO $$ DECLARE a int; b text := 'x'; BEGIN x; EXCEPTION WHEN others THEN NULL; END $$";
        assert_eq!(without_handlers(declared).unwrap().1, ["others"]);
        assert!(without_handlers("DO $$\nDECLARE\nBEGIN x; EXCEPTION WHEN others THEN NULL; END $$").is_some());
        let notice = "do $do$ begin perform 1/0; exception when others then raise notice 'x %', 1; end; $do$";
        assert_eq!(without_handlers(notice).unwrap().1, ["others"]);
    }

    #[test]
    fn handlers_that_do_something_are_not() {
        assert_eq!(without_handlers("DO $$ BEGIN x; EXCEPTION WHEN others THEN DELETE FROM t; END $$"), None);
        assert_eq!(without_handlers("DO $$ BEGIN x; END $$"), None);
        let inside =
            "DO $$ BEGIN BEGIN x; EXCEPTION WHEN others THEN NULL; END; y; EXCEPTION WHEN others THEN NULL; END $$";
        assert_eq!(without_handlers(inside), None);
        let second = "DO $$ BEGIN BEGIN x; END; BEGIN y; EXCEPTION WHEN others THEN NULL; END; END $$";
        assert_eq!(without_handlers(second), None);
        assert_eq!(
            without_handlers("CREATE FUNCTION f() RETURNS void AS $$ BEGIN EXCEPTION WHEN others THEN NULL; END $$"),
            None
        );
    }
}
