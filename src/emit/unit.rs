//! What the new set is made of: units, each with its place in the author's order and what it needs.

use super::Choices;
use super::happened::Steps;
use crate::history::{History, StatementId};
use crate::objects::Property;
use crate::replay::Model;
use crate::schema::{Body, Kind, Object, ObjectId, Strength};
use crate::sql::lex::names;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What a unit writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A live object.
    Object(ObjectId),
    /// A later statement of an object that is written as it happened.
    Step(ObjectId, StatementId),
    /// Something that only the replayed history showed, by its number among the choices' extras.
    Extra(usize),
}

/// A unit of the new set.
#[derive(Debug, Clone)]
pub struct Unit {
    /// What it writes.
    pub owner: Owner,
    /// Its place in the author's order: where it is anchored, where it was born.
    pub key: (usize, usize, usize),
    /// The units that must come before it.
    pub needs: BTreeSet<usize>,
    /// Foreign keys that stand inside it, and the units that they point at.
    pub foreign_keys: Vec<(ObjectId, usize)>,
}

/// All units of the new set, in no order yet.
pub fn units(history: &History, model: &Model, choices: &Choices, split: &HashSet<ObjectId>) -> Vec<Unit> {
    let schema = &model.schema;
    let mut owners: Vec<ObjectId> = schema
        .live()
        .filter(|id| (schema.is_unit(*id) || split.contains(id)) && !choices.left_out.contains(id))
        .collect();
    owners.sort_unstable();
    let index: HashMap<ObjectId, usize> = owners.iter().enumerate().map(|(i, id)| (*id, i)).collect();
    let anchors = anchors(history, model, &owners);
    let mut units: Vec<Unit> = owners
        .iter()
        .map(|id| {
            let born = schema.objects[*id].born;
            let key = (anchors.get(id).copied().unwrap_or(born), born, *id);
            Unit { owner: Owner::Object(*id), key, needs: BTreeSet::new(), foreign_keys: Vec::new() }
        })
        .collect();
    let steps = Steps::add(choices, model, &index, &mut units);
    let written_in = |id: ObjectId| {
        let mut at = id;
        loop {
            match index.get(&at) {
                Some(unit) => return Some(*unit),
                None => at = schema.holder(at)?,
            }
        }
    };
    // A key that is left out is written nowhere, so it has no place to be taken to.
    for id in schema.live().filter(|id| !choices.left_out.contains(id)) {
        let Some(unit) = written_in(id) else { continue };
        let inner_key = owners.get(unit).is_some_and(|o| *o != id) && is_foreign_key(model, id);
        for need in &schema.objects[id].needs {
            let Some(on) = written_in(need.on).filter(|on| *on != unit && schema.lives(need.on)) else { continue };
            let on = steps.with(on, need.on, &schema.objects[id]);
            if inner_key {
                units[unit].foreign_keys.push((id, on));
            } else if need.strength != Strength::Order || on_earlier(&units, on, unit, schema.objects[need.on].kind) {
                units[unit].needs.insert(on);
            }
        }
    }
    order_extensions(model, &owners, &index, &mut units);
    order_first_schema(model, &owners, &index, &mut units);
    order_rows(model, choices, &owners, &index, &mut units);
    super::changes::order(model, &owners, &index, &mut units);
    add_types_of_stated(model, choices, &index, &mut units);
    add_extras(model, choices, &mut units);
    units
}

/// A need for order only must not turn the author's order around, unless a body is checked when it's made.
fn on_earlier(units: &[Unit], on: usize, unit: usize, kind: Kind) -> bool {
    units[on].key < units[unit].key || kind != Kind::Opaque
}

/// Whether the object is a foreign key.
pub fn is_foreign_key(model: &Model, id: ObjectId) -> bool {
    matches!(&model.schema.objects[id].body, Body::Constraint(c) if c.suffix == "fkey")
}

