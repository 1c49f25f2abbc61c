//! A new folder of which a part stays as it is: the consolidated files in the layout of the history, and every other file
//! byte for byte.

use super::NewSet;
use super::lay_out::{inner_folder, lay_out_part};
use super::set::NewFile;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::files;
use crate::history::cut::Cut;
use crate::history::layout::pairs;
use crate::history::layout::write::Linked;
use crate::history::{History, Reading};
use crate::scratch::room;
use crate::store::WholeFile;
use std::fs;
use std::path::Path;

/// All files of the new folder, and what there is to say about them. The consolidated ones come first or last, as the cut
/// says.
///
/// # Errors
/// When a file of the old folder can't be read, or the consolidated files wouldn't run where they must.
pub fn whole(history: &History, cut: Cut, set: &NewSet) -> Result<(Vec<WholeFile>, Vec<String>)> {
    let consolidated: Vec<usize> = (0..history.files.len()).filter(|file| !cut.keeps(*file)).collect();
    let kept = history.files.iter().enumerate().filter(|(i, _)| cut.keeps(*i)).map(|(_, f)| f.stem.as_str());
    let there: Vec<&str> = kept.chain(set.files.iter().map(NewFile::stem)).collect();
    let mut files = Vec::new();
    for (path, bytes) in files_below(&history.folder)? {
        if consolidated.iter().any(|file| belongs(history, *file, &path)) {
            continue;
        }
        let rewritten = history.layout.without(&path, &String::from_utf8_lossy(&bytes), &there).transpose()?;
        files.push(WholeFile { path, bytes: rewritten.map_or(bytes, String::into_bytes), is_new: false });
    }
    let mut new: Vec<(String, String)> = set.files.iter().flat_map(|file| lay_out_part(file, history)).collect();
    let names: Vec<&str> = consolidated.iter().map(|file| history.files[*file].name.as_str()).collect();
    let old = |path: &str| files::read_to_string(&history.folder.join(path)).ok();
    let last = new.iter().rev().map(|(path, _)| path.as_str()).find(|path| path.ends_with(".sql")).unwrap_or_default();
    let beside = history.layout.beside_part(&names, last, &old);
    new.extend(beside.files);
    for (path, text) in new {
        if files.iter().any(|f| f.path == path) {
            return Err(Error::new(format!("the consolidated part would be written to {path}, which stays as it is"))
                .hint("choose another first_version or name under [emit]"));
        }
        files.push(WholeFile { path, bytes: text.into_bytes(), is_new: true });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    link(history, &mut files)?;
    match history.layout.name() {
        "tern" | "play" => without_gap(history.layout.name(), &files).map(|()| (files, beside.notes)),
        _ => Ok((files, beside.notes)),
    }
}

/// The files where the folder that was named has them: the history may lie in the only one below it, as Hasura's `default/`.
///
/// # Errors
/// When what lies around it can't be read.
pub fn within(history: &History, asked: &Path, mut files: Vec<WholeFile>) -> Result<Vec<WholeFile>> {
    let inner = inner_folder(&history.folder, asked);
    if inner.as_os_str().is_empty() {
        return Ok(files);
    }
    files.iter_mut().for_each(|file| file.path = inner.join(&file.path).display().to_string());
    let around = files_below(asked)?.into_iter().filter(|(path, _)| !Path::new(path).starts_with(&inner));
    files.extend(around.map(|(path, bytes)| WholeFile { path, bytes, is_new: false }));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// What the new files say of each other, and of those that stay.
fn link(history: &History, files: &mut [WholeFile]) -> Result<()> {
    let text = |file: &WholeFile| String::from_utf8(file.bytes.clone()).ok();
    let of = |file: &WholeFile| Some(Linked { path: file.path.clone(), text: text(file)?, is_new: file.is_new });
    let mut linked: Vec<Linked> = files.iter().filter_map(of).collect();
    history.layout.link(&mut linked)?;
    for one in linked {
        // A list of all files changes too, though it isn't new.
        let changed = |file: &&mut WholeFile| file.path == one.path && file.bytes != one.text.as_bytes();
        let file = files.iter_mut().find(changed);
        file.into_iter().for_each(|file| file.bytes = one.text.clone().into_bytes());
    }
    Ok(())
}

/// tern and Play count their migrations from 1; tern refuses a gap, and Play stops there.
fn without_gap(tool: &str, files: &[WholeFile]) -> Result<()> {
    let number = |file: &WholeFile| file.path.split(['_', '.']).next()?.parse::<usize>().ok();
    let mut numbers: Vec<usize> = files.iter().filter_map(number).collect();
    numbers.sort_unstable();
    match numbers.iter().enumerate().find(|(i, number)| i + 1 != **number) {
        Some((i, _)) => Err(Error::new(format!("{tool} would miss a migration with the number {}", i + 1))
            .hint("consolidate the whole history: its migrations are counted without a gap")),
        None => Ok(()),
    }
}

/// Whether a file of the folder goes with a migration: it is the migration, lies in its folder, or undoes it.
fn belongs(history: &History, file: usize, path: &str) -> bool {
    let migration = &history.files[file];
    let folder = migration.name.rsplit_once('/').map(|(folder, _)| folder);
    let alone = folder.is_some_and(|folder| {
        let in_it = |f: &crate::history::File| f.name.rsplit_once('/').is_some_and(|(own, _)| own == folder);
        history.files.iter().filter(|f| in_it(f)).count() == 1
    });
    let in_folder = alone && folder.is_some_and(|f| path.strip_prefix(f).is_some_and(|rest| rest.starts_with('/')));
    let beside = path.strip_prefix(&migration.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let undoes = history.set_aside.iter().any(|s| s == path) && pairs::is_down_of(path, &migration.name);
    in_folder || beside || undoes
}

/// All files of a folder and of those below, with their paths.
fn files_below(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_path_buf(), String::new())];
    while let Some((at, prefix)) = open.pop() {
        let unreadable = |e: std::io::Error| not_readable(&at, e);
        for entry in fs::read_dir(&at).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // A link to nowhere is nobody's migration.
            if name.starts_with('.') || !entry.path().exists() {
                continue;
            }
            if entry.path().is_dir() {
                open.push((entry.path(), format!("{name}/")));
            } else {
                found.push((name, files::read(&entry.path()).map_err(|e| not_readable(&entry.path(), e))?));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn not_readable(path: &Path, error: std::io::Error) -> Error {
    Error::new(format!("can't read {}: {error}", path.display())).hint("allow reading it, or move it out of the folder")
}

/// Whether the migrations of a folder are those of the history where the cut leaves them, byte for byte; else the name of
/// one that isn't.
///
/// # Errors
/// When a folder can't be read.
pub fn untouched(history: &History, cut: Cut, folder: &Path) -> Result<std::result::Result<usize, String>> {
    let consolidated: Vec<usize> = (0..history.files.len()).filter(|file| !cut.keeps(*file)).collect();
    // What lies beside the migrations stays too, but for a list of them.
    for (path, old) in files_below(&history.folder)? {
        let is_list = history.layout.without(&path, "", &[]).is_some();
        let goes = is_list || consolidated.iter().any(|file| belongs(history, *file, &path));
        if !goes && files::read(&folder.join(&path)).ok().as_ref() != Some(&old) {
            return Ok(Err(path));
        }
    }
    Ok(Ok(history.files.len() - consolidated.len()))
}

/// All files of the history's folder, as they are.
///
/// # Errors
/// When one can't be read.
pub fn files_of(history: &History) -> Result<Vec<WholeFile>> {
    let all = files_below(&history.folder)?;
    Ok(all.into_iter().map(|(path, bytes)| WholeFile { path, bytes, is_new: false }).collect())
}

/// The new folder as it will be read: by the layout of the history.
///
/// # Errors
/// When it can't be read so.
pub fn read_back(history: &History, files: &[WholeFile]) -> Result<History> {
    let fail = |e: std::io::Error| Error::new(format!("can't write a temporary folder: {e}"));
    let folder = room::private("consolidate-whole-", &std::env::temp_dir()).map_err(fail)?;
    // Some layouts are known by the names of the folders above.
    let root = folder.path().join(history.folder.file_name().unwrap_or_default());
    for file in files {
        let path = root.join(&file.path);
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(fail)?;
        fs::write(path, &file.bytes).map_err(fail)?;
    }
    let reading = Reading { layout: Some(history.layout), engine: Some(Engine::Postgres), ..Reading::default() };
    crate::history::read_by(&root, &reading).map_err(|mut errors| {
        let first = if errors.is_empty() { Error::new("it can't be read") } else { errors.remove(0) };
        Error::new(format!("the new folder can't be read as {}: {first}", history.layout))
    })
}

/// Whether the files run in the order in which they must: those that stay all before, or all after, the consolidated ones.
///
/// # Errors
/// When a consolidated file would run between them.
pub fn in_order(history: &History, cut: Cut, read: &History) -> Result<()> {
    let kept = |name: &str| history.files.iter().enumerate().any(|(i, f)| f.name == name && cut.keeps(i));
    let count = read.files.iter().filter(|f| kept(&f.name)).count();
    let (first, last) = match cut {
        Cut::From(_) => (count, read.files.len()),
        Cut::Through(_) => (0, read.files.len() - count),
    };
    match read.files[first..last].iter().find(|f| kept(&f.name)) {
        Some(file) => {
            let side = if matches!(cut, Cut::From(_)) { "before" } else { "after" };
            Err(Error::new(format!(
                "{} stays as it is and must run {side} the consolidated files, but wouldn't",
                file.name
            ))
            .hint("choose another first_version under [emit], or numbers = \"originals\""))
        }
        None => Ok(()),
    }
}
