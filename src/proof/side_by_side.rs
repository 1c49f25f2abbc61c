//! Two sets side by side, each on a scratch database of its own, and in a world of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, mpsc};

use super::mode::{Mode, ROWS, STRICT, SURVEY};
use super::replay::{isolated, joined, needs, replay_for};
use super::{Progress, ReplayError, ReplayFile, Settings, Snapshot, TableRows, Touched};

/// Replays two sets.
pub fn replay_both(
    old: &[ReplayFile],
    new: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> (Result<Snapshot, ReplayError>, Result<Snapshot, ReplayError>) {
    // Both databases hold the same ready, so that neither set sees another world.
    let needs = &needs(&[old, new], settings);
    std::thread::scope(|scope| {
        let other =
            crate::stack::spawn(scope, move || replay_for("new", new, settings, needs, STRICT.away(), progress));
        let one = isolated(|| replay_for("old", old, settings, needs, STRICT, progress));
        (one, joined(other))
    })
}

/// Does two things at once, each on a thread of its own.
pub(super) fn both<T: Send>(
    one: impl FnOnce() -> Result<T, ReplayError> + Send,
    other: impl FnOnce() -> Result<T, ReplayError> + Send,
) -> Result<[T; 2], ReplayError> {
    std::thread::scope(|scope| {
        let (one, other) = (crate::stack::spawn(scope, one), crate::stack::spawn(scope, other));
        let (one, other) = (joined(one), joined(other));
        Ok([one?, other?])
    })
}

/// Names a set that is worth more than the one that is being surveyed, by what the statements of the old one touched.
pub type Better<'a> = dyn Fn(&Touched) -> Option<Vec<ReplayFile>> + Sync + 'a;

/// What came of an old set and of a new one.
#[derive(Debug)]
pub struct Tried {
    /// The replay of the old set.
    pub old: Result<Snapshot, ReplayError>,
    /// The survey of the new one, or of the better one.
    pub new: Result<Snapshot, ReplayError>,
    /// The rows of a second replay of the old set, if there was time for one.
    pub again: Option<Snapshot>,
}

/// Replays one set and surveys another. `better` is asked as soon as the statements of the old one have run: what it names is
/// surveyed instead. If the old set fails, the survey is called off. What the old side has to spare then goes into a second
/// replay of its rows, unless they came out alike.
pub fn replay_and_survey(
    old: &[ReplayFile],
    new: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
    better: &Better<'_>,
) -> Tried {
    let needs = &needs(&[old, new], settings);
    let (stale, idle) = (&AtomicBool::new(false), &AtomicBool::new(false));
    let (old_rows, new_rows) = (&OnceLock::new(), &OnceLock::new());
    let (tell, told) = mpsc::channel::<Vec<ReplayFile>>();
    std::thread::scope(|scope| {
        let other = crate::stack::spawn(scope, move || {
            let survey =
                |files: &[ReplayFile], mode: Mode<'_>| replay_for("new", files, settings, needs, mode.away(), progress);
            let first = survey(new, SURVEY.until(stale));
            let Ok(files) = told.recv() else { return first };
            let seen = survey(&files, SURVEY);
            let rows = seen.as_ref().map(filled).unwrap_or_default();
            idle.store(old_rows.get() == Some(&rows), Ordering::Relaxed);
            // Nobody else says so.
            let _ = new_rows.set(rows);
            seen
        });
        let one = crate::stack::spawn(scope, move || {
            let listener = |touched: &Touched| {
                if let Some(files) = better(touched) {
                    stale.store(true, Ordering::Relaxed);
                    // If the other side broke off, it tells so itself.
                    let _ = tell.send(files);
                }
            };
            replay_for("old", old, settings, needs, STRICT.heard_by(&listener), progress)
        });
        let one = joined(one);
        if one.is_err() {
            // Nobody compares anything with it.
            stale.store(true, Ordering::Relaxed);
        }
        let rows = one.as_ref().map(filled).unwrap_or_default();
        let spare = stale.load(Ordering::Relaxed) && !rows.is_empty() && new_rows.get() != Some(&rows);
        let _ = old_rows.set(rows);
        let again = || replay_for("old again", old, settings, needs, ROWS.away().until(idle), progress);
        let again = spare.then(|| isolated(again).ok()).flatten();
        Tried { old: one, new: joined(other), again }
    })
}

/// The tables that hold rows.
fn filled(snapshot: &Snapshot) -> Vec<TableRows> {
    snapshot.rows.iter().filter(|table| !table.rows.is_empty()).cloned().collect()
}
