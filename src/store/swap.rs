//! Puts a new folder in the place of an old one so that a kill at any moment leaves the one or the other, whole; and heals
//! what a kill left.
//!
//! Where the system can exchange two folders in one step, there is no moment between. Elsewhere the old folder is moved
//! aside first, under a name that says whose it is: the next run finds it and moves it back. A run that lives holds a lock on
//! each folder that it works with, so that nobody takes its folders for leftovers.
//!
//! Where the old folder is a history that is kept, two renames are needed in any case: the set gets the history's place, and
//! the history a place of its own. Before the first one the set bears a name with the number that the file system gave its
//! folder, which no rename changes. So whatever lies under that name later, it is plain which of the two it is.

use super::manifest::said_in;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A new folder in the making, and the name of the folder that it is for.
const FRESH: &str = ".consolidate-new-";
/// An old folder on its way out.
const ASIDE: &str = ".consolidate-old-";
/// A whole set whose history is to be kept; once they changed places, the history. The number of the set's folder follows.
const READY: &str = ".consolidate-set-";

/// A moment of a write, for tests that stop it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The new folder is there, and empty.
    Begun,
    /// A file of it is written.
    File,
    /// All of it is written and on the disk.
    Filled,
    /// The old folder has been moved aside, and nothing stands in its place. Not where folders can be exchanged.
    Between,
    /// The new folder stands in its place.
    Placed,
    /// A part of the old folder is gone.
    Removing,
}

/// How folders change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In one step where the system can, else in two.
    Best,
    /// In two steps, as where the system can't exchange folders.
    TwoSteps,
}

/// A new folder beside the one that it will replace. Dropped before it is in place, it is removed.
pub(super) struct Fresh {
    path: PathBuf,
    target: PathBuf,
    is_placed: bool,
    /// Locks, as long as they are open.
    _locks: Vec<File>,
}

impl Fresh {
    /// Makes it, empty.
    pub fn beside(target: &Path) -> io::Result<Fresh> {
        let parent = parent_of(target);
        let path = tempfile::Builder::new().prefix(&prefix(FRESH, target)).rand_bytes(6).tempdir_in(parent)?.keep();
        let mut fresh = Fresh { path, target: target.to_path_buf(), is_placed: false, _locks: Vec::new() };
        fresh._locks.extend(locked(&fresh.path)?);
        if target.is_dir() {
            // Another run may be at work on it; the last one wins, and either set is whole.
            fresh._locks.extend(locked(target)?);
        }
        Ok(fresh)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place. What stood there is removed afterwards, as far as that goes.
    pub fn place(mut self, way: Way, at: &dyn Fn(Moment)) -> io::Result<()> {
        on_disk(&self.path)?;
        at(Moment::Filled);
        let parent = parent_of(&self.target);
        let old = if !self.target.exists() {
            fs::rename(&self.path, &self.target)?;
            None
        } else if way == Way::Best && exchanged(&self.path, &self.target)? {
            Some(self.path.clone())
        } else {
            Some(in_two_steps(&self.path, &self.target, &parent, at)?)
        };
        self.is_placed = true;
        // Without it the old set may stand there after a power failure, whole.
        on_disk_too(&parent);
        at(Moment::Placed);
        if let Some(old) = old {
            // The next run removes what can't be removed now.
            let _ = remove(&old, at);
        }
        Ok(())
    }

    /// Puts it in its place, and what stood there in a place of its own, where it stays. What fails is taken back. A kill
    /// between leaves what [`heal`] takes back or finishes.
    pub fn place_aside(mut self, aside: &Path, way: Way) -> io::Result<()> {
        on_disk(&self.path)?;
        let parent = parent_of(&self.target);
        let ready = parent.join(format!("{}{}", prefix(READY, &self.target), number(&self.path)?));
        fs::rename(&self.path, &ready)?;
        self.path = ready;
        on_disk_too(&parent);
        if way == Way::Best && exchanged(&self.path, &self.target)? {
            // What is dropped from here on is the history.
            self.is_placed = true;
            on_disk_too(&parent);
            if let Err(error) = fs::rename(&self.path, aside) {
                self.is_placed = !exchanged(&self.path, &self.target)?;
                return Err(error);
            }
        } else {
            fs::rename(&self.target, aside)?;
            if let Err(error) = fs::rename(&self.path, &self.target) {
                fs::rename(aside, &self.target)?;
                return Err(error);
            }
            self.is_placed = true;
        }
        on_disk_too(&parent);
        Ok(())
    }
}

/// The number that the file system gave a folder; it keeps it wherever it is moved to.
#[cfg(unix)]
fn number(folder: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::symlink_metadata(folder)?.ino())
}

/// Nothing is exchanged here, so that nothing needs a number.
#[cfg(not(unix))]
fn number(_: &Path) -> io::Result<u64> {
    Ok(0)
}

