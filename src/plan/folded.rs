//! Folded into another statement: late columns and constraints, enum values, defaults, renames.

use super::{Cx, Finding, Rule};
use crate::ledger::What;

/// Every change of a live object that stands in the object's own statement now.
pub fn find(cx: &Cx) -> Vec<Finding> {
    let mut findings = Vec::new();
    for event in &cx.model.ledger.events {
        let What::Folded(note) = &event.what else { continue };
        if cx.model.schema.lives(event.object) && cx.is_told(event.object) {
            findings.push(cx.about(Rule::Folded, event.object, cx.place(event), None, note.to_string()));
        }
    }
    findings
}
