//! The parts of a CREATE TABLE, cut so that any of them can be changed, added or left out while every other byte stays.

use super::ObjectId;
use crate::lex::{Token, lex_code};
use crate::sql::edit;

/// A CREATE TABLE: `head ( element, element close ) tail`.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Up to and with the opening parenthesis; the whole statement if it has no list of elements.
    pub head: String,
    /// Columns, constraints and LIKE clauses.
    pub elements: Vec<Element>,
    /// What stands between the last element and the closing parenthesis.
    pub close: String,
    /// From the closing parenthesis on.
    pub tail: String,
    /// Whether a query makes it, and fills it: the head is all of its text then.
    pub is_query: bool,
    /// Whether commas stand before the elements, each on its element's line: then they are part of what leads them.
    pub leading_commas: bool,
}

impl Table {
    /// What stands before an element that gets a line of its own, as the others have it; a space in a table on one line.
    pub fn indent(&self) -> String {
        let lead = self.elements.last().map_or("\n    ", |e| e.lead.as_str());
        match lead.rfind('\n') {
            Some(line) => lead[line..].to_string(),
            None if self.elements.is_empty() => "\n    ".into(),
            None => " ".into(),
        }
    }
}

/// An element's place in the list: what stands before it and beside it.
#[derive(Debug, Clone, Default)]
pub struct Element {
    /// The column or constraint; none for a LIKE clause.
    pub object: Option<ObjectId>,
    /// White space and comments before it.
    pub lead: String,
    /// Its text, where it's no object.
    pub text: String,
    /// A comment behind it on its line.
    pub trail: String,
}

/// A column's definition, in pieces.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// Name, type, and each constraint in the author's order.
    pub pieces: Vec<Piece>,
}

/// A piece of a column's definition.
#[derive(Debug, Clone)]
pub struct Piece {
    /// What it says.
    pub what: PieceKind,
    /// What stands before it.
    pub gap: String,
    /// Its text.
    pub text: String,
}

/// What a piece of a column's definition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// The column's name.
    Name,
    /// The type, with collation, storage and compression.
    Type,
    /// DEFAULT.
    Default,
    /// NOT NULL or NULL.
    Nullability,
    /// GENERATED ... AS IDENTITY.
    Identity,
    /// GENERATED ... STORED.
    Generated,
    /// A constraint that is an object of its own.
    Constraint(ObjectId),
}

/// A constraint of a table.
#[derive(Debug, Clone)]
pub struct Constraint {
    /// `CONSTRAINT name` as written, if the author named it.
    pub prefix: Option<String>,
    /// The rest.
    pub text: String,
    /// Where it stands.
    pub place: Place,
    /// The columns that it names, for PostgreSQL's automatic name.
    pub columns: Vec<String>,
    /// The end of PostgreSQL's automatic name: `pkey`, `key`, `check`, `fkey`, `excl`.
    pub suffix: &'static str,
}

/// Where a constraint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a column's definition.
    InColumn,
    /// In the list of the CREATE TABLE.
    InTable,
    /// In an ALTER TABLE of its own.
    Late,
}

/// A CREATE TABLE's text cut at its list: head, the elements' texts with what surrounds them, close, tail. `None` if it
/// has no list. Each element's text comes with the byte at which it starts.
pub fn cut(text: &str) -> Option<(Table, Vec<(usize, String)>)> {
    let tokens = lex_code(text);
    let open = list_start(text, &tokens)?;
    let close = edit::closing(text, &tokens, open)?;
    let parts = edit::split_commas(text, &tokens, open + 1, close);
    let mut table = Table { head: text[..tokens[open].end].to_string(), ..Table::default() };
    let begins_line =
        |pair: &[std::ops::Range<usize>]| text[tokens[pair[0].end - 1].end..tokens[pair[0].end].start].contains('\n');
    table.leading_commas = parts.len() > 1 && parts.windows(2).all(begins_line);
    let mut texts = Vec::new();
    let mut at = tokens[open].end;
    for (i, part) in parts.iter().enumerate() {
        let (start, end) = (tokens[part.start].start, tokens[part.end - 1].end);
        let next = parts.get(i + 1).map_or(tokens[close].start, |p| tokens[p.start].start);
        let comma = parts.get(i + 1).map(|_| tokens[part.end].start);
        let (trail, resume) = match table.leading_commas && comma.is_some() {
            true => line_after(text, end, next),
            false => trail_after(text, end, comma, next),
        };
        table.elements.push(Element { object: None, lead: text[at..start].to_string(), text: String::new(), trail });
        texts.push((start, text[start..end].to_string()));
        at = resume;
    }
    table.close = text[at..tokens[close].start].to_string();
    table.tail = text[tokens[close].start..].to_string();
    Some((table, texts))
}

