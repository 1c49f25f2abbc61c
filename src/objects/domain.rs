//! Domains, and their constraints.

use super::property::Property;
use crate::ledger::Mark;
use crate::replay::{New, Replay, is_cascade};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterDomainStmt, ConstrType, Constraint, CreateDomainStmt};
use std::ops::Range;

impl Replay<'_> {
    /// CREATE DOMAIN.
    pub(crate) fn create_domain(&mut self, statement: &CreateDomainStmt) {
        let place = self.place(&names::qualified(&names::strings(&statement.domainname)));
        let needs = self.needs(statement, None);
        let checks = checks(statement, &place.1);
        let text = self.text.to_string();
        let id = self.create(New { needs, ..New::in_schema(Kind::Domain, place.clone(), Body::Text(text)) });
        let base = self.offset;
        for (name, constraint) in checks {
            self.offset = base + constraint.location.max(0) as usize;
            let own = self.needs(&constraint.raw_expr, None);
            // What only a constraint needs takes no more than that along.
            self.loosen(id, &own);
            self.create(New { needs: own, ..New::of(id, Kind::Constraint, (place.0.clone(), name), Body::Inside) });
        }
        self.offset = base;
        self.default_grants(id);
    }

    fn loosen(&mut self, domain: ObjectId, needs: &[Need]) {
        let of_constraint = |n: &Need| needs.iter().any(|own| own.on == n.on);
        let mut all = self.schema.objects[domain].needs.clone();
        for need in all.iter_mut().filter(|n| of_constraint(n)) {
            let is_type = matches!(self.schema.objects[need.on].kind, Kind::Type | Kind::Domain | Kind::Schema);
            if !is_type {
                need.strength = Strength::Order;
            }
        }
        self.schema.clear_needs(domain);
        self.schema.add_needs(domain, all);
    }

    /// ALTER DOMAIN: the last word on the default, on NOT NULL and on each constraint is kept as it is.
    pub(crate) fn alter_domain(&mut self, statement: &AlterDomainStmt) {
        let name = names::qualified(&names::strings(&statement.type_name));
        let Some(id) = self.schema.type_of(&name, &self.path()) else {
            return self.keep_unmade("alters a domain that", &name.name);
        };
        let needs = self.needs(statement, None);
        let constraint = match statement.def.as_ref().and_then(|d| d.node.as_ref()) {
            Some(NodeEnum::Constraint(c)) => c.conname.clone(),
            _ => statement.name.clone(),
        };
        // The letters of PostgreSQL's grammar for ALTER DOMAIN (src/include/nodes/parsenodes.h).
        match statement.subtype.as_str() {
            "T" => drop(self.set_property(id, Property::Default, needs)),
            "N" | "O" => drop(self.set_property(id, Property::Nullability, needs)),
            "X" => self.drop_domain_constraint(id, &constraint, statement, needs),
            "V" => drop(self.set_property(id, Property::Validation(constraint), needs)),
            _ => drop(self.set_property(id, Property::DomainConstraint(constraint), needs)),
        }
    }

    fn drop_domain_constraint(&mut self, domain: ObjectId, name: &str, statement: &AlterDomainStmt, needs: Vec<Need>) {
        let validated = self.schema.setting(domain, &Property::Validation(name.into()));
        validated.into_iter().for_each(|v| self.kill(v, None));
        let added = self.schema.setting(domain, &Property::DomainConstraint(name.into()));
        let written = self.schema.child(domain, Kind::Constraint, name);
        match (added, written) {
            (Some(added), _) => self.kill(added, None),
            (None, Some(written)) if self.stands_in(domain, name) && !self.is_changed_in_place(domain) => {
                self.end(written, None, is_cascade(statement.behavior));
            }
            (None, None) if statement.missing_ok && !self.opaque_mentions(name) => {
                self.mark(Mark::Noop(format!("constraint {name} isn't there")));
            }
            _ => drop(self.set_property(domain, Property::Without(name.into()), needs)),
        }
    }

    fn stands_in(&self, domain: ObjectId, name: &str) -> bool {
        match &self.schema.objects[domain].body {
            Body::Text(text) => self.without_domain_constraint(domain, text, name).is_some(),
            _ => false,
        }
    }

    /// The text of a domain without one of its constraints.
    pub(crate) fn without_domain_constraint(&self, domain: ObjectId, text: &str, name: &str) -> Option<String> {
        let Some(NodeEnum::CreateDomainStmt(statement)) = Replay::reparse(text) else { return None };
        let (_, check) = checks(&statement, &self.schema.objects[domain].name).into_iter().find(|(n, _)| n == name)?;
        let range = piece(&statement, check.location, text)?;
        let from = text[..range.start].trim_end().len();
        Some(edit::replace(text, vec![(from..range.end, String::new())]))
    }

    /// The text of a domain in which one of its constraints has another name.
    pub(crate) fn with_domain_constraint_renamed(
        &self,
        domain: ObjectId,
        text: &str,
        from: &str,
        to: &str,
    ) -> Option<String> {
        let Some(NodeEnum::CreateDomainStmt(statement)) = Replay::reparse(text) else { return None };
        let (_, check) = checks(&statement, &self.schema.objects[domain].name).into_iter().find(|(n, _)| n == from)?;
        let range = piece(&statement, check.location, text)?;
        let tokens = lex_code(&text[range.clone()]);
        let (place, new) = match tokens.get(1).filter(|_| !check.conname.is_empty()) {
            Some(name) => (range.start + name.start..range.start + name.end, names::quote(to)),
            None => (range.start..range.start, format!("CONSTRAINT {} ", names::quote(to))),
        };
        Some(edit::replace(text, vec![(place, new)]))
    }

    /// The constraint that COMMENT ON CONSTRAINT ... ON DOMAIN names.
    pub(crate) fn domain_constraint(&self, object: &pg_query::Node) -> Option<ObjectId> {
        let Some(NodeEnum::List(list)) = &object.node else { return None };
        let [domain, name] = list.items.as_slice() else { return None };
        let domain = self.schema.type_of(&names::qualified(&names::of_node(domain)), &self.path())?;
        self.schema.child(domain, Kind::Constraint, &names::string(name)?)
    }
}

