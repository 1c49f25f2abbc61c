//! The order of the new set: files first, then within each file the author's order, disturbed only where a need demands it.

use super::Choices;
use super::group::Grouping;
use super::unit::{Owner, Unit, units};
use crate::history::History;
use crate::replay::Model;
use crate::schema::{Kind, ObjectId};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// Units in their files, in order.
pub struct Arrangement {
    /// The units of each file.
    pub files: Vec<Vec<Owner>>,
    /// Foreign keys that stand behind the tables of their cycle, or in a later file.
    pub split: HashSet<ObjectId>,
}

/// Arranges the units of the new set.
pub fn arrange(history: &History, model: &Model, choices: &Choices, grouping: &Grouping) -> Arrangement {
    let mut split: HashSet<ObjectId> = choices.split.clone();
    // Each round takes foreign keys out of their tables; what is taken out stays out, so this ends.
    loop {
        let mut all = units(history, model, choices, &split);
        let mut more = cyclic_keys(&all);
        let mut file = grouping.assign(history, model, choices, &all);
        settle(model, &all, &mut file);
        more.extend(keys_into_later_files(&all, &file));
        more.retain(|key| !split.contains(key));
        if more.is_empty() {
            for unit in &mut all {
                let keys: Vec<usize> = unit.foreign_keys.iter().map(|(_, on)| *on).collect();
                unit.needs.extend(keys);
            }
            unanchor(model, &mut all, &file);
            let mut files = vec![Vec::new(); grouping.len()];
            for i in sort(&all, &file) {
                files[file[i]].push(all[i].owner);
            }
            return Arrangement { files, split };
        }
        split.extend(more);
    }
}

/// What stands in another file than its table can't stand behind what the table's file says of it: it keeps the author's
/// place. So a set that is consolidated again stays as it is.
fn unanchor(model: &Model, units: &mut [Unit], file: &[usize]) {
    let at: HashMap<ObjectId, usize> = units
        .iter()
        .zip(file)
        .filter_map(|(unit, file)| match unit.owner {
            Owner::Object(id) => Some((id, *file)),
            Owner::Extra(_) | Owner::Step(..) => None,
        })
        .collect();
    for (unit, file) in units.iter_mut().zip(file) {
        if let Owner::Object(id) = unit.owner
            && at.get(&model.schema.root(id)).is_some_and(|table| table != file)
            && unit.key.0 != usize::MAX
        {
            unit.key.0 = unit.key.1;
        }
    }
}

/// Foreign keys on a cycle, that point at a table which the author wrote later; if there is none such, all on the cycle.
fn cyclic_keys(units: &[Unit]) -> Vec<ObjectId> {
    let mut graph = DiGraph::<(), ()>::new();
    let nodes: Vec<NodeIndex> = units.iter().map(|_| graph.add_node(())).collect();
    for (i, unit) in units.iter().enumerate() {
        for on in unit.needs.iter().copied().chain(unit.foreign_keys.iter().map(|(_, on)| *on)) {
            graph.add_edge(nodes[i], nodes[on], ());
        }
    }
    let mut keys = Vec::new();
    for component in tarjan_scc(&graph) {
        if component.len() < 2 {
            continue;
        }
        let members: HashSet<usize> = component.iter().map(|n| n.index()).collect();
        let on_cycle = |later_only: bool| {
            let mut found = Vec::new();
            for i in &members {
                for (key, on) in &units[*i].foreign_keys {
                    if members.contains(on) && (!later_only || units[*on].key > units[*i].key) {
                        found.push(*key);
                    }
                }
            }
            found
        };
        let later = on_cycle(true);
        keys.extend(if later.is_empty() { on_cycle(false) } else { later });
    }
    keys
}

/// Moves units between files until nothing needs what comes in a later file: what a table needs moves up to the table;
/// anything else moves down to what it needs.
fn settle(model: &Model, units: &[Unit], file: &mut [usize]) {
    let is_table = |i: usize| match units[i].owner {
        Owner::Object(id) => model.schema.objects[id].kind == Kind::Table,
        Owner::Extra(_) | Owner::Step(..) => false,
    };
    for _ in 0..units.len() + 1 {
        let mut changed = false;
        for i in 0..units.len() {
            for on in units[i].needs.iter().copied() {
                if file[on] <= file[i] {
                    continue;
                }
                if is_table(i) && !is_table(on) {
                    file[on] = file[i];
                } else {
                    file[i] = file[on];
                }
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
    // Pulled up and pushed down in turn: the order of needs decides alone.
    for _ in 0..units.len() {
        for i in 0..units.len() {
            let latest = units[i].needs.iter().map(|on| file[*on]).max().unwrap_or(0);
            file[i] = file[i].max(latest);
        }
    }
}

fn keys_into_later_files(units: &[Unit], file: &[usize]) -> Vec<ObjectId> {
    let mut keys = Vec::new();
    for (i, unit) in units.iter().enumerate() {
        keys.extend(unit.foreign_keys.iter().filter(|(_, on)| file[*on] > file[i]).map(|(key, _)| *key));
    }
    keys
}

/// Kahn's algorithm with a heap: of all units whose needs are met, the one that the author wrote first comes next. A cycle
/// that is left is cut where the author's order is earliest; the proof then tells whether PostgreSQL minds.
fn sort(units: &[Unit], file: &[usize]) -> Vec<usize> {
    let mut waits: Vec<usize> = units.iter().map(|u| u.needs.len()).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); units.len()];
    for (i, unit) in units.iter().enumerate() {
        for on in &unit.needs {
            dependents[*on].push(i);
        }
    }
    let key = |i: usize| Reverse((file[i], units[i].key, i));
    let mut ready: BinaryHeap<_> = (0..units.len()).filter(|i| waits[*i] == 0).map(key).collect();
    let mut done = vec![false; units.len()];
    let mut order = Vec::with_capacity(units.len());
    while order.len() < units.len() {
        let next = match ready.pop() {
            Some(Reverse((_, _, i))) => i,
            None => (0..units.len()).filter(|i| !done[*i]).min_by_key(|i| (file[*i], units[*i].key)).unwrap_or(0),
        };
        if std::mem::replace(&mut done[next], true) {
            continue;
        }
        order.push(next);
        for dependent in &dependents[next] {
            waits[*dependent] = waits[*dependent].saturating_sub(1);
            if waits[*dependent] == 0 && !done[*dependent] {
                ready.push(key(*dependent));
            }
        }
    }
    order
}
