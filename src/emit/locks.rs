//! Which locks the statements of a part take on tables that are there already, and how long they hold them: the databases
//! that run the part are in use.
//!
//! Lock levels are those of `AlterTableGetLockLevel` in PostgreSQL's tablecmds.c and of the page "Explicit Locking" of its
//! manual. Where one depends on what nobody can see here, the stronger is said.

use super::lay_out::lay_out_part;
use super::set::{NewFile, NewSet, NewStatement};
use crate::history::History;
use crate::sql::parse::{NodeEnum as N, parse};
use pg_query::Node;
use pg_query::protobuf::{
    AlterTableCmd, AlterTableStmt, AlterTableType as T, ColumnDef, ConstrType, Constraint, IndexStmt, ObjectType,
    RangeVar,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// A lock on a table, from the strongest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Nobody else reads or writes.
    AccessExclusive,
    /// Others may only read.
    Exclusive,
    /// Others may only read, and none takes this lock a second time.
    ShareRowExclusive,
    /// Others may only read.
    Share,
    /// Others read and write; none alters the table.
    ShareUpdateExclusive,
    /// Others read and write other rows.
    RowExclusive,
}

/// What is done while a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Only the catalogs are changed: an instant, once the lock is there.
    Catalogs,
    /// All rows are read.
    Scan,
    /// An index is built.
    IndexBuild,
    /// All rows are written anew.
    Rewrite,
    /// All rows are written anew, unless PostgreSQL finds that the old form is good as it is.
    MayRewrite,
    /// Rows are changed, which stay locked until the transaction ends.
    Rows,
}

/// A lock that a statement of the set takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The file of the set.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The table, as the statement names it.
    pub table: String,
    /// The strongest lock on it.
    pub lock: Lock,
    /// What is done meanwhile.
    pub work: Work,
}

/// A table as a statement names it.
type Name = (String, String);

/// What the statements of a part lock of what they don't make themselves, in their order.
pub fn locks(set: &NewSet, history: &History) -> Vec<Held> {
    let mut own: BTreeSet<Name> = BTreeSet::new();
    let mut held = Vec::new();
    for file in &set.files {
        let (path, above) = as_written(file, history);
        for statement in &file.statements {
            for (name, lock, work) in of(statement, &mut own) {
                let table = if name.0.is_empty() { name.1 } else { format!("{}.{}", name.0, name.1) };
                held.push(Held { file: path.clone(), line: above + statement.line, table, lock, work });
            }
        }
    }
    held
}

/// The path of a file as its tool wants it, and the lines that are put above its text.
fn as_written(file: &NewFile, history: &History) -> (String, usize) {
    let written = lay_out_part(file, history).into_iter().next();
    let above = |text: &str| text.find(&file.text).map_or(0, |at| text[..at].matches('\n').count());
    written.map_or_else(|| (file.name.clone(), 0), |(path, text)| (path, above(&text)))
}

fn of(statement: &NewStatement, own: &mut BTreeSet<Name>) -> Vec<(Name, Lock, Work)> {
    let Ok(Some(node)) = parse(&statement.text) else { return Vec::new() };
    own.extend(made(&node));
    let mut locked = locked(&node);
    locked.retain(|(name, ..)| !own.contains(name));
    locked
}

fn name(relation: &RangeVar) -> Name {
    (relation.schemaname.clone(), relation.relname.clone())
}

/// The table that a statement makes.
fn made(node: &N) -> Option<Name> {
    match node {
        N::CreateStmt(create) => create.relation.as_ref().map(name),
        N::CreateForeignTableStmt(create) => create.base_stmt.as_ref()?.relation.as_ref().map(name),
        N::CreateTableAsStmt(create) => create.into.as_ref()?.rel.as_ref().map(name),
        N::ViewStmt(view) => view.view.as_ref().map(name),
        _ => None,
    }
}

