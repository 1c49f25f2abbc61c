//! Configuration around a folder that says which engine its project uses.
//!
//! Of a file that lies in several folders the nearest one that says anything counts. Only words that name an engine are
//! taken from these files, and only those are said.

use super::{Sign, Strength};
use crate::engine::Engine;
use crate::error::At;
use crate::history::contents::{Contents, Near};
use serde_json::Value as Json;
use toml::{Table, Value as Toml};

/// A word that names an engine, on a line, counted from 1.
type Said = (usize, Engine);

/// How a file is read.
struct Source {
    /// Its name, from the folder in which it lies.
    file: &'static str,
    /// How sure a word of it is.
    strength: Strength,
    /// What it says.
    read: fn(&Near) -> Vec<Said>,
    /// Of which layout it speaks; of all, if there is none.
    layout: Option<&'static str>,
}

const fn source(file: &'static str, strength: Strength, read: fn(&Near) -> Vec<Said>) -> Source {
    Source { file, strength, read, layout: None }
}

const SOURCES: &[Source] = &[
    source("migration_lock.toml", Strength::Own, |near| in_folder(near, &["provider"])),
    source("meta/_journal.json", Strength::Own, |near| in_folder(near, &["dialect"])),
    source("schema.prisma", Strength::Sure, prisma),
    source("schema/schema.prisma", Strength::Sure, prisma),
    source("schema/datasource.prisma", Strength::Sure, prisma),
    Source { layout: Some("prisma"), ..source("prisma/schema.prisma", Strength::Sure, prisma) },
    source("drizzle.config.ts", Strength::Sure, drizzle),
    source("drizzle.config.js", Strength::Sure, drizzle),
    source("drizzle.config.mjs", Strength::Sure, drizzle),
    source("drizzle.config.cjs", Strength::Sure, drizzle),
    source("drizzle.config.mts", Strength::Sure, drizzle),
    source("drizzle.config.json", Strength::Sure, drizzle),
    source("wrangler.toml", Strength::Sure, |near| wrangler(near, toml_as_json(&near.text))),
    source("wrangler.json", Strength::Sure, |near| wrangler(near, json_with_comments(&near.text))),
    source("wrangler.jsonc", Strength::Sure, |near| wrangler(near, json_with_comments(&near.text))),
    source("Cargo.toml", Strength::Sure, cargo),
    source("go.mod", Strength::Sure, |near| listed(near, MODULES)),
    source("sqlc.yaml", Strength::Sure, |near| keys(near, &["engine"])),
    source("sqlc.yml", Strength::Sure, |near| keys(near, &["engine"])),
    source("sqlc.json", Strength::Sure, |near| keys(near, &["engine"])),
    source("dbconfig.yml", Strength::Sure, |near| keys(near, &["dialect"])),
    source("database.json", Strength::Sure, |near| keys(near, &["driver"])),
    source("knexfile.js", Strength::Sure, |near| keys(near, &["client"])),
    source("knexfile.ts", Strength::Sure, |near| keys(near, &["client"])),
    source("flyway.conf", Strength::Sure, |near| addresses(near, false)),
    source("flyway.toml", Strength::Sure, |near| addresses(near, false)),
    source("conf/flyway.conf", Strength::Sure, |near| addresses(near, false)),
    source("liquibase.properties", Strength::Sure, |near| addresses(near, false)),
    source("application.properties", Strength::Sure, |near| addresses(near, true)),
    source("application.yml", Strength::Sure, |near| addresses(near, true)),
    source("application.yaml", Strength::Sure, |near| addresses(near, true)),
    source("atlas.hcl", Strength::Sure, |near| addresses(near, false)),
    Source { layout: Some("alembic"), ..source("alembic.ini", Strength::Sure, |near| addresses(near, false)) },
    source("alembic.ini", Strength::Weak, |near| addresses(near, false)),
    source("package.json", Strength::Weak, |near| listed(near, PACKAGES)),
    source("pom.xml", Strength::Weak, |near| listed(near, ARTIFACTS)),
    source("build.gradle", Strength::Weak, |near| listed(near, ARTIFACTS)),
    source("build.gradle.kts", Strength::Weak, |near| listed(near, ARTIFACTS)),
    source("requirements.txt", Strength::Weak, |near| listed(near, WHEELS)),
    source("pyproject.toml", Strength::Weak, |near| listed(near, WHEELS)),
    source("docker-compose.yml", Strength::Weak, |near| listed(near, IMAGES)),
    source("docker-compose.yaml", Strength::Weak, |near| listed(near, IMAGES)),
    source("compose.yaml", Strength::Weak, |near| listed(near, IMAGES)),
    source("config/config.json", Strength::Weak, |near| keys(near, &["dialect"])),
    source("ormconfig.json", Strength::Weak, |near| keys(near, &["type"])),
];

