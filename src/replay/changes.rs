//! A part of a history: what it changes of what was there before is kept as changes, net of each other.
//!
//! A change is a setting of the object that it changes, so that it goes when that goes, and follows when that is renamed.
//! The databases that run the part hold rows, so nothing is netted across a statement that moves some.

use super::{New, Replay};
use crate::ledger::{Event, Mark, What};
use crate::objects::{PieceKind, Segment};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names::quote;
use pg_query::NodeEnum as N;
use pg_query::protobuf::AlterTableType as T;

/// The beginning of the name of a setting that renames; the name of before follows.
pub(crate) const RENAME: &str = "rename from ";
/// The beginning of the name of a setting that drops; the name of what is dropped follows.
pub(crate) const DROP: &str = "drop ";

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
        let spoke = !events.is_empty() || self.ledger.marks.iter().rev().any(|(s, _)| *s == self.current);
        if let Some(target) = target {
            let key = if moves { format!("{RENAME}another schema") } else { format!("change {}", self.current) };
            let parent = if self.schema.lives(target) { Some(target) } else { None };
            let text = self.text.to_string();
            self.keep_change(parent, &key, text);
            let now = self.current;
            self.ledger.marks.retain(|(s, mark)| *s != now || !matches!(mark, Mark::Noop(_)));
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

    /// Keeps a change; one with the same key on the same object is superseded, unless rows moved in between.
    pub(crate) fn keep_change(&mut self, target: Option<ObjectId>, key: &str, text: String) -> ObjectId {
        let mut needs = Replay::reparse(&text).map(|n| self.needs(&n, target)).unwrap_or_default();
        needs.iter_mut().for_each(|need| need.strength = Strength::Order);
        let Some(target) = target else {
            let edited = self.is_inner || text != self.text;
            let id = self.create(New { needs, ..New::global(Kind::Setting, key.to_string(), Body::Text(text)) });
            self.schema.objects[id].edited = edited;
            return id;
        };
        let table = self.schema.root(target);
        if let Some(old) = self.schema.child(target, Kind::Setting, key)
            && !self.schema.is_fixed(old)
            && self.rows_moved_since(table, self.schema.objects[old].source)
        {
            self.seal(old);
        }
        needs.push(Need { on: table, strength: Strength::Order });
        self.attach_text(target, Kind::Setting, key, needs, text)
    }

    /// A change that none after it may take the place of.
    fn seal(&mut self, change: ObjectId) {
        let sealed =
            format!("{} by statement {}", self.schema.objects[change].name, self.schema.objects[change].source);
        self.schema.change_name(change, |o| o.name = sealed);
    }

    /// Whether a statement after this one may have changed rows of the table, or read them.
    fn rows_moved_since(&self, table: ObjectId, statement: usize) -> bool {
        self.schema.live().any(|id| {
            let object = &self.schema.objects[id];
            let later = object.source > statement;
            match &object.body {
                Body::Rows { targets, .. } if later => {
                    targets.contains(&table) || object.needs.iter().any(|n| self.schema.root(n.on) == table)
                }
                _ => later && object.kind == Kind::Opaque,
            }
        })
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
        settings.find_map(|s| s.name.strip_prefix(RENAME).filter(|_| s.kind == Kind::Setting).map(String::from))
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
        if kind == Kind::Index && lex_code(&text).get(2).is_some_and(|t| t.is(&text, "concurrently")) {
            // As for CREATE INDEX: with other statements in its file it can't run.
            text = crate::objects::without_word(&text, "concurrently");
        }
        for one in doomed.iter().flatten() {
            if let Some(was) = &one.was {
                text = edit::rename_object(&text, &one.name, was);
            }
        }
        let of: Vec<&Doomed> = doomed.iter().flatten().collect();
        let parent = self.schema.objects[of[0].id].parent.filter(|p| self.schema.lives(*p));
        let names: Vec<String> = of.iter().map(|d| d.name.clone()).collect();
        self.keep_change(parent, &format!("{DROP}{} {}", kind.word(), names.join(", ")), text);
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
                Some(was) => edit::rename_object(&alone, &one.name, was),
                None => alone.clone(),
            };
            self.keep_change(Some(table), &format!("{DROP}{} {}", kind.word(), one.name), text);
        }
    }

    /// What was there before got another name: renamed once, from what it was to what it is in the end.
    pub(crate) fn keep_rename(&mut self, id: ObjectId, from: &str, to: &str) {
        // The schema that each new database has is renamed by a statement of its own, too.
        if !self.schema.is_given(id) && !self.is_given(id) {
            return;
        }
        let is_rename = |s: &ObjectId| {
            self.schema.objects[*s].kind == Kind::Setting && self.schema.objects[*s].name.starts_with(RENAME)
        };
        let Some(rename) = self.schema.children(id).into_iter().find(is_rename) else {
            let text = self.text.to_string();
            self.keep_change(Some(id), &format!("{RENAME}{from}"), text);
            return;
        };
        if self.schema.objects[rename].name[RENAME.len()..] == *to {
            return self.kill(rename, None);
        }
        if let Body::Text(text) = &mut self.schema.objects[rename].body
            && let Some(last) = lex_code(text).last().copied()
        {
            *text = edit::replace(text, vec![(last.start..last.end, quote(to))]);
        }
        self.folded(rename, format!("renamed once more, to {}", quote(to)));
    }

    /// ALTER COLUMN of a column that was there before, or that the part adds to a table that was; false if it is another
    /// command.
    pub(crate) fn change_column(&mut self, table: ObjectId, column: ObjectId, subtype: T, segment: &Segment) -> bool {
        let key = match subtype {
            T::AtColumnDefault => "default",
            T::AtSetNotNull | T::AtDropNotNull => "nullability",
            T::AtAlterColumnType => "type",
            T::AtAddIdentity | T::AtSetIdentity | T::AtDropIdentity => "identity",
            T::AtDropExpression | T::AtSetExpression => "expression",
            _ => return false,
        };
        let alone = segment.alone.clone();
        if key == "type"
            && let Some(default) = self.schema.child(column, Kind::Setting, "default")
            && !self.schema.is_fixed(default)
        {
            // A default is taken away for a type to change, and set again for the new one.
            self.seal(default);
        }
        // Each change of a type may change the values.
        if matches!(key, "identity" | "expression" | "type") {
            let number = format!("{key} {}", self.current);
            self.keep_change(Some(column), &number, alone);
        } else {
            self.keep_change(Some(column), key, alone);
        }
        let _ = table;
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
        let not_null = body.piece(PieceKind::Nullability).is_some_and(|p| p.text.to_lowercase().contains("not"));
        let pending = self.schema.child(column, Kind::Setting, "default");
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
        for event in self.ledger.events.iter_mut().filter(|e| e.object == pending) {
            event.object = column;
            event.what = What::Folded(if drops { "default dropped" } else { "default set" }.into());
        }
        let same = |a: &Event, b: &Event| a.statement == b.statement && a.object == column && a.what == b.what;
        let now = self.current;
        self.ledger.events.dedup_by(|a, b| same(a, b));
        self.ledger.events.retain(|e| !(e.statement == now && e.object == column && is_default(&e.what)));
    }

    /// A column that the part added goes again: an UPDATE that filled nothing but such columns has done nothing.
    pub(crate) fn drop_added_column(&mut self, table: ObjectId, column: ObjectId, cascade: bool) {
        self.end(column, None, cascade);
        let rows: Vec<ObjectId> = self.schema.live().filter(|id| self.fills_only_dead(table, *id)).collect();
        let reads = |id: &ObjectId| self.schema.objects[*id].needs.iter().any(|n| n.on == column);
        let is_rows = |id: &ObjectId| matches!(self.schema.objects[*id].kind, Kind::Rows | Kind::Opaque);
        // Rows that moved on from there need it.
        if self.schema.live().filter(is_rows).any(|id| reads(&id) && !rows.contains(&id)) {
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
    pub(crate) fn take_back(&mut self, table: ObjectId, name: &str, segment: &Segment) {
        match self.schema.child(table, Kind::Setting, name) {
            Some(setting) if !self.schema.is_given(setting) => self.kill(setting, None),
            Some(_) => {
                let alone = segment.alone.clone();
                self.keep_change(Some(table), name, alone);
            }
            None => self.mark(Mark::Noop(format!("{name} isn't on"))),
        }
    }
}

fn is_default(what: &What) -> bool {
    matches!(what, What::Folded(note) if note.starts_with("default "))
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
