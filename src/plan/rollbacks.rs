//! Files that only undo an earlier one: rollback scripts that lie among the migrations, known by their names and by what
//! they do. What only undoes and isn't named so is a migration like others: what was wanted once is wanted no more.

use crate::history::History;
use crate::history::layout::pairs;
use crate::ledger::{Mark, What};
use crate::replay::Model;
use std::cell::OnceCell;
use std::collections::HashSet;

/// A file that only undoes another, both as numbers of the history's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollback {
    /// The file.
    pub file: usize,
    /// The file that it undoes.
    pub undoes: usize,
}

/// A file whose name says that it undoes, whose every statement ends what one earlier file made, and that ends all of it, is
/// that file's rollback. One with a down part of its own is a migration.
pub fn find(history: &History, model: &Model) -> Vec<Rollback> {
    let mut found = Vec::new();
    let schema = &model.schema;
    let file_of = |statement: usize| history.statements[statement].file;
    let is_idle = |mark: &Mark| matches!(mark, Mark::Session(_) | Mark::Noop(_) | Mark::Backfill(_));
    let idle: HashSet<usize> = model.ledger.marks.iter().filter(|(_, m)| is_idle(m)).map(|(s, _)| *s).collect();
    let surviving = OnceCell::new();
    for (number, file) in history.files.iter().enumerate().skip(1) {
        if !pairs::says_undo(&file.name) || has_down(history, &file.name) {
            continue;
        }
        let events = model.ledger.events_of(file.statements.clone());
        let spoken: HashSet<usize> = events.iter().map(|e| e.statement).collect();
        let only_ends = !events.is_empty() && events.iter().all(|e| matches!(e.what, What::Died(_)));
        let all_end = file.statements.clone().all(|s| idle.contains(&s) || spoken.contains(&s));
        if !only_ends || !all_end {
            continue;
        }
        let made: HashSet<usize> = events.iter().map(|e| file_of(schema.objects[e.object].born)).collect();
        let [undoes] = made.iter().copied().collect::<Vec<_>>()[..] else { continue };
        let survives = surviving.get_or_init(|| files_that_survive(history, model)).contains(&undoes);
        if !survives && undoes < number {
            found.push(Rollback { file: number, undoes });
        }
    }
    found
}

/// The files that made a unit which lives.
pub(super) fn files_that_survive(history: &History, model: &Model) -> HashSet<usize> {
    let schema = &model.schema;
    let units = schema.live().filter(|id| schema.is_unit(*id));
    units.map(|id| history.statements[schema.objects[id].born].file).collect()
}

/// Whether a file has a part that undoes it: in itself, or as a file beside it.
fn has_down(history: &History, name: &str) -> bool {
    history.down_sections.iter().any(|file| file == name)
        || history.set_aside.iter().any(|down| pairs::is_down_of(down, name))
}
