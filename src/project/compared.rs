//! The call that compares any two things which hold a schema.

use super::trouble::{Replayed, could_not_replay};
use super::verified::both;
use super::{Project, warn};
use crate::diff::{Ready, Side};
use crate::error::{Error, Result};
use crate::handover::{Tool, live, migrations, script, tool_of};
use crate::history::{History, Reading};
use crate::plan::undone;
use crate::progress::Progress;
use crate::proof::{ReplayFile, Settings, Source, Verdict, VerdictKind, compare_sources};
use crate::store::manifest::was_written;

/// Compares two sides: folders of migrations, dumps, databases that exist, folders of an earlier revision. Migrations are
/// replayed and dumps loaded on scratch databases; a database that exists is only read. If one isn't what a history makes,
/// `progress` is told what its migration tool's own table says of that.
///
/// # Errors
/// When a side can't be read, replayed or reached; that they differ is no error, but a verdict.
///
/// # Examples
/// ```
/// use consolidate::diff::Side;
/// use consolidate::proof::VerdictKind;
/// use consolidate::{Asked, Project, Silent};
///
/// let project = Project::open(&Asked::default(), &Silent)?;
/// let sides = [Side::parse("migrations.old")?, Side::parse("migrations")?];
/// let verdict = consolidate::diff(&project, &sides, &Silent)?;
/// assert_eq!(verdict.kind, VerdictKind::Identical);
/// assert!(verdict.comparison.differences.is_empty());
/// # Ok::<(), Vec<consolidate::Error>>(())
/// ```
pub fn diff(project: &Project, sides: &[Side; 2], progress: &dyn Progress) -> Result<Verdict, Vec<Error>> {
    // Only a database is read with a program.
    let is_live = sides.iter().any(|side| matches!(side, Side::Database(_)));
    let programs = if is_live { project.programs()? } else { None };
    let preludes = project.settings.prelude_texts();
    let reading = project.reading(&preludes);
    let ready = |side: &Side| -> Result<Ready, Vec<Error>> {
        // The layout that is said is that of a history; a consolidated set is found to be what it is.
        let layout = if *side == Side::Folder(project.new.clone()) { None } else { project.layout };
        let ready = side.ready(&Reading { layout, ..reading }, programs.as_deref())?;
        ready.history.as_ref().and_then(undone::refuse).map_or(Ok(()), Err)?;
        Ok(ready)
    };
    let (old, new) = both(ready(&sides[0]), ready(&sides[1]))?;
    for history in [&old, &new].into_iter().filter_map(|ready| ready.history.as_ref()) {
        warn(history, progress);
    }
    let sets: Vec<&[ReplayFile]> = [&old, &new].into_iter().filter_map(files).collect();
    let judge = |settings: &Settings| compare_sources(&old.source, &new.source, settings, progress);
    let result = project.on_scratch(&sets, progress, judge, |(_, error)| Some(error))?;
    let verdict = result.map_err(|(side, error)| {
        let which = if side == "old" { &old } else { &new };
        let of = which.history.as_ref().map_or(Replayed::Other, Replayed::History);
        hinted(could_not_replay(of, error), which)
    })?;
    if verdict.kind == VerdictKind::Different {
        let of = [(&sides[0], &new), (&sides[1], &old)];
        of.into_iter().filter_map(|(side, other)| by_the_tool(side, other)).for_each(|note| progress.note(&note));
    }
    Ok(verdict)
}

/// What the migration tool's own table says of a database that isn't what a history makes: it may only be behind. A set that was
/// written here is no history that such a table knows.
fn by_the_tool(side: &Side, other: &Ready) -> Option<String> {
    let (Side::Database(url), Some(history)) = (side, &other.history) else { return None };
    if was_written(&history.folder) {
        return None;
    }
    let (tool, own) = (tool_in(history)?, migrations(history).ok()?);
    let script = script(tool, None, &own, &own, true).ok().filter(|script| !script.sql.is_empty())?;
    let why = live::refusal(url, &script)?;
    Some(format!("by {}, the table of {}, the database is {}", script.table, tool.name, why.message))
}

/// The tool of a history.
fn tool_in(history: &History) -> Option<&'static Tool> {
    tool_of(history.layout.name(), history.files.iter().any(|f| f.name.contains('/'))).ok()
}

/// What of a side is replayed.
fn files(ready: &Ready) -> Option<&[ReplayFile]> {
    match &ready.source {
        Source::Set(files) | Source::Dump(files, _) => Some(files),
        Source::Database(..) => None,
    }
}

/// A dump that doesn't load wants another hint than a history.
fn hinted(error: Error, which: &Ready) -> Error {
    match which.source {
        Source::Dump(..) => error
            .hint("a dump is loaded as it stands, without preludes: what it needs must be in it, or be an extension"),
        _ => error,
    }
}