/// Asks that what was renamed in a folder is on the disk, as far as the file system knows of that.
fn on_disk_too(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

/// Moves what stands in a place aside, then a folder there. Gives where the former is now.
fn in_two_steps(from: &Path, target: &Path, parent: &Path, at: &dyn Fn(Moment)) -> io::Result<PathBuf> {
    let aside = tempfile::Builder::new().prefix(&prefix(ASIDE, target)).rand_bytes(6).tempdir_in(parent)?.keep();
    // A rename may replace an empty folder.
    if let Err(error) = fs::rename(target, &aside) {
        let _ = fs::remove_dir(&aside);
        return Err(error);
    }
    at(Moment::Between);
    if let Err(error) = fs::rename(from, target) {
        fs::rename(&aside, target)?;
        return Err(error);
    }
    Ok(aside)
}

/// Puts a folder that was moved aside back in the place of the one that stands there now, which goes. A kill between leaves
/// the latter to be healed.
pub(super) fn put_back(from: &Path, target: &Path) -> io::Result<()> {
    let _lock = locked(target)?;
    let gone = in_two_steps(from, target, &parent_of(target), &|_| ())?;
    // The next run removes what can't be removed now.
    let _ = remove(&gone, &|_| ());
    Ok(())
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.is_placed {
            // The next run removes what can't be removed now.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// What was healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Healed {
    /// Nothing was wrong with the folder.
    Nothing,
    /// The folder was gone, and is back as it was.
    Back,
    /// A set whose history goes aside stands in its place now, and the history in its own.
    Finished,
}

/// Heals what a run left beside a folder that was killed while it wrote: moves the folder back if nothing stands in its
/// place, and removes what is left over. Folders of a run that lives aren't touched.
///
/// # Errors
/// When the folder can't be moved back. What can't be removed does no harm, and is no error.
pub fn heal(folder: &Path) -> io::Result<Healed> {
    // What a link points to may be what is gone.
    let linked = || fs::read_link(folder).map_or_else(|_| folder.to_path_buf(), |to| parent_of(folder).join(to));
    let target = fs::canonicalize(folder).unwrap_or_else(|_| linked());
    let parent = parent_of(&target);
    let mut healed = finish_aside(&parent, &target)?;
    let mut aside = of(&parent, ASIDE, &target);
    // The newest last.
    aside.sort_by_key(|path| fs::metadata(path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH));
    if fs::symlink_metadata(&target).is_err() {
        // An empty one was made for a rename that didn't come.
        let full = |path: &PathBuf| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        let whole = aside.iter().rposition(full);
        if let Some(at) = whole
            && let Some(_lock) = locked(&aside[at])?
        {
            fs::rename(&aside[at], &target)?;
            aside.remove(at);
            healed = Healed::Back;
        }
    }
    for left in aside.into_iter().chain(of(&parent, FRESH, &target)) {
        if let Ok(Some(_lock)) = locked(&left) {
            let _ = remove(&left, &|_| ());
        }
    }
    Ok(healed)
}

/// What a run left that was killed while a history went aside: before the exchange, the set goes; after it, the history gets
/// its place; and where nothing stands in the set's place, since folders couldn't be exchanged, the set gets it.
fn finish_aside(parent: &Path, target: &Path) -> io::Result<Healed> {
    let mut healed = Healed::Nothing;
    for left in of(parent, READY, target) {
        let Some(_lock) = locked(&left)? else { continue };
        let name = left.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let of_set = name.rsplit('-').next().and_then(|number| number.parse::<u64>().ok());
        let is_set = |folder: &Path| number(folder).ok().is_some_and(|number| Some(number) == of_set);
        let stands = fs::symlink_metadata(target).is_ok();
        match (is_set(&left), stands) {
            (true, true) => {
                // The next run removes what can't be removed now.
                let _ = remove(&left, &|_| ());
            }
            (true, false) => {
                fs::rename(&left, target)?;
                healed = Healed::Finished;
            }
            (false, _) => {
                let aside = said_in(target).filter(|_| is_set(target));
                let Some(aside) = aside.filter(|aside| fs::symlink_metadata(aside).is_err()) else {
                    return Err(io::Error::other(format!(
                        "the history lies in {}, and its own place isn't known or taken",
                        left.display()
                    )));
                };
                fs::rename(&left, aside)?;
                healed = Healed::Finished;
            }
        }
    }
    Ok(healed)
}

/// The folder that a folder lies in.
pub(super) fn parent_of(folder: &Path) -> PathBuf {
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn prefix(what: &str, target: &Path) -> String {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{what}{name}-")
}

/// The folders of a kind that belong to a target.
fn of(parent: &Path, what: &str, target: &Path) -> Vec<PathBuf> {
    let prefix = prefix(what, target);
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let is_it = |name: &str| name.strip_prefix(&prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('-'));
    entries
        .filter(|entry| {
            is_it(&entry.file_name().to_string_lossy()) && entry.file_type().is_ok_and(|kind| kind.is_dir())
        })
        .map(|entry| entry.path())
        .collect()
}

/// A lock on a folder, which goes when its holder goes, however that is; none if somebody else has it.
#[cfg(unix)]
fn locked(folder: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{FlockOperation, flock};
    let file = File::open(folder)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        // A file system without locks: as if nobody else were there.
        Err(_) => Ok(Some(file)),
    }
}

#[cfg(not(unix))]
fn locked(folder: &Path) -> io::Result<Option<File>> {
    let _ = folder;
    Ok(None)
}

/// Exchanges two folders in one step; `false` where the system can't.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchanged(one: &Path, other: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchanged(_: &Path, _: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Waits until all of a folder is on the disk. A disk may say only here that it is full.
fn on_disk(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            on_disk(&entry.path())?;
        } else if kind.is_file() {
            match File::open(entry.path()) {
                Ok(file) => file.sync_all()?,
                // One that was copied from a file that we may not read.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(error),
            }
        }
    }
    on_disk_too(folder);
    Ok(())
}

/// Removes a folder, entry by entry.
fn remove(folder: &Path, at: &dyn Fn(Moment)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
        at(Moment::Removing);
    }
    fs::remove_dir(folder)
}
