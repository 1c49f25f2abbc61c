//! A history moved aside for its own set, and back.

use super::WholeFile;
use super::manifest::{Origin, manifest, said_in};
use super::swap::{self, Fresh, Way, parent_of};
use super::write::{changed_or_strange, copy_others, fail, fill_set, refuse_oddities};
use crate::error::{Error, Result};
use crate::files;
use crate::history::contents::Contents;
use crate::history::{History, MANIFEST};
use std::fs;
use std::path::{Path, PathBuf};

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
    refuse_oddities(folder)?;
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
pub fn in_place(
    folder: &Path,
    aside: &Path,
    files: &[WholeFile],
    history: &History,
    origin: Origin,
) -> Result<Vec<String>> {
    in_place_by(folder, aside, files, history, origin, Way::Best)
}

/// As [`in_place`], in a chosen way.
///
/// # Errors
/// As [`in_place`].
pub fn in_place_by(
    folder: &Path,
    aside: &Path,
    files: &[WholeFile],
    history: &History,
    origin: Origin,
    way: Way,
) -> Result<Vec<String>> {
    check(folder, aside)?;
    let fresh = Fresh::beside(folder).map_err(|e| fail(&format!("write to {}", parent_of(folder).display()), e))?;
    let gone = of_history(folder, history, files)?;
    let name = aside.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let write = || -> std::io::Result<()> {
        copy_others(folder, fresh.path(), "", &gone)?;
        fill_set(fresh.path(), files, &origin.in_place_of(&name), &|_| ())?;
        fs::set_permissions(fresh.path(), fs::metadata(folder)?.permissions())
    };
    write().map_err(|e| fail("write the new set", e))?;
    fresh.place_aside(aside, way).map_err(|e| match folder.exists() {
        true => fail("move the history aside and put the new set in its place", e),
        false => Error::new(format!("can't put the new set in place: {e}; the history is now {}", aside.display())),
    })?;
    Ok(files.iter().map(|file| file.path.clone()).collect())
}

/// The files that go aside with the history: its own, those that were taken for its steps, and all that lies beside
/// migrations in folders of theirs or in drizzle's `meta/`.
fn of_history(folder: &Path, history: &History, files: &[WholeFile]) -> Result<Vec<String>> {
    let inner = history.folder.strip_prefix(folder).map(Path::to_path_buf).unwrap_or_default();
    let whole = |name: &str| inner.join(name).display().to_string();
    // What another engine runs stays where it looks for it.
    let warned = history.warnings.iter().map(|(at, _)| at.file.as_str());
    let warned = warned.filter(|name| !history.of_others.iter().any(|other| other == name));
    let mut gone: Vec<String> = history.files.iter().map(|f| f.name.as_str()).chain(warned).map(whole).collect();
    gone.extend(history.set_aside.iter().map(|name| whole(name)));
    gone.extend(files.iter().map(|file| file.path.clone()));
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
    let Some(aside) = said_in(folder) else {
        return Err(Error::new(format!("{} holds no set that was written in place of its history", folder.display()))
            .hint("restore undoes emit --in-place; name the folder with --new"));
    };
    if !aside.is_dir() {
        return Err(Error::new(format!("the history isn't in {} any more", aside.display()))
            .hint("take it from version control"));
    }
    if !force {
        refuse_losses(folder, &aside)?;
    }
    swap::put_back(&aside, folder).map_err(|e| fail("put the history back", e))?;
    Ok(aside)
}

/// Files of the set that were changed or added since, and others that the history's folder doesn't hold just so.
fn refuse_losses(folder: &Path, aside: &Path) -> Result<()> {
    let is_back = |p: &str| is_the_same(&folder.join(p), &aside.join(p));
    let mut lost = changed_or_strange(folder)?;
    lost.retain(|p| !is_back(p));
    let known = manifest(folder);
    let differs = |p: &&str| !known.contains_key(*p) && !is_back(p);
    let mut all = Vec::new();
    all_below(folder, "", &mut all)?;
    lost.extend(all.iter().map(String::as_str).filter(differs).map(String::from));
    lost.sort();
    lost.dedup();
    if lost.is_empty() {
        return Ok(());
    }
    let shown = lost.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    Err(Error::new(format!("{} holds what would be lost: {shown}", folder.display()))
        .hint("migrations that came after the set belong to it, not to the history; keep them, or say --force"))
}

/// Whether two names stand for the same: files of one text, links to one place.
fn is_the_same(one: &Path, other: &Path) -> bool {
    let both = |of: fn(&Path) -> bool| of(one) && of(other);
    match both(Path::is_symlink) {
        true => matches!((fs::read_link(one), fs::read_link(other)), (Ok(one), Ok(other)) if one == other),
        false => matches!((files::read(one), files::read(other)), (Ok(one), Ok(other)) if one == other),
    }
}

/// All files of a folder, hidden ones and links to nowhere too, but for our own manifest.
fn all_below(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Result<()> {
    let unread = |e: std::io::Error| fail("read the folder", e);
    for entry in fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(unread)?.is_dir() {
            all_below(&entry.path(), &format!("{name}/"), files)?;
        } else if name != MANIFEST {
            files.push(name);
        }
    }
    Ok(())
}
