//! RENAME and SET SCHEMA: once for all kinds, in the object's own text and in the texts of all that name it.

use super::Replay;
use super::generic::named;
use crate::ledger::Fold;
use crate::objects::{PieceKind, Property};
use crate::schema::{Body, Context, Kind, Namespace, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names::{self, quote};
use crate::sql::places::{Names, Wanted};
use pg_query::protobuf::{AlterObjectSchemaStmt, ObjectType, RenameStmt};
use std::sync::Arc;

impl Replay<'_> {
    /// ALTER ... RENAME of anything.
    pub(crate) fn rename(&mut self, statement: &RenameStmt) {
        let object_type = ObjectType::try_from(statement.rename_type).unwrap_or(ObjectType::Undefined);
        let table = self.relation_opt(&statement.relation);
        if object_type == ObjectType::ObjectColumn
            && let Some(of) = table.filter(|t| self.has_columns_of_a_query(*t))
        {
            // Its own statement doesn't list them.
            self.set_property(of, Property::PartName(statement.subname.clone()), Vec::new());
            return;
        }
        let sub = |kind: Kind| table.and_then(|t| self.schema.child(t, kind, &statement.subname));
        let target = match object_type {
            ObjectType::ObjectColumn => table.and_then(|t| self.schema.column(t, &statement.subname)),
            ObjectType::ObjectTabconstraint => sub(Kind::Constraint),
            ObjectType::ObjectTrigger => sub(Kind::Trigger),
            ObjectType::ObjectPolicy => sub(Kind::Policy),
            ObjectType::ObjectRule => sub(Kind::Rule),
            ObjectType::ObjectSchema => self.schema.global(Kind::Schema, &statement.subname),
            ObjectType::ObjectRole => self.schema.global(Kind::Role, &statement.subname),
            ObjectType::ObjectAttribute | ObjectType::ObjectDomconstraint => {
                return self.rename_within(statement, table);
            }
            _ if table.is_some() => table,
            _ => Kind::of_object_type(statement.rename_type)
                .zip(statement.object.as_deref())
                .and_then(|(kind, object)| self.locate(kind, object)),
        };
        match target {
            Some(id) => self.rename_object(id, &names::truncate(&statement.newname)),
            None => {
                let name = match &statement.relation {
                    Some(relation) => relation.relname.clone(),
                    None => statement.object.as_deref().and_then(named).unwrap_or_default(),
                };
                self.missing(1, 1, statement.missing_ok, "renames what isn't there", &name);
            }
        }
    }

    /// A part of a type or domain that the model keeps as text: the ALTER is kept as it is.
    fn rename_within(&mut self, statement: &RenameStmt, table: Option<ObjectId>) {
        let name = statement.relation.as_ref().map(names::range_var).unwrap_or_default();
        let target = table
            .or_else(|| self.schema.type_of(&name, &self.path()))
            .or_else(|| statement.object.as_deref().and_then(|o| self.locate(Kind::Type, o)));
        match target {
            Some(id) if self.rename_part(id, &statement.subname, &statement.newname) => {}
            Some(id) => {
                self.set_property(id, Property::PartName(statement.subname.clone()), Vec::new());
                let part = [Kind::Column, Kind::Constraint].map(|kind| self.schema.child(id, kind, &statement.subname));
                for part in part.into_iter().flatten() {
                    self.schema.change_name(part, |o| o.name = statement.newname.clone());
                }
            }
            None => self.keep_unmade("renames what", &name.name),
        }
    }

    /// Gives an object another name, in its own text and in the texts of all that name it.
    pub(crate) fn rename_object(&mut self, id: ObjectId, to: &str) {
        let object = &self.schema.objects[id];
        if let (Kind::Index, Body::Inside, Some(constraint)) = (object.kind, &object.body, object.parent) {
            return self.rename_object(constraint, to);
        }
        let (kind, from) = (object.kind, object.name.clone());
        let table = object.parent.map(|p| self.schema.objects[p].name.clone()).unwrap_or_default();
        if kind == Kind::Column {
            self.edit_text(id, &|text| edit::rename_column(text, &from, to, &table));
            self.rename_own_piece(id, to);
        } else if kind != Kind::Constraint {
            let wanted = self.wanted(kind, id, &from);
            self.edit_text(id, &|text| edit::rename_object(text, &from, to, wanted));
        }
        let mut dependents = self.that_name(id);
        dependents.retain(|dependent| !self.ran_before(*dependent, id));
        for dependent in dependents {
            let wanted = self.wanted(kind, dependent, &from);
            let edit = |text: &str| match kind {
                Kind::Column => edit::rename_column(text, &from, to, &table),
                _ => edit::rename_object(text, &from, to, wanted),
            };
            // A constraint's index, and a table's parts, don't change their names with it.
            let is_query =
                matches!(self.schema.objects[dependent].kind, Kind::View | Kind::MaterializedView | Kind::Table);
            if kind == Kind::Column && is_query {
                self.edit_text(dependent, &|text| crate::objects::rename_column_in_view(text, &from, to, &table));
            } else if kind != Kind::Constraint || self.schema.objects[dependent].kind == Kind::Comment {
                self.edit_text(dependent, &edit);
            }
        }
        if kind == Kind::Schema {
            self.rename_schema(&from, to);
        }
        if kind == Kind::Column {
            self.rename_key_columns(id, &from, to);
            self.rename_in_partition_key(id, &from, to);
            self.rename_in_partitions(id, &from, to);
        }
        let was = self.schema.display(id);
        self.schema.change_name(id, |o| o.name = to.to_string());
        self.rename_argument_types(id, &was);
        if kind == Kind::Constraint {
            self.rename_constraint(id, to);
        }
        self.folded(id, Fold::Renamed(from.clone()));
        self.touch_table_of(id);
        self.keep_rename(id, &from, to);
    }

    /// The objects whose texts may name an object: what depends on it, and what is said of its parts.
    fn that_name(&self, id: ObjectId) -> Vec<ObjectId> {
        let mut found: Vec<ObjectId> = self.schema.dependents(id).into_iter().map(|(dependent, _)| dependent).collect();
        let said = |of: &ObjectId| matches!(self.schema.objects[*of].kind, Kind::Comment | Kind::Setting);
        for part in self.schema.children(id) {
            let of_part: Vec<ObjectId> =
                self.schema.children(part).into_iter().filter(|of| said(of) && !found.contains(of)).collect();
            found.extend(of_part);
        }
        found
    }

    /// Whether a text is the move of what is renamed for the first time now: it runs before that, under the name of then.
    fn ran_before(&self, dependent: ObjectId, renamed: ObjectId) -> bool {
        let is_rename = |s: &ObjectId| matches!(self.schema.objects[*s].property, Some(Property::RenamedFrom(_)));
        let setting = &self.schema.objects[dependent];
        setting.parent == Some(renamed)
            && setting.property == Some(Property::Moved)
            && !self.schema.children(renamed).iter().any(is_rename)
    }

    /// What a name must be in the text of an object to be that of an object of this kind.
    pub(super) fn wanted(&self, kind: Kind, within: ObjectId, name: &str) -> Wanted {
        let is_column =
            |on: ObjectId| self.schema.objects[on].kind == Kind::Column && self.schema.objects[on].name == name;
        match kind.namespace() {
            Namespace::Relation => {
                let reads_column = self.schema.objects[within].needs.iter().any(|need| is_column(need.on));
                Wanted::Relation { reads_column }
            }
            Namespace::Type => Wanted::Type,
            Namespace::Routine => Wanted::Function,
            Namespace::Parent => Wanted::Behind(kind.word()),
            _ if kind == Kind::Schema => Wanted::Schema,
            _ if kind == Kind::Role => Wanted::User,
            _ => Wanted::Other,
        }
    }

    /// Gives a column its name in its own definition.
    fn rename_own_piece(&mut self, column: ObjectId, to: &str) {
        if let Body::Column(body) = &mut self.schema.objects[column].body
            && let Some(piece) = body.pieces.iter_mut().find(|piece| piece.what == PieceKind::Name)
            && let Some(name) = lex_code(&piece.text).first()
        {
            piece.text.replace_range(name.start..name.end, &quote(to));
            self.schema.objects[column].edited = true;
            self.touch_parents(column);
        }
    }

    /// Routines are known by the types of their arguments, under the names of now.
    fn rename_argument_types(&mut self, id: ObjectId, was: &str) {
        let is = self.schema.display(id);
        for (dependent, _) in self.schema.dependents(id) {
            let Some(arguments) = self.schema.objects[dependent].arguments.clone() else { continue };
            let renamed: Vec<String> = arguments
                .split(", ")
                .map(|a| match a.strip_prefix(was) {
                    Some(rest) if rest.is_empty() || rest == "[]" => format!("{is}{rest}"),
                    _ => a.to_string(),
                })
                .collect();
            self.schema.change_name(dependent, |o| o.arguments = Some(renamed.join(", ")));
        }
    }

    /// A constraint keeps its name, so the columns that its automatic name would have now must be known.
    fn rename_key_columns(&mut self, column: ObjectId, from: &str, to: &str) {
        for (dependent, _) in self.schema.dependents(column) {
            if let Body::Constraint(constraint) = &mut self.schema.objects[dependent].body {
                constraint.columns.iter_mut().filter(|c| *c == from).for_each(|c| *c = to.to_string());
            }
        }
    }

    /// A constraint's index has the constraint's name; a name that was written is written anew.
    fn rename_constraint(&mut self, id: ObjectId, to: &str) {
        for index in self.schema.children(id) {
            if self.schema.objects[index].kind == Kind::Index {
                self.schema.change_name(index, |o| o.name = to.to_string());
            }
        }
        let table = self.schema.objects[id].parent.unwrap_or(id);
        let prefix = format!("{} {}", self.keyword(table, "CONSTRAINT"), quote(to));
        if let Body::Constraint(constraint) = &mut self.schema.objects[id].body {
            constraint.prefix = Some(prefix);
        }
    }

    fn touch_table_of(&mut self, id: ObjectId) {
        if let Some(parent) = self.schema.objects[id].parent
            && matches!(self.schema.objects[id].kind, Kind::Column | Kind::Constraint)
        {
            self.schema.objects[parent].edited = true;
        }
    }

    fn rename_schema(&mut self, from: &str, to: &str) {
        let live: Vec<ObjectId> = self.schema.live().collect();
        let edit = |text: &str| edit::rename_object(text, from, to, Wanted::Schema);
        for id in live {
            self.edit_text(id, &edit);
            let was_there = self.schema.objects[id].schema.is_empty() || self.schema.objects[id].schema == from;
            if self.schema.objects[id].schema == from {
                self.schema.change_name(id, |o| o.schema = to.to_string());
            }
            if let Some(arguments) = &self.schema.objects[id].arguments {
                let (was, is) = (format!("{}.", quote(from)), format!("{}.", quote(to)));
                let renamed = arguments.split(", ").map(|a| match a.strip_prefix(&was) {
                    Some(rest) => format!("{is}{rest}"),
                    None => a.to_string(),
                });
                let renamed = renamed.collect::<Vec<_>>().join(", ");
                self.schema.change_name(id, |o| o.arguments = Some(renamed));
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
            self.set_property(id, Property::Schema, Vec::new());
            return;
        }
        self.move_object(id, &statement.newschema);
    }

    fn move_object(&mut self, id: ObjectId, to: &str) {
        let (name, from) = (self.schema.objects[id].name.clone(), self.schema.objects[id].schema.clone());
        let is_sequence = self.schema.objects[id].kind == Kind::Sequence;
        // A column's qualifier stays; a row can't be qualified at all.
        let wanted = match self.wanted(self.schema.objects[id].kind, id, &name) {
            Wanted::Relation { .. } => Wanted::Relation { reads_column: true },
            wanted => wanted,
        };
        let edit = |text: &str| {
            let text = requalify(text, &name, &from, to, wanted);
            if is_sequence { requalify_in_strings(&text, &name, &from, to) } else { text }
        };
        self.edit_text(id, &edit);
        for dependent in self.that_name(id) {
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
        self.folded(id, Fold::Moved(from.clone()));
        for sequence in owned {
            if self.schema.objects[sequence].schema == from {
                self.move_object(sequence, to);
            }
        }
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
fn requalify(text: &str, name: &str, from: &str, to: &str, wanted: Wanted) -> String {
    let names = Names::of(text);
    let tokens = &names.tokens;
    let mut edits = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let followed_by_dot = tokens.get(i + 1).is_some_and(|t| t.text(text) == ".");
        if token.name(text).as_deref() != Some(name) || followed_by_dot || !names.is(i, wanted) {
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
