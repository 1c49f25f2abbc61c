//! Composite types, and the constraints of domains: both stand in the statement that makes them, each part an object of its
//! own, so that a part which goes is told and leaves no trace.

use super::alter_column::type_text;
use super::element::PieceKind;
use super::segment::Segment;
use crate::ledger::{Fold, Mark};
use crate::replay::{New, Replay, is_cascade};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::{Token, lex_code, words};
use crate::sql::names;
use crate::sql::places::Wanted;
use pg_query::NodeEnum as N;
use pg_query::protobuf::{AlterTableCmd, AlterTableType as T, ColumnDef, CompositeTypeStmt};
use std::collections::HashSet;
use std::ops::Range;

impl Replay<'_> {
    /// CREATE TYPE ... AS (...).
    pub(crate) fn create_composite(&mut self, statement: &CompositeTypeStmt) {
        let Some(range) = &statement.typevar else { return };
        let place = self.place(&names::range_var(range));
        let text = self.text.to_string();
        let id = self.create(New::in_schema(Kind::Type, place, Body::Text(text)));
        let base = self.offset;
        for node in &statement.coldeflist {
            let Some(N::ColumnDef(attribute)) = &node.node else { continue };
            self.offset = base + attribute.location.max(0) as usize;
            self.create_attribute(id, attribute);
        }
        self.offset = base;
        self.default_grants(id);
    }

    fn create_attribute(&mut self, of: ObjectId, attribute: &ColumnDef) -> ObjectId {
        let needs = self.needs(&(&attribute.type_name, &attribute.coll_clause), None);
        // The type needs what its attributes need, as long as it has them.
        self.schema.add_needs(of, needs.iter().map(|n| Need { strength: Strength::Order, ..*n }));
        let place = (self.schema.objects[of].schema.clone(), names::truncate(&attribute.colname));
        self.create(New { needs, ..New::of(of, Kind::Column, place, Body::Inside) })
    }

    /// ALTER TYPE of an attribute, worked into the list; false if it must stay.
    pub(crate) fn alter_composite(&mut self, of: ObjectId, command: &AlterTableCmd, segment: &Segment) -> bool {
        let Body::Text(text) = &self.schema.objects[of].body else { return false };
        if self.schema.objects[of].kind != Kind::Type || self.is_changed_in_place(of) || self.has_alters(of) {
            return false;
        }
        let definition = match command.def.as_ref().and_then(|d| d.node.as_ref()) {
            Some(N::ColumnDef(definition)) => Some(definition),
            _ => None,
        };
        let attribute = self.schema.child(of, Kind::Column, &command.name);
        match (T::try_from(command.subtype), definition, attribute) {
            (Ok(T::AtAddColumn), Some(definition), _) => {
                let start = (definition.location.max(0) as usize).checked_sub(segment.start);
                let Some(piece) = start.and_then(|at| segment.text.get(at..)).map(without_behavior) else {
                    return false;
                };
                let Some(edited) = add_part(text, piece) else { return false };
                self.schema.objects[of].body = Body::Text(edited);
                let id = self.create_attribute(of, definition);
                self.folded(id, "attribute added");
                self.schema.objects[of].edited = true;
                true
            }
            (Ok(T::AtDropColumn), _, Some(attribute)) => {
                if part(text, &command.name).is_none() {
                    return false;
                }
                self.end(attribute, None, is_cascade(command.behavior));
                true
            }
            (Ok(T::AtDropColumn), _, None) if command.missing_ok && !self.opaque_mentions(&command.name) => {
                self.mark(Mark::Noop(format!("attribute {} isn't there", command.name)));
                true
            }
            (Ok(T::AtAlterColumnType), Some(definition), Some(attribute)) => {
                let Some(new) = type_text(&segment.text) else { return false };
                let Some(edited) = set_type(text, &command.name, without_behavior(&new)) else { return false };
                let needs = self.needs(&(&definition.type_name, &definition.coll_clause), None);
                self.schema.objects[of].body = Body::Text(edited);
                self.schema.clear_needs(attribute);
                let own = Need { on: of, strength: Strength::Auto };
                self.schema.add_needs(attribute, needs.iter().copied().chain([own]));
                self.schema.add_needs(of, needs.iter().map(|n| Need { strength: Strength::Order, ..*n }));
                self.folded(attribute, "type changed");
                self.schema.objects[of].edited = true;
                true
            }
            _ => false,
        }
    }

    /// Whether an ALTER of the type stays as it was written, so that what comes after it must stay, too.
    fn has_alters(&self, of: ObjectId) -> bool {
        let is_alter = |id: &ObjectId| match &self.schema.objects[*id].body {
            Body::Text(text) => matches!(
                Replay::reparse(text),
                Some(N::AlterTableStmt(_) | N::RenameStmt(_) | N::AlterTypeStmt(_) | N::AlterDomainStmt(_))
            ),
            _ => false,
        };
        self.schema.children(of).iter().any(|id| self.schema.objects[*id].kind == Kind::Setting && is_alter(id))
    }

    /// Gives an attribute or a domain's constraint another name in its list; false if the ALTER must stay, since something
    /// else may speak of it.
    pub(crate) fn rename_part(&mut self, of: ObjectId, from: &str, to: &str) -> bool {
        if self.is_changed_in_place(of) || self.has_alters(of) {
            return false;
        }
        let Body::Text(text) = &self.schema.objects[of].body else { return false };
        let (kind, edited) = match self.schema.objects[of].kind {
            Kind::Type if !self.is_named_elsewhere(of, from) => (Kind::Column, rename_attribute(text, from, to)),
            Kind::Domain => (Kind::Constraint, self.with_domain_constraint_renamed(of, text, from, to)),
            _ => return false,
        };
        let (Some(edited), Some(id)) = (edited, self.schema.child(of, kind, from)) else { return false };
        self.schema.objects[of].body = Body::Text(edited);
        self.schema.objects[of].edited = true;
        let whose = self.schema.objects[of].name.clone();
        let renamed = |text: &str| match kind {
            Kind::Column => edit::rename_column(text, from, to, &whose),
            _ => edit::rename_object(text, from, to, Wanted::Behind(kind.word())),
        };
        for comment in self.schema.children(id) {
            self.edit_text(comment, &renamed);
        }
        self.schema.change_name(id, |o| o.name = to.to_string());
        self.folded(id, Fold::Renamed(from.into()));
        true
    }

    /// Whether the text of anything that hangs on a type, near or far, has this name in it.
    fn is_named_elsewhere(&self, of: ObjectId, name: &str) -> bool {
        let (mut open, mut seen) = (vec![of], HashSet::from([of]));
        while let Some(at) = open.pop() {
            let dependents = self.schema.dependents(at).into_iter().map(|(id, _)| id);
            // A table hangs on the types of its columns.
            let above = self.schema.objects[at].parent.filter(|_| at != of);
            open.extend(dependents.chain(above).filter(|id| seen.insert(*id)));
        }
        seen.iter().filter(|id| self.schema.root(**id) != of).any(|id| self.says(*id, name))
    }

    fn says(&self, id: ObjectId, name: &str) -> bool {
        let says = |text: &String| words(text).contains(&name.to_lowercase());
        match &self.schema.objects[id].body {
            Body::Text(text) | Body::Rows { text, .. } => says(text),
            Body::Table(table) => [&table.head, &table.tail].into_iter().any(says),
            Body::Column(column) => column.pieces.iter().filter(|p| p.what != PieceKind::Name).any(|p| says(&p.text)),
            Body::Constraint(constraint) => says(&constraint.text),
            Body::Grant(_) | Body::Inside => false,
        }
    }

    /// A part of a type or domain went: its text goes with it.
    pub(crate) fn part_went(&mut self, id: ObjectId) {
        let object = &self.schema.objects[id];
        let Some(of) = object.parent.filter(|of| self.schema.lives(*of)) else { return };
        let name = object.name.clone();
        let Body::Text(text) = &self.schema.objects[of].body else { return };
        let edited = match (object.kind, self.schema.objects[of].kind) {
            (Kind::Column, Kind::Type) => drop_part(text, &name),
            (Kind::Constraint, Kind::Domain) => self.without_domain_constraint(of, text, &name),
            _ => return,
        };
        if let Some(edited) = edited {
            self.schema.objects[of].body = Body::Text(edited);
            self.schema.objects[of].edited = true;
        }
    }
}

