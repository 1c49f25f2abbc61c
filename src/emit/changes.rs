//! The order of a part of a history: changes of what was there before keep the author's order among each other and among
//! the statements that move rows.

use super::unit::Unit;
use crate::objects::Property;
use crate::replay::Model;
use crate::schema::{Body, Kind, ObjectId};
use std::collections::{HashMap, HashSet};

/// Orders the units of a part. Nothing is done where the whole history is consolidated.
pub fn order(model: &Model, owners: &[ObjectId], index: &HashMap<ObjectId, usize>, units: &mut [Unit]) {
    let schema = &model.schema;
    if schema.cut.is_none() {
        return;
    }
    for id in owners {
        if schema.is_given(*id) {
            let source = schema.objects[*id].source;
            units[index[id]].key = (source, source, *id);
        }
    }
    let renames = renames(model, owners);
    rename_first(model, owners, index, &renames, units);
    chain(model, owners, index, &renames, units);
    free_names(model, owners, index, units);
}

/// The settings that give what was there before another name, by what they rename.
fn renames(model: &Model, owners: &[ObjectId]) -> HashMap<ObjectId, Vec<ObjectId>> {
    let mut renames: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    for id in owners {
        let object = &model.schema.objects[*id];
        if object.property.as_ref().is_some_and(Property::renames)
            && let Some(target) = object.parent
        {
            renames.entry(target).or_default().push(*id);
        }
    }
    renames
}

/// All texts speak of the names of the end, so what is renamed is renamed before it is named.
fn rename_first(
    model: &Model,
    owners: &[ObjectId],
    index: &HashMap<ObjectId, usize>,
    renames: &HashMap<ObjectId, Vec<ObjectId>>,
    units: &mut [Unit],
) {
    if renames.is_empty() {
        return;
    }
    for id in owners {
        for named in named_by(model, *id) {
            let of = renames.get(&named).into_iter().flatten();
            // A rename and a move of one thing keep their order.
            let is_later = |r: &&ObjectId| **r > *id && renames.get(&named).is_some_and(|all| all.contains(id));
            for rename in of.filter(|r| *r != id && !is_later(r)) {
                units[index[id]].needs.insert(index[rename]);
            }
        }
    }
}

/// What the text of a unit may name: what it needs, what stands inside it needs, and whom all of that belongs to.
fn named_by(model: &Model, id: ObjectId) -> HashSet<ObjectId> {
    let schema = &model.schema;
    let mut named = HashSet::new();
    let mut inside = vec![id];
    while let Some(at) = inside.pop() {
        let object = &schema.objects[at];
        named.extend(object.needs.iter().map(|n| n.on));
        named.extend(object.parent);
        inside.extend(schema.children(at).into_iter().filter(|c| !schema.is_unit(*c)));
    }
    let above: Vec<ObjectId> = named.iter().filter_map(|on| schema.objects[*on].parent).collect();
    named.extend(above);
    named
}

/// What changes tables that were there before, and what moves rows, in the order of the history.
fn chain(
    model: &Model,
    owners: &[ObjectId],
    index: &HashMap<ObjectId, usize>,
    renames: &HashMap<ObjectId, Vec<ObjectId>>,
    units: &mut [Unit],
) {
    let schema = &model.schema;
    let on_given = |id: ObjectId| schema.objects[id].parent.is_none_or(|_| schema.is_given(schema.root(id)));
    // Nobody knows which rows an opaque statement moves, so nobody knows what fires.
    let any_opaque = owners.iter().any(|id| schema.objects[*id].kind == Kind::Opaque);
    let is_link = |id: &ObjectId| {
        let object = &schema.objects[*id];
        match object.kind {
            Kind::Trigger | Kind::Rule => any_opaque,
            Kind::Rows | Kind::Opaque => true,
            Kind::Setting => on_given(*id) && !renames.values().flatten().any(|r| r == id),
            Kind::Column => true,
            Kind::Constraint => object.parent.is_some_and(|table| schema.is_fixed(table)),
            Kind::Index => object.parent.is_some_and(|table| schema.is_fixed(table)) && is_unique(&object.body),
            _ => false,
        }
    };
    let mut links: Vec<(usize, usize, ObjectId)> = owners
        .iter()
        .filter(|id| is_link(id))
        .map(|id| {
            let object = &schema.objects[*id];
            let at = if matches!(object.kind, Kind::Setting) { object.source } else { object.born };
            (at, object.born_offset, *id)
        })
        .collect();
    links.sort_unstable();
    for pair in links.windows(2) {
        units[index[&pair[1].2]].needs.insert(index[&pair[0].2]);
    }
    for (at, offset, id) in links {
        units[index[&id]].key = (at, at, id);
        let _ = offset;
    }
}

fn is_unique(body: &Body) -> bool {
    matches!(body, Body::Text(text) if crate::sql::lex::lex_code(text).get(1).is_some_and(|t| t.is(text, "unique")))
}

/// What takes the name of something that is dropped comes after the DROP.
fn free_names(model: &Model, owners: &[ObjectId], index: &HashMap<ObjectId, usize>, units: &mut [Unit]) {
    let schema = &model.schema;
    for drop in owners {
        let object = &schema.objects[*drop];
        let Some(Property::Dropped { names: dropped, .. }) = &object.property else { continue };
        let names = |name: &String| dropped.contains(name);
        for id in owners {
            let other = &schema.objects[*id];
            let renamed = other.property.as_ref().is_some_and(Property::renames)
                && other.parent.is_some_and(|target| names(&schema.objects[target].name));
            let made = !schema.is_given(*id) && other.kind != Kind::Setting && names(&other.name);
            let belongs = object.parent.is_none_or(|p| other.parent == Some(p) || renamed);
            if (renamed || made) && belongs {
                units[index[id]].needs.insert(index[drop]);
            }
        }
    }
}
