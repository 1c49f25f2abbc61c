//! Schemas and extensions.

use super::property::Property;
use crate::ledger::Mark;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind};
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterExtensionStmt, CreateExtensionStmt, CreateSchemaStmt};

impl Replay<'_> {
    /// CREATE SCHEMA. One that brings its elements along is kept whole.
    pub(crate) fn create_schema(&mut self, statement: &CreateSchemaStmt) {
        let name = match (&statement.authrole, statement.schemaname.is_empty()) {
            (Some(role), true) => names::role_spec(role),
            _ => statement.schemaname.clone(),
        };
        if statement.if_not_exists && (name == "public" || self.schema.global(Kind::Schema, &name).is_some()) {
            return self.mark(Mark::Noop("the schema is already there".into()));
        }
        if !statement.schema_elts.is_empty() {
            return self.keep_opaque("a schema that brings its elements along");
        }
        let needs = self.needs(statement, None);
        let text = self.text.to_string();
        self.create(New { needs, ..New::global(Kind::Schema, name, Body::Text(text)) });
    }

    /// CREATE EXTENSION.
    pub(crate) fn create_extension(&mut self, statement: &CreateExtensionStmt) {
        if statement.if_not_exists && self.schema.global(Kind::Extension, &statement.extname).is_some() {
            return self.mark(Mark::Noop("the extension is already there".into()));
        }
        let schema = statement.options.iter().find_map(|o| match &o.node {
            Some(NodeEnum::DefElem(o)) if o.defname == "schema" => o.arg.as_ref().and_then(|a| names::string(a)),
            _ => None,
        });
        let on = schema.and_then(|s| self.schema.global(Kind::Schema, &s));
        let needs = on.map(|on| crate::schema::Need { on, strength: crate::schema::Strength::Normal });
        let text = self.text.to_string();
        let body = Body::Text(text);
        self.create(New {
            needs: needs.into_iter().collect(),
            ..New::global(Kind::Extension, statement.extname.clone(), body)
        });
    }

    /// ALTER EXTENSION ... UPDATE.
    pub(crate) fn alter_extension(&mut self, statement: &AlterExtensionStmt) {
        match self.schema.global(Kind::Extension, &statement.extname) {
            Some(id) => drop(self.set_property(id, Property::Version, Vec::new())),
            None => self.keep_opaque("alters an extension that this history didn't make"),
        }
    }
}