fn locked(node: &N) -> Vec<(Name, Lock, Work)> {
    let one = |relation: Option<&RangeVar>, lock: Lock, work: Work| {
        relation.map(|r| (name(r), lock, work)).into_iter().collect::<Vec<_>>()
    };
    match node {
        N::AlterTableStmt(alter) => altered(alter),
        N::IndexStmt(index) => one(index.relation.as_ref(), index_lock(index), Work::IndexBuild),
        N::CreateStmt(create) => {
            let columns = create.table_elts.iter().filter_map(|n| n.node.as_ref());
            columns.flat_map(referenced).map(|table| (table, Lock::ShareRowExclusive, Work::Catalogs)).collect()
        }
        N::CreateTrigStmt(trigger) => one(trigger.relation.as_ref(), Lock::ShareRowExclusive, Work::Catalogs),
        N::RuleStmt(rule) => one(rule.relation.as_ref(), Lock::AccessExclusive, Work::Catalogs),
        N::CreatePolicyStmt(policy) => one(policy.table.as_ref(), Lock::AccessExclusive, Work::Catalogs),
        N::AlterPolicyStmt(policy) => one(policy.table.as_ref(), Lock::AccessExclusive, Work::Catalogs),
        N::CreateStatsStmt(statistics) => {
            let tables = statistics.relations.iter().filter_map(|n| n.node.as_ref());
            let on = |n: &N| match n {
                N::RangeVar(relation) => Some((name(relation), Lock::ShareUpdateExclusive, Work::Catalogs)),
                _ => None,
            };
            tables.filter_map(on).collect()
        }
        N::RenameStmt(rename) => {
            let lock = match ObjectType::try_from(rename.rename_type) {
                Ok(ObjectType::ObjectIndex) => Lock::ShareUpdateExclusive,
                _ => Lock::AccessExclusive,
            };
            one(rename.relation.as_ref(), lock, Work::Catalogs)
        }
        N::AlterObjectSchemaStmt(moved) => one(moved.relation.as_ref(), Lock::AccessExclusive, Work::Catalogs),
        N::DropStmt(drop) => dropped(drop),
        N::InsertStmt(insert) => one(insert.relation.as_ref(), Lock::RowExclusive, Work::Rows),
        N::UpdateStmt(update) => one(update.relation.as_ref(), Lock::RowExclusive, Work::Rows),
        N::DeleteStmt(delete) => one(delete.relation.as_ref(), Lock::RowExclusive, Work::Rows),
        N::MergeStmt(merge) => one(merge.relation.as_ref(), Lock::RowExclusive, Work::Rows),
        N::CopyStmt(copy) if copy.is_from => one(copy.relation.as_ref(), Lock::RowExclusive, Work::Rows),
        N::TruncateStmt(truncate) => {
            let tables = truncate.relations.iter().filter_map(|n| n.node.as_ref());
            let of = |n: &N| match n {
                N::RangeVar(relation) => Some((name(relation), Lock::AccessExclusive, Work::Rows)),
                _ => None,
            };
            tables.filter_map(of).collect()
        }
        N::RefreshMatViewStmt(refresh) => {
            let lock = if refresh.concurrent { Lock::Exclusive } else { Lock::AccessExclusive };
            one(refresh.relation.as_ref(), lock, Work::Rewrite)
        }
        N::ClusterStmt(cluster) => one(cluster.relation.as_ref(), Lock::AccessExclusive, Work::Rewrite),
        _ => Vec::new(),
    }
}

fn index_lock(index: &IndexStmt) -> Lock {
    if index.concurrent { Lock::ShareUpdateExclusive } else { Lock::Share }
}

