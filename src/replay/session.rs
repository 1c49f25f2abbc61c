//! The session: search_path, roles, transaction words, and statements that leave nothing behind.

use super::{Replay, Savepoint};
use crate::history::layout::Between;
use crate::ledger::{Fold, Mark, What};
use crate::schema::Context;
use crate::sql::lex::lex_code;
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    DiscardMode, DiscardStmt, SelectStmt, TransactionStmt, TransactionStmtKind, VariableSetKind, VariableSetStmt,
};
use std::sync::Arc;

impl Replay<'_> {
    /// SET, RESET.
    pub(crate) fn variable_set(&mut self, set: &VariableSetStmt) {
        self.mark(Mark::Session(format!("sets {}", if set.name.is_empty() { "the session" } else { &set.name })));
        let kind = VariableSetKind::try_from(set.kind).unwrap_or(VariableSetKind::Undefined);
        let values: Vec<String> = set.args.iter().filter_map(constant).collect();
        let value = matches!(kind, VariableSetKind::VarSetValue).then_some(values);
        if kind == VariableSetKind::VarResetAll {
            self.context = Arc::new(begins_after(Between::ResetAll, &self.context));
            return;
        }
        self.set(&set.name, value, set.is_local);
    }

    /// DISCARD: all of it is a new session.
    pub(crate) fn discard(&mut self, discard: &DiscardStmt) {
        let target = DiscardMode::try_from(discard.target).unwrap_or(DiscardMode::Undefined);
        if matches!(target, DiscardMode::DiscardAll | DiscardMode::DiscardTemp) {
            self.drop_temporary();
        }
        if target == DiscardMode::DiscardAll {
            (self.context, self.authorized) = (Arc::default(), None);
        }
        self.mark(Mark::Session("speaks to the session".into()));
    }

    /// Sets one of the settings that give statements their meaning; others are noise.
    pub(crate) fn set(&mut self, name: &str, value: Option<Vec<String>>, is_local: bool) {
        if is_local && !self.in_transaction {
            // PostgreSQL warns, and nothing is set.
            return;
        }
        let name = name.to_lowercase();
        if name == "session_authorization" && !is_local {
            self.authorized = value.clone().and_then(role_of);
        }
        let Some(context) = self.with(&self.context, &name, value.clone()) else { return };
        match &self.context_before_local {
            None if is_local => self.context_before_local = Some(self.context.clone()),
            // What is set for the session outlives the transaction, whatever was set for that before.
            Some(before) if !is_local => self.context_before_local = self.with(before, &name, value).map(Arc::new),
            _ => {}
        }
        if context != *self.context {
            self.context = Arc::new(context);
        }
    }

    /// A session with one setting at another value; none if the setting gives no statement its meaning.
    fn with(&self, context: &Context, name: &str, value: Option<Vec<String>>) -> Option<Context> {
        let context = context.clone();
        Some(match name {
            "search_path" => {
                let search_path = value.map(|v| v.into_iter().filter(|s| !s.is_empty()).collect());
                Context { search_path, ..context }
            }
            "role" => Context { role: value.and_then(role_of).or_else(|| self.authorized.clone()), ..context },
            "session_authorization" => Context { role: value.and_then(role_of), ..context },
            "check_function_bodies" => {
                let first = value.and_then(|v| v.into_iter().next()).unwrap_or_default().to_lowercase();
                // PostgreSQL takes any beginning of these words that can be told apart.
                let is_off = first == "0" || first.starts_with("of") || first.starts_with(['f', 'n']);
                Context { unchecked_bodies: is_off, ..context }
            }
            _ if self.schema.cut.is_some_and(|cut| cut > 0) && is_limit(name) => {
                let mut limits = context.limits.clone();
                match value {
                    Some(value) => limits.insert(name.to_string(), value.concat()),
                    None => limits.remove(name),
                };
                Context { limits, ..context }
            }
            _ => return None,
        })
    }

    /// What the migration tool does to the session between two files.
    pub(crate) fn between_files(&mut self, between: Between) {
        if between == Between::NewSession {
            self.authorized = None;
        }
        let mut context = begins_after(between, &self.context);
        if between == Between::ResetPathAndRole {
            context.role = self.authorized.clone();
        }
        if context != *self.context {
            self.context = Arc::new(context);
        }
    }

    /// Whether the file's statements run in a transaction of the tool; its own words end that.
    pub(crate) fn begin_file(&mut self, file: &crate::history::File) {
        let is_own = |id: usize| match &self.history.statements[id].node {
            NodeEnum::TransactionStmt(s) => matches!(
                TransactionStmtKind::try_from(s.kind),
                Ok(TransactionStmtKind::TransStmtBegin
                    | TransactionStmtKind::TransStmtStart
                    | TransactionStmtKind::TransStmtCommit
                    | TransactionStmtKind::TransStmtRollback)
            ),
            _ => false,
        };
        self.in_transaction = file.in_transaction && !file.statements.clone().any(is_own);
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
            Ok(K::TransStmtBegin | K::TransStmtStart) => {
                self.in_transaction = true;
                // Then nobody has to remember the state.
                if let Some(end) = self.rolls_back_at() {
                    self.rolled_back = self.current + 1..end;
                    return;
                }
                self.save("");
            }
            Ok(K::TransStmtSavepoint) => self.save(&statement.savepoint_name),
            Ok(K::TransStmtRollbackTo) => self.roll_back(&statement.savepoint_name),
            Ok(K::TransStmtRollback) => {
                self.roll_back("");
                self.savepoints.clear();
                self.end_of_transaction();
                self.in_transaction = false;
            }
            Ok(K::TransStmtCommit) => {
                self.savepoints.clear();
                self.end_of_transaction();
                self.in_transaction = false;
            }
            _ => {}
        }
        self.mark(Mark::Session("transaction word".into()));
    }

    /// Where the transaction that begins here ends, if it is rolled back as a whole.
    fn rolls_back_at(&self) -> Option<usize> {
        use TransactionStmtKind as K;
        let file = &self.history.files[self.history.statements[self.current].file];
        let ends = |id: &usize| match &self.history.statements[*id].node {
            NodeEnum::TransactionStmt(s) => K::try_from(s.kind)
                .ok()
                .filter(|kind| matches!(kind, K::TransStmtCommit | K::TransStmtRollback | K::TransStmtPrepare)),
            _ => None,
        };
        let end = (self.current + 1..file.statements.end).find(|id| ends(id).is_some())?;
        (ends(&end) == Some(K::TransStmtRollback)).then_some(end)
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
                session: (self.context.clone(), self.context_before_local.clone(), self.authorized.clone()),
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
        (self.context, self.context_before_local, self.authorized) = saved.session.clone();
        self.ledger.events.truncate(saved.events);
        self.ledger.marks.truncate(saved.marks);
        self.ledger.losses.retain(|loss| loss.statement <= saved.statement);
        for statement in saved.statement + 1..self.current {
            self.ledger.marks.push((statement, Mark::Noop("rolled back".into())));
        }
    }

    /// Temporary objects live no longer than their session.
    pub(crate) fn drop_temporary(&mut self) {
        for id in self.schema.temporary() {
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
        let sets = set_configs(select);
        for (name, value, local) in &sets {
            let names = || lex_code(value).iter().filter_map(|t| t.name(value)).collect();
            let parts = if is_limit(name) { vec![value.clone()] } else { names() };
            self.set(name, Some(parts), *local);
        }
        if !sets.is_empty() && names.iter().all(|name| *name == "set_config") {
            let settings: Vec<&str> = sets.iter().map(|(name, ..)| name.as_str()).collect();
            return self.mark(Mark::Session(format!("sets {}", settings.join(", "))));
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

/// Settings that say how long a statement may wait for a lock, or take. On an empty database they mean nothing; on one in use
/// they keep a migration from holding up all others.
const LIMITS: [&str; 4] =
    ["idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout", "transaction_timeout"];

/// Whether a setting is one of these.
pub(crate) fn is_limit(setting: &str) -> bool {
    LIMITS.contains(&setting)
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

/// The calls of `SELECT set_config(name, value, is_local)` with constants, as pg_dump writes it.
fn set_configs(select: &SelectStmt) -> Vec<(String, String, bool)> {
    let is_plain = select.from_clause.is_empty() && select.where_clause.is_none();
    let called = |target: &pg_query::Node| {
        let NodeEnum::ResTarget(target) = target.node.as_ref()? else { return None };
        let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? else { return None };
        let is_it = call.funcname.last().and_then(names::string).as_deref() == Some("set_config");
        let [name, value, local] = call.args.as_slice() else { return None };
        is_it.then_some((constant(name)?, constant(value)?, constant(local)? == "true"))
    };
    select.target_list.iter().filter(|_| is_plain).filter_map(called).collect()
}

/// The role that SET ROLE or SET SESSION AUTHORIZATION names, if it names one.
fn role_of(value: Vec<String>) -> Option<String> {
    value.into_iter().next().filter(|role| role != "none" && role != "default")
}

/// What the next file begins with, as far as statements get their meaning from it.
pub(crate) fn begins_after(between: Between, ended: &Context) -> Context {
    match between {
        Between::Nothing => ended.clone(),
        Between::ResetAll => Context { role: ended.role.clone(), ..Context::default() },
        Between::ResetPathAndRole => Context { search_path: None, role: None, ..ended.clone() },
        Between::NewSession => Context::default(),
    }
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
    pub(crate) fn folded(&mut self, object: usize, note: impl Into<Fold>) {
        self.schema.objects[object].edited = true;
        self.event(object, What::Folded(note.into()));
    }
}
