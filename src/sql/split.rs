//! Cuts a file into statements, each with the comments above it, before anything is parsed, so that one bad statement
//! is reported with its place and the rest is still read.

use super::lex::{TokenKind, token_at};
use std::ops::Range;

/// One statement of a file, in bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// From the end of the statement before to the first word: blank lines and the comments above.
    pub lead: Range<usize>,
    /// The statement, from its first word, without its semicolon.
    pub body: Range<usize>,
    /// After the semicolon, if the file has one.
    pub end: usize,
    /// A comment that follows on the line of the semicolon.
    pub trail: Range<usize>,
    /// The lines that follow `COPY ... FROM stdin;`, without the closing `\.`.
    pub copy_data: Option<Range<usize>>,
    /// A psql meta-command (`\connect`), which no migration tool runs.
    pub is_meta_command: bool,
}

/// All statements of `sql`, in order. Text after the last statement (comments only) belongs to none.
pub fn split(sql: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut from = if sql.starts_with('\u{feff}') { 3 } else { 0 };
    while let Some(piece) = next_piece(sql, from) {
        from = piece.copy_data.as_ref().map_or(piece.trail.end, |d| copy_end(sql, d.end));
        if !piece.body.is_empty() {
            pieces.push(piece);
        }
    }
    pieces
}

/// Where a block comment begins that never ends: all behind it is part of it, and none of it a statement.
pub fn endless_comment(sql: &str) -> Option<usize> {
    let last = split(sql).pop();
    // It can only stand in the last statement or behind it.
    let mut at = match last {
        Some(Piece { copy_data: Some(data), .. }) => copy_end(sql, data.end),
        Some(piece) if piece.is_meta_command => piece.end,
        Some(piece) => piece.body.start,
        None => 0,
    };
    let bytes = sql.as_bytes();
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = token_at(sql, at);
        if kind == TokenKind::Comment && end == bytes.len() && is_endless(&sql[at..]) {
            return Some(at);
        }
        at = end;
    }
    None
}

/// Whether a comment that runs to the end of the text has no end of its own.
fn is_endless(comment: &str) -> bool {
    let (mut depth, mut rest) = (0_usize, comment);
    if !comment.starts_with("/*") {
        return false;
    }
    while let Some(at) = rest.find(['/', '*']) {
        rest = &rest[at..];
        match rest.get(..2) {
            Some("/*") => (depth, rest) = (depth + 1, &rest[2..]),
            Some("*/") => (depth, rest) = (depth.saturating_sub(1), &rest[2..]),
            _ => rest = &rest[1..],
        }
    }
    depth > 0
}

fn next_piece(sql: &str, from: usize) -> Option<Piece> {
    let bytes = sql.as_bytes();
    let start = first_code(sql, from)?;
    if bytes[start] == b'\\' {
        let end = line_end(sql, start);
        let body = start..start + sql[start..end].trim_end().len();
        return Some(Piece { lead: from..start, body, end, trail: end..end, copy_data: None, is_meta_command: true });
    }
    let (last, end) = statement_end(sql, start);
    let trail = trail_of(sql, end);
    let mut piece = Piece { lead: from..start, body: start..last, end, trail, copy_data: None, is_meta_command: false };
    if is_copy_from_stdin(&sql[start..last]) {
        let data = (line_end(sql, end) + 1).min(sql.len());
        piece.copy_data = Some(data..copy_data_end(sql, data));
    }
    Some(piece)
}

fn first_code(sql: &str, from: usize) -> Option<usize> {
    let bytes = sql.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        match token_at(sql, at) {
            (TokenKind::Comment, end) => at = end,
            _ => return Some(at),
        }
    }
    None
}

/// Where the code of the statement ends, and where its semicolon does.
fn statement_end(sql: &str, start: usize) -> (usize, usize) {
    let bytes = sql.as_bytes();
    let (mut at, mut last, mut depth, mut atomic) = (start, start, 0_usize, 0_usize);
    let mut before = "";
    let routine = is_create_routine(sql, start);
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = token_at(sql, at);
        let text = &sql[at..end];
        match (kind, text) {
            (TokenKind::Comment, _) => {
                at = end;
                continue;
            }
            (_, "(" | "[") => depth += 1,
            (_, ")" | "]") => depth = depth.saturating_sub(1),
            (_, ";") if depth == 0 && atomic == 0 => return (last, end),
            (TokenKind::Word, word) if routine && atomic > 0 && word.eq_ignore_ascii_case("case") => atomic += 1,
            (TokenKind::Word, word) if atomic > 0 && word.eq_ignore_ascii_case("end") => atomic -= 1,
            (TokenKind::Word, word)
                if routine && word.eq_ignore_ascii_case("atomic") && before.eq_ignore_ascii_case("begin") =>
            {
                atomic += 1;
            }
            _ => {}
        }
        (before, last, at) = (text, end, end);
    }
    (last, bytes.len())
}

