//! Engines of databases: whose SQL a history is written in. PostgreSQL's is the only one that is read so far.

use std::fmt;

/// An engine, with all that speak its SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// SQLite, libSQL, Cloudflare's D1.
    Sqlite,
    /// MySQL and MariaDB.
    Mysql,
    /// Microsoft SQL Server.
    SqlServer,
    /// Oracle Database.
    Oracle,
    /// ClickHouse.
    ClickHouse,
    /// CockroachDB, whose SQL is PostgreSQL's for the most part.
    Cockroach,
    /// DuckDB.
    DuckDb,
    /// Google's Spanner.
    Spanner,
    /// Snowflake.
    Snowflake,
    /// Apache Cassandra.
    Cassandra,
    /// H2 and other databases of Java for tests.
    H2,
}

/// Each engine with its name for people, and the words by which files, folders and settings call it.
const ALL: &[(Engine, &str, &[&str])] = &[
    (Engine::Postgres, "PostgreSQL", &["postgres", "postgresql", "pg", "pgsql", "psql", "pglite", "neon"]),
    (
        Engine::Sqlite,
        "SQLite",
        &["sqlite", "sqlite3", "libsql", "turso", "d1", "better-sqlite", "better-sqlite3", "durable-sqlite"],
    ),
    (Engine::Mysql, "MySQL", &["mysql", "mysql2", "mysql5", "mysql8", "mariadb", "singlestore", "planetscale"]),
    (Engine::SqlServer, "SQL Server", &["mssql", "sqlserver", "tsql", "azuresql"]),
    (Engine::Oracle, "Oracle", &["oracle", "plsql"]),
    (Engine::ClickHouse, "ClickHouse", &["clickhouse"]),
    (Engine::Cockroach, "CockroachDB", &["cockroach", "cockroachdb", "crdb"]),
    (Engine::DuckDb, "DuckDB", &["duckdb"]),
    (Engine::Spanner, "Spanner", &["spanner"]),
    (Engine::Snowflake, "Snowflake", &["snowflake"]),
    (Engine::Cassandra, "Cassandra", &["cassandra", "scylla", "cql"]),
    (Engine::H2, "H2", &["h2", "hsqldb", "derby"]),
];

impl Engine {
    /// The engine that a word names, whatever its case.
    pub fn of_word(word: &str) -> Option<Engine> {
        let word = word.to_ascii_lowercase();
        ALL.iter().find(|(_, _, words)| words.contains(&word.as_str())).map(|(engine, ..)| *engine)
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(engine, ..)| *engine == self).map_or("", |(_, name, _)| name)
    }

    /// The words by which files, folders and settings call it; the first is the one to say.
    pub fn words(self) -> &'static [&'static str] {
        ALL.iter().find(|(engine, ..)| *engine == self).map_or(&[], |(_, _, words)| words)
    }

    /// Whether its SQL is read as PostgreSQL's.
    pub fn is_read(self) -> bool {
        matches!(self, Engine::Postgres | Engine::Cockroach)
    }

    /// The engine that a setting asks for.
    ///
    /// # Errors
    /// When no engine is called so, or its SQL isn't read.
    pub fn asked(word: &str) -> Result<Engine, String> {
        match Engine::of_word(word) {
            Some(Engine::Postgres) => Ok(Engine::Postgres),
            Some(other) => Err(format!("{other} isn't read: consolidate reads and proves on PostgreSQL only")),
            None => Err(format!("no engine is called \"{word}\"; the one that is read: postgres")),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_one_engine() {
        let words: Vec<&str> = ALL.iter().flat_map(|(.., words)| words.iter().copied()).collect();
        let mut once = words.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), words.len());
        for (engine, name, words) in ALL {
            assert!(words.iter().all(|word| Engine::of_word(&word.to_uppercase()) == Some(*engine)), "{name}");
        }
    }

    #[test]
    fn only_postgresql_can_be_asked_for() {
        assert_eq!(Engine::asked("PostgreSQL"), Ok(Engine::Postgres));
        assert!(Engine::asked("sqlite").unwrap_err().starts_with("SQLite isn't read"));
        assert!(Engine::asked("postgre").unwrap_err().contains("no engine is called \"postgre\""));
    }
}
