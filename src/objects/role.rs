//! Roles, their options, memberships and settings; what a role owns.

use super::property::Property;
use crate::ledger::{Mark, What};
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::lex::lex_code;
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterRoleSetStmt, AlterRoleStmt, CreateRoleStmt, DropOwnedStmt, DropRoleStmt, GrantRoleStmt, ReassignOwnedStmt,
};

impl Replay<'_> {
    /// CREATE ROLE, USER, GROUP.
    pub(crate) fn create_role(&mut self, statement: &CreateRoleStmt) {
        let needs = self.needs(statement, None);
        let text = self.text.to_string();
        self.create(New { needs, ..New::global(Kind::Role, statement.role.clone(), Body::Text(text)) });
    }

    /// ALTER ROLE ... options.
    pub(crate) fn alter_role(&mut self, statement: &AlterRoleStmt) {
        let name = statement.role.as_ref().map(names::role_spec).unwrap_or_default();
        let Some(role) = self.schema.global(Kind::Role, &name) else {
            self.forget_passwords_of(statement);
            return self.keep_unmade("alters a role that", &name);
        };
        if self.fold_password(role, statement) {
            return;
        }
        let mut keys: Vec<String> = statement
            .options
            .iter()
            .filter_map(|o| match &o.node {
                Some(NodeEnum::DefElem(o)) => Some(o.defname.clone()),
                _ => None,
            })
            .collect();
        keys.sort();
        self.set_property(role, Property::Options(keys.join(" ")), Vec::new());
    }

    /// ALTER ROLE ... SET.
    pub(crate) fn alter_role_set(&mut self, statement: &AlterRoleSetStmt) {
        let name = statement.role.as_ref().map(names::role_spec).unwrap_or_default();
        let variable = statement.setstmt.as_ref().map(|s| s.name.clone()).unwrap_or_default();
        match self.schema.global(Kind::Role, &name) {
            Some(role) => {
                let name = format!("{variable} {}", statement.database).trim_end().to_string();
                self.set_property(role, Property::RoleSetting(name), Vec::new());
            }
            None => self.keep_unmade("sets what belongs to a role that", &name),
        }
    }

    /// DROP ROLE.
    pub(crate) fn drop_role(&mut self, statement: &DropRoleStmt) {
        let mut unknown = 0;
        for node in &statement.roles {
            match self.schema.global(Kind::Role, &names::role(node)) {
                Some(role) => self.end(role, None, false),
                None => unknown += 1,
            }
        }
        let name = statement.roles.first().map(names::role).unwrap_or_default();
        self.missing(unknown, statement.roles.len(), statement.missing_ok, "drops what isn't there", &name);
    }

    /// GRANT role TO role, and its REVOKE.
    pub(crate) fn grant_role(&mut self, statement: &GrantRoleStmt) {
        let granted: Vec<String> = statement
            .granted_roles
            .iter()
            .filter_map(|n| match &n.node {
                Some(NodeEnum::AccessPriv(p)) => Some(p.priv_name.clone()),
                _ => None,
            })
            .collect();
        let members: Vec<String> = statement.grantee_roles.iter().map(names::role).collect();
        let of = format!("{} in {}", members.join(", "), granted.join(", "));
        let plain = Property::Membership { of: of.clone(), by: None };
        let roles: Vec<ObjectId> =
            granted.iter().chain(&members).filter_map(|r| self.schema.global(Kind::Role, r)).collect();
        let Some(anchor) = roles.last().copied() else {
            return self.keep_opaque("grants roles that this history didn't make");
        };
        if !statement.is_grant
            && statement.opt.is_empty()
            && let Some(old) = self.schema.setting(anchor, &plain)
        {
            return self.kill(old, None);
        }
        let needs = roles.into_iter().map(|on| Need { on, strength: Strength::Auto }).collect();
        let is_plain = statement.is_grant && statement.opt.is_empty();
        let property = if is_plain { plain } else { Property::Membership { of, by: Some(self.current) } };
        self.set_property(anchor, property, needs);
    }

    /// DROP OWNED BY: what the roles own, and what was granted to them.
    pub(crate) fn drop_owned(&mut self, statement: &DropOwnedStmt) {
        for role in statement.roles.iter().map(names::role) {
            for id in self.owned(&role) {
                self.end(id, None, true);
            }
            self.forget_grants_to(&role);
            self.end_policies_of(&role);
        }
    }

    /// A policy for this role alone goes with what the role owns.
    fn end_policies_of(&mut self, role: &str) {
        let policies: Vec<ObjectId> = self.schema.of_kind(Kind::Policy).collect();
        for id in policies {
            let Body::Text(text) = &self.schema.objects[id].body else { continue };
            let Some(NodeEnum::CreatePolicyStmt(policy)) = Replay::reparse(text) else { continue };
            if policy.roles.len() == 1 && names::role(&policy.roles[0]) == role {
                self.end(id, None, false);
            }
        }
    }

    /// REASSIGN OWNED BY: the owner's statement of each object names another role.
    pub(crate) fn reassign_owned(&mut self, statement: &ReassignOwnedStmt) {
        let to = statement.newrole.as_ref().map(names::role_spec).unwrap_or_default();
        for role in statement.roles.iter().map(names::role) {
            for id in self.owned(&role) {
                let display = self.schema.display(id);
                let word = self.schema.objects[id].kind.word().to_uppercase();
                let text = format!("ALTER {word} {display} OWNER TO {}", names::quote(&to));
                let needs = self.schema.global(Kind::Role, &to).map(|on| Need { on, strength: Strength::Normal });
                self.set_property_text(id, Property::Owner, needs.into_iter().collect(), text);
            }
        }
        let statement = self.current;
        let events = self.ledger.events.iter().rev().take_while(|e| e.statement == statement);
        if !events.into_iter().any(|e| !matches!(e.what, What::Died(_))) {
            self.mark(Mark::Noop("the roles own nothing".into()));
        }
    }

    /// The live objects that a role owns: given by ALTER ... OWNER, or made while the session had the role.
    fn owned(&self, role: &str) -> Vec<ObjectId> {
        let owner_says = |id: ObjectId| {
            let setting = self.schema.setting(id, &Property::Owner)?;
            let Body::Text(text) = &self.schema.objects[setting].body else { return None };
            lex_code(text).last().and_then(|t| t.name(text))
        };
        self.schema
            .live()
            .filter(|id| {
                let object = &self.schema.objects[*id];
                object.parent.is_none()
                    && object.kind.stands_alone()
                    && owner_says(*id).or_else(|| object.context.role.clone()).as_deref() == Some(role)
            })
            .collect()
    }
}
