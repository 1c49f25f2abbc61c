//! One connection to a scratch database, blocking on the outside.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgErrorPosition, PgRow};
use sqlx::{ConnectOptions, Connection, Either, Executor, Row};
use tokio::runtime::Runtime;

use crate::scratch::{Barred, Limits, Scratch};
use crate::{Error, Result};

/// How long connecting to a scratch database may take, and leaving one.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long connecting to a database that exists may take.
const CONNECT: Duration = Duration::from_secs(10);

/// What takes too long or gives too much, in words.
const STATEMENT: &str = "the statement";
const ANSWER: &str = "an answer of the database";

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
    /// Whether the database exists: others may lock what is asked for, so a question of ours has the limit of a statement.
    exists: bool,
    /// As whom it connects, and to which database, where that isn't what the URL says.
    login: (Option<String>, Option<String>),
    /// The password with which it connects, where that isn't the one of the URL.
    password: Option<String>,
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
        Session::at(scratch.url(), scratch.is_whole(), limits, false)
    }

    /// Connects to a database that exists.
    pub fn to(url: String, limits: Limits) -> Result<Self> {
        Session::at(url, true, limits, true)
    }

    fn at(url: String, whole: bool, limits: Limits, exists: bool) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::new(format!("can't start a runtime for the scratch database: {e}")))?;
        let mut session =
            Session { runtime, url, whole, limits, exists, login: (None, None), password: None, connection: None };
        session.connect()?;
        Ok(session)
    }

    fn connect(&mut self) -> Result<()> {
        let unable = |e: sqlx::Error| {
            let error = Error::new(format!("can't connect to the scratch database: {e}"));
            // A server that starts with the first connection says so where the disk is full.
            let is_full = ["I/O error", "No space left"].iter().any(|words| error.message.contains(words));
            if is_full { error.hint(crate::scratch::room::hint()) } else { error }
        };
        let options: PgConnectOptions = self.url.parse().map_err(unable)?;
        let mut options = options.disable_statement_logging().statement_cache_capacity(0);
        if let Some(user) = &self.login.0 {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        if let Some(database) = &self.login.1 {
            options = options.database(database);
        }
        let patience = if self.exists { CONNECT } else { PATIENCE };
        let connect = async { tokio::time::timeout(patience, options.connect()).await };
        let connection = self.runtime.block_on(connect);
        let late = |_| {
            let seconds = patience.as_secs();
            Error::new(format!("can't connect to the scratch database: it doesn't answer for {seconds} s"))
        };
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

    /// Connects anew as somebody else, to the same database; as the URL has it where nobody is named.
    pub fn become_user(&mut self, user: Option<String>, password: Option<String>) -> Result<()> {
        (self.login.0, self.password) = (user, password);
        self.reopen()
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

    /// Runs SQL and says how many rows it touched. What it gives is counted and forgotten.
    pub fn run(&mut self, sql: &str) -> Result<u64, Refusal> {
        let limits = self.limits;
        let work = async |connection: &mut PgConnection| {
            let (mut touched, mut bytes) = (0, 0);
            let mut answers = connection.fetch_many(sqlx::raw_sql(sql));
            while let Some(answer) = std::future::poll_fn(|context| answers.as_mut().poll_next(context)).await {
                match answer? {
                    Either::Left(done) => touched += done.rows_affected(),
                    Either::Right(row) => bytes += size(&row),
                }
                if limits.is_too_much(bytes) {
                    return Ok(None);
                }
            }
            Ok(Some(touched))
        };
        match self.within(self.limits.next(), STATEMENT, work)? {
            Some(touched) => Ok(touched),
            None => Err(self.too_much(STATEMENT)),
        }
    }

    /// What gives too much is given up, and the connection with it.
    fn too_much(&mut self, what: &str) -> Refusal {
        self.connection = None;
        Refusal::of_limit(self.limits.too_much(what))
    }

    /// How long a question of ours may take.
    fn for_question(&self) -> Option<Duration> {
        if self.exists { self.limits.next() } else { self.limits.left() }
    }

    /// Runs SQL of ours, which may take as long as there is time at all.
    pub fn load(&mut self, sql: &str) -> Result<(), Refusal> {
        let work = async |connection: &mut PgConnection| connection.execute(sqlx::raw_sql(sql)).await;
        self.within(self.for_question(), ANSWER, work).map(drop)
    }

    /// Runs `COPY ... FROM stdin` with its data.
    pub fn copy_in(&mut self, sql: &str, data: &str) -> Result<u64, Refusal> {
        self.within(self.limits.next(), STATEMENT, async |connection: &mut PgConnection| {
            let mut copy = connection.copy_in_raw(sql).await?;
            copy.send(data.as_bytes()).await?;
            copy.finish().await
        })
    }

    /// All that `COPY ... TO stdout` gives, which is `what`. After a refusal the connection is no use any more.
    pub fn copy_out(&mut self, sql: &str, what: &str) -> Result<String> {
        let limits = self.limits;
        let work = async |connection: &mut PgConnection| {
            let mut stream = connection.copy_out_raw(sql).await?;
            let mut all = Vec::new();
            while let Some(piece) = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await {
                all.extend_from_slice(&piece?);
                if limits.is_too_much(all.len() as u64) {
                    return Ok(None);
                }
            }
            Ok(Some(all))
        };
        let unable = |why: String| Error::new(format!("can't look into the scratch database: {why}"));
        let all = self.within(self.limits.next(), what, work).map_err(|refusal| {
            self.connection = None;
            if refusal.is_ours { refusal.into_error() } else { unable(refusal.message) }
        })?;
        let all = all.ok_or_else(|| self.too_much(what).into_error())?;
        String::from_utf8(all).map_err(|e| unable(e.to_string()))
    }

    /// Talks to the database within the limits of time. What takes too long is given up, and the connection with it.
    fn within<T>(
        &mut self,
        limit: Option<Duration>,
        what: &str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Refusal> {
        let mut connection = self.connection.take().ok_or_else(Refusal::gone)?;
        let outcome = self.runtime.block_on(async {
            match limit {
                Some(limit) => tokio::time::timeout(limit, work(&mut connection)).await.ok(),
                None => Some(work(&mut connection).await),
            }
        });
        let Some(outcome) = outcome else { return Err(Refusal::of_limit(self.limits.exceeded(what))) };
        self.connection = Some(connection);
        Ok(outcome?)
    }

    /// Asks the database about itself; trouble here is no fault of the set.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<TextRow>> {
        self.rows_of(sql, ANSWER)
    }

    /// All rows of a query, which are `what`.
    pub fn rows_of(&mut self, sql: &str, what: &str) -> Result<Vec<TextRow>> {
        let unable = |why: String| Error::new(format!("can't look into the scratch database: {why}"));
        let limits = self.limits;
        let work = async |connection: &mut PgConnection| {
            let (mut rows, mut bytes) = (Vec::new(), 0);
            let mut answers = connection.fetch(sqlx::raw_sql(sql));
            while let Some(row) = std::future::poll_fn(|context| answers.as_mut().poll_next(context)).await {
                let row = row?;
                bytes += size(&row);
                rows.push(row);
                if limits.is_too_much(bytes) {
                    return Ok(None);
                }
            }
            Ok(Some(rows))
        };
        let rows = self.within(self.for_question(), what, work);
        let rows =
            rows.map_err(|refusal| if refusal.is_ours { refusal.into_error() } else { unable(refusal.message) })?;
        let rows = rows.ok_or_else(|| self.too_much(what).into_error())?;
        let cell = |row: &PgRow, i: usize| -> Result<Option<String>> {
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

/// How many bytes of values a row has.
fn size(row: &PgRow) -> u64 {
    let bytes = |i: usize| row.try_get_raw(i).ok().and_then(|value| value.as_bytes().ok().map(<[u8]>::len));
    (0..row.len()).filter_map(bytes).map(|bytes| bytes as u64).sum()
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

    fn of_limit(why: Error) -> Self {
        Refusal::from(why)
    }

    /// As an error, for what is no fault of the set.
    pub fn into_error(self) -> Error {
        Error { at: None, message: self.message, hint: self.hint }
    }

    /// Whether the statement only asks to be run outside a transaction block.
    pub fn wants_no_transaction(&self) -> bool {
        matches!(self.sqlstate.as_str(), "25001" | "2D000" | "55P04")
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
