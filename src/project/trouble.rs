//! A replay that failed, as an error that says where, why, and what to do.

use crate::error::{At, Error};
use crate::history::History;
use crate::plan::missing;
use crate::proof::ReplayError;
use std::path::Path;

/// What was replayed.
#[derive(Clone, Copy)]
pub(super) enum Replayed<'a> {
    /// A history.
    History(&'a History),
    /// A consolidated set.
    Set(&'a History),
    /// What is in no folder.
    Other,
}

impl<'a> Replayed<'a> {
    fn history(self) -> Option<&'a History> {
        match self {
            Replayed::History(history) | Replayed::Set(history) => Some(history),
            Replayed::Other => None,
        }
    }

    fn folder(self) -> &'a Path {
        self.history().map_or(Path::new(""), |history| history.folder.as_path())
    }
}

/// A replay that failed, as an error with its place and a hint.
pub(super) fn could_not_replay(of: Replayed, error: ReplayError) -> Error {
    let (folder, is_set) = (of.folder(), matches!(of, Replayed::Set(_)));
    match error {
        ReplayError::Unable(mut error) | ReplayError::Missing(mut error) => {
            if let Some(at) = &mut error.at
                && folder.join(&at.file).exists()
            {
                at.file = folder.join(&at.file).display().to_string();
            }
            error.hint = error.hint.or_else(|| no_room(&error.message));
            error
        }
        ReplayError::Failed(failure) => {
            let file = if failure.in_prelude {
                failure.file.clone()
            } else {
                folder.join(&failure.file).display().to_string()
            };
            let mut message = failure.message.clone();
            if let Some(detail) = &failure.detail {
                message.push_str(&format!(" ({detail})"));
            }
            let own = tools_own(&failure.message).filter(|_| failure.sqlstate == "42P01");
            let later = of.history().and_then(|history| missing::hint(history, &failure));
            let hint = no_room(&failure.message).or(own).or(later).or(failure.hint.clone());
            let hint = hint.unwrap_or_else(|| hint_for(&failure.sqlstate, is_set).to_string());
            Error::new(message).at(At::new(file, failure.line)).hint(hint)
        }
    }
}

/// What helps where the embedded PostgreSQL can't write its files: it calls a full disk so. Others say "Input/output error".
fn no_room(message: &str) -> Option<String> {
    message.ends_with(": I/O error").then(crate::scratch::room::hint)
}

/// What helps where a history speaks of the table in which its migration tool keeps its versions.
fn tools_own(message: &str) -> Option<String> {
    let missing = message.strip_prefix("relation \"")?.strip_suffix("\" does not exist")?;
    let is_it = |table: &str| table == missing || table.rsplit('.').next() == missing.rsplit('.').next();
    crate::handover::TOOLS.iter().find(|tool| is_it(tool.table)).map(|_| {
        format!(
            "{missing} is where a migration tool keeps its versions, and there is no such tool on a scratch database; \
             make it in a prelude as the tool does: [scratch] prelude, or --prelude FILE"
        )
    })
}

/// What to do next, by PostgreSQL's SQLSTATE.
fn hint_for(sqlstate: &str, is_set: bool) -> &'static str {
    match sqlstate {
        _ if is_set => "the consolidated set must replay on an empty database; `consolidate emit` writes it anew",
        "42704" | "28000" => {
            "what the history takes for granted (roles, types) goes into a prelude: [scratch] prelude, or --prelude FILE"
        }
        "42P01" | "3F000" | "42883" => {
            "if something outside the migrations makes it, create it in a prelude: [scratch] prelude, or --prelude FILE"
        }
        _ => "the set must replay on an empty database before it can be consolidated",
    }
}
