//! Writes a proven set: all of it or nothing, and never over a file that this program didn't write.
//!
//! A manifest in the folder names the files that were written and a sum of each, so that a file changed by hand since is
//! known. Migration tools pass over it, since its name begins with a dot.
//!
//! The new set is made in a folder beside the target, which `swap.rs` then puts in its place.

use super::WholeFile;
use super::manifest::{Origin, manifest, manifest_text, sum, was_written};
use super::swap::{Fresh, Moment, Way, parent_of};
use crate::error::{Error, Result};
use crate::files;
use crate::history::MANIFEST;
use crate::history::contents::Contents;
use crate::history::layout::Layout;
use crate::history::layout::graphile_migrate::{COMMITTED, GraphileMigrate};
use std::fs;
use std::io::Write;
use std::path::{Component, Path};

/// Files of migrations that lie in folders of their own.
const IN_FOLDERS: &[&str] = &["up.sql", "down.sql", "migration.sql"];
/// EBUSY, everywhere.
const BUSY: i32 = 16;

/// Whether the set may be written here, before any work is done.
///
/// # Errors
/// When the folder can't be written to, or holds files of others.
pub fn check(folder: &Path, force: bool) -> Result<()> {
    let parent = parent_of(&fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf()));
    if !parent.is_dir() {
        return Err(Error::new(format!("the folder {} doesn't exist", parent.display()))
            .hint("make it first, or name another with --new"));
    }
    if folder.exists() && !folder.is_dir() {
        return Err(Error::new(format!("{} is not a folder", folder.display())).hint("name another with --new"));
    }
    for place in [&parent, folder] {
        if fs::metadata(place).is_ok_and(|m| m.permissions().readonly()) {
            return Err(Error::new(format!("the folder {} is read-only", place.display()))
                .hint("allow writing to it, or name another with --new"));
        }
    }
    if folder.is_dir() {
        refuse_oddities(folder)?;
    }
    if force || !folder.is_dir() {
        return Ok(());
    }
    refuse_strangers(folder, &changed_or_strange(folder)?)
}

/// Pipes, sockets and devices in a folder that is to be replaced: they can't be copied to the new one.
pub(super) fn refuse_oddities(folder: &Path) -> Result<()> {
    let found = files::odd_below(folder).map_err(|e| fail(&format!("look into {}", folder.display()), e))?;
    found.map_or(Ok(()), |(path, what)| {
        Err(Error::new(format!("{} is {what}, which can't be kept when the folder is replaced", path.display()))
            .hint("remove it, or move it out of the folder"))
    })
}

/// The files of a set's kind that weren't written with it, or were changed since.
pub(super) fn changed_or_strange(folder: &Path) -> Result<Vec<String>> {
    let known = manifest(folder);
    let is_strange = |name: &String| {
        let text = files::read(&folder.join(name)).ok();
        text.is_none_or(|text| known.get(name) != Some(&sum(&text)))
    };
    Ok(set_files(folder)?.into_iter().filter(is_strange).collect())
}

fn refuse_strangers(folder: &Path, strangers: &[String]) -> Result<()> {
    if strangers.is_empty() {
        return Ok(());
    }
    let shown = strangers.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = if strangers.len() > 5 { format!(" and {} more", strangers.len() - 5) } else { String::new() };
    Err(Error::new(format!(
        "{} holds files that consolidate didn't write, or that were changed since: {shown}{more}",
        folder.display()
    ))
    .hint("move them away, name another folder with --new, or replace them with --force"))
}

/// What a write did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that are new or changed.
    pub written: Vec<String>,
    /// Files of an earlier set that aren't part of this one.
    pub removed: Vec<String>,
    /// Whether the folder is new, or what is noted there of the set.
    pub noted: bool,
}

impl Changes {
    /// Whether the folder held just this set already.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty() && !self.noted
    }
}

/// Writes the files of a set, perhaps in folders below, and says which are new, changed or gone.
///
/// # Errors
/// When something can't be written; the folder is then as it was.
pub fn write_files(folder: &Path, files: &[WholeFile], origin: Origin, force: bool) -> Result<Changes> {
    write_watched(folder, files, origin, force, Way::Best, &|_| ())
}

/// As [`write_files`], in a chosen way; tells of each moment at which a kill could come.
///
/// # Errors
/// As [`write_files`].
pub fn write_watched(
    folder: &Path,
    files: &[WholeFile],
    origin: Origin,
    force: bool,
    way: Way,
    at: &dyn Fn(Moment),
) -> Result<Changes> {
    check(folder, force)?;
    // Where the folder is a link, what it points to is replaced, not the link.
    let folder = &fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let present = if folder.is_dir() { set_files(folder)? } else { Vec::new() };
    let written: Vec<String> = files
        .iter()
        .filter(|f| files::read(&folder.join(&f.path)).ok().as_ref() != Some(&f.bytes))
        .map(|f| f.path.clone())
        .collect();
    let is_strange = |name: &&String| !force && !present.contains(name) && folder.join(name).exists();
    refuse_strangers(folder, &written.iter().filter(is_strange).cloned().collect::<Vec<_>>())?;
    let removed: Vec<String> = present.into_iter().filter(|name| !files.iter().any(|f| f.path == *name)).collect();
    let noted = !was_written(folder) || !origin.is_in(&manifest_text(folder));
    let changes = Changes { written, removed, noted };
    if changes.is_empty() {
        return Ok(changes);
    }
    let parent = parent_of(folder);
    let fresh = Fresh::beside(folder).map_err(|e| fail(&format!("write to {}", parent.display()), e))?;
    at(Moment::Begun);
    fill(fresh.path(), folder, files, origin, at).map_err(|e| fail("write the new set", e))?;
    fresh.place(way, at).map_err(|e| fail("put the new set in place", e))?;
    Ok(changes)
}

