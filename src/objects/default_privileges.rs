//! ALTER DEFAULT PRIVILEGES: reaches only what is created after it. The new set states it after everything else, and what
//! it gave to the objects that came after it as plain grants, so that the order of the set can't change who may do what.

use super::grant::{Atom, GrantBody, Privilege, is_reached};
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, Object, ObjectId, Strength};
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterDefaultPrivilegesStmt, ObjectType};

/// What one ALTER DEFAULT PRIVILEGES gives.
#[derive(Debug, Clone)]
pub struct DefaultGrant {
    schemas: Vec<String>,
    role: String,
    object_type: i32,
    is_grant: bool,
    grant_option: bool,
    privileges: Vec<String>,
    grantees: Vec<String>,
    /// The statement's object; none if it was there before the history.
    source: Option<ObjectId>,
    /// The plain grants that came of it.
    grants: Option<ObjectId>,
}

impl DefaultGrant {
    /// What a statement gives, for each role that it speaks of; `session` is the role that runs it.
    pub(crate) fn read(statement: &AlterDefaultPrivilegesStmt, session: Option<String>) -> Vec<DefaultGrant> {
        let Some(action) = &statement.action else { return Vec::new() };
        let mut schemas = Vec::new();
        let mut roles = Vec::new();
        for option in &statement.options {
            let Some(NodeEnum::DefElem(option)) = &option.node else { continue };
            let Some(NodeEnum::List(list)) = option.arg.as_ref().and_then(|a| a.node.as_ref()) else { continue };
            match option.defname.as_str() {
                "schemas" => schemas = names::strings(&list.items),
                _ => roles = list.items.iter().map(names::role).collect(),
            }
        }
        if roles.is_empty() {
            // The superuser of a scratch database is postgres, and so is the user of most histories that say FOR ROLE.
            roles.push(session.unwrap_or_else(|| "postgres".into()));
        }
        // FUNCTIONS and ROUTINES are one here.
        let object_type = match ObjectType::try_from(action.objtype) {
            Ok(ObjectType::ObjectFunction) => ObjectType::ObjectRoutine as i32,
            _ => action.objtype,
        };
        let of = |role| DefaultGrant {
            schemas: schemas.clone(),
            role,
            object_type,
            is_grant: action.is_grant,
            grant_option: action.grant_option,
            privileges: privileges(&action.privileges),
            grantees: action.grantees.iter().map(names::role).collect(),
            source: None,
            grants: None,
        };
        roles.into_iter().map(of).collect()
    }

    fn reaches(&self, object: &Object) -> bool {
        let session = object.context.role.as_deref().unwrap_or("postgres");
        self.role == session
            && (self.schemas.is_empty() || self.schemas.contains(&object.schema))
            && is_reached(object.kind, self.object_type)
            && object.schema != "pg_temp"
    }
}

