//! One connection to a scratch database, blocking on the outside.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgErrorPosition};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use tokio::runtime::Runtime;

use crate::scratch::{Barred, Limits, Scratch};
use crate::{Error, Result};

/// How long connecting and leaving may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A row as PostgreSQL writes it.
pub(super) type TextRow = Vec<Option<String>>;

/// Makes the session its owner's again. The embedded PostgreSQL doesn't know who logged in, so there RESET and DEFAULT leave
/// the session with whom it was last given to.
pub(super) const OWN_AUTHORIZATION: &str =
    "SELECT pg_catalog.set_config('session_authorization', rolname, false) FROM pg_catalog.pg_roles WHERE oid = 10";

/// A connection with the small runtime that drives it.
pub(super) struct Session {
    runtime: Runtime,
    url: String,
    /// Whether it is a PostgreSQL that knows who logged in.
    whole: bool,
    limits: Limits,
    /// As whom it connects, and to which database, where that isn't what the URL says.
    login: (Option<String>, Option<String>),
    connection: Option<PgConnection>,
}

/// What PostgreSQL said when it refused a statement; or that it said nothing any more.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal {
    /// Empty if the connection broke.
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// The character that it complains about, from 1.
    pub position: Option<u32>,
    /// Whether it is we who refused it: it took too long, or must not run here.
    pub is_ours: bool,
}

impl Session {
    /// Connects to a scratch database.
    pub fn open(scratch: &dyn Scratch, limits: Limits) -> Result<Self> {
        Session::at(scratch.url(), scratch.is_whole(), limits)
    }

