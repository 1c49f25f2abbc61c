//! The call that hands databases over: its script is data; a second call runs it on a database.

use super::Project;
use super::trouble::{Replayed, could_not_replay};
use crate::as_replayed::replay_files;
use crate::error::{Error, Result};
use crate::handover::{Script, as_written, live, migrations, script, tool_of};
use crate::history::{self, History, Reading};
use crate::progress::Progress;
use crate::proof::{LIVE_NOT_COMPARED, Settings};

/// How databases are handed over.
#[derive(Debug, Clone, Default)]
pub struct HandingOver {
    /// The tool's table, where it was told to use another.
    pub table: Option<String>,
    /// Whether a database is handed over even if its schema isn't the history's, or other texts of the same migrations ran.
    pub allow_drift: bool,
}

/// A hand-over, ready to be run.
#[derive(Debug)]
pub struct Handover {
    /// The history.
    pub old: History,
    /// The consolidated set.
    pub new: History,
    /// What does it.
    pub script: Script,
    allow_drift: bool,
}

/// What came of a hand-over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandedOver {
    /// The database counts as having run the new set.
    Done,
    /// It did so before.
    Unchanged,
    /// It isn't one that ran exactly the old set: the words of the script, and what to do. Nothing was changed.
    Refused(Error),
    /// Its schema isn't the history's: how it differs. Nothing was changed.
    Drifted(Vec<String>),
}

/// Makes the script that lets databases which ran the history count as having run the consolidated set. Nothing is run.
///
/// # Errors
/// When one of both can't be read, they are of two tools, or the tool's table isn't known; when a file of the set isn't as it
/// was proven.
///
/// # Examples
/// ```
/// use consolidate::{Asked, HandingOver, Project, Silent};
///
/// let project = Project::open(&Asked::default(), &Silent)?;
/// let handover = consolidate::handover(&project, &HandingOver::default())?;
/// // One transaction, which refuses a database by itself that ran anything but the old set.
/// assert!(handover.script.sql.contains("BEGIN;") && handover.script.sql.contains(&handover.script.table));
/// # Ok::<(), Vec<consolidate::Error>>(())
/// ```
pub fn handover(project: &Project, how: &HandingOver) -> Result<Handover, Vec<Error>> {
    project.refuse_one_folder("a hand-over needs both: name them with --old and --new")?;
    // Where names alone can't tell, the history is of the tool that the set was written for.
    let written = history::written_layout(&project.new);
    let old = project.history_as(project.layout.or(written))?;
    let preludes = project.settings.prelude_texts();
    let layout = written.or(project.layout);
    let new = history::read_by(&project.new, &Reading { layout, ..project.reading(&preludes) })?;
    if old.layout != new.layout {
        let message = format!("the history is laid out for {}, the new set for {}", old.layout, new.layout);
        let hint = "a hand-over stays with one tool; say by --layout how the history is read";
        return Err(Error::new(message).hint(hint).into());
    }
    let tool = tool_of(new.layout.name(), new.files.iter().any(|f| f.name.contains('/')))?;
    let (before, after) = (migrations(&old)?, as_written(&project.new, &new, migrations(&new)?)?);
    let script = script(tool, how.table.as_deref(), &before, &after, how.allow_drift)?;
    Ok(Handover { old, new, script, allow_drift: how.allow_drift })
}

impl Handover {
    /// Runs the script on a database, once its schema was found to be the history's. Only the tool's own table changes.
    ///
    /// # Errors
    /// When the tool has no script, the history doesn't replay, or the database can't be reached; that it isn't handed over
    /// is no error, but what came of it.
    pub fn run(&self, project: &Project, url: &str, progress: &dyn Progress) -> Result<HandedOver, Vec<Error>> {
        let script = &self.script;
        if script.sql.is_empty() {
            let message = format!("{} is handed over by its own commands, not by a URL", self.new.layout);
            return Err(Error::new(message).hint("leave out --url to see them").into());
        }
        if !self.allow_drift {
            let files = replay_files(&self.old);
            let look = |settings: &Settings| live::drift(url, script, &files, settings, progress);
            let found = project.on_scratch(&[&files], progress, look, |error| Some(error))?;
            let found = found.map_err(|error| could_not_replay(Replayed::History(&self.old), error))?;
            if !found.is_empty() {
                // One that is behind differs too, and the tool's table says it.
                let refused = live::refusal(url, script).map(HandedOver::Refused);
                return Ok(refused.unwrap_or(HandedOver::Drifted(found)));
            }
            progress.note(&format!("not compared with the live database: {}", LIVE_NOT_COMPARED.join(", ")));
        }
        Ok(match live::run(url, script)? {
            live::Outcome::Done => HandedOver::Done,
            live::Outcome::Unchanged => HandedOver::Unchanged,
            live::Outcome::Refused(why) => HandedOver::Refused(why),
        })
    }
}
