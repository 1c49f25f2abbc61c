//! One step down: what the proof found different, or PostgreSQL refused, is written a rung lower.

use super::stated::{Key, insert, key_of, keys, owners, set_sequence, statements};
use super::{Choices, Extra, Owner};
use crate::proof::{Change, Difference, Judge, ReplayFailure, Snapshot};
use crate::replay::Model;
use crate::schema::{Body, Kind, ObjectId};
use crate::sql::names::quote;
use std::collections::{HashMap, HashSet};

/// Why an object stands below rung 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    /// The object, in words.
    pub object: String,
    /// What made it step down.
    pub why: String,
}

/// Steps objects down by what the replayed history shows.
pub struct Lowering<'a> {
    model: &'a Model,
    old: &'a Snapshot,
    owners: HashMap<Key, Vec<ObjectId>>,
    positions: HashMap<Key, usize>,
    tried_rows: HashSet<(String, String)>,
    tried_positions: HashSet<(String, String)>,
    positioned: HashSet<(String, String)>,
    waited: HashSet<(String, String)>,
    judge: &'a Judge<'a>,
    /// What stepped down, and why.
    pub lowered: Vec<Lowered>,
    /// What can't be written in any way that is right.
    pub blocked: Vec<String>,
}

impl<'a> Lowering<'a> {
    /// Prepares the ways between the model and the replayed history.
    pub fn new(model: &'a Model, judge: &'a Judge<'a>) -> Self {
        let old = &judge.old;
        let positions = old.entries.iter().enumerate().map(|(i, e)| (key_of(e), i)).collect();
        Lowering {
            model,
            old,
            judge,
            owners: owners(&model.schema),
            positions,
            tried_rows: HashSet::new(),
            tried_positions: HashSet::new(),
            positioned: HashSet::new(),
            waited: HashSet::new(),
            lowered: Vec::new(),
            blocked: Vec::new(),
        }
    }

    fn note(&mut self, id: ObjectId, why: &str) {
        let schema = &self.model.schema;
        let object = format!("{} {}", schema.objects[id].kind.word(), schema.display(id));
        self.lowered.push(Lowered { object, why: why.to_string() });
    }

    /// Does something about all that one replay of the set showed. What follows from something else that it showed waits
    /// for the next one. False if nothing more can be done.
    pub fn round(
        &mut self,
        choices: &mut Choices,
        refused: &[(Owner, &ReplayFailure)],
        differences: &[Difference],
    ) -> bool {
        let failed: HashSet<Owner> = refused.iter().map(|(owner, _)| *owner).collect();
        let mut progress = false;
        let mut done = HashSet::new();
        for (owner, failure) in refused {
            if done.insert(*owner) && !self.follows(*owner, &failed) {
                progress |= self.refused(choices, *owner, &failure.message);
            }
        }
        let rows_failed = failed.iter().any(|owner| self.is_of_rows(choices, *owner));
        for difference in differences {
            let of_rows = matches!(difference.kind.as_str(), "ROWS" | "SEQUENCE POSITION" | "MATERIALIZED VIEW DATA");
            let waits = if of_rows { rows_failed } else { self.comes_of(difference, &failed) };
            progress |= !waits && self.differs(choices, difference);
        }
        if !progress {
            // Each waits for another: then all are taken as they are.
            for (owner, failure) in refused {
                progress |= self.refused(choices, *owner, &failure.message);
            }
            for difference in differences {
                progress |= self.differs(choices, difference);
            }
        }
        progress
    }

    /// PostgreSQL refused a statement of the new set. False if nothing more can be done for its owner.
    fn refused(&mut self, choices: &mut Choices, owner: Owner, message: &str) -> bool {
        let number = match owner {
            Owner::Object(id) => return self.step_down(choices, id, message),
            Owner::Extra(number) => number,
        };
        let Some(extra) = choices.extras.get(number).filter(|e| e.kind == "TABLE DATA").cloned() else { return false };
        // Rows that it points at come by statements that now stand in another order.
        let Some(table) = self.table(&extra.schema, &extra.name) else { return false };
        let mut progress = false;
        for on in self.referred(table) {
            let (place, name) = (&self.model.schema.objects[on].schema, &self.model.schema.objects[on].name);
            progress |= self.state_rows(choices, place, name);
        }
        progress
    }

