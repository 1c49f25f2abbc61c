//! Runs a set on a scratch database, statement by statement, as its migration tool would.

use std::sync::LazyLock;
use std::time::Instant;

use regex::Regex;

use super::session::{OWN_AUTHORIZATION, Refusal, Session};
use super::snapshot::{self, Want};
use super::{Prelude, Progress, ReplayError, ReplayFailure, ReplayFile, ReplayStatement, Settings, Snapshot};
use crate::scratch::{self, Needs, embedded::panic_text, extensions};
use crate::{At, Error};

/// Replays a set on a scratch database of its own and tells everything that came out.
pub fn replay(
    side: &str,
    files: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Snapshot, ReplayError> {
    let needs = needs(&[files], settings);
    isolated(|| replay_for(side, files, settings, &needs, Want::Everything, progress))
}

/// Replays two sets side by side, each on a scratch database of its own.
pub fn replay_both(
    old: &[ReplayFile],
    new: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> (Result<Snapshot, ReplayError>, Result<Snapshot, ReplayError>) {
    // Both databases hold the same ready, so that neither set sees another world.
    let needs = &needs(&[old, new], settings);
    std::thread::scope(|scope| {
        let other = scope.spawn(move || replay_for("new", new, settings, needs, Want::Everything, progress));
        let one = isolated(|| replay_for("old", old, settings, needs, Want::Everything, progress));
        (one, joined(other))
    })
}

/// Replays a set for its rows only, to learn which of them differ from run to run.
pub(super) fn replay_rows(
    side: &str,
    files: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Snapshot, ReplayError> {
    let needs = needs(&[files], settings);
    isolated(|| replay_for(side, files, settings, &needs, Want::Rows, progress))
}

/// Runs work on a thread of its own, so that it may block whoever calls, and so that a panic is an error.
pub(super) fn isolated<T: Send>(work: impl FnOnce() -> Result<T, ReplayError> + Send) -> Result<T, ReplayError> {
    std::thread::scope(|scope| joined(scope.spawn(work)))
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T, ReplayError>>) -> Result<T, ReplayError> {
    thread
        .join()
        .unwrap_or_else(|panic| Err(Error::new(format!("the scratch database failed: {}", panic_text(&*panic))).into()))
}

/// What the scratch database must hold ready for sets.
fn needs(sets: &[&[ReplayFile]], settings: &Settings) -> Needs {
    let files = sets.iter().flat_map(|set| set.iter()).chain(&settings.prelude);
    let texts = files.flat_map(|file| &file.statements).map(|statement| statement.text.as_str());
    let platforms = settings.platforms.iter().flat_map(|platform| platform.files).map(|(_, sql)| *sql);
    let texts = texts.chain(platforms);
    Needs { extensions: extensions::named(texts), stand_ins: settings.stand_ins.clone() }
}

fn replay_for(
    side: &str,
    files: &[ReplayFile],
    settings: &Settings,
    needs: &Needs,
    want: Want,
    progress: &dyn Progress,
) -> Result<Snapshot, ReplayError> {
    let begun = Instant::now();
    progress.step(side, "start", 0, files.len());
    let scratch = scratch::open(needs)?;
    let session = Session::open(scratch.url())?;
    let mut run = Run { session, in_prelude: true, sticky: false, placed: false, notes: Vec::new() };
    for platform in &settings.platforms {
        run.platform(platform)?;
    }
    for (index, file) in settings.prelude.iter().enumerate() {
        run.file(index, file)?;
    }
    run.in_prelude = false;
    run.new_session()?;
    let mut touched = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        progress.step(side, "replay", index, files.len());
        if index > 0 && !settings.one_session {
            run.new_session()?;
        }
        touched.push(run.file(index, file)?);
    }
    progress.step(side, "look", files.len(), files.len());
    let Run { mut session, notes, .. } = run;
    let mut snapshot = snapshot::take(&mut session, &*scratch, want)?;
    drop(session);
    scratch.stop()?;
    let texts = settings.prelude.iter().chain(files).flat_map(|f| &f.statements).map(|s| s.text.as_str());
    let texts: Vec<&str> = texts.collect();
    snapshot.stand_ins = extensions::substitutes_named(texts.iter().copied(), &settings.stand_ins, &needs.extensions);
    for platform in &settings.platforms {
        let functions: Vec<_> = platform.substitutes.iter().map(|function| (platform.name, *function)).collect();
        snapshot.stand_ins.extend(extensions::named_in(texts.iter().copied(), &functions));
    }
    snapshot.touched = touched;
    snapshot.notes.extend(notes);
    snapshot.seconds = begun.elapsed().as_secs_f64();
    Ok(snapshot)
}

/// A replay under way.
struct Run {
    session: Session,
    in_prelude: bool,
    /// Whether settings were made that only a new connection sees.
    sticky: bool,
    /// Whether such settings were made at any time before.
    placed: bool,
    notes: Vec<String>,
}

/// The search_path that ALTER ROLE and ALTER DATABASE keep for new connections, the most particular one last. The embedded
/// PostgreSQL is started with a search_path on its command line, which would win over them.
const KEPT_SEARCH_PATH: &str = "SELECT set_config('search_path', substr(setting, length('search_path=') + 1), false)
    FROM (SELECT setting FROM pg_db_role_setting s, unnest(s.setconfig) setting
        WHERE setting LIKE 'search\\_path=%'
            AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
            AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        ORDER BY setrole <> 0, setdatabase <> 0) kept";

/// Why a file stopped: which statement, and what PostgreSQL said.
type Stop = (usize, Refusal);

impl Run {
    /// Gives the next file what a new connection of the migration tool would have.
    fn new_session(&mut self) -> Result<(), ReplayError> {
        if std::mem::take(&mut self.sticky) {
            self.session.reopen()?;
            self.placed = true;
        } else {
            self.session.forget()?;
        }
        if self.placed {
            self.session.must_run(KEPT_SEARCH_PATH)?;
        }
        Ok(())
    }

    /// Runs a prelude that comes with the tool, each of its files at once.
    fn platform(&mut self, platform: &Prelude) -> Result<(), ReplayError> {
        for (name, sql) in platform.files {
            self.session.run(sql).map_err(|refusal| {
                let at = refusal.position.map_or(1, |position| line_at(sql, position));
                Error::new(format!("the prelude {} failed: {}", platform.name, refusal.message)).at(At::new(*name, at))
            })?;
        }
        self.sticky = true;
        self.new_session()
    }

    /// Runs a file and says how many rows each of its statements touched.
    fn file(&mut self, index: usize, file: &ReplayFile) -> Result<Vec<Option<u64>>, ReplayError> {
        self.sticky |= file.statements.iter().any(|statement| sets_for_later(&statement.text));
        let own_words = file.statements.iter().any(|statement| transaction_word(&statement.text).is_some());
        let alone = file.statements.iter().find(|statement| runs_alone(&statement.text));
        if let Some(statement) = alone.filter(|_| file.in_transaction) {
            // Known beforehand: a rollback wouldn't give back the numbers that sequences gave out.
            self.notes.push(format!(
                "{}:{} can't run inside a transaction; the file was replayed outside of one",
                file.name, statement.line
            ));
        }
        let in_transaction = file.in_transaction && !own_words && alone.is_none();
        let mut outcome = if in_transaction { self.wrapped(file) } else { self.bare(file) };
        if let (true, Err((at, refusal))) = (in_transaction, &outcome)
            && refusal.wants_no_transaction()
        {
            let line = line_of(file, *at, refusal);
            self.notes.push(format!(
                "{}:{line} can't run inside a transaction ({}); the file was replayed outside of one",
                file.name, refusal.message
            ));
            outcome = self.bare(file);
        }
        outcome.map_err(|(at, refusal)| self.failure(index, file, at, refusal))
    }

    /// Runs a file inside a transaction.
    fn wrapped(&mut self, file: &ReplayFile) -> Result<Vec<Option<u64>>, Stop> {
        self.session.run("BEGIN").map_err(|refusal| (0, refusal))?;
        let outcome = self.statements(file);
        match outcome {
            Ok(touched) => {
                self.session.run("COMMIT").map_err(|refusal| (file.statements.len(), refusal))?;
                Ok(touched)
            }
            Err((at, refusal)) => {
                // If the connection broke there is nothing left to roll back, and the refusal says why.
                let _ = self.session.run("ROLLBACK");
                Err((at, refusal))
            }
        }
    }

    /// Runs a file as it stands. A transaction that it leaves open ends with the tool's connection.
    fn bare(&mut self, file: &ReplayFile) -> Result<Vec<Option<u64>>, Stop> {
        let touched = self.statements(file)?;
        let mut words = file.statements.iter().filter_map(|statement| transaction_word(&statement.text));
        if words.next_back() == Some(Word::Opens) {
            self.notes.push(format!("{} leaves its transaction open; it was rolled back", file.name));
            self.session.run("ROLLBACK").map_err(|refusal| (file.statements.len(), refusal))?;
        }
        Ok(touched)
    }

    fn statements(&mut self, file: &ReplayFile) -> Result<Vec<Option<u64>>, Stop> {
        let mut touched = Vec::with_capacity(file.statements.len());
        for (index, statement) in file.statements.iter().enumerate() {
            touched.push(self.statement(statement).map_err(|refusal| (index, refusal))?);
        }
        Ok(touched)
    }

    fn statement(&mut self, statement: &ReplayStatement) -> Result<Option<u64>, Refusal> {
        match &statement.copy_data {
            Some(data) => self.session.copy_in(&statement.text, data).map(Some),
            None => {
                let Some(rows) = self.guarded(&statement.text)? else { return Ok(None) };
                if gives_back_session(&statement.text) {
                    self.session.run(OWN_AUTHORIZATION)?;
                }
                Ok(counts_rows(&statement.text).then_some(rows))
            }
        }
    }

    /// Runs a statement; an error that one of its own idle handlers would catch takes back the statement and no more.
    fn guarded(&mut self, sql: &str) -> Result<Option<u64>, Refusal> {
        let Some((plain, states)) = super::guards::without_handlers(sql) else {
            return self.session.run(sql).map(Some);
        };
        // Outside a transaction there is no savepoint, and none is needed.
        let inside = self.session.run("SAVEPOINT consolidate_guard").is_ok();
        match self.session.run(&plain) {
            Err(refusal) if super::guards::catches(&states, &refusal.sqlstate) => {
                if inside {
                    self.session.run("ROLLBACK TO SAVEPOINT consolidate_guard")?;
                }
                Ok(None)
            }
            other => {
                if inside && other.is_ok() {
                    self.session.run("RELEASE SAVEPOINT consolidate_guard")?;
                }
                other.map(Some)
            }
        }
    }

    fn failure(&self, file_index: usize, file: &ReplayFile, at: usize, refusal: Refusal) -> ReplayError {
        let line = line_of(file, at, &refusal);
        if refusal.sqlstate.is_empty() {
            let error = Error::new(format!("the scratch database broke off: {}", refusal.message));
            let hint = "the statement may be more than the embedded PostgreSQL can take";
            return error.at(At::new(&file.name, line)).hint(hint).into();
        }
        if let Some(extension) = missing_extension(&refusal) {
            let error = Error::new(format!("the scratch database has no extension {extension}"));
            let hint = format!(
                "the embedded PostgreSQL can't load {extension}: leave the history as it is, or put what the migrations \
                 use of it (types, functions) into a prelude and take the CREATE EXTENSION out of a copy of the history"
            );
            return error.at(At::new(&file.name, line)).hint(hint).into();
        }
        ReplayError::Failed(Box::new(ReplayFailure {
            file: file.name.clone(),
            line,
            file_index,
            statement_index: at,
            message: refusal.message,
            sqlstate: refusal.sqlstate,
            detail: refusal.detail,
            hint: refusal.hint.or_else(|| uncaught(&file.statements, at)),
            in_prelude: self.in_prelude,
        }))
    }
}

/// A hint where a full PostgreSQL might have caught the error.
fn uncaught(statements: &[ReplayStatement], at: usize) -> Option<String> {
    let text = statements.get(at)?.text.to_lowercase();
    let catches = text.contains("exception") && text.contains("when") && text.trim_start().starts_with("do");
    catches.then(|| {
        "the embedded PostgreSQL can't catch errors inside a block, only follow handlers that do nothing; \
         a full PostgreSQL may well run this statement"
            .to_string()
    })
}

/// Whether PostgreSQL refuses the statement inside a transaction block, whatever the database holds.
fn runs_alone(sql: &str) -> bool {
    static ALONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let words = r"(?is)^\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:(?:create\s+(?:unique\s+)?|drop\s+|re)index\s+(?:\w+\s+)?concurrently\b|vacuum\b)";
        Regex::new(words).ok()
    });
    ALONE.as_ref().is_some_and(|alone| alone.is_match(sql))
}

