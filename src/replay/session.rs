//! The session: search_path, roles, transaction words, and statements that leave nothing behind.

use super::{Replay, Savepoint};
use crate::history::layout::Between;
use crate::ledger::{Mark, What};
use crate::schema::Context;
use crate::sql::lex::lex_code;
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{SelectStmt, TransactionStmt, TransactionStmtKind, VariableSetKind, VariableSetStmt};
use std::sync::Arc;

impl Replay<'_> {
    /// SET, RESET.
    pub(crate) fn variable_set(&mut self, set: &VariableSetStmt) {
        self.mark(Mark::Session(format!("sets {}", if set.name.is_empty() { "the session" } else { &set.name })));
        let kind = VariableSetKind::try_from(set.kind).unwrap_or(VariableSetKind::Undefined);
        let values: Vec<String> = set.args.iter().filter_map(constant).collect();
        let value = matches!(kind, VariableSetKind::VarSetValue).then_some(values);
        if kind == VariableSetKind::VarResetAll {
            let role = self.context.role.clone();
            self.context = Arc::new(Context { role, ..Context::default() });
            return;
        }
        self.set(&set.name, value, set.is_local);
    }

    /// Sets one of the settings that give statements their meaning; others are noise.
    pub(crate) fn set(&mut self, name: &str, value: Option<Vec<String>>, is_local: bool) {
        let mut context = (*self.context).clone();
        match name {
            "search_path" => {
                context.search_path = value.map(|v| v.into_iter().filter(|s| !s.is_empty()).collect());
            }
            "role" | "session_authorization" => context.role = value.and_then(|v| v.into_iter().next()),
            "check_function_bodies" => {
                context.unchecked_bodies = value.is_some_and(|v| matches!(v[0].as_str(), "off" | "false" | "0"));
            }
            _ => return,
        }
        if context.role.as_deref().is_some_and(|r| r == "none" || r == "default") {
            context.role = None;
        }
        if context == *self.context {
            return;
        }
        if is_local && self.context_before_local.is_none() {
            self.context_before_local = Some(self.context.clone());
        }
        self.context = Arc::new(context);
    }

    /// What the migration tool does to the session between two files.
    pub(crate) fn between_files(&mut self, between: Between) {
        let context = match between {
            Between::Nothing => return,
            Between::ResetAll => Context { role: self.context.role.clone(), ..Context::default() },
            Between::ResetPathAndRole => {
                Context { unchecked_bodies: self.context.unchecked_bodies, ..Context::default() }
            }
        };
        if context != *self.context {
            self.context = Arc::new(context);
        }
    }

    /// What SET LOCAL set ends with the transaction.
    pub(crate) fn end_of_transaction(&mut self) {
        if let Some(before) = self.context_before_local.take() {
            self.context = before;
        }
    }

    /// BEGIN, COMMIT, SAVEPOINT, ROLLBACK: what is rolled back never was.
    pub(crate) fn transaction(&mut self, statement: &TransactionStmt) {
        use TransactionStmtKind as K;
        match K::try_from(statement.kind) {
            Ok(K::TransStmtBegin | K::TransStmtStart) => self.save(""),
            Ok(K::TransStmtSavepoint) => self.save(&statement.savepoint_name),
            Ok(K::TransStmtRollbackTo) => self.roll_back(&statement.savepoint_name),
            Ok(K::TransStmtRollback) => {
                self.roll_back("");
                self.savepoints.clear();
                self.end_of_transaction();
            }
            Ok(K::TransStmtCommit) => {
                self.savepoints.clear();
                self.end_of_transaction();
            }
            _ => {}
        }
        self.mark(Mark::Session("transaction word".into()));
    }

    /// Remembers the state, where the file comes back to it.
    fn save(&mut self, name: &str) {
        let file = &self.history.files[self.history.statements[self.current].file];
        let rolls_back = |id: usize| {
            matches!(&self.history.statements[id].node, NodeEnum::TransactionStmt(s)
                if s.kind == TransactionStmtKind::TransStmtRollback as i32 || s.kind == TransactionStmtKind::TransStmtRollbackTo as i32)
        };
        if file.statements.clone().any(rolls_back) {
            self.savepoints.push(Savepoint {
                name: name.to_string(),
                statement: self.current,
                schema: self.schema.clone(),
                events: self.ledger.events.len(),
                marks: self.ledger.marks.len(),
            });
        }
    }

    fn roll_back(&mut self, name: &str) {
        let Some(at) = self.savepoints.iter().rposition(|s| s.name == name) else { return };
        self.savepoints.truncate(at + 1);
        let Some(saved) = self.savepoints.last() else { return };
        self.schema = saved.schema.clone();
        self.ledger.events.truncate(saved.events);
        self.ledger.marks.truncate(saved.marks);
        self.ledger.losses.retain(|loss| loss.statement <= saved.statement);
        for statement in saved.statement + 1..self.current {
            self.ledger.marks.push((statement, Mark::Noop("rolled back".into())));
        }
    }

    /// Temporary objects live no longer than their session.
    pub(crate) fn drop_temporary(&mut self) {
        let doomed: Vec<_> = self.schema.live().filter(|id| self.schema.objects[*id].schema == "pg_temp").collect();
        for id in doomed {
            if self.schema.lives(id) {
                self.kill(id, None);
            }
        }
    }

    /// A SELECT at the top: it sets something, calls something, writes through a WITH, or only looks.
    pub(crate) fn select(&mut self, select: &SelectStmt, node: &NodeEnum) {
        if select.into_clause.is_some() {
            return self.create_table_as_select(select);
        }
        let found = crate::sql::walk::references(node);
        let names: Vec<&str> = found.functions.iter().map(|f| f.name.as_str()).collect();
        if names == ["set_config"]
            && let Some((name, value, local)) = set_config(select)
        {
            self.mark(Mark::Session(format!("sets {name}")));
            let parts = lex_code(&value).iter().filter_map(|t| t.name(&value)).collect();
            return self.set(&name, Some(parts), local);
        }
        if names.iter().any(|n| *n == "setval" || *n == "nextval") && names.len() == 1 {
            return self.rows_of_sequence(&found);
        }
        let text = self.text.to_string();
        let writes =
            lex_code(&text).iter().any(|t| ["insert", "update", "delete", "merge"].iter().any(|w| t.is(&text, w)));
        if select.with_clause.is_some() && writes {
            return self.rows_of_with(&found);
        }
        let unknown = found.functions.iter().find(|f| !is_harmless(&f.name));
        match unknown {
            Some(function) => self.keep_effects(&format!("calls {}()", function.name)),
            None if names.contains(&"pg_notify") => self.mark(Mark::Session("talks to listeners".into())),
            None => self.mark(Mark::Session("only looks".into())),
        }
    }
}

