//! Engines that files and folders name: `1_a.mysql.up.sql`, `sqlite/1_a.sql`, `schema_postgres.sql`.

use crate::engine::Engine;
use crate::history::contents::Contents;
use std::collections::HashSet;

/// Words that stand in a folder's name beside that of an engine and say nothing more: `migrations_sqlite`.
const STRUCTURE: &[&str] = &[
    "migrations",
    "migration",
    "migrate",
    "migrator",
    "schema",
    "schemas",
    "sql",
    "db",
    "database",
    "databases",
    "ddl",
    "scripts",
    "changes",
    "changelog",
    "versions",
    "old",
    "dialect",
    "dialects",
    "store",
    "sqls",
    "drizzle",
    "prisma",
];

/// Words that mean other things as well: they name an engine only beside another one.
const ALSO_OTHERS: &[&str] =
    &["oracle", "snowflake", "spanner", "cassandra", "derby", "h2", "neon", "d1", "cql", "pg", "singlestore", "scylla"];

/// What a path says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    engine: Engine,
    /// Whether the word means nothing else.
    is_clear: bool,
    /// The path without the word, where that is a part of the file's name between dots.
    twin: Option<String>,
}

/// The files that an engine has by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The engine.
    pub engine: Engine,
    /// Its files.
    pub files: Vec<String>,
}

/// Files by the engines that they name, those with the most files first; files that name none are left out.
pub fn groups(paths: &[&str]) -> Vec<Group> {
    let all: HashSet<&str> = paths.iter().copied().collect();
    let named: Vec<(&str, Named)> = paths.iter().filter_map(|p| Some((*p, of_path(p, &all)?))).collect();
    if !named.iter().any(|(_, n)| n.is_clear) {
        return Vec::new();
    }
    let mut groups: Vec<Group> = Vec::new();
    for (path, named) in named {
        match groups.iter_mut().find(|g| g.engine == named.engine) {
            Some(group) => group.files.push(path.to_string()),
            None => groups.push(Group { engine: named.engine, files: vec![path.to_string()] }),
        }
    }
    groups.sort_by_key(|g| (std::cmp::Reverse(g.files.len()), g.engine));
    groups
}

/// Why a file isn't one of an engine that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It names another one.
    Other(Engine),
    /// It names none, and beside it lies one that names the engine.
    Replaced(Engine),
}

impl Reason {
    /// In words, for one file of so many.
    pub fn say(self, files: usize) -> String {
        match (self, files) {
            (Reason::Other(engine), 1) => format!("{engine}'s by its name: not read"),
            (Reason::Other(engine), n) => format!("one of {n} files that are {engine}'s by their names: not read"),
            (Reason::Replaced(engine), 1) => format!("beside it lies a file for {engine}, which is read in its place"),
            (Reason::Replaced(engine), n) => {
                format!("one of {n} files beside which one for {engine} lies, which is read in its place")
            }
        }
    }
}

/// Files that aren't of an engine: those of others, and those in whose place it has a file of its own.
pub fn not_of(engine: Engine, paths: &[&str]) -> Vec<(String, Reason)> {
    let groups = groups(paths);
    let all: HashSet<&str> = paths.iter().copied().collect();
    let own = groups.iter().filter(|g| g.engine == engine).flat_map(|g| g.files.iter());
    let twins: HashSet<String> = own.filter_map(|p| of_path(p, &all)?.twin).collect();
    let of = |path: &str| groups.iter().find(|g| g.files.iter().any(|f| f == path)).map(|g| g.engine);
    let reason = |path: &str| match of(path) {
        Some(other) => (other != engine).then_some(Reason::Other(other)),
        None => twins.contains(path).then_some(Reason::Replaced(engine)),
    };
    paths.iter().filter_map(|path| Some((path.to_string(), reason(path)?))).collect()
}

