//! The whole story: both sets replayed at once, compared, and the verdict.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use serde::Serialize;

use super::compare::{Again, More, compare};
use super::compared::Compared;
use super::mode::{Mode, ROWS, STRICT, SURVEY};
use super::{
    Comparison, Entry, Facts, Progress, ReplayError, ReplayFile, Settings, Snapshot, StandInCall, TableRows, canonical,
    replay, replay_both, side_by_side,
};

/// How the two sets compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum VerdictKind {
    /// Everything that was compared is the same.
    #[serde(rename = "identical")]
    Identical,
    /// Something differs.
    #[serde(rename = "different")]
    Different,
    /// Nothing differs, but there is something that the judge couldn't read.
    #[serde(rename = "not proven")]
    NotProven,
}

/// What the judge has to say about two sets.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The word.
    pub kind: VerdictKind,
    /// What it is founded on.
    pub comparison: Comparison,
    /// The version of PostgreSQL on which it was found.
    pub postgres: String,
    /// Whose PostgreSQL that was: `embedded` or `local`.
    pub scratch: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// Functions named by either set for which a stand-in computes something else.
    pub stand_ins: Vec<StandInCall>,
    /// The most memory that the program has used, where the system tells.
    pub peak_mb: Option<u64>,
    /// Files of the old set.
    pub old_files: usize,
    /// Its statements.
    pub old_statements: usize,
    /// Files of the new set.
    pub new_files: usize,
    /// Its statements.
    pub new_statements: usize,
}

/// Compares new sets with one old set. What it finds out about the old one it finds out once.
pub struct Judge<'a> {
    files: &'a [ReplayFile],
    /// What the replay of the old set showed.
    pub old: Snapshot,
    settings: &'a Settings,
    progress: &'a dyn Progress,
    begun: Instant,
    again: OnceLock<Result<Snapshot, ReplayError>>,
    elsewhere: OnceLock<Result<Snapshot, ReplayError>>,
    /// The rows of replays after that one.
    further: Mutex<Vec<Arc<Vec<TableRows>>>>,
    reloaded: OnceLock<Result<Vec<Entry>, ReplayError>>,
    given: OnceLock<Option<Snapshot>>,
}

impl<'a> Judge<'a> {
    /// A judge of an old set that was replayed already, and perhaps once `again`; `begun` is when that began.
    pub fn new(
        files: &'a [ReplayFile],
        old: Snapshot,
        again: Option<Snapshot>,
        settings: &'a Settings,
        progress: &'a dyn Progress,
        begun: Instant,
    ) -> Self {
        let again = again.map_or_else(OnceLock::new, |again| OnceLock::from(Ok(again)));
        let (elsewhere, reloaded, given) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let further = Mutex::new(Vec::new());
        Judge { files, old, settings, progress, begun, again, elsewhere, further, reloaded, given }
    }

    /// The rows of a second replay of the old set: what isn't as in the first one differs from run to run.
    ///
    /// # Errors
    /// When the second replay fails.
    pub fn again(&self) -> Result<&Snapshot, ReplayError> {
        let replay = || self.replay(ROWS.away(), "old again", self.files);
        self.again.get_or_init(replay).as_ref().map_err(Clone::clone)
    }

    fn replay(&self, mode: Mode<'_>, side: &str, files: &[ReplayFile]) -> Result<Snapshot, ReplayError> {
        replay::replay_as(mode, side, files, self.settings, self.progress)
    }

    /// The rows of the old set's replays after the second, from 0.
    fn further(&self, nth: usize) -> Result<Arc<Vec<TableRows>>, ReplayError> {
        // Whoever broke off with the lock in hand put nothing in.
        let known = || self.further.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(rows) = known().get(nth) {
            return Ok(rows.clone());
        }
        let rows = Arc::new(self.replay(ROWS, "old again", self.files)?.rows);
        known().push(rows.clone());
        Ok(rows)
    }

    /// Surveys a new set for a verdict on it. What that will ask for besides is replayed at the same time: the old set once
    /// more, if a new set that was `tried` before came out with other rows; or the new one once more, if rows of the old
    /// one are known to differ from run to run.
    ///
    /// # Errors
    /// When the scratch database can't do its part.
    pub fn survey(&self, files: &[ReplayFile], tried: Option<&Snapshot>) -> Result<Snapshot, ReplayError> {
        let survey = || self.replay(SURVEY.away(), "new", files);
        let varies = self.again.get().map(|again| again.as_ref().is_ok_and(|again| again.rows != self.old.rows));
        match varies {
            Some(true) => std::thread::scope(|scope| {
                let again = crate::stack::spawn(scope, || self.once_more(files));
                let seen = survey();
                // One that broke off is made again by whoever needs it.
                let again = again.join().ok().flatten();
                seen.map(|seen| Snapshot { again, ..seen })
            }),
            None if tried.is_some_and(|tried| self.has_other_rows(tried)) => std::thread::scope(|scope| {
                crate::stack::spawn(scope, || self.again().map(drop));
                survey()
            }),
            _ => survey(),
        }
    }

    /// The rows of a second replay of a new set. Without them whoever needs them asks for himself, and hears of the trouble.
    fn once_more(&self, files: &[ReplayFile]) -> Option<Vec<TableRows>> {
        self.replay(ROWS, "new again", files).ok().map(|again| again.rows)
    }

    fn has_other_rows(&self, new: &Snapshot) -> bool {
        filled(new).ne(filled(&self.old))
    }

