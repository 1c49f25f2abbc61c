//! What a history may do where it is replayed. All of it passes the gate before the first statement runs.
//!
//! On a server of others: a statement that is put together at run time may be anything, and who replays as a superuser may do anything: end the sessions
//! of others, start programs. So a history with such a statement replays as a role that owns its scratch database and has no
//! power beyond. Whether that suffices is tried once. If not, only somebody who trusts the history can let it run.

use super::manner::ROWS;
use super::replay::replay_as;
use super::session::{Refusal, Session};
use super::{Database, ReplayError, ReplayFile, Settings, Silent};
use crate::{At, Error, Result};

/// Nothing runs if one statement must not.
///
/// # Errors
/// Then, with its place.
pub(super) fn may_run(files: &[ReplayFile], settings: &Settings) -> Result<()> {
    for file in settings.prelude.iter().chain(files) {
        for statement in &file.statements {
            let at = || At::new(&file.name, statement.line);
            settings.database.admits(&statement.text).map_err(|error| error.at(at()))?;
        }
    }
    Ok(())
}

/// Whether the session reads strings as the gate does: with another setting, or in another encoding, a quote may end somewhere
/// else.
///
/// # Errors
/// When it doesn't.
pub(super) fn is_read_as_here(session: &mut Session) -> Result<(), Refusal> {
    let asked = "SELECT pg_catalog.current_setting('standard_conforming_strings'), pg_catalog.current_setting('client_encoding')";
    // In a transaction that failed nothing runs any more.
    let Ok(rows) = session.rows(asked) else { return Ok(()) };
    let cells: Vec<&str> = rows.iter().flatten().flatten().map(String::as_str).collect();
    if cells.first() == Some(&"on") && cells.get(1).is_some_and(|encoding| encoding.eq_ignore_ascii_case("utf8")) {
        return Ok(());
    }
    let message = format!(
        "a statement with a backslash, where standard_conforming_strings and client_encoding are {}",
        cells.join(" and ")
    );
    let hint = "nobody can say how it would be read; the embedded PostgreSQL can do no harm: --scratch embedded";
    Err(Error::new(message).hint(hint).into())
}

/// PostgreSQL's `insufficient_privilege`.
const FORBIDDEN: &str = "42501";

/// Lowers the powers of replays where a set runs what can't be read, unless the history is trusted.
///
/// # Errors
/// When a set needs more, with the place of the statement that does, and of the one that can't be read.
pub(super) fn suffice(
    sets: &[&[ReplayFile]],
    settings: &Settings,
    database: &Database,
    is_trusted: bool,
) -> Result<()> {
    let Some(unseen) = first_unseen(sets, settings, database).filter(|_| !is_trusted) else { return Ok(()) };
    database.lower(true);
    let settings = Settings { database: database.clone(), ..settings.clone() };
    for set in sets {
        let Err(ReplayError::Failed(failure)) = replay_as(ROWS, "probe", set, &settings, &Silent) else { continue };
        if failure.sqlstate == FORBIDDEN {
            let message = format!("{}, and {unseen} runs what can't be read before", failure.message);
            return Err(Error::new(message).at(At::new(&failure.file, failure.line)).hint(HINT));
        }
    }
    Ok(())
}

const HINT: &str = "a history of which nobody knows what it will run replays as a role without powers on a server of others, and this \
    one needs more: --scratch embedded or local run it where nobody else is; or, if you trust it with all that the server has, \
    --trusted reach";

/// The place of the first statement that runs what is put together only then.
fn first_unseen(sets: &[&[ReplayFile]], settings: &Settings, database: &Database) -> Option<At> {
    let files = settings.prelude.iter().chain(sets.iter().flat_map(|set| set.iter()));
    let statements = files.flat_map(|file| file.statements.iter().map(move |statement| (file, statement)));
    let mut unseen = statements.filter(|(_, statement)| database.is_unseen(&statement.text));
    unseen.next().map(|(file, statement)| At::new(&file.name, statement.line))
}
