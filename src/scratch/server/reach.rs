//! Which statements reach out of a scratch database to what others have on the server. They are refused before they run: some
//! of what they do can't be taken back.
//!
//! It reads words, not a tree, and looks into strings and the bodies of functions too, since a DO block may run what stands
//! there. What a block puts together at run time is not seen here; that is found afterwards (`shared.rs`).

use std::sync::LazyLock;

use regex::Regex;

use super::shared::Shared;
use crate::Error;

/// A name, quoted or not, with a capture for each.
const NAME: &str = r#"(?:"((?:[^"]|"")+)"|([\w$]+))"#;

fn regex(text: &str) -> Option<Regex> {
    Regex::new(&text.replace("NAME", NAME)).ok()
}

/// What belongs to the server as a whole. None of these can run inside of a function.
static WHOLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)^(alter\s+system|(?:create|drop)\s+database|alter\s+database\s+\S+\s+(?:set\s+tablespace|refresh)|(?:create|drop|alter)\s+tablespace)\b",
    )
});
/// What ends sessions of others, or makes the server read its files anew.
static CALLS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(r"(?i)\b(pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile|pg_promote)\s*\(")
});
static MADE: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?i)\bcreate\s+(?:role|user|group)\s+(?:if\s+not\s+exists\s+)?NAME"));
static CHANGED: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?i)\b(?:alter|drop)\s+(?:role|user|group)\s+(?:if\s+exists\s+)?(NAME(?:\s*,\s*NAME)*)"));
static OWNED: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?i)\b(?:drop|reassign)\s+owned\s+by\s+(NAME(?:\s*,\s*NAME)*)"));
static MEMBERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:grant|revoke)\s+(?:admin\s+option\s+for\s+)?(NAME(?:\s*,\s*NAME)*)\s+(?:to|from)\s+(NAME(?:\s*,\s*NAME)*)",
    )
});
static DATABASE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:(?:alter|drop|comment\s+on|label\s+on|(?:role|user)\s+\S+\s+in)\s+database|(?:grant|revoke)\b[^;]*?\bon\s+database)\s+(NAME(?:\s*,\s*NAME)*)",
    )
});
static ONE: LazyLock<Option<Regex>> = LazyLock::new(|| regex("NAME"));

/// The names of the roles that a text makes.
pub(super) fn made(sql: &str) -> Vec<String> {
    let found = MADE.iter().flat_map(|made| made.captures_iter(sql));
    // CREATE USER MAPPING makes no role.
    found.filter_map(|found| name(found.get(1), found.get(2))).filter(|name| name != "mapping").collect()
}

/// Whether a text may make roles whose names don't stand in it.
pub(super) fn puts_together(sql: &str) -> bool {
    let sql = sql.to_lowercase();
    sql.contains("execute") && ["role", "user", "group"].iter().any(|word| sql.contains(word))
}

/// A name as PostgreSQL folds it.
fn name(quoted: Option<regex::Match>, bare: Option<regex::Match>) -> Option<String> {
    let quoted = quoted.map(|name| name.as_str().replace("\"\"", "\""));
    quoted.or_else(|| bare.map(|name| name.as_str().to_lowercase()))
}

/// The names in a list.
fn names(list: &str) -> Vec<String> {
    let found = ONE.iter().flat_map(|one| one.captures_iter(list));
    found.filter_map(|found| name(found.get(1), found.get(2))).collect()
}

/// Why a statement must not run, if it must not; `user` is who runs it, `own` the scratch database.
pub(super) fn out(sql: &str, before: &Shared, user: &str, own: &str) -> Option<Error> {
    let bare = bare(sql);
    let words = |found: &str| found.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    if let Some(found) = WHOLE.as_ref().and_then(|whole| whole.captures(&bare)) {
        return Some(
            Error::new(format!("{} is for the whole server, and isn't run on one of others", words(&found[1])))
                .hint(ELSEWHERE),
        );
    }
    if let Some(found) = CALLS.as_ref().and_then(|calls| calls.captures(&bare)) {
        let what = found[1].to_lowercase();
        return Some(
            Error::new(format!("{what}() reaches out of the database, and isn't run on a server of others"))
                .hint(ELSEWHERE),
        );
    }
    let role = |name: &str| before.roles.iter().any(|(_, (known, _))| known == name);
    let database = |name: &str| name != own && before.databases.values().any(|known| known == name);
    if let Some(name) = made(&bare).into_iter().find(|name| role(name)) {
        return Some(
            Error::new(format!(
                "role \"{name}\" is on the scratch server already, and isn't ours to make, change or drop"
            ))
            .hint(format!("drop it there if nobody needs it; otherwise {ELSEWHERE}")),
        );
    }
    let changed = [&*CHANGED, &*OWNED].into_iter().flatten().flat_map(|changed| changed.captures_iter(&bare));
    let changed = changed.flat_map(|found| names(&found[1])).map(|name| match name.as_str() {
        "current_user" | "session_user" | "current_role" => user.to_string(),
        _ => name,
    });
    let mut changed = changed;
    if let Some(name) = changed.find(|name| role(name) || name == "all") {
        let whom = if name == "all" { "all roles".to_string() } else { format!("role \"{name}\"") };
        return Some(Error::new(format!("{whom} of the scratch server: isn't ours to change")).hint(ELSEWHERE));
    }
    for found in MEMBERS.iter().flat_map(|members| members.captures_iter(&bare)) {
        // Groups of NAME: the list, two captures of each of two names, then the other list.
        let (roles, members) = (names(&found[1]), names(&found[6]));
        let pair = |role_name: &String| members.iter().any(|member| role(role_name) && role(member));
        if let Some(name) = roles.iter().find(|name| pair(name)) {
            return Some(Error::new(format!("who is a member of role \"{name}\" isn't ours to change: both roles were on the scratch server before")).hint(ELSEWHERE));
        }
    }
    let all = DATABASE.iter().flat_map(|database| database.captures_iter(&bare)).flat_map(|found| names(&found[1]));
    if let Some(name) = all.into_iter().find(|name| database(name)) {
        return Some(
            Error::new(format!("database \"{name}\" of the scratch server isn't ours to change"))
                .hint(format!("a statement that means the database it runs in can take its name from current_database(); otherwise {ELSEWHERE}")),
        );
    }
    None
}

