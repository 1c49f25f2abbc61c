//! Writes a proven set: all of it or nothing, and never over a file that this program didn't write.
//!
//! A manifest in the folder names the files that were written and a sum of each, so that a file changed by hand since is
//! known. Migration tools pass over it, since its name begins with a dot.

use super::NewSet;
use super::whole::{WholeFile, files_below};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const MANIFEST: &str = ".consolidate";

/// Whether the set may be written here, before any work is done.
///
/// # Errors
/// When the folder can't be written to, or holds files of others.
pub fn check(folder: &Path, force: bool) -> Result<()> {
    check_files(folder, force, false)
}

/// With `deep`, the set has folders of its own, and so the SQL in all folders below counts.
fn check_files(folder: &Path, force: bool, deep: bool) -> Result<()> {
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
    let known = manifest(folder);
    let mut strangers = Vec::new();
    for name in sql_files(folder, deep)? {
        let text = fs::read(folder.join(&name)).unwrap_or_default();
        if known.get(&name) != Some(&sum(&text)) {
            strangers.push(name);
        }
    }
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
pub fn write(folder: &Path, set: &NewSet, force: bool) -> Result<Changes> {
    let of = |f: &super::NewFile| WholeFile { path: f.name.clone(), bytes: f.text.clone().into_bytes(), is_new: true };
    write_files(folder, &set.files.iter().map(of).collect::<Vec<_>>(), force)
}

/// Writes files, perhaps in folders below, and says which are new, changed or gone.
///
/// # Errors
/// As [`write`].
pub fn write_files(folder: &Path, files: &[WholeFile], force: bool) -> Result<Changes> {
    let deep = files.iter().any(|f| f.path.contains('/'));
    check_files(folder, force, deep)?;
    // Where the folder is a link, what it points to is replaced, not the link.
    let folder = &fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let present = if folder.is_dir() { sql_files(folder, deep)? } else { Vec::new() };
    let written: Vec<String> = files
        .iter()
        .filter(|f| fs::read(folder.join(&f.path)).ok().as_ref() != Some(&f.bytes))
        .map(|f| f.path.clone())
        .collect();
    let removed: Vec<String> = present.iter().filter(|name| !files.iter().any(|f| f.path == **name)).cloned().collect();
    let changes = Changes { written, removed };
    if changes.is_empty() && folder.join(MANIFEST).exists() {
        return Ok(changes);
    }
    let parent = parent_of(folder);
    let fail = |what: &str, e: std::io::Error| Error::new(format!("can't {what}: {e}; nothing was changed"));
    let fresh = tempfile::Builder::new()
        .prefix(".consolidate-new-")
        .tempdir_in(&parent)
        .map_err(|e| fail(&format!("write to {}", parent.display()), e))?;
    fill(fresh.path(), folder, files, &present).map_err(|e| fail("write the new set", e))?;
    swap(fresh, folder).map_err(|e| fail("put the new set in place", e))?;
    Ok(changes)
}

/// The new folder: the set, its manifest, and what else the old folder held (a README, say).
fn fill(fresh: &Path, folder: &Path, files: &[WholeFile], present: &[String]) -> std::io::Result<()> {
    if folder.is_dir() {
        fs::set_permissions(fresh, fs::metadata(folder)?.permissions())?;
        keep_others(folder, fresh, "", present)?;
    } else {
        allow_reading(fresh)?;
    }
    let mut lines = String::from("# written by consolidate: the files of the set and their sums\n");
    for file in files {
        let path = fresh.join(&file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, &file.bytes)?;
        lines.push_str(&format!("{} {}\n", sum(&file.bytes), file.path));
    }
    fs::write(fresh.join(MANIFEST), lines)
}

/// Copies all but the SQL that is replaced. A folder that holds nothing else goes with it.
fn keep_others(from: &Path, to: &Path, prefix: &str, replaced: &[String]) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let own = format!("{prefix}{}", name.to_string_lossy());
        let below = format!("{own}/");
        if replaced.contains(&own) || own == MANIFEST {
            continue;
        }
        if !replaced.iter().any(|r| r.starts_with(&below)) {
            copy(&path, &to.join(&name))?;
        } else if !all_replaced(&path, &below, replaced)? {
            fs::create_dir_all(to.join(&name))?;
            keep_others(&path, &to.join(&name), &below, replaced)?;
        }
    }
    Ok(())
}

fn all_replaced(folder: &Path, prefix: &str, replaced: &[String]) -> std::io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let own = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let gone = if entry.path().is_dir() && !entry.path().is_symlink() {
            all_replaced(&entry.path(), &format!("{own}/"), replaced)?
        } else {
            replaced.contains(&own)
        };
        if !gone {
            return Ok(false);
        }
    }
    Ok(true)
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

fn parent_of(folder: &Path) -> PathBuf {
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// The SQL of a folder that is, or may be, a set's: what lies right in it and what this program wrote; with `deep`, all of it.
fn sql_files(folder: &Path, deep: bool) -> Result<Vec<String>> {
    let known = manifest(folder);
    let ours = |name: &String| deep || !name.contains('/') || known.contains_key(name);
    let all = files_below(folder)?.into_iter().map(|(name, _)| name);
    Ok(all.filter(|name| name.ends_with(".sql") && ours(name)).collect())
}

fn manifest(folder: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default();
    text.lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(' ').map(|(sum, name)| (name.to_string(), sum.to_string())))
        .collect()
}

/// FNV-1a: enough to see that a file was changed by hand.
fn sum(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |s, b| (s ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{sum:016x}")
}
