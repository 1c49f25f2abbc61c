//! Handing live databases over: what makes a database that ran exactly the old set count as having run the new one.
//!
//! Nothing of a database changes but the tool's own table. The script refuses by itself, so that it is as safe by psql.

pub(crate) mod live;
mod rows;
mod script;
mod sums;
mod tools;

pub use script::{Script, script};
pub(crate) use tools::of as tool_of;
pub use tools::{TOOLS, Tool};

use crate::error::{Error, Result};
use crate::history::History;
use crate::history::layout::atlas;
use crate::history::layout::liquibase::changesets::{self, Changeset};
use crate::store::manifest::{manifest, sum};
use std::path::Path;

/// A migration as a tool knows it.
#[derive(Debug, Clone)]
pub struct Migration {
    /// Its file in the folder.
    pub path: String,
    /// Its version, as the tool says it.
    pub version: Option<String>,
    /// The words after the version, as in the name.
    pub description: String,
    /// Its file's text, to the byte.
    pub text: String,
    /// Its statements.
    pub statements: Vec<String>,
    /// Its time in drizzle's journal.
    pub when: Option<i64>,
    /// Its checksum in Atlas' list.
    pub listed: Option<String>,
    /// Which of its file's changesets it is, for Liquibase.
    pub changeset: Option<Changeset>,
}

/// The migrations of a set as the tool knows them.
///
/// # Errors
/// When a file can't be read any more.
pub fn migrations(set: &History) -> Result<Vec<Migration>> {
    let journal: serde_json::Value = crate::files::read_to_string(&set.folder.join("meta/_journal.json"))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let when = |stem: &str| {
        let entries = journal["entries"].as_array()?;
        entries.iter().find(|e| e["tag"].as_str() == Some(stem)).and_then(|e| e["when"].as_i64())
    };
    let sums = crate::files::read_to_string(&set.folder.join(atlas::SUMS)).unwrap_or_default();
    let mut found = Vec::new();
    for file in &set.files {
        let path = set.folder.join(&file.name);
        let text = crate::files::read_to_string(&path)
            .map_err(|e| Error::new(format!("can't read {}: {e}", path.display())).hint("allow reading it"))?;
        let changesets: Vec<Option<Changeset>> = match set.layout.name() {
            "liquibase" => changesets::of(&file.name, &text)?.into_iter().map(Some).collect(),
            _ => vec![None],
        };
        found.extend(changesets.into_iter().map(|changeset| Migration {
            path: file.name.clone(),
            version: file.version.clone(),
            description: file.description.clone(),
            text: text.clone(),
            statements: file.statements.clone().map(|id| set.text(id).to_string()).collect(),
            when: when(file.name.strip_suffix(".sql").unwrap_or(&file.name)),
            listed: atlas::sum_of(&sums, &file.name).map(String::from),
            changeset,
        }));
    }
    Ok(found)
}

/// Of a written set's migrations, those that were written: what came after is for the tool to run.
///
/// # Errors
/// When a file was changed or is gone since the set was proven.
pub fn as_written(folder: &Path, set: &History, mut migrations: Vec<Migration>) -> Result<Vec<Migration>> {
    let known = manifest(folder);
    if known.is_empty() {
        return Ok(migrations);
    }
    for (name, proven) in &known {
        let bytes = crate::files::read(&folder.join(name)).unwrap_or_default();
        if sum(&bytes) != *proven {
            return Err(Error::new(format!("{} isn't as it was proven", folder.join(name).display()))
                .hint("let consolidate emit write it anew, or take the file .consolidate away if you verified it"));
        }
    }
    let inner = set.folder.strip_prefix(folder).map(Path::to_path_buf).unwrap_or_default();
    migrations.retain(|m| known.contains_key(&inner.join(&m.path).display().to_string()));
    Ok(migrations)
}
