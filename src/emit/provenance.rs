//! `--annotate`: a comment above each object that says where in the history it comes from.
//!
//! In a set that was annotated, the comment stands for the statement's own place: so consolidating it again gives it again.

use super::{NewSet, Owner};
use crate::history::{History, StatementId};
use crate::replay::Model;
use crate::schema::{Kind, ObjectId};
use std::collections::{BTreeSet, HashSet};

/// Whether a line is such a comment: `-- 0003_event_system.sql:41, 0009_add_rule.sql:8`.
pub fn is_annotation(line: &str) -> bool {
    places(line).is_some()
}

/// The places that such a comment names.
fn places(line: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = line.trim().strip_prefix("-- ")?.split(", ").collect();
    let is_place = |word: &&str| {
        word.rsplit_once(':').is_some_and(|(file, line)| {
            file.ends_with(".sql")
                && !file.contains(' ')
                && !line.is_empty()
                && line.bytes().all(|b| b.is_ascii_digit())
        })
    };
    words.iter().all(is_place).then_some(words)
}

/// What stands above a statement, without such comments.
pub fn without(lead: &str) -> String {
    lead.split_inclusive('\n').filter(|line| !is_annotation(line)).collect()
}

/// The comment for an object, if it's one that has a name of its own: the places of all statements that made it what it is.
pub fn annotation(history: &History, model: &Model, id: ObjectId, always: bool) -> Option<String> {
    let schema = &model.schema;
    let object = &schema.objects[id];
    let nameless = matches!(
        object.kind,
        Kind::Rows | Kind::Grant | Kind::Opaque | Kind::Setting | Kind::Comment | Kind::DefaultPrivileges
    );
    let has_own = own(history, object.source).is_some();
    if (object.parent.is_some() && object.kind != Kind::Index) || nameless || !(always || has_own) {
        return None;
    }
    let told = told(history, makers(model, id));
    (!told.is_empty()).then(|| format!("-- {}\n", told.join(", ")))
}

/// The statements that made a unit what it is.
pub(super) fn makers(model: &Model, id: ObjectId) -> BTreeSet<StatementId> {
    let schema = &model.schema;
    let object = &schema.objects[id];
    let superseded =
        |statement: StatementId| statement < object.source && schema.is_unit(id) && object.source != object.born;
    let objects = model.inside(id).iter().copied().filter(|part| schema.lives(*part) && *part != id).chain([id]);
    let events = objects.flat_map(|o| model.events_of(o)).filter(|e| !superseded(e.statement));
    events.map(|e| e.statement).chain([object.source]).collect()
}

/// The places of statements in the history, each once.
fn told(history: &History, statements: impl IntoIterator<Item = StatementId>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for statement in statements {
        let own = origin(history, statement).or_else(|| own(history, statement)).unwrap_or_else(|| {
            let at = history.at(statement);
            vec![format!("{}:{}", at.file, at.line)]
        });
        for place in own {
            if seen.insert(place.clone()) {
                told.push(place);
            }
        }
    }
    told
}

/// The places that stand for a statement where the history is a set that was made of another.
fn origin(history: &History, statement: StatementId) -> Option<Vec<String>> {
    history.origins.get(statement).cloned()
}

/// For each statement of a set, where in its history it comes from. What only a replay showed comes from nowhere. Nothing, where
/// no annotation will ask for it.
pub(super) fn origins(history: &History, model: &Model, set: &NewSet, annotates: bool) -> Vec<Vec<String>> {
    if !annotates && (0..history.statements.len()).all(|id| own(history, id).is_none()) {
        return Vec::new();
    }
    let of = |owner: Option<Owner>| match owner {
        Some(Owner::Object(id)) => told(history, makers(model, id)),
        Some(Owner::Step(_, statement)) => told(history, [statement]),
        Some(Owner::Extra(_)) | None => Vec::new(),
    };
    set.files.iter().flat_map(|file| &file.statements).map(|statement| of(statement.owner)).collect()
}

/// The places that a comment above a statement names.
fn own(history: &History, statement: StatementId) -> Option<Vec<String>> {
    let source = &history.statements[statement];
    let lead = &history.files[source.file].text[source.piece.lead.clone()];
    let found = lead.lines().filter_map(places).next_back()?;
    Some(found.into_iter().map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_told_from_a_comment() {
        assert!(is_annotation("-- 0003_event_system.sql:41, 0009_add_rule.sql:8"));
        assert!(!is_annotation("-- see 0003_event_system.sql:41"));
        assert!(!is_annotation("-- 0003_event_system.sql"));
        assert_eq!(without("\n-- the key\n-- a.sql:1\n"), "\n-- the key\n");
    }
}