/// What a statement does to the transaction around it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    Opens,
    Closes,
}

/// Whether a statement opens or closes a transaction.
fn transaction_word(text: &str) -> Option<Word> {
    let mut words = words(text);
    match words.next()?.as_str() {
        "begin" => Some(Word::Opens),
        "start" => (words.next()? == "transaction").then_some(Word::Opens),
        "rollback" => {
            let mut rest = words.filter(|word| word != "work" && word != "transaction");
            (rest.next().as_deref() != Some("to")).then_some(Word::Closes)
        }
        "commit" | "end" | "abort" => Some(Word::Closes),
        "prepare" => (words.next()? == "transaction").then_some(Word::Closes),
        _ => None,
    }
}

/// Whether a statement gives the session back to who logged in.
fn gives_back_session(text: &str) -> bool {
    let words = words(text).take(5).collect::<Vec<_>>().join(" ");
    let begins = ["reset session authorization", "reset session_authorization", "discard all"];
    let is = ["set session authorization default", "set session session authorization default"];
    begins.iter().any(|begin| words.starts_with(begin)) || is.contains(&words.as_str())
}

/// Whether a statement changes what later connections find, such as a role's search_path.
fn sets_for_later(text: &str) -> bool {
    static ALTER: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?is)\balter\s+(role|user|database)\b.*\b(set|reset)\b").ok());
    ALTER.as_ref().is_some_and(|alter| alter.is_match(text))
}

