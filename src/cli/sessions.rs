//! A history that replays only if each of its files has a session of its own, as when each was run when it was new.

use crate::history::History;
use crate::history::layout::Between;
use crate::proof::ReplayError;

/// Whether a history may have failed only for what its files leave in the one session that its tool uses: then the same
/// history with a session for each file, and what to say if that is what replays.
pub fn apart(history: &History, error: &ReplayError) -> Option<(History, String)> {
    let ReplayError::Failed(failure) = error else { return None };
    let left: Vec<&str> = failure.left.settings.keys().map(String::as_str).collect();
    if failure.in_prelude || left.is_empty() || history.between == Between::NewSession {
        return None;
    }
    let note = format!(
        "each file of the history was replayed in a session of its own, as if it had been run when it was new: in one \
         session {}:{} fails ({}), and files before it leave {} changed",
        failure.file,
        failure.line,
        failure.message,
        left.join(", ")
    );
    Some((History { between: Between::NewSession, ..history.clone() }, note))
}
