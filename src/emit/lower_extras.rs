//! One step down for what only the replayed history shows, and for privileges, which are stated object by object.

use super::lower::{How, Lowered, Lowering, Subject};
use super::stated::{Key, key_of};
use super::{Choices, Extra};
use crate::proof::{Change, Difference, Entry, EntryKind};
use crate::schema::{Kind, ObjectId};
use crate::sql::names::quote;
use crate::sql::parse::{NodeEnum, parse};
use std::collections::BTreeSet;

impl Lowering<'_> {
    pub(super) fn add_extra(&mut self, choices: &mut Choices, key: &Key) -> bool {
        let entry = self.positions.get(key).map(|p| (*p, &self.old.entries[*p]));
        // The rest of what a dump leaves out is told in words, not in SQL.
        use EntryKind as K;
        let is_of_role = matches!(key.0, K::Role | K::RoleComment | K::RoleMembership);
        let is_sql = is_of_role || matches!(key.0, K::Comment | K::ReplicaIdentity | K::DroppedSchema);
        let global = self.old.globals.iter().enumerate().find(|(_, e)| is_sql && key_of(e) == *key);
        let Some((position, entry)) = entry.or(global) else { return false };
        if self.portable.is_chosen_name(entry) {
            return self.add_nameless(choices, entry, position);
        }
        let mut text = self.portable.statements(entry).join(";\n");
        if entry.kind == EntryKind::Acl
            && let Some(first) = self.without_defaults(entry)
        {
            text.insert_str(0, &first);
        }
        self.push_extra(
            choices,
            Extra { kind: entry.kind.clone(), schema: entry.schema.clone(), name: entry.name.clone(), text, position },
        )
    }

    /// Statistics whose name PostgreSQL chose: another version may choose another one. They come without a name where the history
    /// makes some so, else along with their table, which is like another one.
    fn add_nameless(&mut self, choices: &mut Choices, entry: &Entry, position: usize) -> bool {
        if let Some(text) = self.portable.without_name(entry) {
            let (kind, schema, name) = (entry.kind.clone(), entry.schema.clone(), entry.name.clone());
            return self.push_extra(choices, Extra { kind, schema, name, text, position });
        }
        let table = of_table(entry).and_then(|(schema, name)| self.table(&schema, &name));
        let why = format!("statistics {}.{} have a name that PostgreSQL chose", entry.schema, entry.name);
        if let Some(table) = table.filter(|table| !choices.left_out.contains(table))
            && self.tell_story(choices, table, usize::MAX, &why)
        {
            return true;
        }
        if !self.blocked.contains(&why) {
            self.blocked.push(why);
        }
        false
    }

    /// pg_dump states privileges as changes of PostgreSQL's own defaults; what a prelude's defaults give is taken back first.
    fn without_defaults(&self, entry: &Entry) -> Option<String> {
        let of_schema = |(schemas, _): &&(Vec<String>, Vec<String>)| schemas.contains(&entry.schema);
        let given = self.model.given_grantees.iter().filter(of_schema).flat_map(|(_, grantees)| grantees);
        let grantees: BTreeSet<String> = given.map(|g| quote(g)).collect();
        let line = entry.text.lines().find(|l| l.starts_with("GRANT ") || l.starts_with("REVOKE "))?;
        let on = line.split_once(" ON ")?.1;
        let target = on.rsplit_once(" TO ").or_else(|| on.rsplit_once(" FROM "))?.0;
        let grantees: Vec<String> = grantees.into_iter().collect();
        (!grantees.is_empty()).then(|| format!("REVOKE ALL ON {target} FROM {};\n", grantees.join(", ")))
    }

    pub(super) fn push_extra(&mut self, choices: &mut Choices, extra: Extra) -> bool {
        let same = |e: &Extra| e.kind == extra.kind && e.schema == extra.schema && e.name == extra.name;
        if extra.text.is_empty() || choices.extras.iter().any(same) {
            return false;
        }
        let why = match extra.kind {
            EntryKind::TableData => "they are written as the replayed history left them",
            _ => "only the replayed history shows it",
        };
        let object = extra.told();
        let subject = Subject::Extra(object.clone());
        self.lower(subject, Lowered { object, how: How::Stated, why: why.into(), statement: None, unit: None });
        choices.extras.push(extra);
        true
    }

    /// What is there without it, made along with something else, isn't stated.
    pub(super) fn take_back_extra(&mut self, choices: &mut Choices, number: usize) -> bool {
        let Some(extra) = choices.extras.get(number).filter(|e| !e.text.is_empty()).cloned() else { return false };
        // An index that is made along with another one is attached to it, too.
        let index = extra.name.rsplit(' ').next().unwrap_or_default();
        let is_part = |e: &Extra| e.kind == EntryKind::IndexAttach && e.schema == extra.schema && e.name == index;
        for (at, other) in choices.extras.iter_mut().enumerate() {
            if at == number || is_part(other) {
                // The others keep their numbers.
                other.text.clear();
                self.forget(&Subject::Extra(other.told()));
            }
        }
        true
    }

    /// Privileges are stated object by object: all grants that reach this one give way, and what they gave elsewhere is
    /// stated too.
    pub(super) fn state_acl(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        let key = (EntryKind::Acl, difference.schema.clone(), difference.name.clone());
        let mut progress = false;
        for id in self.owners.get(&key).cloned().unwrap_or_default() {
            progress |= self.step_down(choices, id, "privileges came out different");
        }
        if difference.change != Change::Added {
            progress |= self.add_extra(choices, &key);
        }
        progress || take_from_others(choices, difference)
    }

    pub(super) fn state_default_acl(&mut self, choices: &mut Choices) -> bool {
        let schema = &self.model.schema;
        let ids: Vec<ObjectId> =
            schema.live().filter(|id| schema.objects[*id].kind == Kind::DefaultPrivileges).collect();
        let mut progress = false;
        for id in ids {
            progress |= self.step_down(choices, id, "default privileges came out different");
        }
        let entries: Vec<Key> =
            self.old.entries.iter().filter(|e| e.kind == EntryKind::DefaultAcl).map(key_of).collect();
        for key in entries {
            progress |= self.add_extra(choices, &key);
        }
        progress
    }
}

