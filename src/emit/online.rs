//! A part of a history runs on databases that are in use. What its author wrote so that a table isn't locked for long stays:
//! CONCURRENTLY, a constraint that is added NOT VALID and validated later, and the files that keep such statements apart.
//! On a fresh database all of it comes to the same, so no proof would miss it.

use super::lay_out::{may_be_bare, stands_alone};
use super::set::NewSet;
use crate::history::History;
use crate::history::layout::Layout;
use crate::replay::Model;
use crate::schema::{Kind, ObjectId};
use pg_query::NodeEnum as N;
use pg_query::protobuf::AlterTableType;
use std::collections::BTreeSet;

/// The files with a statement that must not share its transaction: it can't run in one, or the locks of others would be held
/// as long as it takes.
pub(super) fn apart(history: &History, model: &Model) -> BTreeSet<usize> {
    let schema = &model.schema;
    let sources = schema.live().filter(|id| !schema.is_fixed(*id) && is_apart(history, model, *id));
    sources.map(|id| history.statements[schema.objects[id].source].file).collect()
}

fn is_apart(history: &History, model: &Model, id: ObjectId) -> bool {
    let schema = &model.schema;
    let object = &schema.objects[id];
    match &history.statements[object.source].node {
        N::IndexStmt(index) => {
            let in_use = object.parent.is_some_and(|table| schema.is_given(table));
            index.concurrent && (in_use || object.kind == Kind::Opaque)
        }
        N::DropStmt(drop) => drop.concurrent,
        N::AlterTableStmt(alter) => {
            let is_own = matches!(object.kind, Kind::Setting | Kind::Opaque);
            is_own && alter.cmds.iter().filter_map(|c| c.node.as_ref()).any(takes_its_time)
        }
        _ => false,
    }
}

fn takes_its_time(command: &N) -> bool {
    let N::AlterTableCmd(command) = command else { return false };
    match AlterTableType::try_from(command.subtype) {
        Ok(AlterTableType::AtValidateConstraint) => true,
        Ok(AlterTableType::AtDetachPartition) => {
            let partition = command.def.as_ref().and_then(|d| d.node.as_ref());
            matches!(partition, Some(N::PartitionCmd(partition)) if partition.concurrent)
        }
        Ok(AlterTableType::AtDetachPartitionFinalize) => true,
        _ => false,
    }
}

/// Files with a statement that can't run in a transaction are run outside of one, where the tool can be told so.
pub(super) fn mark_bare(set: &mut NewSet, layout: &'static dyn Layout) {
    for file in &mut set.files {
        file.bare |= file.statements.iter().any(|s| stands_alone(&s.text)) && may_be_bare(layout);
    }
}
