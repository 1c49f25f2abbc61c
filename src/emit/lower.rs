//! One step down: what the proof found different, or PostgreSQL refused, is written a rung lower.

use super::lower_rows::RowPlace;
use super::outside::reaches_outside;
use super::portable::Portable;
use super::stated::{Key, key_of, keys, owners};
use super::{Choices, Owner};
use crate::history::{History, StatementId};
use crate::proof::{Change, Class, Difference, EntryKind, Judge, ReplayFailure, Snapshot};
use crate::replay::Model;
use crate::schema::{Body, Kind, ObjectId};
use crate::sql::lex::words;
use std::collections::{HashMap, HashSet};

/// How an object below rung 2 is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// As PostgreSQL states it, or as the replayed rows have it.
    Stated,
    /// By its own statements of the history, in their order.
    Happened,
    /// Not at all: the replayed history doesn't have it, or has what it does otherwise.
    LeftOut,
}

/// Of what a line is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// An object or a statement of the history.
    Object(ObjectId),
    /// What only the replayed history shows, by its kind and name.
    Extra(String),
}

/// Why an object stands below rung 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    /// The object, in words.
    pub object: String,
    /// How it is written now.
    pub how: How,
    /// What made it step down.
    pub why: String,
    /// The statement that it is about, where it is one.
    pub statement: Option<StatementId>,
    /// The unit of the new set that it is about; none for what goes along with another.
    pub unit: Option<Owner>,
}

/// What PostgreSQL says of something that is there already: a table of that name, an object, a function, a schema, a column,
/// a second primary key.
const THERE_ALREADY: [&str; 6] = ["42P07", "42710", "42723", "42P06", "42701", "42P16"];

/// What is said of a statement that makes other things tomorrow.
const OF_TODAY: &str = "; it asks for the time, so the set holds what it made today";

/// Steps objects down by what the replayed history shows.
pub struct Lowering<'a> {
    pub(super) history: &'a History,
    pub(super) model: &'a Model,
    pub(super) old: &'a Snapshot,
    pub(super) portable: Portable,
    pub(super) owners: HashMap<Key, Vec<ObjectId>>,
    pub(super) positions: HashMap<Key, usize>,
    /// Tables that were tried as it happened.
    pub(super) told: HashSet<ObjectId>,
    /// The tables that were told together, by each of them.
    pub(super) families: HashMap<ObjectId, Vec<ObjectId>>,
    /// What is left out since a table that is written as it happened brings it.
    pub(super) beside: HashMap<ObjectId, Vec<ObjectId>>,
    /// How the rows of each table are stated by now.
    pub(super) row_places: HashMap<(String, String), RowPlace>,
    /// The tables whose rows differ in the round under way.
    pub(super) differing: HashSet<(String, String)>,
    pub(super) tried_positions: HashSet<(String, String)>,
    pub(super) positioned: HashSet<(String, String)>,
    pub(super) waited: HashSet<(String, String)>,
    /// Settings that the set leaves in the author's words.
    pub(super) said: HashSet<String>,
    pub(super) judge: &'a Judge<'a>,
    /// What stepped down, and why.
    pub(super) lowered: Vec<(Subject, Lowered)>,
    /// What can't be written in any way that is right.
    pub blocked: Vec<String>,
}

