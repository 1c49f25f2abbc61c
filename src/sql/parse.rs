//! Parsing with PostgreSQL's own parser (pg_query), with the place of an error, which pg_query's Rust API leaves out.

use super::lex::{Token, lex_code};
use crate::stack;
pub use pg_query::NodeEnum;

/// What pg_query says where it read a statement and can't hand on its tree: that may have 10,000 messages in messages, some
/// 5,000 levels of operators. PostgreSQL takes a little more, if its stack stands it.
const TOO_DEEP: [&str; 2] = ["parse tree is nested too deeply to serialize to protobuf", "stack depth limit exceeded"];

/// Why a text isn't SQL: PostgreSQL's message, and the byte at which it gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// PostgreSQL's words.
    pub message: String,
    /// The byte of the text.
    pub offset: usize,
}

/// The tree of one statement, or `None` for an empty text. One that is nested deeper than a tree can be, on this thread's stack,
/// is a [`NodeEnum::RawStmt`] that holds nothing: it is kept as it stands, and PostgreSQL says whether it is one.
///
/// # Errors
/// PostgreSQL's message when the text isn't a statement.
pub fn parse(sql: &str) -> Result<Option<NodeEnum>, SyntaxError> {
    if !stack::stands(sql) {
        return Ok(Some(untold()));
    }
    match read(sql) {
        Ok(result) => Ok(result.protobuf.stmts.into_iter().next().and_then(|s| s.stmt).and_then(|n| n.node)),
        Err(error) => {
            let message = match error {
                pg_query::Error::Parse(message) => message,
                other => other.to_string(),
            };
            if TOO_DEEP.contains(&message.as_str()) {
                return Ok(Some(untold()));
            }
            let offset = error_offset(sql, &message);
            Err(SyntaxError { message, offset })
        }
    }
}

fn read(sql: &str) -> pg_query::Result<pg_query::ParseResult> {
    stack::reading(sql, || pg_query::parse(sql, 0))
}

/// Stands for a tree that is too deep.
fn untold() -> NodeEnum {
    NodeEnum::RawStmt(Box::default())
}

/// The tree of a text that may hold several statements, such as the body of a function in SQL.
pub fn parse_all(sql: &str) -> Vec<NodeEnum> {
    if !stack::stands(sql) {
        return Vec::new();
    }
    read(sql)
        .map(|r| r.protobuf.stmts.into_iter().filter_map(|s| s.stmt.and_then(|n| n.node)).collect())
        .unwrap_or_default()
}

/// Every text that ends too early fails "at end of input"; the first token that makes it fail otherwise is the culprit.
fn error_offset(sql: &str, message: &str) -> usize {
    let tokens = lex_code(sql);
    if message.contains("at end of input") {
        return tokens.last().map_or(0, |t| t.end);
    }
    let fails_here = |token: &Token| match read(&sql[..token.end]) {
        Err(pg_query::Error::Parse(m)) => !m.contains("at end of input"),
        _ => false,
    };
    let near = message.split("at or near \"").nth(1).and_then(|rest| rest.strip_suffix('"'));
    let index = tokens.partition_point(|t| !fails_here(t));
    match (tokens.get(index), near) {
        (Some(token), Some(near)) if !token.text(sql).starts_with(near) => sql.find(near).unwrap_or(token.start),
        (Some(token), _) => token.start,
        (None, near) => near.and_then(|n| sql.find(n)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_has_its_place() {
        let sql = "CREATE TABLE t (\n  a int,\n  b text nott null,\n  nott int)";
        let error = parse(sql).unwrap_err();
        assert_eq!(error.message, "syntax error at or near \"nott\"");
        assert_eq!(&sql[error.offset..error.offset + 9], "nott null");
    }

    #[test]
    fn what_is_too_deep_is_no_error() {
        let deep = format!("SELECT 1{}", " + 1".repeat(200_000));
        assert!(matches!(parse(&deep), Ok(Some(NodeEnum::RawStmt(_)))));
        let within = stack::on_large(|| parse(&format!("SELECT 1{}", " + 1".repeat(4000))).map(|node| node.is_some()));
        assert_eq!(within, Ok(true));
    }

    #[test]
    fn a_statement_that_stops_too_early_fails_at_its_end() {
        let error = parse("CREATE TABLE t (a int").unwrap_err();
        assert_eq!(error.offset, "CREATE TABLE t (a int".len());
    }
}