/// What came to a table from a later file stands behind what its own file says of it.
fn anchors(history: &History, model: &Model, owners: &[ObjectId]) -> HashMap<ObjectId, usize> {
    let schema = &model.schema;
    let file = |id: ObjectId| history.statements[schema.objects[id].born].file;
    let mut last: HashMap<ObjectId, usize> = HashMap::new();
    for id in owners {
        let root = schema.root(*id);
        if file(root) == file(*id) {
            let at = last.entry(root).or_default();
            *at = (*at).max(schema.objects[*id].born);
        }
    }
    owners
        .iter()
        .filter(|id| schema.root(**id) != **id && file(schema.root(**id)) != file(**id))
        // What came between names the column as it was.
        .filter(|id| !matches!(schema.objects[**id].property, Some(Property::PartName(_))))
        .filter_map(|id| last.get(&schema.root(*id)).map(|at| (*id, *at)))
        .collect()
}

/// What was written or changed after an extension came may use what it brings: types, operator classes, functions, which no
/// model knows. So the extension comes before all of that.
fn order_extensions(model: &Model, owners: &[ObjectId], index: &HashMap<ObjectId, usize>, units: &mut [Unit]) {
    let schema = &model.schema;
    let extensions: Vec<ObjectId> =
        owners.iter().copied().filter(|id| schema.objects[*id].kind == Kind::Extension).collect();
    if extensions.is_empty() {
        return;
    }
    let mut touched: Vec<usize> = owners.iter().map(|id| schema.objects[*id].source).collect();
    for event in &model.ledger.events {
        if schema.lives(event.object)
            && let Some(unit) = index.get(&schema.unit_of(event.object))
        {
            touched[*unit] = touched[*unit].max(event.statement);
        }
    }
    for extension in extensions {
        let (own, born) = (index[&extension], schema.objects[extension].born);
        for (unit, last) in touched.iter().enumerate() {
            let before = matches!(schema.objects[owners[unit]].kind, Kind::Schema | Kind::Role | Kind::Extension);
            if *last > born && !before {
                units[unit].needs.insert(own);
            }
        }
    }
}

/// Where the schema that each new database has gets another name, all that is made speaks of that name.
fn order_first_schema(model: &Model, owners: &[ObjectId], index: &HashMap<ObjectId, usize>, units: &mut [Unit]) {
    let schema = &model.schema;
    let renames = |id: &ObjectId| {
        let object = &schema.objects[*id];
        let of_schema = object.parent.is_some_and(|p| schema.objects[p].kind == Kind::Schema);
        schema.cut.is_none() && of_schema && matches!(object.property, Some(Property::RenamedFrom(_)))
    };
    let Some(rename) = owners.iter().copied().find(renames) else { return };
    for id in owners.iter().filter(|id| **id != rename && schema.objects[**id].kind != Kind::Role) {
        units[index[id]].needs.insert(index[&rename]);
    }
}

/// Statements that change rows keep their order among each other; triggers and rules that were there when rows came stay
/// before them, later ones come after.
fn order_rows(
    model: &Model,
    choices: &Choices,
    owners: &[ObjectId],
    index: &HashMap<ObjectId, usize>,
    units: &mut [Unit],
) {
    let schema = &model.schema;
    let rows: Vec<ObjectId> =
        owners.iter().copied().filter(|id| matches!(schema.objects[*id].kind, Kind::Rows | Kind::Opaque)).collect();
    for pair in rows.windows(2) {
        units[index[&pair[1]]].needs.insert(index[&pair[0]]);
    }
    let mut matters: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    for id in &rows {
        let Body::Rows { targets, .. } = &schema.objects[*id].body else { continue };
        for target in targets {
            for child in matters.entry(*target).or_insert_with(|| what_matters_to_rows(model, *target)) {
                let Some(unit) = index.get(child).copied() else { continue };
                // Rows that are stated are the triggers' results already.
                let fires = schema.objects[*child].born < schema.objects[*id].born && !choices.stated.contains_key(id);
                let (first, second) = if fires { (unit, index[id]) } else { (index[id], unit) };
                units[second].needs.insert(first);
            }
        }
    }
    let touching = OnceCell::new();
    for id in owners {
        let object = &schema.objects[*id];
        let after_rows = object.property == Some(Property::Population)
            || matches!(&object.body, Body::Table(table) if table.is_query);
        if after_rows {
            let before = rows.iter().filter(|r| schema.objects[**r].source < object.source);
            units[index[id]].needs.extend(before.map(|r| index[r]));
        }
        if object.kind == Kind::MaterializedView {
            // It was filled when it was made: rows that came later aren't in it.
            let read = read_by(model, *id);
            let by = touching.get_or_init(|| touched_by(model, &rows));
            for r in read.iter().filter_map(|on| by.get(on)).flatten() {
                let later = schema.objects[*r].source > object.source;
                let (first, second) = if later { (index[id], index[r]) } else { (index[r], index[id]) };
                units[second].needs.insert(first);
            }
        }
        if object.kind == Kind::DefaultPrivileges {
            units[index[id]].key.0 = usize::MAX;
        }
    }
}