/// Crates that speak to one engine.
const CRATES: &[(&str, Engine)] = &[
    ("rusqlite", Engine::Sqlite),
    ("tokio-rusqlite", Engine::Sqlite),
    ("rusqlite_migration", Engine::Sqlite),
    ("libsqlite3-sys", Engine::Sqlite),
    ("sqlite", Engine::Sqlite),
    ("libsql", Engine::Sqlite),
    ("turso", Engine::Sqlite),
    ("mysql", Engine::Mysql),
    ("mysql_async", Engine::Mysql),
    ("tiberius", Engine::SqlServer),
    ("clickhouse", Engine::ClickHouse),
    ("duckdb", Engine::DuckDb),
    ("postgres", Engine::Postgres),
    ("tokio-postgres", Engine::Postgres),
    ("deadpool-postgres", Engine::Postgres),
    ("bb8-postgres", Engine::Postgres),
    ("r2d2_postgres", Engine::Postgres),
    ("pgx", Engine::Postgres),
    ("pgrx", Engine::Postgres),
];

/// Crates that speak to the engines that their features name.
const BY_FEATURES: &[&str] = &[
    "sqlx",
    "diesel",
    "diesel-async",
    "diesel_async",
    "sea-orm",
    "sea-orm-migration",
    "sea-query",
    "refinery",
    "welds",
];

const MODULES: &[(&str, Engine)] = &[
    ("mattn/go-sqlite3 ", Engine::Sqlite),
    ("modernc.org/sqlite ", Engine::Sqlite),
    ("ncruces/go-sqlite3", Engine::Sqlite),
    ("glebarez/sqlite ", Engine::Sqlite),
    ("glebarez/go-sqlite ", Engine::Sqlite),
    ("gorm.io/driver/sqlite ", Engine::Sqlite),
    ("tursodatabase/", Engine::Sqlite),
    ("zombiezen.com/go/sqlite ", Engine::Sqlite),
    ("go-sql-driver/mysql ", Engine::Mysql),
    ("gorm.io/driver/mysql ", Engine::Mysql),
    ("go-mssqldb ", Engine::SqlServer),
    ("clickhouse-go", Engine::ClickHouse),
    ("lib/pq ", Engine::Postgres),
    ("jackc/pgx", Engine::Postgres),
    ("gorm.io/driver/postgres ", Engine::Postgres),
    ("pgdriver ", Engine::Postgres),
    ("go-pg/pg", Engine::Postgres),
    ("jackc/pgconn", Engine::Postgres),
];

const PACKAGES: &[(&str, Engine)] = &[
    ("\"better-sqlite3\":", Engine::Sqlite),
    ("\"sqlite3\":", Engine::Sqlite),
    ("\"sqlite\":", Engine::Sqlite),
    ("\"@libsql/client\":", Engine::Sqlite),
    ("\"@prisma/adapter-better-sqlite3\":", Engine::Sqlite),
    ("\"mysql\":", Engine::Mysql),
    ("\"mysql2\":", Engine::Mysql),
    ("\"mariadb\":", Engine::Mysql),
    ("\"mssql\":", Engine::SqlServer),
    ("\"tedious\":", Engine::SqlServer),
    ("\"oracledb\":", Engine::Oracle),
    ("\"pg\":", Engine::Postgres),
    ("\"postgres\":", Engine::Postgres),
    ("\"pg-promise\":", Engine::Postgres),
    ("\"slonik\":", Engine::Postgres),
    ("\"supabase\":", Engine::Postgres),
    ("\"@supabase/supabase-js\":", Engine::Postgres),
    ("\"@neondatabase/serverless\":", Engine::Postgres),
    ("\"@vercel/postgres\":", Engine::Postgres),
    ("\"@prisma/adapter-pg\":", Engine::Postgres),
    ("\"@electric-sql/pglite\":", Engine::Postgres),
];