    fn is_of_rows(&self, choices: &Choices, owner: Owner) -> bool {
        match owner {
            Owner::Object(id) => matches!(self.model.schema.objects[id].kind, Kind::Rows | Kind::Opaque),
            Owner::Extra(number) => choices.extras.get(number).is_some_and(|e| e.kind == "TABLE DATA"),
        }
    }

    /// Whether a refusal may only be the consequence of another one.
    fn follows(&self, owner: Owner, failed: &HashSet<Owner>) -> bool {
        let Owner::Object(id) = owner else {
            return failed.iter().any(|f| matches!(f, Owner::Object(_)));
        };
        let mut seen = HashSet::from([id]);
        let mut open = vec![id];
        while let Some(at) = open.pop() {
            for on in self.needs_of(at) {
                if !seen.insert(on) {
                    continue;
                }
                if on != id && failed.contains(&Owner::Object(on)) {
                    return true;
                }
                open.push(on);
            }
        }
        false
    }

    /// The units that a unit needs. What brings rows needs the rows that its foreign keys point at.
    fn needs_of(&self, id: ObjectId) -> Vec<ObjectId> {
        let schema = &self.model.schema;
        let mut needs: Vec<ObjectId> = Vec::new();
        let mut inside = vec![id];
        while let Some(at) = inside.pop() {
            needs.extend(schema.objects[at].needs.iter().map(|n| schema.unit_of(n.on)).filter(|on| schema.lives(*on)));
            inside.extend(schema.children(at).into_iter().filter(|c| !schema.is_unit(*c)));
        }
        if schema.objects[id].kind == Kind::Rows {
            let tables: Vec<ObjectId> =
                needs.iter().copied().filter(|n| schema.objects[*n].kind == Kind::Table).collect();
            let mut of_rows: HashSet<ObjectId> = tables.iter().copied().collect();
            for table in tables {
                of_rows.extend(self.referred(table));
            }
            needs.extend(of_rows.into_iter().flat_map(|t| self.writers(t)).filter(|w| *w < id));
        }
        needs
    }

    /// The tables that a table's foreign keys point at.
    fn referred(&self, table: ObjectId) -> Vec<ObjectId> {
        let schema = &self.model.schema;
        let keys = schema
            .children(table)
            .into_iter()
            .filter(|c| matches!(&schema.objects[*c].body, Body::Constraint(c) if c.suffix == "fkey"));
        keys.flat_map(|c| schema.objects[c].needs.iter().map(|n| n.on))
            .filter(|on| *on != table && schema.objects[*on].kind == Kind::Table)
            .collect()
    }

    /// Whether a difference is about what was refused, or about what needs that.
    fn comes_of(&self, difference: &Difference, failed: &HashSet<Owner>) -> bool {
        if difference.change == Change::Added || failed.is_empty() {
            return false;
        }
        let key = (difference.kind.clone(), difference.schema.clone(), difference.name.clone());
        let Some(ids) = self.owners.get(&key) else { return false };
        ids.iter().any(|id| {
            let unit = self.model.schema.unit_of(*id);
            failed.contains(&Owner::Object(unit)) || self.follows(Owner::Object(unit), failed)
        })
    }

    /// The proof found a difference. False if nothing more can be done about it.
    fn differs(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        match difference.kind.as_str() {
            "ROWS" => {
                let (place, name) = (&difference.schema, &difference.name);
                return self.position_first(choices, place, name) || self.state_rows(choices, place, name);
            }
            "SEQUENCE POSITION" => return self.state_sequence(choices, &difference.schema, &difference.name),
            "ACL" => return self.state_acl(choices, difference),
            "DEFAULT ACL" => return self.state_default_acl(choices),
            "MATERIALIZED VIEW DATA" => return self.state_population(choices, difference),
            _ => {}
        }
        let key = (difference.kind.clone(), difference.schema.clone(), difference.name.clone());
        let ids = self.owners.get(&key).cloned().unwrap_or_default();
        let why = match difference.change {
            Change::Added => "the replayed history doesn't have it",
            Change::Removed => "the folded form left it out",
            Change::Changed => "the folded form came out different",
        };
        if ids.is_empty() && difference.change == Change::Added {
            return self.leave_out_namesake(choices, difference);
        }
        if ids.is_empty() {
            return difference.change == Change::Removed && self.add_extra(choices, &key);
        }
        let mut progress = false;
        for id in ids {
            let unit = self.model.schema.unit_of(id);
            if difference.change == Change::Added && unit == id && !choices.left_out.contains(&id) {
                choices.left_out.insert(id);
                self.note(id, why);
                progress = true;
            } else if difference.change == Change::Removed && unit != id && choices.stated.contains_key(&unit) {
                progress |= self.add_extra(choices, &key);
            } else {
                progress |= self.step_down(choices, unit, why);
            }
        }
        progress
    }