/// Whether the row count that PostgreSQL reports is the number of rows that the statement touched.
///
/// After WITH it is so only if the last part writes and no other part does.
fn counts_rows(text: &str) -> bool {
    let writes = |word: &str| ["insert", "update", "delete", "merge"].contains(&word);
    match words(text).next().as_deref() {
        Some("with") => {
            let mut depth = 0_i32;
            let (mut outer, mut inner) = (None, false);
            for word in tokens(text) {
                match word.as_str() {
                    "(" => depth += 1,
                    ")" => depth -= 1,
                    _ if writes(&word) && depth > 0 => inner = true,
                    _ if depth == 0 && outer.is_none() && (writes(&word) || word == "select") => outer = Some(word),
                    _ => {}
                }
            }
            !inner && outer.is_some_and(|word| writes(&word))
        }
        Some("copy") => true,
        Some(word) => writes(word),
        None => false,
    }
}

/// The words of a statement in lower case, without leading comments.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let bare = &text[comment_end(text)..];
    let words = bare.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

/// Words and parentheses of a statement, in lower case.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text[comment_end(text)..].chars().chain([' ']) {
        if c.is_alphanumeric() || c == '_' {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if c == '(' || c == ')' {
            tokens.push(c.to_string());
        }
    }
    tokens
}

