//! What PostgreSQL says when it refuses a statement: the line that it is about, the extension that it misses.

use super::lack::reach;
use super::session::Refusal;
use super::words::comment_end;
use super::{ReplayError, ReplayFailure, ReplayFile, ReplayStatement};
use crate::scratch::gate::Found;
use crate::{At, Error};

/// Why a statement of a file stopped its replay; `whole` says whether it is a PostgreSQL as everybody has it.
pub(super) fn told(refusal: Refusal, file: &ReplayFile, at: usize, whole: bool) -> ReplayError {
    let line = line_of(file, at, &refusal);
    let at_line = |error: Error| error.at(At::new(&file.name, line));
    let missing = |what: String, hint: String| ReplayError::Missing(at_line(Error::new(what)).hint(hint));
    if refusal.is_ours {
        return ReplayError::Unable(at_line(refusal.into_error()));
    }
    if refusal.sqlstate.is_empty() {
        let hint = if whole { "the server may have crashed on this statement".into() } else { lacks("can't do this") };
        return missing(format!("the scratch database broke off: {}", refusal.message), hint);
    }
    if let Some(extension) = missing_extension(&refusal) {
        let kept = || file.statements.get(at).and_then(kept_inside);
        let hint = || kept().unwrap_or_else(|| lacks(&format!("has no {extension}")));
        let hint = if whole { format!("install {extension} for it") } else { hint() };
        let hint = format!(
            "{hint}; or put what the migrations use of it (types, functions) into a prelude, and take the CREATE EXTENSION out \
             of a copy of the history"
        );
        return missing(format!("the scratch database has no extension {extension}"), hint);
    }
    let ours = || (!whole).then(|| lacking(&refusal.sqlstate, &file.statements, at)).flatten();
    let hint = full(&refusal.sqlstate).or_else(|| refusal.hint.clone()).or_else(ours);
    ReplayError::Failed(Box::new(ReplayFailure {
        file: file.name.clone(),
        line,
        statement_index: at,
        message: refusal.message,
        sqlstate: refusal.sqlstate,
        detail: refusal.detail,
        hint,
        ..ReplayFailure::default()
    }))
}

/// What to do about something that the embedded PostgreSQL can't do.
pub(super) fn lacks(what: &str) -> String {
    format!(
        "the embedded PostgreSQL {what}; where the programs of a PostgreSQL server are on this machine, \
         --scratch local runs on those; auto does so where nothing in the history reaches outside, or could do so unseen"
    )
}

/// A hint where the embedded PostgreSQL may be to blame for a refusal: it can't catch errors inside a block, and lacks some
/// parts of PostgreSQL, and what came after its version.
pub(super) fn lacking(sqlstate: &str, statements: &[ReplayStatement], at: usize) -> Option<String> {
    let statement = statements.get(at)?;
    if let Some(kept) = kept_inside(statement) {
        return Some(format!(
            "{kept}; take it out of a copy of the history, and put what the rest needs of it into a prelude"
        ));
    }
    let text = statement.text.to_lowercase();
    if text.contains("exception") && text.contains("when") && text[comment_end(&text)..].starts_with("do") {
        return Some(lacks("can't catch errors inside a block, only follow handlers that do nothing"));
    }
    matches!(sqlstate, "0A000" | "42601" | "54001" | "XX000")
        .then(|| lacks("lacks some parts of PostgreSQL, and what came after its version"))
}

/// What helps where a disk is full: PostgreSQL's `disk_full` and `io_error`.
pub(super) fn full(sqlstate: &str) -> Option<String> {
    ["53100", "58030"].contains(&sqlstate).then(crate::scratch::room::hint)
}

/// Why a statement is tried on no other PostgreSQL, if it reaches for the machine.
pub(super) fn kept_inside(statement: &ReplayStatement) -> Option<String> {
    let Found { reach, .. } = reach(statement)?;
    Some(format!("{reach}, so --scratch auto doesn't leave the embedded PostgreSQL for it"))
}

/// The line that a refusal is about.
pub(super) fn line_of(file: &ReplayFile, at: usize, refusal: &Refusal) -> usize {
    let Some(statement) = file.statements.get(at) else {
        return file.statements.last().map_or(1, |last| last.line + last.text.trim_end().matches('\n').count());
    };
    let start = match refusal.position {
        Some(position) => statement.text.char_indices().nth(position.saturating_sub(1) as usize).map(|(i, _)| i),
        None => None,
    };
    let start = start.unwrap_or_else(|| comment_end(&statement.text));
    statement.line + statement.text[..start].matches('\n').count()
}

/// The line of a character, both from 1.
pub(super) fn line_at(text: &str, position: usize) -> usize {
    text.chars().take(position.saturating_sub(1)).filter(|c| *c == '\n').count() + 1
}

/// The extension that PostgreSQL didn't find, if that is the trouble. Before 15 it names the file that it misses.
pub(super) fn missing_extension(refusal: &Refusal) -> Option<&str> {
    if let Some(rest) = refusal.message.strip_prefix("extension \"") {
        return rest.strip_suffix("\" is not available");
    }
    let rest = refusal.message.strip_prefix("could not open extension control file \"")?;
    rest.split('"').next()?.strip_suffix(".control")?.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_extension_is_told_by_every_version() {
        let said = |message: &str| Refusal { message: message.into(), ..Refusal::default() };
        assert_eq!(missing_extension(&said("extension \"postgis\" is not available")), Some("postgis"));
        let of_14 = "could not open extension control file \"/usr/share/extension/postgis.control\": No such file";
        assert_eq!(missing_extension(&said(of_14)), Some("postgis"));
        assert_eq!(missing_extension(&said("extension \"postgis\" already exists")), None);
    }

    #[test]
    fn a_failure_points_to_the_line_it_is_about() {
        let statement = ReplayStatement { line: 10, text: "-- why\n\nSELECT\n  nothing".into(), copy_data: None };
        let file = ReplayFile { statements: vec![statement], ..ReplayFile::default() };
        assert_eq!(line_of(&file, 0, &Refusal::default()), 12);
        assert_eq!(line_of(&file, 0, &Refusal { position: Some(18), ..Refusal::default() }), 13);
        assert_eq!(line_of(&file, 1, &Refusal::default()), 13);
    }
}
