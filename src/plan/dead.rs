//! Created, then dropped: the object, and all that went along with it, one line each.

use super::{Cx, Finding, Rule};
use crate::ledger::What;
use crate::schema::Kind;

/// Every object that doesn't live, except rows, which have a rule of their own.
pub fn find(cx: &Cx) -> Vec<Finding> {
    let mut findings = Vec::new();
    for event in &cx.model.ledger.events {
        let What::Died(with) = &event.what else { continue };
        let object = &cx.model.schema.objects[event.object];
        if object.kind == Kind::Rows || !cx.is_told(event.object) {
            continue;
        }
        let note = with.map_or_else(String::new, |w| {
            format!("with {} {}", cx.model.schema.objects[w].kind.word(), cx.model.schema.display(w))
        });
        let finding = cx.about(Rule::Dead, event.object, cx.birth(event.object), Some(cx.place(event)), note);
        findings.push(Finding { is_along: with.is_some(), ..finding });
    }
    findings
}
