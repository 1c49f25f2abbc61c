//! The one fate of every statement. Their sum is the number of statements.

use super::Cx;
use crate::history::StatementId;
use crate::ledger::{Mark, What};
use crate::schema::{Kind, ObjectId};
use serde::Serialize;

/// What became of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// The kind of fate.
    pub kind: FateKind,
    /// Into what, by what, with what, or why.
    pub why: String,
}

/// The kinds of fates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FateKind {
    /// It is in the new set.
    Kept,
    /// It is worked into another statement of the new set.
    Folded,
    /// A later statement writes the same object anew.
    Superseded,
    /// What it made is gone, or it ended something.
    Dead,
    /// It changes rows that a fresh database doesn't have.
    Backfill,
    /// It speaks to the session only.
    Session,
    /// It does nothing.
    Noop,
    /// It is kept since it can't be understood.
    Opaque,
}

impl FateKind {
    /// All kinds of fates.
    pub const ALL: &'static [FateKind] = &[
        FateKind::Kept,
        FateKind::Folded,
        FateKind::Superseded,
        FateKind::Dead,
        FateKind::Backfill,
        FateKind::Session,
        FateKind::Noop,
        FateKind::Opaque,
    ];
}

/// The fate of every statement, in the order of the history.
pub fn fates(cx: &Cx) -> Vec<Fate> {
    let mut best: Vec<Option<(u8, Fate)>> = vec![None; cx.history.statements.len()];
    let mut offer = |statement: StatementId, rank: u8, kind: FateKind, why: &dyn Fn() -> String| {
        let slot = &mut best[statement];
        if slot.as_ref().is_none_or(|(r, _)| rank < *r) {
            *slot = Some((rank, Fate { kind, why: why() }));
        }
    };
    let schema = &cx.model.schema;
    for id in schema.live() {
        let object = &schema.objects[id];
        if object.kind == Kind::Opaque || !schema.is_unit(id) {
            continue;
        }
        offer(object.source, 1, FateKind::Kept, &|| describe(cx, id));
        if object.born != object.source {
            offer(object.born, 3, FateKind::Superseded, &|| describe(cx, id));
        }
    }
    for event in &cx.model.ledger.events {
        let lives = schema.lives(event.object);
        let told = &|| describe(cx, event.object);
        match &event.what {
            What::Born if lives => {
                let unit = schema.unit_of(event.object);
                let rewritten = unit == event.object && schema.objects[unit].source != event.statement;
                let kind = if rewritten { FateKind::Superseded } else { FateKind::Folded };
                offer(event.statement, if rewritten { 3 } else { 2 }, kind, &|| describe(cx, unit));
            }
            What::Folded(note) if lives => {
                offer(event.statement, 2, FateKind::Folded, &|| format!("{note}: {}", told()));
            }
            What::Superseded(old) if lives => offer(*old, 3, FateKind::Superseded, told),
            What::Superseded(old) => {
                offer(*old, 5, FateKind::Dead, told);
                offer(event.statement, 5, FateKind::Dead, told);
            }
            What::Born | What::Folded(_) | What::Died(_) => offer(event.statement, 5, FateKind::Dead, told),
        }
    }
    for (statement, mark) in &cx.model.ledger.marks {
        let (rank, kind, why) = match mark {
            Mark::Opaque(why) => (0, FateKind::Opaque, why),
            Mark::EndsRows(why) => (4, FateKind::Dead, why),
            Mark::Backfill(why) => (6, FateKind::Backfill, why),
            Mark::Noop(why) => (7, FateKind::Noop, why),
            Mark::Session(why) => (8, FateKind::Session, why),
        };
        offer(*statement, rank, kind, &|| why.clone());
    }
    let nothing = || Fate { kind: FateKind::Noop, why: "leaves nothing".into() };
    best.into_iter().map(|slot| slot.map_or_else(nothing, |(_, fate)| fate)).collect()
}

fn describe(cx: &Cx, id: ObjectId) -> String {
    format!("{} {}", cx.model.schema.objects[id].kind.word(), cx.model.schema.display(id))
}