const ELSEWHERE: &str = "--scratch local and --scratch embedded run it where nobody else is";

/// A text without its comments, and without its strings unless they may be run. It knows no dollar quotes: what stands in
/// them is looked at, too.
fn bare(sql: &str) -> String {
    static PIECE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"(?s)('(?:[^']|'')*')|("(?:[^"]|"")*")|--[^\n]*|/\*.*?\*/"#).ok());
    let Some(piece) = PIECE.as_ref() else { return sql.to_string() };
    let lower = sql.to_lowercase();
    let runs = ["execute", "function", "procedure"].iter().any(|word| lower.contains(word)) || lower.contains("do ");
    let kept = |found: &regex::Captures| match (found.get(1), found.get(2)) {
        (Some(text), _) if runs => text.as_str().to_string(),
        (Some(_), _) => "''".to_string(),
        (_, Some(name)) => name.as_str().to_string(),
        _ => " ".to_string(),
    };
    piece.replace_all(sql, kept).trim_start().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sql: &str) -> Option<String> {
        let roles = [(10, "boss"), (20000, "clerk"), (20001, "Shop Keeper")];
        let mut before = Shared::default();
        before.roles.extend(roles.map(|(number, name)| (number, (name.to_string(), String::new()))));
        before.databases.extend([(5, "postgres"), (16384, "shop"), (16385, "own")].map(|(n, d)| (n, d.to_string())));
        out(sql, &before, "boss", "own").map(|error| error.message)
    }

    #[test]
    fn what_others_have_is_out_of_reach() {
        for sql in [
            "ALTER SYSTEM SET work_mem = '1GB'",
            "/* now */ drop database if exists shop",
            "CREATE DATABASE other",
            "CREATE TABLESPACE fast LOCATION '/x'",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
            "CREATE ROLE clerk",
            "CREATE USER IF NOT EXISTS Clerk",
            "DO $$ BEGIN IF true THEN CREATE ROLE \"Shop Keeper\" LOGIN; END IF; END $$",
            "ALTER ROLE other, clerk SUPERUSER",
            "ALTER USER CURRENT_USER SET search_path = x",
            "ALTER ROLE ALL SET work_mem = '1MB'",
            "DROP ROLE IF EXISTS a, clerk",
            "DROP OWNED BY clerk",
            "GRANT clerk TO \"Shop Keeper\"",
            "REVOKE ADMIN OPTION FOR clerk FROM boss",
            "ALTER DATABASE shop SET search_path = x",
            "ALTER ROLE new IN DATABASE shop SET work_mem = '1MB'",
            "REVOKE ALL ON DATABASE postgres FROM PUBLIC",
            "GRANT CONNECT, TEMPORARY ON DATABASE \"shop\" TO new",
            "COMMENT ON DATABASE shop IS 'x'",
            "DO 'BEGIN EXECUTE ''ALTER DATABASE shop SET a.b = 1''; END'",
        ] {
            assert!(refused(sql).is_some(), "{sql}");
        }
    }

    #[test]
    fn what_is_the_replays_own_is_not() {
        for sql in [
            "CREATE ROLE fresh",
            "GRANT SELECT ON t TO clerk",
            "GRANT fresh TO clerk",
            "ALTER ROLE fresh IN DATABASE own SET work_mem = '1MB'",
            "ALTER DATABASE own SET search_path = x",
            "CREATE USER MAPPING FOR clerk SERVER s",
            "-- DROP ROLE clerk\nSELECT 1",
            "COMMENT ON TABLE t IS 'after drop role clerk, see alter database shop'",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET a.b = 1', current_database()); END $$",
            "CREATE TABLE t (role text, \"user\" text)",
        ] {
            assert_eq!(refused(sql), None, "{sql}");
        }
    }

    #[test]
    fn roles_that_a_text_makes_are_named() {
        assert_eq!(made("CREATE ROLE A; create user \"b\"\"c\"; CREATE USER MAPPING FOR x SERVER y"), ["a", "b\"c"]);
    }
}
