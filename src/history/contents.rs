//! What lies in a folder of migrations, folders below it too: names at once, texts when they are asked for.

use super::engine::names::{self, Reason};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::files;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// How deep folders are looked into. Migrations lie one or two folders deep; the rest is something else.
const DEPTH: usize = 5;

/// How far above a folder its project may begin.
const ABOVE: usize = 6;

/// What helps when a folder holds no migrations.
pub const HINT: &str = "name the folder of your migrations with --old, or in consolidate.toml";

/// The files of a folder, by their paths in it, with `/` between names, sorted. Hidden ones are left out.
pub struct Contents {
    root: PathBuf,
    files: Vec<Found>,
    /// What isn't looked at, and why.
    skipped: Vec<(String, Skipped)>,
    /// Files of the folders above, where this folder itself isn't on the disk.
    above: Option<Vec<(String, String)>>,
    /// SQL of other engines than the one that was asked for, and why.
    of_others: Vec<(String, Reason)>,
}

/// Why something in a folder isn't looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skipped {
    /// It is SQL, but its ending is in capitals, or its folder is another program's or too deep.
    Elsewhere,
    /// It is a link that leads nowhere.
    Nowhere,
}

/// A file of the folder or of one above it.
pub struct Near {
    /// Its path, from the folder.
    pub path: String,
    /// Its text.
    pub text: String,
    /// The folder's own path, from where the file lies; empty if it lies in it.
    pub below: String,
}

struct Found {
    path: String,
    bytes: OnceCell<std::io::Result<Vec<u8>>>,
}

impl Contents {
    /// Looks into a folder.
    ///
    /// # Errors
    /// When it, or one below it, can't be read, a name isn't UTF-8, or something in it is neither a file nor a folder.
    pub fn read(root: &Path) -> Result<Contents> {
        let mut files = Vec::new();
        let mut skipped = Vec::new();
        collect(root, "", 1, &mut files, &mut skipped)?;
        files.sort();
        skipped.sort();
        let files = files.into_iter().map(|path| Found { path, bytes: OnceCell::new() }).collect();
        Ok(Contents { root: root.to_path_buf(), files, skipped, above: None, of_others: Vec::new() })
    }

    /// What isn't looked at, and why; of SQL one path for each folder.
    pub fn skipped(&self) -> &[(String, Skipped)] {
        &self.skipped
    }

