//! A proven set as the files of a migration tool, and the check that the tool would run from them just what was proven.

use super::set::{NewFile, NewSet};
use crate::error::{Error, Result};
use crate::history::contents::Contents;
use crate::history::layout::write::{Form, Outgoing, Output, REFUSES, written};
use crate::history::layout::{Down, Layout};
use crate::history::{self, History};
use crate::sql::parse::NodeEnum;
use crate::store::WholeFile;
use std::path::{Path, PathBuf};

/// A set as it is written.
#[derive(Debug, Clone)]
pub struct Laid {
    /// The files, migrations and what lies beside them, by path.
    pub files: Vec<Output>,
    /// The files of the set, in its order, by the paths that they have here.
    pub names: Vec<String>,
    /// The layout.
    pub layout: &'static dyn Layout,
    /// What a person must know or do.
    pub notes: Vec<String>,
}

impl Laid {
    /// Its files, as they are written.
    pub fn whole(&self) -> Vec<WholeFile> {
        let of =
            |(path, text): &Output| WholeFile { path: path.clone(), bytes: text.clone().into_bytes(), is_new: true };
        self.files.iter().map(of).collect()
    }
}

/// Lays a set out for a tool. `asked` is the folder that was named as the history's; where that is above the history's own,
/// the new set lies as deep.
///
/// # Errors
/// When the tool would run something else than the set.
pub fn lay_out(
    set: &NewSet,
    history: &History,
    asked: &Path,
    layout: &'static dyn Layout,
    keeps_versions: bool,
) -> Result<Laid> {
    let is_converted = layout != history.layout;
    let mut notes = Vec::new();
    let migrations = outgoing(set, history, layout, keeps_versions, &mut notes);
    let old = |path: &str| crate::files::read_to_string(&history.folder.join(path)).ok();
    let paths: Vec<&str> = history.files.iter().map(|f| f.name.as_str()).filter(|_| !is_converted).collect();
    let companions = layout.companions(&migrations, &paths, &old)?;
    notes.extend(companions.notes);
    let mut files = written(layout, &migrations)?;
    files.extend(companions.files);
    same_statements(set, &migrations, &files, layout)?;
    let mut names: Vec<String> = migrations.iter().map(|m| first_path(layout.write(m))).collect();
    let inner = if is_converted { PathBuf::new() } else { inner_folder(&history.folder, asked) };
    if !inner.as_os_str().is_empty() {
        let paths = files.iter_mut().map(|(path, _)| path).chain(&mut names);
        paths.for_each(|path| *path = inner.join(&*path).display().to_string());
    }
    Ok(Laid { files, names, layout, notes })
}

/// The path of a migration: its own file comes before the one that undoes it.
fn first_path(files: Vec<Output>) -> String {
    files.into_iter().next().map(|(path, _)| path).unwrap_or_default()
}

/// The path of a file of a part, as the history's tool wants it.
pub fn name_in_part(file: &NewFile, history: &History) -> String {
    first_path(lay_out_part(file, history))
}

/// The folder of a history below the one that was named for it: Hasura's `default/`, say.
pub fn inner_folder(folder: &Path, asked: &Path) -> PathBuf {
    folder.strip_prefix(asked).map(Path::to_path_buf).unwrap_or_default()
}

fn outgoing(
    set: &NewSet,
    history: &History,
    layout: &'static dyn Layout,
    keeps_versions: bool,
    notes: &mut Vec<String>,
) -> Vec<Outgoing> {
    let is_converted = layout != history.layout;
    let planned: Vec<String> = set.files.iter().map(|f| split_stem(f.stem()).0.to_string()).collect();
    let in_folders = !is_converted && history.files.iter().any(|f| f.name.contains('/'));
    let mut wanted = if in_folders { layout.versions_in_folders() } else { layout.versions() };
    let last = history.files.last().and_then(|f| match wanted.form {
        Form::Chained => f.version.as_deref(),
        _ => f.stem.split_once('_').map(|(version, _)| version),
    });
    if let (false, Form::Digits(..)) = (is_converted, layout.versions().form) {
        // The tool took the history's versions, whatever their form.
        wanted.form = Form::Any;
    }
    let versions = wanted.of(&planned, last.filter(|_| keeps_versions && !is_converted));
    let wants = wants_downs(history, layout);
    let has_down = !history.set_aside.is_empty() || !history.down_sections.is_empty();
    if wants && set.files.iter().any(|f| f.down.is_none()) {
        notes.push("what undoes a migration refuses to: the new set's files have no proven way back".to_string());
    } else if wants {
        notes.push(
            "the files undo what they make, proven by a way there and back; rows go with their tables".to_string(),
        );
    } else if has_down {
        notes.push("the history's down parts are not in the new set".to_string());
    }
    let before = std::iter::once(None).chain(versions.clone().into_iter().map(Some));
    let ways = versions.into_iter().zip(before);
    set.files
        .iter()
        .zip(ways)
        .map(|(file, (version, before))| on_its_way(file, history, layout, version, before))
        .collect()
}

fn on_its_way(
    file: &NewFile,
    history: &History,
    layout: &'static dyn Layout,
    version: String,
    before: Option<String>,
) -> Outgoing {
    let is_converted = layout != history.layout;
    let stem = file.stem();
    Outgoing {
        before,
        words: split_stem(stem).1.to_string(),
        stem: stem.to_string(),
        text: file.text.clone(),
        down: wants_downs(history, layout).then(|| file.down.clone().unwrap_or_else(|| REFUSES.to_string())),
        bare: file.bare || file.statements.iter().any(|s| stands_alone(&s.text)),
        old_prefix: if is_converted { None } else { old_prefix(history, &version) },
        version,
        is_reversible: history.files.iter().any(|f| f.name.ends_with(".up.sql")),
        in_folders: !is_converted && history.files.iter().any(|f| f.name.contains('/')),
        is_converted,
    }
}

