//! Rows that don't survive, and changes of rows that a fresh database doesn't have.

use super::{Cx, Finding, Rule};
use crate::ledger::{Mark, What};
use crate::schema::Kind;

/// Inserts whose rows are truncated, deleted or dropped with their table; backfills.
pub fn find(cx: &Cx) -> Vec<Finding> {
    let mut findings = Vec::new();
    for event in &cx.model.ledger.events {
        let object = &cx.model.schema.objects[event.object];
        if let What::Died(with) = &event.what
            && object.kind == Kind::Rows
        {
            let note = match with {
                Some(on) if cx.model.schema.objects[*on].kind == Kind::Column => {
                    "all columns that it fills are dropped"
                }
                Some(_) => "their table is dropped",
                None => "all rows of the table go",
            };
            findings.push(cx.about(
                Rule::DeadRows,
                event.object,
                cx.birth(event.object),
                Some(cx.place(event)),
                note.into(),
            ));
        }
    }
    for (statement, mark) in &cx.model.ledger.marks {
        if let Mark::Backfill(why) = mark {
            findings.push(cx.statement(Rule::Backfill, *statement, why));
        }
    }
    findings
}
