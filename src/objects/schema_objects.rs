//! Schemas and extensions.

use super::element::PieceKind;
use super::property::Property;
use crate::ledger::Mark;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, ObjectId};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterExtensionStmt, CreateExtensionStmt, CreateSchemaStmt};

/// Types that extensions bring, beside one of their own name.
const TYPES: &[(&str, &[&str])] = &[
    ("ltree", &["lquery", "ltxtquery"]),
    ("postgis", &["geometry", "geography", "box2d", "box3d"]),
    ("postgis_raster", &["raster"]),
    ("vector", &["halfvec", "sparsevec"]),
    ("intarray", &["query_int"]),
    ("isn", &["ean13", "isbn", "isbn13", "issn", "issn13", "ismn", "ismn13", "upc"]),
    ("pg_trgm", &["gtrgm"]),
];

/// The name of a type as it is written, without its length.
fn names_of_type(text: &str) -> Vec<String> {
    let tokens = lex_code(text);
    let end = edit::name_end(text, &tokens, 0).min(tokens.len());
    tokens[..end].iter().filter_map(|t| t.name(text)).collect()
}

impl Replay<'_> {
    /// CREATE SCHEMA. One that brings its elements along is kept whole.
    pub(crate) fn create_schema(&mut self, statement: &CreateSchemaStmt) {
        let name = match (&statement.authrole, statement.schemaname.is_empty()) {
            (Some(role), true) => names::role_spec(role),
            _ => statement.schemaname.clone(),
        };
        if statement.if_not_exists && self.schema.global(Kind::Schema, &name).is_some() {
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
        let schema = schema.unwrap_or_else(|| self.place(&names::Qualified::default()).0);
        let on = self.schema.global(Kind::Schema, &schema);
        let needs = on.map(|on| crate::schema::Need { on, strength: crate::schema::Strength::Normal });
        let text = self.text.to_string();
        let body = Body::Text(text);
        self.create(New {
            needs: needs.into_iter().collect(),
            ..New::global(Kind::Extension, statement.extname.clone(), body)
        });
    }

    /// Columns of the types that an extension brought go with it.
    pub(crate) fn end_columns_of_extension(&mut self, extension: ObjectId) {
        let name = self.schema.objects[extension].name.clone();
        let brought = TYPES.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, types)| types);
        let columns = self.schema.of_kind(Kind::Column).filter(|id| {
            let Body::Column(column) = &self.schema.objects[*id].body else { return false };
            let Some(piece) = column.piece(PieceKind::Type) else { return false };
            let parts = names_of_type(&piece.text);
            let of_extension = parts.last().is_some_and(|t| *t == name || brought.contains(&t.as_str()));
            of_extension && self.schema.type_of(&names::qualified(&parts), &self.path()).is_none()
        });
        for column in columns.collect::<Vec<_>>() {
            self.end(column, Some(extension), true);
        }
    }

    /// ALTER EXTENSION ... UPDATE.
    pub(crate) fn alter_extension(&mut self, statement: &AlterExtensionStmt) {
        match self.schema.global(Kind::Extension, &statement.extname) {
            Some(id) => drop(self.set_property(id, Property::Version, Vec::new())),
            None => self.keep_unmade("alters an extension that", &statement.extname),
        }
    }
}
