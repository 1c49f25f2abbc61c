//! The call that consolidates: it proves a set and holds it in memory; a second call writes it.

use super::trouble::{Replayed, could_not_replay};
use super::{About, Project, warn};
use crate::as_replayed::{apart, replay_files};
use crate::emit::{self, Filed, Order, Proven, file_cycles};
use crate::error::{Error, Result};
use crate::history::History;
use crate::history::cut::Cut;
use crate::history::layout::{self, Layout};
use crate::plan::{self, Plan, empty_set, plan_part, secrets_that_stay};
use crate::progress::Progress;
use crate::proof::{ReplayError, Settings, Verdict};
use crate::replay::{Model, replay, replay_from};
use crate::store::WholeFile;
use crate::store::aside::{self, aside_of};
use crate::store::manifest::{Origin, sum_of};
use crate::store::write::{self, Changes};
use std::fmt;
use std::path::PathBuf;

/// Where a set is to be written, once it is proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// Nowhere: it stays in memory.
    #[default]
    Nowhere,
    /// Into the folder of the set.
    Folder,
    /// Into the place of the history, which is moved aside.
    InPlace,
}

/// How a set is made and written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Emitting {
    /// Where it is to be written.
    pub target: Target,
    /// Whether files are replaced or removed that this library didn't write, or that were changed since.
    pub force: bool,
    /// The layout of the new set; that of the configuration, or the history's.
    pub layout: Option<&'static dyn Layout>,
}

/// A proven set.
#[derive(Debug)]
pub struct Consolidated {
    /// The whole history.
    pub whole: History,
    /// What of it was consolidated: it ends where a cut says.
    pub history: History,
    /// The set, the verdict on it, and how it was found.
    pub proven: Proven,
    /// It in figures, and what isn't in it.
    pub about: About,
    /// Where the history was moved to, or will be.
    pub aside: Option<PathBuf>,
    filed: Filed,
    model: Model,
    cut: Option<Cut>,
    target: Target,
    force: bool,
    folder: PathBuf,
}

/// What an emit did with the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// These files are new, changed or gone.
    Files(Changes),
    /// The folder held just this set already.
    Unchanged,
    /// Nothing was asked to be written.
    Nothing,
}

/// Why there is no set.
#[derive(Debug)]
pub enum Unproven {
    /// It couldn't be tried: the history can't be read or replayed, or the set couldn't be written.
    Unable(Vec<Error>),
    /// No set could be proven. The last one tried failed at this error.
    Failed {
        /// The error.
        error: Error,
        /// What stands in the way.
        blocked: Vec<String>,
    },
    /// No set could be proven. The best one found differs.
    Different {
        /// How.
        verdict: Box<Verdict>,
        /// Files of the history that were left out.
        left_out: Vec<String>,
        /// What stands in the way.
        blocked: Vec<String>,
    },
}

impl From<Vec<Error>> for Unproven {
    fn from(errors: Vec<Error>) -> Self {
        Unproven::Unable(errors)
    }
}

