//! DROP, RENAME, COMMENT and OWNER: once for all kinds.

use super::{New, Replay};
use crate::ledger::{Mark, What};
use crate::schema::{Body, Kind, Namespace, Need, OF_COLUMN, ObjectId, RENAMED, Strength};
use crate::sql::edit;
use crate::sql::names::{self, quote};
use pg_query::protobuf::{AlterOwnerStmt, CommentStmt, DropBehavior, DropStmt, ObjectType, RenameStmt, SecLabelStmt};

/// Whether a DROP says CASCADE.
pub(crate) fn is_cascade(behavior: i32) -> bool {
    DropBehavior::try_from(behavior) == Ok(DropBehavior::DropCascade)
}

impl Replay<'_> {
    /// Ends an object and what goes with it by itself.
    pub(crate) fn kill(&mut self, id: ObjectId, with: Option<ObjectId>) {
        self.end(id, with, false);
    }

    /// Ends an object; with `cascade`, also what needs it.
    pub(crate) fn end(&mut self, id: ObjectId, with: Option<ObjectId>, cascade: bool) {
        if !self.schema.lives(id) {
            return;
        }
        let dependents = self.schema.dependents(id);
        self.schema.unregister(id);
        self.schema.objects[id].died = Some(self.current);
        self.event(id, What::Died(with));
        self.touch_parents(id);
        self.part_went(id);
        if self.schema.objects[id].kind == Kind::Sequence {
            self.sequence_went(id);
        }
        let root = with.unwrap_or(id);
        for (dependent, strength) in dependents {
            if self.schema.objects[dependent].kind == Kind::Grant {
                self.forget_grants_on(dependent, id, root);
            } else if strength == Strength::Auto || (cascade && strength == Strength::Normal) {
                if !self.rows_stay_elsewhere(dependent, id) {
                    self.end(dependent, Some(root), cascade);
                }
            }
        }
        for owned in self.owned_by(id) {
            self.end(owned, Some(root), cascade);
        }
    }

    /// A table whose column, constraint or default goes isn't the author's any more.
    fn touch_parents(&mut self, id: ObjectId) {
        if !matches!(self.schema.objects[id].kind, Kind::Column | Kind::Constraint | Kind::Default) {
            return;
        }
        let mut at = self.schema.objects[id].parent;
        while let Some(parent) = at {
            self.schema.objects[parent].edited = true;
            at = self.schema.objects[parent].parent;
        }
    }

    /// Sequences that ALTER SEQUENCE ... OWNED BY gave to this column.
    pub(super) fn owned_by(&self, column: ObjectId) -> Vec<ObjectId> {
        if self.schema.objects[column].kind != Kind::Column {
            return Vec::new();
        }
        self.schema
            .live()
            .filter(|id| {
                let object = &self.schema.objects[*id];
                object.kind == Kind::Sequence
                    && self.schema.objects.iter().any(|s| {
                        s.kind == Kind::Setting
                            && s.parent == Some(*id)
                            && s.name == "owned by"
                            && s.needs.iter().any(|n| n.on == column)
                    })
            })
            .collect()
    }

    /// DROP of any kind.
    pub(crate) fn drop(&mut self, statement: &DropStmt) {
        let Some(kind) = Kind::of_object_type(statement.remove_type) else {
            return self.keep_opaque("drops what isn't known here");
        };
        let mut unknown = Vec::new();
        let targets: Vec<Option<ObjectId>> = match self.schema.cut {
            Some(_) => statement.objects.iter().map(|node| self.locate(kind, node)).collect(),
            None => Vec::new(),
        };
        let doomed = self.doomed(&targets);
        for node in &statement.objects {
            match self.locate(kind, node) {
                Some(id) => {
                    self.end(id, None, is_cascade(statement.behavior));
                    if kind == Kind::Extension {
                        self.end_columns_of_extension(id);
                    }
                    if self.is_given(id) {
                        self.keep_opaque("drops what was there before this history");
                        // Another one of that name comes after it.
                        let kept = self.schema.objects.len() - 1;
                        self.unknown_drops.push((kept, self.schema.objects[id].name.clone()));
                    }
                }
                None => unknown.extend(named(node)),
            }
        }
        self.keep_drop(kind, &doomed);
        if unknown.is_empty() {
            return;
        }
        if statement.missing_ok && !unknown.iter().any(|name| self.opaque_mentions(name)) {
            return self.mark(Mark::Noop("drops what isn't there".into()));
        }
        let first = self.schema.objects.len();
        let name = unknown.last().cloned().unwrap_or_default();
        self.missing(unknown.len(), statement.objects.len(), statement.missing_ok, "drops what isn't there", &name);
        for kept in first..self.schema.objects.len() {
            self.unknown_drops.extend(unknown.iter().map(|name| (kept, name.clone())));
        }
    }

    /// What a statement names and the model doesn't know: nothing, if the statement allows for that and nothing opaque
    /// came before it; else the statement is kept.
    pub(crate) fn missing(&mut self, unknown: usize, all: usize, missing_ok: bool, note: &str, name: &str) {
        if unknown == 0 {
            return;
        }
        if missing_ok && (!self.opaque_writes || unknown < all) {
            self.mark(Mark::Noop(note.into()));
        } else if unknown == all {
            self.keep_unmade("names what", name);
        }
    }

    /// COMMENT ON anything.
    pub(crate) fn comment(&mut self, statement: &CommentStmt) {
        let Some(object) = statement.object.as_deref() else { return };
        let kind = Kind::of_object_type(statement.objtype);
        let domain_constraint = statement.objtype == ObjectType::ObjectDomconstraint as i32;
        let target = kind.and_then(|k| self.locate(k, object)).filter(|_| !domain_constraint);
        if target.is_none()
            && kind == Some(Kind::Column)
            && let Some((of, column)) = self.column_of_query(object)
        {
            return self.comment_on(of, &format!("{OF_COLUMN}{column}"), statement.comment.is_empty());
        }
        let target = if domain_constraint { self.domain_constraint(object) } else { target };
        let Some(target) = target else {
            return self.keep_unmade("comments on what", &self.named_object(kind, object));
        };
        self.comment_on(target, "comment", statement.comment.is_empty());
    }

    /// The grammar gives the same empty string for NULL and for ''; both take the comment away.
    fn comment_on(&mut self, target: ObjectId, name: &str, takes_away: bool) {
        if !takes_away {
            self.attach(target, Kind::Comment, name, Vec::new());
            return;
        }
        match self.schema.child(target, Kind::Comment, name) {
            Some(old) => self.kill(old, None),
            None => self.mark(Mark::Noop("takes away a comment that isn't there".into())),
        }
    }

    /// A column of a view or a foreign table, which has no columns in the model: whose it is, and its name.
    fn column_of_query(&self, object: &pg_query::Node) -> Option<(ObjectId, String)> {
        let mut parts = names::of_node(object);
        let column = parts.pop()?;
        let of = self.schema.relation(&names::qualified(&parts), &self.path()).filter(|_| !parts.is_empty())?;
        self.has_columns_of_a_query(of).then_some((of, column))
    }

    fn has_columns_of_a_query(&self, id: ObjectId) -> bool {
        matches!(self.schema.objects[id].kind, Kind::View | Kind::MaterializedView | Kind::ForeignTable)
    }

    /// The name of an object that a statement speaks of; of a part, that of what it belongs to.
    fn named_object(&self, kind: Option<Kind>, object: &pg_query::Node) -> String {
        let mut parts = names::of_node(object);
        if kind.is_some_and(|k| k.namespace() == Namespace::Parent) && parts.len() > 1 {
            parts.pop();
        }
        parts.pop().unwrap_or_default()
    }

    /// SECURITY LABEL, kept as a setting of what it labels.
    pub(crate) fn security_label(&mut self, statement: &SecLabelStmt) {
        let kind = Kind::of_object_type(statement.objtype);
        match (kind, statement.object.as_deref()) {
            (Some(kind), Some(object)) if self.locate(kind, object).is_some() => {
                let target = self.locate(kind, object).unwrap_or_default();
                self.attach(target, Kind::Setting, &format!("label {}", statement.provider), Vec::new());
            }
            (kind, object) => {
                let name = object.map(|o| self.named_object(kind, o)).unwrap_or_default();
                self.keep_unmade("labels what", &name);
            }
        }
    }

    /// The statement under way gives a comment or a setting; one of the same name is superseded.
    pub(crate) fn attach(&mut self, target: ObjectId, kind: Kind, name: &str, needs: Vec<Need>) -> ObjectId {
        let text = self.text.to_string();
        self.attach_text(target, kind, name, needs, text)
    }

    /// See [`Replay::attach`]; the text is a part of the statement.
    pub(crate) fn attach_text(
        &mut self,
        target: ObjectId,
        kind: Kind,
        name: &str,
        needs: Vec<Need>,
        text: String,
    ) -> ObjectId {
        let edited = self.is_inner || text != self.text;
        if let Some(old) = self.schema.child(target, kind, name) {
            let source = self.schema.objects[old].source;
            self.event(old, What::Superseded(source));
            self.schema.add_needs(old, needs);
            let object = &mut self.schema.objects[old];
            (object.body, object.source, object.context) = (Body::Text(text), self.current, self.context.clone());
            object.edited = edited;
            return old;
        }
        let place = (self.schema.objects[target].schema.clone(), name.to_string());
        let id = self.create(New { needs, ..New::of(target, kind, place, Body::Text(text)) });
        self.schema.objects[id].edited = edited;
        id
    }

    /// ALTER ... OWNER TO.
    pub(crate) fn owner(&mut self, statement: &AlterOwnerStmt) {
        let kind = Kind::of_object_type(statement.object_type);
        let target = match (kind, &statement.relation, statement.object.as_deref()) {
            (_, Some(relation), _) => self.relation(relation),
            (Some(kind), None, Some(object)) => self.locate(kind, object),
            _ => None,
        };
        let Some(target) = target else {
            let name = match &statement.relation {
                Some(relation) => relation.relname.clone(),
                None => statement.object.as_deref().and_then(named).unwrap_or_default(),
            };
            return self.keep_unmade("gives away what", &name);
        };
        let role = statement.newowner.as_ref().map(names::role_spec).unwrap_or_default();
        self.set_owner(target, &role);
    }

    /// Notes the owner; the needs make sure that the role is there first.
    pub(crate) fn set_owner(&mut self, target: ObjectId, role: &str) {
        let needs = self.schema.global(Kind::Role, role).map(|on| Need { on, strength: Strength::Normal });
        self.attach(target, Kind::Setting, "owner", needs.into_iter().collect());
    }

    /// ALTER ... RENAME of anything.
    pub(crate) fn rename(&mut self, statement: &RenameStmt) {
        let object_type = ObjectType::try_from(statement.rename_type).unwrap_or(ObjectType::Undefined);
        let table = self.relation_opt(&statement.relation);
        if object_type == ObjectType::ObjectColumn
            && let Some(of) = table.filter(|t| self.has_columns_of_a_query(*t))
        {
            // Its own statement doesn't list them.
            self.attach(of, Kind::Setting, &format!("{RENAMED}{}", statement.subname), Vec::new());
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
                self.attach(id, Kind::Setting, &format!("{RENAMED}{}", statement.subname), Vec::new());
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
        let edit = |text: &str| match kind {
            Kind::Column => edit::rename_column(text, &from, to, &table),
            _ => edit::rename_object(text, &from, to),
        };
        if kind != Kind::Constraint {
            self.edit_text(id, &edit);
        }
        for (dependent, _) in self.schema.dependents(id) {
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
        self.folded(id, format!("renamed from {}", quote(&from)));
        self.touch_table_of(id);
        self.keep_rename(id, &from, to);
    }

    /// Routines are known by the types of their arguments, under the names of now.
    pub(super) fn rename_argument_types(&mut self, id: ObjectId, was: &str) {
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

    /// Edits an object's text in place, wherever its kind keeps it.
    pub(crate) fn edit_text(&mut self, id: ObjectId, edit: &dyn Fn(&str) -> String) {
        if self.schema.objects[id].kind == Kind::Default {
            if let Some(column) = self.schema.objects[id].parent {
                self.edit_text(column, edit);
            }
            return;
        }
        let mut changed = false;
        let mut apply = |text: &mut String| {
            let new = edit(text);
            changed |= new != *text;
            *text = new;
        };
        match &mut self.schema.objects[id].body {
            Body::Text(text) | Body::Rows { text, .. } => apply(text),
            Body::Table(table) => {
                apply(&mut table.head);
                apply(&mut table.tail);
                table.elements.iter_mut().for_each(|e| apply(&mut e.text));
            }
            Body::Column(column) => column.pieces.iter_mut().for_each(|p| apply(&mut p.text)),
            Body::Constraint(constraint) => apply(&mut constraint.text),
            Body::Grant(_) => changed = true,
            Body::Inside => {}
        }
        if changed {
            self.schema.objects[id].edited = true;
            self.touch_parents(id);
        }
    }
}

/// The last part of the name that a DROP names.
pub(super) fn named(node: &pg_query::Node) -> Option<String> {
    match &node.node {
        Some(pg_query::NodeEnum::ObjectWithArgs(object)) => names::strings(&object.objname).pop(),
        _ => names::of_node(node).pop(),
    }
}