    /// The verdict on a new set that was replayed already.
    ///
    /// # Errors
    /// When a scratch database that the comparison needs can't do its part.
    pub fn verdict(&self, new: &[ReplayFile], snapshot: &Snapshot) -> Result<Verdict, ReplayError> {
        let mut comparison = compare(&self.old, snapshot, self.settings, &With { judge: self, new })?;
        if let Some(given) = self.given.get_or_init(|| given(self.settings, self.progress)) {
            comparison.compared = Compared::beside(&self.old, given);
        }
        let stand_ins = StandInCall::of_both(&self.old.stand_ins, &snapshot.stand_ins);
        let count = |files: &[ReplayFile]| files.iter().map(|file| file.statements.len()).sum();
        Ok(Verdict {
            kind: kind(&comparison),
            comparison,
            postgres: self.old.postgres.clone(),
            scratch: self.settings.database.name(),
            seconds: self.begun.elapsed().as_secs_f64(),
            stand_ins,
            peak_mb: peak_mb(),
            old_files: self.files.len(),
            old_statements: count(self.files),
            new_files: new.len(),
            new_statements: count(new),
        })
    }
}

/// What preludes give by themselves, if there are any.
pub(super) fn given(settings: &Settings, progress: &dyn Progress) -> Option<Snapshot> {
    let has_prelude = !settings.platforms.is_empty() || !settings.prelude.is_empty();
    has_prelude.then(|| replay::replay("prelude", &[], settings, progress).ok()).flatten()
}

/// The tables that hold rows.
fn filled(snapshot: &Snapshot) -> impl Iterator<Item = &TableRows> {
    snapshot.rows.iter().filter(|table| !table.rows.is_empty())
}

/// A judge, and the new set that it judges.
struct With<'a> {
    judge: &'a Judge<'a>,
    new: &'a [ReplayFile],
}

impl More for With<'_> {
    fn again(&self) -> Result<Again<'_>, ReplayError> {
        self.judge.again().map(Again::Old)
    }

    fn new_again(&self) -> Result<Option<Vec<TableRows>>, ReplayError> {
        Ok(Some(self.judge.replay(ROWS, "new again", self.new)?.rows))
    }

    fn elsewhere(&self) -> Result<Option<&Snapshot>, ReplayError> {
        let judge = self.judge;
        let replay = || judge.replay(STRICT.away(), "old elsewhere", judge.files);
        judge.elsewhere.get_or_init(replay).as_ref().map(Some).map_err(Clone::clone)
    }

    fn says_facts(&self, facts: &Facts) -> bool {
        facts.are_said_only_by(self.new, self.judge.files)
    }

    fn further(&self, nth: usize) -> Result<[Option<Arc<Vec<TableRows>>>; 2], ReplayError> {
        side_by_side::both(|| self.judge.further(nth), || Ok(Arc::new(self.new_again()?.unwrap_or_default())))
            .map(|rows| rows.map(Some))
    }

    fn reloaded(&self, new: &Snapshot) -> Result<(&[Entry], Vec<Entry>), ReplayError> {
        let judge = self.judge;
        let of = |snapshot: &Snapshot| canonical::reloaded(snapshot, judge.settings);
        std::thread::scope(|scope| {
            let other = crate::stack::spawn(scope, || of(new));
            let one = judge.reloaded.get_or_init(|| of(&judge.old)).as_ref().map_err(Clone::clone);
            let broken = || crate::Error::new("the reload of the new side's dump broke off").into();
            let other = other.join().unwrap_or_else(|_| Err(broken()));
            Ok((one?.as_slice(), other?))
        })
    }
}

pub(super) fn kind(comparison: &Comparison) -> VerdictKind {
    if !comparison.differences.is_empty() {
        VerdictKind::Different
    } else if comparison.unread.is_empty() {
        VerdictKind::Identical
    } else {
        VerdictKind::NotProven
    }
}

/// Replays both sets at once and compares what came out: on the platforms of today, and if that is the same on those of
/// before. An error names the side on which it happened.
pub fn verify(
    old: &[ReplayFile],
    new: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Verdict, (&'static str, ReplayError)> {
    let verdict = verify_once(old, new, settings, progress)?;
    let Some((before, which)) = settings.before().filter(|_| verdict.kind == VerdictKind::Identical) else {
        return Ok(verdict);
    };
    let begun = Instant::now();
    let other = verify_once(old, new, &before, progress)?;
    let took = verdict.seconds + begun.elapsed().as_secs_f64();
    Ok(with_note(if other.kind == VerdictKind::Identical { verdict } else { other }, which, took))
}

/// Adds on what else a verdict was found.
fn with_note(mut verdict: Verdict, which: &str, seconds: f64) -> Verdict {
    verdict.comparison.notes.push(match verdict.kind {
        VerdictKind::Identical => format!("the same on {which}"),
        _ => format!("this is so on {which}; on those of today the two are the same"),
    });
    Verdict { seconds, ..verdict }
}

fn verify_once(
    old: &[ReplayFile],
    new: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Verdict, (&'static str, ReplayError)> {
    let begun = Instant::now();
    let (one, other) = replay_both(old, new, settings, progress);
    let one = one.map_err(|error| ("old", error))?;
    let mut other = other.map_err(|error| ("new", error))?;
    let judge = Judge::new(old, one, None, settings, progress, begun);
    if judge.has_other_rows(&other) {
        // A verdict on differing rows may ask for both.
        std::thread::scope(|scope| {
            crate::stack::spawn(scope, || judge.again().map(drop));
            other.again = judge.once_more(new);
        });
    }
    judge.verdict(new, &other).map_err(|error| ("old", error))
}

/// The most memory that this program has used so far, in megabytes.
pub(super) fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024)
}
