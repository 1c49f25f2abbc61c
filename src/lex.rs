//! Cuts SQL text into tokens without ever failing, so that positions are known even where PostgreSQL's parser gives none.
//!
//! The rules are those of PostgreSQL's `scan.l`: nested block comments, `E''` strings with backslashes, dollar quotes,
//! quoted identifiers with doubled quotes. An unterminated literal runs to the end of the text.

use std::collections::HashSet;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword or an identifier without quotes.
    Word,
    /// An identifier in double quotes.
    Quoted,
    /// A string, plain, with a prefix, or dollar-quoted.
    Literal,
    /// A number.
    Number,
    /// One character of punctuation, or an operator.
    Symbol,
    /// A line or block comment.
    Comment,
}

/// A token: its kind and where it stands, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Token {
    /// The token's text.
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.start..self.end]
    }

    /// Whether it is this keyword, in any case.
    pub fn is(&self, sql: &str, word: &str) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Symbol) && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// The name that the token stands for as an identifier: folded to lower case, or without its quotes.
    pub fn name(&self, sql: &str) -> Option<String> {
        match self.kind {
            TokenKind::Word => Some(self.text(sql).to_lowercase()),
            TokenKind::Quoted => Some(self.text(sql).trim_matches('"').replace("\"\"", "\"")),
            _ => None,
        }
    }

    /// What stands between the quotes of a string.
    pub fn inside<'a>(&self, sql: &'a str) -> Option<&'a str> {
        let text = self.text(sql);
        let quote = match self.kind {
            TokenKind::Literal if text.starts_with('$') => &text[..=text[1..].find('$')? + 1],
            TokenKind::Literal => "'",
            _ => return None,
        };
        let rest = text.split_once(quote)?.1;
        Some(rest.strip_suffix(quote).unwrap_or(rest))
    }
}

/// All tokens of `sql`, comments among them.
pub fn lex(sql: &str) -> Vec<Token> {
    let bytes = sql.as_bytes();
    let mut tokens = Vec::with_capacity(sql.len() / 5);
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = token_at(sql, at);
        tokens.push(Token { kind, start: at, end });
        at = end;
    }
    tokens
}

/// The tokens of `sql` without its comments.
pub fn lex_code(sql: &str) -> Vec<Token> {
    let mut tokens = lex(sql);
    tokens.retain(|t| t.kind != TokenKind::Comment);
    tokens
}

/// The names that stand in a text's code, as [`Token::name`] gives them.
pub fn names(sql: &str) -> HashSet<String> {
    lex_code(sql).iter().filter_map(|t| t.name(sql)).collect()
}

