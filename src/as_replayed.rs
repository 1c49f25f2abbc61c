//! A history as the judge replays it: as its tool runs it, or with a session for each of its files.

use crate::history::History;
use crate::history::layout::Between;
use crate::proof::{ReplayError, ReplayFile, ReplayStatement};

/// The history as the judge wants it.
pub fn replay_files(history: &History) -> Vec<ReplayFile> {
    history
        .files
        .iter()
        .map(|file| ReplayFile {
            name: file.name.clone(),
            before: history.between.sql().iter().map(ToString::to_string).collect(),
            new_session: history.between == Between::NewSession,
            in_transaction: file.in_transaction,
            parts: file.parts.clone(),
            statements: file
                .statements
                .clone()
                .map(|id| ReplayStatement {
                    line: history.statements[id].line,
                    text: history.text(id).to_string(),
                    copy_data: history.statements[id].piece.copy_data.clone().map(|r| file.text[r].to_string()),
                })
                .collect(),
        })
        .collect()
}

/// Whether a history may have failed only for what its files leave in the one session that its tool uses: then the same
/// history with a session for each file, and what to say if that is what replays.
pub(crate) fn apart(history: &History, error: &ReplayError) -> Option<(History, String)> {
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
