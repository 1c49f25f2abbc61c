//! GRANT and REVOKE on objects: each statement becomes atoms, one per object and grantee, so that what falls away of them
//! is known, and a statement of which all atoms live is written as its author did.

use crate::ledger::{Mark, What};
use crate::replay::{New, Replay};
pub(super) use crate::schema::{Atom, GrantBody, Privilege};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{GrantStmt, GrantTargetType, ObjectType};
use std::collections::HashSet;

impl Replay<'_> {
    /// GRANT and REVOKE.
    pub(crate) fn grant(&mut self, statement: &GrantStmt) {
        let all = statement.targtype == GrantTargetType::AclTargetAllInSchema as i32;
        let targets = if all { self.all_targets(statement) } else { self.named_targets(statement) };
        let Some(targets) = targets else {
            return self.keep_opaque("grants on what this history didn't make");
        };
        let mut atoms = Vec::new();
        for target in &targets {
            for grantee in statement.grantees.iter().map(names::role) {
                atoms.push(Atom { target: *target, grantee, privileges: self.privileges(statement, *target) });
            }
        }
        if !statement.is_grant && !statement.grant_option {
            atoms = self.revoke(atoms);
        }
        if atoms.is_empty() {
            return self.mark(Mark::Noop(
                if statement.is_grant { "reaches no object" } else { "takes back what was given" }.into(),
            ));
        }
        let all_in = if all { statement.objects.iter().filter_map(names::string).collect() } else { Vec::new() };
        self.add_grant(statement, atoms, all_in);
    }

    fn add_grant(&mut self, statement: &GrantStmt, atoms: Vec<Atom>, all_in: Vec<String>) {
        let expected = atoms.len();
        let fresh: Vec<Atom> = if statement.is_grant { self.not_yet_given(atoms, statement) } else { atoms };
        if fresh.is_empty() {
            return self.mark(Mark::Noop("was given already".into()));
        }
        let mut needs = self.grant_needs(&fresh);
        if statement.is_grant {
            needs.extend(self.outgrow_defaults(&fresh));
        }
        let text = self.text.to_string();
        let edited = self.is_inner || fresh.len() != expected;
        let name = crate::replay::first_words(&text, 8);
        let body = GrantBody {
            text,
            is_grant: statement.is_grant,
            grant_option: statement.grant_option,
            atoms: fresh,
            all_in,
        };
        let id = self.create(New { needs, ..New::global(Kind::Grant, name, Body::Grant(body)) });
        self.schema.objects[id].edited = edited;
    }

    pub(crate) fn grant_needs(&self, atoms: &[Atom]) -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        let mut seen: HashSet<ObjectId> = HashSet::new();
        for atom in atoms {
            let columns = atom.privileges.iter().flat_map(|p| p.columns.iter().copied());
            let role = self.schema.global(Kind::Role, &atom.grantee);
            for on in std::iter::once(atom.target).chain(columns).chain(role) {
                if seen.insert(on) {
                    needs.push(Need { on, strength: Strength::Normal });
                }
            }
        }
        needs
    }

    /// The atoms that an earlier grant doesn't hold already.
    fn not_yet_given(&self, atoms: Vec<Atom>, statement: &GrantStmt) -> Vec<Atom> {
        let given = |atom: &Atom| {
            self.schema.dependents(atom.target).into_iter().any(|(id, _)| match &self.schema.objects[id].body {
                Body::Grant(grant) => {
                    grant.is_grant && grant.grant_option == statement.grant_option && grant.atoms.contains(atom)
                }
                _ => false,
            })
        };
        let revoked = |atom: &Atom| {
            self.schema.dependents(atom.target).into_iter().any(|(id, _)| match &self.schema.objects[id].body {
                Body::Grant(grant) => !grant.is_grant && grant.atoms.iter().any(|a| a.grantee == atom.grantee),
                _ => false,
            })
        };
        atoms.into_iter().filter(|a| !given(a) || revoked(a)).collect()
    }

    fn privileges(&self, statement: &GrantStmt, target: ObjectId) -> Vec<Privilege> {
        if statement.privileges.is_empty() {
            return vec![Privilege { name: "ALL".into(), columns: Vec::new() }];
        }
        statement
            .privileges
            .iter()
            .filter_map(|n| match &n.node {
                Some(NodeEnum::AccessPriv(p)) => {
                    let columns =
                        names::strings(&p.cols).iter().filter_map(|c| self.schema.column(target, c)).collect();
                    let name = if p.priv_name.is_empty() { "ALL".into() } else { p.priv_name.to_uppercase() };
                    Some(Privilege { name, columns })
                }
                _ => None,
            })
            .collect()
    }

    /// The objects that the statement names; `None` if one of them isn't known.
    fn named_targets(&self, statement: &GrantStmt) -> Option<Vec<ObjectId>> {
        let kind = Kind::of_object_type(statement.objtype)?;
        statement
            .objects
            .iter()
            .map(|node| match (&node.node, kind) {
                (Some(NodeEnum::RangeVar(range)), _) => self.relation(range),
                _ => self.locate(kind, node),
            })
            .collect()
    }

    /// The objects that `ALL ... IN SCHEMA` reaches now.
    fn all_targets(&self, statement: &GrantStmt) -> Option<Vec<ObjectId>> {
        let schemas: Vec<String> = statement.objects.iter().filter_map(names::string).collect();
        Some(self.all_of(&schemas, statement.objtype))
    }

    /// The live objects of some schemas that a GRANT on all of a type reaches.
    pub(crate) fn all_of(&self, schemas: &[String], object_type: i32) -> Vec<ObjectId> {
        let reached = |kind: Kind| is_reached(kind, object_type);
        self.schema
            .live()
            .filter(|id| reached(self.schema.objects[*id].kind) && schemas.contains(&self.schema.objects[*id].schema))
            .collect()
    }

    /// Takes privileges back from earlier grants; what no grant held stays as a REVOKE.
    fn revoke(&mut self, atoms: Vec<Atom>) -> Vec<Atom> {
        let mut left = Vec::new();
        for atom in atoms {
            let remaining = self.revoke_one(&atom);
            if !remaining.is_empty() {
                left.push(Atom { privileges: remaining, ..atom });
            }
        }
        left
    }

    fn revoke_one(&mut self, atom: &Atom) -> Vec<Privilege> {
        let all = atom.privileges.iter().any(|p| p.name == "ALL" && p.columns.is_empty());
        let mut unmatched = atom.privileges.clone();
        let mut matched_any = false;
        for (id, _) in self.schema.dependents(atom.target) {
            let Body::Grant(grant) = &mut self.schema.objects[id].body else { continue };
            if !grant.is_grant {
                continue;
            }
            let mut changed = false;
            for held in grant.atoms.iter_mut().filter(|a| a.target == atom.target && a.grantee == atom.grantee) {
                held.privileges.retain(|p| {
                    let taken = all || atom.privileges.contains(p);
                    if taken {
                        unmatched.retain(|u| u != p);
                        changed = true;
                    }
                    !taken
                });
            }
            grant.atoms.retain(|a| !a.privileges.is_empty());
            let gone = grant.atoms.is_empty();
            matched_any |= changed;
            if gone && changed {
                self.kill(id, None);
            } else if changed {
                self.folded(id, "partly revoked");
            }
        }
        let built_in = atom.grantee == "PUBLIC" && self.schema.objects[atom.target].kind.is_public()
            || self.has_given_default(atom.target, &atom.grantee)
            // Whoever made it may have given more than this history shows.
            || self.is_given(atom.target);
        match (all, matched_any, built_in) {
            (_, _, true) => atom.privileges.clone(),
            (true, true, false) => Vec::new(),
            _ => unmatched,
        }
    }

    /// An object went: the grants on it go, and a statement of which nothing is left.
    pub(crate) fn forget_grants_on(&mut self, id: ObjectId, gone: ObjectId, with: ObjectId) {
        let role = (self.schema.objects[gone].kind == Kind::Role).then(|| self.schema.objects[gone].name.clone());
        self.forget(id, Some(with), |a| a.target == gone || Some(&a.grantee) == role.as_ref(), gone);
    }

    fn forget(&mut self, id: ObjectId, with: Option<ObjectId>, falls: impl Fn(&Atom) -> bool, column: ObjectId) {
        let is_column = self.schema.objects.get(column).is_some_and(|o| o.kind == Kind::Column);
        let Body::Grant(grant) = &mut self.schema.objects[id].body else { return };
        grant.atoms.retain(|a| !falls(a));
        if !is_column {
            if grant.atoms.is_empty() {
                self.end(id, with, false);
            } else {
                self.schema.objects[id].edited = true;
            }
            return;
        }
        for atom in &mut grant.atoms {
            for privilege in &mut atom.privileges {
                let before = privilege.columns.len();
                privilege.columns.retain(|c| *c != column);
                if before > 0 && privilege.columns.is_empty() {
                    privilege.name.clear();
                }
            }
            atom.privileges.retain(|p| !p.name.is_empty());
        }
        grant.atoms.retain(|a| !a.privileges.is_empty());
        if grant.atoms.is_empty() {
            self.end(id, with, false);
        } else {
            self.schema.objects[id].edited = true;
        }
    }

    /// DROP OWNED: the grants to a role go.
    pub(crate) fn forget_grants_to(&mut self, role: &str) {
        let grants: Vec<ObjectId> = self.schema.of_kind(Kind::Grant).collect();
        for id in grants {
            let Body::Grant(grant) = &self.schema.objects[id].body else { continue };
            if grant.atoms.iter().any(|a| a.grantee == role) {
                self.forget(id, None, |a| a.grantee == role, usize::MAX);
                if self.schema.lives(id) {
                    self.event(id, What::Folded(format!("nothing more to {role}").into()));
                }
            }
        }
    }
}

/// Whether an object of the kind is reached by GRANT ... ON ALL of an object type.
pub(crate) fn is_reached(kind: Kind, object_type: i32) -> bool {
    match ObjectType::try_from(object_type) {
        Ok(ObjectType::ObjectTable) => kind.is_read_as_table(),
        Ok(ObjectType::ObjectSequence) => kind == Kind::Sequence,
        Ok(ObjectType::ObjectFunction) => matches!(kind, Kind::Function | Kind::Aggregate),
        Ok(ObjectType::ObjectProcedure) => kind == Kind::Procedure,
        Ok(ObjectType::ObjectRoutine) => kind.is_routine(),
        Ok(ObjectType::ObjectType) => kind.is_type(),
        Ok(ObjectType::ObjectSchema) => kind == Kind::Schema,
        _ => false,
    }
}
