//! Superseded: functions, views, triggers, comments, settings that were written again; how many versions there were.

use super::{Cx, Finding, Rule};
use crate::ledger::What;
use std::collections::HashMap;

/// Every text that a later one of the same live object replaced.
pub fn find(cx: &Cx) -> Vec<Finding> {
    let mut versions: HashMap<usize, usize> = HashMap::new();
    for event in &cx.model.ledger.events {
        if matches!(event.what, What::Superseded(_)) {
            *versions.entry(event.object).or_insert(1) += 1;
        }
    }
    let mut seen: HashMap<usize, usize> = HashMap::new();
    let mut findings = Vec::new();
    for event in &cx.model.ledger.events {
        let What::Superseded(old) = &event.what else { continue };
        let number = seen.entry(event.object).or_insert(0);
        *number += 1;
        if cx.is_told(event.object) {
            let note = format!("version {number} of {}", versions[&event.object]);
            findings.push(cx.about(Rule::Superseded, event.object, cx.history.at(*old), Some(cx.place(event)), note));
        }
    }
    findings
}
