//! A part of a history: what it changes of what was there before is kept as changes, net of each other.
//!
//! A change is a setting of the object that it changes, so that it goes when that goes, and follows when that is renamed.
//! The databases that run the part hold rows, so nothing is netted across a statement that moves some.

use super::{New, Replay};
use crate::history::StatementId;
use crate::ledger::{Event, Fold, Mark, What};
use crate::objects::{PieceKind, Property, Segment};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names::quote;
use pg_query::NodeEnum as N;
use pg_query::protobuf::AlterTableType as T;
use std::collections::BTreeSet;

/// An object that a DROP names: its name of now, and that of before the part, if it was renamed.
pub(crate) struct Doomed {
    id: ObjectId,
    name: String,
    was: Option<String>,
}

impl Replay<'_> {
    /// Whether a part of the history is consolidated, and this was there before it, in just this form.
    pub(crate) fn is_changed_in_place(&self, id: ObjectId) -> bool {
        self.schema.is_fixed(id)
    }

    /// After a statement of the part: what it changed of what was there before, it does again. Statements that have
    /// commands or names, each of them for itself, see to that where they are applied.
    pub(crate) fn keep_changes(&mut self, node: &N, events_before: usize) {
        if matches!(node, N::AlterTableStmt(_) | N::RenameStmt(_) | N::DropStmt(_) | N::TransactionStmt(_)) {
            return;
        }
        let moves = matches!(node, N::AlterObjectSchemaStmt(_));
        let events = self.ledger.events.get(events_before..).unwrap_or_default();
        let target = events.iter().find(|e| self.is_change(e, moves)).map(|e| e.object);
        let spoke = !events.is_empty() || self.ledger.marks.last().is_some_and(|(s, _)| *s == self.current);
        if let Some(target) = target {
            let property = if moves { Property::Moved } else { Property::Change(self.current) };
            let parent = if self.schema.lives(target) { Some(target) } else { None };
            let text = self.text.to_string();
            self.keep_change(parent, property, text);
            let now = self.current;
            let first = self.ledger.marks.partition_point(|(s, _)| *s < now);
            let own = self.ledger.marks.split_off(first);
            self.ledger.marks.extend(own.into_iter().filter(|(_, mark)| !matches!(mark, Mark::Noop(_))));
        } else if !spoke {
            self.keep_opaque("leaves nothing that is known");
        }
    }

    fn is_change(&self, event: &Event, moves: bool) -> bool {
        let kind = self.schema.objects[event.object].kind;
        match event.what {
            _ if kind == Kind::Rows => false,
            What::Folded(_) => self.schema.is_fixed(event.object) || (moves && self.schema.is_given(event.object)),
            What::Died(with) => {
                self.schema.is_given(event.object) && with.is_none_or(|root| !self.schema.is_given(root))
            }
            _ => false,
        }
    }

    /// Keeps a change; one of the same property of the same object is superseded, unless rows moved in between.
    pub(crate) fn keep_change(&mut self, target: Option<ObjectId>, property: Property, text: String) -> ObjectId {
        let mut needs = Replay::reparse(&text).map(|n| self.needs(&n, target)).unwrap_or_default();
        needs.iter_mut().for_each(|need| need.strength = Strength::Order);
        let Some(target) = target else {
            let edited = self.is_inner || text != self.text;
            let new = New::global(Kind::Setting, property.key(), Body::Text(text));
            let id = self.create(New { needs, property: Some(property), ..new });
            self.schema.objects[id].edited = edited;
            return id;
        };
        let table = self.schema.root(target);
        if let Some(old) = self.schema.setting(target, &property)
            && !self.schema.is_fixed(old)
            && self.rows_moved_since(table, self.schema.objects[old].source)
        {
            self.seal(old);
        }
        needs.push(Need { on: table, strength: Strength::Order });
        self.set_property_text(target, property, needs, text)
    }

    /// A change that none after it may take the place of.
    fn seal(&mut self, change: ObjectId) {
        self.schema.change_name(change, |o| {
            if let Some(property) = o.property.take() {
                let sealed = Property::Sealed(Box::new(property), o.source);
                o.name = sealed.to_string();
                o.property = Some(sealed);
            }
        });
    }

    /// Whether a statement after this one may have changed rows of the table, or read them.
    fn rows_moved_since(&self, table: ObjectId, statement: usize) -> bool {
        let is_later = |id: &ObjectId| self.schema.objects[*id].source > statement;
        let moves = |id: ObjectId| {
            let object = &self.schema.objects[id];
            let writes = matches!(&object.body, Body::Rows { targets, .. } if targets.contains(&table));
            writes || object.needs.iter().any(|n| self.schema.root(n.on) == table)
        };
        self.schema.of_kind(Kind::Opaque).rev().take_while(is_later).next().is_some()
            || self.schema.of_kind(Kind::Rows).rev().take_while(is_later).any(moves)
    }

    /// What a DROP is about to end.
    pub(crate) fn doomed(&self, targets: &[Option<ObjectId>]) -> Vec<Option<Doomed>> {
        let of = |id: ObjectId| {
            let name = self.schema.objects[id].name.clone();
            self.schema.is_given(id).then(|| Doomed { id, name, was: self.name_before(id) })
        };
        targets.iter().map(|target| target.and_then(of)).collect()
    }

    /// The name that an object had before the part, if the part renames it.
    fn name_before(&self, id: ObjectId) -> Option<String> {
        let mut settings = self.schema.children(id).into_iter().map(|s| &self.schema.objects[s]);
        settings.find_map(|s| match &s.property {
            Some(Property::RenamedFrom(name)) => Some(name.clone()),
            _ => None,
        })
    }

    /// A DROP stays for what was there before; what the part made itself is gone without it.
    pub(crate) fn keep_drop(&mut self, kind: Kind, doomed: &[Option<Doomed>]) {
        if doomed.iter().all(Option::is_none) {
            return;
        }
        let mut text = match doomed.iter().all(Option::is_some) {
            true => self.text.to_string(),
            false => only_these(&self.text, kind, &doomed.iter().map(Option::is_some).collect::<Vec<_>>()),
        };
        for one in doomed.iter().flatten() {
            if let Some(was) = &one.was {
                let wanted = self.wanted(kind, one.id, &one.name);
                text = edit::rename_object(&text, &one.name, was, wanted);
            }
        }
        let of: Vec<&Doomed> = doomed.iter().flatten().collect();
        let parent = self.schema.objects[of[0].id].parent.filter(|p| self.schema.lives(*p));
        let names: Vec<String> = of.iter().map(|d| d.name.clone()).collect();
        self.keep_change(parent, Property::Dropped { kind, names }, text);
    }

    /// DROP COLUMN and DROP CONSTRAINT of what was there before.
    pub(crate) fn keep_drop_command(
        &mut self,
        table: ObjectId,
        kind: Kind,
        doomed: Vec<Option<Doomed>>,
        alone: String,
    ) {
        for one in doomed.into_iter().flatten() {
            let text = match &one.was {
                Some(was) => rename_dropped(&alone, &one.name, was),
                None => alone.clone(),
            };
            self.keep_change(Some(table), Property::Dropped { kind, names: vec![one.name] }, text);
        }
    }

    /// What was there before got another name: renamed once, from what it was to what it is in the end.
    pub(crate) fn keep_rename(&mut self, id: ObjectId, from: &str, to: &str) {
        // The schema that each new database has is renamed by a statement of its own, too.
        if !self.schema.is_given(id) && !self.is_given(id) {
            return;
        }
        let renamed = self.schema.children(id).into_iter().find_map(|s| match &self.schema.objects[s].property {
            Some(Property::RenamedFrom(first)) => Some((s, first.clone())),
            _ => None,
        });
        let Some((rename, first)) = renamed else {
            let text = self.text.to_string();
            self.keep_change(Some(id), Property::RenamedFrom(from.into()), text);
            return;
        };
        if first == to {
            return self.kill(rename, None);
        }
        if let Body::Text(text) = &mut self.schema.objects[rename].body
            && let Some(last) = lex_code(text).last().copied()
        {
            *text = edit::replace(text, vec![(last.start..last.end, quote(to))]);
        }
        self.folded(rename, Fold::RenamedAgain(to.into()));
    }

    /// Whether a constraint that the part adds to a table of before says NOT VALID: what is there is checked later, and
    /// others may write meanwhile.
    pub(crate) fn is_to_be_validated(&self, constraint: ObjectId) -> bool {
        let object = &self.schema.objects[constraint];
        let in_use = object.parent.is_some_and(|table| self.schema.is_given(table));
        in_use && matches!(&object.body, Body::Constraint(c) if crate::objects::not_valid(&c.text).is_some())
    }

    /// A check that the part adds, validates and drops again: a SET NOT NULL between these reads no row, since PostgreSQL
    /// finds it proven. Without the check it would read all of them while nobody else may. So all of it stays.
    pub(crate) fn keep_what_was_checked(&mut self, table: ObjectId, constraint: ObjectId) {
        let schema = &self.schema;
        let Some(validated) = schema.setting(constraint, &Property::Validated) else { return };
        let since = schema.objects[validated].source;
        let proves = |column: &ObjectId| {
            let change = schema.setting(*column, &Property::Nullability)?;
            let source = schema.objects[change].source;
            (schema.is_given(table) && source > since).then_some(source)
        };
        let proven: Vec<StatementId> = schema.columns(table).iter().filter_map(proves).collect();
        if !proven.is_empty() {
            let born = schema.objects[constraint].born;
            self.relied_on.extend(proven.into_iter().chain([born, since, self.current]));
        }
    }

    /// ALTER COLUMN of a column that was there before, or that the part adds to a table that was; false if it is another
    /// command.
    pub(crate) fn change_column(&mut self, column: ObjectId, subtype: T, segment: &Segment) -> bool {
        let by = self.current;
        // Each change of a type may change the values.
        let property = match subtype {
            T::AtColumnDefault => Property::Default,
            T::AtSetNotNull | T::AtDropNotNull => Property::Nullability,
            T::AtAlterColumnType => Property::Type(by),
            T::AtAddIdentity | T::AtSetIdentity | T::AtDropIdentity => Property::Identity(by),
            T::AtDropExpression | T::AtSetExpression => Property::Expression(by),
            _ => return false,
        };
        if matches!(property, Property::Type(_))
            && let Some(default) = self.schema.setting(column, &Property::Default)
            && !self.schema.is_fixed(default)
        {
            // A default is taken away for a type to change, and set again for the new one.
            self.seal(default);
        }
        self.keep_change(Some(column), property, segment.alone.clone());
        true
    }

    /// ALTER COLUMN of a column that the part adds: whether it may fold into the ADD COLUMN. Rows that are there get the
    /// default that ADD COLUMN names, and not one that comes later.
    pub(crate) fn folds_into_added(&mut self, table: ObjectId, column: ObjectId, subtype: T, text: &str) -> bool {
        if self.rows_moved_since(table, self.schema.objects[column].born) {
            return false;
        }
        let Body::Column(body) = &self.schema.objects[column].body else { return false };
        let says = |what: PieceKind| body.piece(what).is_some();
        let not_null = body.is_not_null();
        let pending = self.schema.setting(column, &Property::Default);
        match subtype {
            // A column that is NOT NULL and has no default can only be added to an empty table.
            T::AtColumnDefault => not_null && !says(PieceKind::Default) && pending.is_none(),
            T::AtSetNotNull => {
                if let Some(pending) = pending.filter(|_| !says(PieceKind::Default)) {
                    self.fold_pending_default(table, column, pending);
                }
                true
            }
            T::AtDropNotNull => true,
            T::AtAlterColumnType => {
                let tokens = lex_code(text);
                // Rows that are there get the default as the first type has it.
                edit::find_word(text, &tokens, 0, "using").is_none() && pending.is_none() && !says(PieceKind::Default)
            }
            T::AtAddIdentity | T::AtDropIdentity => true,
            _ => false,
        }
    }

    /// NOT NULL came without an UPDATE: the history only runs where the table has no rows, and there a default that came
    /// after the column is as good as one that came with it.
    fn fold_pending_default(&mut self, table: ObjectId, column: ObjectId, pending: ObjectId) {
        let Body::Text(text) = self.schema.objects[pending].body.clone() else { return };
        let tokens = lex_code(&text);
        let Some(at) = edit::find_word(&text, &tokens, 0, "default") else { return };
        let drops = at > 0 && tokens[at - 1].is(&text, "drop");
        if !drops {
            let piece = text[tokens[at].start..].trim_end().to_string();
            let needs = self.schema.objects[pending].needs.clone();
            let place = (self.schema.objects[table].schema.clone(), "default".to_string());
            self.create(New { needs, ..New::of(column, Kind::Default, place, Body::Inside) });
            if let Body::Column(body) = &mut self.schema.objects[column].body {
                body.set(PieceKind::Default, piece);
            }
            self.schema.objects[column].edited = true;
        }
        self.kill(pending, None);
        // What was said of the setting is said of the column.
        let since = self.schema.objects[column].born;
        let mut events = self.ledger.take_since(since);
        for event in events.iter_mut().filter(|e| e.object == pending) {
            event.object = column;
            event.what = What::Folded(if drops { Fold::DefaultDropped } else { Fold::DefaultSet });
        }
        let same = |a: &Event, b: &Event| a.statement == b.statement && a.object == column && a.what == b.what;
        let now = self.current;
        events.dedup_by(|a, b| same(a, b));
        events.retain(|e| !(e.statement == now && e.object == column && is_default(&e.what)));
        self.ledger.events.extend(events);
    }

    /// A column that the part added goes again: an UPDATE that filled nothing but such columns has done nothing.
    pub(crate) fn drop_added_column(&mut self, table: ObjectId, column: ObjectId, cascade: bool) {
        self.end(column, None, cascade);
        let rows: BTreeSet<ObjectId> =
            self.schema.writers(table).filter(|id| self.fills_only_dead(table, *id)).collect();
        let is_rows = |id: &ObjectId| matches!(self.schema.objects[*id].kind, Kind::Rows | Kind::Opaque);
        // Rows that moved on from there need it.
        let mut readers = self.schema.dependents(column).into_iter().map(|(id, _)| id).filter(is_rows);
        if readers.any(|id| !rows.contains(&id)) {
            return;
        }
        for id in rows {
            self.kill(id, Some(column));
        }
    }

    fn fills_only_dead(&self, table: ObjectId, id: ObjectId) -> bool {
        let Body::Rows { text, targets } = &self.schema.objects[id].body else { return false };
        if self.schema.is_given(id) || targets.first() != Some(&table) {
            return false;
        }
        let Some(N::UpdateStmt(update)) = Replay::reparse(text) else { return false };
        let sets: Vec<&str> = update
            .target_list
            .iter()
            .filter_map(|n| match &n.node {
                Some(N::ResTarget(target)) => Some(target.name.as_str()),
                _ => None,
            })
            .collect();
        update.with_clause.is_none() && !sets.is_empty() && sets.iter().all(|c| self.schema.column(table, c).is_none())
    }

    /// A command that takes back what a table has (row security, say): gone with it if the part gave it, else kept.
    pub(crate) fn take_back(&mut self, table: ObjectId, property: Property, segment: &Segment) {
        match self.schema.setting(table, &property) {
            Some(setting) if !self.schema.is_given(setting) => self.kill(setting, None),
            Some(_) => {
                let alone = segment.alone.clone();
                self.keep_change(Some(table), property, alone);
            }
            None => self.mark(Mark::Noop(format!("{property} isn't on"))),
        }
    }
}

