//! Runs a set on a scratch database, statement by statement, as its migration tool would.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::clock::Clock;
use super::positions::Positions;
use super::session::{OWN_AUTHORIZATION, Refusal, Session};
use super::snapshot::{self, Want};
use super::words::{
    Word, comment_end, counts_rows, gives_back_path, gives_back_session, line_at, line_of, runs_alone, sets_for_later,
    transaction_word,
};
use super::{Prelude, Progress, ReplayError, ReplayFailure, ReplayFile, ReplayStatement, Settings, Snapshot, Touched};
use crate::scratch::{Needs, Scratch, embedded::panic_text, extensions, room};
use crate::{At, Error};

/// Replays a set on a scratch database of its own and tells everything that came out.
pub fn replay(
    side: &str,
    files: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Snapshot, ReplayError> {
    let needs = needs(&[files], settings);
    isolated(|| replay_for(side, files, settings, &needs, STRICT, progress))
}

/// Replays a set, and goes on where PostgreSQL refuses a statement: the snapshot names all that it refused. A set of which
/// nothing is refused was replayed as [`replay`] does it.
pub fn survey(
    side: &str,
    files: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Snapshot, ReplayError> {
    let needs = needs(&[files], settings);
    isolated(|| replay_for(side, files, settings, &needs, SURVEY, progress))
}

/// What a replay is for.
#[derive(Clone, Copy)]
pub(super) struct Manner<'a> {
    want: Want,
    /// Whether it goes on after a refusal.
    goes_on: bool,
    /// Set when nobody wants the replay any more.
    called_off: Option<&'a AtomicBool>,
    /// Hears how many rows each statement touched, when all have run.
    listener: Option<&'a dyn Fn(&Touched)>,
}

/// PostgreSQL's `disk_full` and `io_error`.
const FULL: [&str; 2] = ["53100", "58030"];

pub(super) const STRICT: Manner<'_> =
    Manner { want: Want::Everything, goes_on: false, called_off: None, listener: None };
pub(super) const SURVEY: Manner<'_> = Manner { goes_on: true, ..STRICT };
pub(super) const ROWS: Manner<'_> = Manner { want: Want::Rows, ..STRICT };

impl<'a> Manner<'a> {
    /// The same, until it is called off: then it is an error at the next file.
    pub fn until(self, called_off: &'a AtomicBool) -> Self {
        Manner { called_off: Some(called_off), ..self }
    }

    /// The same, with somebody who hears what the statements touched.
    pub fn heard_by(self, listener: &'a dyn Fn(&Touched)) -> Self {
        Manner { listener: Some(listener), ..self }
    }

    fn is_wanted(&self) -> Result<(), ReplayError> {
        match self.called_off {
            Some(called_off) if called_off.load(Ordering::Relaxed) => Err(Error::new("it was called off").into()),
            _ => Ok(()),
        }
    }
}

/// Replays a set for its rows only, to learn which of them differ from run to run.
pub(super) fn replay_rows(
    side: &str,
    files: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Snapshot, ReplayError> {
    let needs = needs(&[files], settings);
    isolated(|| replay_for(side, files, settings, &needs, ROWS, progress))
}

/// Runs work on a thread of its own, so that it may block whoever calls, and so that a panic is an error.
pub(super) fn isolated<T: Send>(work: impl FnOnce() -> Result<T, ReplayError> + Send) -> Result<T, ReplayError> {
    std::thread::scope(|scope| joined(scope.spawn(work)))
}

pub(super) fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T, ReplayError>>) -> Result<T, ReplayError> {
    thread
        .join()
        .unwrap_or_else(|panic| Err(Error::new(format!("the scratch database failed: {}", panic_text(&*panic))).into()))
}

/// What the scratch database must hold ready for sets.
pub(super) fn needs(sets: &[&[ReplayFile]], settings: &Settings) -> Needs {
    let files = sets.iter().flat_map(|set| set.iter()).chain(&settings.prelude);
    let texts = files.flat_map(|file| &file.statements).map(|statement| statement.text.as_str());
    let platforms = settings.platforms.iter().flat_map(|platform| platform.files).map(|(_, sql)| *sql);
    let texts = texts.chain(platforms);
    let stand_ins = settings.stand_ins.clone();
    Needs { extensions: extensions::named(texts), stand_ins, limits: settings.limits }
}

pub(super) fn replay_for(
    side: &str,
    files: &[ReplayFile],
    settings: &Settings,
    needs: &Needs,
    manner: Manner<'_>,
    progress: &dyn Progress,
) -> Result<Snapshot, ReplayError> {
    let begun = Instant::now();
    progress.step(side, "start", 0, files.len());
    let scratch = settings.database.open(needs)?;
    let mut session = Session::open(&*scratch, settings.limits)?;
    let clock = Clock::begin(&mut session)?;
    let before = snapshot::before(&mut session, &*scratch)?;
    let mut run = Run::new(session, &*scratch);
    run.positions = (manner.want == Want::Everything).then(Positions::default);
    for platform in &settings.platforms {
        run.platform(platform)?;
    }
    for (index, file) in settings.prelude.iter().enumerate() {
        run.file(index, file)?;
    }
    run.in_prelude = false;
    run.goes_on = manner.goes_on;
    run.new_session()?;
    let mut touched = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        manner.is_wanted()?;
        progress.step(side, "replay", index, files.len());
        if index > 0 && !settings.one_session {
            run.new_session()?;
        }
        touched.push(run.file(index, file)?);
    }
    if let Some(listener) = manner.listener {
        listener(&touched);
    }
    manner.is_wanted()?;
    progress.step(side, "look", files.len(), files.len());
    let Run { mut session, notes, refused, positions, .. } = run;
    let mut snapshot = snapshot::take(&mut session, &*scratch, &before, manner.want, clock)?;
    drop(session);
    scratch.stop()?;
    let texts = settings.prelude.iter().chain(files).flat_map(|f| &f.statements).map(|s| s.text.as_str());
    let texts: Vec<&str> = texts.collect();
    if settings.database.has_stand_ins() {
        snapshot.stand_ins =
            extensions::substitutes_named(texts.iter().copied(), &settings.stand_ins, &needs.extensions);
    }
    for platform in &settings.platforms {
        let functions: Vec<_> = platform.substitutes.iter().map(|function| (platform.name, *function)).collect();
        snapshot.stand_ins.extend(extensions::named_in(texts.iter().copied(), &functions));
    }
    positions.iter().for_each(|positions| positions.settle(&mut snapshot.sequences));
    snapshot.touched = touched;
    snapshot.refused = refused;
    snapshot.notes.extend(notes);
    snapshot.seconds = begun.elapsed().as_secs_f64();
    Ok(snapshot)
}

