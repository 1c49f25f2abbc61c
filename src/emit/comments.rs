//! The comments of what lives: those that stand above, beside or inside what is in the new set; and which of them aren't.

use super::Proven;
use super::provenance::is_annotation;
use crate::error::At;
use crate::history::{History, Statement, StatementId};
use crate::ledger::What;
use crate::objects::segments;
use crate::replay::Model;
use crate::schema::ObjectId;
use crate::sql::lex::{TokenKind, lex};
use pg_query::NodeEnum;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;

/// What a layout or a tool reads in a comment above a statement. The new set has its own.
pub(super) const MARKS: [&str; 2] = ["-- no-transaction", "--> statement-breakpoint"];

/// A line of a comment, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct CommentLine {
    /// Where.
    #[serde(flatten)]
    pub at: At,
    /// The line.
    pub text: String,
}

/// The comment lines of the history from a file on that stand right above a statement of which something lives, beside it, or
/// inside it beside what lives. A comment of a statement that was written anew later isn't among them, nor is one that an empty
/// line sets off.
pub fn comments_of_what_lives(history: &History, model: &Model, first_file: usize) -> Vec<CommentLine> {
    comments(history, model, first_file, &[])
}

fn comments(history: &History, model: &Model, first_file: usize, without: &[StatementId]) -> Vec<CommentLine> {
    let mut found = BTreeSet::new();
    let without: HashSet<&StatementId> = without.iter().collect();
    for (id, parts) in living_parts(model) {
        let statement = &history.statements[id];
        if statement.file < first_file || without.contains(&id) {
            continue;
        }
        let text = &history.files[statement.file].text;
        let mut ranges = vec![near(text, &statement.piece.lead)];
        if last_lives(history, id, &parts) {
            ranges.push(statement.piece.trail.clone());
        }
        ranges.extend(inside(history, id, &parts));
        for range in ranges {
            found.extend(comment_lines(history, statement, range));
        }
    }
    found.into_iter().map(|(_, _, line)| line).collect()
}

/// Those of them that aren't in the set. Statements that touched no row aren't there, nor what is said of them.
pub fn comments_left_out(history: &History, model: &Model, first_file: usize, proven: &Proven) -> Vec<CommentLine> {
    let lines = proven.set.files.iter().flat_map(|file| lines_of(&file.text, 0..file.text.len()));
    let there: HashSet<String> = lines.map(|(_, line)| line).collect();
    let mut all = comments(history, model, first_file, &proven.backfills);
    all.retain(|comment| !there.contains(&comment.text));
    all
}

/// The statements of which something lives that no later one wrote anew, and the places in them, in bytes, of what lives.
fn living_parts(model: &Model) -> BTreeMap<StatementId, BTreeSet<usize>> {
    let schema = &model.schema;
    let is_held_anew = |id: ObjectId, at: StatementId| schema.is_unit(id) && schema.objects[id].source > at;
    let mut found: BTreeMap<StatementId, BTreeSet<usize>> = BTreeMap::new();
    for event in model.ledger.events.iter().filter(|e| schema.lives(e.object)) {
        let makes = matches!(event.what, What::Born | What::Folded(_) | What::Superseded(_));
        if makes && !is_held_anew(event.object, event.statement) && schema.objects[event.object].schema != "pg_temp" {
            found.entry(event.statement).or_default().insert(event.offset);
        }
    }
    found
}

/// The part of what leads a statement that no empty line sets off.
fn near(text: &str, lead: &Range<usize>) -> Range<usize> {
    let mut start = lead.start;
    let mut at = lead.start;
    let lines: Vec<&str> = text[lead.clone()].split_inclusive('\n').collect();
    for (number, line) in lines.iter().enumerate() {
        at += line.len();
        // What precedes the first end of line is the rest of the line before.
        if number > 0 && line.ends_with('\n') && line.trim().is_empty() {
            start = at;
        }
    }
    start..lead.end
}

/// Whether that lives which the comment behind a statement is about: of an ALTER TABLE the last command.
fn last_lives(history: &History, id: StatementId, living: &BTreeSet<usize>) -> bool {
    let commands = match &history.statements[id].node {
        NodeEnum::AlterTableStmt(_) => segments(history.text(id)),
        _ => Vec::new(),
    };
    commands.len() < 2 || commands.last().is_some_and(|last| living.contains(&last.start))
}

/// The ranges of the file, inside a statement, that are about what lives: the elements of a table and the commands of an ALTER
/// TABLE each for itself, of all else the whole.
fn inside(history: &History, id: StatementId, living: &BTreeSet<usize>) -> Vec<Range<usize>> {
    let body = history.statements[id].piece.body.clone();
    let text = history.text(id);
    let starts: Vec<usize> = match &history.statements[id].node {
        NodeEnum::CreateStmt(_) => match crate::objects::cut(text) {
            Some((_, elements)) => elements.into_iter().map(|(start, _)| start).collect(),
            None => Vec::new(),
        },
        NodeEnum::AlterTableStmt(_) => segments(text).into_iter().map(|segment| segment.start).collect(),
        _ => Vec::new(),
    };
    if starts.len() < 2 {
        return vec![body];
    }
    // What stands behind the opening parenthesis is about the table.
    let head_end = text[..starts[0]].find('\n').unwrap_or(starts[0]);
    let mut ranges: Vec<Range<usize>> = std::iter::once(body.start..body.start + head_end).collect();
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(text.len());
        // What leads the next one begins on the line after this one's.
        let lead = if number == 0 { head_end } else { line_end(text, starts[number - 1], *start) };
        if living.contains(start) {
            ranges.push(body.start + lead..body.start + line_end(text, *start, end));
        }
    }
    ranges
}

/// Where the line ends on which the code of a part of a statement ends: `end` at the most.
fn line_end(text: &str, start: usize, end: usize) -> usize {
    let last = lex(&text[start..end]).into_iter().rfind(|t| t.kind != TokenKind::Comment);
    let from = start + last.map_or(0, |token| token.end);
    text[from..end].find('\n').map_or(end, |at| from + at)
}

/// The lines of the comments in a range of a statement's file. They sort by their place.
fn comment_lines(
    history: &History,
    statement: &Statement,
    range: Range<usize>,
) -> impl Iterator<Item = (usize, usize, CommentLine)> {
    let file = &history.files[statement.file];
    let lines = lines_of(&file.text, range).into_iter();
    lines.map(move |(at, text)| {
        let line = file.line_of(at);
        (statement.file, line, CommentLine { at: At::new(&file.name, line), text })
    })
}

/// The lines of the comments in a range that say something to people, without the space around them, and where they begin.
fn lines_of(text: &str, range: Range<usize>) -> Vec<(usize, String)> {
    let from = range.start;
    let mut found = Vec::new();
    for token in lex(&text[range]).into_iter().filter(|t| t.kind == TokenKind::Comment) {
        let mut at = from + token.start;
        for line in text[at..from + token.end].split_inclusive('\n') {
            let plain = line.trim();
            if plain.chars().any(char::is_alphanumeric) && !is_annotation(plain) && !MARKS.contains(&plain) {
                found.push((at, plain.to_string()));
            }
            at += line.len();
        }
    }
    found
}
