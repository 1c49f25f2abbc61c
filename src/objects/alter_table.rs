//! ALTER TABLE, command by command: what folds into the CREATE TABLE does; the rest stays an ALTER of its own.

use super::element::{Element, Place};
use super::passes::{pass, subtype, words_of};
use super::property::Property;
use super::segment::{Segment, segments};
use crate::ledger::{Mark, What};
use crate::replay::Replay;
use crate::replay::is_cascade;
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableCmd, AlterTableStmt, AlterTableType as T, Constraint as ConstraintTree};
use std::ops::Range;

impl Replay<'_> {
    /// ALTER TABLE, and ALTER of indexes, views and sequences, which share its tree.
    pub(crate) fn alter_table(&mut self, statement: &AlterTableStmt) {
        let type_name = statement.relation.as_ref().map(names::range_var).unwrap_or_default();
        let target = self.relation_opt(&statement.relation).or_else(|| self.schema.type_of(&type_name, &self.path()));
        let Some(target) = target else {
            return self.missing(1, 1, statement.missing_ok, "alters what isn't there", &type_name.name);
        };
        let segments = segments(&self.text);
        if segments.len() != statement.cmds.len() {
            self.set_property(target, Property::Command { words: first_words(&self.text), sum: None }, Vec::new());
            return;
        }
        let base = self.offset;
        let mut commands: Vec<(&AlterTableCmd, &Segment)> = Vec::new();
        for (node, segment) in statement.cmds.iter().zip(&segments) {
            if let Some(NodeEnum::AlterTableCmd(command)) = &node.node {
                commands.push((command, segment));
            }
        }
        commands.sort_by_key(|(command, _)| pass(command));
        for (command, segment) in commands {
            self.offset = base + if segments.len() > 1 { segment.start } else { 0 };
            let given = self.lives_as_table(target) && self.is_changed_in_place(target);
            if given && self.change_given(target, command, segment) {
                continue;
            }
            if statement.relation.as_ref().is_some_and(|r| r.inh) {
                self.alter_partitions(target, command, segment);
            }
            let of_options = [T::AtGenericOptions, T::AtAlterColumnGenericOptions].contains(&subtype(command));
            if of_options && self.fold_table_options(target, command, &segment.text) {
                continue;
            }
            if self.alter_composite(target, command, segment) {
                continue;
            }
            if !self.lives_as_table(target) || !self.alter_one(target, command, segment) {
                let named = self.named_children(target, named(command));
                let property = property(command);
                self.follow_up(target, property.clone(), segment);
                if let Some(setting) = self.schema.setting(target, &property) {
                    // It reaches the tables that inherited before it.
                    let heirs = self.partitions_before(target);
                    self.schema.add_needs(setting, named.into_iter().chain(heirs));
                }
            }
        }
        self.offset = base;
    }

    pub(crate) fn lives_as_table(&self, target: ObjectId) -> bool {
        matches!(self.schema.objects[target].body, Body::Table(_))
    }

    /// The trigger, rule, constraint, index or column that a command names.
    fn named_children(&self, target: ObjectId, name: &str) -> Vec<Need> {
        [Kind::Trigger, Kind::Rule, Kind::Constraint, Kind::Index, Kind::Column]
            .into_iter()
            .filter_map(|kind| match kind {
                Kind::Index => {
                    let schema = Some(self.schema.objects[target].schema.clone());
                    self.schema.relation(&names::Qualified { schema, name: name.to_string() }, &[])
                }
                _ => self.schema.child(target, kind, name),
            })
            .map(|on| Need { on, strength: Strength::Auto })
            .collect()
    }

    /// Keeps a command as an ALTER of its own; one that sets the same is superseded.
    fn follow_up(&mut self, target: ObjectId, property: Property, segment: &Segment) {
        let needs = Replay::reparse(&segment.alone).map(|n| self.needs(&n, Some(target))).unwrap_or_default();
        self.set_property_text(target, property, needs, segment.alone.clone());
    }

    /// Folds a command; false if it can't be.
    pub(crate) fn alter_one(&mut self, table: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Ok(subtype) = T::try_from(command.subtype) else { return false };
        match subtype {
            T::AtAddColumn => self.add_column(table, command, segment),
            T::AtDropColumn => self.drop_column(table, command),
            T::AtAddConstraint => self.add_constraint(table, command, segment),
            T::AtDropConstraint => self.drop_constraint(table, command),
            T::AtValidateConstraint => self.validate_constraint(table, command),
            T::AtChangeOwner => {
                let role = command.newowner.as_ref().map(names::role_spec).unwrap_or_default();
                let on = self.schema.global(Kind::Role, &role);
                let needs = on.map(|on| Need { on, strength: Strength::Normal });
                self.set_property_text(table, Property::Owner, needs.into_iter().collect(), segment.alone.clone());
                true
            }
            T::AtAttachPartition => self.attach_partition(table, command, segment),
            T::AtDetachPartition => self.detach_partition(table, command, segment),
            T::AtDisableRowSecurity => self.drop_setting(table, Property::RowSecurity),
            T::AtNoForceRowSecurity => self.drop_setting(table, Property::ForcedRowSecurity),
            T::AtDropCluster => self.drop_setting(table, Property::Cluster),
            // Around rows that come in: they keep their place among the statements that change rows.
            T::AtDisableTrigAll | T::AtDisableTrigUser | T::AtEnableTrigAll | T::AtEnableTrigUser => {
                self.among_rows(table, segment.alone.clone());
                true
            }
            T::AtResetRelOptions | T::AtSetRelOptions => false,
            // What was there before the part that is consolidated is changed by commands of its own.
            _ if self.is_changed_in_place(table) => false,
            _ => self.alter_column(table, subtype, command, segment),
        }
    }

    /// A command on a table that was there before the part that is consolidated; false if it's kept like any other.
    fn change_given(&mut self, table: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Ok(subtype) = T::try_from(command.subtype) else { return false };
        match subtype {
            T::AtAddColumn => return self.add_to_given(table, command, segment),
            T::AtDropColumn => return self.drop_from_given(table, Kind::Column, command, segment),
            T::AtDropConstraint => return self.drop_from_given(table, Kind::Constraint, command, segment),
            T::AtDisableRowSecurity => self.take_back(table, Property::RowSecurity, segment),
            T::AtNoForceRowSecurity => self.take_back(table, Property::ForcedRowSecurity, segment),
            T::AtDropCluster => self.take_back(table, Property::Cluster, segment),
            T::AtValidateConstraint => {
                let constraint = self.schema.child(table, Kind::Constraint, &command.name);
                // In one transaction with ADD CONSTRAINT it would hold that one's lock while it reads the table, so what
                // the part adds isn't folded either.
                if constraint.is_none_or(|id| !self.schema.is_given(id) && !self.is_to_be_validated(id)) {
                    return false;
                }
                self.keep_change(constraint, Property::Validated, segment.alone.clone());
            }
            _ => {
                let Some(column) = self.schema.child(table, Kind::Column, &command.name) else { return false };
                if self.schema.is_added_column(column)
                    && self.folds_into_added(table, column, subtype, &segment.text)
                    && self.alter_column(table, subtype, command, segment)
                {
                    return true;
                }
                return self.change_column(column, subtype, segment);
            }
        }
        true
    }

    fn add_to_given(&mut self, table: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Some(NodeEnum::ColumnDef(column)) = command.def.as_ref().and_then(|d| d.node.as_ref()) else {
            return false;
        };
        if self.schema.column(table, &column.colname).is_some() {
            self.mark(Mark::Noop(format!("column {} is already there", column.colname)));
            return true;
        }
        let start = column.location.max(0) as usize;
        let Some(at) = start.checked_sub(segment.start).filter(|at| *at <= segment.text.len()) else { return false };
        let (words, text) = segment.text.split_at(at);
        let id = self.create_column(table, column, start, text);
        if let Body::Column(body) = &mut self.schema.objects[id].body
            && let Some(first) = body.pieces.first_mut()
        {
            first.gap = words.to_string();
        }
        self.schema.objects[id].edited |= segment.alone != self.text;
        true
    }

    fn drop_from_given(&mut self, table: ObjectId, kind: Kind, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Some(id) = self.schema.child(table, kind, &command.name) else {
            let surely = command.missing_ok && !self.opaque_mentions(&command.name);
            if surely {
                self.mark(Mark::Noop(format!("{} {} isn't there", kind.word(), command.name)));
            }
            return surely;
        };
        let cascade = is_cascade(command.behavior);
        if !self.schema.is_given(id) {
            if kind == Kind::Column {
                self.drop_added_column(table, id, cascade);
            } else {
                self.keep_what_was_checked(table, id);
                self.end(id, None, cascade);
            }
            return true;
        }
        let doomed = self.doomed(&[Some(id)]);
        self.end(id, None, cascade);
        self.keep_drop_command(table, kind, doomed, segment.alone.clone());
        true
    }

    /// A setting that is taken back leaves nothing; one that was never made is kept as written.
    fn drop_setting(&mut self, table: ObjectId, property: Property) -> bool {
        match self.schema.setting(table, &property) {
            Some(setting) => {
                self.kill(setting, None);
                true
            }
            None => {
                self.mark(Mark::Noop(format!("{property} isn't on")));
                true
            }
        }
    }

    fn add_column(&mut self, table: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Some(NodeEnum::ColumnDef(column)) = command.def.as_ref().and_then(|d| d.node.as_ref()) else {
            return false;
        };
        let there = match self.is_attached(table) {
            true => self.schema.child(table, Kind::Column, &column.colname),
            false => self.schema.column(table, &column.colname),
        };
        if there.is_some() {
            self.mark(Mark::Noop(format!("column {} is already there", column.colname)));
            return true;
        }
        let Body::Table(body) = &self.schema.objects[table].body else { return false };
        if body.elements.is_empty() && body.tail.is_empty() || self.has_heirs_with_columns(table) {
            return false;
        }
        let start = column.location.max(0) as usize;
        let Some(text) = segment.text.get(start.saturating_sub(segment.start)..) else { return false };
        let id = self.create_column(table, column, start, text);
        self.event(id, What::Folded("column added".into()));
        self.schema.objects[id].edited = true;
        self.insert_element(table, id, segment);
        true
    }

    /// Puts a column behind the last column of the list, a constraint at the end.
    fn insert_element(&mut self, table: ObjectId, id: ObjectId, segment: &Segment) {
        let is_column = self.schema.objects[id].kind == Kind::Column;
        let Body::Table(list) = &self.schema.objects[table].body else { return };
        let holds_column = |e: &Element| e.object.is_none_or(|o| self.schema.objects[o].kind == Kind::Column);
        let at = match is_column {
            true => list.elements.iter().rposition(holds_column).map_or(0, |i| i + 1),
            false => list.elements.len(),
        };
        // What is gone holds a place for what comes: once that is here, the place isn't wanted any more.
        let is_gone = |e: &Element| {
            e.object
                .is_some_and(|o| !self.schema.lives(o) && (self.schema.objects[o].kind == Kind::Column) == is_column)
        };
        let replaces = at > 1 && list.elements.get(at - 1).is_some_and(is_gone);
        if is_column {
            self.align_column(table, id);
        }
        let (above, beside) = self.own_comments(segment);
        let Body::Table(body) = &mut self.schema.objects[table].body else { return };
        let trail = if segment.trail.is_empty() { beside } else { segment.trail.clone() };
        let comments: Vec<&String> = above.iter().chain(&segment.lead).collect();
        let has_comments = !comments.is_empty() || !trail.is_empty();
        let mut indent = body.indent();
        if has_comments && !indent.contains('\n') {
            // In a table on one line, what has a comment gets a line of its own.
            indent = "\n    ".into();
        }
        let mut lead = String::new();
        for comment in comments {
            lead.push_str(&indent.replace(',', " "));
            lead.push_str(comment);
        }
        lead.push_str(&indent);
        if body.elements.is_empty() && body.close.is_empty() && !has_comments {
            lead.clear();
        }
        let element = Element { object: Some(id), lead, text: String::new(), trail };
        match replaces {
            true => body.elements[at - 1] = element,
            false => body.elements.insert(at, element),
        }
        self.schema.list(id);
        self.schema.objects[table].edited = true;
    }

    fn drop_column(&mut self, table: ObjectId, command: &AlterTableCmd) -> bool {
        match self.schema.child(table, Kind::Column, &command.name) {
            Some(column) if matches!(self.schema.objects[column].body, Body::Inside) => false,
            Some(column) => {
                self.end(column, None, is_cascade(command.behavior));
                true
            }
            None if command.missing_ok && !self.opaque_mentions(&command.name) => {
                self.mark(Mark::Noop(format!("column {} isn't there", command.name)));
                true
            }
            None => false,
        }
    }

    fn add_constraint(&mut self, table: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Some(NodeEnum::Constraint(tree)) = command.def.as_ref().and_then(|d| d.node.as_ref()) else { return false };
        if !tree.indexname.is_empty() {
            return self.constraint_using_index(table, tree);
        }
        let start = (tree.location.max(0) as usize).saturating_sub(segment.start);
        let Some(text) = segment.text.get(start..) else { return false };
        let id = self.create_constraint(table, None, tree, text, Place::Late);
        self.fold_into_table_with(table, id, tree, segment);
        true
    }

    /// A constraint that stays NOT VALID can't stand in a CREATE TABLE, which would check it.
    fn fold_into_table_with(&mut self, table: ObjectId, id: ObjectId, tree: &ConstraintTree, segment: &Segment) {
        let has_list = matches!(&self.schema.objects[table].body, Body::Table(t) if !t.tail.is_empty());
        if tree.skip_validation || !has_list || self.is_changed_in_place(table) || self.would_merge(table, id) {
            self.schema.objects[id].edited = segment.alone != self.text;
            return;
        }
        self.event(id, What::Folded("constraint added".into()));
        self.insert_element(table, id, segment);
    }

    /// Two keys over the same columns become one if they stand in one CREATE TABLE (`transformIndexConstraints` in
    /// PostgreSQL's parse_utilcmd.c), but not if one is added later.
    fn would_merge(&self, table: ObjectId, id: ObjectId) -> bool {
        let key = |o: ObjectId| match &self.schema.objects[o].body {
            Body::Constraint(c) if matches!(c.suffix, "pkey" | "key") => Some((true, &c.columns)),
            Body::Constraint(c) if c.suffix == "excl" => Some((false, &c.columns)),
            _ => None,
        };
        let Some(columns) = key(id) else { return false };
        self.schema.children(table).into_iter().any(|o| o != id && key(o) == Some(columns))
    }

    /// See above, for a constraint that has no segment of its own.
    pub(crate) fn fold_into_table(&mut self, table: ObjectId, id: ObjectId) {
        let empty =
            Segment { start: 0, text: String::new(), lead: Vec::new(), trail: String::new(), alone: String::new() };
        let has_list = matches!(&self.schema.objects[table].body, Body::Table(t) if !t.tail.is_empty());
        if has_list && !self.is_changed_in_place(table) && !self.would_merge(table, id) {
            self.event(id, What::Folded("constraint added".into()));
            self.insert_element(table, id, &empty);
        }
    }

    fn drop_constraint(&mut self, table: ObjectId, command: &AlterTableCmd) -> bool {
        let Some(id) = self.schema.child(table, Kind::Constraint, &command.name) else {
            // LIKE brings constraints that stand in no piece of the table.
            let like = matches!(&self.schema.objects[table].body, Body::Table(t) if t.elements.iter().any(|e| e.object.is_none()));
            let surely = command.missing_ok && !like && !self.opaque_mentions(&command.name);
            if surely {
                self.mark(Mark::Noop(format!("constraint {} isn't there", command.name)));
            }
            return surely;
        };
        if let Body::Constraint(constraint) = &self.schema.objects[id].body
            && constraint.suffix == "pkey"
        {
            // Before PostgreSQL 18 a column of a dropped primary key stays NOT NULL.
            for column in constraint.columns.clone() {
                if let Some(column) = self.schema.column(table, &column) {
                    self.set_not_null(table, column);
                }
            }
        }
        self.end(id, None, is_cascade(command.behavior));
        true
    }

    fn validate_constraint(&mut self, table: ObjectId, command: &AlterTableCmd) -> bool {
        let Some(id) = self.schema.child(table, Kind::Constraint, &command.name) else { return false };
        let Body::Constraint(constraint) = &mut self.schema.objects[id].body else { return false };
        let Some(range) = not_valid(&constraint.text) else {
            self.mark(Mark::Noop(format!("constraint {} is valid", command.name)));
            return true;
        };
        constraint.text = edit::replace(&constraint.text, vec![(range, String::new())]).trim_end().to_string();
        self.folded(id, "validated");
        self.fold_into_table(table, id);
        true
    }
}

