//! The session at the end of a set: what the proof showed that the history leaves there, and the rendered set doesn't.

use super::Choices;
use super::lower::Lowering;
use crate::history::History;
use crate::proof::{Difference, EntryKind, Left, Snapshot};
use crate::replay::session::is_limit;
use crate::sql::names::quote;
use pg_query::NodeEnum;
use pg_query::protobuf::VariableSetKind;
use std::collections::BTreeMap;

/// The statement that gives a setting back.
pub(super) fn given_back(setting: &str) -> String {
    match setting {
        "role" => "RESET ROLE".into(),
        "session_authorization" => "RESET SESSION AUTHORIZATION".into(),
        _ => format!("RESET {}", dotted(setting)),
    }
}

/// What the replayed history leaves, as far as the model doesn't tell it: in the author's words, where there are some.
pub(super) fn untold(history: &History, old: &Snapshot) -> BTreeMap<String, String> {
    let told = |setting: &str| ["search_path", "role", "check_function_bodies"].contains(&setting) || is_limit(setting);
    let left = left(old).settings.into_iter().filter(|(setting, _)| !told(setting));
    left.map(|(setting, value)| (setting.clone(), words(history, &setting).unwrap_or_else(|| stated(&setting, &value))))
        .collect()
}

fn left(old: &Snapshot) -> Left {
    old.sessions.as_ref().and_then(|files| files.last()).map(|end| end.next()).unwrap_or_default()
}

/// The last SET of a setting that the author wrote.
fn words(history: &History, setting: &str) -> Option<String> {
    let sets = |id: &usize| match &history.statements[*id].node {
        NodeEnum::VariableSetStmt(set) => {
            set.name.eq_ignore_ascii_case(setting) && !set.is_local && set.kind == VariableSetKind::VarSetValue as i32
        }
        _ => false,
    };
    let id = (0..history.statements.len()).rev().find(sets)?;
    Some(history.text(id).trim().to_string())
}

/// A statement that sets a setting to a value as PostgreSQL shows it.
fn stated(setting: &str, value: &str) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match setting {
        "role" if value == "none" => given_back(setting),
        "role" => format!("SET ROLE {}", quote(value)),
        "session_authorization" => format!("SET SESSION AUTHORIZATION {}", quote(value)),
        // A list of names is one text here, as a dump writes it.
        "search_path" | "temp_tablespaces" => {
            format!("SELECT pg_catalog.set_config({}, {}, false)", literal(setting), literal(value))
        }
        _ => format!("SET {} = {}", dotted(setting), literal(value)),
    }
}

/// The statement that says how long others may have to wait.
pub(super) fn limit(setting: &str, value: &str) -> String {
    match value {
        _ if value.bytes().all(|b| b.is_ascii_digit()) => format!("SET {setting} = {value}"),
        _ => format!("SET {setting} = '{}'", value.replace('\'', "''")),
    }
}

fn dotted(setting: &str) -> String {
    setting.split('.').map(quote).collect::<Vec<_>>().join(".")
}

impl Lowering<'_> {
    /// The session came out otherwise. False if nothing more can be done about it.
    pub(super) fn leave(&mut self, choices: &mut Choices, difference: &Difference) -> bool {
        let setting = &difference.name;
        if difference.kind == EntryKind::SessionOfAFile {
            let Some(file) = &difference.file else { return false };
            return choices.given_back.entry(file.clone()).or_default().insert(setting.clone());
        }
        if difference.kind != EntryKind::Session {
            return false;
        }
        let text = match left(self.old).settings.get(setting) {
            None => given_back(setting),
            Some(value) => {
                let own = words(self.history, setting).filter(|_| self.said.insert(setting.clone()));
                own.unwrap_or_else(|| stated(setting, value))
            }
        };
        choices.at_end.insert(setting.clone(), text.clone()) != Some(text)
    }
}
