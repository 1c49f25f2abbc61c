//! Where a history is cut in two: the part that is consolidated, and the part that stays as it is.

use super::git::git;
use super::{File, History};
use crate::error::{Error, Result};
use std::path::Path;

/// What the user says about the cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Consolidate up to and with this version.
    Through(String),
    /// Consolidate from this version on.
    From(String),
    /// Consolidate the files that a git revision doesn't have.
    FromRevision(String),
}

/// A cut: the files before it, and those from it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Consolidated are the files before this one; it and those after it stay as they are.
    Through(usize),
    /// Consolidated are this file and those after it; those before it stay as they are.
    From(usize),
}

impl Cut {
    /// Whether a file of the history stays as it is.
    pub fn keeps(self, file: usize) -> bool {
        match self {
            Cut::Through(end) => file >= end,
            Cut::From(start) => file < start,
        }
    }

    /// The first statement that is consolidated, if others come before it.
    pub fn first_statement(self, history: &History) -> Option<usize> {
        match self {
            Cut::Through(_) => None,
            Cut::From(start) => history.files.get(start).map(|f| f.statements.start),
        }
    }
}

impl Wish {
    /// Finds the cut in a history. `folders` are where the migrations lay or lie, for git.
    ///
    /// # Errors
    /// When no file has the version, or nothing is left to consolidate; when git can't tell, or the files of the revision
    /// aren't the first ones.
    pub fn find(&self, history: &History, folders: &[&Path]) -> Result<Cut> {
        let cut = match self {
            Wish::Through(version) => Cut::Through(position(history, version)?.1 + 1),
            Wish::From(version) => Cut::From(position(history, version)?.0),
            Wish::FromRevision(revision) => Cut::From(after_revision(history, revision, folders)?),
        };
        match cut {
            Cut::From(start) if start >= history.files.len() => Err(Error::new(
                "nothing comes after it: there is nothing to consolidate",
            )
            .hint("--from VERSION is the first file of the part; --from REVISION: the files that it doesn't have")),
            _ => Ok(cut),
        }
    }
}

/// The first and the last file of a version.
fn position(history: &History, version: &str) -> Result<(usize, usize)> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
    let number = |text: &str| digits(text).then(|| text.trim_start_matches('0').to_string());
    // A stem may be numbered anew: it counts only where nothing has a version.
    let versioned = history.files.iter().any(|f| f.version.is_some());
    let fits = |file: &File| {
        let own = file.version.as_deref().unwrap_or_default();
        let of_stem = if versioned { own } else { file.stem.split('_').next().unwrap_or_default() };
        file.name == version
            || file.stem == version
            || file.name.ends_with(&format!("/{version}"))
            // The folder of a migration that has one for itself.
            || file.name.strip_prefix(version).is_some_and(|rest| rest.starts_with('/') && rest.matches('/').count() == 1)
            // As diesel's folders have it, with dashes.
            || (version.starts_with(|c: char| c.is_ascii_digit())
                && file.name.strip_prefix(version).is_some_and(|rest| rest.starts_with('_')))
            || own == version
            || of_stem == version
            || (number(version).is_some() && (number(own) == number(version) || number(of_stem) == number(version)))
    };
    let first = history.files.iter().position(fits);
    let last = history.files.iter().rposition(fits);
    first.zip(last).ok_or_else(|| {
        let names: Vec<&str> = history.files.iter().map(|f| f.name.as_str()).collect();
        let shown = match names.as_slice() {
            [] => "none".to_string(),
            [one] => (*one).to_string(),
            [first, .., last] => format!("{first} to {last}"),
        };
        Error::new(format!("no migration in {} has the version {version}", history.folder.display()))
            .hint(format!("give a version or a file's name; there are {} files: {shown}", names.len()))
    })
}

/// The first file that a revision doesn't have.
fn after_revision(history: &History, revision: &str, folders: &[&Path]) -> Result<usize> {
    let mut known = Vec::new();
    // The files' names begin in the history's own folder, which may lie below the one that was named.
    for folder in folders.iter().copied().chain([history.folder.as_path()]).filter(|f| f.is_dir()) {
        known.extend(files_at(folder, revision)?);
    }
    let has = |file: &File| known.contains(&file.name);
    let start = history.files.iter().position(|f| !has(f)).unwrap_or(history.files.len());
    if known.is_empty() || start == 0 {
        return Err(Error::new(format!("git revision {revision} has none of these migrations"))
            .hint("name a revision in which the earlier ones are, such as main: or HEAD~9:"));
    }
    if let Some(late) = history.files[start..].iter().find(|f| has(f)) {
        return Err(Error::new(format!(
            "{} is in revision {revision}, but runs after {}, which isn't",
            late.name, history.files[start].name
        ))
        .hint("give the new migrations versions behind those of the revision first"));
    }
    Ok(start)
}

/// The files of a folder as a revision has them.
fn files_at(folder: &Path, revision: &str) -> Result<Vec<String>> {
    if revision.starts_with('-') {
        return Err(Error::new(format!("\"{revision}\" is no git revision")).hint("name one, such as main: or HEAD~9:"));
    }
    let run = git()
        .arg("-C")
        .arg(folder)
        .args(["ls-tree", "-r", "-z", "--name-only", revision])
        .output()
        .map_err(|e| Error::new(format!("can't run git: {e}")).hint("say the version instead: --from VERSION"))?;
    if !run.status.success() {
        let said = String::from_utf8_lossy(&run.stderr);
        let line = said.lines().next().unwrap_or("git failed").trim_start_matches("fatal: ").to_string();
        return Err(
            Error::new(format!("git revision {revision}: {line}")).hint("say the version instead: --from VERSION")
        );
    }
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    Ok(text.split('\0').filter(|n| !n.is_empty()).map(String::from).collect())
}

impl History {
    /// The first files of the history, as a history of their own.
    pub fn first(&self, files: usize) -> History {
        let mut part = self.clone();
        part.files.truncate(files);
        part.statements.truncate(part.files.last().map_or(0, |f| f.statements.end));
        part.shared_versions.retain(|group| group.iter().all(|file| *file < files));
        part
    }
}