/// Where a constraint's text says that rows which are there aren't checked.
pub(crate) fn not_valid(text: &str) -> Option<Range<usize>> {
    let tokens = lex_code(text);
    tokens.windows(2).find(|w| w[0].is(text, "not") && w[1].is(text, "valid")).map(|w| w[0].start..w[1].end)
}

/// The trigger, rule, constraint, index or column that a command names.
fn named(command: &AlterTableCmd) -> &str {
    match command.def.as_ref().and_then(|def| def.node.as_ref()) {
        Some(NodeEnum::ReplicaIdentityStmt(identity)) => &identity.name,
        _ => &command.name,
    }
}

/// What an ALTER that can't be folded is about: a later one about the same supersedes it.
fn property(command: &AlterTableCmd) -> Property {
    let name = command.name.clone();
    let Ok(subtype) = T::try_from(command.subtype) else {
        return Property::Command { words: "alter".into(), sum: None };
    };
    match subtype {
        T::AtEnableRowSecurity => Property::RowSecurity,
        T::AtForceRowSecurity => Property::ForcedRowSecurity,
        T::AtClusterOn => Property::Cluster,
        T::AtReplicaIdentity => Property::ReplicaIdentity,
        T::AtSetLogged | T::AtSetUnLogged => Property::Logged,
        T::AtEnableTrig | T::AtEnableAlwaysTrig | T::AtEnableReplicaTrig | T::AtDisableTrig => Property::Trigger(name),
        T::AtEnableRule | T::AtEnableAlwaysRule | T::AtEnableReplicaRule | T::AtDisableRule => Property::Rule(name),
        T::AtSetStatistics => Property::Statistics(name),
        T::AtSetStorage => Property::Storage(name),
        T::AtSetCompression => Property::Compression(name),
        T::AtAlterColumnType => Property::ColumnType(name),
        other => {
            // Options and partitions add up rather than replace each other, so each statement is a command of its own.
            let words = words_of(other);
            let words = if name.is_empty() { words } else { format!("{words} {name}") };
            let sum = command.def.as_ref().map(|def| fingerprint(&format!("{def:?}")));
            Property::Command { words, sum }
        }
    }
}

fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn first_words(text: &str) -> String {
    crate::replay::first_words(text, 5)
}