/// The table of statistics, by schema and name.
fn of_table(entry: &Entry) -> Option<(String, String)> {
    let first = crate::sql::split::split(&entry.text).into_iter().next()?;
    let Some(NodeEnum::CreateStatsStmt(statement)) = parse(&entry.text[first.body]).ok()? else { return None };
    match statement.relations.first()?.node.as_ref()? {
        NodeEnum::RangeVar(table) => Some((table.schemaname.clone(), table.relname.clone())),
        _ => None,
    }
}

/// What is stated of an object's privileges takes them first from those who have them only in the new set: by default
/// privileges, or by a grant on all objects of a schema.
fn take_from_others(choices: &mut Choices, difference: &Difference) -> bool {
    let is_it = |e: &&mut Extra| e.kind == EntryKind::Acl && e.schema == difference.schema && e.name == difference.name;
    let Some(extra) = choices.extras.iter_mut().find(is_it).filter(|e| !e.text.is_empty()) else { return false };
    let grants = |text: &Option<String>| -> BTreeSet<(String, String)> {
        let lines = text.iter().flat_map(|t| t.lines()).filter_map(|l| l.strip_prefix("GRANT ")?.strip_suffix(';'));
        let parts = lines.filter_map(|l| l.split_once(" ON ")?.1.rsplit_once(" TO "));
        let who = |to: &str| to.strip_suffix(" WITH GRANT OPTION").unwrap_or(to).to_string();
        parts.map(|(on, to)| (on.to_string(), who(to))).collect()
    };
    let mut progress = false;
    for (on, who) in grants(&difference.new).difference(&grants(&difference.old)) {
        let first = format!("REVOKE ALL ON {on} FROM {who};\n");
        if !extra.text.starts_with(&first) && !extra.text.contains(&format!("\n{first}")) {
            extra.text.insert_str(0, &first);
            progress = true;
        }
    }
    progress
}