/// The parenthesis that opens the list: right after the table's name.
fn list_start(text: &str, tokens: &[Token]) -> Option<usize> {
    let mut at = edit::find_word(text, tokens, 0, "table")? + 1;
    if tokens.get(at)?.is(text, "if") {
        at += 3;
    }
    let open = edit::name_end(text, tokens, at);
    (tokens.get(open)?.text(text) == "(").then_some(open)
}

/// What stands behind an element on its line, and where that ends.
fn line_after(text: &str, end: usize, next: usize) -> (String, usize) {
    let line = text[end..next].split('\n').next().unwrap_or("").trim_end_matches('\r');
    let trail = if line.trim().is_empty() { "" } else { line };
    (trail.trim_end().to_string(), end + line.len())
}

/// The comment on an element's own line, before or behind its comma, and where the next element's lead begins.
pub fn trail_after(text: &str, end: usize, comma: Option<usize>, next: usize) -> (String, usize) {
    let from = comma.map_or(end, |c| c + 1);
    let before = comma.map_or("", |c| text[end..c].trim());
    let rest = &text[from..next];
    let line = rest.split('\n').next().unwrap_or("");
    let takes_line = !line.trim().is_empty() && rest.len() > line.len();
    let mut trail = if before.is_empty() { String::new() } else { format!(" {before}") };
    if takes_line {
        trail.push_str(line.trim_end_matches('\r'));
    }
    let resume = if takes_line { from + line.trim_end_matches('\r').len() } else { from };
    (trail, resume)
}

/// A column's definition cut at the byte offsets where its type and its constraints begin.
pub fn cut_column(text: &str, starts: &[(usize, PieceKind)]) -> Column {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut gap_from = 0;
    for (i, (start, what)) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(text.len(), |(s, _)| *s);
        let piece = text[*start..end].trim_end();
        pieces.push(Piece { what: *what, gap: text[gap_from..*start].to_string(), text: piece.to_string() });
        gap_from = start + piece.len();
    }
    Column { pieces }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_cut_without_losing_a_byte() {
        let text = "CREATE TABLE IF NOT EXISTS a.t (\n    -- key\n    id int PRIMARY KEY, -- the key\n    b numeric(1, 2)\n) WITH (x=1)";
        let (table, texts) = cut(text).unwrap();
        let texts: Vec<_> = texts.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(texts, ["id int PRIMARY KEY", "b numeric(1, 2)"]);
        assert_eq!(table.elements[0].lead, "\n    -- key\n    ");
        assert_eq!(table.elements[0].trail, " -- the key");
        assert_eq!(table.elements[1].lead, "\n    ");
        assert_eq!((table.close.as_str(), table.tail.as_str()), ("\n", ") WITH (x=1)"));
    }

    #[test]
    fn a_comment_before_a_leading_comma_stays_beside_its_column() {
        let (table, texts) = cut("CREATE TABLE t (a int -- one\n  , b int)").unwrap();
        assert_eq!((texts[0].1.as_str(), texts[1].1.as_str()), ("a int", "b int"));
        assert_eq!(table.elements[0].trail, " -- one");
    }
}
