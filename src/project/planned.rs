//! The call that plans.

use super::Project;
use crate::error::{Error, Result};
use crate::history::cut::Cut;
use crate::history::{File, History, StatementId};
use crate::plan::{self, Fate, FateKind, Plan, plan_part};
use crate::replay::replay_from;
use crate::store::manifest;
use std::path::PathBuf;

/// The plan of a history, and the history itself.
#[derive(Debug)]
pub struct Planned {
    /// The history, up to a cut that keeps what follows.
    pub history: History,
    /// Its plan.
    pub plan: Plan,
    /// The first file that is planned; those before it stay as they are.
    pub first_file: usize,
    /// The sum of the whole history.
    sum: String,
}

/// Why what is there is no longer, or not yet, what a plan says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stale {
    /// So many statements of the history in this folder could go.
    Idle(usize, PathBuf),
    /// The set in the first folder was written before the history in the second one changed.
    Changed(PathBuf, PathBuf),
}

/// Plans: what is dead, folded, superseded and kept of a history, and why; no database is needed, and nothing is written.
///
/// # Errors
/// When the history can't be read, with the place of each error, or the settings of the new set can't be followed.
///
/// # Examples
/// ```
/// use consolidate::{Asked, Project, Silent};
///
/// let asked = Asked { old: Some("migrations.old".into()), ..Asked::default() };
/// let project = Project::open(&asked, &Silent)?;
/// let planned = consolidate::plan(&project)?;
/// for finding in &planned.plan.findings {
///     assert!(!finding.object.is_empty(), "{} says where it was born", finding.born);
/// }
/// assert!(planned.plan.after.statements < planned.plan.before.statements);
/// # Ok::<(), Vec<consolidate::Error>>(())
/// ```
pub fn plan(project: &Project) -> Result<Planned, Vec<Error>> {
    let mut history = project.history()?;
    let sum = manifest::sum_of(&history);
    let cut = project.cut(&history)?;
    let first_file = match cut {
        Some(Cut::Through(files)) => {
            history = history.first(files);
            0
        }
        Some(Cut::From(start)) => start,
        None => 0,
    };
    let model = replay_from(&history, cut.and_then(|cut| cut.first_statement(&history)));
    let plan = match cut {
        Some(Cut::From(start)) => plan_part(&history, &model, &project.config, start)?,
        _ => plan::plan(&history, &model, &project.config)?,
    };
    Ok(Planned { history, plan, first_file, sum })
}

impl Planned {
    /// Why what is there doesn't fit: the set that was written, if there is one, else what could go from the history.
    pub fn stale(&self, project: &Project) -> Option<Stale> {
        let (set, folder) = (&project.new, &self.history.folder);
        if !project.is_one_folder() && manifest::was_written(set) {
            let is_other = manifest::history_of(set).is_some_and(|written| written != self.sum);
            return is_other.then(|| Stale::Changed(set.clone(), folder.clone()));
        }
        let idle =
            |k: FateKind| matches!(k, FateKind::Dead | FateKind::Superseded | FateKind::Noop | FateKind::Backfill);
        let count = self.plan.fates.iter().filter(|f| idle(f.kind)).count();
        (count > 0).then(|| Stale::Idle(count, folder.clone()))
    }

    /// The statement on a line, or the last one that begins above it, and its fate. `place` is `FILE:LINE`.
    ///
    /// # Errors
    /// When there is no such file or statement, or it isn't planned.
    pub fn fate_at(&self, place: &str) -> Result<(StatementId, &Fate)> {
        let history = &self.history;
        let (file, line) = place
            .rsplit_once(':')
            .and_then(|(f, l)| l.parse::<usize>().ok().map(|l| (f, l)))
            .ok_or_else(|| Error::new(format!("\"{place}\" isn't FILE:LINE")))?;
        // With its folder or without, with the folder of the history before it, or by its version.
        let name = file.rsplit('/').next().unwrap_or(file);
        let is_it = |f: &&File| {
            f.name == file
                || file.ends_with(&format!("/{}", f.name))
                || f.version.as_deref() == Some(name)
                || f.stem == name
        };
        let found = history.files.iter().find(is_it).or_else(|| history.files.iter().find(|f| f.name == name));
        let found = found.ok_or_else(|| {
            Error::new(format!("no file {file} in {}", history.folder.display()))
                .hint("give the file's name or its version")
        })?;
        let statement = found
            .statements
            .clone()
            .rfind(|id| history.statements[*id].line <= line)
            .ok_or_else(|| Error::new(format!("no statement at or above line {line} of {name}")))?;
        let first = history.files.get(self.first_file).map_or(0, |f| f.statements.start);
        let fate = statement.checked_sub(first).and_then(|at| self.plan.fates.get(at)).ok_or_else(|| {
            Error::new(format!("{name} stays as it is: it comes before the part that is consolidated"))
        })?;
        Ok((statement, fate))
    }
}
