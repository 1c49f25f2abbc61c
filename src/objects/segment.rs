//! The commands of an ALTER TABLE as the author wrote them: the text of each, and the comments that are its own.

use super::element::trail_after;
use crate::sql::edit;
use crate::sql::lex::{Token, lex_code};

/// One command of an ALTER TABLE, as text.
pub(crate) struct Segment {
    /// Where it begins in the statement.
    pub start: usize,
    /// Its text.
    pub text: String,
    /// Comment lines above it, within the statement.
    pub lead: Vec<String>,
    /// A comment behind it on its line.
    pub trail: String,
    /// The statement with this command only.
    pub alone: String,
}

/// The commands of an ALTER TABLE as texts.
pub(crate) fn segments(text: &str) -> Vec<Segment> {
    let tokens = lex_code(text);
    let Some(first) = first_command(text, &tokens) else { return Vec::new() };
    let parts = edit::split_commas(text, &tokens, first, tokens.len());
    // A comment between the name and the first command is that command's.
    let named = first.checked_sub(1).map_or(0, |last| tokens[last].end);
    let head = &text[..named];
    let mut segments: Vec<Segment> = Vec::new();
    let mut at = named;
    for (i, part) in parts.iter().enumerate() {
        let (start, end) = (tokens[part.start].start, tokens[part.end - 1].end);
        let next = parts.get(i + 1).map_or(text.len(), |p| tokens[p.start].start);
        let (trail, resume) = trail_after(text, end, parts.get(i + 1).map(|_| tokens[part.end].start), next);
        let lead = text[at..start].lines().map(str::trim).filter(|l| l.starts_with("--")).map(String::from).collect();
        let body = text[start..end].to_string();
        let alone = if parts.len() == 1 { text.to_string() } else { format!("{}{body}", one_line(head)) };
        segments.push(Segment { start, text: body, lead, trail, alone });
        at = resume;
    }
    segments
}

fn one_line(head: &str) -> String {
    format!("{} ", head.trim_end())
}

/// ALTER TABLE [IF EXISTS] [ONLY] name [*] ...
fn first_command(text: &str, tokens: &[Token]) -> Option<usize> {
    let mut at = 1;
    while ["table", "index", "view", "sequence", "materialized", "foreign", "type"]
        .iter()
        .any(|w| tokens.get(at).is_some_and(|t| t.is(text, w)))
        && at < 3
    {
        at += 1;
        if !tokens.get(at - 1)?.is(text, "materialized") && !tokens.get(at - 1)?.is(text, "foreign") {
            break;
        }
    }
    if tokens.get(at)?.is(text, "if") {
        at += 2;
    }
    if tokens.get(at)?.is(text, "only") {
        at += 1;
    }
    at = edit::name_end(text, tokens, at);
    if tokens.get(at)?.text(text) == "*" {
        at += 1;
    }
    (at < tokens.len()).then_some(at)
}
