//! A hand-over that connects by itself: looks for drift, then runs the script.

use super::script::{OUTCOME, Script};
use super::tools::{TOOLS, Tool};
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

/// What the script would refuse a database for, by the tool's own table; it changes nothing. None if it wouldn't, or can't be
/// asked.
pub fn refusal(url: &str, script: &Script) -> Option<Error> {
    proof::refused_by(url, &script.look).ok().flatten()
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
    proof::drift(history, url, &|name| is_of_tool(&script.table, name), settings, progress)
}

/// Whether something is the tool's own: the schema that it makes for its table, the table, its columns, keys, indexes and
/// sequence.
fn is_of_tool(tools: &str, name: &str) -> bool {
    let (schema, table) = tools.split_once('.').unwrap_or(("", tools));
    // What tools make a schema for, that schema is theirs.
    let is_made = |tool: &Tool| tool.table.split_once('.').is_some_and(|(own, _)| own == schema && own != "public");
    let own_schema = TOOLS.iter().any(is_made);
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let bare = rest.trim_start_matches('"');
    // Liquibase and Play keep a table of locks beside it.
    let lock = match table {
        "databasechangelog" => "lock",
        "play_evolutions" => "_lock",
        _ => "",
    };
    let rest = bare.strip_prefix(table).map(|rest| rest.strip_prefix(lock).unwrap_or(rest));
    // PostgreSQL's own names, then flyway's (`_pk`, `_s_idx`), alembic's (`_pkc`) and pop's.
    let parts = ["", "_pkey", "_id_seq", "_pk", "_s_idx", "_pkc", "_version_idx", "_version_self_idx", "\""];
    let is_part = rest.is_some_and(|r| parts.contains(&r) || r.starts_with(['.', ' ']) || r.starts_with("\"."));
    let in_schema = schema.is_empty() || first == schema;
    (own_schema && first == schema) || (is_part && in_schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tools_own_things_are_left_out_of_drift() {
        for (table, own) in [
            ("flyway_schema_history", "public.flyway_schema_history_s_idx"),
            ("flyway_schema_history", "public.flyway_schema_history.flyway_schema_history_pk"),
            ("alembic_version", "public.alembic_version_pkc"),
            ("_sqlx_migrations", "public._sqlx_migrations.version"),
            ("drizzle.__drizzle_migrations", "drizzle.anything"),
            ("graphile_migrate.migrations", "graphile_migrate.current"),
            ("databasechangelog", "public.databasechangeloglock_pkey"),
            ("play_evolutions", "public.play_evolutions_lock.locked_at"),
        ] {
            assert!(is_of_tool(table, own), "{own} of {table}");
        }
        for (table, other) in [
            ("flyway_schema_history", "public.flyway_schema_history_archive"),
            ("public.schema_migrations", "other.schema_migrations"),
            ("_sqlx_migrations", "public.users"),
        ] {
            assert!(!is_of_tool(table, other), "{other} beside {table}");
        }
    }
}
