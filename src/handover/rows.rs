//! The rows of the tools that note more of a migration than its name, and what a migration says of itself for all of them.

use super::Migration;
use super::sums;
use super::tools::Row;
use crate::error::{Error, Result};
use crate::escape::sql_literal as literal;
use crate::history::layout::{atlas, graphile_migrate as hashes};

/// graphile-migrate: the hash of the file, and that of the one before.
pub(super) fn graphile_migrate(m: &Migration, _: usize) -> Result<Row> {
    let lacks = || Error::new(format!("{} lacks its lines --! Previous: and --! Hash:", m.path));
    let hash = hashes::hash(&m.text).ok_or_else(lacks)?;
    let previous = match hashes::previous(&m.text).ok_or_else(lacks)? {
        "-" => "NULL".to_string(),
        previous => literal(previous),
    };
    let name = format!("{}.sql", m.version()?);
    let values = format!("{}, {previous}, {}", literal(hash), literal(&name));
    Ok(Row::new(name, Some(hash.to_string()), values))
}

/// Atlas: a revision with the sum that `atlas.sum` lists.
pub(super) fn revision(m: &Migration, _: usize) -> Result<Row> {
    let lacks =
        || Error::new(format!("{} isn't listed in atlas.sum", m.path)).hint("let `atlas migrate hash` write it");
    let (version, hash) = (m.version()?, m.listed.as_deref().ok_or_else(lacks)?);
    let count = m.statements.len();
    let values = format!(
        "{}, {}, 2, {count}, {count}, now(), 0, {}, 'consolidate'",
        literal(version),
        literal(&m.description),
        literal(hash)
    );
    let sum = atlas::is_checkpoint(&m.text).then(|| "checkpoint".to_string());
    Ok(Row::new(version.to_string(), sum, values))
}

/// Liquibase: a changeset. Its checksum stays empty, and Liquibase fills it in when it next looks.
pub(super) fn changeset(m: &Migration, number: usize) -> Result<Row> {
    let lacks = || Error::new(format!("{} holds no changeset", m.path));
    let found = m.changeset.as_ref().ok_or_else(lacks)?;
    let path = found.path.as_deref().unwrap_or(&m.path);
    let values = format!(
        "{}, {}, {}, now(), {}, 'EXECUTED', NULL, 'sql', '', 'consolidate'",
        literal(&found.id),
        literal(&found.author),
        literal(path),
        number + 1
    );
    let key = format!("{path}::{}::{}", found.id, found.author);
    Ok(Row { stays: found.path.is_none(), ..Row::new(key, None, values) })
}

/// Flyway: version, words, script, and the CRC32 of its lines.
pub(super) fn flyway(m: &Migration, number: usize) -> Result<Row> {
    // Flyway fills placeholders in before it sums up a file that runs again.
    let is_summed = m.version.is_some() || !m.text.contains("${");
    let sum = is_summed.then(|| sums::flyway(&m.text).to_string());
    let version = m.version.as_deref().map_or_else(|| "NULL".to_string(), literal);
    let values = format!(
        "{}, {version}, {}, 'SQL', {}, {}, current_user, 0, true",
        number + 1,
        literal(&m.words()),
        literal(&m.path),
        sum.as_deref().unwrap_or("NULL")
    );
    Ok(Row::new(m.version.clone().unwrap_or_else(|| m.path.clone()), sum, values))
}

impl Migration {
    /// A row that holds the key alone.
    pub(super) fn named(&self, key: String) -> Result<Row> {
        let values = literal(&key);
        Ok(Row::new(key, None, values))
    }

    /// The version as the tool says it.
    pub fn version(&self) -> Result<&str> {
        let missing = || Error::new(format!("{} has no version", self.path)).hint("the tool wouldn't run it");
        self.version.as_deref().ok_or_else(missing)
    }

    /// The version as a number.
    pub fn number(&self) -> Result<i64> {
        let version = self.version()?;
        let wrong = |_| Error::new(format!("{version}, the version of {}, is no number that fits", self.path));
        version.parse().map_err(wrong)
    }

    /// The description as the tools note it that write spaces.
    pub(super) fn words(&self) -> String {
        self.description.replace('_', " ")
    }

    /// The folder of its own.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or(self.path.as_str(), |(folder, _)| folder)
    }
}
