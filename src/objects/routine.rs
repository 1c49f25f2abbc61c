//! Functions and procedures, by signature.

use super::property::Property;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, Strength};
use crate::sql::names;
use crate::sql::parse::parse_all;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterFunctionStmt, CreateFunctionStmt};

impl Replay<'_> {
    /// CREATE [OR REPLACE] FUNCTION or PROCEDURE.
    pub(crate) fn create_routine(&mut self, statement: &CreateFunctionStmt) {
        let place = self.place(&names::qualified(&names::strings(&statement.funcname)));
        let arguments = self.arguments(&statement.parameters);
        let needs = self.routine_needs(statement);
        let text = self.text.to_string();
        let name = names::Qualified { schema: Some(place.0.clone()), name: place.1.clone() };
        if statement.replace
            && let Some(old) = self.schema.routine(&name, &arguments, &[])
        {
            self.forget_options(old, &text);
            return self.supersede(old, text, needs);
        }
        let kind = if statement.is_procedure { Kind::Procedure } else { Kind::Function };
        let new = New { needs, arguments: Some(arguments), ..New::in_schema(kind, place, Body::Text(text)) };
        let id = self.create(new);
        self.default_grants(id);
    }

    /// Types of the signature and what a bound body names are real needs; what a SQL body in a string names must only be
    /// there first, since PostgreSQL checks it when the function is made. A plpgsql body isn't looked into then.
    fn routine_needs(&self, statement: &CreateFunctionStmt) -> Vec<Need> {
        let mut needs = self.needs(statement, None);
        let (language, body) = language_and_body(statement);
        if language == "sql" && !self.context.unchecked_bodies {
            let order = |need: Need| Need { on: need.on, strength: Strength::Order };
            for node in parse_all(&body) {
                needs.extend(self.needs(&node, None).into_iter().map(order));
            }
        }
        needs
    }

    /// ALTER FUNCTION ... SET, OWNER and the like stay statements of their own, the last of a kind only.
    pub(crate) fn alter_routine(&mut self, statement: &AlterFunctionStmt) {
        let Some(routine) = statement.func.as_ref().and_then(|f| self.routine(f)) else {
            return self.keep_unmade(
                "alters a function that",
                &statement.func.as_ref().and_then(|f| names::strings(&f.objname).pop()).unwrap_or_default(),
            );
        };
        let mut keys: Vec<String> = statement.actions.iter().map(option_key).collect();
        keys.sort();
        self.set_property(routine, Property::Options(keys.join(" ")), Vec::new());
    }
}

fn option_key(node: &pg_query::Node) -> String {
    match &node.node {
        Some(NodeEnum::DefElem(option)) => {
            let setting = match option.arg.as_ref().and_then(|a| a.node.as_ref()) {
                Some(NodeEnum::VariableSetStmt(set)) => set.name.clone(),
                _ => String::new(),
            };
            format!("{} {setting}", option.defname).trim_end().to_string()
        }
        _ => String::new(),
    }
}

/// The language of a routine and its body as text.
pub(crate) fn language_and_body(statement: &CreateFunctionStmt) -> (String, String) {
    let (mut language, mut body) = ("sql".to_string(), String::new());
    for option in &statement.options {
        let Some(NodeEnum::DefElem(option)) = &option.node else { continue };
        let arg = option.arg.as_deref();
        match option.defname.as_str() {
            "language" => language = arg.and_then(names::string).unwrap_or_default().to_lowercase(),
            "as" => body = arg.map(|a| names::of_node(a).into_iter().next().unwrap_or_default()).unwrap_or_default(),
            _ => {}
        }
    }
    (language, body)
}
