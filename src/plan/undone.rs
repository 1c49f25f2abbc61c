//! Files that undo what they made: one that a tool parts by a comment which nobody knows, and that ran whole.

use super::rollbacks::files_that_survive;
use crate::error::{At, Error};
use crate::history::marks::{self, Direction};
use crate::history::{File, History, in_folder};
use crate::ledger::{Event, Mark, What};
use crate::replay::{Model, replay};
use crate::schema::ObjectId;
use crate::sql::parse::NodeEnum;
use std::collections::HashSet;
use std::ops::Range;

/// How many words a comment has at most that parts a file: more of them tell something.
const LONGEST: usize = 3;

/// Refuses a history with a file whose last part, below a comment, only ends what the file made: where the comment says so,
/// or where nothing of the file is left. Nobody is asked who said the layout.
pub fn refuse(history: &History) -> Option<Error> {
    let ends = |s: &usize| matches!(history.statements[*s].node, NodeEnum::DropStmt(_) | NodeEnum::AlterTableStmt(_));
    let may_be = |file: &File| {
        let last = file.statements.clone().rev().take(3).any(|s| ends(&s));
        last && file.statements.len() > 1 && file.statements.clone().skip(1).any(|s| !comments(history, s).is_empty())
    };
    if !history.is_found || !history.files.iter().any(may_be) {
        return None;
    }
    let model = replay(history);
    let files = history.files.iter().filter(|file| may_be(file));
    let surviving = files_that_survive(history, &model);
    let (file, start) = files.filter_map(|file| Some((file, parted_at(history, &model, file, &surviving)?))).next()?;
    let above = comments(history, start);
    let (line, comment) = above.iter().rfind(|(_, comment)| has_letter(comment)).or(above.last())?;
    let message = format!(
        "what stands below \"{comment}\" only undoes what this file makes: it looks like a part that no migration tool runs forward"
    );
    Some(in_folder(&history.folder, Error::new(message).at(At::new(&file.name, *line)).hint(marks::HINT)))
}

/// The first statement of the part that undoes.
fn parted_at(history: &History, model: &Model, file: &File, surviving: &HashSet<usize>) -> Option<usize> {
    let of = |statement: usize| model.ledger.events_of(statement..statement + 1);
    let survives = surviving.contains(&history.statements[file.statements.start].file);
    // No part that only undoes begins above the last statement that does anything else.
    let makes = |s: &usize| of(*s).iter().any(|e| !matches!(e.what, What::Died(_)));
    let first = file.statements.clone().rev().find(makes).map_or(file.statements.start, |s| s + 1);
    (first.max(file.statements.start + 1)..file.statements.end).find(|start| {
        let above = comments(history, *start);
        let head = file.statements.start..*start;
        let tail = *start..file.statements.end;
        if above.is_empty() || !only_ends(model, &head, &tail, &of) {
            return false;
        }
        let lead = &file.text[history.statements[*start].piece.lead.clone()];
        let words = |comment: &str| comment.split_whitespace().filter(|word| has_letter(word)).count();
        let told: Vec<usize> = above.iter().map(|(_, comment)| words(comment)).filter(|count| *count > 0).collect();
        let is_lone = told.len() < 2 && told.iter().all(|count| *count <= LONGEST);
        marks::above(lead) == Some(Direction::Down) || (is_lone && is_all_gone(model, file, survives, &head, &of))
    })
}

fn has_letter(word: &str) -> bool {
    word.chars().any(char::is_alphanumeric)
}

/// Whether each statement of a part ends what the head made, or does nothing that lasts.
fn only_ends<'a>(model: &Model, head: &Range<usize>, tail: &Range<usize>, of: &impl Fn(usize) -> &'a [Event]) -> bool {
    let born = |id: ObjectId| model.schema.objects[id].born;
    let ends = |e: &Event| matches!(e.what, What::Died(_)) && head.contains(&born(e.object));
    let is_idle = |s: usize| {
        let idle = |m: &Mark| matches!(m, Mark::Session(_) | Mark::Noop(_) | Mark::EndsRows(_));
        model.ledger.marks_of(s..s + 1).iter().any(|(_, mark)| idle(mark))
    };
    tail.clone().any(|s| of(s).iter().any(&ends))
        && tail.clone().all(|s| of(s).iter().all(&ends) && (!of(s).is_empty() || is_idle(s)))
}

/// Whether the head does nothing but make what is gone in the end. A file that makes a helper, runs it, and drops it, does more.
fn is_all_gone<'a>(
    model: &Model,
    file: &File,
    survives: bool,
    head: &Range<usize>,
    of: &impl Fn(usize) -> &'a [Event],
) -> bool {
    let is_own = |id: ObjectId| file.statements.contains(&model.schema.objects[id].born);
    let speaks = |s: usize| {
        let speaks = |m: &Mark| matches!(m, Mark::Session(_) | Mark::Noop(_));
        model.ledger.marks_of(s..s + 1).iter().any(|(_, mark)| speaks(mark))
    };
    !survives && head.clone().all(|s| of(s).iter().all(|e| is_own(e.object)) && (!of(s).is_empty() || speaks(s)))
}

/// The comments above a statement, with their lines; each line of a comment counts by itself.
fn comments(history: &History, statement: usize) -> Vec<(usize, String)> {
    let statement = &history.statements[statement];
    let file = &history.files[statement.file];
    let mut at = statement.piece.lead.start;
    let mut found = Vec::new();
    // There is nothing but comments and white space.
    for line in file.text[statement.piece.lead.clone()].split_inclusive('\n') {
        let text = line.trim();
        if !text.is_empty() {
            found.push((file.line_of(at), text.to_string()));
        }
        at += line.len();
    }
    found
}