/// The value of a constant in SET.
fn constant(node: &pg_query::Node) -> Option<String> {
    use pg_query::protobuf::a_const::Val;
    match node.node.as_ref()? {
        NodeEnum::AConst(c) => match c.val.as_ref()? {
            Val::Sval(s) => Some(s.sval.clone()),
            Val::Ival(i) => Some(i.ival.to_string()),
            Val::Boolval(b) => Some(b.boolval.to_string()),
            Val::Fval(f) => Some(f.fval.clone()),
            Val::Bsval(b) => Some(b.bsval.clone()),
        },
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_ref()?),
        _ => names::string(node),
    }
}

/// `SELECT set_config(name, value, is_local)` with constants, as pg_dump writes it.
fn set_config(select: &SelectStmt) -> Option<(String, String, bool)> {
    let NodeEnum::ResTarget(target) = select.target_list.first()?.node.as_ref()? else { return None };
    let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? else { return None };
    let [name, value, local] = call.args.as_slice() else { return None };
    Some((constant(name)?, constant(value)?, constant(local)? == "true"))
}

/// Functions of PostgreSQL's own that change nothing that a dump or a row shows.
fn is_harmless(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "now",
        "count",
        "min",
        "max",
        "sum",
        "avg",
        "coalesce",
        "version",
        "current_setting",
        "set_config",
        "pg_sleep",
        "pg_advisory_lock",
        "pg_advisory_unlock",
        "pg_advisory_xact_lock",
        "pg_try_advisory_lock",
        "format",
        "to_regclass",
        "exists",
        "lower",
        "upper",
        "concat",
        "string_agg",
        "array_agg",
        "pg_notify",
        "txid_current",
        "clock_timestamp",
    ];
    NAMES.contains(&name)
}

impl Replay<'_> {
    /// A fold that has no text of its own to show.
    pub(crate) fn folded(&mut self, object: usize, note: impl Into<String>) {
        self.schema.objects[object].edited = true;
        self.event(object, What::Folded(note.into()));
    }
}
