//! The text of a DO block, taken apart: plain statements, guards, and parts that can only change rows.

use crate::sql::lex::{Token, TokenKind};

/// A part of a DO block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A statement of SQL.
    Sql(String),
    /// Something of PL/pgSQL that may change rows, but nothing else.
    Rows(String),
    /// Statements that run only if something isn't there, or is there.
    Guarded(Guard, Vec<Item>),
}

/// What a guard asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    /// Whether its statements run where it finds nothing.
    pub absent: bool,
    /// The query; none for a handler of duplicates, where each statement asks for itself.
    pub asks: Option<String>,
}

/// `BEGIN items [EXCEPTION WHEN duplicate_... THEN nothing] END`.
pub(crate) fn read_block(body: &str, tokens: &[Token]) -> Option<Vec<Item>> {
    let mut at = 0;
    let variables = read_declarations(body, tokens, &mut at)?;
    if !tokens.get(at)?.is(body, "begin") {
        return None;
    }
    at += 1;
    let reader = Reader { body, tokens, variables };
    let items = reader.items(&mut at)?;
    if tokens.get(at)?.is(body, "exception") {
        let (duplicates, end) = read_exception(body, tokens, at)?;
        at = end;
        if !tokens.get(at)?.is(body, "end") {
            return None;
        }
        return Some(if duplicates { vec![Item::Guarded(Guard { absent: true, asks: None }, items)] } else { items });
    }
    tokens.get(at)?.is(body, "end").then_some(items)
}

/// `EXCEPTION WHEN conditions THEN` followed by nothing that does anything; whether all conditions are about duplicates.
fn read_exception(body: &str, tokens: &[Token], at: usize) -> Option<(bool, usize)> {
    let mut duplicates = true;
    let mut i = at + 1;
    while tokens.get(i)?.is(body, "when") {
        i += 1;
        while !tokens.get(i)?.is(body, "then") {
            let word = tokens[i].text(body).to_ascii_lowercase();
            duplicates &= word.starts_with("duplicate_") || word == "or";
            i += 1;
        }
        i += 1;
        while !tokens.get(i)?.is(body, "when") && !tokens[i].is(body, "end") {
            i = skip_statement(body, tokens, i).filter(|_| is_idle(body, &tokens[i]))?;
        }
    }
    duplicates.then_some((duplicates, i))
}

fn is_idle(body: &str, token: &Token) -> bool {
    token.is(body, "null") || token.is(body, "raise")
}

/// Where a statement ends, behind its semicolon.
pub(crate) fn skip_statement(body: &str, tokens: &[Token], from: usize) -> Option<usize> {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(from) {
        match token.text(body) {
            "(" => depth += 1,
            ")" => depth -= 1,
            ";" if depth == 0 => return Some(i + 1),
            _ => {}
        }
    }
    None
}

/// `DECLARE name type [:= value]; ...` and the names.
fn read_declarations(body: &str, tokens: &[Token], at: &mut usize) -> Option<Vec<String>> {
    let mut names = Vec::new();
    if tokens.first()?.is(body, "declare") {
        *at = 1;
        while !tokens.get(*at)?.is(body, "begin") {
            names.push(tokens[*at].name(body)?);
            *at = skip_statement(body, tokens, *at)?;
        }
    }
    Some(names)
}

/// Words of statements that change more than rows, or that may.
const BEYOND_ROWS: &[&str] = &[
    "create",
    "alter",
    "drop",
    "execute",
    "grant",
    "revoke",
    "comment",
    "truncate",
    "perform",
    "call",
    "refresh",
    "reindex",
    "cluster",
    "security",
    "import",
    "commit",
    "rollback",
    "exception",
];

/// Words that begin something of PL/pgSQL rather than a statement of SQL.
const CONTROL: &[&str] = &["if", "for", "foreach", "while", "loop", "case", "begin", "declare"];

struct Reader<'a> {
    body: &'a str,
    tokens: &'a [Token],
    variables: Vec<String>,
}

