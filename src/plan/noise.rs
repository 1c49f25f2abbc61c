//! Statements that leave nothing behind, and those that are kept because they can't be understood.

use super::{Cx, Finding, Rule};
use crate::ledger::Mark;

/// No-ops, words to the session, opaque statements.
pub fn find(cx: &Cx) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (statement, mark) in &cx.model.ledger.marks {
        let (rule, why) = match mark {
            Mark::Noop(why) => (Rule::Noop, why),
            Mark::Session(why) => (Rule::Session, why),
            Mark::Opaque(why) => (Rule::Opaque, why),
            Mark::Backfill(_) | Mark::EndsRows(_) => continue,
        };
        findings.push(cx.statement(rule, *statement, why));
    }
    findings
}
