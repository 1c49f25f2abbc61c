//! ALTER TABLE ... ALTER COLUMN: defaults, types, NOT NULL, identity, worked into the column's own text.

use super::element::{Column, PieceKind};
use super::property::Property;
use super::segment::Segment;
use crate::ledger::{Event, Fold, Mark, What};
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::walk::references;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableCmd, AlterTableType as T};

impl Replay<'_> {
    /// Folds an ALTER COLUMN; false if it must stay an ALTER.
    pub(crate) fn alter_column(
        &mut self,
        table: ObjectId,
        subtype: T,
        command: &AlterTableCmd,
        segment: &Segment,
    ) -> bool {
        let Some(column) = self.schema.child(table, Kind::Column, &command.name) else { return false };
        if !matches!(self.schema.objects[column].body, Body::Column(_)) {
            return false;
        }
        match subtype {
            T::AtColumnDefault => self.alter_default(table, column, command, segment),
            T::AtSetNotNull => {
                self.set_not_null(table, column);
                true
            }
            T::AtDropNotNull => self.drop_not_null(column),
            T::AtAlterColumnType => self.alter_type(table, column, command, segment),
            T::AtAddIdentity => {
                self.settle_serial(column);
                let Some(text) = after_words(&segment.text, "add") else { return false };
                self.create_column_sequence(table, column);
                self.edit_column(column, "identity added", |c| c.set(PieceKind::Identity, text));
                true
            }
            T::AtDropIdentity => {
                let has = self.column_body(column).is_some_and(|c| c.piece(PieceKind::Identity).is_some());
                if !has && command.missing_ok && !self.opaque_mentions(&command.name) {
                    self.mark(Mark::Noop(format!("column {} is no identity column", command.name)));
                    return true;
                }
                self.end_column_sequence(column);
                self.edit_column(column, "identity dropped", |c| {
                    c.remove(PieceKind::Identity);
                });
                self.set_not_null(table, column);
                true
            }
            T::AtDropExpression => {
                self.edit_column(column, "expression dropped", |c| c.remove(PieceKind::Generated));
                true
            }
            _ => false,
        }
    }

    fn edit_column(&mut self, id: ObjectId, note: impl Into<Fold>, edit: impl FnOnce(&mut Column)) {
        if let Body::Column(column) = &mut self.schema.objects[id].body {
            edit(column);
        }
        self.folded(id, note);
        if let Some(table) = self.schema.objects[id].parent {
            self.schema.objects[table].edited = true;
        }
    }

    fn column_body(&self, id: ObjectId) -> Option<&Column> {
        match &self.schema.objects[id].body {
            Body::Column(column) => Some(column),
            _ => None,
        }
    }

    /// NOT NULL, where neither the column nor a primary key says it yet.
    pub(crate) fn set_not_null(&mut self, table: ObjectId, column: ObjectId) {
        let words = self.keyword(table, "NOT NULL");
        let already = self.column_body(column).is_some_and(Column::is_not_null);
        if !already {
            self.edit_column(column, "set not null", |c| c.set(PieceKind::Nullability, words));
        } else {
            self.event(column, What::Folded("set not null".into()));
        }
    }

    fn drop_not_null(&mut self, column: ObjectId) -> bool {
        let Some(body) = self.column_body(column) else { return false };
        let says = body.piece(PieceKind::Nullability).is_some();
        if !says && (body.is_serial() || body.piece(PieceKind::Identity).is_some()) {
            return false;
        }
        self.edit_column(column, "drop not null", |c| c.remove(PieceKind::Nullability));
        true
    }

    fn alter_default(&mut self, table: ObjectId, column: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Some(body) = self.column_body(column) else { return false };
        if body.is_serial() {
            // The sequence stays, and comes with the word `serial` only: another default is said after it.
            if command.def.as_ref().is_some_and(|e| self.is_own_next(column, e)) {
                match self.schema.setting(column, &Property::SerialDefault) {
                    Some(setting) => self.kill(setting, None),
                    None => self.mark(Mark::Noop("the column draws from its sequence already".into())),
                }
                return true;
            }
            let needs = command.def.as_ref().map(|e| self.needs(e, Some(table))).unwrap_or_default();
            let needs = needs.into_iter().chain([Need { on: column, strength: Strength::Auto }]).collect();
            self.set_property_text(column, Property::SerialDefault, needs, segment.alone.clone());
            return true;
        }
        if let Some(old) = self.schema.child(column, Kind::Default, "default") {
            self.kill(old, None);
        }
        match &command.def {
            None => {
                self.edit_column(column, Fold::DefaultDropped, |c| c.remove(PieceKind::Default));
                true
            }
            Some(expr) => {
                let Some(expression) = after_words(&segment.text, "default") else { return false };
                let text = format!("{} {expression}", self.keyword(table, "DEFAULT"));
                self.create_default(table, column, Some(expr));
                self.edit_column(column, Fold::DefaultSet, |c| c.set(PieceKind::Default, text));
                true
            }
        }
    }

    /// Whether an expression is the next number of the column's own sequence, and nothing else.
    fn is_own_next(&self, column: ObjectId, expression: &pg_query::Node) -> bool {
        let Some(NodeEnum::FuncCall(call)) = &expression.node else { return false };
        let found = references(call);
        let is_next = matches!(found.functions.as_slice(), [f] if f.name == "nextval");
        let sequence = found.relations.first().and_then(|name| self.schema.relation(name, &self.path()));
        is_next && sequence.is_some_and(|s| self.schema.objects[s].parent == Some(column))
    }

    /// The sequence of a serial column went: the column keeps its type, and the default that was given to it since.
    pub(crate) fn sequence_went(&mut self, sequence: ObjectId) {
        let Some(column) = self.schema.objects[sequence].parent.filter(|c| self.schema.lives(*c)) else { return };
        if self.column_body(column).is_some_and(Column::is_serial) {
            self.unfold_serial(column);
        }
    }

    /// A serial column whose default is another one by now is written as what it is; its sequence will be missed if it stays.
    fn settle_serial(&mut self, column: ObjectId) {
        if self.schema.setting(column, &Property::SerialDefault).is_some() {
            self.unfold_serial(column);
        }
    }

    /// Writes a serial column as its integer type, with the default that was given to it since.
    fn unfold_serial(&mut self, column: ObjectId) {
        let Some(table) = self.schema.objects[column].parent else { return };
        let Some(piece) = self.column_body(column).and_then(|c| c.piece(PieceKind::Type)) else { return };
        let serial = match piece.text.to_ascii_lowercase().as_str() {
            "bigserial" | "serial8" => "BIGINT",
            "smallserial" | "serial2" => "SMALLINT",
            _ => "INTEGER",
        };
        let integer = self.pending_type(table, column).unwrap_or_else(|| self.keyword(table, serial));
        self.edit_column(column, "serial taken apart", |c| c.set(PieceKind::Type, integer));
        self.set_not_null(table, column);
        let Some(setting) = self.schema.setting(column, &Property::SerialDefault) else { return };
        let Body::Text(text) = self.schema.objects[setting].body.clone() else { return };
        let needs = self.schema.objects[setting].needs.iter().copied().filter(|n| n.on != column).collect();
        self.kill(setting, None);
        self.setting_was_folded(setting, column, Fold::DefaultChanged);
        if let Some(expression) = after_words(&text, "default") {
            let place = (self.schema.objects[table].schema.clone(), "default".to_string());
            self.create(New { needs, ..New::of(column, Kind::Default, place, Body::Inside) });
            let text = format!("{} {expression}", self.keyword(table, "DEFAULT"));
            self.edit_column(column, Fold::DefaultSet, |c| c.set(PieceKind::Default, text));
        }
    }

    /// The type that a serial column was given since, which stood apart from it; it goes into the column now.
    fn pending_type(&mut self, table: ObjectId, column: ObjectId) -> Option<String> {
        let name = self.schema.objects[column].name.clone();
        let setting = self.schema.setting(table, &Property::ColumnType(name))?;
        let Body::Text(text) = &self.schema.objects[setting].body else { return None };
        let [segment] = super::segments(text).try_into().ok()?;
        let ty = type_text(&segment.text)?;
        self.kill(setting, None);
        self.setting_was_folded(setting, column, "type changed".into());
        Some(ty)
    }

    /// What was done to a setting was done to its column after all.
    fn setting_was_folded(&mut self, setting: ObjectId, column: ObjectId, note: Fold) {
        let ends = |e: &Event| e.object == setting && matches!(e.what, What::Died(_));
        if let Some(end) = self.ledger.events.iter().rposition(ends) {
            self.ledger.events.remove(end);
        }
        let born = self.schema.objects[setting].born;
        let since = self.ledger.events.partition_point(|e| e.statement < born);
        for event in self.ledger.events[since..].iter_mut().filter(|e| e.object == setting) {
            (event.object, event.what) = (column, What::Folded(note.clone()));
        }
    }

    fn end_column_sequence(&mut self, column: ObjectId) {
        let sequence =
            self.schema.children(column).into_iter().find(|id| self.schema.objects[*id].kind == Kind::Sequence);
        if let Some(sequence) = sequence {
            self.kill(sequence, None);
        }
    }

    fn alter_type(&mut self, table: ObjectId, column: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        self.settle_serial(column);
        let Some(body) = self.column_body(column) else { return false };
        if body.is_serial() || body.piece(PieceKind::Identity).is_some() {
            return false;
        }
        let Some(NodeEnum::ColumnDef(definition)) = command.def.as_ref().and_then(|d| d.node.as_ref()) else {
            return false;
        };
        let Some(text) = type_text(&segment.text) else { return false };
        let frozen = frozen_default(body);
        let mut type_only = (**definition).clone();
        type_only.raw_default = None;
        let mut needs: Vec<Need> = self.needs(&type_only, None);
        // The column's own default, sequence and schema stay needed; the old type doesn't.
        let keep = |n: &Need, schema: &crate::schema::Schema| !schema.objects[n.on].kind.is_type();
        needs.extend(self.schema.objects[column].needs.iter().filter(|n| keep(n, &self.schema)).copied());
        self.schema.clear_needs(column);
        self.schema.add_needs(column, needs);
        self.schema.add_needs(column, [Need { on: table, strength: Strength::Auto }]);
        self.edit_column(column, "type changed", |c| {
            c.set(PieceKind::Type, text);
            if let Some(default) = frozen {
                c.set(PieceKind::Default, default);
            }
        });
        true
    }
}