    /// A routine that came out under other argument types than the replayed history has: the model's one gives way.
    fn leave_out_namesake(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        let name = difference.name.split('(').next().unwrap_or_default();
        let schema = &self.model.schema;
        let namesake = schema.live().find(|id| {
            let o = &schema.objects[*id];
            matches!(o.kind, Kind::Function | Kind::Procedure | Kind::Aggregate)
                && o.schema == difference.schema
                && o.name == name
                && !choices.left_out.contains(id)
                && !keys(schema, *id).iter().any(|k| self.positions.contains_key(k))
        });
        let Some(id) = namesake else { return false };
        choices.left_out.insert(id);
        self.note(id, "the replayed history has it with other argument types");
        true
    }

    fn step_down(&mut self, choices: &mut Choices, id: ObjectId, why: &str) -> bool {
        if choices.stated.contains_key(&id) || choices.left_out.contains(&id) {
            return false;
        }
        let schema = &self.model.schema;
        let object = &schema.objects[id];
        match object.kind {
            Kind::Opaque | Kind::DefaultPrivileges => {
                choices.left_out.insert(id);
            }
            Kind::Rows => {
                let Body::Rows { targets, .. } = &object.body else { return false };
                let names: Vec<(String, String)> = targets
                    .iter()
                    .map(|t| (schema.objects[*t].schema.clone(), schema.objects[*t].name.clone()))
                    .collect();
                choices.left_out.insert(id);
                for (place, name) in names {
                    self.state_rows(choices, &place, &name);
                }
            }
            Kind::Setting => {
                choices.left_out.insert(id);
                if let Some(parent) = object.parent {
                    let unit = schema.unit_of(parent);
                    self.step_down(choices, unit, why);
                }
            }
            Kind::Grant => {
                choices.left_out.insert(id);
                for key in keys(schema, id) {
                    self.add_extra(choices, &key);
                }
            }
            _ => return self.state(choices, id, why),
        }
        self.note(id, why);
        true
    }

    /// The object as PostgreSQL states it, with all that the dump states apart from it but the model keeps inside.
    fn state(&mut self, choices: &mut Choices, id: ObjectId, why: &str) -> bool {
        let schema = &self.model.schema;
        let mut members = vec![id];
        let mut inside: Vec<ObjectId> = schema
            .live()
            .filter(|o| *o != id && !schema.is_unit(*o) && !choices.split.contains(o) && schema.unit_of(*o) == id)
            .collect();
        inside.retain(|o| {
            let foreign = matches!(&schema.objects[*o].body, Body::Constraint(c) if c.suffix == "fkey");
            if foreign {
                choices.split.insert(*o);
            }
            !foreign
        });
        members.extend(inside);
        // Settings show in the entry itself, those that pg_dump states apart are stated with it.
        for child in schema.children(id) {
            if schema.objects[child].kind == Kind::Setting {
                choices.left_out.insert(child);
                members.push(child);
            }
        }
        let mut positions: Vec<usize> =
            members.iter().flat_map(|m| keys(schema, *m)).filter_map(|k| self.positions.get(&k).copied()).collect();
        positions.sort_unstable();
        positions.dedup();
        let texts: Vec<String> = positions.iter().flat_map(|p| statements(&self.old.entries[*p])).collect();
        if texts.is_empty() {
            choices.left_out.insert(id);
        } else {
            choices.stated.insert(id, texts);
        }
        self.note(id, why);
        true
    }

    fn add_extra(&mut self, choices: &mut Choices, key: &Key) -> bool {
        let entry = self.positions.get(key).map(|p| (*p, &self.old.entries[*p]));
        let global = self.old.globals.iter().enumerate().find(|(_, e)| key_of(e) == *key);
        let Some((position, entry)) = entry.or(global) else { return false };
        let text = statements(entry).join(";\n");
        self.push_extra(
            choices,
            Extra { kind: entry.kind.clone(), schema: entry.schema.clone(), name: entry.name.clone(), text, position },
        )
    }