const ARTIFACTS: &[(&str, Engine)] = &[
    ("mysql-connector", Engine::Mysql),
    ("flyway-mysql", Engine::Mysql),
    ("mariadb-java-client", Engine::Mysql),
    ("sqlite-jdbc", Engine::Sqlite),
    ("mssql-jdbc", Engine::SqlServer),
    ("flyway-sqlserver", Engine::SqlServer),
    ("ojdbc", Engine::Oracle),
    ("postgresql", Engine::Postgres),
];

const WHEELS: &[(&str, Engine)] = &[
    ("pymysql", Engine::Mysql),
    ("PyMySQL", Engine::Mysql),
    ("mysqlclient", Engine::Mysql),
    ("aiomysql", Engine::Mysql),
    ("asyncmy", Engine::Mysql),
    ("mysql-connector-python", Engine::Mysql),
    ("aiosqlite", Engine::Sqlite),
    ("pyodbc", Engine::SqlServer),
    ("psycopg", Engine::Postgres),
    ("asyncpg", Engine::Postgres),
    ("pg8000", Engine::Postgres),
];

const IMAGES: &[(&str, Engine)] = &[
    ("image: mysql", Engine::Mysql),
    ("image: mariadb", Engine::Mysql),
    ("image: mcr.microsoft.com/mssql", Engine::SqlServer),
    ("image: postgres", Engine::Postgres),
    ("image: postgis", Engine::Postgres),
    ("image: pgvector", Engine::Postgres),
    ("image: timescale", Engine::Postgres),
    ("image: supabase/postgres", Engine::Postgres),
];

/// All signs around a folder; engines for tests alone are none.
pub fn signs(contents: &Contents, layout: Option<&str>) -> Vec<Sign> {
    let mut signs: Vec<Sign> = snapshots(contents).into_iter().collect();
    for source in SOURCES.iter().filter(|s| s.layout.is_none_or(|l| layout == Some(l))) {
        let own = contents.has(source.file).then(|| Near {
            path: source.file.to_string(),
            text: contents.text(source.file).into_owned(),
            below: String::new(),
        });
        let nears = own.into_iter().chain(contents.near(source.file));
        let said = nears.map(|near| ((source.read)(&near), near.path)).find(|(said, _)| !said.is_empty());
        let Some((said, path)) = said else { continue };
        signs.extend(said.into_iter().filter(|(_, engine)| *engine != Engine::H2).map(|(line, engine)| Sign {
            engine,
            strength: source.strength,
            at: Some(At::new(&path, line)),
            what: format!("{} says", base(source.file)),
        }));
    }
    signs
}

/// Snapshots of drizzle that lie beside each migration.
fn snapshots(contents: &Contents) -> Option<Sign> {
    let path = contents.paths().find(|p| base(p) == "snapshot.json" && p.matches('/').count() == 1)?;
    let near = Near { path: path.into(), text: contents.text(path).into_owned(), below: String::new() };
    let (line, engine) = keys(&near, &["dialect"]).into_iter().next()?;
    let what = "snapshot.json says".to_string();
    Some(Sign { engine, strength: Strength::Own, at: Some(At::new(path, line)), what })
}

/// A file that lies in the folder itself.
fn in_folder(near: &Near, names: &[&str]) -> Vec<Said> {
    if near.below.is_empty() { keys(near, names) } else { Vec::new() }
}

/// The engines that stand behind keys: `dialect: "sqlite"`, `provider = "mysql"`, `'client': 'pg'`.
fn keys(near: &Near, names: &[&str]) -> Vec<Said> {
    let mut found = Vec::new();
    for (number, line) in code(&near.text) {
        for value in names.iter().flat_map(|name| values(line, name)) {
            found.extend(engine_of(value).map(|engine| (number, engine)));
        }
    }
    found
}