/// Why nothing was written, and what to look at.
pub(super) fn fail(what: &str, error: std::io::Error) -> Error {
    Error::new(format!("can't {what}: {error}; nothing was changed")).hint(match error.raw_os_error() {
        Some(BUSY) => "the folder may be a mount point, which can't be replaced: name one in it with --new",
        _ => "is there room on the disk, and may this user write to the folder and the one that it lies in?",
    })
}

/// The new folder: the set, its manifest, and what else the old folder held (a README, say).
fn fill(fresh: &Path, folder: &Path, files: &[WholeFile], origin: Origin, at: &dyn Fn(Moment)) -> std::io::Result<()> {
    if folder.is_dir() {
        fs::set_permissions(fresh, fs::metadata(folder)?.permissions())?;
        let gone = set_files(folder).map_err(|e| std::io::Error::other(e.message))?;
        copy_others(folder, fresh, "", &gone)?;
    } else {
        allow_reading(fresh)?;
    }
    fill_set(fresh, files, &origin.lines(), at)
}

/// The files of a set and their manifest, into a folder that has none of them. `said` are lines that the manifest says
/// beside.
pub(super) fn fill_set(fresh: &Path, files: &[WholeFile], said: &str, at: &dyn Fn(Moment)) -> std::io::Result<()> {
    // A file rule, or the name of a schema, may hold a path.
    let is_inside = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(file) = files.iter().find(|file| !is_inside(&file.path)) {
        return Err(std::io::Error::other(format!("{} leads out of the folder", file.path)));
    }
    let mut lines = format!("# written by consolidate: the files of the set and their sums\n{said}");
    for file in files {
        let path = fresh.join(&file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, &file.bytes)?;
        at(Moment::File);
        lines.push_str(&format!("{} {}\n", sum(&file.bytes), file.path));
    }
    fs::write(fresh.join(MANIFEST), lines)
}

/// Copies what isn't of a set; folders that held nothing else aren't made again.
pub(super) fn copy_others(from: &Path, to: &Path, prefix: &str, gone: &[String]) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let name = format!("{prefix}{}", file_name.to_string_lossy());
        let below = format!("{name}/");
        if name == MANIFEST || gone.contains(&name) {
            continue;
        }
        if entry.file_type()?.is_dir() && gone.iter().any(|g| g.starts_with(&below)) {
            let inner = to.join(&file_name);
            fs::create_dir_all(&inner)?;
            copy_others(&entry.path(), &inner, &below, gone)?;
            // Only an empty one goes.
            let _ = fs::remove_dir(&inner);
        } else {
            copy(&entry.path(), &to.join(file_name))?;
        }
    }
    Ok(())
}

/// A temporary folder is the owner's alone; migrations are for everybody who may read the project.
#[cfg(unix)]
fn allow_reading(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn allow_reading(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Writes one file, whole or not at all. What is no plain file (`/dev/stdout`, say) is written to as it is.
///
/// # Errors
/// When that can't be done.
pub fn file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let there = fs::symlink_metadata(path).ok();
    if there.is_some_and(|meta| !meta.is_file()) {
        return fs::write(path, bytes);
    }
    let mut fresh = tempfile::Builder::new();
    fresh.prefix(".consolidate-file-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fresh.permissions(fs::Permissions::from_mode(0o666));
    }
    // Where nothing may be put beside it, it may be written to all the same.
    let Ok(mut fresh) = fresh.tempfile_in(parent_of(path)) else { return fs::write(path, bytes) };
    fresh.write_all(bytes)?;
    fresh.as_file().sync_all()?;
    fresh.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Copies a file or a folder; a link stays a link.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if from.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    if let Some(what) = files::oddity(fs::symlink_metadata(from)?.file_type()) {
        return Err(std::io::Error::other(format!("{} is {what}", from.display())));
    }
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// The files in a folder that are a set's, or would be read with it: its `.sql` files, migrations in folders of their own,
/// and what its manifest names.
fn set_files(folder: &Path) -> Result<Vec<String>> {
    let contents = Contents::read(folder)?;
    let in_committed = GraphileMigrate.fits(&contents);
    let is_migration = |p: &&str| {
        if in_committed {
            return p.starts_with(COMMITTED);
        }
        let name = p.rsplit('/').next().unwrap_or(p);
        !p.contains('/') || IN_FOLDERS.contains(&name) || is_read_anywhere(name)
    };
    let mut names: Vec<String> = contents.sql().filter(is_migration).map(String::from).collect();
    names.extend(manifest(folder).into_keys().filter(|name| folder.join(name).is_file()));
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether a tool that looks into folders takes a file of this name for a migration: flyway, golang-migrate.
fn is_read_anywhere(name: &str) -> bool {
    let of_flyway = name.starts_with(['V', 'R', 'U']) && name.contains("__");
    let numbered = name.starts_with(|c: char| c.is_ascii_digit());
    of_flyway || (numbered && (name.ends_with(".up.sql") || name.ends_with(".down.sql")))
}
