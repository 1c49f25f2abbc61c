//! How deep the tree of a text may be, before anything is parsed: never less than it will be, often more.

use crate::lex::{TokenKind, token_at};

/// What can deepen a tree at one level of brackets, since what ends it: a chain of operators ends at a comma, `AND` or `OR`,
/// which make lists; a chain of joins at a comma; a chain of `UNION` only with the statement.
#[derive(Default, Clone, Copy)]
struct Level {
    operators: usize,
    joins: usize,
    unions: usize,
    is_case: bool,
}

impl Level {
    fn depth(&self) -> usize {
        1 + self.operators + self.joins + self.unions
    }
}

/// Words that are operators.
const OPERATORS: &[&str] =
    &["not", "is", "isnull", "notnull", "in", "like", "ilike", "similar", "between", "escape", "collate", "at"];
/// Words after which another expression begins, beside what was before.
const ANEW: &[&str] = &["and", "or", "when", "then", "else", "select", "where", "having", "on", "default"];

/// The entries of the parser's own stack (bison's YYMAXDEPTH). A bracket that is open takes one at least, so with more of them it
/// gives up, with PostgreSQL's words, before there is a tree.
const BRACKETS: usize = 10_000;

/// The depth of the deepest place of a text; none if PostgreSQL's parser gives up by itself.
pub fn of(sql: &str) -> Option<usize> {
    let bytes = sql.as_bytes();
    let (mut levels, mut below, mut deepest, mut open, mut at) = (vec![Level::default()], 0, 0, 0_usize, 0);
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = token_at(sql, at);
        let word = if kind == TokenKind::Word { sql[at..end].to_ascii_lowercase() } else { String::new() };
        let sign = if kind == TokenKind::Symbol { &sql[at..end] } else { "" };
        let (opens, closes) = (matches!(sign, "(" | "["), matches!(sign, ")" | "]"));
        // `case` may be a column's name too: it opens no bracket.
        open = if opens { open + 1 } else { open.saturating_sub(usize::from(closes)) };
        if open > BRACKETS {
            return None;
        }
        let level = levels.last_mut()?;
        if opens || word == "case" {
            below += level.depth();
            levels.push(Level { is_case: word == "case", ..Level::default() });
        } else if closes || (word == "end" && level.is_case) {
            // A bracket too many is the parser's to refuse.
            if levels.len() > 1 {
                levels.pop();
                below -= levels.last().map_or(0, Level::depth);
            }
            // What follows a bracket may go on with it: `(a)(b)`, `a[1][2]`.
            levels.last_mut().into_iter().for_each(|level| level.operators += 1);
        } else {
            level.meet(kind, &sql[at..end], &word);
        }
        deepest = deepest.max(below + levels.last().map_or(0, Level::depth));
        at = end;
    }
    Some(deepest)
}

impl Level {
    fn meet(&mut self, kind: TokenKind, text: &str, word: &str) {
        match (kind, text) {
            (TokenKind::Symbol, ";") => *self = Level { is_case: self.is_case, ..Level::default() },
            (TokenKind::Symbol, ",") => (self.operators, self.joins) = (0, 0),
            (TokenKind::Symbol, ".") => {}
            // PostgreSQL reads several operators where only such signs stand together: `+-+-`.
            (TokenKind::Symbol, signs) if signs.bytes().all(|b| b"+-*/<>=".contains(&b)) => {
                self.operators += signs.len()
            }
            (TokenKind::Symbol, _) => self.operators += 1,
            (TokenKind::Word, _) => match word {
                "join" => (self.operators, self.joins) = (0, self.joins + 1),
                "union" | "intersect" | "except" => {
                    (self.operators, self.joins, self.unions) = (0, 0, self.unions + 1);
                }
                word if ANEW.contains(&word) => self.operators = 1,
                word if OPERATORS.contains(&word) => self.operators += 1,
                _ => {}
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_and_brackets_are_deep() {
        let chain = |first: &str, part: &str| of(&format!("SELECT {first}{}", part.repeat(500))).unwrap();
        for (first, part) in [
            ("a", " || a"),
            ("a", "+a"),
            ("", "- "),
            ("", "+-+"),
            ("", "NOT "),
            ("a", "::text"),
            ("a", " COLLATE x"),
            ("a", " AT TIME ZONE b"),
            ("a", " IS NULL"),
            ("", "f("),
            ("", "(SELECT "),
            ("", "ARRAY["),
            ("", "CASE WHEN a AND b THEN "),
            ("a, b FROM c, d", " UNION ALL SELECT a, b FROM c, d"),
            ("a FROM b", " JOIN c ON d AND e"),
        ] {
            assert!(chain(first, part) >= 500, "{first}{part}: {}", chain(first, part));
        }
    }

    #[test]
    fn what_the_parser_gives_up_has_no_tree() {
        assert_eq!((of(&"(".repeat(9000)).is_some(), of(&"(".repeat(20_000))), (true, None));
    }

    #[test]
    fn lists_are_flat() {
        let list = |first: &str, part: &str| of(&format!("{first}{}", part.repeat(500))).unwrap();
        for (first, part) in [
            ("INSERT INTO t VALUES (1, 2)", ", (1 + 2, 'a')"),
            ("SELECT a", ", b || c"),
            ("SELECT a = 1", " OR a = b AND c <> 1"),
            ("SELECT CASE a", " WHEN 1 + 1 THEN 2"),
            ("SELECT 1", "; SELECT 1 + 1"),
            ("SELECT a", ", CASE WHEN b THEN 1 END"),
        ] {
            assert!(list(first, part) < 10, "{first}{part}: {}", list(first, part));
        }
    }
}
