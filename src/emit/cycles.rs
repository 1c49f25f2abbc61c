//! Files that need each other, as the rules of `consolidate.toml` divide the objects: which objects make the cycle, and which
//! single move mends it. The set is written all the same: `arrange` moves objects until no file needs a later one.

use super::Choices;
use super::group::Grouping;
use super::unit::{Owner, Unit, units};
use crate::config::Config;
use crate::error::Result;
use crate::history::{History, StatementId};
use crate::replay::Model;
use crate::schema::Kind;
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use std::collections::{BTreeSet, HashSet};

/// A cycle between files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCycle {
    /// The statement of the first object on it.
    pub at: StatementId,
    /// The objects that cause it, and the move that mends it, in words.
    pub message: String,
}

/// The cycles between the files that the rules ask for.
///
/// # Errors
/// When the rules can't be read.
pub fn file_cycles(history: &History, model: &Model, config: &Config) -> Result<Vec<FileCycle>> {
    let grouping = Grouping::new(config, history, model)?;
    if !grouping.has_rules() {
        return Ok(Vec::new());
    }
    let choices = Choices::default();
    let mut all = units(history, model, &choices, &HashSet::new());
    let file = grouping.assign(history, model, &choices, &all);
    // Rows, grants and the like have no place of their own to insist on.
    let placed: Vec<bool> = all.iter().map(|u| is_placed(model, u)).collect();
    for unit in &mut all {
        unit.needs.retain(|on| placed[*on]);
    }
    let edges: Vec<(usize, usize)> = (0..all.len())
        .filter(|i| placed[*i])
        .flat_map(|i| all[i].needs.iter().map(move |on| (i, *on)).collect::<Vec<_>>())
        .collect();
    let found = components(&edges, &file, grouping.len());
    Ok(found.into_iter().map(|files| describe(model, &grouping, &all, &file, &edges, &files)).collect())
}

fn is_placed(model: &Model, unit: &Unit) -> bool {
    let nowhere = [Kind::Rows, Kind::Grant, Kind::Opaque, Kind::DefaultPrivileges, Kind::Comment, Kind::Setting];
    matches!(unit.owner, Owner::Object(id) if !nowhere.contains(&model.schema.objects[id].kind))
}

/// The sets of files that need each other.
fn components(edges: &[(usize, usize)], file: &[usize], files: usize) -> Vec<BTreeSet<usize>> {
    let mut graph = DiGraph::<(), ()>::new();
    let nodes: Vec<_> = (0..files).map(|_| graph.add_node(())).collect();
    for (i, on) in edges {
        if file[*i] != file[*on] {
            graph.add_edge(nodes[file[*i]], nodes[file[*on]], ());
        }
    }
    let mut found: Vec<BTreeSet<usize>> = tarjan_scc(&graph)
        .into_iter()
        .filter(|c| c.len() > 1)
        .map(|c| c.into_iter().map(|n| n.index()).collect())
        .collect();
    found.sort();
    found
}

fn describe(
    model: &Model,
    grouping: &Grouping,
    all: &[Unit],
    file: &[usize],
    edges: &[(usize, usize)],
    files: &BTreeSet<usize>,
) -> FileCycle {
    let inside: Vec<(usize, usize)> =
        edges.iter().copied().filter(|(i, on)| files.contains(&file[*i]) && files.contains(&file[*on])).collect();
    let name = |unit: usize| match all[unit].owner {
        Owner::Object(id) | Owner::Step(id, _) => {
            format!("{} {}", model.schema.objects[id].kind.word(), model.schema.display(id))
        }
        Owner::Extra(_) => String::new(),
    };
    let file_name = |number: usize| grouping.name(number, number).stem;
    // One need for each direction says enough.
    let mut seen = BTreeSet::new();
    let needs: Vec<String> = inside
        .iter()
        .filter(|(i, on)| file[*i] != file[*on] && seen.insert((file[*i], file[*on])))
        .map(|(i, on)| {
            format!("{} in {} needs {} in {}", name(*i), file_name(file[*i]), name(*on), file_name(file[*on]))
        })
        .collect();
    let mended = mend(&inside, file, files, grouping.len());
    let advice = match mended {
        Some((unit, to)) => format!("moving {} to {} mends it", name(unit), file_name(to)),
        None => "no single move mends it".to_string(),
    };
    let names: Vec<String> = files.iter().map(|f| file_name(*f)).collect();
    let at = inside.iter().find(|(i, on)| file[*i] != file[*on]).map_or(0, |(i, _)| match all[*i].owner {
        Owner::Object(id) | Owner::Step(id, _) => model.schema.objects[id].source,
        Owner::Extra(_) => 0,
    });
    let message = format!(
        "the files {} need each other: {}; {advice}. Objects were moved so that no file needs a later one",
        names.join(" and "),
        needs.join("; ")
    );
    FileCycle { at, message }
}

/// The first object whose move to another file of the cycle leaves none.
fn mend(inside: &[(usize, usize)], file: &[usize], files: &BTreeSet<usize>, count: usize) -> Option<(usize, usize)> {
    let candidates: BTreeSet<usize> = inside.iter().flat_map(|(i, on)| [*i, *on]).collect();
    let mut trial = file.to_vec();
    for unit in candidates {
        for to in files.iter().filter(|to| **to != file[unit]) {
            trial[unit] = *to;
            if components(inside, &trial, count).is_empty() {
                return Some((unit, *to));
            }
        }
        trial[unit] = file[unit];
    }
    None
}