/// A file of a part as the history's tool wants it: where the migration lay whose name it has, else as the layout names its
/// files.
pub fn lay_out_part(file: &NewFile, history: &History) -> Vec<Output> {
    let (stem, layout) = (file.stem(), history.layout);
    let folder = history.files.first().and_then(|f| f.name.rsplit_once('/')).map(|(folder, _)| folder);
    let migration = on_its_way(file, history, layout, split_stem(stem).0.to_string(), None);
    let mut files = layout.write(&Outgoing { in_folders: folder.is_some(), ..migration });
    if let Some(own) = history.files.iter().find(|f| f.stem == stem) {
        as_it_lay(&mut files, &own.name);
    } else if let Some(folder) = folder.filter(|_| !files[0].0.contains('/')) {
        files.iter_mut().for_each(|(path, _)| *path = format!("{folder}/{path}"));
    }
    files
}

/// Gives the first file another name, and those beside it with it; unless that names another kind of file.
fn as_it_lay(files: &mut [Output], name: &str) {
    let first = files[0].0.clone();
    let shared = |path: &str| first.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
    let stem = files.iter().map(|(path, _)| shared(path)).min().unwrap_or_default();
    if let Some(own) = first.get(stem..).and_then(|rest| name.strip_suffix(rest)) {
        files.iter_mut().for_each(|(path, _)| *path = format!("{own}{}", &path[stem..]));
    }
}

/// Whether a file of a layout can run outside of a transaction: what is written so is read so.
pub fn may_be_bare(layout: &'static dyn Layout) -> bool {
    let alone = Outgoing {
        version: "1".into(),
        words: "a".into(),
        text: "VACUUM;\n".into(),
        bare: true,
        ..Outgoing::default()
    };
    let files = layout.write(&alone);
    let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let read = history::read_contents(Contents::in_memory(Path::new(""), texts), Some(layout));
    read.is_ok_and(|read| read.files.iter().any(|f| !f.in_transaction))
}

/// Whether the files of a set have parts that undo them.
pub fn wants_downs(history: &History, layout: &dyn Layout) -> bool {
    let has_down = !history.set_aside.is_empty() || !history.down_sections.is_empty();
    match layout.wants_down() {
        Down::Never => false,
        Down::AsHistory => has_down || layout.name() != history.layout.name(),
        Down::Always => true,
    }
}

/// Version and words of a flat name; a name without a version is all words.
fn split_stem(stem: &str) -> (&str, &str) {
    match stem.split_once('_') {
        Some((version, words)) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => {
            (version, words)
        }
        _ => ("", stem),
    }
}

/// What stands before the description in the name of the history's file of a version, as diesel's `2017-09-23-182408`.
fn old_prefix(history: &History, version: &str) -> Option<String> {
    let prefix = |name: &str| name.split('_').next().map(String::from);
    let is_it = |p: &String| p != version && p.replace('-', "") == version;
    history.files.iter().filter_map(|f| prefix(&f.name)).find(is_it)
}

/// Whether PostgreSQL refuses a statement inside a transaction block.
pub(super) fn stands_alone(text: &str) -> bool {
    match crate::sql::parse::parse(text) {
        Ok(Some(NodeEnum::IndexStmt(s))) => s.concurrent,
        Ok(Some(NodeEnum::DropStmt(s))) => s.concurrent,
        Ok(Some(NodeEnum::VacuumStmt(s))) => s.is_vacuumcmd,
        Ok(Some(NodeEnum::AlterSystemStmt(_) | NodeEnum::CreatedbStmt(_) | NodeEnum::CreateTableSpaceStmt(_))) => true,
        _ => false,
    }
}

/// Reads the files as the tool does, and compares with what was proven.
fn same_statements(set: &NewSet, migrations: &[Outgoing], files: &[Output], layout: &'static dyn Layout) -> Result<()> {
    let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let wrong = |what: String| {
        let message = format!("written for {}, the set would run otherwise than it was proven: {what}", layout.name());
        Err(Error::new(message).hint("write it in another layout: --write-layout plain"))
    };
    let read = match history::read_contents(Contents::in_memory(Path::new(""), texts), Some(layout)) {
        Ok(read) => read,
        Err(_) if set.files.is_empty() => return Ok(()),
        Err(errors) => return wrong(errors.first().map(ToString::to_string).unwrap_or_default()),
    };
    if layout.name() == "tern" && migrations.iter().any(|m| m.is_converted && m.text.contains("{{")) {
        return wrong("tern takes {{ for a template".into());
    }
    if read.files.len() != set.files.len() {
        return wrong(format!("{} files instead of {}", read.files.len(), set.files.len()));
    }
    for ((file, new), m) in read.files.iter().zip(&set.files).zip(migrations) {
        if !is_same(&read, file, new) {
            return wrong(format!("{} doesn't hold the statements of {}", file.name, new.name));
        }
        if m.bare && file.in_transaction {
            return wrong(format!("{} holds a statement that can't run in a transaction, with others", file.name));
        }
    }
    Ok(())
}

fn is_same(read: &History, file: &history::File, new: &NewFile) -> bool {
    let copy_data = |id: usize| read.statements[id].piece.copy_data.clone().map(|r| file.text[r].to_string());
    let texts: Vec<_> = file.statements.clone().map(|id| (read.text(id).to_string(), copy_data(id))).collect();
    let wanted: Vec<_> = new.statements.iter().map(|s| (s.text.clone(), s.copy_data.clone())).collect();
    texts == wanted
}
