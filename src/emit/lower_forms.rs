//! The forms below rung 2: an object as it happened, an object as PostgreSQL states it, and everything so.

use super::Choices;
use super::happened::{kin, story};
use super::lower::{How, Lowering};
use super::stated::{Key, key_of, keys};
use crate::objects::Property;
use crate::proof::{Entry, EntryKind, Snapshot};
use crate::schema::{Body, Kind, ObjectId};
use std::collections::HashSet;

impl Lowering<'_> {
    /// A table as it happened, with those whose shape it shares, where that takes fewer statements than PostgreSQL's own way.
    pub(super) fn tell_story(&mut self, choices: &mut Choices, id: ObjectId, stated: usize, why: &str) -> bool {
        if !self.told.insert(id) {
            return false;
        }
        let mut family = vec![id];
        let mut at = 0;
        while at < family.len() {
            let kin = kin(self.model, family[at]);
            family.extend(kin.into_iter().filter(|o| !family.contains(o)).collect::<Vec<_>>());
            at += 1;
        }
        let stories: Option<Vec<_>> = family.iter().map(|o| story(self.history, self.model, *o)).collect();
        let Some(stories) = stories else { return false };
        if stories[0].len() > stated || stories.iter().all(|s| s.len() < 2) {
            return false;
        }
        let schema = &self.model.schema;
        // What is said to a parent reaches its children, and is said once: by the one that was there first.
        let mut family: Vec<_> = family.into_iter().zip(stories).collect();
        family.sort_by_key(|(_, story)| story.first().copied());
        let mut said = HashSet::new();
        let together: Vec<ObjectId> = family.iter().map(|(table, _)| *table).collect();
        for (table, mut story) in family {
            self.families.insert(table, together.clone());
            story.retain(|statement| said.insert(*statement));
            if story.is_empty() {
                continue;
            }
            // What the same statements make beside the table comes with them.
            let beside: Vec<ObjectId> = schema
                .live()
                .filter(|o| *o != table && schema.is_unit(*o) && story.contains(&schema.objects[*o].source))
                .collect();
            let beside: Vec<ObjectId> = beside.into_iter().filter(|o| choices.left_out.insert(*o)).collect();
            self.beside.insert(table, beside);
            choices.stated.remove(&table);
            choices.happened.insert(table, story);
            self.told.insert(table);
        }
        self.note(id, How::Happened, why);
        true
    }

    /// The object as PostgreSQL states it, with all that the dump states apart from it but the model keeps inside.
    pub(super) fn state(&mut self, choices: &mut Choices, id: ObjectId, why: &str) -> bool {
        let schema = &self.model.schema;
        let split = choices.split.clone();
        let mut members = vec![id];
        let parts = self.model.inside(id).iter().copied();
        let mut inside: Vec<ObjectId> =
            parts.filter(|o| *o != id && schema.lives(*o) && !choices.split.contains(o)).collect();
        inside.retain(|o| {
            let foreign = matches!(&schema.objects[*o].body, Body::Constraint(c) if c.suffix == "fkey");
            if foreign {
                choices.split.insert(*o);
            }
            !foreign
        });
        members.extend(inside);
        // Settings show in the entry itself, those that pg_dump states apart are stated with it.
        let parts = schema.columns(id).into_iter().chain([id]);
        let filled_later = schema.setting(id, &Property::Population);
        for child in parts.flat_map(|part| schema.children(part)) {
            if schema.objects[child].kind == Kind::Setting && Some(child) != filled_later {
                choices.left_out.insert(child);
                members.push(child);
            }
        }
        let mut positions: Vec<usize> =
            members.iter().flat_map(|m| keys(schema, *m)).filter_map(|k| self.positions.get(&k).copied()).collect();
        positions.sort_unstable();
        positions.dedup();
        let mut texts: Vec<String> =
            positions.iter().flat_map(|p| self.portable.statements(&self.old.entries[*p])).collect();
        let is_view = schema.objects[id].kind == Kind::MaterializedView;
        if is_view && filled_later.is_none() && self.is_populated(id) {
            // pg_dump fills it later; here it's filled where it stands, before or after the rows that it reads.
            texts.iter_mut().for_each(|t| *t = t.strip_suffix("\n  WITH NO DATA").unwrap_or(t).to_string());
        }
        if self.tell_story(choices, id, texts.len(), why) {
            choices.split = split;
            return true;
        }
        // The others were told for its sake.
        for member in self.families.remove(&id).unwrap_or_default() {
            if choices.happened.remove(&member).is_some() {
                for beside in self.beside.remove(&member).unwrap_or_default() {
                    choices.left_out.remove(&beside);
                }
            }
        }
        if texts.is_empty() {
            choices.left_out.insert(id);
            self.note(id, How::LeftOut, why);
        } else {
            choices.stated.insert(id, texts);
            self.note(id, How::Stated, why);
        }
        true
    }

    /// The last resort: everything as PostgreSQL states it, in the order of the dump. What was there before the history is
    /// left out. Roles stay as written, since their passwords show nowhere else, and so does what can't be understood: what
    /// it does besides may be nothing that a database shows.
    pub fn state_everything(&mut self, choices: &mut Choices, given: Option<&Snapshot>) {
        let schema = &self.model.schema;
        let stays = |id: ObjectId| {
            let object = &schema.objects[id];
            let of_role = object.parent.is_some_and(|p| schema.objects[p].kind == Kind::Role);
            matches!(object.kind, Kind::Role | Kind::Opaque) || (of_role && object.kind == Kind::Setting)
        };
        let mut left_out: HashSet<ObjectId> = schema.live().filter(|id| !stays(*id)).collect();
        left_out.extend(choices.left_out.iter().copied());
        *choices = Choices { left_out, ..Choices::default() };
        self.row_places.clear();
        let is_role =
            |e: &&Entry| e.kind.is_of_role() && !(e.kind == EntryKind::Role && self.owners.contains_key(&key_of(e)));
        let keys: Vec<Key> = self.old.globals.iter().filter(is_role).map(key_of).collect();
        let entries: Vec<Key> = self.old.entries.iter().map(key_of).collect();
        let given: HashSet<Key> =
            given.into_iter().flat_map(|s| s.globals.iter().chain(&s.entries)).map(key_of).collect();
        for key in keys.iter().chain(&entries).filter(|key| !given.contains(key)) {
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
