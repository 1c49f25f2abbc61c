//! What moves to another schema, and a schema that gets another name: texts and names follow.

use super::Replay;
use super::generic::named;
use crate::schema::{Body, Context, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names::quote;
use pg_query::protobuf::AlterObjectSchemaStmt;
use std::sync::Arc;

impl Replay<'_> {
    pub(super) fn rename_schema(&mut self, from: &str, to: &str) {
        let live: Vec<ObjectId> = self.schema.live().collect();
        let edit = |text: &str| {
            edit::rename(text, from, to, |tokens, i| tokens.get(i + 1).is_some_and(|t| t.text(text) == "."))
        };
        for id in live {
            self.edit_text(id, &edit);
            let was_there = self.schema.objects[id].schema.is_empty() || self.schema.objects[id].schema == from;
            if self.schema.objects[id].schema == from {
                self.schema.change_name(id, |o| o.schema = to.to_string());
            }
            let context = (*self.schema.objects[id].context).clone();
            // Who sets no path finds this schema by default, as long as it has its name.
            let has_path = context.search_path.is_some() || (was_there && from == "public");
            if has_path && context.path().iter().any(|s| s == from) {
                let renamed = |s: &String| if s == from { to.to_string() } else { s.clone() };
                let path = context.path().iter().map(renamed).collect();
                self.schema.objects[id].context = Arc::new(Context { search_path: Some(path), ..context });
            }
        }
    }

    /// ALTER ... SET SCHEMA.
    pub(crate) fn set_schema(&mut self, statement: &AlterObjectSchemaStmt) {
        let kind = Kind::of_object_type(statement.object_type);
        let target = match (&statement.relation, statement.object.as_deref()) {
            (Some(relation), _) => self.relation(relation),
            (None, Some(object)) => kind.and_then(|k| self.locate(k, object)),
            _ => None,
        };
        let Some(id) = target else {
            let name = match &statement.relation {
                Some(relation) => relation.relname.clone(),
                None => statement.object.as_deref().and_then(named).unwrap_or_default(),
            };
            return self.missing(1, 1, statement.missing_ok, "moves what isn't there", &name);
        };
        if self.schema.objects[id].kind == Kind::Extension {
            let is_schema = |n: &Need| self.schema.objects[n.on].kind == Kind::Schema;
            let kept: Vec<Need> = self.schema.objects[id].needs.iter().copied().filter(|n| !is_schema(n)).collect();
            let on = self.schema.global(Kind::Schema, &statement.newschema);
            self.schema.clear_needs(id);
            self.schema.add_needs(id, kept.into_iter().chain(on.map(|on| Need { on, strength: Strength::Normal })));
            self.attach(id, Kind::Setting, "schema", Vec::new());
            return;
        }
        self.move_object(id, &statement.newschema);
    }

    fn move_object(&mut self, id: ObjectId, to: &str) {
        let (name, from) = (self.schema.objects[id].name.clone(), self.schema.objects[id].schema.clone());
        let is_sequence = self.schema.objects[id].kind == Kind::Sequence;
        let edit = |text: &str| {
            let text = requalify(text, &name, &from, to);
            if is_sequence { requalify_in_strings(&text, &name, &from, to) } else { text }
        };
        self.edit_text(id, &edit);
        for (dependent, _) in self.schema.dependents(id) {
            self.edit_text(dependent, &edit);
        }
        // Sequences that its columns own, and rows, go along with a table.
        let columns = self.schema.columns(id);
        let owned: Vec<ObjectId> = columns.into_iter().flat_map(|c| self.owned_by(c)).collect();
        let is_rows = |on: &ObjectId| matches!(&self.schema.objects[*on].body, Body::Rows { targets, .. } if targets.first() == Some(&id));
        let rows: Vec<ObjectId> = self.schema.dependents(id).into_iter().map(|(on, _)| on).filter(is_rows).collect();
        self.move_to_schema(id, &from, to);
        let was = format!("{}.{}", quote(&from), quote(&name));
        self.rename_argument_types(id, &was);
        let on = self.schema.global(Kind::Schema, to).map(|on| Need { on, strength: Strength::Normal });
        self.schema.add_needs(id, on);
        for id in rows.into_iter().filter(|id| self.schema.objects[*id].schema == from).collect::<Vec<_>>() {
            self.move_to_schema(id, &from, to);
            self.schema.add_needs(id, on);
        }
        for sequence in owned {
            if self.schema.objects[sequence].schema == from {
                self.move_object(sequence, to);
            }
        }
        self.folded(id, format!("moved from schema {}", quote(&from)));
    }

    fn move_to_schema(&mut self, id: ObjectId, from: &str, to: &str) {
        if let Some(old) = self.schema.global(Kind::Schema, from) {
            let mut needs = self.schema.objects[id].needs.clone();
            needs.retain(|n| n.on != old);
            self.schema.clear_needs(id);
            self.schema.add_needs(id, needs);
        }
        self.schema.change_name(id, |o| o.schema = to.to_string());
        for child in self.schema.children(id) {
            if self.schema.objects[child].schema == from {
                self.move_to_schema(child, from, to);
            }
        }
    }
}

/// Puts the new schema before a name, in place of the old one where the text has it.
fn requalify(text: &str, name: &str, from: &str, to: &str) -> String {
    let tokens = lex_code(text);
    let mut edits = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let followed_by_dot = tokens.get(i + 1).is_some_and(|t| t.text(text) == ".");
        if token.name(text).as_deref() != Some(name) || followed_by_dot {
            continue;
        }
        let qualifier = (i > 1 && tokens[i - 1].text(text) == ".").then(|| tokens[i - 2]);
        match qualifier {
            Some(q) if q.name(text).as_deref() == Some(from) => edits.push((q.start..q.end, quote(to))),
            Some(_) => {}
            None => edits.push((token.start..token.start, format!("{}.", quote(to)))),
        }
    }
    edit::replace(text, edits)
}

/// The same for strings that are nothing but the name: `nextval('old.numbers')`.
fn requalify_in_strings(text: &str, name: &str, from: &str, to: &str) -> String {
    let tokens = lex_code(text);
    let mut edits = Vec::new();
    for token in tokens.iter().filter(|t| t.text(text).starts_with('\'')) {
        let Some(inside) = token.inside(text) else { continue };
        let parts: Vec<String> = lex_code(inside).iter().filter_map(|t| t.name(inside)).collect();
        let is_it = match parts.as_slice() {
            [schema, own] => schema == from && own == name,
            [own] => own == name,
            _ => false,
        };
        if is_it && lex_code(inside).len() == 2 * parts.len() - 1 {
            let new = format!("{}.{}", quote(to), quote(name)).replace('\'', "''");
            edits.push((token.start..token.end, format!("'{new}'")));
        }
    }
    edit::replace(text, edits)
}