/// The CHECK constraints of a CREATE DOMAIN with their names, be they chosen by PostgreSQL
/// (`ChooseConstraintName` in its pg_constraint.c).
fn checks(statement: &CreateDomainStmt, domain: &str) -> Vec<(String, Constraint)> {
    let mut found: Vec<(String, Constraint)> = Vec::new();
    for node in &statement.constraints {
        let Some(NodeEnum::Constraint(constraint)) = &node.node else { continue };
        if constraint.contype != ConstrType::ConstrCheck as i32 {
            continue;
        }
        let mut name = names::truncate(&constraint.conname);
        if name.is_empty() {
            let chosen = super::auto_name::make_name(domain, None, "check");
            let numbered = (0..).map(|n| if n == 0 { chosen.clone() } else { format!("{chosen}{n}") });
            name = numbered.into_iter().find(|n| !found.iter().any(|(f, _)| f == n)).unwrap_or(chosen);
        }
        found.push((name, (**constraint).clone()));
    }
    found
}

/// Where a constraint stands in the text: from its first word to that of the next one.
fn piece(statement: &CreateDomainStmt, location: i32, text: &str) -> Option<Range<usize>> {
    let starts = statement.constraints.iter().filter_map(|node| match &node.node {
        Some(NodeEnum::Constraint(constraint)) => usize::try_from(constraint.location).ok(),
        _ => None,
    });
    let from = usize::try_from(location).ok()?;
    let to = starts.filter(|at| *at > from).min().unwrap_or(text.len());
    Some(from..from + text.get(from..to)?.trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_have_names_and_places() {
        let text =
            "CREATE DOMAIN d AS int CHECK (VALUE > 0) NOT NULL CONSTRAINT small CHECK (VALUE < 9) CHECK (VALUE <> 5)";
        let Some(NodeEnum::CreateDomainStmt(statement)) = Replay::reparse(text) else { panic!() };
        let found = checks(&statement, "d");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["d_check", "small", "d_check1"]);
        let texts: Vec<&str> = found.iter().map(|(_, c)| &text[piece(&statement, c.location, text).unwrap()]).collect();
        assert_eq!(texts, ["CHECK (VALUE > 0)", "CONSTRAINT small CHECK (VALUE < 9)", "CHECK (VALUE <> 5)"]);
    }
}
