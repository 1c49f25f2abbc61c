//! One step down for rows and what goes with them: where they are stated, where sequences stand, what is populated.

use super::lower::{How, Lowering, Subject};
use super::row_values::RowTexts;
use super::stated::set_sequence;
use super::{Choices, Extra};
use crate::proof::{Difference, Entry, EntryKind};
use crate::schema::{Body, Kind, ObjectId};
use crate::sql::names::quote;
use std::collections::BTreeSet;

/// Where the rows of a table are stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowPlace {
    /// In place of the first statement that brought some.
    Writer(ObjectId),
    /// At the end of the set.
    End,
}

impl Lowering<'_> {
    /// The tables that a table's foreign keys point at.
    pub(super) fn referred(&self, table: ObjectId) -> Vec<ObjectId> {
        let schema = &self.model.schema;
        let keys = schema
            .children(table)
            .into_iter()
            .filter(|c| matches!(&schema.objects[*c].body, Body::Constraint(c) if c.suffix == "fkey"));
        keys.flat_map(|c| schema.objects[c].needs.iter().map(|n| n.on))
            .filter(|on| *on != table && schema.objects[*on].kind == Kind::Table)
            .collect()
    }

    /// The tables with rows whose foreign keys point at a table.
    fn referring(&self, table: ObjectId) -> Vec<ObjectId> {
        let schema = &self.model.schema;
        let filled = |t: &ObjectId| {
            let object = &schema.objects[*t];
            let rows = self.old.rows.iter().find(|r| r.schema == object.schema && r.table == object.name);
            rows.is_some_and(|r| !r.rows.is_empty())
        };
        let points = |t: &ObjectId| *t != table && self.referred(*t).contains(&table);
        schema.of_kind(Kind::Table).filter(|t| filled(t) && points(t)).collect()
    }

    pub(super) fn table(&self, place: &str, name: &str) -> Option<ObjectId> {
        let schema = &self.model.schema;
        schema.named(name).find(|id| {
            let o = &schema.objects[*id];
            o.kind == Kind::Table && o.schema == place
        })
    }

    /// Whether a difference is about where a sequence stands, or the rows of a table whose columns draw from one.
    pub(super) fn is_numbered(&self, difference: &Difference) -> bool {
        let schema = &self.model.schema;
        let draws =
            |column: ObjectId| schema.children(column).iter().any(|c| schema.objects[*c].kind == Kind::Sequence);
        difference.kind == EntryKind::SequencePosition
            || self
                .table(&difference.schema, &difference.name)
                .is_some_and(|table| schema.columns(table).into_iter().any(draws))
    }

    /// The live objects that bring or change a table's rows, in the author's order.
    pub(super) fn writers(&self, table: ObjectId) -> Vec<ObjectId> {
        let schema = &self.model.schema;
        let writers: BTreeSet<ObjectId> = schema.writers(table).collect();
        writers.into_iter().collect()
    }

    /// Rows that died used up numbers of a sequence, so that those that live have higher ones: the author's INSERT gives
    /// the same rows once the sequence stands where it stood.
    pub(super) fn position_first(&mut self, choices: &mut Choices, place: &str, name: &str) -> bool {
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

    /// The rows of a table from the replayed history, in place of the statements that brought them: first where the first of
    /// them stood, and if that doesn't do, at the end.
    pub(super) fn state_rows(&mut self, choices: &mut Choices, place: &str, name: &str) -> bool {
        let at = (place.to_string(), name.to_string());
        let schema = &self.model.schema;
        let table = self.table(place, name);
        let writers = table.map(|t| self.writers(t)).unwrap_or_default();
        let anchor = writers.iter().copied().find(|w| match &schema.objects[*w].body {
            Body::Rows { targets, .. } => targets.first().copied() == table && targets.len() == 1,
            _ => false,
        });
        let anchor = anchor.filter(|w| !choices.left_out.contains(w));
        let next = match (self.row_places.get(&at), anchor) {
            (None, Some(writer)) => RowPlace::Writer(writer),
            (None, None) | (Some(RowPlace::Writer(_)), _) => RowPlace::End,
            (Some(RowPlace::End), _) => return false,
        };
        if let Some(RowPlace::Writer(writer)) = self.row_places.insert(at, next) {
            choices.stated.remove(&writer);
            self.forget(&Subject::Object(writer));
        }
        let mut others = Vec::new();
        let empty = !self.old.rows.iter().any(|r| r.schema == place && r.table == name && !r.rows.is_empty());
        let why = match empty {
            true => format!("the replayed history leaves no rows in {place}.{name}"),
            false => format!("its rows come with the others of {place}.{name}"),
        };
        for id in writers {
            choices.left_out.insert(id);
            self.note(id, How::LeftOut, &why);
            if let Body::Rows { targets, .. } = &schema.objects[id].body {
                others.extend(targets.iter().filter(|t| Some(**t) != table).copied());
            }
        }
        if !self.write_rows(choices, place, name, table, next) {
            return false;
        }
        if next == RowPlace::End {
            others.extend(table.map(|t| self.referring(t)).unwrap_or_default());
        }
        for other in others {
            let (s, n) = (schema.objects[other].schema.clone(), schema.objects[other].name.clone());
            match self.row_places.get(&(s.clone(), n.clone())) {
                None => drop(self.state_rows(choices, &s, &n)),
                // Rows that point at rows which come at the end come at the end too.
                Some(RowPlace::Writer(_)) if next == RowPlace::End => drop(self.state_rows(choices, &s, &n)),
                Some(_) => {}
            }
        }
        true
    }

    fn write_rows(
        &mut self,
        choices: &mut Choices,
        place: &str,
        name: &str,
        table: Option<ObjectId>,
        at: RowPlace,
    ) -> bool {
        let Some(rows) = self.old.rows.iter().find(|r| r.schema == place && r.table == name) else { return true };
        if rows.rows.is_empty() {
            return true;
        }
        let schema = &self.model.schema;
        let has_triggers =
            table.is_some_and(|t| schema.children(t).iter().any(|c| schema.objects[*c].kind == Kind::Trigger));
        let texts = RowTexts::new(self.old, self.judge.again().ok(), &self.portable);
        match (texts.insert(rows, has_triggers && at == RowPlace::End), at) {
            // What looks rows of others up comes after them.
            (Ok(stated), RowPlace::Writer(_)) if stated.looks_up => self.state_rows(choices, place, name),
            (Ok(stated), RowPlace::Writer(writer)) => {
                choices.left_out.remove(&writer);
                choices.stated.insert(writer, stated.statements);
                self.note(writer, How::Stated, "its rows are written as the replayed history left them");
                true
            }
            (Ok(stated), RowPlace::End) => {
                let place_in = texts.order.iter().position(|(s, n)| *s == place && *n == name).unwrap_or(0);
                let position = self.old.entries.len() + place_in;
                let (kind, text) = (EntryKind::TableData, stated.statements.join(";\n"));
                let pushed =
                    self.push_extra(choices, Extra { kind, schema: place.into(), name: name.into(), text, position });
                // What it looks up must be there; if that differs too, it would only be missed in the next round.
                for on in table.filter(|_| stated.looks_up).map(|t| self.referred(t)).unwrap_or_default() {
                    let at = (schema.objects[on].schema.clone(), schema.objects[on].name.clone());
                    if self.differing.contains(&at) && !self.row_places.contains_key(&at) {
                        self.state_rows(choices, &at.0, &at.1);
                    }
                }
                pushed
            }
            (Err(why), _) => {
                self.blocked.push(why);
                false
            }
        }
    }

    pub(super) fn state_sequence(&mut self, choices: &mut Choices, place: &str, name: &str) -> bool {
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
            Extra { kind: EntryKind::SequenceSet, schema: place.into(), name: name.into(), text, position },
        )
    }

    pub(super) fn is_materialized_view(&self, place: &str, name: &str) -> bool {
        self.old.rows.iter().any(|r| r.kind == 'm' && r.schema == place && r.table == name)
    }

    /// Whether the replayed history leaves a materialized view filled, be it with no rows.
    pub(super) fn is_populated(&self, id: ObjectId) -> bool {
        let view = &self.model.schema.objects[id];
        let data =
            |e: &Entry| e.kind == EntryKind::MaterializedViewData && e.schema == view.schema && e.name == view.name;
        self.old.globals.iter().any(|e| data(e) && e.text == "populated")
    }

    /// A materialized view filled at the end.
    pub(super) fn refresh(&mut self, choices: &mut Choices, place: &str, name: &str) -> bool {
        let text = format!("REFRESH MATERIALIZED VIEW {}.{}", quote(place), quote(name));
        // After all rows, and one view after the other as the dump has them: one may read the other.
        let key = (EntryKind::MaterializedView, place.to_string(), name.to_string());
        let after = self.old.entries.len() + self.old.rows.len();
        let position = after + self.positions.get(&key).copied().unwrap_or(self.old.entries.len());
        let (kind, schema, name) = (EntryKind::MaterializedViewData, place.to_string(), name.to_string());
        self.push_extra(choices, Extra { kind, schema, name, text, position })
    }

    /// Whether a materialized view is populated: filled at the end, or stated, which leaves it empty.
    pub(super) fn state_population(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        let (place, name) = (&difference.schema, &difference.name);
        if difference.old.as_deref() == Some("populated") {
            return self.refresh(choices, place, name);
        }
        let key = (EntryKind::MaterializedView, place.clone(), name.clone());
        let ids = self.owners.get(&key).cloned().unwrap_or_default();
        let mut progress = false;
        for id in ids {
            progress |= self.step_down(choices, id, "it was left empty");
        }
        progress
    }
}
