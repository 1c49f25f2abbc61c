//! DROP, COMMENT and OWNER: once for all kinds.

use super::{New, Replay};
use crate::ledger::{Mark, What};
use crate::objects::{PieceKind, Property};
use crate::schema::{Body, Kind, Namespace, Need, ObjectId, Strength};
use crate::sql::names;
use pg_query::protobuf::{AlterOwnerStmt, CommentStmt, DropBehavior, DropStmt, ObjectType, SecLabelStmt};

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
        let owned = self.owned_by(id);
        self.schema.end(id, self.current);
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
            } else if (strength == Strength::Auto || (cascade && strength == Strength::Normal))
                && !self.rows_stay_elsewhere(dependent, id)
            {
                self.end(dependent, Some(root), cascade);
            }
        }
        for owned in owned {
            self.end(owned, Some(root), cascade);
        }
    }

    /// A table whose column, constraint or default goes isn't the author's any more.
    pub(super) fn touch_parents(&mut self, id: ObjectId) {
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
        let says = |on: &ObjectId| self.schema.objects[*on].property == Some(Property::OwnedBy);
        let settings = self.schema.dependents(column).into_iter().map(|(on, _)| on).filter(says);
        let is_sequence = |id: &ObjectId| self.schema.objects[*id].kind == Kind::Sequence && self.schema.lives(*id);
        let mut owned: Vec<ObjectId> =
            settings.filter_map(|s| self.schema.objects[s].parent).filter(is_sequence).collect();
        owned.sort_unstable();
        owned.dedup();
        owned
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
                        let name = self.schema.objects[id].name.clone();
                        self.unknown_drops.entry(name).or_default().push(kept);
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
            for name in &unknown {
                self.unknown_drops.entry(name.clone()).or_default().push(kept);
            }
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
            return self.comment_on(of, Some(Property::CommentOnColumn(column)), statement.comment.is_empty());
        }
        let target = if domain_constraint { self.domain_constraint(object) } else { target };
        let Some(target) = target else {
            return self.keep_unmade("comments on what", &self.named_object(kind, object));
        };
        self.comment_on(target, None, statement.comment.is_empty());
    }

    /// The grammar gives the same empty string for NULL and for ''; both take the comment away.
    fn comment_on(&mut self, target: ObjectId, part: Option<Property>, takes_away: bool) {
        let name = part.as_ref().map_or_else(|| "comment".to_string(), Property::key);
        if !takes_away {
            let text = self.text.to_string();
            self.attach(target, Kind::Comment, name, part, Vec::new(), text);
            return;
        }
        match self.schema.child(target, Kind::Comment, &name) {
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

    pub(super) fn has_columns_of_a_query(&self, id: ObjectId) -> bool {
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
                self.set_property(target, Property::Label(statement.provider.clone()), Vec::new());
            }
            (kind, object) => {
                let name = object.map(|o| self.named_object(kind, o)).unwrap_or_default();
                self.keep_unmade("labels what", &name);
            }
        }
    }

    /// The statement under way sets a property; an older setting of it is superseded.
    pub(crate) fn set_property(&mut self, target: ObjectId, property: Property, needs: Vec<Need>) -> ObjectId {
        let text = self.text.to_string();
        self.set_property_text(target, property, needs, text)
    }

    /// See [`Replay::set_property`]; the text is a part of the statement.
    pub(crate) fn set_property_text(
        &mut self,
        target: ObjectId,
        property: Property,
        needs: Vec<Need>,
        text: String,
    ) -> ObjectId {
        self.attach(target, Kind::Setting, property.key(), Some(property), needs, text)
    }

    /// A comment or a setting; one of the same name is superseded.
    fn attach(
        &mut self,
        target: ObjectId,
        kind: Kind,
        name: String,
        property: Option<Property>,
        needs: Vec<Need>,
        text: String,
    ) -> ObjectId {
        let edited = self.is_inner || text != self.text;
        if let Some(old) = self.schema.child(target, kind, &name) {
            let source = self.schema.objects[old].source;
            self.event(old, What::Superseded(source));
            self.schema.add_needs(old, needs);
            let object = &mut self.schema.objects[old];
            (object.body, object.source, object.context) = (Body::Text(text), self.current, self.context.clone());
            object.edited = edited;
            return old;
        }
        let place = (self.schema.objects[target].schema.clone(), name);
        let id = self.create(New { needs, property, ..New::of(target, kind, place, Body::Text(text)) });
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
        self.set_property(target, Property::Owner, needs.into_iter().collect());
    }

    /// Edits an object's text in place, wherever its kind keeps it. The name of a column is no text of anything else.
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
            Body::Column(column) => {
                let others = column.pieces.iter_mut().filter(|p| p.what != PieceKind::Name);
                others.for_each(|p| apply(&mut p.text));
            }
            Body::Constraint(constraint) => apply(&mut constraint.text),
            Body::Grant(_) => changed = true,
            Body::Inside => {}
        }
        if changed {
            self.schema.text_changed(id);
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
