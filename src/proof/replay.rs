//! Runs a set on a scratch database, statement by statement, as its migration tool would.

use std::time::Instant;

use super::clock::Clock;
use super::leftover::{FileEnd, Left, Watch};
use super::mode::{Mode, STRICT};
use super::positions::Positions;
use super::powers;
use super::refused::{self, line_at, line_of};
use super::session::{OWN_AUTHORIZATION, Refusal, Session};
use super::snapshot::{self, Want};
use super::words::{
    Word, counts_rows, draws, gives_back_path, gives_back_session, runs_alone, sets_for_later, transaction_word,
};
use super::world::{self, Facts, Stay};
use super::{
    Bare, Prelude, Progress, ReplayError, ReplayFailure, ReplayFile, ReplayStatement, Settings, Snapshot, substitutes,
};
use crate::scratch::{Needs, Scratch, embedded::panic_text, extensions};
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

/// Replays a set as is said.
pub(super) fn replay_as(
    mode: Mode<'_>,
    side: &str,
    files: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Snapshot, ReplayError> {
    let needs = needs(&[files], settings);
    isolated(|| replay_for(side, files, settings, &needs, mode, progress))
}

/// Runs work on a thread of its own, so that it may block whoever calls, and so that a panic is an error.
pub(super) fn isolated<T: Send>(work: impl FnOnce() -> Result<T, ReplayError> + Send) -> Result<T, ReplayError> {
    std::thread::scope(|scope| joined(crate::stack::spawn(scope, work)))
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
    let platforms = settings.platforms.iter().flat_map(|platform| platform.files(true)).map(|(_, sql)| *sql);
    let texts = texts.chain(platforms);
    let stand_ins = settings.stand_ins.clone();
    Needs { extensions: extensions::named(texts), stand_ins, limits: settings.limits }
}

pub(super) fn replay_for(
    side: &str,
    files: &[ReplayFile],
    settings: &Settings,
    needs: &Needs,
    mode: Mode<'_>,
    progress: &dyn Progress,
) -> Result<Snapshot, ReplayError> {
    let begun = Instant::now();
    progress.step(side, "start", 0, files.len());
    powers::may_run(files, settings)?;
    let scratch = settings.database.open(needs).map_err(ReplayError::Missing)?;
    let mut session = Session::open(&*scratch, settings.limits)?;
    let own = settings.prelude.iter().chain(files).flat_map(|file| &file.statements).map(|s| s.text.as_str());
    let given = settings.platforms.iter().flat_map(|platform| platform.files(true)).map(|(_, sql)| *sql);
    let stay = Stay::begin(mode.world, &mut session, &*scratch, own.chain(given))?;
    let clock = Clock::begin(&mut session)?;
    let before = snapshot::before(&mut session, &*scratch)?;
    stay.lower(&mut session)?;
    let mut run = Run::new(session, &*scratch, &stay);
    run.positions = (mode.want == Want::Everything).then(Positions::default);
    for platform in &settings.platforms {
        run.platform(platform, settings.as_before)?;
    }
    for (index, file) in settings.prelude.iter().enumerate() {
        run.file(index, file)?;
    }
    run.in_prelude = false;
    run.goes_on = mode.goes_on;
    run.new_session()?;
    let facts = Facts { is_shared: scratch.is_shared(), ..world::facts(&mut run.session)? };
    if mode.want == Want::Everything {
        run.watch = Some(Watch::new(files, settings));
        run.look()?;
    }
    let touched = run.files(side, files, settings, mode, progress)?;
    if let Some(listener) = mode.listener {
        listener(&touched);
    }
    mode.is_wanted()?;
    progress.step(side, "look", files.len(), files.len());
    let Run { mut session, bare, notes, refused, ends, positions, .. } = run;
    stay.raise(&mut session)?;
    let taken = snapshot::take(&mut session, &*scratch, &before, mode.want, (clock, facts, &stay));
    // All of it ran: if it can't be looked at, that is no refusal.
    let mut snapshot = taken.map_err(ReplayError::Missing)?;
    if let Some(user) = stay.whose() {
        snapshot.superuser = user.to_string();
    }
    drop(session);
    scratch.stop()?;
    snapshot.stand_ins = substitutes::called(files, settings, needs);
    snapshot.draws = draws(files.iter().flat_map(|file| &file.statements).map(|statement| statement.text.as_str()));
    positions.iter().for_each(|positions| positions.settle(&mut snapshot.sequences));
    snapshot.touched = touched;
    snapshot.sessions = (mode.want == Want::Everything).then_some(ends);
    snapshot.refused = refused;
    snapshot.bare = bare;
    snapshot.notes.extend(notes);
    snapshot.seconds = begun.elapsed().as_secs_f64();
    Ok(snapshot)
}

/// A replay under way.
struct Run<'a> {
    scratch: &'a dyn Scratch,
    session: Session,
    /// What of the server is otherwise than at home.
    stay: &'a Stay,
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
    bare: Vec<Bare>,
    notes: Vec<String>,
    /// Looks at the session after each file, where that is wanted.
    watch: Option<Watch>,
    /// What each file of the set left so far.
    ends: Vec<FileEnd>,
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
    fn new(session: Session, scratch: &'a dyn Scratch, stay: &'a Stay) -> Self {
        let (refused, bare, notes, ends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Run {
            scratch,
            session,
            stay,
            whole: scratch.is_whole(),
            in_prelude: true,
            sticky: false,
            placed: false,
            goes_on: false,
            refused,
            bare,
            notes,
            watch: None,
            ends,
            positions: None,
        }
    }

    /// Gives the next file what a new connection of the migration tool would have.
    fn new_session(&mut self) -> Result<(), ReplayError> {
        if std::mem::take(&mut self.sticky) {
            self.stay.reopen(&mut self.session)?;
            self.placed = true;
        } else {
            self.session.forget()?;
        }
        self.stay.settle(&mut self.session)?;
        if self.placed && !self.whole {
            self.session.must_run(KEPT_SEARCH_PATH)?;
        }
        Ok(())
    }

    /// Runs a prelude that comes with the tool, each of its files at once.
    fn platform(&mut self, platform: &Prelude, as_before: bool) -> Result<(), ReplayError> {
        for (name, sql) in platform.files(as_before) {
            self.scratch.before(sql).map_err(|barred| Error::from(barred).at(At::new(*name, 1)))?;
            self.session.run(sql).map_err(|refusal| {
                let at = refusal.position.map_or(1, |position| line_at(sql, position as usize));
                Error::new(format!("the prelude {} failed: {}", platform.name, refusal.message)).at(At::new(*name, at))
            })?;
            self.look_at_roles(false)?;
        }
        self.sticky = true;
        self.new_session()
    }

    /// Says what the migration tool says to its connection before a file.
    fn say(&mut self, before: &[String]) -> Result<(), ReplayError> {
        for sql in before {
            self.session.must_run(sql)?;
        }
        if self.placed && !self.whole && !before.is_empty() {
            self.session.must_run(KEPT_SEARCH_PATH)?;
        }
        Ok(())
    }

    /// Looks at the session, if that is wanted. In a survey something may be in the way that was refused.
    fn look(&mut self) -> Result<Option<Left>, ReplayError> {
        let Some(watch) = &mut self.watch else { return Ok(None) };
        match watch.look(&mut self.session) {
            Err(_) if !self.refused.is_empty() && self.session.is_open() => Ok(None),
            seen => Ok(Some(seen?)),
        }
    }

    /// Notes what the file under way left for the next one.
    fn file_ends(&mut self, next: &ReplayFile) -> Result<(), ReplayError> {
        if self.watch.is_none() {
            return Ok(());
        }
        if self.ends.last().is_some_and(|end| !end.apart) {
            // Said once more before the next file, it changes nothing.
            self.say(&next.before)?;
        }
        let after = self.look()?.unwrap_or_default();
        if let Some(end) = self.ends.last_mut() {
            end.after = after;
        }
        Ok(())
    }

    /// Runs the files of the set one after the other, each in the session that its tool gives it, and says how many rows their
    /// statements touched.
    fn files(
        &mut self,
        side: &str,
        files: &[ReplayFile],
        settings: &Settings,
        mode: Mode<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Option<u64>>>, ReplayError> {
        let mut touched = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            mode.is_wanted()?;
            progress.step(side, "replay", index, files.len());
            if self.ends.last().is_some_and(|end| end.apart) {
                self.new_session()?;
                // What roles and databases keep for new connections is how this one begins.
                self.watch = self.watch.take().map(Watch::anew);
                self.look()?;
            }
            self.ends.push(FileEnd {
                file: file.name.clone(),
                apart: !settings.one_session || files.get(index + 1).unwrap_or(file).new_session,
                before: file.before.clone(),
                ..FileEnd::default()
            });
            self.say(&file.before)?;
            touched.push(self.file(index, file)?);
            self.file_ends(files.get(index + 1).unwrap_or(file))?;
        }
        Ok(touched)
    }

    /// Runs a file, part by part if it has some, and says how many rows each of its statements touched.
    fn file(&mut self, index: usize, file: &ReplayFile) -> Result<Vec<Option<u64>>, ReplayError> {
        if file.parts.is_empty() {
            return self.one(index, file);
        }
        let ends = file.parts.iter().skip(1).map(|(first, _)| *first).chain([file.statements.len()]);
        let mut touched = Vec::with_capacity(file.statements.len());
        for ((first, in_transaction), end) in file.parts.iter().zip(ends) {
            let part = ReplayFile {
                name: file.name.clone(),
                in_transaction: *in_transaction,
                statements: file.statements[*first..end].to_vec(),
                ..ReplayFile::default()
            };
            let refused = self.refused.len();
            let ran = self.one(index, &part).map_err(|error| match error {
                ReplayError::Failed(failure) => {
                    let statement_index = failure.statement_index + first;
                    ReplayError::Failed(Box::new(ReplayFailure { statement_index, ..*failure }))
                }
                unable => unable,
            })?;
            self.refused[refused..].iter_mut().for_each(|failure| failure.statement_index += first);
            touched.resize(*first, None);
            touched.extend(ran);
        }
        touched.resize(file.statements.len(), None);
        Ok(touched)
    }

    /// Runs what the tool runs at once.
    fn one(&mut self, index: usize, file: &ReplayFile) -> Result<Vec<Option<u64>>, ReplayError> {
        self.sticky |= file.statements.iter().any(|statement| sets_for_later(&statement.text));
        let own_words = file.statements.iter().any(|statement| transaction_word(&statement.text).is_some());
        let alone = file.statements.iter().find(|statement| runs_alone(&statement.text));
        if let Some(statement) = alone.filter(|_| file.in_transaction) {
            // Known beforehand: a rollback wouldn't give back the numbers that sequences gave out.
            self.ran_bare(file, statement.line, None);
        }
        let in_transaction = file.in_transaction && !own_words && alone.is_none();
        let mut outcome = if in_transaction { self.wrapped(file) } else { self.bare(file) };
        if let (true, Err((at, refusal))) = (in_transaction, &outcome)
            && refusal.wants_no_transaction()
        {
            let line = line_of(file, *at, refusal);
            self.ran_bare(file, line, Some(refusal.message.clone()));
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

    /// Notes that a file doesn't run in a transaction.
    fn ran_bare(&mut self, file: &ReplayFile, line: usize, why: Option<String>) {
        let bare = Bare { file: file.name.clone(), line, why };
        self.notes.push(bare.to_string());
        self.bare.push(bare);
    }

    /// Runs a file from a statement on, each for itself, and leaves out what PostgreSQL refuses.
    fn around(&mut self, index: usize, file: &ReplayFile, from: usize) -> Result<Vec<Option<u64>>, ReplayError> {
        for (at, statement) in file.statements.iter().enumerate().skip(from) {
            if let Err(refusal) = self.alone(statement) {
                match self.failure(index, file, at, refusal) {
                    ReplayError::Failed(failure) => self.refused.push(*failure),
                    unable => return Err(unable),
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
                let at_end = |error: Error| (file.statements.len(), Refusal::from(error));
                self.look_at_roles(true).map_err(at_end)?;
                self.look_inside(file).map_err(at_end)?;
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

    /// Notes the session inside the tool's transaction, where that may be another one than after it.
    fn look_inside(&mut self, file: &ReplayFile) -> Result<(), Error> {
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.looks_inside(file)) else { return Ok(()) };
        let seen = watch.look(&mut self.session)?;
        if let Some(end) = self.ends.last_mut() {
            end.inside = Some(seen);
        }
        Ok(())
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
        if self.whole && statement.text.contains('\\') {
            powers::is_read_as_here(&mut self.session)?;
        }
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
        let mut error = refused::told(refusal, file, at, self.whole);
        if let ReplayError::Failed(failure) = &mut error {
            (failure.file_index, failure.in_prelude) = (file_index, self.in_prelude);
            failure.left = self.ends.iter().rev().nth(1).map(FileEnd::next).unwrap_or_default();
        }
        error
    }
}