/// The engine that is read, if files name it and no other.
pub fn only_read(contents: &Contents) -> Option<Engine> {
    let paths: Vec<&str> = contents.sql().collect();
    match groups(&paths)[..] {
        [Group { engine, .. }] if engine.is_read() => Some(engine),
        _ => None,
    }
}

/// The engine that a folder itself names, by the last parts of its path, and the part.
pub fn of_root(contents: &Contents) -> Option<(Engine, String)> {
    let parts = contents.places();
    let near = parts.iter().rev().take(if contents.is_in_repository() { parts.len() } else { 2 });
    near.filter_map(|part| of_folder(part).filter(|(_, clear)| *clear).map(|(engine, _)| (engine, part.clone()))).next()
}

/// The engine of which a part of the folder's path speaks, among other words: `server-sqlite`. That is a hint only.
pub fn hinted(contents: &Contents) -> Option<(Engine, String)> {
    let parts = contents.places();
    let near = parts.iter().rev().take(if contents.is_in_repository() { parts.len() } else { 3 });
    near.filter_map(|part| {
        let engines = engines_in(part);
        (engines.len() == 1 && engines[0].1).then(|| (engines[0].0, part.clone()))
    })
    .next()
}

/// The engine that a path names: by a folder, or by a part of the file's name.
fn of_path(path: &str, all: &HashSet<&str>) -> Option<Named> {
    let (folders, base) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some((engine, is_clear)) = folders.split('/').rev().find_map(of_folder) {
        return Some(Named { engine, is_clear, twin: None });
    }
    let stem = base.strip_suffix(".sql").unwrap_or(base);
    let prefix = if folders.is_empty() { String::new() } else { format!("{folders}/") };
    let parts: Vec<&str> = stem.split('.').collect();
    if let Some(at) = parts.iter().rposition(|part| Engine::of_word(part).is_some()) {
        let engine = Engine::of_word(parts[at])?;
        let mut rest = parts.clone();
        rest.remove(at);
        let twin = (!rest.is_empty()).then(|| format!("{prefix}{}.sql", rest.join(".")));
        return Some(Named { engine, is_clear: is_clear(parts[at]), twin });
    }
    // `schema_mysql.sql` is one of an engine only beside `schema_postgres.sql`: the word may as well be what the file is about.
    let head = parts[0];
    let word = [head.rsplit(['_', '-']).next(), head.split(['_', '-']).next()]
        .into_iter()
        .flatten()
        .find(|word| Engine::of_word(word).is_some())?;
    let engine = Engine::of_word(word)?;
    let others = all.iter().filter(|other| other.len() + 20 > path.len()).any(|other| is_sibling(path, word, other));
    others.then(|| Named { engine, is_clear: is_clear(word), twin: None })
}

/// Whether another path is the same but for the word of another engine.
fn is_sibling(path: &str, word: &str, other: &str) -> bool {
    let base = path.rfind('/').map_or(0, |at| at + 1);
    let at = if path[base..].starts_with(word) { Some(base) } else { path.rfind(word) };
    let Some(at) = at else { return false };
    let (before, after) = (&path[..at], &path[at + word.len()..]);
    let between = other.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    between.is_some_and(|b| b != word && Engine::of_word(b).is_some_and(|e| Engine::of_word(word) != Some(e)))
}

/// The engine of a folder that bears its name, alone or with words that say nothing more; and whether the word is clear.
fn of_folder(name: &str) -> Option<(Engine, bool)> {
    let engines = engines_in(name);
    let [(engine, is_clear)] = engines[..] else { return None };
    let plain = words(name).all(|w| Engine::of_word(&w).is_some() || STRUCTURE.contains(&w.as_str()));
    plain.then_some((engine, is_clear))
}

fn engines_in(name: &str) -> Vec<(Engine, bool)> {
    let mut found: Vec<(Engine, bool)> =
        words(name).filter_map(|w| Some((Engine::of_word(&w)?, is_clear(&w)))).collect();
    found.sort();
    found.dedup_by_key(|(engine, _)| *engine);
    found
}

fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase)
}