/// What a DROP names: of what belongs to a table the table, where the statement says it.
fn dropped(drop: &pg_query::protobuf::DropStmt) -> Vec<(Name, Lock, Work)> {
    let lock = if drop.concurrent { Lock::ShareUpdateExclusive } else { Lock::AccessExclusive };
    let kind = ObjectType::try_from(drop.remove_type);
    let of_table = matches!(kind, Ok(ObjectType::ObjectTrigger | ObjectType::ObjectPolicy | ObjectType::ObjectRule));
    let relations = [ObjectType::ObjectTable, ObjectType::ObjectIndex, ObjectType::ObjectForeignTable];
    if !of_table && !kind.is_ok_and(|kind| relations.contains(&kind)) {
        return Vec::new();
    }
    let names = drop.objects.iter().filter_map(|n| match n.node.as_ref() {
        Some(N::List(list)) => Some(list.items.iter().filter_map(crate::sql::names::string).collect::<Vec<_>>()),
        _ => None,
    });
    let table = |mut parts: Vec<String>| {
        if of_table {
            parts.pop();
        }
        let own = parts.pop()?;
        Some((parts.pop().unwrap_or_default(), own))
    };
    names.filter_map(table).map(|table| (table, lock, Work::Catalogs)).collect()
}

/// The tables that foreign keys in a column or constraint point at.
fn referenced(element: &N) -> Vec<Name> {
    let of = |constraint: &Constraint| {
        let is_key = constraint.contype == ConstrType::ConstrForeign as i32;
        constraint.pktable.as_ref().filter(|_| is_key).map(name)
    };
    match element {
        N::Constraint(constraint) => of(constraint).into_iter().collect(),
        N::ColumnDef(column) => inline(column).filter_map(of).collect(),
        _ => Vec::new(),
    }
}

fn inline(column: &ColumnDef) -> impl Iterator<Item = &Constraint> {
    column.constraints.iter().filter_map(|n| match n.node.as_ref() {
        Some(N::Constraint(constraint)) => Some(&**constraint),
        _ => None,
    })
}

fn altered(alter: &AlterTableStmt) -> Vec<(Name, Lock, Work)> {
    let is_table = [ObjectType::ObjectTable, ObjectType::ObjectForeignTable, ObjectType::ObjectMatview];
    let Some(relation) = alter.relation.as_ref() else { return Vec::new() };
    if !ObjectType::try_from(alter.objtype).is_ok_and(|kind| is_table.contains(&kind)) {
        return Vec::new();
    }
    let commands = alter.cmds.iter().filter_map(|n| match n.node.as_ref() {
        Some(N::AlterTableCmd(command)) => Some(&**command),
        _ => None,
    });
    let mut found: Vec<(Name, Lock, Work)> = Vec::new();
    for command in commands {
        let (lock, work, others) = command_lock(command);
        let own = (name(relation), lock, work);
        match found.iter_mut().find(|(table, ..)| *table == own.0) {
            // One statement takes its strongest lock from the start.
            Some(known) => {
                known.1 = known.1.min(lock);
                known.2 = heavier(known.2, work);
            }
            None => found.push(own),
        }
        found.extend(others);
    }
    found
}

fn heavier(one: Work, other: Work) -> Work {
    let weight = |work: Work| match work {
        Work::Catalogs => 0,
        Work::Rows => 1,
        Work::Scan => 2,
        Work::IndexBuild => 3,
        Work::MayRewrite => 4,
        Work::Rewrite => 5,
    };
    if weight(other) > weight(one) { other } else { one }
}

