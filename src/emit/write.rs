//! Writes a proven set: all of it or nothing, and never over a file that this program didn't write.
//!
//! A manifest in the folder names the files that were written and a sum of each, so that a file changed by hand since is
//! known. Migration tools pass over it, since its name begins with a dot.

use super::Laid;
use crate::error::{Error, Result};
use crate::history::contents::Contents;
use crate::history::{LAYOUT_LINE, MANIFEST};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of migrations that lie in folders of their own.
const IN_FOLDERS: &[&str] = &["up.sql", "down.sql", "migration.sql"];

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
    if force || !folder.is_dir() {
        return Ok(());
    }
    refuse_strangers(folder, &changed_or_strange(folder)?)
}

/// The files of a set's kind that weren't written with it, or were changed since.
pub(super) fn changed_or_strange(folder: &Path) -> Result<Vec<String>> {
    let known = manifest(folder);
    let is_strange = |name: &String| {
        let text = fs::read(folder.join(name)).unwrap_or_default();
        known.get(name) != Some(&sum(&text))
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
}

impl Changes {
    /// Whether the folder held just this set already.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty()
    }
}

/// Writes the set, and says which files are new, changed or gone.
///
/// # Errors
/// When something can't be written; the folder is then as it was.
pub fn write(folder: &Path, set: &Laid, force: bool) -> Result<Changes> {
    check(folder, force)?;
    // Where the folder is a link, what it points to is replaced, not the link.
    let folder = &fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let present = if folder.is_dir() { set_files(folder)? } else { Vec::new() };
    let on_disk = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let is_new = |(name, text): &&(String, String)| on_disk(name).as_ref() != Some(text);
    let written: Vec<String> = set.files.iter().filter(is_new).map(|(name, _)| name.clone()).collect();
    let is_strange = |name: &&String| !force && !present.contains(name) && folder.join(name).exists();
    refuse_strangers(folder, &written.iter().filter(is_strange).cloned().collect::<Vec<_>>())?;
    let removed: Vec<String> = present.into_iter().filter(|name| !set.files.iter().any(|f| f.0 == *name)).collect();
    let changes = Changes { written, removed };
    if changes.is_empty() && manifest_text(folder).contains(&layout_line(set)) {
        return Ok(changes);
    }
    let parent = parent_of(folder);
    let fail = |what: &str, e: std::io::Error| Error::new(format!("can't {what}: {e}; nothing was changed"));
    let fresh = tempfile::Builder::new()
        .prefix(".consolidate-new-")
        .tempdir_in(&parent)
        .map_err(|e| fail(&format!("write to {}", parent.display()), e))?;
    fill(fresh.path(), folder, set).map_err(|e| fail("write the new set", e))?;
    swap(fresh, folder).map_err(|e| fail("put the new set in place", e))?;
    Ok(changes)
}

/// The new folder: the set, its manifest, and what else the old folder held (a README, say).
fn fill(fresh: &Path, folder: &Path, set: &Laid) -> std::io::Result<()> {
    if folder.is_dir() {
        fs::set_permissions(fresh, fs::metadata(folder)?.permissions())?;
        let gone = set_files(folder).map_err(|e| std::io::Error::other(e.message))?;
        copy_others(folder, fresh, "", &gone)?;
    } else {
        allow_reading(fresh)?;
    }
    write_files(fresh, set)
}

/// The files of a set and their manifest, into a folder that has none of them.
pub(super) fn write_files(fresh: &Path, set: &Laid) -> std::io::Result<()> {
    let mut lines = String::from("# written by consolidate: the files of the set and their sums\n");
    lines.push_str(&layout_line(set));
    for (name, text) in &set.files {
        let path = fresh.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
        lines.push_str(&format!("{} {name}\n", sum(text.as_bytes())));
    }
    fs::write(fresh.join(MANIFEST), lines)
}

fn layout_line(set: &Laid) -> String {
    format!("{LAYOUT_LINE}{}\n", set.layout.name())
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

/// Copies a file or a folder; a link stays a link.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if from.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
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

/// Two renames; if the second fails, the first is taken back.
fn swap(fresh: tempfile::TempDir, folder: &Path) -> std::io::Result<()> {
    let aside = folder.with_file_name(format!(
        ".consolidate-old-{}-{}",
        folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        std::process::id()
    ));
    let existed = folder.exists();
    if existed {
        fs::rename(folder, &aside)?;
    }
    let path = fresh.keep();
    if let Err(error) = fs::rename(&path, folder) {
        if existed {
            fs::rename(&aside, folder)?;
        }
        let _ = fs::remove_dir_all(&path);
        return Err(error);
    }
    if existed {
        let _ = fs::remove_dir_all(&aside);
    }
    Ok(())
}

pub(super) fn parent_of(folder: &Path) -> PathBuf {
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// The files in a folder that are a set's, or would be read with it: its `.sql` files, migrations in folders of their own,
/// and what its manifest names.
fn set_files(folder: &Path) -> Result<Vec<String>> {
    let contents = Contents::read(folder)?;
    let is_migration = |p: &&str| !p.contains('/') || IN_FOLDERS.contains(&p.rsplit('/').next().unwrap_or(p));
    let mut names: Vec<String> = contents.sql().filter(is_migration).map(String::from).collect();
    names.extend(manifest(folder).into_keys().filter(|name| folder.join(name).is_file()));
    names.sort();
    names.dedup();
    Ok(names)
}

fn manifest_text(folder: &Path) -> String {
    fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default()
}

/// The files that a set was written with, and their sums.
pub fn manifest(folder: &Path) -> BTreeMap<String, String> {
    manifest_text(folder)
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(' ').map(|(sum, name)| (name.to_string(), sum.to_string())))
        .collect()
}

/// FNV-1a: enough to see that a file was changed by hand.
pub fn sum(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |s, b| (s ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{sum:016x}")
}