    fn push_extra(&mut self, choices: &mut Choices, extra: Extra) -> bool {
        let same = |e: &Extra| e.kind == extra.kind && e.schema == extra.schema && e.name == extra.name;
        if extra.text.is_empty() || choices.extras.iter().any(same) {
            return false;
        }
        let object = format!("{} {}.{}", extra.kind.to_lowercase(), extra.schema, extra.name);
        self.lowered.push(Lowered { object, why: "only the replayed history shows it".into() });
        choices.extras.push(extra);
        true
    }

    fn table(&self, place: &str, name: &str) -> Option<ObjectId> {
        let schema = &self.model.schema;
        schema.live().find(|id| {
            let o = &schema.objects[*id];
            o.kind == Kind::Table && o.schema == place && o.name == name
        })
    }

    /// The live objects that bring or change a table's rows, in the author's order.
    fn writers(&self, table: ObjectId) -> Vec<ObjectId> {
        let schema = &self.model.schema;
        schema
            .live()
            .filter(|id| match &schema.objects[*id].body {
                Body::Rows { targets, .. } => targets.contains(&table),
                _ => false,
            })
            .collect()
    }

    /// Rows that died used up numbers of a sequence, so that those that live have higher ones: the author's INSERT gives
    /// the same rows once the sequence stands where it stood.
    fn position_first(&mut self, choices: &mut Choices, place: &str, name: &str) -> bool {
        if !self.tried_positions.insert((place.to_string(), name.to_string())) {
            return false;
        }
        let schema = &self.model.schema;
        let Some(table) = self.table(place, name) else { return false };
        let writer = self.writers(table).into_iter().find(|w| !choices.left_out.contains(w));
        let rows = self.old.rows.iter().find(|r| r.schema == place && r.table == name);
        let (Some(writer), Some(rows)) = (writer, rows) else { return false };
        for column in schema.columns(table) {
            let owned = schema.children(column);
            let Some(sequence) = owned.iter().find(|c| schema.objects[**c].kind == Kind::Sequence) else { continue };
            let at = rows.columns.iter().position(|(n, _)| *n == schema.objects[column].name);
            let numbers = at.map(|i| rows.rows.iter().filter_map(|r| r[i].as_ref()?.parse::<i64>().ok()).min());
            if let Some(first) = numbers.flatten().filter(|first| *first > 1) {
                let name = schema.reference(*sequence, &schema.objects[writer].context).replace('\'', "''");
                let text = format!("SELECT setval('{name}', {})", first - 1);
                choices.before.entry(writer).or_default().push(text);
                self.positioned.insert((place.to_string(), rows.table.clone()));
                return true;
            }
        }
        false
    }

    /// The rows of a table from the replayed history, in place of the statements that brought them.
    fn state_rows(&mut self, choices: &mut Choices, place: &str, name: &str) -> bool {
        if !self.tried_rows.insert((place.to_string(), name.to_string())) {
            return false;
        }
        let schema = &self.model.schema;
        let table = self.table(place, name);
        let writers = table.map(|t| self.writers(t)).unwrap_or_default();
        let mut others = Vec::new();
        for id in writers {
            choices.left_out.insert(id);
            if let Body::Rows { targets, .. } = &schema.objects[id].body {
                others.extend(targets.iter().filter(|t| Some(**t) != table).copied());
            }
        }
        let has_triggers =
            table.is_some_and(|t| schema.children(t).iter().any(|c| schema.objects[*c].kind == Kind::Trigger));
        if let Some(rows) = self.old.rows.iter().find(|r| r.schema == place && r.table == name) {
            let again = if rows.rows.is_empty() { None } else { self.judge.again().ok() };
            let twin = again.and_then(|s| s.rows.iter().find(|r| r.schema == place && r.table == name));
            let text = match insert(rows, twin, self.old, has_triggers) {
                Ok(statements) => statements.join(";\n"),
                Err(why) => {
                    self.blocked.push(why);
                    return false;
                }
            };
            let position = self.old.entries.len() + table.map_or(0, |t| self.depth(t, 0));
            let extra = Extra { kind: "TABLE DATA".into(), schema: place.into(), name: name.into(), text, position };
            self.push_extra(choices, extra);
        }
        for other in others {
            let (s, n) = (schema.objects[other].schema.clone(), schema.objects[other].name.clone());
            self.state_rows(choices, &s, &n);
        }
        true
    }

