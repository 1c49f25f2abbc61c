//! Whether a history at which the embedded PostgreSQL stopped may run on the programs of this machine.
//!
//! The embedded one is a sandbox: it has no programs, no files, no network. A history leaves it unasked only for what it
//! *lacks*, never for what it *refuses*, and never if anything in the history would reach for the machine once it is out.

use super::words::comment_end;
use super::{ReplayError, ReplayFailure, ReplayFile, ReplayStatement, Settings};
use crate::At;
use crate::scratch::gate::{self, Found, Reach};

/// What the embedded PostgreSQL lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// An extension; or it broke off, or didn't start.
    Part,
    /// A feature that it was built without, such as ICU.
    Feature,
    /// Syntax that came after its version.
    Syntax,
    /// A collation or another thing that PostgreSQL comes with.
    Object,
    /// Handlers that catch an error inside a block.
    Handlers,
    /// As deep a stack as others have.
    Depth,
    /// It failed by itself.
    Internal,
}

/// What it lacks, if it was for that that a replay stopped; by SQLSTATE, not by words.
pub(super) fn of(error: &ReplayError, sets: &[&[ReplayFile]], settings: &Settings) -> Option<Lack> {
    let failure = match error {
        ReplayError::Missing(_) => return Some(Lack::Part),
        // Refused by us, or too slow: so it would be anywhere.
        ReplayError::Unable(_) => return None,
        ReplayError::Failed(failure) => failure,
    };
    let state = failure.sqlstate.as_str();
    // What a sandbox says of files, programs and connections, which a block may have put together.
    let is_refusal = REFUSED.iter().any(|refused| state.starts_with(refused));
    if is_refusal || (INTERNAL.contains(&state) && runs_unseen(sets, settings)) {
        return None;
    }
    let by_state = match state {
        "0A000" => Some(Lack::Feature),
        "42601" => Some(Lack::Syntax),
        "42704" | "22023" => Some(Lack::Object),
        "54001" => Some(Lack::Depth),
        state if INTERNAL.contains(&state) => Some(Lack::Internal),
        _ => None,
    };
    by_state.or_else(|| catches(failure, sets, settings).then_some(Lack::Handlers))
}

/// Files that aren't there or can't be read, rights that are missing, connections that can't be made; and what was stopped.
const REFUSED: &[&str] = &["58", "42501", "08", "57"];
/// Errors inside PostgreSQL: so it calls a program that can't be started, too.
const INTERNAL: &[&str] = &["XX000", "XX001", "XX002"];

/// Whether anything in the history runs what can't be read before, or may itself be what was stopped.
fn runs_unseen(sets: &[&[ReplayFile]], settings: &Settings) -> bool {
    let files = settings.prelude.iter().chain(sets.iter().flat_map(|set| set.iter()));
    files.flat_map(|file| &file.statements).any(|statement| {
        let reading = gate::read(&statement.text);
        !reading
            .is_ok_and(|reading| !reading.is_unseen && reading.found.iter().all(|found| !found.reach.stays_inside()))
    })
}

/// Whether a statement that failed may have failed inside a block with handlers: its own, or that of a function before it.
fn catches(failure: &ReplayFailure, sets: &[&[ReplayFile]], settings: &Settings) -> bool {
    let all = sets.iter().flat_map(|set| set.iter()).chain(&settings.prelude);
    all.filter(|file| file.name == failure.file || defines_handlers(file))
        .flat_map(|file| &file.statements)
        .any(|statement| has_handlers(&statement.text))
}

fn defines_handlers(file: &ReplayFile) -> bool {
    file.statements.iter().any(|s| s.text[comment_end(&s.text)..].to_lowercase().starts_with("create"))
}

fn has_handlers(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("exception") && text.contains("when")
}

/// What a statement reaches for that is kept in the sandbox, and where.
pub(super) fn reach(statement: &ReplayStatement) -> Option<Found> {
    let found = gate::read(&statement.text).ok()?.found;
    found.into_iter().find(|found| found.reach.stays_inside())
}

/// The first statement that would reach for the machine, and what for.
pub(super) fn outward(sets: &[&[ReplayFile]], settings: &Settings) -> Option<(At, Reach)> {
    let files = settings.prelude.iter().chain(sets.iter().flat_map(|set| set.iter()));
    files.flat_map(|file| file.statements.iter().map(move |s| (file, s))).find_map(|(file, statement)| {
        let found = reach(statement)?;
        let line = statement.line + statement.text.get(..found.at).map_or(0, |text| text.matches('\n').count());
        Some((At::new(&file.name, line), found.reach))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn file(texts: &[&str]) -> Vec<ReplayFile> {
        let statement = |text: &&str| ReplayStatement { line: 1, text: text.to_string(), copy_data: None };
        let statements = texts.iter().map(statement).collect();
        vec![ReplayFile { name: "1.sql".into(), statements, ..ReplayFile::default() }]
    }

    fn lack(sqlstate: &str, texts: &[&str]) -> Option<Lack> {
        let failure = ReplayFailure { file: "1.sql".into(), sqlstate: sqlstate.into(), ..ReplayFailure::default() };
        of(&ReplayError::Failed(Box::new(failure)), &[&file(texts)], &Settings::default())
    }

    #[test]
    fn only_what_is_missing_is_lacked() {
        assert_eq!(lack("0A000", &[]), Some(Lack::Feature));
        assert_eq!(lack("54001", &[]), Some(Lack::Depth));
        let block = "DO $$ BEGIN x; EXCEPTION WHEN others THEN y; END $$";
        assert_eq!(lack("23505", &[block]), Some(Lack::Handlers));
        assert_eq!(lack("23505", &["INSERT INTO t VALUES (1)"]), None);
        // Refused: rights, files, programs, connections; and the history's own mistakes.
        for state in ["42501", "58P01", "58030", "57014", "08001", "42P01", "42883", "42723"] {
            assert_eq!(lack(state, &["SELECT 1"]), None, "{state}");
        }
        let dynamic = "DO $$ BEGIN EXECUTE 'COPY t TO PRO' || 'GRAM ''id'''; EXCEPTION WHEN others THEN RAISE; END $$";
        assert_eq!((lack("XX000", &[dynamic]), lack("XX000", &["SELECT 1"])), (None, Some(Lack::Internal)));
        let escaped = "DO E'BEGIN \\x45XECUTE ''COPY t TO PRO'' || ''GRAM id''; END'";
        assert_eq!((lack("XX000", &[escaped]), lack("58P01", &[block])), (None, None));
        let of = |error: ReplayError| of(&error, &[], &Settings::default());
        assert_eq!(of(ReplayError::Missing(Error::new("no extension"))), Some(Lack::Part));
        assert_eq!(of(ReplayError::Unable(Error::new("refused"))), None);
    }

    #[test]
    fn what_reaches_out_has_its_line() {
        let set = file(&["SELECT 1", "-- now\nSELECT 1,\n  pg_read_file('/etc/passwd')"]);
        let (at, outside) = outward(&[&set], &Settings::default()).unwrap();
        assert_eq!((at, outside), (At::new("1.sql", 3), Reach::File("pg_read_file()".into())));
        assert_eq!(outward(&[&file(&["CREATE TABLE t (a int)"])], &Settings::default()), None);
    }
}
