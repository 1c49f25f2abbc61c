//! A connection to the database for maintenance of a scratch server. It makes and drops databases and roles of ours, looks at
//! what databases share, and holds the locks that say that we are there.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection, Executor, Row};
use tokio::runtime::Runtime;

use super::address::{Address, MAINTENANCE};
use crate::{Error, Result};

/// How long one request may take. DROP DATABASE waits five seconds for sessions to leave.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to connect may take.
const CONNECT: Duration = Duration::from_secs(15);

/// A row as PostgreSQL writes it.
pub(super) type Cells = Vec<Option<String>>;

/// The connection.
pub(super) struct Link {
    runtime: Runtime,
    connection: Option<PgConnection>,
}

impl Link {
    /// Connects to the database for maintenance.
    ///
    /// # Errors
    /// When that fails.
    pub fn open(address: &Address) -> Result<Link> {
        Link::open_to(address, MAINTENANCE)
    }

    /// Connects to a database of ours.
    ///
    /// # Errors
    /// When that fails.
    pub fn open_to(address: &Address, database: &str) -> Result<Link> {
        let builder = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = builder.map_err(|e| Error::new(format!("can't start a runtime for the scratch server: {e}")))?;
        let unable = |why: String| {
            Error::new(format!("can't connect to the scratch server {address} as {}: {why}", address.user()))
                .hint("is it there, and does it let this user into its database postgres?")
        };
        let options = address.options(database).disable_statement_logging().statement_cache_capacity(0);
        let connected = runtime.block_on(async { tokio::time::timeout(CONNECT, options.connect()).await });
        let connection =
            connected.map_err(|_| unable("it doesn't answer".into()))?.map_err(|e| unable(e.to_string()))?;
        let mut link = Link { runtime, connection: Some(connection) };
        // A setting of the role must not change what we read, nor cut us off. The search_path is PostgreSQL's own.
        link.run(
            "SET search_path = pg_catalog; SET statement_timeout = 0; SET lock_timeout = 0; SET synchronous_commit = off;
            SET default_transaction_read_only = off; SET idle_in_transaction_session_timeout = 0;
            SET standard_conforming_strings = on; SET DateStyle = 'ISO, MDY'; SET TimeZone = 'UTC';
            SELECT pg_catalog.set_config('idle_session_timeout', '0', false)",
        )?;
        Ok(link)
    }

    /// Whether it still stands, as far as is known.
    pub fn stands(&mut self) -> bool {
        self.run("SELECT 1").is_ok()
    }

    /// Whether the last request lost it.
    pub fn is_lost(&self) -> bool {
        self.connection.is_none()
    }

    /// Runs SQL.
    ///
    /// # Errors
    /// When PostgreSQL refuses it, or the connection is gone.
    pub fn run(&mut self, sql: &str) -> Result<()> {
        self.rows(sql).map(drop)
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// When PostgreSQL refuses it, or the connection is gone.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Cells>> {
        let gone = || Error::new("the connection to the scratch server is gone");
        let mut connection = self.connection.take().ok_or_else(gone)?;
        let asked = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, connection.fetch_all(sqlx::raw_sql(sql))).await.ok() });
        let Some(asked) = asked else { return Err(gone()) };
        let rows = match asked {
            Ok(rows) => rows,
            Err(error) => {
                let said = error.as_database_error();
                // One that ends the session says so, too.
                let ends = said.is_none_or(|said| said.code().is_some_and(|code| code.starts_with("57P")));
                if !ends {
                    self.connection = Some(connection);
                }
                return Err(Error::new(said.map_or_else(|| error.to_string(), |said| said.message().to_string())));
            }
        };
        self.connection = Some(connection);
        let unable = |e: &dyn std::fmt::Display| Error::new(format!("can't read an answer of the scratch server: {e}"));
        let cell = |row: &sqlx::postgres::PgRow, i: usize| -> Result<Option<String>> {
            let value = row.try_get_raw(i).map_err(|e| unable(&e))?;
            if sqlx::ValueRef::is_null(&value) {
                return Ok(None);
            }
            value.as_str().map(|text| Some(text.to_string())).map_err(|e| unable(&e))
        };
        rows.iter().map(|row| (0..row.len()).map(|i| cell(row, i)).collect()).collect()
    }

    /// The only value of a query.
    ///
    /// # Errors
    /// As [`Link::rows`].
    pub fn one(&mut self, sql: &str) -> Result<String> {
        Ok(self.rows(sql)?.into_iter().flatten().flatten().next().unwrap_or_default())
    }

    /// Takes a lock if nobody has it. It goes with the connection.
    ///
    /// # Errors
    /// As [`Link::rows`].
    pub fn try_lock(&mut self, key: i64) -> Result<bool> {
        Ok(self.one(&format!("SELECT pg_try_advisory_lock({key})"))? == "t")
    }

    /// Waits for a lock until a time; whether it was got.
    ///
    /// # Errors
    /// As [`Link::rows`].
    pub fn lock_until(&mut self, key: i64, end: Option<Instant>) -> Result<bool> {
        while !self.try_lock(key)? {
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(true)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // The locks are free when the server has seen us leave.
            let _ =
                self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), connection.close()).await });
        }
    }
}

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL has it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
