//! Which sequences stand where a statement put them, and not only where rows that drew from them left them.
//!
//! A position that came from rows may start afresh when the rows are gone; one that a statement says (`setval`, RESTART, a
//! START that came late) may not. After each statement that may say one, PostgreSQL is asked where the sequences stand that
//! the statement is about. What can't be told from outside counts as said: then the position must be the same.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::SequencePosition;
use super::session::{Session, TextRow};
use super::words::{comment_end, words};
use crate::Result;

/// How a statement may say a position.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    /// Of the sequences that it names, or whose tables it names.
    Named,
    /// Of any: it is a program.
    Any,
    /// Later, when what it defines is used.
    Later,
}

/// What the statements of a replay said of positions.
#[derive(Debug, Default)]
pub(super) struct Positions {
    /// By the numbers of sequences: whether such a statement left it as if it had just been made.
    said: HashMap<String, bool>,
    /// Definitions by which a position may be said at any time.
    programs: Vec<String>,
}

impl Positions {
    /// Hears a statement that has just run.
    pub fn hear(&mut self, session: &mut Session, text: &str) -> Result<()> {
        let Some(says) = says(text) else { return Ok(()) };
        if says == Says::Later {
            self.programs.push(text.to_string());
            return Ok(());
        }
        let mut about = sequences(session, (says == Says::Named).then_some(text))?;
        if about.is_empty() {
            // Its name is put together, or comes out of a query.
            about = sequences(session, None)?;
        }
        for (number, fresh) in about {
            // A program may not have spoken of it at all: then what was said before still holds.
            let known = says == Says::Any && self.said.get(&number) == Some(&false);
            self.said.insert(number, fresh && !known);
        }
        Ok(())
    }

    /// Says of each sequence whether a statement put it where it stands.
    pub fn settle(&self, sequences: &mut [SequencePosition]) {
        let named = |text: &str, sequence: &SequencePosition| {
            let table = sequence.owned_by.as_ref().map(|(_, table)| table.as_str());
            names(text, &sequence.name) || table.is_some_and(|table| names(text, table))
        };
        let of_any = |text: &&String| is_dynamic(text) || !sequences.iter().any(|s| named(text, s));
        let any = self.programs.iter().any(|text| of_any(&text));
        for sequence in sequences {
            let fresh = sequence.is_fresh();
            // Rows only ever call for the next number.
            let moved = !sequence.is_called && !fresh;
            let by_program = any || self.programs.iter().any(|text| named(text, sequence));
            let by_statement = match self.said.get(&sequence.number) {
                Some(false) => true,
                Some(true) => fresh,
                None => false,
            };
            sequence.is_stated = moved || by_program || by_statement;
        }
    }
}

/// The numbers of the sequences that a text names, or whose tables it names, or of all; and whether each stands where it stood
/// when it was made.
fn sequences(session: &mut Session, named_in: Option<&str>) -> Result<Vec<(String, bool)>> {
    let mut found = session.rows(
        "SELECT c.oid, c.relname, coalesce(t.relname, ''), s.seqstart, pg_catalog.format('%I.%I', n.nspname, c.relname),
            pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
            AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_catalog.pg_class'::regclass
        LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
        WHERE c.relpersistence <> 't'",
    )?;
    let cell = |row: &TextRow, i: usize| row.get(i).cloned().flatten().unwrap_or_default();
    if let Some(text) = named_in {
        found.retain(|row| [1, 2].into_iter().any(|i| names(text, &cell(row, i))));
    }
    // The role of the moment may not look at some: they count as moved.
    let (open, closed): (Vec<TextRow>, Vec<TextRow>) = found.into_iter().partition(|row| cell(row, 5) == "t");
    let mut about: Vec<(String, bool)> = closed.iter().map(|row| (cell(row, 0), false)).collect();
    for batch in open.chunks(super::snapshot::BATCH) {
        let ask = |row: &TextRow| {
            let (number, start, name) = (cell(row, 0), cell(row, 3), cell(row, 4));
            format!("SELECT {number}, NOT is_called AND last_value = {start} FROM {name}")
        };
        let asks: Vec<String> = batch.iter().map(ask).collect();
        let answers = session.rows(&asks.join(" UNION ALL "))?;
        about.extend(answers.iter().map(|row| (cell(row, 0), cell(row, 1) == "t")));
    }
    Ok(about)
}