impl Reader<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|t| t.is(self.body, word))
    }

    fn items(&self, at: &mut usize) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            let token = self.tokens.get(*at)?;
            if ["end", "exception", "else", "elsif"].iter().any(|w| token.is(self.body, w)) {
                return Some(items);
            }
            if token.is(self.body, "if") {
                let mut end = *at;
                if let Some(guarded) = self.guard(&mut end) {
                    items.push(guarded);
                    *at = end;
                    continue;
                }
            }
            if CONTROL.iter().any(|w| token.is(self.body, w)) {
                let end = self.end_of_control(*at)?;
                items.push(self.rows(*at, end)?);
                *at = end;
                continue;
            }
            let end = skip_statement(self.body, self.tokens, *at)?;
            if !is_idle(self.body, token) {
                items.push(self.statement(*at, end)?);
            }
            *at = end;
        }
    }

    /// A single statement, whose semicolon stands right before `end`.
    fn statement(&self, at: usize, end: usize) -> Option<Item> {
        let token = &self.tokens[at];
        if token.is(self.body, "execute") {
            let text = self.tokens.get(at + 1).filter(|_| at + 3 == end)?.text(self.body);
            let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
            return Some(Item::Sql(inner.replace("''", "'")));
        }
        if token.kind != TokenKind::Word || ["perform", "return", "call"].iter().any(|w| token.is(self.body, w)) {
            return None;
        }
        let assigns = self.tokens.get(at + 1).is_some_and(|t| matches!(t.text(self.body), ":=" | "="));
        let uses = self.tokens[at..end].iter().filter_map(|t| t.name(self.body)).any(|n| self.variables.contains(&n));
        if assigns || uses {
            return self.rows(at, end);
        }
        Some(Item::Sql(self.body[token.start..self.tokens[end - 2].end].to_string()))
    }

    /// A part that can change rows and nothing else.
    fn rows(&self, at: usize, end: usize) -> Option<Item> {
        let beyond = |t: &Token| BEYOND_ROWS.iter().any(|w| t.is(self.body, w));
        let tokens = &self.tokens[at..end];
        (!tokens.iter().any(beyond))
            .then(|| Item::Rows(self.body[tokens[0].start..tokens[tokens.len() - 1].end].to_string()))
    }

    /// Where a loop, an IF, a CASE or an inner block ends, behind its semicolon.
    fn end_of_control(&self, from: usize) -> Option<usize> {
        let mut depth = 0;
        let mut at = from;
        loop {
            self.tokens.get(at)?;
            if self.is(at, "end") {
                depth -= 1;
                if ["if", "loop", "case"].iter().any(|w| self.is(at + 1, w)) {
                    at += 1;
                }
                if depth == 0 {
                    return skip_statement(self.body, self.tokens, at);
                }
            } else if ["if", "loop", "case", "begin"].iter().any(|w| self.is(at, w)) {
                depth += 1;
            }
            at += 1;
        }
    }

    /// `IF [NOT] EXISTS (...) THEN items [ELSE idle] END IF;`
    fn guard(&self, at: &mut usize) -> Option<Item> {
        let absent = self.is(*at + 1, "not");
        let exists = *at + 1 + usize::from(absent);
        if !self.is(exists, "exists") || self.tokens.get(exists + 1)?.text(self.body) != "(" {
            return None;
        }
        let close = crate::sql::edit::closing(self.body, self.tokens, exists + 1)?;
        if !self.is(close + 1, "then") {
            return None;
        }
        let asks = self.body[self.tokens[exists + 1].end..self.tokens[close].start].to_string();
        let guard = Guard { absent, asks: Some(asks) };
        *at = close + 2;
        let items = self.items(at)?;
        if self.is(*at, "else") {
            *at += 1;
            if !self.items(at)?.is_empty() {
                return None;
            }
        }
        let ends = self.is(*at, "end") && self.is(*at + 1, "if") && self.tokens.get(*at + 2)?.text(self.body) == ";";
        *at += 3;
        (ends && items.iter().all(|i| matches!(i, Item::Sql(_)))).then_some(Item::Guarded(guard, items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex::lex_code;

    fn read(body: &str) -> Option<Vec<Item>> {
        read_block(body, &lex_code(body))
    }

    #[test]
    fn the_common_guards_are_read_through() {
        let sql = || Item::Sql("CREATE TYPE e AS ENUM ('a')".into());
        let exception = "BEGIN CREATE TYPE e AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN null; END";
        let handler = Guard { absent: true, asks: None };
        assert_eq!(read(exception), Some(vec![Item::Guarded(handler, vec![sql()])]));
        let guard = "BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type) THEN CREATE TYPE e AS ENUM ('a'); END IF; END;";
        let asks = Guard { absent: true, asks: Some("SELECT 1 FROM pg_type".into()) };
        assert_eq!(read(guard), Some(vec![Item::Guarded(asks, vec![sql()])]));
    }

    #[test]
    fn loops_and_other_exceptions_are_not() {
        assert_eq!(read("BEGIN FOR r IN SELECT 1 LOOP EXECUTE 'x'; END LOOP; END"), None);
        assert_eq!(read("BEGIN CREATE TABLE t (); EXCEPTION WHEN others THEN NULL; END"), None);
        assert_eq!(read("BEGIN IF a > 1 THEN DROP TABLE t; END IF; END"), None);
    }

    #[test]
    fn what_can_only_change_rows_is_told_apart() {
        let body = "DECLARE v int; n int := 4; BEGIN v := n + 1; INSERT INTO t VALUES (v); ALTER TABLE t ADD c int;
            FOR r IN SELECT 1 LOOP IF r.a THEN UPDATE t SET c = CASE WHEN true THEN 1 END; END IF; END LOOP; END";
        let items = read(body).unwrap();
        assert!(matches!(items.as_slice(), [Item::Rows(_), Item::Rows(_), Item::Sql(_), Item::Rows(_)]));
        assert_eq!(read("BEGIN EXECUTE 'DROP TABLE t'; END"), Some(vec![Item::Sql("DROP TABLE t".into())]));
        assert_eq!(read("DECLARE v text; BEGIN EXECUTE 'DROP TABLE ' || v; END"), None);
    }
}
