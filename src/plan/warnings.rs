//! What asks for a look: what the layout leaves out, a version used twice, a file that only undoes another, a secret.

use super::{Cx, Warning};
use crate::emit::NewSet;
use crate::error::At;
use crate::history::History;
use crate::ledger::Loss;

/// All warnings.
pub fn find(cx: &Cx, set: &NewSet, writes_downs: bool) -> Vec<Warning> {
    let mut warnings = shared_versions(cx);
    warnings.extend(cx.history.warnings.iter().map(|(at, why)| Warning { at: at.clone(), message: why.clone() }));
    let (files, sections) = (&cx.history.set_aside, &cx.history.down_sections);
    warnings.extend(not_read(files, "down file", writes_downs));
    warnings.extend(not_read(sections, "down section", writes_downs));
    warnings.extend(rollbacks(cx));
    warnings.extend(losses(cx));
    warnings.extend(super::secrets::secrets_that_stay(cx.history, set));
    warnings
}

/// A set without statements is right if all is dropped in the end, and what comes of down parts that were run.
pub fn empty_set(history: &History, statements: usize) -> Option<Warning> {
    let message = format!(
        "nothing of the history is in the new set; if that isn't so, files that undo were run too: see the layout, {}",
        history.layout
    );
    (statements == 0 && !history.statements.is_empty()).then(|| Warning { at: history.at(0), message })
}

fn shared_versions(cx: &Cx) -> Vec<Warning> {
    let files = &cx.history.files;
    let warn = |group: &Vec<usize>| {
        let names: Vec<&str> = group.iter().map(|i| files[*i].name.as_str()).collect();
        let version = files[group[0]].version.as_deref().unwrap_or_default();
        Warning {
            at: At::new(&files[*group.last().unwrap_or(&0)].name, 1),
            message: format!("version {version} is used by {} files: {}", names.len(), names.join(", ")),
        }
    };
    cx.history.shared_versions.iter().map(warn).collect()
}

/// Down parts run only to undo. Where the layout has them, emit writes the new set's own.
fn not_read(downs: &[String], what: &str, writes_downs: bool) -> Option<Warning> {
    let first = downs.first()?;
    let (that, were) = match downs.len() {
        1 => (format!("the {what}"), "was"),
        count => (format!("{count} {what}s"), "were"),
    };
    let then = if writes_downs { "emit makes the new set's own" } else { "the new set has none" };
    Some(Warning { at: At::new(first, 1), message: format!("{that} {were} not read, and {then}") })
}

/// Named in the plan; `--without-rollbacks` leaves them out.
fn rollbacks(cx: &Cx) -> Vec<Warning> {
    let warning = |found: super::rollbacks::Rollback| {
        let (file, undone) = (&cx.history.files[found.file].name, &cx.history.files[found.undoes].name);
        let message = format!(
            "only undoes {undone}: is it a rollback script that lies among the migrations? --without-rollbacks leaves it out"
        );
        Warning { at: At::new(file, 1), message }
    };
    super::rollbacks::find(cx.history, cx.model).into_iter().map(warning).collect()
}

/// Properties of security that went away when a routine or a view was written anew.
fn losses(cx: &Cx) -> Vec<Warning> {
    let schema = &cx.model.schema;
    let told = |loss: &Loss| {
        let message = format!(
            "{} {} loses {}, which {} gave it: what is written anew must say it again",
            schema.objects[loss.object].kind.word(),
            schema.display(loss.object),
            loss.property.word(),
            cx.history.at(loss.given)
        );
        Warning { at: cx.history.at(loss.statement), message }
    };
    cx.model.ledger.losses.iter().filter(|loss| schema.lives(loss.object)).map(told).collect()
}