/// Whether a statement may say where a sequence stands, and of which.
fn says(text: &str) -> Option<Says> {
    let bare = &text[comment_end(text)..];
    let calls = matches(&SETVAL, bare);
    let restarts = matches(&RESTART, bare);
    if !calls && !restarts {
        return None;
    }
    let mut words = words(bare).filter(|word| !["or", "replace", "unlogged", "if", "not", "exists"].contains(&&**word));
    match words.next()?.as_str() {
        "select" | "with" | "insert" | "update" | "delete" | "merge" | "values" | "explain" => {
            calls.then_some(Says::Named)
        }
        "truncate" => Some(Says::Named),
        "alter" if !calls => Some(Says::Named),
        "create" if !calls && matches!(words.next()?.as_str(), "table" | "sequence") => Some(Says::Named),
        "create" | "alter" => Some(Says::Later),
        "do" if !is_dynamic(bare) => Some(Says::Named),
        "do" | "call" | "prepare" | "execute" => Some(Says::Any),
        _ => None,
    }
}

static SETVAL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\bsetval\b").ok());

static RESTART: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let restart = r"\b(?:create|alter|truncate)\b.*\brestart\b";
    let start = r"\balter\s+sequence\b[^;]*\bstart\b|\bset\s+start\b";
    Regex::new(&format!("(?is){restart}|{start}")).ok()
});

static DYNAMIC: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b(?:execute|loop|pg_get_serial_sequence|regclass)\b").ok());

fn matches(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    // Without the pattern nothing could be told.
    pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
}

/// Whether a program puts statements or names together when it runs.
fn is_dynamic(text: &str) -> bool {
    matches(&DYNAMIC, text)
}

/// Whether a text has a name as a word of its own, in whatever case.
fn names(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    let part = |c: char| c.is_alphanumeric() || c == '_';
    !name.is_empty()
        && text
            .match_indices(&name)
            .any(|(at, _)| !text[..at].ends_with(part) && !text[at + name.len()..].starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_may_say_a_position_are_known() {
        assert_eq!(says("-- all\nSELECT pg_catalog.setval('s', 5, true)"), Some(Says::Named));
        assert_eq!(says("ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY (RESTART 5)"), Some(Says::Named));
        assert_eq!(says("create table t (id int generated always as identity (restart 5))"), Some(Says::Named));
        assert_eq!(says("ALTER SEQUENCE s INCREMENT 2 START WITH 7"), Some(Says::Named));
        assert_eq!(says("TRUNCATE t RESTART IDENTITY"), Some(Says::Named));
        assert_eq!(says("DO $$ BEGIN EXECUTE 'ALTER SEQUENCE ' || 's' || ' RESTART'; END $$"), Some(Says::Any));
        assert_eq!(says("DO $$ BEGIN PERFORM setval('s', 5); END $$"), Some(Says::Named));
        assert_eq!(says("CREATE OR REPLACE FUNCTION f() RETURNS void AS 'SELECT setval(1)'"), Some(Says::Later));
        assert_eq!(says("ALTER TABLE t ALTER a SET DEFAULT setval('s', 5)"), Some(Says::Later));
        assert_eq!(says("INSERT INTO t VALUES ('restart')"), None);
        assert_eq!(says("COMMENT ON TABLE t IS 'alter and restart, or setval'"), None);
        assert_eq!(says("ALTER TABLE t ADD restarts int, ADD start int"), None);
    }

    #[test]
    fn a_name_is_a_word() {
        assert!(names("SELECT setval('public.\"T_id_seq\"', 5)", "T_id_seq"));
        assert!(!names("SELECT setval('t_id_seq', 5)", "id_seq"));
    }

    #[test]
    fn what_rows_alone_gave_is_not_said() {
        let at = |number: &str, last_value: i64, is_called: bool| SequencePosition {
            number: number.into(),
            name: format!("s{number}"),
            last_value: Some(last_value),
            start: Some(1),
            is_called,
            ..SequencePosition::default()
        };
        let mut heard = Positions::default();
        heard.said.extend([("1".to_string(), false), ("2".to_string(), true), ("3".to_string(), true)]);
        let mut all = [at("1", 9, true), at("2", 9, true), at("3", 1, false), at("4", 9, true), at("5", 9, false)];
        heard.settle(&mut all);
        assert_eq!(all.each_ref().map(|s| s.is_stated), [true, false, true, false, true]);
        heard.programs.push("CREATE FUNCTION f() RETURNS void AS 'SELECT setval(''s4'', 1)'".into());
        heard.settle(&mut all);
        assert_eq!(all.each_ref().map(|s| s.is_stated), [true, false, true, true, true]);
    }
}