/// A replay under way.
struct Run<'a> {
    scratch: &'a dyn Scratch,
    session: Session,
    /// Whether the database needs none of the help that the embedded one needs.
    whole: bool,
    in_prelude: bool,
    /// Whether settings were made that only a new connection sees.
    sticky: bool,
    /// Whether such settings were made at any time before.
    placed: bool,
    /// Whether it leaves out what PostgreSQL refuses, and what that was.
    goes_on: bool,
    refused: Vec<ReplayFailure>,
    notes: Vec<String>,
    /// Where statements put sequences, if that is asked for.
    positions: Option<Positions>,
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

impl<'a> Run<'a> {
    fn new(session: Session, scratch: &'a dyn Scratch) -> Self {
        let (notes, refused, whole) = (Vec::new(), Vec::new(), scratch.is_whole());
        Run {
            scratch,
            session,
            whole,
            in_prelude: true,
            sticky: false,
            placed: false,
            goes_on: false,
            refused,
            notes,
            positions: None,
        }
    }

    /// Gives the next file what a new connection of the migration tool would have.
    fn new_session(&mut self) -> Result<(), ReplayError> {
        if std::mem::take(&mut self.sticky) {
            self.session.reopen()?;
            self.placed = true;
        } else {
            self.session.forget()?;
        }
        if self.placed && !self.whole {
            self.session.must_run(KEPT_SEARCH_PATH)?;
        }
        Ok(())
    }

