//! `--annotate`: a comment above each object that says where in the history it comes from.
//!
//! In a set that was annotated, the comment stands for the statement's own place: so consolidating it again gives it again.

use crate::history::{History, StatementId};
use crate::replay::Model;
use crate::schema::{Kind, ObjectId};
use std::collections::BTreeSet;

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
    let belongs = |o: ObjectId| o == id || (schema.lives(o) && !schema.is_unit(o) && schema.unit_of(o) == id);
    let superseded =
        |statement: StatementId| statement < object.source && schema.is_unit(id) && object.source != object.born;
    let mut statements: BTreeSet<StatementId> = model
        .ledger
        .events
        .iter()
        .filter(|e| belongs(e.object) && !superseded(e.statement))
        .map(|e| e.statement)
        .collect();
    statements.insert(object.source);
    let mut told: Vec<String> = Vec::new();
    for statement in statements {
        let own = own(history, statement).unwrap_or_else(|| {
            let at = history.at(statement);
            vec![format!("{}:{}", at.file, at.line)]
        });
        for place in own {
            if !told.contains(&place) {
                told.push(place);
            }
        }
    }
    Some(format!("-- {}\n", told.join(", ")))
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