impl From<Error> for Unproven {
    fn from(error: Error) -> Self {
        Unproven::Unable(vec![error])
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unproven::Unable(errors) => {
                let lines: Vec<String> = errors.iter().map(Error::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Unproven::Failed { error, .. } => {
                write!(f, "no set could be proven identical; the last one tried failed at {error}")
            }
            Unproven::Different { verdict, .. } => {
                let count = verdict.comparison.differences.len();
                write!(f, "no set could be proven identical; the best one found has {count} differences")
            }
        }
    }
}

impl std::error::Error for Unproven {}

/// Consolidates: finds the best set that gives the same schema and rows as the history, and proves that by replaying both on
/// scratch databases. It writes nothing: [`Consolidated::write`] does. That the set may be written where `how` says is
/// found out before any work is done.
///
/// # Errors
/// When the history can't be read or replayed, the set may not be written, or no set comes out the same.
///
/// # Examples
/// ```
/// use consolidate::{Asked, Emitting, Project, Silent, Target, Written};
///
/// # fn main() -> Result<(), consolidate::Unproven> {
/// let folder = tempfile::tempdir().map_err(|e| consolidate::Error::new(e.to_string()))?;
/// let (old, new) = (folder.path().join("migrations.old"), folder.path().join("migrations"));
/// # std::fs::create_dir(&old).map_err(|e| consolidate::Error::new(e.to_string()))?;
/// # for (name, sql) in [("0001_pets.sql", "CREATE TABLE pet (name text);"), ("0002_age.sql", "ALTER TABLE pet ADD age int;")] {
/// #     std::fs::write(old.join(name), sql).map_err(|e| consolidate::Error::new(e.to_string()))?;
/// # }
/// let asked = Asked { old: Some(old), new: Some(new.clone()), ..Asked::default() };
/// let project = Project::open(&asked, &Silent)?;
/// let how = Emitting { target: Target::Folder, ..Emitting::default() };
/// let set = consolidate::consolidate(&project, &how, &Silent)?;
/// assert_eq!(set.about.after.statements, 1);
/// assert!(!new.exists(), "nothing is written yet");
/// assert!(matches!(set.write()?, Written::Files(_)) && new.is_dir());
/// # Ok(())
/// # }
/// ```
pub fn consolidate(project: &Project, how: &Emitting, progress: &dyn Progress) -> Result<Consolidated, Unproven> {
    let history = project.history()?;
    let aside = ready(project, how)?;
    let layout = layout_of(project, how, &history)?;
    warn(&history, progress);
    let cut = project.cut(&history)?;
    let proven = |history: &History| {
        let order = Order { history, cut, config: &project.config, layout, folder: &project.old };
        let work = |settings: &Settings| emit::consolidate(&order, settings, progress);
        project.on_scratch(&[&replay_files(history)], progress, work, not_replayed)
    };
    let (whole, result) = in_its_sessions(history, proven)?;
    let (proven, filed) = result.map_err(|why| unproven(why, &whole))?;
    let order = Order { history: &whole, cut, config: &project.config, layout, folder: &project.old };
    let history = order.consolidated();
    if cut.is_none() {
        let cycles = file_cycles(&history, &replay(&history), &project.config)?;
        cycles.iter().for_each(|cycle| progress.note(&format!("{}: {}", history.at(cycle.at), cycle.message)));
    }
    if let Some(empty) = empty_set(&history, proven.set.statements()).filter(|_| cut.is_none()) {
        progress.warning(&empty.at, &empty.message);
    }
    for secret in secrets_that_stay(&history, &proven.set) {
        progress.warning(&secret.at, &secret.message);
    }
    if let Filed::Set(laid) = &filed {
        laid.notes.iter().for_each(|note| progress.note(note));
    }
    let model = replay_from(&history, cut.and_then(|cut| cut.first_statement(&history)));
    let about = About::of(&history, &model, cut, &proven);
    let folder = if how.target == Target::InPlace { project.old.clone() } else { project.new.clone() };
    let Emitting { target, force, .. } = *how;
    Ok(Consolidated { whole, history, proven, about, aside, filed, model, cut, target, force, folder })
}

impl Consolidated {
    /// All files of the new folder, with their bytes.
    pub fn files(&self) -> Vec<WholeFile> {
        self.filed.files()
    }

    /// The paths of the set's own files, in its order.
    pub fn names(&self) -> Vec<String> {
        self.filed.names(&self.proven, &self.whole)
    }

    /// The plan of what was consolidated: what became of each statement, and why.
    ///
    /// # Errors
    /// When the settings of the new set can't be followed.
    pub fn plan(&self, project: &Project) -> Result<Plan> {
        match self.cut {
            Some(Cut::From(start)) => plan_part(&self.history, &self.model, &project.config, start),
            _ => plan::plan(&self.history, &self.model, &project.config),
        }
    }

