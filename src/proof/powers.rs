//! What a history may do where it is replayed. All of it passes the gate before the first statement runs.
//!
//! A statement that is put together at run time may be anything, and who replays as a superuser may do anything: start programs, and
//! on a server of others end their sessions. So a history with such a statement replays as a role that owns its scratch database and
//! can't leave it. Whether that suffices is tried once. If not, somebody must ask for it: on a server by trusting the history, on this
//! machine by naming it as the place.

use super::mode::ROWS;
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

/// What becomes of a history that runs what can't be read before, and needs the powers of a superuser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needy {
    /// It is refused.
    Refused,
    /// It has them, and that is said: the user named the place.
    Told,
}

/// Lowers the powers of replays where a set runs what can't be read before, unless the history is trusted. Gives what the user should
/// know of it.
///
/// # Errors
/// When a set needs more than it may have, with the place of the statement that does, and of the one that can't be read.
pub(super) fn suffice(
    sets: &[&[ReplayFile]],
    settings: &Settings,
    database: &Database,
    is_trusted: bool,
    needy: Needy,
) -> Result<Option<String>> {
    let Some(unseen) = first_unseen(sets, settings, database).filter(|_| !is_trusted) else { return Ok(None) };
    database.lower(true);
    let settings = Settings { database: database.clone(), ..settings.clone() };
    for set in sets {
        let Err(ReplayError::Failed(failure)) = replay_as(ROWS, "probe", set, &settings, &Silent) else { continue };
        if failure.sqlstate != FORBIDDEN {
            continue;
        }
        let at = At::new(&failure.file, failure.line);
        if needy == Needy::Refused {
            let message = format!("{}, and {unseen} runs what can't be read before", failure.message);
            return Err(Error::new(message).at(at).hint(HINT));
        }
        database.lower(false);
        return Ok(Some(format!(
            "{unseen} runs what can't be read before, and the history ran with the powers of a superuser in a cluster of its own, since \
             {at} needs them ({})",
            failure.message
        )));
    }
    Ok(None)
}

const HINT: &str = "a history of which nobody knows what it will run has no powers on a server of others, nor on this machine unless \
    that is asked for, and this one needs some: --scratch embedded runs it where there is nothing to reach, --scratch local with a \
    superuser's powers on this machine; or, if you trust it with all that the server has, --trusted reach";

/// The place of the first statement that runs what is put together only then.
fn first_unseen(sets: &[&[ReplayFile]], settings: &Settings, database: &Database) -> Option<At> {
    let files = settings.prelude.iter().chain(sets.iter().flat_map(|set| set.iter()));
    let statements = files.flat_map(|file| file.statements.iter().map(move |statement| (file, statement)));
    let mut unseen = statements.filter(|(_, statement)| database.is_unseen(&statement.text));
    unseen.next().map(|(file, statement)| At::new(&file.name, statement.line))
}
