//! The whole story: both sets replayed at once, compared, and the verdict.

use std::time::Instant;

use serde::Serialize;

use super::{
    Comparison, Progress, ReplayError, ReplayFile, Settings, Snapshot, StandInCall, compare, replay, replay_both,
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

impl Verdict {
    /// Judges by snapshots that are there already. `again` replays the old set once more and is called only if rows differ.
    pub fn of(
        (old, old_snapshot): (&[ReplayFile], &Snapshot),
        (new, new_snapshot): (&[ReplayFile], &Snapshot),
        settings: &Settings,
        progress: &dyn Progress,
        begun: Instant,
    ) -> Result<Verdict, ReplayError> {
        let again = || replay::replay_rows("old again", old, settings, progress);
        let comparison = compare(old_snapshot, new_snapshot, settings, &again)?;
        let mut stand_ins = old_snapshot.stand_ins.clone();
        stand_ins.extend(new_snapshot.stand_ins.iter().cloned());
        stand_ins.sort();
        stand_ins.dedup();
        let count = |files: &[ReplayFile]| files.iter().map(|file| file.statements.len()).sum();
        Ok(Verdict {
            kind: kind(&comparison),
            comparison,
            postgres: old_snapshot.postgres.clone(),
            scratch: settings.database.name(),
            seconds: begun.elapsed().as_secs_f64(),
            stand_ins,
            peak_mb: peak_mb(),
            old_files: old.len(),
            old_statements: count(old),
            new_files: new.len(),
            new_statements: count(new),
        })
    }
}

fn kind(comparison: &Comparison) -> VerdictKind {
    if !comparison.differences.is_empty() {
        VerdictKind::Different
    } else if comparison.unread.is_empty() {
        VerdictKind::Identical
    } else {
        VerdictKind::NotProven
    }
}

/// Replays both sets at once and compares what came out. An error names the side on which it happened.
pub fn verify(
    old: &[ReplayFile],
    new: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Verdict, (&'static str, ReplayError)> {
    let begun = Instant::now();
    let (one, other) = replay_both(old, new, settings, progress);
    let one = one.map_err(|error| ("old", error))?;
    let other = other.map_err(|error| ("new", error))?;
    Verdict::of((old, &one), (new, &other), settings, progress, begun).map_err(|error| ("old", error))
}

/// The most memory that this program has used so far, in megabytes.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024)
}