/// Where the comments and blanks at the start of a text end.
fn comment_end(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start().len();
        let rest = &rest[blank..];
        at += blank;
        if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else {
            return at;
        }
    }
}

/// The line that a refusal is about.
fn line_of(file: &ReplayFile, at: usize, refusal: &Refusal) -> usize {
    let Some(statement) = file.statements.get(at) else {
        return file.statements.last().map_or(1, |last| last.line + last.text.trim_end().matches('\n').count());
    };
    let start = match refusal.position {
        Some(position) => statement.text.char_indices().nth(position.saturating_sub(1)).map(|(i, _)| i),
        None => None,
    };
    let start = start.unwrap_or_else(|| comment_end(&statement.text));
    statement.line + statement.text[..start].matches('\n').count()
}

/// The line of a character, both from 1.
fn line_at(text: &str, position: usize) -> usize {
    text.chars().take(position.saturating_sub(1)).filter(|c| *c == '\n').count() + 1
}

/// The extension that PostgreSQL didn't find, if that is the trouble.
fn missing_extension(refusal: &Refusal) -> Option<&str> {
    let rest = refusal.message.strip_prefix("extension \"")?;
    rest.strip_suffix("\" is not available")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_words_are_statements_of_their_own() {
        assert_eq!(transaction_word("-- x\n BEGIN;"), Some(Word::Opens));
        assert_eq!(transaction_word("start transaction isolation level serializable"), Some(Word::Opens));
        assert_eq!(transaction_word("COMMIT AND CHAIN"), Some(Word::Closes));
        assert_eq!(transaction_word("ROLLBACK TO SAVEPOINT a"), None);
        assert_eq!(transaction_word("DO $$ BEGIN COMMIT; END $$"), None);
    }

    #[test]
    fn rows_count_where_the_statement_writes_them_itself() {
        assert!(counts_rows("/* a */ UPDATE t SET a = 1"));
        assert!(counts_rows("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a"));
        assert!(!counts_rows("WITH a AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM a"));
        assert!(!counts_rows("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a"));
        assert!(!counts_rows("SELECT f()"));
        assert!(!counts_rows("CREATE TABLE t AS SELECT 1"));
    }

    #[test]
    fn a_failure_points_to_the_line_it_is_about() {
        let statement = ReplayStatement { line: 10, text: "-- why\n\nSELECT\n  nothing".into(), copy_data: None };
        let file = ReplayFile { statements: vec![statement], ..ReplayFile::default() };
        assert_eq!(line_of(&file, 0, &Refusal::default()), 12);
        assert_eq!(line_of(&file, 0, &Refusal { position: Some(18), ..Refusal::default() }), 13);
        assert_eq!(line_of(&file, 1, &Refusal::default()), 13);
    }

    #[test]
    fn settings_for_later_connections_are_seen() {
        assert!(sets_for_later("DO $$ BEGIN EXECUTE 'ALTER DATABASE x SET search_path = a'; END $$"));
        assert!(!sets_for_later("SET search_path = a"));
    }
}
