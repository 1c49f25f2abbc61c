//! Sequences that stand alone.

use super::property::Property;
use crate::ledger::Mark;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names::{self, Qualified, quote};
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterSeqStmt, CreateSeqStmt};

impl Replay<'_> {
    /// CREATE SEQUENCE. OWNED BY becomes an ALTER of its own, since the column's default needs the sequence first.
    pub(crate) fn create_sequence(&mut self, statement: &CreateSeqStmt) {
        let Some(range) = &statement.sequence else { return };
        if statement.if_not_exists && self.relation(range).is_some() {
            return self.mark(Mark::Noop("the sequence is already there".into()));
        }
        let mut place = self.place(&names::range_var(range));
        if range.relpersistence == "t" {
            place.0 = "pg_temp".into();
        }
        let owner =
            owned_by(&statement.options).and_then(|clause| Some((self.owning_column(&clause.owner)?, clause.at)));
        let mut text = self.text.to_string();
        let mut clause = String::new();
        if let Some((_, at)) = owner {
            (text, clause) = cut_owned_by(&text, at);
        }
        let display = format!("{}.{}", quote(&place.0), quote(&place.1));
        let id = self.create(New::in_schema(Kind::Sequence, place, Body::Text(text)));
        if let Some((column, _)) = owner {
            self.schema.objects[id].edited = true;
            let needs = self.owner_needs(column);
            self.set_property_text(id, Property::OwnedBy, needs, format!("ALTER SEQUENCE {display} {clause}"));
        }
        self.default_grants(id);
    }

    /// The sequence goes with its column; the statement names the table, too.
    fn owner_needs(&self, column: ObjectId) -> Vec<Need> {
        let table = self.schema.objects[column].parent.map(|on| Need { on, strength: Strength::Order });
        [Need { on: column, strength: Strength::Auto }].into_iter().chain(table).collect()
    }

    fn owning_column(&self, parts: &[String]) -> Option<ObjectId> {
        let (column, table) = parts.split_last()?;
        let table = self.schema.relation(&names::qualified(table), &self.path()).filter(|_| !table.is_empty())?;
        self.schema.column(table, column)
    }

    /// ALTER SEQUENCE.
    pub(crate) fn alter_sequence(&mut self, statement: &AlterSeqStmt) {
        let Some(sequence) = self.relation_opt(&statement.sequence) else {
            return self.missing(
                1,
                1,
                statement.missing_ok,
                "alters what isn't there",
                names::relation_name(&statement.sequence),
            );
        };
        if let Some(clause) = owned_by(&statement.options) {
            let column = self.owning_column(&clause.owner);
            if let Some(old) = self.schema.setting(sequence, &Property::OwnedBy) {
                self.kill(old, None);
            }
            // A serial column's own sequence is owned already.
            let parent = self.schema.objects[sequence].parent;
            if parent.is_some() && parent == column {
                return self.mark(Mark::Noop("the column owns the sequence already".into()));
            }
            let needs = column.map(|column| self.owner_needs(column)).unwrap_or_default();
            self.set_property(sequence, Property::OwnedBy, needs);
            return;
        }
        let mut keys: Vec<&str> = Vec::new();
        for option in &statement.options {
            if let Some(NodeEnum::DefElem(option)) = &option.node {
                keys.push(&option.defname);
            }
        }
        self.set_property(sequence, Property::Options(keys.join(" ")), Vec::new());
    }

    /// `setval`: the sequence's position is a row of its own kind.
    pub(crate) fn rows_of_sequence(&mut self, found: &crate::sql::walk::References) {
        let path = self.path();
        let sequence = found.relations.iter().filter_map(|r: &Qualified| self.schema.relation(r, &path)).next();
        let Some(sequence) = sequence else {
            let name = found.relations.first().map(|r| r.name.clone()).unwrap_or_default();
            let why = self.unmade("moves a sequence that", &name);
            return self.keep_effects(&why);
        };
        let place = (self.schema.objects[sequence].schema.clone(), self.schema.objects[sequence].name.clone());
        let mut needs = self.needs_of_references(found, None);
        needs.retain(|n| n.on != sequence);
        needs.iter_mut().for_each(|n| n.strength = Strength::Order);
        needs.push(Need { on: sequence, strength: Strength::Auto });
        let body = Body::Rows { text: self.text.to_string(), targets: vec![sequence] };
        self.create(New { needs, ..New::in_schema(Kind::Rows, place, body) });
    }
}

/// An OWNED BY.
struct OwnedBy {
    /// The column that it names; `none` for nobody.
    owner: Vec<String>,
    /// Where it begins in the statement, in bytes.
    at: usize,
}

fn owned_by(options: &[pg_query::Node]) -> Option<OwnedBy> {
    options.iter().find_map(|option| match &option.node {
        Some(NodeEnum::DefElem(option)) if option.defname == "owned_by" => {
            let owner = option.arg.as_ref().map(|a| names::of_node(a)).unwrap_or_default();
            Some(OwnedBy { owner, at: usize::try_from(option.location).ok()? })
        }
        _ => None,
    })
}

/// The statement without the OWNED BY clause that begins at a byte, and the clause.
fn cut_owned_by(text: &str, at: usize) -> (String, String) {
    let tokens = lex_code(text);
    let place = tokens.iter().position(|token| token.start == at).filter(|at| *at > 0 && at + 2 < tokens.len());
    let Some(at) = place else { return (text.to_string(), String::new()) };
    let end = tokens[edit::name_end(text, &tokens, at + 2) - 1].end;
    let clause = text[tokens[at].start..end].to_string();
    (edit::replace(text, vec![(tokens[at - 1].end..end, String::new())]), clause)
}