impl Replay<'_> {
    /// ALTER DEFAULT PRIVILEGES.
    pub(crate) fn default_privileges(&mut self, statement: &AlterDefaultPrivilegesStmt) {
        let rules = DefaultGrant::read(statement, self.context.role.clone());
        let Some(first) = rules.first() else { return };
        let text = self.text.to_string();
        let mut needs = self.needs(statement, None);
        for schema in &first.schemas {
            needs.extend(self.schema.global(Kind::Schema, schema).map(|on| Need { on, strength: Strength::Normal }));
        }
        let name = crate::replay::first_words(&text, 10);
        let source = self.create(New { needs, ..New::global(Kind::DefaultPrivileges, name, Body::Text(text)) });
        self.defaults.extend(rules.into_iter().map(|rule| DefaultGrant { source: Some(source), ..rule }));
    }

    /// What the default privileges give to a new object. That a prelude gives the same is no reason to leave it out: another
    /// database has another prelude, or none.
    pub(crate) fn default_grants(&mut self, id: ObjectId) {
        for i in 0..self.defaults.len() {
            let rule = &self.defaults[i];
            let object = &self.schema.objects[id];
            if rule.source.is_none() || !rule.reaches(object) {
                continue;
            }
            let privileges: Vec<Privilege> =
                rule.privileges.iter().map(|p| Privilege { name: p.clone(), columns: Vec::new() }).collect();
            let schema = object.schema.clone();
            let atoms: Vec<Atom> = rule
                .grantees
                .iter()
                .filter(|g| self.has_effect(i, &schema, g))
                .map(|g| Atom { target: id, grantee: g.clone(), privileges: privileges.clone() })
                .collect();
            if !atoms.is_empty() {
                self.give_default(i, atoms);
            }
        }
    }

    /// What is given outright needs no default that was taken back first; where only a part of it is given, that comes first.
    pub(crate) fn outgrow_defaults(&mut self, given: &[Atom]) -> Vec<Need> {
        let mut after = Vec::new();
        for atom in given {
            for (id, _) in self.schema.dependents(atom.target) {
                let kind = self.schema.objects[atom.target].kind;
                let Body::Grant(body) = &mut self.schema.objects[id].body else { continue };
                if body.is_grant || !body.text.is_empty() {
                    continue;
                }
                let held = |a: &Atom| a.target == atom.target && a.grantee == atom.grantee;
                if !body.atoms.iter().any(held) {
                    continue;
                }
                let routine = kind.is_routine();
                let covers = routine || atom.privileges.iter().any(|p| p.name == "ALL" && p.columns.is_empty());
                if !covers {
                    after.push(Need { on: id, strength: Strength::Order });
                    continue;
                }
                body.atoms.retain(|a| !held(a));
                if body.atoms.is_empty() {
                    self.kill(id, None);
                }
            }
        }
        after
    }

    /// Who has privileges from the start on what is made in a schema, by defaults from before the history.
    pub(crate) fn given_grantees(&self) -> Vec<(Vec<String>, Vec<String>)> {
        let given =
            self.defaults.iter().filter(|rule| rule.source.is_none() && rule.is_grant && rule.role == "postgres");
        given.map(|rule| (rule.schemas.clone(), rule.grantees.clone())).collect()
    }

    /// Whether a grantee has privileges on an object from the start, by defaults from before the history.
    pub(crate) fn has_given_default(&self, id: ObjectId, grantee: &String) -> bool {
        let object = &self.schema.objects[id];
        let given = |rule: &&DefaultGrant| rule.source.is_none() && rule.is_grant && rule.reaches(object);
        self.defaults.iter().filter(given).any(|rule| rule.grantees.contains(grantee))
    }

    /// Within a schema, defaults only add to those of the database: what is taken back there is what was given there.
    fn has_effect(&self, number: usize, schema: &String, grantee: &String) -> bool {
        let rule = &self.defaults[number];
        rule.is_grant
            || rule.schemas.is_empty()
            || self.defaults[..number].iter().any(|earlier| {
                earlier.is_grant
                    && earlier.schemas.contains(schema)
                    && earlier.object_type == rule.object_type
                    && earlier.role == rule.role
                    && earlier.grantees.contains(grantee)
            })
    }

    fn give_default(&mut self, rule: usize, atoms: Vec<Atom>) {
        let needs = self.grant_needs(&atoms);
        let existing = self.defaults[rule].grants.filter(|g| self.schema.lives(*g));
        if let Some(grant) = existing {
            if let Body::Grant(body) = &mut self.schema.objects[grant].body {
                body.atoms.extend(atoms);
            }
            return self.schema.add_needs(grant, needs);
        }
        let Some(source) = self.defaults[rule].source else { return };
        let (is_grant, grant_option) = (self.defaults[rule].is_grant, self.defaults[rule].grant_option);
        let body = GrantBody { text: String::new(), is_grant, grant_option, atoms, all_in: Vec::new() };
        let name = format!("what {} gave", self.schema.objects[source].name);
        let id = self.create(New { needs, ..New::global(Kind::Grant, name, Body::Grant(body)) });
        let statement = self.schema.objects[source].source;
        let object = &mut self.schema.objects[id];
        (object.born, object.source, object.edited) = (statement, statement, true);
        object.born_offset = 0;
        self.defaults[rule].grants = Some(id);
    }
}

fn privileges(nodes: &[pg_query::Node]) -> Vec<String> {
    if nodes.is_empty() {
        return vec!["ALL".into()];
    }
    nodes
        .iter()
        .filter_map(|n| match &n.node {
            Some(NodeEnum::AccessPriv(p)) => Some(p.priv_name.to_uppercase()),
            _ => None,
        })
        .collect()
}