    /// Files that are still in memory, as paths and texts.
    pub fn in_memory<'a>(root: &Path, files: impl Iterator<Item = (&'a str, &'a str)>) -> Contents {
        let found = |(path, text): (&str, &str)| Found {
            path: path.into(),
            bytes: OnceCell::from(Ok(text.as_bytes().to_vec())),
        };
        let mut files: Vec<Found> = files.map(found).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Contents {
            root: root.to_path_buf(),
            files,
            skipped: Vec::new(),
            above: Some(Vec::new()),
            of_others: Vec::new(),
        }
    }

    /// Files that are still in memory.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Contents {
        Contents::in_memory(Path::new("migrations"), files.iter().copied())
    }

    /// The same, with files in the folder above.
    #[cfg(test)]
    pub fn below(self, above: &[(&str, &str)]) -> Contents {
        let above = above.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        Contents { above: Some(above), ..self }
    }

    /// The texts of all files of a name in the folder and those above it, up to the one of the repository; nearest first.
    pub fn above(&self, name: &str) -> Vec<String> {
        self.near(name).into_iter().map(|near| near.text).collect()
    }

    /// All files of a name in the folder and those above it, up to the one of the repository; nearest first.
    pub fn near(&self, name: &str) -> Vec<Near> {
        if let Some(above) = &self.above {
            let below = self.root.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let near = |text: &String| Near { path: format!("../{name}"), text: text.clone(), below: below.into() };
            return above.iter().filter(|(n, _)| n == name).map(|(_, text)| near(text)).collect();
        }
        let root = std::fs::canonicalize(&self.root).unwrap_or_default();
        let mut found = Vec::new();
        for (steps, folder) in root.ancestors().take(ABOVE).enumerate() {
            if let Ok(text) = files::read_to_string(&folder.join(name)) {
                let below = root.strip_prefix(folder).map(|p| p.display().to_string()).unwrap_or_default();
                found.push(Near { path: format!("{}{name}", "../".repeat(steps)), text, below });
            }
            if folder.join(".git").exists() {
                break;
            }
        }
        found
    }

    /// The names of the folders in which this one lies, and its own, from the repository down.
    pub fn places(&self) -> Vec<String> {
        let root = match self.above {
            Some(_) => self.root.clone(),
            None => std::fs::canonicalize(&self.root).unwrap_or_default(),
        };
        let below = repository(&root).and_then(|top| root.strip_prefix(top).ok()).unwrap_or(&root);
        below.components().filter_map(|c| c.as_os_str().to_str()).filter(|n| *n != "/").map(String::from).collect()
    }

    /// Whether the folder lies in a repository, so that it is known where its project begins.
    pub fn is_in_repository(&self) -> bool {
        self.above.is_none() && repository(&std::fs::canonicalize(&self.root).unwrap_or_default()).is_some()
    }

    /// Hides the files that name other engines.
    pub fn keep_only(&mut self, engine: Engine) {
        let paths: Vec<&str> = self.sql().collect();
        let out = names::not_of(engine, &paths);
        self.files.retain(|f| !out.iter().any(|(path, _)| *path == f.path));
        self.of_others.extend(out);
    }

    /// SQL that isn't of the engine that was asked for, and why.
    pub fn of_others(&self) -> &[(String, Reason)] {
        &self.of_others
    }

    /// A folder of this one, entered: what isn't of the engine that was asked for is known there, too.
    ///
    /// # Errors
    /// As [`Contents::read`].
    pub fn enter(&self, folder: &str) -> Result<Contents> {
        let of_others = self.of_others.iter().map(|(path, reason)| (format!("../{path}"), *reason)).collect();
        Ok(Contents { of_others, ..Contents::read(&self.root.join(folder))? })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All files.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|f| f.path.as_str())
    }

    /// The `.sql` files, also those in folders below.
    pub fn sql(&self) -> impl Iterator<Item = &str> {
        self.paths().filter(|p| p.ends_with(".sql"))
    }

    /// The `.sql` files of the folder itself.
    pub fn flat_sql(&self) -> impl Iterator<Item = &str> {
        self.sql().filter(|p| !p.contains('/'))
    }

    /// The folders of the folder itself that hold a file of this name.
    pub fn folders_with<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let folder = move |path: &'a str| path.strip_suffix(name)?.strip_suffix('/').filter(|f| !f.contains('/'));
        self.paths().filter_map(folder)
    }

    /// Whether most migrations lie in folders of their own, as files of this name; a stray file beside them changes nothing.
    pub fn is_foldered(&self, name: &str) -> bool {
        self.folders_with(name).count() > self.flat_sql().count()
    }

    /// The folders of the folder itself that hold `.sql` files at any depth, and how many.
    pub fn folders_of_sql(&self) -> Vec<(&str, usize)> {
        let mut folders: Vec<(&str, usize)> = Vec::new();
        for folder in self.sql().filter_map(|p| p.split_once('/')).map(|(folder, _)| folder) {
            match folders.last_mut() {
                Some((last, count)) if *last == folder => *count += 1,
                _ => folders.push((folder, 1)),
            }
        }
        folders
    }

    /// The `.sql` files of the folder; of the folders below only if it has none itself. A single one below is entered instead.
    pub fn files_of_history(&self) -> Vec<&str> {
        let flat: Vec<&str> = self.flat_sql().collect();
        if flat.is_empty() && self.folders_of_sql().len() > 1 { self.sql().collect() } else { flat }
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.found(path).is_some()
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn bytes(&self, path: &str) -> Result<&[u8], String> {
        let found = self.found(path).ok_or("it isn't there")?;
        let read = found.bytes.get_or_init(|| files::read(&self.root.join(path)));
        read.as_deref().map_err(ToString::to_string)
    }

    /// The text of a file, for a first look; empty if it can't be read.
    pub fn text(&self, path: &str) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(path).unwrap_or_default())
    }

    /// Puts a text in the place of a file's own.
    pub fn replace(&mut self, path: &str, text: String) {
        if let Ok(place) = self.files.binary_search_by(|f| f.path.as_str().cmp(path)) {
            self.files[place].bytes = OnceCell::from(Ok(text.into_bytes()));
        }
    }

    fn found(&self, path: &str) -> Option<&Found> {
        self.files.binary_search_by(|f| f.path.as_str().cmp(path)).ok().map(|i| &self.files[i])
    }
}

