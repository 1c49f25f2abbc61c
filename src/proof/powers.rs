//! On a server of others: what a history may do that nobody can read beforehand.
//!
//! A statement that is put together at run time may be anything, and who replays as a superuser may do anything: end the sessions
//! of others, start programs. So a history with such a statement replays as a role that owns its scratch database and has no
//! power beyond. Whether that suffices is tried once. If not, only somebody who trusts the history can let it run.

use super::manner::ROWS;
use super::replay::replay_as;
use super::{Database, ReplayError, ReplayFile, Settings, Silent};
use crate::{At, Error, Result};

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
