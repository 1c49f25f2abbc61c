//! A text that has no tree: PostgreSQL's grammar doesn't know it, or it is too deep to be handed over. If it only reads and changes
//! rows, and names nothing that reaches out, PostgreSQL may have the word.

use pg_query::protobuf::{KeywordKind, Token};

use super::facts;

/// How such a text may begin.
const BEGINS: &[&str] = &["create", "delete", "insert", "select", "table", "update", "values", "with"];
/// Words that must not stand in it: they name statements that reach out, or run what can't be seen.
const CLOSED: &[&str] = &[
    "alter",
    "call",
    "comment",
    "copy",
    "database",
    "do",
    "drop",
    "execute",
    "extension",
    "foreign",
    "function",
    "grant",
    "group",
    "language",
    "listen",
    "load",
    "lock",
    "notify",
    "procedure",
    "program",
    "reassign",
    "reset",
    "revoke",
    "role",
    "server",
    "subscription",
    "system",
    "tablespace",
    "user",
];

/// Whether its words are all harmless.
pub(super) fn are_harmless(sql: &str) -> bool {
    let Ok(scanned) = pg_query::scan(sql) else { return false };
    let mut is_first = true;
    for token in &scanned.tokens {
        let (Ok(from), Ok(to)) = (usize::try_from(token.start), usize::try_from(token.end)) else { return false };
        let Some(text) = sql.get(from..to) else { return false };
        let kind = token.token;
        if kind == Token::SqlComment as i32 || kind == Token::CComment as i32 {
            continue;
        }
        let word = name(text);
        if is_first && !BEGINS.contains(&word.as_str()) && text != "(" {
            return false;
        }
        is_first &= text == "(";
        // A second statement may be anything, and names by their code points aren't read here.
        let is_closed = text == ";" || kind == Token::Uident as i32 || kind == Token::Usconst as i32;
        let is_word = token.keyword_kind != KeywordKind::NoKeyword as i32;
        if is_closed || (is_word && CLOSED.contains(&word.as_str())) || reaches(&word) {
            return false;
        }
    }
    !is_first
}

/// Whether a name may be one of something that reaches out.
fn reaches(name: &str) -> bool {
    facts::door(name).is_some()
        || facts::runs_queries(name)
        || facts::is_closed(name)
        || facts::is_secret(name)
        || facts::is_shared(name)
        || name == "set_config"
}

/// A name as PostgreSQL folds it.
fn name(text: &str) -> String {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => text.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::are_harmless;

    #[test]
    fn only_rows_and_plain_names_pass() {
        for sql in [
            "SELECT 1 + 1 + 1",
            "CREATE TABLE t AS SELECT 'DROP ROLE a' || 'b'",
            "((SELECT a FROM t))",
            "INSERT INTO t VALUES (lower('x'))",
            "SELECT FROM WHERE",
        ] {
            assert!(are_harmless(sql), "{sql}");
        }
        for sql in [
            "",
            "DROP TABLE t",
            "SELECT 1; DROP TABLE t",
            "SELECT pg_reload_conf() system_user",
            "SELECT \"pg_terminate_backend\"(1)",
            "SELECT U&\"pg\\005freload_conf\"()",
            "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x'",
            "SELECT * FROM pg_authid",
            "COPY t TO PROGRAM 'id'",
            "SELECT query_to_xml('x', true, true, '')",
        ] {
            assert!(!are_harmless(sql), "{sql}");
        }
    }
}
