//! Domains.

use super::property::Property;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind};
use crate::sql::names;
use pg_query::protobuf::{AlterDomainStmt, CreateDomainStmt};

impl Replay<'_> {
    /// CREATE DOMAIN.
    pub(crate) fn create_domain(&mut self, statement: &CreateDomainStmt) {
        let place = self.place(&names::qualified(&names::strings(&statement.domainname)));
        let needs = self.needs(statement, None);
        let text = self.text.to_string();
        let id = self.create(New { needs, ..New::in_schema(Kind::Domain, place, Body::Text(text)) });
        self.default_grants(id);
    }

    /// ALTER DOMAIN: the last word on the default, on NOT NULL and on each constraint is kept as it is.
    pub(crate) fn alter_domain(&mut self, statement: &AlterDomainStmt) {
        let name = names::qualified(&names::strings(&statement.type_name));
        let Some(id) = self.schema.type_of(&name, &self.path()) else {
            return self.keep_opaque("alters a domain that this history didn't make");
        };
        let needs = self.needs(statement, None);
        let constraint = match statement.def.as_ref().and_then(|d| d.node.as_ref()) {
            Some(pg_query::NodeEnum::Constraint(c)) => c.conname.clone(),
            _ => statement.name.clone(),
        };
        // The letters of PostgreSQL's grammar for ALTER DOMAIN (src/include/nodes/parsenodes.h).
        match statement.subtype.as_str() {
            "T" => drop(self.set_property(id, Property::Default, needs)),
            "N" | "O" => drop(self.set_property(id, Property::Nullability, needs)),
            "X" => {
                let added = self.schema.setting(id, &Property::DomainConstraint(constraint.clone()));
                let validated = self.schema.setting(id, &Property::Validation(constraint.clone()));
                validated.into_iter().for_each(|v| self.kill(v, None));
                match added {
                    Some(added) => self.kill(added, None),
                    None => drop(self.set_property(id, Property::Without(constraint), needs)),
                }
            }
            "V" => drop(self.set_property(id, Property::Validation(constraint), needs)),
            _ => drop(self.set_property(id, Property::DomainConstraint(constraint), needs)),
        }
    }
}
