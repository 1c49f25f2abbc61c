//! Properties of security that OR REPLACE takes away without a word: what an earlier CREATE or an ALTER gave a routine or a
//! view is gone when the statement that writes it anew doesn't say it.

use crate::history::StatementId;
use crate::ledger::{Guard, Loss};
use crate::replay::Replay;
use crate::schema::{Body, Kind, ObjectId};
use pg_query::protobuf::{AlterTableType as T, VariableSetKind, VariableSetStmt};
use pg_query::{Node, NodeEnum as N};

impl Replay<'_> {
    /// A routine or a view is about to be written anew: PostgreSQL forgets its options, and those that secured something are
    /// noted where the new statement doesn't have them.
    pub(crate) fn forget_options(&mut self, id: ObjectId, new: &str) {
        let mut had: Vec<(Guard, StatementId)> = Vec::new();
        if let Body::Text(text) = &self.schema.objects[id].body {
            let source = self.schema.objects[id].source;
            change(&mut had, text, source);
        }
        let mut settings = self.schema.children(id);
        settings.retain(|s| self.schema.objects[*s].kind == Kind::Setting);
        settings.sort_by_key(|s| self.schema.objects[*s].source);
        for setting in settings {
            let Body::Text(text) = self.schema.objects[setting].body.clone() else { continue };
            let source = self.schema.objects[setting].source;
            let is_option = change(&mut had, &text, source);
            // What came before the part that is consolidated isn't written anyway.
            if is_option && !self.is_changed_in_place(setting) {
                self.kill(setting, None);
            }
        }
        let mut has = Vec::new();
        change(&mut has, new, self.current);
        let lost = had.into_iter().filter(|(property, _)| !has.iter().any(|(p, _)| p == property));
        let statement = self.current;
        self.ledger.losses.extend(lost.map(|(property, given)| Loss { statement, object: id, property, given }));
    }
}

/// Changes a list of properties by what a statement says; false if the statement says nothing that OR REPLACE forgets.
fn change(properties: &mut Vec<(Guard, StatementId)>, text: &str, statement: StatementId) -> bool {
    let mut set = |property: Guard, on: bool| {
        properties.retain(|(p, _)| *p != property);
        if on {
            properties.push((property, statement));
        }
    };
    match Replay::reparse(text) {
        Some(N::CreateFunctionStmt(s)) => s.options.iter().for_each(|o| of_routine(o, &mut set)),
        Some(N::AlterFunctionStmt(s)) => s.actions.iter().for_each(|o| of_routine(o, &mut set)),
        Some(N::ViewStmt(s)) => s.options.iter().for_each(|o| of_view(o, true, &mut set)),
        Some(N::AlterTableStmt(s)) => {
            let mut only_options = !s.cmds.is_empty();
            for command in &s.cmds {
                let Some(N::AlterTableCmd(command)) = &command.node else { continue };
                let gives = match T::try_from(command.subtype) {
                    Ok(T::AtSetRelOptions) => true,
                    Ok(T::AtResetRelOptions) => false,
                    _ => {
                        only_options = false;
                        continue;
                    }
                };
                if let Some(N::List(options)) = command.def.as_ref().and_then(|d| d.node.as_ref()) {
                    options.items.iter().for_each(|o| of_view(o, gives, &mut set));
                }
            }
            return only_options;
        }
        _ => return false,
    }
    true
}

fn of_routine(option: &Node, set: &mut impl FnMut(Guard, bool)) {
    let Some(N::DefElem(option)) = &option.node else { return };
    match (option.defname.as_str(), option.arg.as_ref().and_then(|a| a.node.as_ref())) {
        ("security", Some(value)) => set(Guard::SecurityDefiner, is_true(value)),
        ("set", Some(N::VariableSetStmt(variable))) => match VariableSetKind::try_from(variable.kind) {
            Ok(VariableSetKind::VarResetAll) => set(Guard::SearchPath, false),
            Ok(kind) if is_path(variable) => set(Guard::SearchPath, kind != VariableSetKind::VarReset),
            _ => {}
        },
        _ => {}
    }
}

fn is_path(variable: &VariableSetStmt) -> bool {
    variable.name == "search_path"
}

fn of_view(option: &Node, gives: bool, set: &mut impl FnMut(Guard, bool)) {
    let Some(N::DefElem(option)) = &option.node else { return };
    // An option without a value is on.
    let on = gives && option.arg.as_ref().and_then(|a| a.node.as_ref()).is_none_or(is_true);
    match option.defname.as_str() {
        "security_barrier" => set(Guard::SecurityBarrier, on),
        "security_invoker" => set(Guard::SecurityInvoker, on),
        _ => {}
    }
}

fn is_true(value: &N) -> bool {
    match value {
        N::Boolean(b) => b.boolval,
        N::Integer(i) => i.ival != 0,
        N::String(s) => matches!(s.sval.to_lowercase().as_str(), "true" | "on" | "yes" | "1" | "t" | "y"),
        N::TypeName(name) => {
            let word = crate::sql::names::strings(&name.names).pop().unwrap_or_default();
            matches!(word.as_str(), "true" | "on" | "yes")
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_from_creates_and_alters() {
        let all = |texts: &[&str]| {
            let mut had = Vec::new();
            for text in texts {
                change(&mut had, text, 0);
            }
            had.into_iter().map(|(property, _)| property).collect::<Vec<_>>()
        };
        let create = "CREATE FUNCTION f() RETURNS int SECURITY DEFINER SET search_path = '' LANGUAGE sql AS 'SELECT 1'";
        assert_eq!(all(&[create]), [Guard::SecurityDefiner, Guard::SearchPath]);
        let alter = "ALTER FUNCTION f() SECURITY INVOKER RESET ALL";
        assert_eq!(all(&[create, alter]), []);
        assert_eq!(all(&["CREATE VIEW v WITH (security_barrier) AS SELECT 1"]), [Guard::SecurityBarrier]);
        let view = ["ALTER VIEW v SET (security_invoker = on)", "ALTER VIEW v RESET (security_invoker)"];
        assert_eq!(all(&view[..1]), [Guard::SecurityInvoker]);
        assert_eq!(all(&view), []);
        assert_eq!(all(&["ALTER VIEW v SET (security_barrier = false)"]), []);
    }
}
