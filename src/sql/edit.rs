//! Edits of a statement's text that leave every other byte as its author wrote it.

use super::lex::{Token, TokenKind, lex_code};
use super::names::quote;
use super::places::{Names, Wanted};
use std::ops::Range;

/// Replaces ranges of `text`; they may come in any order but must not overlap.
pub fn replace(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len() + 32);
    let mut at = 0;
    for (range, with) in edits {
        out.push_str(&text[at..range.start]);
        out.push_str(&with);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Renames every identifier `from` that `wanted` accepts; the closure gets the index of the token asked for.
pub fn rename(text: &str, from: &str, to: &str, wanted: impl Fn(&Names, usize) -> bool) -> String {
    let is_it = |token: &Token| token.name(text).as_deref() == Some(from);
    if !lex_code(text).iter().any(is_it) {
        return text.to_string();
    }
    let names = Names::of(text);
    let edits = (0..names.tokens.len())
        .filter(|i| is_it(&names.tokens[*i]) && wanted(&names, *i))
        .map(|i| (names.tokens[i].start..names.tokens[i].end, quote(to)))
        .collect();
    replace(text, edits)
}

/// Renames a column where it is used: not a function that is called, not what another relation qualifies, not a name that
/// the text gives itself.
pub fn rename_column(text: &str, from: &str, to: &str, relation: &str) -> String {
    rename(text, from, to, |names, i| names.is_column(i, relation))
}

/// Renames a relation, function, type or whatever it is where it is used; what else bears the name keeps it.
pub fn rename_object(text: &str, from: &str, to: &str, wanted: Wanted) -> String {
    rename(text, from, to, |names, i| names.is(i, wanted))
}

/// The index of the first token that is this keyword.
pub fn find_word(text: &str, tokens: &[Token], from: usize, word: &str) -> Option<usize> {
    (from..tokens.len()).find(|i| tokens[*i].kind == TokenKind::Word && tokens[*i].is(text, word))
}

/// Where a possibly qualified name that starts at token `at` ends (the index after its last token).
pub fn name_end(text: &str, tokens: &[Token], at: usize) -> usize {
    let mut end = at + 1;
    while end + 1 < tokens.len() && tokens[end].text(text) == "." {
        end += 2;
    }
    end.min(tokens.len())
}

/// Cuts tokens `from..to` at commas that stand in no parentheses; each part is a range of token indexes.
pub fn split_commas(text: &str, tokens: &[Token], from: usize, to: usize) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), from, 0_i32);
    for (i, token) in tokens.iter().enumerate().take(to).skip(from) {
        match token.text(text) {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "," if depth == 0 => {
                parts.push(start..i);
                start = i + 1;
            }
            _ => {}
        }
    }
    if start < to {
        parts.push(start..to);
    }
    parts
}

/// The index of the token that closes the parenthesis at token `open`.
pub fn closing(text: &str, tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text(text) {
            "(" => depth += 1,
            ")" => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

/// Removes the indentation that all lines after the first share, as the inside of a DO block has one.
pub fn dedent(text: &str) -> String {
    let rest = || text.lines().skip(1).filter(|l| !l.trim().is_empty());
    let indent = rest().map(|l| l.len() - l.trim_start().len()).min().unwrap_or(0);
    let last = text.lines().last().map_or(0, |l| l.len() - l.trim_start().len());
    let cut = indent.min(last.max(indent));
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_string();
    for line in lines {
        out.push('\n');
        out.push_str(line.get(cut.min(line.len() - line.trim_start().len())..).unwrap_or(line));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_renamed_where_it_is_used_and_nowhere_else() {
        let sql = "CREATE INDEX a ON t (a, lower(t.a), a(1)) WHERE u.a > 'a' -- a";
        // The index has the name by chance.
        let want = "CREATE INDEX a ON t (b, lower(t.b), a(1)) WHERE u.a > 'a' -- a";
        assert_eq!(rename_column(sql, "a", "b", "t"), want);
        assert_eq!(rename_column("SELECT a AS a", "a", "b", "t"), "SELECT b AS a");
    }

    #[test]
    fn commas_split_only_at_the_top() {
        let sql = "a (1,2), b, c[1,2]";
        let tokens = lex_code(sql);
        assert_eq!(split_commas(sql, &tokens, 0, tokens.len()).len(), 3);
    }
}
