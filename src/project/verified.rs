//! The call that verifies: both sets of a project replayed and compared.

use super::trouble::{Replayed, could_not_replay};
use super::{Project, warn};
use crate::as_replayed::{apart, replay_files};
use crate::emit::{inner_folder, whole};
use crate::error::{Error, Result};
use crate::history::History;
use crate::progress::Progress;
use crate::proof::{self, Settings, Verdict};

/// What came of a verify.
#[derive(Debug)]
pub struct Verified {
    /// The verdict.
    pub verdict: Verdict,
    /// Files of the history that were left out, as was asked for.
    pub left_out: Vec<String>,
    /// Where a part of the history stays: how many files do so byte for byte, or the name of one that should have and doesn't.
    pub untouched: Option<Result<usize, String>>,
}

/// Verifies: replays history and consolidated set side by side on scratch databases, and compares schema, rows, sequences and
/// roles. It writes nothing.
///
/// # Errors
/// When one of them can't be read or replayed, with its place; that they differ is no error, but a verdict.
///
/// # Examples
/// ```
/// use consolidate::proof::VerdictKind;
/// use consolidate::{Asked, Progress, Project};
///
/// /// Counts what it is told, and prints nothing.
/// #[derive(Default)]
/// struct Steps(std::sync::atomic::AtomicUsize);
/// impl Progress for Steps {
///     fn step(&self, _side: &str, _what: &str, _done: usize, _total: usize) {
///         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///     }
/// }
///
/// let steps = Steps::default();
/// let project = Project::open(&Asked::default(), &steps)?;
/// let verified = consolidate::verify(&project, &steps)?;
/// assert_eq!(verified.verdict.kind, VerdictKind::Identical);
/// assert!(steps.0.into_inner() > 0);
/// # Ok::<(), Vec<consolidate::Error>>(())
/// ```
pub fn verify(project: &Project, progress: &dyn Progress) -> Result<Verified, Vec<Error>> {
    project.refuse_one_folder("name them with --old and --new; by default they are migrations.old/ and migrations/")?;
    let (old, new) = both(project.history(), project.new_set())?;
    warn(&old, progress);
    let cut = project.cut(&old)?;
    let new_folder = project.new.join(inner_folder(&old.folder, &project.old));
    let untouched = cut.map(|cut| whole::untouched(&old, cut, &new_folder)).transpose()?;
    let judged = |old: &History| {
        let (one, other) = (replay_files(old), replay_files(&new));
        let judge = |settings: &Settings| proof::verify(&one, &other, settings, progress);
        project.on_scratch(&[&one, &other], progress, judge, |(_, error)| Some(error))
    };
    let mut result = judged(&old)?;
    if let Err(("old", error)) = &result
        && let Some((apart, note)) = apart(&old, error)
    {
        let mut second = judged(&apart)?;
        if let Ok(verdict) = &mut second {
            verdict.comparison.notes.push(note);
        }
        if !matches!(second, Err(("old", _))) {
            result = second;
        }
    }
    let verdict = result.map_err(|(side, error)| {
        let of = if side == "old" { Replayed::History(&old) } else { Replayed::Set(&new) };
        could_not_replay(of, error)
    })?;
    Ok(Verified { verdict, left_out: old.left_out, untouched })
}

/// Both of two, or the errors of either.
pub(super) fn both<T>(one: Result<T, Vec<Error>>, other: Result<T, Vec<Error>>) -> Result<(T, T), Vec<Error>> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => Err([one.err(), other.err()].into_iter().flatten().flatten().collect()),
    }
}

impl Project {
    /// Reads the new set: where a part of the history stays as it is, it has the history's layout.
    fn new_set(&self) -> Result<History, Vec<Error>> {
        let layout = match &self.asked.part {
            Some(_) => Some(self.layout.map_or_else(|| self.history().map(|h| h.layout), Ok)?),
            None => None,
        };
        self.read(&self.new, layout, &[])
    }
}