/// Only a routine can have a `BEGIN ATOMIC` body with semicolons of its own.
fn is_create_routine(sql: &str, start: usize) -> bool {
    let mut words = sql[start..].split_ascii_whitespace().take(4).map(str::to_ascii_lowercase);
    words.next().as_deref() == Some("create") && words.any(|w| w == "function" || w == "procedure")
}

fn line_end(sql: &str, at: usize) -> usize {
    sql[at..].find('\n').map_or(sql.len(), |n| at + n)
}

fn trail_of(sql: &str, end: usize) -> Range<usize> {
    let line = &sql[end..line_end(sql, end)];
    let rest = line.trim_start_matches([' ', '\t']);
    if rest.starts_with("--") { end..end + line.trim_end().len() } else { end..end }
}

fn is_copy_from_stdin(body: &str) -> bool {
    if !body.get(..4).is_some_and(|w| w.eq_ignore_ascii_case("copy")) {
        return false;
    }
    let words: Vec<String> = body.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
    words.windows(2).any(|w| w[0] == "from" && w[1] == "stdin")
}

fn copy_data_end(sql: &str, from: usize) -> usize {
    let mut at = from;
    for line in sql[from..].split_inclusive('\n') {
        if line.trim_end() == "\\." {
            return at;
        }
        at += line.len();
    }
    at
}

fn copy_end(sql: &str, data_end: usize) -> usize {
    if sql[data_end..].starts_with("\\.") { line_end(sql, data_end) } else { data_end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(sql: &str) -> Vec<&str> {
        split(sql).into_iter().map(|p| &sql[p.body]).collect()
    }

    #[test]
    fn comments_above_and_beside_go_with_their_statement() {
        let sql = "-- head\n\n-- one\nSELECT 1; -- beside\n-- two\nSELECT 2\n-- tail\n";
        let pieces = split(sql);
        assert_eq!(&sql[pieces[0].lead.clone()], "-- head\n\n-- one\n");
        assert_eq!(&sql[pieces[0].trail.clone()], " -- beside");
        assert_eq!(&sql[pieces[1].lead.clone()], "\n-- two\n");
        assert_eq!(&sql[pieces[1].body.clone()], "SELECT 2");
    }

    #[test]
    fn semicolons_inside_bodies_do_not_split() {
        let sql = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\
                   CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);DO $$ BEGIN; END $$;BEGIN;COMMIT";
        assert_eq!(bodies(sql).len(), 5);
    }

    #[test]
    fn copy_data_is_not_sql() {
        let sql = "COPY t (a) FROM stdin;\n1\n;\n\\.\nSELECT 1;";
        let pieces = split(sql);
        assert_eq!(pieces.len(), 2);
        assert_eq!(&sql[pieces[0].copy_data.clone().unwrap()], "1\n;\n");
    }

    #[test]
    fn a_comment_without_an_end_is_found_wherever_it_begins() {
        fn endless(sql: &str) -> Option<&str> {
            endless_comment(sql).map(|at| &sql[at..])
        }
        assert_eq!(endless("SELECT 1;\n/* SELECT 2;"), Some("/* SELECT 2;"));
        assert_eq!(endless("SELECT 1 /* a /* b */ ; SELECT 2;"), Some("/* a /* b */ ; SELECT 2;"));
        assert_eq!(endless("/*"), Some("/*"));
        assert_eq!(endless("COPY t FROM stdin;\n/*\n\\.\n/*é"), Some("/*é"));
        for fine in
            ["", "SELECT '/*';", "/* a */", "-- /*", "SELECT 1; /* /* */ */", "COPY t FROM stdin;\n/*\n\\.\n", "\\x /*"]
        {
            assert_eq!(endless(fine), None, "{fine}");
        }
    }

    #[test]
    fn meta_commands_are_marked() {
        let pieces = split("\\connect x\nSELECT 1;");
        assert!(pieces[0].is_meta_command && !pieces[1].is_meta_command);
    }
}