fn is_default(what: &What) -> bool {
    matches!(what, What::Folded(fold) if fold.is_of_default())
}

/// An ALTER TABLE that drops a column or a constraint, under another name of that.
fn rename_dropped(command: &str, from: &str, to: &str) -> String {
    let tokens = lex_code(command);
    // The name of the table comes before.
    match tokens.iter().rfind(|token| token.name(command).as_deref() == Some(from)) {
        Some(name) => edit::replace(command, vec![(name.start..name.end, quote(to))]),
        None => command.to_string(),
    }
}

/// A DROP of some of the objects that it names.
fn only_these(text: &str, kind: Kind, wanted: &[bool]) -> String {
    let tokens = lex_code(text);
    let mut first = 1 + kind.word().split(' ').count();
    if tokens.get(first).is_some_and(|t| t.is(text, "if")) {
        first += 2;
    }
    let ends_in_word = tokens.last().is_some_and(|t| t.is(text, "cascade") || t.is(text, "restrict"));
    let last = if ends_in_word { tokens.len() - 1 } else { tokens.len() };
    let parts = edit::split_commas(text, &tokens, first, last);
    if parts.len() != wanted.len() || first >= tokens.len() {
        return text.to_string();
    }
    let names: Vec<&str> = parts
        .iter()
        .zip(wanted)
        .filter(|(_, wanted)| **wanted)
        .map(|(part, _)| &text[tokens[part.start].start..tokens[part.end - 1].end])
        .collect();
    let tail = if ends_in_word { format!(" {}", tokens[last].text(text)) } else { String::new() };
    format!("{}{}{tail}", &text[..tokens[first].start], names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_of_some_keeps_its_words() {
        let text = "DROP TABLE IF EXISTS a, b.c,\n d CASCADE";
        assert_eq!(only_these(text, Kind::Table, &[false, true, true]), "DROP TABLE IF EXISTS b.c, d CASCADE");
        assert_eq!(only_these("drop view a, b", Kind::View, &[true, false]), "drop view a");
    }
}