/// A text without the CASCADE or RESTRICT at its end.
fn without_behavior(text: &str) -> &str {
    let tokens = lex_code(text);
    match tokens.as_slice() {
        [.., before, last] if last.is(text, "cascade") || last.is(text, "restrict") => &text[..before.end],
        _ => text.trim_end(),
    }
}

/// The list of a CREATE TYPE, as tokens.
fn parts(text: &str) -> Option<(Vec<Token>, Vec<Range<usize>>, usize)> {
    let tokens = lex_code(text);
    let at = edit::find_word(text, &tokens, 0, "as")?;
    let open = (at..tokens.len()).find(|i| tokens[*i].text(text) == "(")?;
    let close = edit::closing(text, &tokens, open)?;
    let parts = edit::split_commas(text, &tokens, open + 1, close);
    Some((tokens, parts, open))
}

fn part(text: &str, name: &str) -> Option<usize> {
    let (tokens, parts, _) = parts(text)?;
    parts.iter().position(|p| tokens[p.start].name(text).as_deref() == Some(name))
}

fn add_part(text: &str, piece: &str) -> Option<String> {
    let (tokens, parts, open) = parts(text)?;
    let Some(last) = parts.last() else {
        let at = tokens[open].end;
        return Some(edit::replace(text, vec![(at..at, piece.to_string())]));
    };
    let before = &text[tokens[last.start - 1].end..tokens[last.start].start];
    let gap = before.rfind('\n').map_or(" ", |line| &before[line..]);
    let at = tokens[last.end - 1].end;
    Some(edit::replace(text, vec![(at..at, format!(",{gap}{piece}"))]))
}