    /// How many tables a table's foreign keys lead through: rows come in that order.
    fn depth(&self, table: ObjectId, level: usize) -> usize {
        if level > 50 {
            return level;
        }
        self.referred(table).into_iter().map(|on| 1 + self.depth(on, level + 1)).max().unwrap_or(0)
    }

    fn state_sequence(&mut self, choices: &mut Choices, place: &str, name: &str) -> bool {
        let position = self.old.sequences.iter().find(|s| s.schema == place && s.name == name);
        // The rows of its table were just given another start: what comes of that is seen first.
        if let Some(owner) = position.and_then(|p| p.owned_by.as_ref())
            && self.positioned.contains(owner)
            && self.waited.insert((place.to_string(), name.to_string()))
        {
            return false;
        }
        let Some(text) = position.and_then(set_sequence) else { return false };
        let position = usize::MAX - 2;
        self.push_extra(
            choices,
            Extra { kind: "SEQUENCE SET".into(), schema: place.into(), name: name.into(), text, position },
        )
    }

    /// Whether a materialized view is populated: filled at the end, or stated, which leaves it empty.
    fn state_population(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        let (place, name) = (&difference.schema, &difference.name);
        if difference.old.as_deref() == Some("populated") {
            let text = format!("REFRESH MATERIALIZED VIEW {}.{}", quote(place), quote(name));
            return self.push_extra(
                choices,
                Extra {
                    kind: "MATERIALIZED VIEW DATA".into(),
                    schema: place.clone(),
                    name: name.clone(),
                    text,
                    position: usize::MAX - 3,
                },
            );
        }
        let key = ("MATERIALIZED VIEW".to_string(), place.clone(), name.clone());
        let ids = self.owners.get(&key).cloned().unwrap_or_default();
        let mut progress = false;
        for id in ids {
            progress |= self.step_down(choices, id, "it was left empty");
        }
        progress
    }

    /// Privileges are stated object by object: all grants that reach this one give way, and what they gave elsewhere is
    /// stated too.
    fn state_acl(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        let key = ("ACL".to_string(), difference.schema.clone(), difference.name.clone());
        let mut progress = false;
        for id in self.owners.get(&key).cloned().unwrap_or_default() {
            progress |= self.step_down(choices, id, "privileges came out different");
        }
        if difference.change != Change::Added {
            progress |= self.add_extra(choices, &key);
        }
        progress
    }

    fn state_default_acl(&mut self, choices: &mut Choices) -> bool {
        let schema = &self.model.schema;
        let ids: Vec<ObjectId> =
            schema.live().filter(|id| schema.objects[*id].kind == Kind::DefaultPrivileges).collect();
        let mut progress = false;
        for id in ids {
            progress |= self.step_down(choices, id, "default privileges came out different");
        }
        let entries: Vec<Key> = self.old.entries.iter().filter(|e| e.kind == "DEFAULT ACL").map(key_of).collect();
        for key in entries {
            progress |= self.add_extra(choices, &key);
        }
        progress
    }

    /// The last resort: everything as PostgreSQL states it, in the order of the dump.
    pub fn state_everything(&mut self, choices: &mut Choices) {
        *choices = Choices { left_out: self.model.schema.live().collect(), ..Choices::default() };
        self.tried_rows.clear();
        let keys: Vec<Key> = self.old.globals.iter().filter(|e| e.kind.starts_with("ROLE")).map(key_of).collect();
        let entries: Vec<Key> = self.old.entries.iter().map(key_of).collect();
        for key in keys.iter().chain(&entries) {
            self.add_extra(choices, key);
        }
        let filled: Vec<(String, String)> = self
            .old
            .rows
            .iter()
            .filter(|r| !r.rows.is_empty() && r.kind == 'r')
            .map(|r| (r.schema.clone(), r.table.clone()))
            .collect();
        for (schema, table) in filled {
            self.state_rows(choices, &schema, &table);
        }
    }
}