impl<'a> Lowering<'a> {
    /// Prepares the ways between the model and the replayed history.
    pub fn new(history: &'a History, model: &'a Model, judge: &'a Judge<'a>) -> Self {
        let old = &judge.old;
        let positions = old.entries.iter().enumerate().map(|(i, e)| (key_of(e), i)).collect();
        Lowering {
            history,
            model,
            old,
            portable: Portable::new(history, &old.superuser, &old.postgres),
            judge,
            owners: owners(&model.schema),
            positions,
            told: HashSet::new(),
            families: HashMap::new(),
            beside: HashMap::new(),
            row_places: HashMap::new(),
            differing: HashSet::new(),
            tried_positions: HashSet::new(),
            positioned: HashSet::new(),
            waited: HashSet::new(),
            said: HashSet::new(),
            lowered: Vec::new(),
            blocked: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, id: ObjectId, how: How, why: &str) {
        let (name, statement) = (self.name(id), self.model.schema.objects[id].source);
        self.lower(
            Subject::Object(id),
            Lowered { object: name, how, why: why.into(), statement: Some(statement), unit: None },
        );
    }

    /// One line for each object: the last step down is the one that holds.
    pub(super) fn lower(&mut self, subject: Subject, lowered: Lowered) {
        self.forget(&subject);
        self.lowered.push((subject, lowered));
    }

    /// What was said of it doesn't hold any more.
    pub(super) fn forget(&mut self, subject: &Subject) {
        self.lowered.retain(|(of, _)| of != subject);
    }

    /// What stepped down, and why, in the order in which it did.
    pub fn told(self, choices: &Choices) -> Vec<Lowered> {
        let unit = |subject: &Subject| match subject {
            Subject::Object(id) => {
                let is_unit = choices.stated.contains_key(id) || choices.happened.contains_key(id);
                is_unit.then_some(Owner::Object(*id))
            }
            Subject::Extra(name) => {
                choices.extras.iter().position(|e| !e.text.is_empty() && e.told() == *name).map(Owner::Extra)
            }
        };
        self.lowered.into_iter().map(|(subject, lowered)| Lowered { unit: unit(&subject), ..lowered }).collect()
    }

    /// The object in words; what has no name of its own by where it stands.
    pub(super) fn name(&self, id: ObjectId) -> String {
        let schema = &self.model.schema;
        let object = &schema.objects[id];
        let words = format!("{} {}", object.kind.word(), schema.display(id));
        match object.kind {
            Kind::Opaque | Kind::Rows | Kind::Setting | Kind::Grant | Kind::DefaultPrivileges | Kind::Comment => {
                format!("{words} ({})", self.history.at(object.source))
            }
            _ => words,
        }
    }

    /// Does something about all that one replay of the set showed. What follows from something else that it showed waits
    /// for the next one. False if nothing more can be done.
    pub fn round(
        &mut self,
        choices: &mut Choices,
        refused: &[(Owner, &ReplayFailure)],
        differences: &[Difference],
    ) -> bool {
        let of_rows = differences.iter().filter(|d| d.kind == EntryKind::Rows);
        self.differing = of_rows.map(|d| (d.schema.clone(), d.name.clone())).collect();
        let failed: HashSet<Owner> = refused.iter().map(|(owner, _)| *owner).collect();
        let mut progress = false;
        let mut done = HashSet::new();
        for (owner, failure) in refused {
            // What speaks of columns or tables that aren't there does so whatever rows there are.
            let by_itself = failure.sqlstate.starts_with("42") || failure.sqlstate == "23502";
            let not_rows = |o: &Owner| !self.is_of_rows(choices, *o);
            let causes = if by_itself { failed.iter().copied().filter(not_rows).collect() } else { failed.clone() };
            if done.insert(*owner) && !self.follows(*owner, &causes) {
                progress |= self.refused(choices, *owner, failure);
            }
        }
        let has_rows = |d: &Difference| d.kind == EntryKind::Rows && !self.is_materialized_view(&d.schema, &d.name);
        let (views_differ, rows_differ) =
            (differences.iter().any(|d| d.kind == EntryKind::MaterializedView), differences.iter().any(has_rows));
        let rows_failed = failed.iter().any(|owner| self.is_of_rows(choices, *owner));
        for difference in differences {
            if difference.class == Class::Session {
                // What is refused may have set it.
                progress |= failed.is_empty() && self.differs(choices, difference);
                continue;
            }
            let of_rows = matches!(
                difference.kind,
                EntryKind::Rows | EntryKind::SequencePosition | EntryKind::MaterializedViewData
            );
            let waits = match of_rows {
                // Another view shows other rows, and what they share makes those of tables look different too.
                true if views_differ => true,
                true if rows_differ && self.is_materialized_view(&difference.schema, &difference.name) => true,
                // What is refused is tried again without it, and numbers once given out aren't given again.
                true if !failed.is_empty() && self.is_numbered(difference) => true,
                true if difference.kind == EntryKind::Rows => rows_failed && self.rows_come_of(difference, &failed),
                true => rows_failed,
                false => self.comes_of(difference, &failed),
            };
            progress |= !waits && self.differs(choices, difference);
        }
        if !progress {
            // Each waits for another: then all are taken as they are.
            for (owner, failure) in refused {
                progress |= self.refused(choices, *owner, failure);
            }
            for difference in differences {
                progress |= self.differs(choices, difference);
            }
        }
        progress
    }

    /// PostgreSQL refused a statement of the new set. False if nothing more can be done for its owner.
    fn refused(&mut self, choices: &mut Choices, owner: Owner, failure: &ReplayFailure) -> bool {
        let number = match owner {
            Owner::Object(id) | Owner::Step(id, _) => return self.step_down(choices, id, &failure.message),
            Owner::Extra(number) => number,
        };
        if THERE_ALREADY.contains(&failure.sqlstate.as_str()) {
            return self.take_back_extra(choices, number);
        }
        let Some(extra) = choices.extras.get(number).filter(|e| e.kind == EntryKind::TableData).cloned() else {
            return false;
        };
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
            Owner::Object(id) => self.model.schema.objects[id].kind.is_act(),
            Owner::Step(..) => false,
            Owner::Extra(number) => choices.extras.get(number).is_some_and(|e| e.kind == EntryKind::TableData),
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

    /// Whether rows may differ only because statements that bring rows were refused.
    fn rows_come_of(&self, difference: &Difference, failed: &HashSet<Owner>) -> bool {
        let Some(table) = self.table(&difference.schema, &difference.name) else { return true };
        let writers = self.writers(table);
        let of_failed = |w: &ObjectId| failed.contains(&Owner::Object(*w)) || self.follows(Owner::Object(*w), failed);
        writers.is_empty() || writers.iter().any(of_failed)
    }

    /// Whether a difference is about what was refused, or about what needs that.
    fn comes_of(&self, difference: &Difference, failed: &HashSet<Owner>) -> bool {
        if difference.change == Change::Added || failed.is_empty() {
            return false;
        }
        let key = (difference.kind.clone(), difference.schema.clone(), difference.name.clone());
        let Some(ids) = self.owners.get(&key) else {
            return difference.change == Change::Removed && failed.iter().any(|f| self.may_bring(*f, &difference.name));
        };
        ids.iter().any(|id| {
            let unit = self.model.schema.unit_of(*id);
            failed.contains(&Owner::Object(unit)) || self.follows(Owner::Object(unit), failed)
        })
    }

    /// Whether something that no object of the model is, such as the default of a serial column, may belong to what was refused.
    fn may_bring(&self, owner: Owner, name: &str) -> bool {
        let Owner::Object(id) = owner else { return true };
        let object = &self.model.schema.objects[id];
        match &object.body {
            Body::Text(text) if object.kind == Kind::Opaque => !words(text).is_disjoint(&words(name)),
            _ => words(name).contains(&object.name.to_lowercase()),
        }
    }

    /// The proof found a difference. False if nothing more can be done about it.
    fn differs(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        if difference.class == Class::Session {
            return self.leave(choices, difference);
        }
        match difference.kind {
            EntryKind::Rows => {
                let (place, name) = (&difference.schema, &difference.name);
                if self.is_materialized_view(place, name) {
                    return self.refresh(choices, place, name);
                }
                return self.position_first(choices, place, name) || self.state_rows(choices, place, name);
            }
            EntryKind::SequencePosition => return self.state_sequence(choices, &difference.schema, &difference.name),
            EntryKind::Acl => return self.state_acl(choices, difference),
            EntryKind::DefaultAcl => return self.state_default_acl(choices),
            EntryKind::MaterializedViewData => return self.state_population(choices, difference),
            // No statement of PostgreSQL's own puts the columns of a child where they came late.
            EntryKind::ColumnOrder => {
                let Some(table) = self.table(&difference.schema, &difference.name) else { return false };
                return self.tell_story(choices, table, usize::MAX, "its columns came out in another order");
            }
            _ => {}
        }
        let key = (difference.kind.clone(), difference.schema.clone(), difference.name.clone());
        let ids = self.owners.get(&key).cloned().unwrap_or_default();
        let why = match difference.change {
            Change::Added => "the replayed history doesn't have it",
            Change::Removed => "the folded form left it out",
            Change::Changed => "the folded form came out different",
        };
        if ids.is_empty() {
            return match difference.change {
                Change::Added => {
                    self.leave_out_namesake(choices, difference) || self.leave_out_makers(choices, difference)
                }
                Change::Changed => self.leave_out_makers(choices, difference),
                Change::Removed => self.add_extra(choices, &key),
            };
        }
        let mut progress = false;
        for id in ids {
            let unit = self.model.schema.unit_of(id);
            if difference.change == Change::Added && unit == id && !choices.left_out.contains(&id) {
                choices.left_out.insert(id);
                self.note(id, How::LeftOut, why);
                progress = true;
            } else if difference.change == Change::Removed && unit != id && choices.stated.contains_key(&unit) {
                progress |= self.add_extra(choices, &key);
            } else {
                progress |= self.step_down(choices, unit, why);
            }
        }
        progress
    }

    /// What no object of the model is was made by statements that can't be understood. If the history left it otherwise, those
    /// that say its name go, and what the history has of it is stated.
    fn leave_out_makers(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        let name = difference.name.split('(').next().unwrap_or_default();
        let name = name.rsplit(' ').next().unwrap_or_default().to_lowercase();
        let schema = &self.model.schema;
        let makers: Vec<ObjectId> = schema
            .of_kind(Kind::Opaque)
            .filter(|id| !choices.left_out.contains(id))
            .filter(|id| matches!(&schema.objects[*id].body, Body::Text(text) if words(text).contains(&name)))
            .collect();
        let mut progress = false;
        for id in makers {
            let why = format!("the history left {} otherwise than it makes it", difference.object);
            progress |= self.step_down(choices, id, &why);
        }
        progress
    }

    /// A routine that came out under other argument types than the replayed history has: the model's one gives way.
    fn leave_out_namesake(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        let name = difference.name.split('(').next().unwrap_or_default();
        let schema = &self.model.schema;
        let namesake = schema.named(name).find(|id| {
            let o = &schema.objects[*id];
            o.kind.is_routine()
                && o.schema == difference.schema
                && o.name == name
                && !choices.left_out.contains(id)
                && !keys(schema, *id).iter().any(|k| self.positions.contains_key(k))
        });
        let Some(id) = namesake else { return false };
        choices.left_out.insert(id);
        self.note(id, How::LeftOut, "the replayed history has it with other argument types");
        true
    }

    /// Whether what an opaque statement does, itself or by a function, may hang on when it runs.
    fn asks_for_the_time(&self, id: ObjectId) -> bool {
        let schema = &self.model.schema;
        let called = schema.objects[id].needs.iter().map(|n| n.on);
        let code = called.filter(|on| schema.objects[*on].kind.is_code());
        code.chain([id]).any(|id| match &schema.objects[id].body {
            Body::Text(text) => {
                let text = text.to_lowercase();
                ["now()", "clock_timestamp", "statement_timestamp", "current_date", "current_time", "localtime"]
                    .iter()
                    .any(|word| text.contains(word))
            }
            _ => false,
        })
    }

    /// Something that no dump shows may be lost without it.
    fn stays_since(&mut self, id: ObjectId, what: &str) {
        let name = self.name(id);
        let why = format!("{name} can't be left out: {what} may do what no database shows");
        if !self.blocked.contains(&why) {
            self.blocked.push(why);
        }
    }

    pub(super) fn step_down(&mut self, choices: &mut Choices, id: ObjectId, why: &str) -> bool {
        let schema = &self.model.schema;
        let object = &schema.objects[id];
        let is_rows = object.kind == Kind::Rows;
        if (choices.stated.contains_key(&id) && !is_rows) || choices.left_out.contains(&id) {
            return false;
        }
        match object.kind {
            Kind::Opaque => {
                if let Some(what) = reaches_outside(self.model, id) {
                    self.stays_since(id, &what);
                    return false;
                }
                choices.left_out.insert(id);
                let of_today = if self.asks_for_the_time(id) { OF_TODAY } else { "" };
                self.note(id, How::LeftOut, &format!("{why}{of_today}"));
                return true;
            }
            Kind::DefaultPrivileges => {
                choices.left_out.insert(id);
            }
            Kind::Rows => {
                let Body::Rows { targets, .. } = &object.body else { return false };
                let names: Vec<(String, String)> = targets
                    .iter()
                    .map(|t| (schema.objects[*t].schema.clone(), schema.objects[*t].name.clone()))
                    .collect();
                let mut any = false;
                for (place, name) in names {
                    any |= self.state_rows(choices, &place, &name);
                }
                if !choices.stated.contains_key(&id) && choices.left_out.insert(id) {
                    self.note(id, How::LeftOut, why);
                }
                return any;
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
        let stated = matches!(object.kind, Kind::DefaultPrivileges | Kind::Grant | Kind::Setting);
        self.note(id, if stated { How::Stated } else { How::LeftOut }, why);
        true
    }
}
