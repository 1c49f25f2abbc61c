//! Statements that a history might go on with: mostly valid ones, since they speak of what the catalogs hold. Whether one is
//! valid is for PostgreSQL to say.

mod column;
mod guards;
mod kinds;
mod rights;
mod routines;
mod rows;
mod tables;
mod views;

use crate::catalog::{Catalog, Column, Relation, Thing};

/// What a proposal may look at and draw from.
pub struct Cx<'a> {
    pub rng: &'a mut fastrand::Rng,
    pub cat: &'a Catalog,
}

/// Few names for many objects, so that names are taken, freed and taken again. Some need quotes.
const TABLES: &[&str] = &[
    "users",
    "orders",
    "item",
    "team",
    "event_log",
    "Tag",
    "account",
    "order",
    "pack",
    "membership",
    "note",
    "price list",
];
const COLUMNS: &[&str] = &[
    "id",
    "name",
    "title",
    "state",
    "user_id",
    "order_id",
    "createdAt",
    "amount",
    "note",
    "kind",
    "email",
    "data",
    "qty",
    "parent_id",
    "flag",
    "user",
];
const TYPES: &[&str] = &["mood", "status", "email_address", "money_pair", "Level", "positive", "point3"];
const ROUTINES: &[&str] = &["touch", "total", "label", "notify_change", "Compute", "name_of"];
const VIEWS: &[&str] = &["active_users", "overview", "order_totals", "names", "Report", "summary"];
const SEQUENCES: &[&str] = &["counter", "invoice_no", "ticket_seq"];
const ROLES: &[&str] = &["web", "clerk", "admin", "Guest"];
const SCHEMAS: &[&str] = &["app", "audit", "Private"];
const OTHERS: &[&str] = &["one", "two_x", "main_one", "Mixed", "by_name", "check_it"];

type Proposal = fn(&mut Cx) -> Option<String>;

/// Everything that may be proposed, and how often.
const PROPOSALS: &[(u32, Proposal)] = &[
    (90, tables::create),
    (12, tables::drop),
    (60, tables::add_column),
    (22, tables::drop_column),
    (22, tables::rename_column),
    (14, tables::rename),
    (10, tables::set_schema),
    (60, column::alter),
    (36, tables::add_constraint),
    (16, tables::drop_constraint),
    (10, tables::rename_constraint),
    (14, tables::setting),
    (12, tables::several_actions),
    (34, tables::create_index),
    (10, tables::drop_index),
    (8, tables::rename_index),
    (30, kinds::create),
    (24, kinds::alter_enum),
    (14, kinds::alter_domain),
    (10, kinds::alter_composite),
    (12, kinds::rename),
    (8, kinds::drop),
    (14, kinds::create_sequence),
    (16, kinds::alter_sequence),
    (5, kinds::drop_sequence),
    (12, kinds::create_schema),
    (4, kinds::drop_schema),
    (4, kinds::rename_schema),
    (30, views::create),
    (12, views::create_materialized),
    (10, views::alter),
    (10, views::drop),
    (6, views::rule),
    (4, views::statistics),
    (30, routines::create),
    (10, routines::replace),
    (12, routines::alter),
    (10, routines::drop),
    (24, routines::create_trigger),
    (10, routines::change_trigger),
    (4, routines::other),
    (14, rights::create_role),
    (6, rights::change_role),
    (28, rights::grant),
    (10, rights::revoke),
    (8, rights::default_privileges),
    (12, rights::owner),
    (16, rights::create_policy),
    (8, rights::change_policy),
    (40, rights::comment),
    (6, rights::session),
    (70, rows::insert),
    (10, rows::insert_select),
    (24, rows::update),
    (12, rows::delete),
    (10, rows::set_position),
    (18, guards::guard),
    (8, guards::dynamic),
];

/// The next statement, without its semicolon; `None` if what was drawn has nothing to speak of.
pub fn propose(cx: &mut Cx) -> Option<String> {
    let total: u32 = PROPOSALS.iter().map(|(weight, _)| weight).sum();
    let mut at = cx.rng.u32(..total);
    for (weight, proposal) in PROPOSALS {
        if at < *weight {
            return proposal(cx);
        }
        at -= weight;
    }
    None
}

/// A name as SQL: quoted if it must be.
pub fn quote(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let reserved = ["order", "user", "check", "default"].contains(&name);
    let begins = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    if plain && begins && !reserved { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

impl<'a> Cx<'a> {
    /// Whether something happens that happens so many times of a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    /// One of several.
    pub fn pick<'b, T>(&mut self, from: &'b [T]) -> Option<&'b T> {
        if from.is_empty() { None } else { Some(&from[self.rng.usize(..from.len())]) }
    }

    /// One of several words.
    pub fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.rng.usize(..from.len())]
    }

    /// Words or nothing.
    pub fn maybe(&mut self, percent: u32, words: &'static str) -> &'static str {
        if self.chance(percent) { words } else { "" }
    }

    /// A name of a pool, as SQL.
    pub fn name(&mut self, from: &[&'static str]) -> String {
        quote(self.word(from))
    }

    /// A name with its schema, or without where `public` will do.
    pub fn qualified(&mut self, schema: &str, name: &str) -> String {
        if schema != "public" || self.chance(25) { format!("{}.{}", quote(schema), quote(name)) } else { quote(name) }
    }

    /// A name for something new: mostly without a schema, sometimes in one that exists.
    pub fn fresh(&mut self, from: &[&'static str]) -> String {
        let name = self.name(from);
        let cat = self.cat;
        match self.pick(&cat.schemas) {
            Some(schema) if self.chance(25) => format!("{}.{name}", quote(schema)),
            _ => name,
        }
    }

    /// A relation of some kinds, and its name as SQL.
    pub fn relation(&mut self, kinds: &str) -> Option<(&'a Relation, String)> {
        let cat = self.cat;
        let all = cat.of_kinds(kinds);
        let relation = *self.pick(&all)?;
        Some((relation, self.qualified(&relation.schema, &relation.name)))
    }

    /// A table.
    pub fn table(&mut self) -> Option<(&'a Relation, String)> {
        self.relation("rp")
    }

    /// A column of a relation.
    pub fn column(&mut self, of: &'a Relation) -> Option<&'a Column> {
        self.pick(&of.columns)
    }

    /// Something of a list, and its name as SQL.
    pub fn thing(&mut self, from: &'a [Thing]) -> Option<(&'a Thing, String)> {
        let thing = self.pick(from)?;
        Some((thing, self.qualified(&thing.schema, &thing.name)))
    }

    /// The table that something stands on, as SQL.
    pub fn table_of(&mut self, thing: &Thing) -> String {
        self.qualified(&thing.schema, &thing.of)
    }

    /// A role that exists, as SQL.
    pub fn role(&mut self) -> Option<String> {
        let cat = self.cat;
        self.pick(&cat.roles).map(|r| quote(r))
    }

    /// A role or PUBLIC.
    pub fn grantee(&mut self) -> String {
        match self.role() {
            Some(role) if self.chance(85) => role,
            _ => "PUBLIC".into(),
        }
    }
}
