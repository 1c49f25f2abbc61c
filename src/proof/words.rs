//! What the judge reads from the words of a statement, without a parser.

use std::sync::LazyLock;

use regex::Regex;

use super::{Draws, ReplayStatement};
use crate::scratch::extensions;

/// Whether PostgreSQL refuses the statement inside a transaction block, whatever the database holds.
pub(super) fn runs_alone(sql: &str) -> bool {
    static ALONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let words = r"(?is)^\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:(?:create\s+(?:unique\s+)?|drop\s+|re)index\s+(?:\w+\s+)?concurrently\b|vacuum\b)";
        Regex::new(words).ok()
    });
    ALONE.as_ref().is_some_and(|alone| alone.is_match(sql))
}

/// What a statement does to the transaction around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Word {
    /// Opens one.
    Opens,
    /// Closes it.
    Closes,
}

/// Whether a statement opens or closes a transaction.
pub(super) fn transaction_word(text: &str) -> Option<Word> {
    let mut words = words(text);
    match words.next()?.as_str() {
        "begin" => Some(Word::Opens),
        "start" => (words.next()? == "transaction").then_some(Word::Opens),
        "rollback" => {
            let mut rest = words.filter(|word| word != "work" && word != "transaction");
            (rest.next().as_deref() != Some("to")).then_some(Word::Closes)
        }
        "commit" | "end" | "abort" => Some(Word::Closes),
        "prepare" => (words.next()? == "transaction").then_some(Word::Closes),
        _ => None,
    }
}

/// Whether a statement gives the session back to who logged in.
pub(super) fn gives_back_session(text: &str) -> bool {
    let words = words(text).take(5).collect::<Vec<_>>().join(" ");
    let begins = ["reset session authorization", "reset session_authorization", "discard all"];
    let is = ["set session authorization default", "set session session authorization default"];
    begins.iter().any(|begin| words.starts_with(begin)) || is.contains(&words.as_str())
}

/// Whether a statement gives back the search_path that the session began with.
pub(super) fn gives_back_path(text: &str) -> bool {
    let words = words(text).take(5).collect::<Vec<_>>().join(" ");
    let begins = ["reset search_path", "reset all", "discard all"];
    let is = ["set search_path to default", "set search_path default", "set session search_path to default"];
    begins.iter().any(|begin| words.starts_with(begin)) || is.contains(&words.as_str())
}

/// Whether a statement changes what later connections find, such as a role's search_path.
pub(super) fn sets_for_later(text: &str) -> bool {
    static ALTER: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?is)\balter\s+(role|user|database)\b.*\b(set|reset)\b").ok());
    ALTER.as_ref().is_some_and(|alter| alter.is_match(text))
}

/// How often statements name a function whose values may be of few outcomes, such as the truth values of `random() < 0.5`.
/// It only says whether replays that are alike are reason enough to replay once more.
pub(super) fn draws<'a>(texts: impl Iterator<Item = &'a str>) -> Draws {
    static DRAW: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)\b(?:random(?:_normal)?|gen_random_bytes)\s*\(|\btablesample\b").ok());
    let mut draws = Draws::default();
    for text in texts {
        let count = DRAW.as_ref().map_or(0, |draw| draw.find_iter(text).count());
        if count == 0 {
            continue;
        }
        let mut head = words(text).filter(|word| word != "or" && word != "replace").take(2);
        let makes = head.next().is_some_and(|word| word == "create");
        let is_function = makes && head.next().is_some_and(|word| word == "function" || word == "procedure");
        *(if is_function { &mut draws.in_functions } else { &mut draws.at_once }) += count;
    }
    draws
}

/// Whether the row count that PostgreSQL reports is the number of rows that the statement touched.
///
/// After WITH it is so only if the last part writes and no other part does.
pub(super) fn counts_rows(text: &str) -> bool {
    let writes = |word: &str| ["insert", "update", "delete", "merge"].contains(&word);
    match words(text).next().as_deref() {
        Some("with") => {
            let mut depth = 0_i32;
            let (mut outer, mut inner) = (None, false);
            for word in tokens(text) {
                match word.as_str() {
                    "(" => depth += 1,
                    ")" => depth -= 1,
                    _ if writes(&word) && depth > 0 => inner = true,
                    _ if depth == 0 && outer.is_none() && (writes(&word) || word == "select") => outer = Some(word),
                    _ => {}
                }
            }
            !inner && outer.is_some_and(|word| writes(&word))
        }
        Some("copy") => true,
        Some(word) => writes(word),
        None => false,
    }
}

/// The words of a statement in lower case, without leading comments.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let bare = &text[comment_end(text)..];
    let words = bare.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

/// Words and parentheses of a statement, in lower case.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text[comment_end(text)..].chars().chain([' ']) {
        if c.is_alphanumeric() || c == '_' {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if c == '(' || c == ')' {
            tokens.push(c.to_string());
        }
    }
    tokens
}

/// Where the comments and blanks at the start of a text end.
pub(super) fn comment_end(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start().len();
        let rest = &rest[blank..];
        at += blank;
        if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else {
            return at;
        }
    }
}

/// The extension that a statement creates, and the line, if that is all the statement does.
pub(super) fn leading_extension(statement: &ReplayStatement) -> Option<(String, usize)> {
    let start = comment_end(&statement.text);
    let bare = &statement.text[start..];
    let creates = words(bare).take(2).eq(["create", "extension"]);
    let name = creates.then(|| extensions::named([bare])).into_iter().flatten().next()?;
    Some((name, statement.line + statement.text[..start].matches('\n').count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_words_are_statements_of_their_own() {
        assert_eq!(transaction_word("-- x\n BEGIN;"), Some(Word::Opens));
        assert_eq!(transaction_word("start transaction isolation level serializable"), Some(Word::Opens));
        assert_eq!(transaction_word("COMMIT AND CHAIN"), Some(Word::Closes));
        assert_eq!(transaction_word("ROLLBACK TO SAVEPOINT a"), None);
        assert_eq!(transaction_word("DO $$ BEGIN COMMIT; END $$"), None);
    }

    #[test]
    fn rows_count_where_the_statement_writes_them_itself() {
        assert!(counts_rows("/* a */ UPDATE t SET a = 1"));
        assert!(counts_rows("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a"));
        assert!(!counts_rows("WITH a AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM a"));
        assert!(!counts_rows("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a"));
        assert!(!counts_rows("SELECT f()"));
        assert!(!counts_rows("CREATE TABLE t AS SELECT 1"));
    }

    #[test]
    fn what_is_drawn_by_chance_is_counted() {
        let of = |text: &str| draws([text].into_iter());
        let at_once = |count: usize| Draws { at_once: count, in_functions: 0 };
        assert_eq!(of("INSERT INTO t SELECT random() < 0.5, RANDOM (1, 6), gen_random_uuid()"), at_once(2));
        assert_eq!(of("CREATE TABLE random_things (random int)"), at_once(0));
        let function = "CREATE OR REPLACE FUNCTION f() RETURNS float LANGUAGE sql AS 'SELECT random()'";
        assert_eq!(of(function), Draws { at_once: 0, in_functions: 1 });
    }

    #[test]
    fn settings_for_later_connections_are_seen() {
        assert!(sets_for_later("DO $$ BEGIN EXECUTE 'ALTER DATABASE x SET search_path = a'; END $$"));
        assert!(!sets_for_later("SET search_path = a"));
    }
}
