//! A history moved aside for its own set, and back: two renames, taken back if the second fails.

use super::lay_out::Laid;
use super::write::{changed_or_strange, copy_others, parent_of, write_files};
use crate::error::{Error, Result};
use crate::history::contents::Contents;
use crate::history::{History, MANIFEST};
use std::fs;
use std::path::{Path, PathBuf};

/// How the manifest's line about the history's new place begins.
const ASIDE_LINE: &str = "# in place of ";

/// Where a history is moved to: `migrations.old` beside `migrations`.
pub fn aside_of(folder: &Path) -> PathBuf {
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    folder.with_file_name(format!("{name}.old"))
}

/// Whether a history can be moved aside, before any work is done.
///
/// # Errors
/// When something is there already.
pub fn check(folder: &Path, aside: &Path) -> Result<()> {
    if aside.exists() {
        return Err(Error::new(format!(
            "{} is there already, so {} can't be moved there",
            aside.display(),
            folder.display()
        ))
        .hint("move it away first, or, if it is the history, leave out --in-place"));
    }
    if folder.is_symlink() {
        return Err(Error::new(format!(
            "{} is a link: what would be moved aside is what it points to",
            folder.display()
        ))
        .hint("name the folder itself with --old and --new"));
    }
    Ok(())
}

/// Moves the history aside and puts the set in its place. What isn't of the history (a README, a file that embeds the
/// folder) stays in both.
///
/// # Errors
/// When something can't be written or moved; all is then as it was.
pub fn in_place(folder: &Path, aside: &Path, laid: &Laid, history: &History) -> Result<Vec<String>> {
    check(folder, aside)?;
    let fail = |what: &str, e: std::io::Error| Error::new(format!("can't {what}: {e}; nothing was changed"));
    let parent = parent_of(folder);
    let fresh = tempfile::Builder::new()
        .prefix(".consolidate-new-")
        .tempdir_in(&parent)
        .map_err(|e| fail(&format!("write to {}", parent.display()), e))?;
    let gone = of_history(folder, history, laid)?;
    let write = || -> std::io::Result<()> {
        copy_others(folder, fresh.path(), "", &gone)?;
        write_files(fresh.path(), laid)?;
        let manifest = fresh.path().join(MANIFEST);
        let name = aside.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        fs::write(&manifest, format!("{}{ASIDE_LINE}{name}\n", fs::read_to_string(&manifest)?))?;
        fs::set_permissions(fresh.path(), fs::metadata(folder)?.permissions())
    };
    write().map_err(|e| fail("write the new set", e))?;
    fs::rename(folder, aside).map_err(|e| fail("move the history aside", e))?;
    let path = fresh.keep();
    if let Err(error) = fs::rename(&path, folder) {
        let back = fs::rename(aside, folder);
        let _ = fs::remove_dir_all(&path);
        let message = format!("can't put the new set in place: {error}");
        return Err(Error::new(match back {
            Ok(()) => format!("{message}; nothing was changed"),
            Err(_) => format!("{message}; the history is now {}", aside.display()),
        }));
    }
    Ok(laid.files.iter().map(|(name, _)| name.clone()).collect())
}

/// The files that go aside with the history: its own, those that were taken for its steps, and all that lies beside
/// migrations in folders of theirs or in drizzle's `meta/`.
fn of_history(folder: &Path, history: &History, laid: &Laid) -> Result<Vec<String>> {
    let inner = history.folder.strip_prefix(folder).map(Path::to_path_buf).unwrap_or_default();
    let whole = |name: &str| inner.join(name).display().to_string();
    let warned = history.warnings.iter().map(|(at, _)| at.file.as_str());
    let mut gone: Vec<String> = history.files.iter().map(|f| f.name.as_str()).chain(warned).map(whole).collect();
    gone.extend(history.set_aside.iter().map(|name| whole(name)));
    gone.extend(laid.files.iter().map(|(name, _)| name.clone()));
    let folders: Vec<String> = gone.iter().filter_map(|g| g.rsplit_once('/')).map(|(f, _)| format!("{f}/")).collect();
    let contents = Contents::read(folder)?;
    let beside = |p: &&str| folders.iter().any(|f| p.starts_with(f.as_str())) || p.ends_with(".sql.conf");
    gone.extend(contents.paths().filter(beside).map(String::from));
    Ok(gone)
}

/// Undoes [`in_place`]: the set goes, the history is back. Gives the place where it was.
///
/// # Errors
/// When the folder holds no set that was written in place, or, unless `force` says so, something that would be lost.
pub fn restore(folder: &Path, force: bool) -> Result<PathBuf> {
    let manifest = fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default();
    let Some(name) = manifest.lines().find_map(|l| l.strip_prefix(ASIDE_LINE)) else {
        return Err(Error::new(format!("{} holds no set that was written in place of its history", folder.display()))
            .hint("restore undoes emit --in-place; name the folder with --new"));
    };
    let aside = folder.with_file_name(name);
    if !aside.is_dir() {
        return Err(Error::new(format!("the history isn't in {} any more", aside.display()))
            .hint("take it from version control"));
    }
    if !force {
        refuse_losses(folder, &aside)?;
    }
    let fail = |e: std::io::Error| Error::new(format!("can't put the history back: {e}; nothing was changed"));
    let hold = tempfile::Builder::new().prefix(".consolidate-old-").tempdir_in(parent_of(folder)).map_err(fail)?;
    let set = hold.path().join("set");
    fs::rename(folder, &set).map_err(fail)?;
    if let Err(error) = fs::rename(&aside, folder) {
        let _ = fs::rename(&set, folder);
        return Err(fail(error));
    }
    Ok(aside)
}

/// Files of the set that were changed or added since, and others that the history's folder doesn't hold just so.
fn refuse_losses(folder: &Path, aside: &Path) -> Result<()> {
    let mut lost = changed_or_strange(folder)?;
    let known = super::write::manifest(folder);
    let differs = |p: &&str| !known.contains_key(*p) && fs::read(folder.join(p)).ok() != fs::read(aside.join(p)).ok();
    let contents = Contents::read(folder)?;
    lost.extend(contents.paths().filter(differs).map(String::from));
    lost.sort();
    lost.dedup();
    if lost.is_empty() {
        return Ok(());
    }
    let shown = lost.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    Err(Error::new(format!("{} holds what would be lost: {shown}", folder.display()))
        .hint("migrations that came after the set belong to it, not to the history; keep them, or say --force"))
}