fn is_clear(word: &str) -> bool {
    !ALSO_OTHERS.contains(&word.to_lowercase().as_str())
}

/// Whether a folder's name is that of an engine which isn't read: a search passes it over.
pub fn is_of_another(name: &str) -> bool {
    let is_meant = is_clear(name) || matches!(name.to_lowercase().as_str(), "oracle" | "h2" | "cassandra");
    is_meant && Engine::of_word(name).is_some_and(|engine| !engine.is_read())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn said(paths: &[&str]) -> Vec<(Engine, usize)> {
        groups(paths).into_iter().map(|g| (g.engine, g.files.len())).collect()
    }

    #[test]
    fn a_part_between_dots_names_an_engine() {
        let kratos = ["1_a.cockroach.up.sql", "1_a.mysql.up.sql", "1_a.postgres.up.sql", "1_a.sqlite3.up.sql"];
        assert_eq!(said(&kratos).len(), 4);
        assert_eq!(said(&["1_a.mysql.up.sql", "1_a.up.sql"]), [(Engine::Mysql, 1)]);
        assert_eq!(said(&["001.sqlite.sql", "002.sqlite.sql"]), [(Engine::Sqlite, 2)]);
        assert_eq!(said(&["mysql.sql", "pgsql.sql"]), [(Engine::Postgres, 1), (Engine::Mysql, 1)]);
    }

    #[test]
    fn a_word_behind_a_dash_names_one_beside_another() {
        assert_eq!(said(&["1_add_mysql.sql", "2_oracle.sql", "3_sqlite_import.sql"]), []);
        let two = ["schema_mysql.sql", "schema_postgres.sql", "seed.sql"];
        assert_eq!(said(&two), [(Engine::Postgres, 1), (Engine::Mysql, 1)]);
        assert_eq!(said(&["mysql-1.sql", "postgresql-1.sql"]).len(), 2);
    }

    #[test]
    fn folders_name_engines() {
        let vaultwarden = ["mysql/2018_a/up.sql", "postgresql/2018_a/up.sql", "sqlite/2018_a/up.sql"];
        assert_eq!(said(&vaultwarden).len(), 3);
        assert_eq!(said(&["migrations_sqlite/1_a.sql"]), [(Engine::Sqlite, 1)]);
        assert_eq!(said(&["2024_sqlite_support/up.sql", "001_mysql/up.sql"]), []);
    }

    #[test]
    fn words_that_mean_other_things_need_company() {
        assert_eq!(said(&["oracle/1_a.sql", "snowflake/1_a.sql"]), []);
        assert_eq!(said(&["oracle/1_a.sql", "mysql/1_a.sql"]).len(), 2);
    }

    #[test]
    fn what_one_engine_reads_is_its_own_and_what_has_no_twin() {
        let paths = ["1_a.mysql.up.sql", "1_a.postgres.up.sql", "1_a.up.sql", "2_b.mysql.up.sql", "2_b.up.sql"];
        let out: Vec<String> = not_of(Engine::Postgres, &paths).into_iter().map(|(path, _)| path).collect();
        assert_eq!(out, ["1_a.mysql.up.sql", "1_a.up.sql", "2_b.mysql.up.sql"]);
    }

    #[test]
    fn the_folder_itself_names_one() {
        let root = |path: &str| Contents::in_memory(Path::new(path), std::iter::empty());
        assert_eq!(of_root(&root("db/migrations/sqlite")), Some((Engine::Sqlite, "sqlite".into())));
        assert_eq!(of_root(&root("mysql/migrations")), Some((Engine::Mysql, "mysql".into())));
        assert_eq!(of_root(&root("server-sqlite/migrations")), None);
        assert_eq!(hinted(&root("server-sqlite/migrations")), Some((Engine::Sqlite, "server-sqlite".into())));
        assert_eq!(hinted(&root("sqlite-to-postgres/migrations")), None);
        assert_eq!(of_root(&root("oracle/migrations")), None);
    }
}