fn set_type(text: &str, name: &str, new: &str) -> Option<String> {
    let (tokens, parts, _) = parts(text)?;
    let part = &parts[part(text, name)?];
    let old = tokens.get(part.start + 1)?.start..tokens[part.end - 1].end;
    Some(edit::replace(text, vec![(old, new.to_string())]))
}

fn rename_attribute(text: &str, from: &str, to: &str) -> Option<String> {
    let (tokens, parts, _) = parts(text)?;
    let name = tokens[parts[part(text, from)?].start];
    Some(edit::replace(text, vec![(name.start..name.end, names::quote(to))]))
}

/// A list without one of its parts; where that stands on a line of its own, without the line.
fn drop_part(text: &str, name: &str) -> Option<String> {
    let (tokens, parts, _) = parts(text)?;
    let at = part(text, name)?;
    let (start, end) = (tokens[parts[at].start].start, tokens[parts[at].end - 1].end);
    let is_last = at + 1 == parts.len();
    let line = text[..start].rfind('\n').filter(|line| text[line + 1..start].trim().is_empty());
    let after = if is_last { end } else { tokens[parts[at].end].end };
    let rest = text[after..].find('\n').map_or(text.len(), |n| after + n);
    let behind = text[after..rest].trim();
    let gone = match line {
        Some(line) if behind.is_empty() || behind.starts_with("--") => line..rest,
        _ if is_last => start..end,
        _ => start..tokens[parts[at + 1].start].start,
    };
    let comma = (is_last && at > 0).then(|| tokens[parts[at].start - 1]);
    let comma = comma.map(|comma| comma.start..if gone.start == start { start } else { comma.end });
    Some(edit::replace(text, std::iter::once(gone).chain(comma).map(|range| (range, String::new())).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_and_go() {
        let text = "CREATE TYPE c AS (a int, b numeric(1, 2), c text)";
        assert_eq!(drop_part(text, "a").unwrap(), "CREATE TYPE c AS (b numeric(1, 2), c text)");
        assert_eq!(drop_part(text, "b").unwrap(), "CREATE TYPE c AS (a int, c text)");
        assert_eq!(drop_part(text, "c").unwrap(), "CREATE TYPE c AS (a int, b numeric(1, 2))");
        assert_eq!(set_type(text, "b", "date").unwrap(), "CREATE TYPE c AS (a int, b date, c text)");
        assert_eq!(add_part("CREATE TYPE c AS (a int)", "b int").unwrap(), "CREATE TYPE c AS (a int, b int)");
        assert_eq!(without_behavior("b int CASCADE"), "b int");
        let lines = "CREATE TYPE c AS (\n  a int, -- one\n  b int, -- two\n  c int -- three\n)";
        assert_eq!(drop_part(lines, "b").unwrap(), "CREATE TYPE c AS (\n  a int, -- one\n  c int -- three\n)");
        assert_eq!(drop_part(lines, "c").unwrap(), "CREATE TYPE c AS (\n  a int, -- one\n  b int -- two\n)");
        assert_eq!(add_part(lines, "d int").unwrap(), lines.replace("c int", "c int,\n  d int"));
    }
}