/// The lock of a command, what is done meanwhile, and the locks on other tables.
fn command_lock(command: &AlterTableCmd) -> (Lock, Work, Vec<(Name, Lock, Work)>) {
    let with = |lock: Lock, work: Work| (lock, work, Vec::new());
    let definition = command.def.as_ref().and_then(|d| d.node.as_ref());
    match T::try_from(command.subtype) {
        Ok(T::AtAddColumn) => {
            let keys = definition.map(referenced).unwrap_or_default();
            let others = keys.into_iter().map(|t| (t, Lock::ShareRowExclusive, Work::Catalogs)).collect();
            let work = match definition {
                Some(N::ColumnDef(column)) => added(column),
                _ => Work::Catalogs,
            };
            (Lock::AccessExclusive, work, others)
        }
        Ok(T::AtAddConstraint) => match definition {
            Some(N::Constraint(constraint)) => constraint_lock(constraint),
            _ => with(Lock::AccessExclusive, Work::Scan),
        },
        Ok(T::AtValidateConstraint) => with(Lock::ShareUpdateExclusive, Work::Scan),
        Ok(T::AtSetNotNull) => with(Lock::AccessExclusive, Work::Scan),
        Ok(T::AtAlterColumnType) => with(Lock::AccessExclusive, Work::MayRewrite),
        Ok(T::AtSetLogged | T::AtSetUnLogged | T::AtSetAccessMethod | T::AtSetTableSpace | T::AtSetExpression) => {
            with(Lock::AccessExclusive, Work::Rewrite)
        }
        Ok(T::AtSetStatistics | T::AtSetOptions | T::AtResetOptions | T::AtClusterOn | T::AtDropCluster) => {
            with(Lock::ShareUpdateExclusive, Work::Catalogs)
        }
        Ok(T::AtSetRelOptions | T::AtResetRelOptions) => with(Lock::ShareUpdateExclusive, Work::Catalogs),
        Ok(
            T::AtEnableTrig
            | T::AtEnableAlwaysTrig
            | T::AtEnableReplicaTrig
            | T::AtEnableTrigAll
            | T::AtEnableTrigUser
            | T::AtDisableTrig
            | T::AtDisableTrigAll
            | T::AtDisableTrigUser,
        ) => with(Lock::ShareRowExclusive, Work::Catalogs),
        Ok(T::AtAttachPartition | T::AtDetachPartition | T::AtDetachPartitionFinalize) => partition_lock(command),
        _ => with(Lock::AccessExclusive, Work::Catalogs),
    }
}

/// What ADD COLUMN does to rows that are there: nothing, unless each of them needs a value of its own.
fn added(column: &ColumnDef) -> Work {
    let of = |constraint: &Constraint| match ConstrType::try_from(constraint.contype) {
        Ok(ConstrType::ConstrIdentity | ConstrType::ConstrGenerated) => Work::Rewrite,
        Ok(ConstrType::ConstrPrimary | ConstrType::ConstrUnique) => Work::IndexBuild,
        Ok(ConstrType::ConstrCheck) => Work::Scan,
        // A constant is kept in the catalogs; the value of a volatile function can't be.
        Ok(ConstrType::ConstrDefault) if !is_constant(constraint.raw_expr.as_deref()) => Work::MayRewrite,
        _ => Work::Catalogs,
    };
    let is_serial = column.type_name.as_ref().is_some_and(|t| {
        t.names.last().and_then(crate::sql::names::string).is_some_and(|name| name.contains("serial"))
    });
    let work = if is_serial { Work::Rewrite } else { Work::Catalogs };
    inline(column).map(of).fold(work, heavier)
}

fn is_constant(expression: Option<&Node>) -> bool {
    match expression.and_then(|n| n.node.as_ref()) {
        Some(N::AConst(_)) => true,
        Some(N::TypeCast(cast)) => is_constant(cast.arg.as_deref()),
        _ => false,
    }
}

fn constraint_lock(constraint: &Constraint) -> (Lock, Work, Vec<(Name, Lock, Work)>) {
    let work = if constraint.skip_validation { Work::Catalogs } else { Work::Scan };
    match ConstrType::try_from(constraint.contype) {
        Ok(ConstrType::ConstrForeign) => {
            let referenced = constraint.pktable.as_ref().map(|t| (name(t), Lock::ShareRowExclusive, Work::Catalogs));
            (Lock::ShareRowExclusive, work, referenced.into_iter().collect())
        }
        Ok(ConstrType::ConstrPrimary | ConstrType::ConstrUnique) if !constraint.indexname.is_empty() => {
            (Lock::AccessExclusive, Work::Catalogs, Vec::new())
        }
        Ok(ConstrType::ConstrPrimary | ConstrType::ConstrUnique | ConstrType::ConstrExclusion) => {
            (Lock::AccessExclusive, Work::IndexBuild, Vec::new())
        }
        _ => (Lock::AccessExclusive, work, Vec::new()),
    }
}

