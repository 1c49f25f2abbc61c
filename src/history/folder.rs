//! Which files of a folder are migrations, and in which order they run: plain `.sql` files by name, and files as sqlx and
//! golang-migrate name them (`VERSION_description.sql`, `.up.sql` with `.down.sql`) by version.

use crate::error::{Error, Result};
use std::path::Path;

/// The migrations of a folder, in order.
pub struct Listing {
    pub files: Vec<Entry>,
    pub shared_versions: Vec<Vec<usize>>,
    pub set_aside: Vec<String>,
}

/// A migration's file, by its name alone.
pub struct Entry {
    pub name: String,
    pub version: Option<String>,
    pub description: String,
}

/// Lists the migrations of a folder.
pub fn list(folder: &Path) -> Result<Listing> {
    let hint = "name the folder of your migrations with --old, or in consolidate.toml";
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Error::new(format!("can't read the folder {}: {error}", folder.display())).hint(hint))?;
    let mut files = Vec::new();
    let mut set_aside = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::new(format!("can't read {}: {error}", folder.display())))?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(Error::new(format!("a file name in {} isn't UTF-8", folder.display())));
        };
        if !name.ends_with(".sql") || name.starts_with('.') || !entry.path().is_file() {
            continue;
        }
        if name.ends_with(".down.sql") { set_aside.push(name) } else { files.push(parse_name(&name)) }
    }
    if files.is_empty() {
        return Err(Error::new(format!("no .sql files in {}", folder.display())).hint(hint));
    }
    set_aside.sort();
    order(&mut files);
    let shared_versions = shared_versions(&files);
    Ok(Listing { files, shared_versions, set_aside })
}

/// `VERSION_description.sql`, where the version is digits only (sqlx-core/src/migrate/source.rs).
pub fn parse_name(name: &str) -> Entry {
    let stem = name.strip_suffix(".sql").unwrap_or(name);
    let stem = stem.strip_suffix(".up").unwrap_or(stem);
    match stem.split_once('_') {
        Some((version, rest)) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => {
            Entry { name: name.into(), version: Some(version.into()), description: rest.into() }
        }
        _ => Entry { name: name.into(), version: None, description: stem.into() },
    }
}

/// By version where all files have one (as numbers: 10 comes after 9), else by name.
fn order(files: &mut [Entry]) {
    if files.iter().all(|f| f.version.is_some()) {
        files.sort_by(|a, b| number(a).cmp(&number(b)).then_with(|| a.name.cmp(&b.name)));
    } else {
        files.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// A version without leading zeros, longer ones later: numbers of any size compare.
fn number(entry: &Entry) -> (usize, &str) {
    let digits = entry.version.as_deref().unwrap_or("").trim_start_matches('0');
    (digits.len(), digits)
}

fn shared_versions(files: &[Entry]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, file) in files.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if file.version.is_some() && number(&files[group[0]]) == number(file) => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    groups.retain(|g| g.len() > 1);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[&str]) -> Vec<String> {
        let mut files: Vec<Entry> = given.iter().map(|n| parse_name(n)).collect();
        order(&mut files);
        files.into_iter().map(|f| f.name).collect()
    }

    #[test]
    fn versions_sort_as_numbers() {
        assert_eq!(names(&["10_b.sql", "9_a.sql"]), ["9_a.sql", "10_b.sql"]);
    }

    #[test]
    fn other_names_sort_as_text() {
        assert_eq!(names(&["b.sql", "10_b.sql", "9_a.sql"]), ["10_b.sql", "9_a.sql", "b.sql"]);
    }

    #[test]
    fn one_version_twice_is_seen() {
        let files: Vec<Entry> = ["1_a.sql", "2_a.sql", "02_b.sql"].iter().map(|n| parse_name(n)).collect();
        assert_eq!(shared_versions(&files), [[1, 2]]);
    }
}
