//! The call that undoes a set which took its history's place.

use super::Project;
use crate::error::{Error, Result};
use crate::store::aside;
use std::path::PathBuf;

/// Puts the history back to where it was before a set took its place. Gives the folder in which it was meanwhile. With
/// `force` also if migrations were added or changed since, which are then lost.
///
/// # Errors
/// When the folder holds no set that was written in place, or what would be lost; when something can't be moved.
///
/// # Examples
/// ```
/// use consolidate::{Asked, Project, Silent};
///
/// // The set of the example lies beside its history: there is nothing to undo.
/// let project = Project::open(&Asked::default(), &Silent)?;
/// let errors = consolidate::restore(&project, false).unwrap_err();
/// assert!(errors[0].message.contains("no set that was written in place"));
/// # Ok::<(), Vec<consolidate::Error>>(())
/// ```
pub fn restore(project: &Project, force: bool) -> Result<PathBuf, Vec<Error>> {
    project.refuse_to_replace(&project.new)?;
    Ok(aside::restore(&project.new, force)?)
}