fn partition_lock(command: &AlterTableCmd) -> (Lock, Work, Vec<(Name, Lock, Work)>) {
    let definition = command.def.as_ref().and_then(|d| d.node.as_ref());
    let Some(N::PartitionCmd(partition)) = definition else {
        return (Lock::AccessExclusive, Work::Catalogs, Vec::new());
    };
    let attaches = command.subtype == T::AtAttachPartition as i32;
    let own = if attaches || partition.concurrent { Lock::ShareUpdateExclusive } else { Lock::AccessExclusive };
    let work = if attaches { Work::Scan } else { Work::Catalogs };
    let other = partition.name.as_ref().map(|table| (name(table), Lock::AccessExclusive, work));
    (own, Work::Catalogs, other.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(sql: &str) -> Vec<(String, Lock, Work)> {
        let statement = NewStatement { line: 1, text: sql.into(), copy_data: None, owner: None };
        let found = of(&statement, &mut BTreeSet::new());
        found.into_iter().map(|(name, lock, work)| (name.1, lock, work)).collect()
    }

    type Case<'a> = (&'a str, &'a [(&'a str, Lock, Work)]);

    #[test]
    fn locks_are_those_of_the_manual() {
        use Lock as L;
        use Work as W;
        let cases: &[Case<'_>] = &[
            ("CREATE INDEX i ON t (a)", &[("t", L::Share, W::IndexBuild)]),
            ("CREATE INDEX CONCURRENTLY i ON t (a)", &[("t", L::ShareUpdateExclusive, W::IndexBuild)]),
            ("ALTER TABLE t ADD COLUMN a int", &[("t", L::AccessExclusive, W::Catalogs)]),
            ("ALTER TABLE t ADD a int DEFAULT 1", &[("t", L::AccessExclusive, W::Catalogs)]),
            ("ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()", &[("t", L::AccessExclusive, W::MayRewrite)]),
            ("ALTER TABLE t ADD a bigserial", &[("t", L::AccessExclusive, W::Rewrite)]),
            ("ALTER TABLE t ADD CHECK (a > 0)", &[("t", L::AccessExclusive, W::Scan)]),
            ("ALTER TABLE t ADD CHECK (a > 0) NOT VALID", &[("t", L::AccessExclusive, W::Catalogs)]),
            ("ALTER TABLE t VALIDATE CONSTRAINT c", &[("t", L::ShareUpdateExclusive, W::Scan)]),
            (
                "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u",
                &[("t", L::ShareRowExclusive, W::Scan), ("u", L::ShareRowExclusive, W::Catalogs)],
            ),
            ("ALTER TABLE t ADD UNIQUE USING INDEX i", &[("t", L::AccessExclusive, W::Catalogs)]),
            ("ALTER TABLE t ALTER a SET STATISTICS 9", &[("t", L::ShareUpdateExclusive, W::Catalogs)]),
            ("ALTER TABLE t ALTER a SET STATISTICS 9, ALTER a TYPE text", &[("t", L::AccessExclusive, W::MayRewrite)]),
            (
                "ALTER TABLE t ATTACH PARTITION p DEFAULT",
                &[("t", L::ShareUpdateExclusive, W::Catalogs), ("p", L::AccessExclusive, W::Scan)],
            ),
            ("CREATE TABLE n (a int REFERENCES u)", &[("u", L::ShareRowExclusive, W::Catalogs)]),
            ("DROP INDEX CONCURRENTLY i", &[("i", L::ShareUpdateExclusive, W::Catalogs)]),
            ("DROP TRIGGER g ON s.t", &[("t", L::AccessExclusive, W::Catalogs)]),
            ("UPDATE t SET a = 1", &[("t", L::RowExclusive, W::Rows)]),
            ("ALTER VIEW v SET (security_invoker)", &[]),
            ("SELECT 1", &[]),
        ];
        for (sql, wanted) in cases {
            let wanted: Vec<_> = wanted.iter().map(|(table, lock, work)| (table.to_string(), *lock, *work)).collect();
            assert_eq!(said(sql), wanted, "{sql}");
        }
    }
}