    /// Connects; `whole` says whether it is a PostgreSQL that knows who logged in.
    pub fn at(url: String, whole: bool, limits: Limits) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::new(format!("can't start a runtime for the scratch database: {e}")))?;
        let mut session = Session { runtime, url, whole, limits, login: (None, None), connection: None };
        session.connect()?;
        Ok(session)
    }

    fn connect(&mut self) -> Result<()> {
        let unable = |e: sqlx::Error| Error::new(format!("can't connect to the scratch database: {e}"));
        let options: PgConnectOptions = self.url.parse().map_err(unable)?;
        let mut options = options.disable_statement_logging().statement_cache_capacity(0);
        if let Some(user) = &self.login.0 {
            options = options.username(user);
        }
        if let Some(database) = &self.login.1 {
            options = options.database(database);
        }
        let connect = async { tokio::time::timeout(PATIENCE, options.connect()).await };
        let connection = self.runtime.block_on(connect);
        let late = |_| Error::new("can't connect to the scratch database: it doesn't answer");
        self.connection = Some(connection.map_err(late)?.map_err(unable)?);
        Ok(())
    }

    /// Leaves, so that another client can come.
    pub fn close(&mut self) -> Result<()> {
        match self.connection.take() {
            Some(connection) => {
                match self.runtime.block_on(async { tokio::time::timeout(PATIENCE, connection.close()).await }) {
                    Ok(Err(e)) => Err(Error::new(format!("can't close the connection to the scratch database: {e}"))),
                    // It is gone for us, too, if it doesn't answer.
                    _ => Ok(()),
                }
            }
            None => Ok(()),
        }
    }

    /// Says as whom to connect from now on, and to which database; as the URL has it where nothing is said.
    pub fn log_in(&mut self, user: Option<String>, database: Option<String>) {
        self.login = (user, database);
    }

    /// Whether it is a PostgreSQL that knows who logged in.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether there is a connection.
    pub fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Leaves and comes back, as a migration tool does between two runs.
    pub fn reopen(&mut self) -> Result<()> {
        self.close()?;
        self.connect()
    }

    /// Forgets all that was set in the session, as a new connection does, but at no cost.
    pub fn forget(&mut self) -> Result<()> {
        self.must_run("DISCARD ALL")?;
        if self.whole { Ok(()) } else { self.must_run(OWN_AUTHORIZATION) }
    }

    /// Runs SQL and says how many rows it touched.
    pub fn run(&mut self, sql: &str) -> Result<u64, Refusal> {
        let work = async |connection: &mut PgConnection| connection.execute(sqlx::raw_sql(sql)).await;
        Ok(self.within(self.limits.next(), work)?.rows_affected())
    }

    /// Runs SQL of ours, which may take as long as there is time at all.
    pub fn load(&mut self, sql: &str) -> Result<(), Refusal> {
        let work = async |connection: &mut PgConnection| connection.execute(sqlx::raw_sql(sql)).await;
        self.within(self.limits.left(), work).map(drop)
    }

    /// Runs `COPY ... FROM stdin` with its data.
    pub fn copy_in(&mut self, sql: &str, data: &str) -> Result<u64, Refusal> {
        self.within(self.limits.next(), async |connection: &mut PgConnection| {
            let mut copy = connection.copy_in_raw(sql).await?;
            copy.send(data.as_bytes()).await?;
            copy.finish().await
        })
    }

    /// All that `COPY ... TO stdout` gives. After a refusal the connection is no use any more.
    pub fn copy_out(&mut self, sql: &str) -> Result<String> {
        let work = async |connection: &mut PgConnection| {
            let mut stream = connection.copy_out_raw(sql).await?;
            let mut all = Vec::new();
            while let Some(piece) = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await {
                all.extend_from_slice(&piece?);
            }
            Ok(all)
        };
        let unable = |why: String| Error::new(format!("can't look into the scratch database: {why}"));
        let all = self.within(self.limits.left(), work).map_err(|refusal| {
            self.connection = None;
            if refusal.is_ours { refusal.into_error() } else { unable(refusal.message) }
        })?;
        String::from_utf8(all).map_err(|e| unable(e.to_string()))
    }

    /// Talks to the database within the limits of time. What takes too long is given up, and the connection with it.
    fn within<T>(
        &mut self,
        limit: Option<Duration>,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Refusal> {
        let mut connection = self.connection.take().ok_or_else(Refusal::gone)?;
        let outcome = self.runtime.block_on(async {
            match limit {
                Some(limit) => tokio::time::timeout(limit, work(&mut connection)).await.ok(),
                None => Some(work(&mut connection).await),
            }
        });
        let Some(outcome) = outcome else { return Err(self.limits.exceeded().into()) };
        self.connection = Some(connection);
        Ok(outcome?)
    }

    /// Asks the database about itself; trouble here is no fault of the set.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<TextRow>> {
        let unable = |why: String| Error::new(format!("can't look into the scratch database: {why}"));
        let work = async |connection: &mut PgConnection| connection.fetch_all(sqlx::raw_sql(sql)).await;
        let rows = self.within(self.limits.left(), work);
        let rows =
            rows.map_err(|refusal| if refusal.is_ours { refusal.into_error() } else { unable(refusal.message) })?;
        let cell = |row: &sqlx::postgres::PgRow, i: usize| -> Result<Option<String>> {
            let value = row.try_get_raw(i).map_err(|e| unable(e.to_string()))?;
            if sqlx::ValueRef::is_null(&value) {
                return Ok(None);
            }
            value.as_str().map(|text| Some(text.to_string())).map_err(|e| unable(e.to_string()))
        };
        rows.iter().map(|row| (0..row.len()).map(|i| cell(row, i)).collect()).collect()
    }

    /// As [`Session::run`], for SQL of ours.
    pub fn must_run(&mut self, sql: &str) -> Result<()> {
        self.load(sql).map_err(|refusal| {
            if refusal.is_ours {
                return refusal.into_error();
            }
            Error::new(format!(
                "the scratch database refused {}: {}",
                sql.lines().next().unwrap_or(""),
                refusal.message
            ))
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // An open connection would keep the server from stopping.
        let _ = self.close();
    }
}

impl Refusal {
    pub fn gone() -> Self {
        Refusal { message: "the connection is gone".into(), ..Refusal::default() }
    }

    /// As an error, for what is no fault of the set.
    pub fn into_error(self) -> Error {
        Error { at: None, message: self.message, hint: self.hint }
    }

    /// Whether the statement only asks to be run outside a transaction block.
    pub fn wants_no_transaction(&self) -> bool {
        matches!(self.sqlstate.as_str(), "25001" | "55P04")
            || ["transaction block", "pipeline", "from a function or procedure"]
                .iter()
                .any(|w| self.message.contains("cannot") && self.message.contains(w))
    }
}

impl From<Error> for Refusal {
    fn from(why: Error) -> Self {
        Refusal { message: why.message, hint: why.hint, is_ours: true, ..Refusal::default() }
    }
}

impl From<Barred> for Refusal {
    fn from(why: Barred) -> Self {
        match why {
            Barred::Closed(error) => error.into(),
            // PostgreSQL's `syntax_error`: it would say the same, unless it is of a version that nobody knows here.
            Barred::Unread(message) => Refusal { sqlstate: "42601".into(), message, ..Refusal::default() },
        }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        let Some(said) = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>()) else {
            return Refusal { message: error.to_string(), ..Refusal::default() };
        };
        let position = match said.position() {
            Some(PgErrorPosition::Original(position)) => u32::try_from(position).ok(),
            _ => None,
        };
        Refusal {
            sqlstate: said.code().to_string(),
            message: said.message().to_string(),
            detail: said.detail().map(ToString::to_string),
            hint: said.hint().map(ToString::to_string),
            position,
            is_ours: false,
        }
    }
}
