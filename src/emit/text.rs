//! The statements of each unit, without semicolons: the author's where they still hold, edited where something changed.

use crate::history::History;
use crate::objects::auto_name::make_name;
use crate::objects::{Constraint, GrantBody, PieceKind, Privilege, Table, name_addition};
use crate::schema::{Body, Kind, ObjectId, Schema};
use crate::sql::names::quote;
use std::collections::HashSet;

/// What the texts are made from.
pub struct Texts<'a> {
    /// The history.
    pub history: &'a History,
    /// The objects.
    pub schema: &'a Schema,
    /// Foreign keys that must come after their tables, though they could stand inside.
    pub split: &'a HashSet<ObjectId>,
}

impl Texts<'_> {
    /// The statements that make an object. Most have one.
    pub fn statements(&self, id: ObjectId) -> Vec<String> {
        let object = &self.schema.objects[id];
        match &object.body {
            Body::Text(text) => vec![text.clone()],
            Body::Rows { text, .. } => vec![text.clone()],
            Body::Table(table) => self.table(id, table),
            Body::Constraint(constraint) => vec![self.late_constraint(id, constraint)],
            Body::Grant(grant) => self.grant(id, grant),
            Body::Column(_) if self.schema.is_added_column(id) => vec![self.added_column(id)],
            Body::Column(_) | Body::Inside => Vec::new(),
        }
    }

    /// Whether what is written differs from what the author wrote.
    pub fn is_edited(&self, id: ObjectId) -> bool {
        let object = &self.schema.objects[id];
        match &object.body {
            Body::Table(table) => self.table_is_edited(id, table),
            Body::Grant(grant) => object.edited || !self.reaches_all(grant),
            Body::Constraint(_) => object.edited || self.split.contains(&id),
            Body::Column(_) => self.column_is_edited(id),
            _ => object.edited,
        }
    }

    /// ADD COLUMN, with what came to the column later.
    fn added_column(&self, id: ObjectId) -> String {
        let object = &self.schema.objects[id];
        let Some(table) = object.parent else { return String::new() };
        if !self.column_is_edited(id) {
            return self.history.text(object.source).to_string();
        }
        let command = self.element(table, id);
        let words = if command.starts_with("add") { "alter table" } else { "ALTER TABLE" };
        format!("{words} {} {command}", self.schema.reference(table, &object.context))
    }

    fn column_is_edited(&self, id: ObjectId) -> bool {
        let inside = |o: ObjectId| self.split.contains(&o) || self.schema.objects[o].edited || !self.schema.lives(o);
        let Body::Column(column) = &self.schema.objects[id].body else { return false };
        let constraint = |what: PieceKind| if let PieceKind::Constraint(c) = what { Some(c) } else { None };
        self.schema.objects[id].edited || column.pieces.iter().filter_map(|p| constraint(p.what)).any(inside)
    }

    fn table_is_edited(&self, id: ObjectId, table: &Table) -> bool {
        let inside = |o: ObjectId| self.split.contains(&o) || self.schema.objects[o].edited || self.needs_name(id, o);
        self.schema.objects[id].edited
            || self.constraints_inside(table).into_iter().any(inside)
            || table.elements.iter().filter_map(|e| e.object).any(|o| self.schema.objects[o].edited)
    }

    fn constraints_inside(&self, table: &Table) -> Vec<ObjectId> {
        let mut found = Vec::new();
        for id in table.elements.iter().filter_map(|e| e.object) {
            match &self.schema.objects[id].body {
                Body::Column(column) => found.extend(column.pieces.iter().filter_map(|p| match p.what {
                    PieceKind::Constraint(c) => Some(c),
                    _ => None,
                })),
                _ => found.push(id),
            }
        }
        found.retain(|c| self.schema.lives(*c) && matches!(self.schema.objects[*c].body, Body::Constraint(_)));
        found
    }

    fn table(&self, id: ObjectId, table: &Table) -> Vec<String> {
        let object = &self.schema.objects[id];
        let mut statements = Vec::new();
        if table.tail.is_empty() {
            statements.push(table.head.clone());
        } else if !self.table_is_edited(id, table) {
            statements.push(self.history.text(object.source).to_string());
        } else {
            statements.push(self.assemble(id, table));
        }
        statements.extend(self.sequence_renames(id));
        statements
    }

    fn assemble(&self, id: ObjectId, table: &Table) -> String {
        let mut out = table.head.clone();
        let live: Vec<_> = table.elements.iter().filter(|e| e.object.is_none_or(|o| self.is_written(o))).collect();
        let mut after_comment = false;
        for (i, element) in live.iter().enumerate() {
            if after_comment && !element.lead.contains('\n') {
                out.push('\n');
            }
            let lead = if i == 0 { element.lead.trim_start_matches("\n\n") } else { element.lead.as_str() };
            if table.leading_commas && i == 0 {
                out.push_str(&without_comma(lead));
            } else {
                out.push_str(if lead.is_empty() && i > 0 { " " } else { lead });
            }
            out.push_str(&element.object.map_or_else(|| element.text.clone(), |o| self.element(id, o)));
            if i + 1 < live.len() && !table.leading_commas {
                out.push(',');
            }
            out.push_str(&element.trail);
            after_comment = element.trail.contains("--");
        }
        if after_comment && !table.close.contains('\n') {
            out.push('\n');
        }
        out.push_str(&table.close);
        out.push_str(&table.tail);
        out
    }

    fn is_written(&self, id: ObjectId) -> bool {
        self.schema.lives(id) && !self.split.contains(&id)
    }

    /// A column or a constraint as it stands in the list.
    fn element(&self, table: ObjectId, id: ObjectId) -> String {
        match &self.schema.objects[id].body {
            Body::Constraint(constraint) => self.constraint(table, id, constraint),
            Body::Column(column) => {
                let mut out = String::new();
                for piece in &column.pieces {
                    match piece.what {
                        PieceKind::Constraint(c) if !self.is_written(c) => {}
                        PieceKind::Constraint(c) => {
                            out.push_str(&piece.gap);
                            match &self.schema.objects[c].body {
                                Body::Constraint(constraint) => out.push_str(&self.constraint(table, c, constraint)),
                                _ => out.push_str(&piece.text),
                            }
                        }
                        _ => {
                            out.push_str(&piece.gap);
                            out.push_str(&piece.text);
                        }
                    }
                }
                out
            }
            _ => String::new(),
        }
    }

    fn constraint(&self, table: ObjectId, id: ObjectId, constraint: &Constraint) -> String {
        match &constraint.prefix {
            Some(prefix) => format!("{prefix} {}", constraint.text),
            None if self.needs_name(table, id) => {
                format!("CONSTRAINT {} {}", quote(&self.schema.objects[id].name), constraint.text)
            }
            None => constraint.text.clone(),
        }
    }

    /// Whether PostgreSQL would name the constraint otherwise than the history did.
    fn needs_name(&self, table: ObjectId, id: ObjectId) -> bool {
        let Body::Constraint(constraint) = &self.schema.objects[id].body else { return false };
        let addition = name_addition(&constraint.columns, constraint.suffix);
        let chosen = make_name(&self.schema.objects[table].name, addition.as_deref(), constraint.suffix);
        constraint.prefix.is_none() && chosen != self.schema.objects[id].name
    }

    /// A serial or identity column names its sequence after the table and column of now; the history's name is given back.
    fn sequence_renames(&self, table: ObjectId) -> Vec<String> {
        let object = &self.schema.objects[table];
        let mut renames = Vec::new();
        for column in self.schema.columns(table) {
            for child in self.schema.children(column) {
                let sequence = &self.schema.objects[child];
                if sequence.kind != Kind::Sequence || !matches!(sequence.body, Body::Inside) {
                    continue;
                }
                let chosen = make_name(&object.name, Some(&self.schema.objects[column].name), "seq");
                if chosen != sequence.name && self.makes_sequence(column) {
                    let schema =
                        if object.schema == "public" { String::new() } else { format!("{}.", quote(&object.schema)) };
                    renames.push(format!(
                        "ALTER SEQUENCE {schema}{} RENAME TO {}",
                        quote(&chosen),
                        quote(&sequence.name)
                    ));
                }
            }
        }
        renames
    }

    fn makes_sequence(&self, column: ObjectId) -> bool {
        match &self.schema.objects[column].body {
            Body::Column(c) => c.is_serial() || c.piece(PieceKind::Identity).is_some(),
            _ => false,
        }
    }

    fn late_constraint(&self, id: ObjectId, constraint: &Constraint) -> String {
        let object = &self.schema.objects[id];
        let is_late = constraint.place == crate::objects::Place::Late;
        if is_late && !object.edited && !self.split.contains(&id) {
            return self.history.text(object.source).to_string();
        }
        let table = object.parent.unwrap_or(id);
        let name = self.schema.reference(table, &object.context);
        // In a column's definition the column needs no naming; in an ALTER TABLE it does.
        let columns = constraint.columns.iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
        let text = match (constraint.place, constraint.suffix) {
            (crate::objects::Place::InColumn, "fkey") => format!("FOREIGN KEY ({columns}) {}", constraint.text),
            _ => constraint.text.clone(),
        };
        let prefix = constraint.prefix.clone().unwrap_or_else(|| format!("CONSTRAINT {}", quote(&object.name)));
        format!("ALTER TABLE {name} ADD {prefix} {text}")
    }

    /// `ON ALL ... IN SCHEMA` still reaches just what it reached.
    fn reaches_all(&self, grant: &GrantBody) -> bool {
        if grant.all_in.is_empty() {
            return true;
        }
        let kinds: HashSet<Kind> = grant.atoms.iter().map(|a| self.schema.objects[a.target].kind).collect();
        let relations = [Kind::Table, Kind::View, Kind::MaterializedView, Kind::ForeignTable];
        let alike = |kind: Kind| {
            kinds.contains(&kind) || (relations.contains(&kind) && relations.iter().any(|k| kinds.contains(k)))
        };
        let reached: HashSet<ObjectId> = grant.atoms.iter().map(|a| a.target).collect();
        let alike = Kind::ALL.iter().filter(|kind| alike(**kind)).flat_map(|kind| self.schema.of_kind(*kind));
        let mut all = alike.filter(|o| grant.all_in.contains(&self.schema.objects[*o].schema));
        all.all(|o| reached.contains(&o))
    }

    fn grant(&self, id: ObjectId, grant: &GrantBody) -> Vec<String> {
        let object = &self.schema.objects[id];
        if !object.edited && self.reaches_all(grant) {
            return vec![grant.text.clone()];
        }
        let mut groups: Vec<(String, &'static str, String, Vec<ObjectId>)> = Vec::new();
        for atom in &grant.atoms {
            let privileges = self.privileges(&atom.privileges);
            let word = self.schema.objects[atom.target].kind.grant_word();
            match groups.iter_mut().find(|g| g.0 == privileges && g.1 == word && g.2 == atom.grantee) {
                Some(group) => group.3.push(atom.target),
                None => groups.push((privileges, word, atom.grantee.clone(), vec![atom.target])),
            }
        }
        let mut merged: Vec<(String, &'static str, Vec<String>, Vec<ObjectId>)> = Vec::new();
        for (privileges, word, grantee, targets) in groups {
            match merged.iter_mut().find(|m| m.0 == privileges && m.1 == word && m.3 == targets) {
                Some(found) => found.2.push(grantee),
                None => merged.push((privileges, word, vec![grantee], targets)),
            }
        }
        merged.into_iter().map(|(p, w, g, t)| self.one_grant(id, grant, &p, w, &g, &t)).collect()
    }

    fn privileges(&self, privileges: &[Privilege]) -> String {
        let one = |p: &Privilege| {
            let columns: Vec<String> = p.columns.iter().map(|c| quote(&self.schema.objects[*c].name)).collect();
            if columns.is_empty() { p.name.clone() } else { format!("{} ({})", p.name, columns.join(", ")) }
        };
        privileges.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn one_grant(
        &self,
        id: ObjectId,
        grant: &GrantBody,
        privileges: &str,
        word: &str,
        grantees: &[String],
        targets: &[ObjectId],
    ) -> String {
        let context = &self.schema.objects[id].context;
        let names: Vec<String> = targets.iter().map(|t| self.schema.reference(*t, context)).collect();
        let roles: Vec<String> = grantees
            .iter()
            .map(|g| if g.chars().all(|c| c.is_uppercase() || c == '_') { g.clone() } else { quote(g) })
            .collect();
        let (verb, preposition) = if grant.is_grant { ("GRANT", "TO") } else { ("REVOKE", "FROM") };
        let option_for = if !grant.is_grant && grant.grant_option { "GRANT OPTION FOR " } else { "" };
        let with = if grant.is_grant && grant.grant_option { " WITH GRANT OPTION" } else { "" };
        let roles = roles.join(", ");
        let line =
            format!("{verb} {option_for}{privileges} ON {word} {} {preposition} {roles}{with}", names.join(", "));
        if line.len() <= 100 {
            return line;
        }
        let list = names.join(",\n    ");
        format!("{verb} {option_for}{privileges} ON {word}\n    {list}\n{preposition} {roles}{with}")
    }
}

/// What leads an element, where it has become the first one and commas lead.
fn without_comma(lead: &str) -> String {
    match lead.rfind(',') {
        Some(at) => format!("{} {}", &lead[..at], &lead[at + 1..]),
        None => lead.to_string(),
    }
}