/// The words of a text, in small letters; those inside of strings and comments too.
pub fn words(sql: &str) -> HashSet<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    sql.split(|c| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// The kind of the token that starts at byte `at`, and where it ends.
pub fn token_at(sql: &str, at: usize) -> (TokenKind, usize) {
    let bytes = sql.as_bytes();
    let next = bytes.get(at + 1).copied();
    match bytes[at] {
        b'-' if next == Some(b'-') => (TokenKind::Comment, line_end(bytes, at)),
        b'/' if next == Some(b'*') => (TokenKind::Comment, block_comment_end(bytes, at)),
        b'\'' => (TokenKind::Literal, quoted_end(bytes, at + 1, b'\'', false)),
        b'"' => (TokenKind::Quoted, quoted_end(bytes, at + 1, b'"', false)),
        b'$' => dollar(sql, at),
        b'e' | b'E' if next == Some(b'\'') => (TokenKind::Literal, quoted_end(bytes, at + 2, b'\'', true)),
        b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if next == Some(b'\'') => {
            (TokenKind::Literal, quoted_end(bytes, at + 2, b'\'', false))
        }
        b'0'..=b'9' => {
            (TokenKind::Number, while_at(bytes, at, |b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_'))
        }
        b if is_word_start(b) => (TokenKind::Word, while_at(bytes, at, is_word)),
        b if b"+-*/<>=~!@#%^&|`?".contains(&b) => (TokenKind::Symbol, operator_end(bytes, at)),
        b':' if next == Some(b':') || next == Some(b'=') => (TokenKind::Symbol, at + 2),
        _ => (TokenKind::Symbol, at + 1),
    }
}

fn is_word_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}

fn is_word(b: u8) -> bool {
    is_word_start(b) || b.is_ascii_digit() || b == b'$'
}

fn while_at(bytes: &[u8], at: usize, wanted: impl Fn(u8) -> bool) -> usize {
    bytes[at..].iter().position(|b| !wanted(*b)).map_or(bytes.len(), |n| at + n)
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    let end = while_at(bytes, at, |b| b != b'\n');
    if end > at && bytes[end - 1] == b'\r' { end - 1 } else { end }
}

fn block_comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i + 1 < bytes.len() {
        match (bytes[i], bytes[i + 1]) {
            (b'/', b'*') => (depth, i) = (depth + 1, i + 2),
            (b'*', b'/') => {
                (depth, i) = (depth - 1, i + 2);
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    bytes.len()
}

fn quoted_end(bytes: &[u8], from: usize, quote: u8, backslashes: bool) -> usize {
    let mut i = from;
    while i < bytes.len() {
        if backslashes && bytes[i] == b'\\' {
            i += 2;
        } else if bytes[i] == quote {
            if bytes.get(i + 1) != Some(&quote) {
                return i + 1;
            }
            i += 2;
        } else {
            i += 1;
        }
    }
    bytes.len()
}

fn dollar(sql: &str, at: usize) -> (TokenKind, usize) {
    let bytes = sql.as_bytes();
    if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
        return (TokenKind::Symbol, while_at(bytes, at + 1, |b| b.is_ascii_digit()));
    }
    let tag_end = while_at(bytes, at + 1, |b| is_word_start(b) || b.is_ascii_digit());
    if bytes.get(tag_end) != Some(&b'$') {
        return (TokenKind::Symbol, at + 1);
    }
    let tag = &sql[at..=tag_end];
    let end = sql[tag_end + 1..].find(tag).map_or(sql.len(), |n| tag_end + 1 + n + tag.len());
    (TokenKind::Literal, end)
}

/// An operator ends where a comment begins: `+--x` is a plus and a comment.
fn operator_end(bytes: &[u8], at: usize) -> usize {
    let mut i = at;
    while i < bytes.len() && b"+-*/<>=~!@#%^&|`?".contains(&bytes[i]) {
        let pair = (bytes[i], bytes.get(i + 1).copied());
        if i > at && (pair == (b'-', Some(b'-')) || pair == (b'/', Some(b'*'))) {
            break;
        }
        i += 1;
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        lex(sql).iter().map(|t| t.text(sql)).collect()
    }

    #[test]
    fn strings_are_looked_into() {
        let sql = "SELECT 'a b', E'c', $$d$$, $x$e $$ f$x$, g";
        let inside: Vec<&str> = lex(sql).iter().filter_map(|t| t.inside(sql)).collect();
        assert_eq!(inside, ["a b", "c", "d", "e $$ f"]);
        assert_eq!(names(sql), HashSet::from(["select".to_string(), "g".to_string()]));
        assert_eq!(words("'A b'--c"), HashSet::from(["a", "b", "c"].map(str::to_string)));
    }

    #[test]
    fn strings_comments_and_dollar_quotes_are_one_token_each() {
        let sql = "a/* x /* y */ z */'it''s' E'\\'' $f$ ; $f$ \"q\"\"r\" b--c\n$1::int";
        let want =
            ["a", "/* x /* y */ z */", "'it''s'", "E'\\''", "$f$ ; $f$", "\"q\"\"r\"", "b", "--c", "$1", "::", "int"];
        assert_eq!(texts(sql), want);
    }

    #[test]
    fn an_unterminated_literal_runs_to_the_end() {
        assert_eq!(texts("x 'abc"), ["x", "'abc"]);
        assert_eq!(texts("$$ abc"), ["$$ abc"]);
    }

    #[test]
    fn names_fold_as_postgresql_folds_them() {
        let sql = "Foo \"Foo\"";
        let names: Vec<_> = lex(sql).iter().filter_map(|t| t.name(sql)).collect();
        assert_eq!(names, ["foo", "Foo"]);
    }
}