    /// Writes the set where it was to be written: all of it or nothing, and never over a file of somebody else's, unless told
    /// to.
    ///
    /// # Errors
    /// When something can't be written; all is then as it was.
    pub fn write(&self) -> Result<Written> {
        let (sum, files) = (sum_of(&self.whole), self.files());
        let layout = match &self.filed {
            Filed::Set(laid) => laid.layout,
            Filed::Whole(_) => self.whole.layout,
        };
        let origin = Origin { history: &sum, layout: layout.name() };
        let changes = match (self.target, &self.aside) {
            (Target::Nowhere, _) => return Ok(Written::Nothing),
            (Target::InPlace, Some(aside)) => {
                let written = aside::in_place(&self.folder, aside, &files, &self.whole, origin)?;
                Changes { written, removed: Vec::new(), noted: true }
            }
            _ => write::write_files(&self.folder, &files, origin, self.force)?,
        };
        Ok(if changes.is_empty() { Written::Unchanged } else { Written::Files(changes) })
    }
}

/// Where the history goes that is moved aside, once it is seen that something may be written.
fn ready(project: &Project, how: &Emitting) -> Result<Option<PathBuf>> {
    let (old, is_part) = (project.old.display(), project.asked.part.is_some());
    match how.target {
        Target::Nowhere => Ok(None),
        Target::InPlace => in_place_of(project, is_part).map(Some),
        Target::Folder if project.is_one_folder() => {
            let hint = match is_part {
                false => {
                    "move it aside with --in-place, or by yourself (git mv migrations migrations.old), name another folder \
                     with --new, or look at what would come with --dry-run"
                }
                true => "name a folder for the whole new set with --new, or look at what would come with --dry-run",
            };
            Err(Error::new(format!("the history is in {old}, where the new set would go")).hint(hint))
        }
        Target::Folder => {
            project.refuse_to_replace(&project.new)?;
            write::check(&project.new, how.force).map(|()| None)
        }
    }
}

fn in_place_of(project: &Project, is_part: bool) -> Result<PathBuf> {
    if !project.is_one_folder() {
        let message = format!("the history is in {} already, apart from the set", project.old.display());
        return Err(Error::new(message).hint("leave out --in-place"));
    }
    if is_part {
        let message = "--in-place moves a whole history aside, and a part of this one stays as it is";
        return Err(Error::new(message).hint("name a folder for the whole new set with --new"));
    }
    project.refuse_to_replace(&project.old)?;
    let aside = aside_of(&project.old);
    aside::check(&project.old, &aside)?;
    Ok(aside)
}

/// The layout in which the set is written.
fn layout_of(project: &Project, how: &Emitting, history: &History) -> Result<&'static dyn Layout> {
    let set = project.config.emit.layout.as_ref().and_then(|set| layout::by_name(&set.0).ok());
    let layout = how.layout.or(set).unwrap_or(history.layout);
    if project.asked.part.is_some() && layout != history.layout {
        let message = format!(
            "a part of the history stays as {} wants it, so the rest can't become {}",
            history.layout,
            layout.name()
        );
        return Err(Error::new(message).hint("leave out --write-layout and [emit] layout, or consolidate all of it"));
    }
    Ok(layout)
}

/// Whether it may be for the PostgreSQL in use that there is no set: the history didn't replay, or the set broke it.
fn not_replayed(why: &emit::Unproven) -> Option<&ReplayError> {
    match why {
        emit::Unproven::History(error) => Some(error),
        emit::Unproven::Candidate(error, _) => Some(&**error).filter(|error| !matches!(error, ReplayError::Failed(_))),
        _ => None,
    }
}

fn unproven(why: emit::Unproven, history: &History) -> Unproven {
    match why {
        emit::Unproven::Unwritable(error) => error.into(),
        emit::Unproven::History(error) => could_not_replay(Replayed::History(history), error).into(),
        emit::Unproven::Candidate(error, blocked) => {
            Unproven::Failed { error: could_not_replay(Replayed::Other, *error), blocked }
        }
        emit::Unproven::Different(verdict, blocked) => {
            Unproven::Different { verdict, left_out: history.left_out.clone(), blocked }
        }
    }
}

/// What a proof gives, or why there is none.
type Worked = Result<(Proven, Filed), emit::Unproven>;

/// Proves on a history as its tool runs it; if only that doesn't replay, with a session for each of its files.
fn in_its_sessions(
    history: History,
    proven: impl Fn(&History) -> Result<Worked, Vec<Error>>,
) -> Result<(History, Worked), Vec<Error>> {
    let first = proven(&history)?;
    let Err(emit::Unproven::History(error)) = &first else { return Ok((history, first)) };
    let Some((apart, note)) = apart(&history, error) else { return Ok((history, first)) };
    Ok(match proven(&apart)? {
        Err(emit::Unproven::History(_)) => (history, first),
        Ok((mut proven, filed)) => {
            proven.verdict.comparison.notes.push(note);
            (apart, Ok((proven, filed)))
        }
        second => (apart, second),
    })
}
