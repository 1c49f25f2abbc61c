//! Partitions that were tables of their own: ATTACH and DETACH PARTITION, and what an ALTER of the partitioned table does to
//! those attached.
//!
//! A table that is attached must have its parent's columns and CHECK constraints already, so a later change of the parent is
//! folded into it too (`MergeAttributesIntoExisting` in PostgreSQL's tablecmds.c).

use super::property::Property;
use super::segment::Segment;
use crate::ledger::{Fold, What};
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableCmd, AlterTableType as T, ConstrType, PartitionCmd};
use std::collections::BTreeSet;
use std::ops::Range;

impl Replay<'_> {
    /// ATTACH PARTITION stands with the table that is attached; false if the history didn't make it.
    pub(crate) fn attach_partition(&mut self, parent: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Some(partition) = self.partition_of(command) else { return false };
        if !self.lives_as_table(partition) {
            return false;
        }
        let needs = Replay::reparse(&segment.alone).map(|n| self.needs(&n, Some(partition))).unwrap_or_default();
        self.set_property_text(partition, Property::PartitionOf, needs, segment.alone.clone());
        if !self.schema.objects[partition].inherits.contains(&parent) {
            self.schema.inherit(partition, [parent]);
        }
        // A partition goes with its parent.
        self.schema.add_needs(partition, [Need { on: parent, strength: Strength::Auto }]);
        true
    }

    /// DETACH PARTITION takes an ATTACH back; a table that was made as a partition keeps both statements. What rows came to
    /// the partitioned table may lie in the partition, and stay there.
    pub(crate) fn detach_partition(&mut self, parent: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Some(partition) = self.partition_of(command) else { return false };
        self.rows_go_with(partition, parent);
        let setting = self.schema.setting(partition, &Property::PartitionOf);
        if let Some(setting) = setting {
            self.kill(setting, None);
        } else if self.lives_as_table(partition) && self.partition_parents(partition).contains(&parent) {
            self.keep_columns(partition, parent);
            let needs = Replay::reparse(&segment.alone).map(|n| self.needs(&n, Some(partition))).unwrap_or_default();
            let needs = needs.into_iter().map(|n| Need { strength: Strength::Order, ..n }).collect();
            let property = Property::DetachedFrom(self.schema.display(parent));
            self.set_property_text(partition, property, needs, segment.alone.clone());
        } else {
            return false;
        }
        let needs = self.schema.objects[partition].needs.clone();
        self.schema.clear_needs(partition);
        self.schema.add_needs(partition, needs.into_iter().filter(|need| need.on != parent));
        self.schema.objects[partition].inherits.retain(|on| *on != parent);
        if setting.is_none() {
            // Its statement speaks of the partitioned table.
            self.schema.add_needs(partition, [Need { on: parent, strength: Strength::Order }]);
        }
        true
    }

    /// The partitioned tables of which a table is a partition.
    pub(crate) fn partition_parents(&self, table: ObjectId) -> Vec<ObjectId> {
        let object = &self.schema.objects[table];
        let goes_along = |on: &ObjectId| object.needs.iter().any(|n| n.on == *on && n.strength == Strength::Auto);
        object.inherits.iter().copied().filter(goes_along).collect()
    }

    /// Statements that brought rows to a partitioned table, or to one above it, may have brought them to this partition.
    fn rows_go_with(&mut self, partition: ObjectId, parent: ObjectId) {
        let mut above = vec![parent];
        let mut at = 0;
        while at < above.len() {
            let more = self.partition_parents(above[at]);
            above.extend(more.into_iter().filter(|p| *p != partition));
            at += 1;
        }
        let rows: BTreeSet<ObjectId> = above.iter().flat_map(|table| self.schema.writers(*table)).collect();
        for id in rows {
            let is_there =
                matches!(&self.schema.objects[id].body, Body::Rows { targets, .. } if targets.contains(&partition));
            if !is_there {
                self.schema.add_target(id, partition);
                self.schema.add_needs(id, [Need { on: partition, strength: Strength::Order }]);
            }
        }
    }

    /// A partition that becomes a table of its own keeps the columns that it had from its parent. No piece of its text says
    /// them.
    fn keep_columns(&mut self, partition: ObjectId, parent: ObjectId) {
        let mut names: Vec<String> = Vec::new();
        let mut from = vec![parent];
        while let Some(table) = from.pop() {
            names.extend(self.schema.columns(table).iter().map(|c| self.schema.objects[*c].name.clone()));
            from.extend(self.schema.objects[table].inherits.iter().copied());
        }
        let (place, events) = (self.schema.objects[partition].schema.clone(), self.ledger.events.len());
        for name in names {
            if self.schema.child(partition, Kind::Column, &name).is_none() {
                self.create(New::of(partition, Kind::Column, (place.clone(), name), Body::Inside));
            }
        }
        // They aren't new.
        self.ledger.events.truncate(events);
    }

    fn partition_of(&self, command: &AlterTableCmd) -> Option<ObjectId> {
        match command.def.as_ref()?.node.as_ref()? {
            NodeEnum::PartitionCmd(PartitionCmd { name: Some(name), .. }) => self.relation(name),
            _ => None,
        }
    }

    /// Whether a table was attached to another as its partition.
    pub(crate) fn is_attached(&self, table: ObjectId) -> bool {
        self.schema.setting(table, &Property::PartitionOf).is_some()
    }

    /// The partitions that were attached to a table.
    fn attached(&self, table: ObjectId) -> Vec<ObjectId> {
        self.schema.heirs(table).into_iter().filter(|id| self.is_attached(*id)).collect()
    }

    /// A command on a partitioned table, done to the partitions attached to it.
    pub(crate) fn alter_partitions(&mut self, table: ObjectId, command: &AlterTableCmd, segment: &Segment) {
        let reaches = match T::try_from(command.subtype) {
            Ok(T::AtAddColumn | T::AtDropColumn | T::AtColumnDefault | T::AtSetNotNull | T::AtDropNotNull) => true,
            Ok(T::AtAlterColumnType) => true,
            Ok(T::AtAddConstraint) => is_check(command),
            _ => false,
        };
        if !reaches {
            return;
        }
        for partition in self.attached(table) {
            self.alter_one(partition, command, segment);
            self.alter_partitions(partition, command, segment);
        }
    }

    /// Whether tables that inherit have columns of their own: a column that their parent gets later stands behind these, and
    /// nothing but adding it late puts it there.
    pub(crate) fn has_heirs_with_columns(&self, table: ObjectId) -> bool {
        self.schema.heirs(table).into_iter().any(|id| !self.is_attached(id) && !self.schema.columns(id).is_empty())
    }

    /// The needs of an index on a partitioned table ONLY: it doesn't reach the partitions that were there before it.
    pub(crate) fn partitions_before(&self, table: ObjectId) -> Vec<Need> {
        let partitions = self.schema.heirs(table);
        let settings = partitions.iter().filter_map(|id| self.schema.setting(*id, &Property::PartitionOf));
        settings.chain(partitions.iter().copied()).map(|on| Need { on, strength: Strength::Order }).collect()
    }

    /// A partition key stands behind the columns of its table.
    pub(crate) fn rename_in_partition_key(&mut self, column: ObjectId, from: &str, to: &str) {
        let Some(table) = self.schema.objects[column].parent else { return };
        let name = self.schema.objects[table].name.clone();
        if let Body::Table(body) = &mut self.schema.objects[table].body
            && let Some(at) = partition_key(&body.tail)
        {
            let key = edit::rename_column(&body.tail[at.clone()], from, to, &name);
            body.tail.replace_range(at, &key);
        }
    }

    /// Gives a column of an attached partition its parent's new name.
    pub(crate) fn rename_in_partitions(&mut self, column: ObjectId, from: &str, to: &str) {
        let Some(table) = self.schema.objects[column].parent else { return };
        for partition in self.attached(table) {
            if let Some(own) = self.schema.child(partition, Kind::Column, from) {
                self.rename_object(own, to);
                self.event(own, What::Folded(Fold::RenamedWith(self.schema.display(column))));
            }
        }
    }
}

/// Where PARTITION BY and its key stand in what follows the columns of a CREATE TABLE, in bytes.
fn partition_key(tail: &str) -> Option<Range<usize>> {
    const BEFORE: &str = "CREATE TABLE t (c int";
    let Some(NodeEnum::CreateStmt(table)) = Replay::reparse(&format!("{BEFORE}{tail}")) else { return None };
    let start = usize::try_from(table.partspec?.location).ok()?.checked_sub(BEFORE.len())?;
    let tokens = lex_code(tail);
    let open = tokens.iter().position(|token| token.start > start && token.text(tail) == "(")?;
    Some(start..tokens[edit::closing(tail, &tokens, open)?].end)
}

fn is_check(command: &AlterTableCmd) -> bool {
    match command.def.as_ref().and_then(|d| d.node.as_ref()) {
        Some(NodeEnum::Constraint(constraint)) => constraint.contype == ConstrType::ConstrCheck as i32,
        _ => false,
    }
}