/// A default that is a bare string became a constant of the column's type when it was set, and stays one of that type
/// when the column's type changes (`ATExecAlterColumnType` in PostgreSQL's tablecmds.c strips implicit casts only).
fn frozen_default(body: &Column) -> Option<String> {
    let text = &body.piece(PieceKind::Default)?.text;
    let tokens = lex_code(text);
    let [word, literal] = tokens.as_slice() else { return None };
    if !word.is(text, "default") || !literal.text(text).ends_with('\'') {
        return None;
    }
    let written = &body.piece(PieceKind::Type)?.text;
    let of_type = lex_code(written);
    let is_text = of_type.first()?.text(written).to_ascii_lowercase();
    // The length of a varchar is no part of its constants' type.
    let old = match is_text.as_str() {
        "varchar" | "character" | "char" | "text" | "bpchar" => edit_out_length(written, &of_type),
        _ => written.clone(),
    };
    Some(format!("{text}::{old}"))
}

/// A type without what stands in parentheses.
fn edit_out_length(text: &str, tokens: &[crate::sql::lex::Token]) -> String {
    match tokens.iter().find(|t| t.text(text) == "(") {
        Some(open) => text[..open.start].trim_end().to_string(),
        None => text.to_string(),
    }
}

/// The text after the first keyword that is this one.
fn after_words(text: &str, word: &str) -> Option<String> {
    let tokens = lex_code(text);
    let at = edit::find_word(text, &tokens, 0, word)?;
    let next = tokens.get(at + 1)?;
    Some(text[next.start..tokens.last()?.end].to_string())
}

/// The type of `ALTER c [SET DATA] TYPE type [COLLATE c] [USING e]`.
pub(crate) fn type_text(text: &str) -> Option<String> {
    let tokens = lex_code(text);
    // The column itself may be called "type".
    let has_word = ["column", "attribute"].iter().any(|w| tokens.get(1).is_some_and(|t| t.is(text, w)));
    let from = if has_word { 3 } else { 2 };
    let at = edit::find_word(text, &tokens, from, "type")? + 1;
    let mut depth = 0;
    let mut end = at;
    for token in &tokens[at..] {
        match token.text(text) {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if depth == 0 && token.is(text, "using") => break,
            _ => {}
        }
        end += 1;
    }
    Some(text[tokens.get(at)?.start..tokens[end - 1].end].to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_ends_before_using() {
        let text = "ALTER COLUMN type SET DATA TYPE numeric(10, 2) USING type::numeric";
        assert_eq!(type_text(text).as_deref(), Some("numeric(10, 2)"));
    }
}