/// The folder of the repository in which another one lies.
fn repository(root: &Path) -> Option<&Path> {
    root.ancestors().find(|folder| folder.join(".git").exists())
}

fn collect(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<String>,
    skipped: &mut Vec<(String, Skipped)>,
) -> Result<()> {
    let fail = |error: std::io::Error| Error::new(format!("can't read the folder {}: {error}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(|e| fail(e).hint(HINT))? {
        let entry = entry.map_err(|e| fail(e).hint(HINT))?;
        let Ok(name) = entry.file_name().into_string() else {
            let message = format!("a file name in {} isn't UTF-8", folder.display());
            return Err(Error::new(message).hint("rename it, or move it out of the folder"));
        };
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        let is_sql = name.to_lowercase().ends_with(".sql");
        let of_others = matches!(name.as_str(), "node_modules" | "target" | "__pycache__");
        match kind(&path, is_sql)? {
            // It is gone since.
            None if !path.is_symlink() => {}
            None => skipped.push((format!("{prefix}{name}"), Skipped::Nowhere)),
            Some(kind) if kind.is_file() => {
                if is_sql && !name.ends_with(".sql") {
                    skipped.push((format!("{prefix}{name}"), Skipped::Elsewhere));
                }
                files.push(format!("{prefix}{name}"));
            }
            Some(_) if !of_others && depth < DEPTH => {
                collect(&path, &format!("{prefix}{name}/"), depth + 1, files, skipped)?;
            }
            Some(_) => {
                let sql =
                    first_sql(&path).map_err(|e| fail(e).hint("allow reading it, or move it out of the folder"))?;
                skipped.extend(sql.map(|sql| (format!("{prefix}{name}/{sql}"), Skipped::Elsewhere)));
            }
        }
    }
    Ok(())
}

/// Whether something is a file or a folder, or leads to one; none if it leads nowhere. What could be a migration, and is
/// neither, is refused, and so is what nobody could read.
fn kind(path: &Path, is_sql: bool) -> Result<Option<std::fs::FileType>> {
    const HINT: &str = "remove it, or move it out of the folder";
    let refuse = |what: String| Err(Error::new(format!("{} is {what}", path.display())).hint(HINT));
    if path.as_os_str().to_string_lossy().contains(['\n', '\r']) {
        return Err(Error::new(format!("{}: a name with a line break in it", path.display())).hint("rename it"));
    }
    match std::fs::metadata(path) {
        Ok(meta) => match files::oddity(meta.file_type()) {
            Some(what) => refuse(format!("{what}, not a file")),
            // Where each migration has a folder, people name some of them so.
            None if is_sql && meta.is_dir() && first_sql(path).is_ok_and(|sql| sql.is_none()) => {
                refuse("a folder without any SQL, though it is named as a file of SQL".into())
            }
            None => Ok(Some(meta.file_type())),
        },
        Err(error) if is_sql && path.is_symlink() => refuse(format!("a link that leads nowhere: {error}")),
        Err(_) if path.is_symlink() => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => refuse(format!("not readable: {error}")),
    }
}

/// The first SQL file of a folder that isn't looked into.
fn first_sql(folder: &Path) -> std::io::Result<Option<String>> {
    let names = std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.to_lowercase().ends_with(".sql")).min())
}
