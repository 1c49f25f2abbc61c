//! A hand-over that connects by itself: looks for drift, then runs the script.

use super::script::{OUTCOME, Script};
use crate::error::Error;
use crate::proof::{self, Progress, ReplayError, ReplayFile, Settings};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The database counts as having run the new set.
    Done,
    /// It did so before.
    Unchanged,
    /// It isn't one that ran exactly the old set: the words of the script, and what to do.
    Refused(Error),
}

/// Runs the script.
///
/// # Errors
/// When the database can't be reached, or refuses for reasons of its own.
pub fn run(url: &str, script: &Script) -> Result<Outcome, Error> {
    match proof::run_script(url, &script.sql, OUTCOME) {
        Ok(outcome) if outcome == "unchanged" => Ok(Outcome::Unchanged),
        Ok(_) => Ok(Outcome::Done),
        // raise_exception: the script's own words.
        Err((Some(state), error)) if state == "P0001" => Ok(Outcome::Refused(error)),
        Err((_, error)) => Err(match error.hint {
            Some(_) => error,
            None => error.hint("see that the URL, its user and the network are right; nothing was changed"),
        }),
    }
}

/// How the live database differs from what the history makes, the tool's own table aside.
///
/// # Errors
/// When the history doesn't replay, or the database can't be asked.
pub fn drift(
    url: &str,
    script: &Script,
    history: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Vec<String>, ReplayError> {
    let (schema, table) = match script.table.split_once('.') {
        Some((schema, table)) => (schema, table),
        None => ("", script.table.as_str()),
    };
    // The schema that a tool makes for its table, the table, its columns, key (Alembic's ends in _pkc), index and sequence.
    let is_tools = |name: &str| {
        let own_schema = ["drizzle", "supabase_migrations"].contains(&schema);
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let bare = rest.trim_start_matches('"');
        let rest = bare.strip_prefix(table);
        let parts = ["", "_pkey", "_pkc", "_id_seq", "\""];
        let is_part = rest.is_some_and(|r| parts.contains(&r) || r.starts_with(['.', ' ']) || r.starts_with("\"."));
        let in_schema = schema.is_empty() || first == schema;
        (own_schema && first == schema) || (is_part && in_schema)
    };
    proof::drift(history, url, &is_tools, settings, progress)
}
