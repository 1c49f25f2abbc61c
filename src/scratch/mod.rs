//! Scratch databases: empty PostgreSQL databases that live as long as one replay, behind one trait.

pub mod calls;
pub mod child;
pub mod embedded;
pub mod extensions;
pub mod gate;
pub mod limits;
#[cfg(unix)]
pub mod local;
#[cfg(not(unix))]
#[path = "no_local.rs"]
pub mod local;
mod pinned_cpu;
pub mod preludes;
pub mod programs;
pub mod room;
pub mod server;
pub mod stand_ins;
#[cfg(unix)]
mod walls;

use std::path::Path;
use std::sync::Arc;

use crate::{Error, Result};
use extensions::StandIn;
pub use limits::Limits;

/// Why a statement isn't run.
#[derive(Debug, Clone)]
pub enum Barred {
    /// PostgreSQL's grammar doesn't know it, so nobody can say what it would do: what its parser says.
    Unread(String),
    /// It would reach out of its database.
    Closed(Error),
}

impl From<Error> for Barred {
    fn from(error: Error) -> Self {
        Barred::Closed(error)
    }
}

impl From<Barred> for Error {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::Unread(why) => Error::new(why).hint(
                "what the grammar of PostgreSQL 18 doesn't know is run only in the embedded PostgreSQL: --scratch embedded",
            ),
            Barred::Closed(error) => error,
        }
    }
}

/// What the superuser of a scratch database of ours is called, and what it may be renamed to while a set is replayed.
pub const SUPERUSERS: [&str; 2] = ["postgres", "somebody"];

/// The role as which a history replays that nobody could read beforehand, and what it is called while other names are otherwise, too.
/// It owns its database. Replays on a server take turns, so all of them have the same there.
pub const PLAIN: [&str; 2] = ["consolidate_scratch_plain", "consolidate_scratch_other"];

/// As whom a set is replayed that must have no powers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// A role that is there, with its password.
    There(String),
    /// One that the replay makes: the whole cluster is its own.
    ToMake,
}

/// An empty database that is gone when it is dropped.
///
/// It takes one connection at a time: close yours before asking for a dump.
pub trait Scratch: Send {
    /// Where to connect, as a PostgreSQL URL. Changes with nothing, so that a session can reconnect.
    fn url(&self) -> String;
    /// The schema as the database's own `pg_dump` states it, without rows.
    fn dump(&self) -> Result<String>;
    /// Whether it is a PostgreSQL as everybody has it, which needs no help with errors inside of blocks.
    fn is_whole(&self) -> bool;
    /// Whether its server is there for others, too: what was on it before is none of the replay's.
    fn is_shared(&self) -> bool {
        false
    }
    /// As whom a set is to be replayed, if not as who looks at what came of it.
    fn plain(&self) -> Option<Plain> {
        None
    }
    /// Is told each statement before it runs, and refuses one that would change what isn't the database's own.
    ///
    /// # Errors
    /// Then.
    fn before(&self, _sql: &str) -> Result<(), Barred> {
        Ok(())
    }
    /// On a shared server: is told the roles that a session of the replay sees, before it commits what is `inside` a
    /// transaction of ours, or after a statement that stands for itself.
    ///
    /// # Errors
    /// When the server doesn't answer.
    fn sees(&self, _roles: &[(u32, String)], _inside: bool) -> Result<()> {
        Ok(())
    }
    /// Whether the replay made a role that wasn't there before it.
    fn made(&self, _role: &str) -> bool {
        true
    }
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
    /// How long it may all take.
    pub limits: Limits,
}

/// Which PostgreSQL scratch databases are of. Both sides of a comparison are always of the same one.
#[derive(Debug, Clone, Default)]
pub enum Database {
    /// The one that is compiled into the program.
    #[default]
    Embedded,
    /// The programs of this machine.
    Local(Arc<local::Local>),
    /// Databases of our own on a server that is there already.
    Server(Arc<server::Server>),
}

impl Database {
    /// That of the programs of this machine, or of those in a given folder.
    ///
    /// # Errors
    /// When there are none.
    pub fn local(programs: Option<&Path>) -> Result<Database> {
        local::Local::start(programs).map(Database::Local)
    }

    /// Databases of our own on a server.
    ///
    /// # Errors
    /// When it can't be used for that, with what it lacks.
    pub fn server(address: server::Address, programs: Option<&Path>, limits: Limits) -> Result<Database> {
        server::Server::reach(address, programs, limits).map(Database::Server)
    }

    /// Opens an empty database. A local one has the extensions that are installed, and no stand-ins.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn open(&self, needs: &Needs) -> Result<Box<dyn Scratch>> {
        Ok(match self {
            Database::Embedded => Box::new(embedded::Embedded::start(needs)?),
            Database::Local(local) => Box::new(local::Cluster::start(local, needs.limits)?),
            Database::Server(server) => Box::new(server::Own::open(server, needs.limits)?),
        })
    }

    /// Whether a statement may run there, as far as that is known before there is a scratch database. The embedded one may run
    /// all: it has neither programs nor files nor a network. What can't be read is looked at when its turn comes.
    ///
    /// # Errors
    /// When it may not.
    pub fn admits(&self, sql: &str) -> Result<()> {
        let admitted = match self {
            Database::Embedded => Ok(()),
            Database::Local(local) => local.admits(sql),
            Database::Server(server) => server.admits(sql),
        };
        match admitted {
            Err(Barred::Closed(error)) => Err(error),
            Ok(()) | Err(Barred::Unread(_)) => Ok(()),
        }
    }

    /// Lets statements pass that reach out into the machine or the network. What others have on a server stays closed.
    pub fn open_gate(&self, is_open: bool) {
        match self {
            Database::Embedded => {}
            Database::Local(local) => local.gate().open(is_open),
            Database::Server(server) => server.gate().open(is_open),
        }
    }

    /// Whether these statements may run what can't be read before, where that could do harm.
    pub fn is_unseen(&self, sql: &str) -> bool {
        let gate = match self {
            Database::Embedded => return false,
            Database::Local(local) => local.gate(),
            Database::Server(server) => server.gate(),
        };
        gate.read(sql).is_ok_and(|reading| reading.is_unseen)
    }

    /// Whether histories replay as a role without powers from now on. The embedded one has none to give.
    pub fn lower(&self, is_plain: bool) {
        match self {
            Database::Embedded => {}
            Database::Local(local) => local.lower(is_plain),
            Database::Server(server) => server.lower(is_plain),
        }
    }

    /// Its name in settings and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Database::Embedded => "embedded",
            Database::Local(_) => "local",
            Database::Server(_) => "server",
        }
    }

    /// What the user should know of it when all is done: what could not be cleaned up, what was found of runs before.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Database::Server(server) => server.notes(),
            _ => Vec::new(),
        }
    }

    /// The stand-ins for extensions that it has beside those of the user's own.
    pub fn has_stand_ins(&self) -> bool {
        matches!(self, Database::Embedded)
    }
}