/// The lines of a configuration that are no comments, counted from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_comment =
        |line: &str| ["//", "#", "*", "/*", ";", "--"].iter().any(|mark| line.trim_start().starts_with(mark));
    text.lines().enumerate().map(|(i, line)| (i + 1, line)).filter(move |(_, line)| !is_comment(line))
}

/// What stands behind a key on a line.
fn values<'a>(line: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    line.match_indices(key).filter_map(move |(at, _)| {
        if line[..at].ends_with(is_part) {
            return None;
        }
        let rest = line[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        let value = rest.strip_prefix([':', '='])?.trim_start().trim_start_matches(['"', '\'', '`']);
        Some(&value[..value.find(|c: char| !is_part(c)).unwrap_or(value.len())])
    })
}

/// The engine that a value names: `better-sqlite3`, `postgresql+psycopg2`.
fn engine_of(value: &str) -> Option<Engine> {
    Engine::of_word(value).or_else(|| value.split(['-', '+', '_']).find_map(Engine::of_word))
}

/// The engines that lines list, by words of theirs.
fn listed(near: &Near, words: &[(&str, Engine)]) -> Vec<Said> {
    let found = |(number, line): (usize, &str)| {
        // So that the last word of a line has an end, too.
        let line = format!("{line} ");
        words.iter().find(|(word, _)| line.contains(word)).map(|(_, engine)| (number, *engine))
    };
    code(&near.text).filter_map(found).collect()
}

/// The engines of addresses: `jdbc:mysql://`, `sqlite:///`, `docker://postgres/15`. Nothing else of an address is looked at.
fn addresses(near: &Near, only_java: bool) -> Vec<Said> {
    let mut found = Vec::new();
    for (number, line) in code(&near.text) {
        let java = ["jdbc:", "r2dbc:"].iter().flat_map(|mark| line.match_indices(mark).map(|(at, m)| at + m.len()));
        let java = java.filter_map(|at| engine_of(word_at(&line[at..])));
        found.extend(java.map(|engine| (number, engine)));
        if only_java {
            continue;
        }
        for (at, mark) in line.match_indices("://") {
            let start = line[..at].rfind(|c: char| !(c.is_alphanumeric() || "+-_".contains(c))).map_or(0, |n| n + 1);
            let scheme = &line[start..at];
            let engine = match scheme {
                "docker" => engine_of(word_at(&line[at + mark.len()..])),
                _ => engine_of(scheme),
            };
            found.extend(engine.map(|engine| (number, engine)));
        }
    }
    // `jdbc:mysql://` is both.
    found.dedup();
    found
}

/// The word with which a text begins.
fn word_at(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len())]
}

/// The provider of a `datasource` block.
fn prisma(near: &Near) -> Vec<Said> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (number, line) in code(&near.text) {
        is_inside = (is_inside || line.trim_start().starts_with("datasource ")) && !line.trim_start().starts_with('}');
        if is_inside {
            found.extend(values(line, "provider").filter_map(engine_of).map(|engine| (number, engine)));
        }
    }
    found
}

/// drizzle's configuration, if it writes into this folder.
fn drizzle(near: &Near) -> Vec<Said> {
    let outs: Vec<String> = code(&near.text).filter_map(|(_, line)| path_behind(line, "out")).collect();
    let is_here = |out: &str| near.below == out || near.below.ends_with(&format!("/{out}"));
    let here = if outs.is_empty() { is_here("drizzle") } else { outs.iter().any(|out| is_here(out)) };
    if here { keys(near, &["dialect", "driver"]) } else { Vec::new() }
}

/// A path behind a key, without `./` and a slash at the end.
fn path_behind(line: &str, key: &str) -> Option<String> {
    let at = line.match_indices(key).find(|(at, _)| !line[..*at].ends_with(char::is_alphanumeric))?.0;
    let rest = line[at + key.len()..].trim_start_matches(['"', '\'']).trim_start().strip_prefix([':', '='])?;
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    rest[1..].split(quote).next().map(plain_path)
}

fn plain_path(path: &str) -> String {
    path.trim_start_matches("./").trim_end_matches('/').to_string()
}