/// What of a table and its columns says what else happens when a row comes.
fn what_matters_to_rows(model: &Model, table: ObjectId) -> Vec<ObjectId> {
    let schema = &model.schema;
    let parts = schema.columns(table).into_iter().chain([table]);
    parts.flat_map(|part| schema.children(part)).filter(|child| matters_to_rows(&schema.objects[*child])).collect()
}

/// The statements among these that change the rows of an object, or need it where nobody knows whose rows they change.
fn touched_by(model: &Model, rows: &[ObjectId]) -> HashMap<ObjectId, Vec<ObjectId>> {
    let mut by: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    for r in rows {
        let object = &model.schema.objects[*r];
        let touched: Vec<ObjectId> = match &object.body {
            Body::Rows { targets, .. } if !targets.is_empty() => targets.clone(),
            _ => object.needs.iter().map(|need| need.on).collect(),
        };
        touched.into_iter().for_each(|on| by.entry(on).or_default().push(*r));
    }
    by
}

/// Whether an object says what else happens when a row comes, or what it gets.
fn matters_to_rows(object: &Object) -> bool {
    matches!(object.kind, Kind::Trigger | Kind::Rule) || object.property == Some(Property::SerialDefault)
}

/// All that an object reads, near or far.
fn read_by(model: &Model, id: ObjectId) -> HashSet<ObjectId> {
    let mut read = HashSet::from([id]);
    let mut next = vec![id];
    while let Some(at) = next.pop() {
        let needs = model.schema.objects[at].needs.iter().map(|need| need.on);
        next.extend(needs.filter(|on| read.insert(*on)));
    }
    read
}

/// What PostgreSQL states of an object may name types that the model doesn't know it to need: an opaque statement changed it.
fn add_types_of_stated(model: &Model, choices: &Choices, index: &HashMap<ObjectId, usize>, units: &mut [Unit]) {
    let schema = &model.schema;
    let is_type = |id: &ObjectId| matches!(schema.objects[*id].kind, Kind::Type | Kind::Domain);
    for (id, texts) in &choices.stated {
        let Some(unit) = index.get(id).copied() else { continue };
        let said: HashSet<String> = texts.iter().flat_map(|text| names(text)).collect();
        let named = said.iter().flat_map(|name| schema.named(name)).filter(|on| on != id && is_type(on));
        units[unit].needs.extend(named.filter_map(|on| index.get(&on)).filter(|on| **on != unit));
    }
}

/// What only the replayed history showed needs what its text names, and is needed where it is named.
fn add_extras(model: &Model, choices: &Choices, units: &mut Vec<Unit>) {
    let mut named: HashMap<String, Vec<usize>> = HashMap::new();
    let nameable = units.iter().enumerate().filter_map(|(i, u)| match u.owner {
        Owner::Object(id) => {
            let object = &model.schema.objects[id];
            let nameable = object.parent.is_none() || object.kind == Kind::Index;
            (nameable && !matches!(object.kind, Kind::Rows | Kind::Opaque | Kind::Grant))
                .then(|| (object.name.clone(), i))
        }
        Owner::Extra(_) | Owner::Step(..) => None,
    });
    nameable.for_each(|(name, unit)| named.entry(name).or_default().push(unit));
    let first_extra = units.len();
    for (number, extra) in choices.extras.iter().enumerate().filter(|(_, extra)| !extra.text.is_empty()) {
        let said = names(&extra.text);
        let mut needs: BTreeSet<usize> = said.iter().filter_map(|name| named.get(name)).flatten().copied().collect();
        needs.extend((first_extra..units.len()).filter(|i| match units[*i].owner {
            Owner::Extra(n) => choices.extras[n].position < extra.position,
            Owner::Object(_) | Owner::Step(..) => false,
        }));
        let key = (usize::MAX - 1, extra.position, number);
        units.push(Unit { owner: Owner::Extra(number), key, needs, foreign_keys: Vec::new() });
    }
}
