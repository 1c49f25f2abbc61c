//! A new folder of which a part stays as it is: the consolidated files in the layout of the history, and every other file
//! byte for byte.

use super::NewSet;
use super::set::NewFile;
use crate::error::{Error, Result};
use crate::history::History;
use crate::history::cut::Cut;
use crate::history::layout::write::REFUSES;
use std::fs;
use std::path::Path;

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeFile {
    /// Its path in the folder, with slashes.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it was consolidated; else it is as it was.
    pub is_new: bool,
}

/// All files of the new folder. The consolidated ones come first or last, as the cut says.
///
/// # Errors
/// When a file of the old folder can't be read, or the consolidated files wouldn't run where they must.
pub fn whole(history: &History, cut: Cut, set: &NewSet) -> Result<Vec<WholeFile>> {
    let consolidated: Vec<usize> = (0..history.files.len()).filter(|file| !cut.keeps(*file)).collect();
    let mut files = Vec::new();
    for (path, bytes) in files_below(&history.folder)? {
        if consolidated.iter().any(|file| belongs(history, *file, &path)) {
            continue;
        }
        let bytes = if path.ends_with("_journal.json") { journal(history, cut, set, &bytes)? } else { bytes };
        files.push(WholeFile { path, bytes, is_new: false });
    }
    for file in &set.files {
        let path = place(history, &file.name);
        if files.iter().any(|f| f.path == path) {
            return Err(Error::new(format!("the consolidated part would be written to {path}, which stays as it is"))
                .hint("choose another first_version or name under [emit]"));
        }
        if let Some(down) = down_beside(history, &path) {
            files.push(WholeFile { path: down, bytes: REFUSES.into(), is_new: true });
        }
        if let ("diesel", true, Some(folder)) = (history.layout, file.bare, path.strip_suffix("up.sql")) {
            let bytes = b"run_in_transaction = false\n".to_vec();
            files.push(WholeFile { path: format!("{folder}metadata.toml"), bytes, is_new: true });
        }
        let text = dress(history.layout, file) + &down_inside(history);
        files.push(WholeFile { path, bytes: text.into_bytes(), is_new: true });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    match history.layout {
        "tern" => without_gap(&files).map(|()| files),
        _ => Ok(files),
    }
}

/// Where the file lies that undoes a consolidated one, for tools that want one, or whose history has some: without it they
/// would undo the migration without a word.
fn down_beside(history: &History, path: &str) -> Option<String> {
    let has_some = !history.set_aside.is_empty();
    match history.layout {
        "diesel" => path.strip_suffix("up.sql").map(|folder| format!("{folder}down.sql")),
        "hasura" if has_some => path.strip_suffix("up.sql").map(|folder| format!("{folder}down.sql")),
        "golang-migrate" | "sqlx" if has_some => path.strip_suffix(".up.sql").map(|stem| format!("{stem}.down.sql")),
        _ => None,
    }
}

/// The section that refuses to undo a consolidated file.
fn down_inside(history: &History) -> String {
    let has_some = !history.down_sections.is_empty();
    match history.layout {
        "dbmate" => format!("\n-- migrate:down\n{REFUSES}"),
        "goose" if has_some => format!("\n-- +goose Down\n-- +goose StatementBegin\n{REFUSES}-- +goose StatementEnd\n"),
        "sql-migrate" if has_some => {
            format!("\n-- +migrate Down\n-- +migrate StatementBegin\n{REFUSES}-- +migrate StatementEnd\n")
        }
        _ => String::new(),
    }
}

/// tern counts its migrations from 1 and refuses a gap.
fn without_gap(files: &[WholeFile]) -> Result<()> {
    let number = |file: &WholeFile| file.path.split('_').next()?.parse::<usize>().ok();
    let mut numbers: Vec<usize> = files.iter().filter_map(number).collect();
    numbers.sort_unstable();
    match numbers.iter().enumerate().find(|(i, number)| i + 1 != **number) {
        Some((i, _)) => Err(Error::new(format!("tern would miss a migration with the number {}", i + 1))
            .hint("consolidate the whole history: tern's migrations are counted without a gap")),
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
    let trunk =
        |name: &str| name.trim_end_matches(".sql").trim_end_matches(".up").trim_end_matches(".down").to_string();
    let undoes = history.set_aside.iter().any(|s| s == path) && {
        let own = trunk(&migration.name);
        let base = own.rsplit('/').next().unwrap_or_default();
        let of_path = trunk(path);
        of_path == own
            || of_path
                .rsplit('/')
                .next()
                .and_then(|b| b.strip_prefix('U'))
                .is_some_and(|undone| base.strip_prefix('V') == Some(undone))
    };
    in_folder || beside || undoes
}

/// Where a consolidated file lies: where the migration lay whose name it has, else as the layout names its files.
fn place(history: &History, name: &str) -> String {
    let stem = name.strip_suffix(".sql").unwrap_or(name);
    if let Some(file) = history.files.iter().find(|f| f.stem == stem) {
        return file.name.clone();
    }
    let folder = match history.files.first().and_then(|f| f.name.rsplit_once('/')) {
        Some((folder, _)) if !in_folders(history.layout) => format!("{folder}/"),
        _ => String::new(),
    };
    let (version, description) = stem.split_once('_').unwrap_or((stem, ""));
    match history.layout {
        "prisma" => format!("{stem}/migration.sql"),
        "diesel" | "hasura" => format!("{stem}/up.sql"),
        "flyway" | "refinery" => format!("{folder}V{version}__{description}.sql"),
        "golang-migrate" => format!("{folder}{stem}.up.sql"),
        "sqlx" if history.files.iter().any(|f| f.name.ends_with(".up.sql")) => format!("{folder}{stem}.up.sql"),
        "drizzle" if history.files.first().is_some_and(|f| f.name.contains('/')) => format!("{stem}/migration.sql"),
        _ => format!("{folder}{stem}.sql"),
    }
}

/// Whether each migration of the layout has a folder of its own.
fn in_folders(layout: &str) -> bool {
    matches!(layout, "prisma" | "diesel" | "hasura" | "drizzle")
}

/// The marks around a statement that the tool would cut at a semicolon.
const GOOSE: [&str; 2] = ["-- +goose StatementBegin", "-- +goose StatementEnd"];
const SQL_MIGRATE: [&str; 2] = ["-- +migrate StatementBegin", "-- +migrate StatementEnd"];

/// Whether a file of the layout can say that it can't run in a transaction, or runs outside of one anyway.
pub(super) fn says_bare(layout: &str) -> bool {
    matches!(layout, "goose" | "sql-migrate" | "dbmate" | "sqlx" | "diesel" | "prisma" | "golang-migrate")
}

/// The text of a file with the marks that the migration tool wants.
fn dress(layout: &str, file: &NewFile) -> String {
    let (mark, open, close) = match layout {
        "goose" if file.bare => ("-- +goose NO TRANSACTION\n-- +goose Up", GOOSE[0], GOOSE[1]),
        "goose" => ("-- +goose Up", GOOSE[0], GOOSE[1]),
        "sql-migrate" if file.bare => ("-- +migrate Up notransaction", SQL_MIGRATE[0], SQL_MIGRATE[1]),
        "sql-migrate" => ("-- +migrate Up", SQL_MIGRATE[0], SQL_MIGRATE[1]),
        "dbmate" if file.bare => return format!("-- migrate:up transaction:false\n{}", file.text),
        "dbmate" => return format!("-- migrate:up\n{}", file.text),
        "sqlx" if file.bare => return format!("-- no-transaction\n{}", file.text),
        "node-pg-migrate" => return format!("-- Up Migration\n{}", file.text),
        _ => return file.text.clone(),
    };
    let lines: Vec<&str> = file.text.lines().collect();
    let mut out = format!("{mark}\n");
    let mut at = 0;
    for statement in file.statements.iter().filter(|s| s.text.contains(';')) {
        let (first, count) = (statement.line - 1, statement.text.matches('\n').count() + 1);
        for line in &lines[at.min(first)..first] {
            out.push_str(&format!("{line}\n"));
        }
        let last = (first + count).min(lines.len());
        out.push_str(&format!("{open}\n{}\n{close}\n", lines[first..last].join("\n")));
        at = last;
    }
    for line in &lines[at..] {
        out.push_str(&format!("{line}\n"));
    }
    out
}

/// drizzle's journal without the entries of the files that are gone.
fn journal(history: &History, cut: Cut, set: &NewSet, bytes: &[u8]) -> Result<Vec<u8>> {
    let wrong =
        |what: &str| Error::new(format!("drizzle's journal {what}")).hint("consolidate the whole history instead");
    let mut journal: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|e| wrong(&format!("can't be read: {e}")))?;
    let stays = |tag: &str| {
        history.files.iter().enumerate().any(|(i, f)| f.stem == tag && cut.keeps(i))
            || set.files.iter().any(|f| f.name.strip_suffix(".sql") == Some(tag))
    };
    let entries = journal.get_mut("entries").and_then(|e| e.as_array_mut()).ok_or_else(|| wrong("has no entries"))?;
    entries.retain(|entry| entry.get("tag").and_then(|t| t.as_str()).is_some_and(stays));
    let named = |file: &NewFile| {
        entries.iter().any(|e| e.get("tag").and_then(|t| t.as_str()) == file.name.strip_suffix(".sql"))
    };
    if let Some(file) = set.files.iter().find(|f| !named(f)) {
        return Err(wrong(&format!("doesn't list {}", file.name)));
    }
    entries.iter_mut().enumerate().for_each(|(i, entry)| entry["idx"] = i.into());
    let text = serde_json::to_string_pretty(&journal).map_err(|e| wrong(&format!("can't be written: {e}")))?;
    Ok(format!("{text}\n").into_bytes())
}

/// All files of a folder and of those below, with their paths.
fn files_below(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_path_buf(), String::new())];
    while let Some((at, prefix)) = open.pop() {
        let unreadable = |e: std::io::Error| Error::new(format!("can't read {}: {e}", at.display()));
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
                found.push((name, fs::read(entry.path()).map_err(unreadable)?));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether the migrations of a folder are those of the history where the cut leaves them, byte for byte; else the name of
/// one that isn't.
///
/// # Errors
/// When a folder can't be read.
pub fn untouched(history: &History, cut: Cut, folder: &Path) -> Result<std::result::Result<usize, String>> {
    let consolidated: Vec<usize> = (0..history.files.len()).filter(|file| !cut.keeps(*file)).collect();
    // What lies beside the migrations stays too, but for a journal, which lists the new ones.
    for (path, old) in files_below(&history.folder)? {
        let goes = path.ends_with("_journal.json") || consolidated.iter().any(|file| belongs(history, *file, &path));
        if !goes && fs::read(folder.join(&path)).ok().as_ref() != Some(&old) {
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
    let folder = tempfile::tempdir().map_err(fail)?;
    // Some layouts are known by the names of the folders above.
    let root = folder.path().join(history.folder.file_name().unwrap_or_default());
    for file in files {
        let path = root.join(&file.path);
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(fail)?;
        fs::write(path, &file.bytes).map_err(fail)?;
    }
    let layout = crate::history::layout::by_name(history.layout).ok();
    crate::history::read_as(&root, layout).map_err(|mut errors| {
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