/// Whether a D1 database of wrangler has its migrations in this folder: D1 is SQLite.
fn wrangler(near: &Near, config: Option<Json>) -> Vec<Said> {
    let mut databases = Vec::new();
    let Some(config) = config else { return Vec::new() };
    d1_databases(&config, &mut databases);
    let is_here = |database: &Json| {
        let folder = database.get("migrations_dir").and_then(Json::as_str);
        plain_path(folder.unwrap_or("migrations")) == near.below
    };
    let line = near.text.lines().position(|line| line.contains("d1_databases")).unwrap_or(0) + 1;
    if databases.into_iter().any(is_here) { vec![(line, Engine::Sqlite)] } else { Vec::new() }
}

fn d1_databases<'a>(value: &'a Json, found: &mut Vec<&'a Json>) {
    match value {
        Json::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Json::Array(databases) if name == "d1_databases" => found.extend(databases),
                    value => d1_databases(value, found),
                }
            }
        }
        Json::Array(values) => values.iter().for_each(|value| d1_databases(value, found)),
        _ => {}
    }
}

fn toml_as_json(text: &str) -> Option<Json> {
    serde_json::to_value(text.parse::<Table>().ok()?).ok()
}

/// JSON as wrangler reads it: with comments, and with commas that nothing follows.
fn json_with_comments(text: &str) -> Option<Json> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '"' => {
                let end = string_end(rest);
                out.push_str(&rest[..end]);
                end
            }
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |n| n + 2),
            ']' | '}' => {
                out.truncate(out.trim_end().trim_end_matches(',').len());
                out.push(c);
                1
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[skipped..];
    }
    serde_json::from_str(&out).ok()
}

/// The end of the string with which a text begins.
fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => return at + 1,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// The engines of a crate's dependencies; what a workspace's member has from the workspace counts where it lies.
fn cargo(near: &Near) -> Vec<Said> {
    let Ok(manifest) = near.text.parse::<Table>() else { return Vec::new() };
    let mut found: Vec<(String, String, Engine)> = Vec::new();
    let workspace = manifest.get("workspace").and_then(|w| w.get("dependencies"));
    let target = manifest.get("target").and_then(Toml::as_table).into_iter().flatten();
    let lists = [manifest.get("dependencies"), workspace]
        .into_iter()
        .flatten()
        .chain(target.filter_map(|(_, t)| t.get("dependencies")));
    for (name, dependency) in lists.filter_map(Toml::as_table).flatten() {
        let name = dependency.get("package").and_then(Toml::as_str).unwrap_or(name);
        found.extend(
            CRATES.iter().filter(|(n, _)| *n == name).map(|(n, engine)| (n.to_string(), n.to_string(), *engine)),
        );
        if !BY_FEATURES.contains(&name) {
            continue;
        }
        let features =
            dependency.get("features").and_then(Toml::as_array).into_iter().flatten().filter_map(Toml::as_str);
        found.extend(features.filter_map(|f| Some((name.to_string(), f.to_string(), of_feature(f)?))));
    }
    let features = manifest.get("features").and_then(Toml::as_table).into_iter().flatten();
    for feature in features.filter_map(|(_, f)| f.as_array()).flatten().filter_map(Toml::as_str) {
        let of = feature.split_once('/').filter(|(name, _)| BY_FEATURES.contains(&name.trim_end_matches('?')));
        found.extend(of.and_then(|(name, f)| Some((name.to_string(), feature.to_string(), of_feature(f)?))));
    }
    let line = |name: &str, word: &str| {
        let position = |both: bool| near.text.lines().position(|l| l.contains(word) && (!both || l.contains(name)));
        position(true).or_else(|| position(false)).unwrap_or(0) + 1
    };
    found.iter().map(|(name, word, engine)| (line(name, word), *engine)).collect()
}

/// The engine of a feature: `sqlite`, `sqlx-postgres`, `rusqlite-bundled`.
fn of_feature(feature: &str) -> Option<Engine> {
    feature.split(['-', '_']).find_map(|word| match word {
        "rusqlite" => Some(Engine::Sqlite),
        word => Engine::of_word(word),
    })
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
#[path = "around_tests.rs"]
mod tests;
