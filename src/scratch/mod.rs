//! Scratch databases: empty PostgreSQL databases that live as long as one replay, behind one trait.

pub mod embedded;
pub mod extensions;
pub mod preludes;
pub mod stand_ins;

use crate::Result;
use extensions::StandIn;

/// An empty database that is gone when it is dropped.
///
/// It takes one connection at a time: close yours before asking for a dump.
pub trait Scratch: Send {
    /// Where to connect, as a PostgreSQL URL. Changes with nothing, so that a session can reconnect.
    fn url(&self) -> String;
    /// The schema as the database's own `pg_dump` states it, without rows.
    fn dump(&self) -> Result<String>;
    /// Stops it and gives back its files. Dropping does the same, but keeps quiet about trouble.
    fn stop(self: Box<Self>) -> Result<()>;
}

/// What a scratch database must hold ready before the first statement.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Names of extensions that `CREATE EXTENSION` must find, where the scratch database has them.
    pub extensions: Vec<String>,
    /// Stand-ins of the user's own, beside those that come with the tool.
    pub stand_ins: Vec<StandIn>,
}

/// Opens a scratch database.
pub fn open(needs: &Needs) -> Result<Box<dyn Scratch>> {
    Ok(Box::new(embedded::Embedded::start(needs)?))
}