    /// Runs a prelude that comes with the tool, each of its files at once.
    fn platform(&mut self, platform: &Prelude) -> Result<(), ReplayError> {
        for (name, sql) in platform.files {
            self.scratch.before(sql).map_err(|error| error.at(At::new(*name, 1)))?;
            self.session.run(sql).map_err(|refusal| {
                let at = refusal.position.map_or(1, |position| line_at(sql, position as usize));
                Error::new(format!("the prelude {} failed: {}", platform.name, refusal.message)).at(At::new(*name, at))
            })?;
            self.look_at_roles(false)?;
        }
        self.sticky = true;
        self.new_session()
    }

    /// Runs a file and says how many rows each of its statements touched.
    fn file(&mut self, index: usize, file: &ReplayFile) -> Result<Vec<Option<u64>>, ReplayError> {
        for sql in &file.before {
            self.session.must_run(sql)?;
        }
        if self.placed && !file.before.is_empty() {
            self.session.must_run(KEPT_SEARCH_PATH)?;
        }
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
        match outcome {
            Err((at, _)) if self.goes_on => {
                // What ran before the refusal was taken back with the transaction.
                self.around(index, file, if in_transaction { 0 } else { at })
            }
            outcome => outcome.map_err(|(at, refusal)| self.failure(index, file, at, refusal)),
        }
    }

    /// Runs a file from a statement on, each for itself, and leaves out what PostgreSQL refuses.
    fn around(&mut self, index: usize, file: &ReplayFile, from: usize) -> Result<Vec<Option<u64>>, ReplayError> {
        for (at, statement) in file.statements.iter().enumerate().skip(from) {
            if let Err(refusal) = self.alone(statement) {
                match self.failure(index, file, at, refusal) {
                    ReplayError::Failed(failure) => self.refused.push(*failure),
                    unable @ ReplayError::Unable(_) => return Err(unable),
                }
            }
        }
        Ok(Vec::new())
    }

