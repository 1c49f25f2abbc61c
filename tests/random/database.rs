//! The PostgreSQL that says what is valid: one embedded instance for many histories, each in a transaction of its own that
//! is rolled back at the end, each statement behind a savepoint.

use consolidate::scratch::{self, Needs, Scratch};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor, Row, ValueRef};
use tokio::runtime::Runtime;

/// How many histories an instance serves: it gives back no memory, and its catalogs fill up with dead rows.
const HISTORIES: usize = 150;

/// The one form of handler that histories have.
pub const HANDLER: &str = "EXCEPTION\n    WHEN duplicate_object THEN NULL;\n";

/// The SQLSTATE of what it forgives.
const DUPLICATE_OBJECT: &str = "42710";

/// An embedded PostgreSQL that is made anew now and then.
#[derive(Default)]
pub struct Database {
    open: Option<Open>,
    served: usize,
}

struct Open {
    // The order matters: the connection ends before the server does.
    connection: Option<PgConnection>,
    runtime: Runtime,
    _scratch: Box<dyn Scratch>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = self.runtime.block_on(connection.close());
        }
    }
}

impl Open {
    fn new() -> Self {
        let scratch = scratch::Database::Embedded.open(&Needs::default()).expect("the embedded PostgreSQL starts");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options: PgConnectOptions = scratch.url().parse().expect("a URL");
        let options = options.disable_statement_logging().statement_cache_capacity(0);
        let connection = runtime.block_on(options.connect()).expect("it takes a connection");
        Open { connection: Some(connection), runtime, _scratch: scratch }
    }

    fn run(&mut self, sql: &str) -> Result<(), String> {
        let connection = self.connection.as_mut().ok_or("the connection is gone")?;
        let state = |e: &sqlx::Error| e.as_database_error().and_then(|d| d.code().map(|c| c.into_owned()));
        let outcome = self.runtime.block_on(connection.execute(sqlx::raw_sql(sql)));
        outcome.map(drop).map_err(|e| format!("{} {e}", state(&e).unwrap_or_default()))
    }

    /// Runs a statement of a history behind a savepoint. An error that its own handler forgives counts as done: the
    /// embedded PostgreSQL can't catch one, and the judge follows such blocks from outside as well.
    fn statement(&mut self, sql: &str) -> Result<(), String> {
        self.run("SAVEPOINT attempt")?;
        let plain = sql.replace(HANDLER, "");
        match self.run(&plain) {
            Ok(()) => self.run("RELEASE SAVEPOINT attempt"),
            Err(why) => {
                self.run("ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt")?;
                if plain != sql && why.starts_with(DUPLICATE_OBJECT) { Ok(()) } else { Err(why) }
            }
        }
    }

    fn is_well(&mut self) -> bool {
        self.run("SELECT 1").is_ok()
    }
}

impl Database {
    /// Begins a history on an empty database.
    pub fn begin(&mut self) {
        self.served += 1;
        if self.served > HISTORIES {
            (self.open, self.served) = (None, 1);
        }
        for _ in 0..2 {
            let open = self.open.get_or_insert_with(Open::new);
            if ["ROLLBACK", "DISCARD ALL", "BEGIN"].iter().all(|sql| open.run(sql).is_ok()) {
                return;
            }
            // A statement broke it.
            self.open = None;
        }
        panic!("the embedded PostgreSQL doesn't begin a transaction");
    }

    /// Runs a statement of a history. One that fails leaves nothing, but for the numbers that sequences gave out.
    pub fn attempt(&mut self, sql: &str) -> Result<(), String> {
        let open = self.open.as_mut().ok_or("no history was begun")?;
        let outcome = open.statement(sql);
        if outcome.is_err() && !open.is_well() {
            self.open = None;
        }
        outcome
    }

    /// Looks at what is put off to the end of a transaction, and puts it off anew; false if it is refused.
    pub fn end_of_file(&mut self) -> bool {
        let deferred = self.rows(
            "SELECT 'SET CONSTRAINTS ' || string_agg(DISTINCT format('%I.%I', nspname, conname), ', ') || ' DEFERRED'
             FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE condeferred",
        );
        let deferred = deferred.into_iter().flatten().next().unwrap_or_default();
        self.attempt(&format!("SET CONSTRAINTS ALL IMMEDIATE; {deferred}")).is_ok()
    }

    /// Whether a statement broke the connection, so that the history can't go on.
    pub fn is_broken(&self) -> bool {
        self.open.is_none()
    }

    /// Asks.
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let Some(Open { connection: Some(connection), runtime, .. }) = self.open.as_mut() else { return Vec::new() };
        let rows = match runtime.block_on(connection.fetch_all(sqlx::raw_sql(sql))) {
            Ok(rows) => rows,
            Err(why) => panic!("the embedded PostgreSQL doesn't answer: {why}"),
        };
        let cell = |row: &sqlx::postgres::PgRow, i: usize| {
            let value = row.try_get_raw(i).expect("a value");
            if value.is_null() { String::new() } else { value.as_str().expect("text").to_string() }
        };
        rows.iter().map(|row| (0..row.len()).map(|i| cell(row, i)).collect()).collect()
    }

    /// Whether all statements of a history run, one after the other.
    pub fn takes<'a>(&mut self, statements: impl Iterator<Item = &'a str>) -> bool {
        self.begin();
        let open = self.open.as_mut().expect("a history was begun");
        let mut fine = true;
        for statement in statements {
            if open.statement(statement).is_err() {
                fine = false;
                break;
            }
        }
        if open.run("ROLLBACK").is_err() {
            self.open = None;
        }
        fine
    }
}
