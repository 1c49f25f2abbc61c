//! Rung 4: a table as it happened, by its own statements of the history in their order, without the dead ones.
//!
//! The first statement stands in the table's place; each later one is a unit of its own, so that what came in between (a table
//! made LIKE this one, a partition) may come in between again.

use super::Choices;
use super::unit::{Owner, Unit};
use crate::history::{History, StatementId};
use crate::replay::Model;
use crate::schema::{Kind, Object, ObjectId};
use pg_query::NodeEnum as N;
use std::collections::{BTreeSet, HashMap};

/// The later statements of objects that are written as it happened.
pub struct Steps {
    /// By the number of the object's first unit: its later statements and their units.
    later: HashMap<usize, Vec<(StatementId, usize)>>,
    /// The last statement that changed what belongs to such an object.
    changed: HashMap<ObjectId, StatementId>,
}

impl Steps {
    /// Adds units for the later statements, each after the one before it.
    pub fn add(choices: &Choices, model: &Model, index: &HashMap<ObjectId, usize>, units: &mut Vec<Unit>) -> Steps {
        let mut steps = Steps { later: HashMap::new(), changed: HashMap::new() };
        let mut told: Vec<(&ObjectId, &Vec<StatementId>)> = choices.happened.iter().collect();
        told.sort();
        for (id, story) in told {
            let Some(first) = index.get(id).copied() else { continue };
            units[first].key = (story[0], story[0], *id);
            let mut before = first;
            for statement in &story[1..] {
                let key = (*statement, *statement, *id);
                let owner = Owner::Step(*id, *statement);
                units.push(Unit { owner, key, needs: BTreeSet::from([before]), foreign_keys: Vec::new() });
                before = units.len() - 1;
                steps.later.entry(first).or_default().push((*statement, before));
            }
        }
        if !steps.later.is_empty() {
            for event in model.ledger.events.iter().filter(|e| model.schema.lives(e.object)) {
                steps.changed.insert(event.object, event.statement);
            }
        }
        steps
    }

    /// The unit after which `part` of `unit`'s object is as `dependent` needs it: at the end, if the text of that was changed
    /// to fit, else as it was when its author wrote it.
    pub fn with(&self, unit: usize, part: ObjectId, dependent: &Object) -> usize {
        let Some(later) = self.later.get(&unit) else { return unit };
        let last = match dependent.edited {
            true => self.changed.get(&part).copied().unwrap_or(0),
            false => dependent.source,
        };
        later.iter().rev().find(|(at, _)| *at <= last).map_or(unit, |(_, step)| *step)
    }
}

/// The statements that made a table what it is, in order; `None` where others than its own had a part in it.
pub fn story(history: &History, model: &Model, id: ObjectId) -> Option<Vec<StatementId>> {
    let schema = &model.schema;
    if schema.objects[id].kind != Kind::Table {
        return None;
    }
    let is_part = |o: &ObjectId| {
        matches!(schema.objects[*o].kind, Kind::Column | Kind::Constraint | Kind::Default | Kind::Sequence)
    };
    let objects = model.inside(id).iter().copied().filter(is_part).chain([id]);
    let statements: BTreeSet<StatementId> = objects.flat_map(|o| model.events_of(o)).map(|e| e.statement).collect();
    let own = |s: &StatementId| {
        matches!(
            &history.statements[*s].node,
            N::CreateStmt(_) | N::CreateTableAsStmt(_) | N::AlterTableStmt(_) | N::RenameStmt(_) | N::SelectStmt(_)
        )
    };
    statements.iter().all(own).then(|| statements.into_iter().collect())
}

/// The tables whose shape a table took over when it was made, or takes over as they change.
pub fn kin(model: &Model, id: ObjectId) -> Vec<ObjectId> {
    let schema = &model.schema;
    let is_table = |o: &ObjectId| schema.objects[*o].kind == Kind::Table && schema.lives(*o) && *o != id;
    let own = schema.objects[id].needs.iter().map(|n| n.on);
    own.chain(schema.objects[id].inherits.iter().copied()).chain(schema.heirs(id)).filter(is_table).collect()
}