    /// Runs a file inside a transaction.
    fn wrapped(&mut self, file: &ReplayFile) -> Result<Vec<Option<u64>>, Stop> {
        self.session.run("BEGIN").map_err(|refusal| (0, refusal))?;
        let outcome = self.statements(file, Self::statement);
        match outcome {
            Ok(touched) => {
                self.look_at_roles(true).map_err(|error| (file.statements.len(), Refusal::from(error)))?;
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
        let touched = self.statements(file, Self::alone)?;
        let mut words = file.statements.iter().filter_map(|statement| transaction_word(&statement.text));
        if words.next_back() == Some(Word::Opens) {
            self.notes.push(format!("{} leaves its transaction open; it was rolled back", file.name));
            self.session.run("ROLLBACK").map_err(|refusal| (file.statements.len(), refusal))?;
        }
        Ok(touched)
    }

    fn statements(
        &mut self,
        file: &ReplayFile,
        run: impl Fn(&mut Self, &ReplayStatement) -> Result<Option<u64>, Refusal>,
    ) -> Result<Vec<Option<u64>>, Stop> {
        let mut touched = Vec::with_capacity(file.statements.len());
        for (index, statement) in file.statements.iter().enumerate() {
            touched.push(run(self, statement).map_err(|refusal| (index, refusal))?);
        }
        Ok(touched)
    }

    /// Tells a server that is there for others which roles there are now, so that it knows whose they are.
    fn look_at_roles(&mut self, inside: bool) -> Result<(), Error> {
        if !self.scratch.is_shared() {
            return Ok(());
        }
        let rows = self.session.rows("SELECT oid, rolname FROM pg_catalog.pg_roles WHERE oid >= 16384")?;
        let role = |row: Vec<Option<String>>| Some((row.first()?.as_ref()?.parse().ok()?, row.get(1)?.clone()?));
        let roles: Vec<(u32, String)> = rows.into_iter().filter_map(role).collect();
        self.scratch.sees(&roles, inside)
    }

    /// Runs a statement outside of a transaction of ours.
    fn alone(&mut self, statement: &ReplayStatement) -> Result<Option<u64>, Refusal> {
        let touched = self.statement(statement)?;
        // In a transaction that failed nothing can be seen, and nothing was made.
        if self.look_at_roles(false).is_err() && !self.session.is_open() {
            return Err(Refusal::gone());
        }
        Ok(touched)
    }

    fn statement(&mut self, statement: &ReplayStatement) -> Result<Option<u64>, Refusal> {
        self.scratch.before(&statement.text).map_err(Refusal::from)?;
        match &statement.copy_data {
            Some(data) => self.session.copy_in(&statement.text, data).map(Some),
            None => {
                let Some(rows) = self.guarded(&statement.text)? else { return Ok(None) };
                if !self.whole && gives_back_session(&statement.text) {
                    self.session.run(OWN_AUTHORIZATION)?;
                }
                if !self.whole && self.placed && gives_back_path(&statement.text) {
                    self.session.run(KEPT_SEARCH_PATH)?;
                }
                if let Some(positions) = &mut self.positions {
                    positions.hear(&mut self.session, &statement.text)?;
                }
                Ok(counts_rows(&statement.text).then_some(rows))
            }
        }
    }

    /// Runs a statement; an error that one of its own idle handlers would catch takes back the statement and no more.
    fn guarded(&mut self, sql: &str) -> Result<Option<u64>, Refusal> {
        let idle = if self.whole { None } else { super::guards::without_handlers(sql) };
        let Some((plain, states)) = idle else { return self.session.run(sql).map(Some) };
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
        let unable = |what: String, hint: String| Error::new(what).at(At::new(&file.name, line)).hint(hint).into();
        if refusal.is_ours {
            return ReplayError::Unable(refusal.into_error().at(At::new(&file.name, line)));
        }
        if refusal.sqlstate.is_empty() {
            let hint = if self.whole {
                "the server may have crashed on this statement".into()
            } else {
                lacks("can't do this")
            };
            return unable(format!("the scratch database broke off: {}", refusal.message), hint);
        }
        if let Some(extension) = missing_extension(&refusal) {
            let hint =
                if self.whole { format!("install {extension} for it") } else { lacks(&format!("has no {extension}")) };
            let hint = format!(
                "{hint}; or put what the migrations use of it (types, functions) into a prelude, and take the CREATE \
                 EXTENSION out of a copy of the history"
            );
            return unable(format!("the scratch database has no extension {extension}"), hint);
        }
        let ours = || (!self.whole).then(|| lacking(&refusal.sqlstate, &file.statements, at)).flatten();
        let full = || FULL.contains(&refusal.sqlstate.as_str()).then(room::hint);
        let hint = full().or_else(|| refusal.hint.clone()).or_else(ours);
        ReplayError::Failed(Box::new(ReplayFailure {
            file: file.name.clone(),
            line,
            file_index,
            statement_index: at,
            message: refusal.message,
            sqlstate: refusal.sqlstate,
            detail: refusal.detail,
            hint,
            in_prelude: self.in_prelude,
        }))
    }
}

/// What to do about something that the embedded PostgreSQL can't do.
fn lacks(what: &str) -> String {
    format!(
        "the embedded PostgreSQL {what}; where the programs of a PostgreSQL server are on this machine, \
         --scratch auto and local run on those"
    )
}

/// A hint where the embedded PostgreSQL may be to blame for a refusal: it can't catch errors inside a block, and lacks some
/// parts of PostgreSQL, and what came after its version.
fn lacking(sqlstate: &str, statements: &[ReplayStatement], at: usize) -> Option<String> {
    let text = statements.get(at)?.text.to_lowercase();
    if text.contains("exception") && text.contains("when") && text[comment_end(&text)..].starts_with("do") {
        return Some(lacks("can't catch errors inside a block, only follow handlers that do nothing"));
    }
    matches!(sqlstate, "0A000" | "42601" | "58P01" | "XX000")
        .then(|| lacks("lacks some parts of PostgreSQL, and what came after its version"))
}

/// The extension that PostgreSQL didn't find, if that is the trouble. Before 15 it names the file that it misses.
fn missing_extension(refusal: &Refusal) -> Option<&str> {
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
}
