//! Scratch databases on a server that is there already, and that others use: databases of our own, which are gone afterwards,
//! and with them the roles, memberships and settings that the replay made. No other database is connected to, but the one
//! for maintenance, in which nothing is read or written.
//!
//! Roles belong to the whole server, so replays take turns, by an advisory lock. Each scratch database has a lock of its own as
//! long as its run lives: a database whose lock is free was left by a run that was killed. A role of the same name as the
//! database, which may do nothing, keeps the names and numbers of the roles that the replay made, so that a later run can
//! take those back, too.

mod address;
mod left;
mod link;
mod live;
mod reach;
mod shared;

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

pub use address::{Address, redacted};
pub use left::{PREFIX, take_back_all};
use link::Link;
use live::Live;

use super::gate::Gate;
use super::programs::Programs;
use super::{Barred, Limits, Plain, Scratch};
use crate::{Error, Result};

/// The oldest version whose catalogues the judge knows.
const OLDEST: u32 = 140_000;
/// The lock that says whose turn it is: "consolid" in ASCII.
const TURN: i64 = 0x636f_6e73_6f6c_6964;

/// A server.
#[derive(Debug)]
pub struct Server {
    address: Address,
    programs: Programs,
    /// Whether what killed runs left was looked for.
    swept: AtomicBool,
    gate: Gate,
    /// Whether replays are to run without the powers of a superuser.
    is_plain: AtomicBool,
    notes: Mutex<Vec<String>>,
}

impl Server {
    /// Looks whether a server can be used.
    ///
    /// # Errors
    /// When it can't be reached, isn't one that we know, or its user may not do what a history may want.
    pub fn reach(address: Address, programs: Option<&Path>, limits: Limits) -> Result<Arc<Server>> {
        limits.check()?;
        let mut link = Link::open(&address)?;
        let version: u32 = link.one("SELECT current_setting('server_version_num')")?.parse().unwrap_or(0);
        if version < OLDEST {
            let says = link.one("SELECT current_setting('server_version')")?;
            return Err(Error::new(format!("the scratch server is PostgreSQL {says}, which is too old"))
                .hint(format!("wanted is version {} or later", OLDEST / 10_000)));
        }
        let rights = "SELECT rolsuper AND NOT pg_is_in_recovery() FROM pg_roles WHERE rolname = current_user";
        if link.one(rights)? != "t" {
            let user = address.user();
            return Err(Error::new(format!(
                "on the scratch server, {user} is no superuser, or the server is a standby"
            ))
            .hint("histories make roles and extensions, and the proof looks at all of them: name a superuser"));
        }
        let programs = Programs::with_dump(programs, version / 10_000)?;
        Ok(Arc::new(Server {
            address,
            programs,
            swept: AtomicBool::new(false),
            gate: Gate::default(),
            is_plain: AtomicBool::new(false),
            notes: Mutex::default(),
        }))
    }

    /// What the user should know: what was found of runs before, and what is left of this one.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().map(|notes| notes.clone()).unwrap_or_default()
    }

    /// Lets replays run as a role without powers from now on, or as who the address names.
    pub fn lower(&self, is_plain: bool) {
        self.is_plain.store(is_plain, Ordering::Relaxed);
    }

    /// What its statements must pass.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Whether a statement may run there at all, whoever else has something on the server.
    ///
    /// # Errors
    /// When it may not, or can't be read.
    pub fn admits(&self, sql: &str) -> Result<(), Barred> {
        reach::out_of_any(&*self.gate.read(sql)?).map_or(Ok(()), |error| Err(error.into()))
    }

    fn note(&self, notes: Vec<String>) {
        if let Ok(mut all) = self.notes.lock() {
            all.extend(notes);
        }
    }
}

/// Where it is, without its password.
impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server {}", self.address)
    }
}

/// A database of our own on a server.
pub struct Own {
    server: Arc<Server>,
    live: Arc<Mutex<Live>>,
    name: String,
    /// The password of the role without powers, if the replay runs as that.
    password: Option<String>,
    limits: Limits,
}

impl Own {
    /// Waits for its turn and makes one.
    ///
    /// # Errors
    /// When the server refuses, or the time is used up.
    pub fn open(server: &Arc<Server>, limits: Limits) -> Result<Own> {
        let mut link = Link::open(&server.address)?;
        if !link.lock_until(TURN, limits.total.map(|(_, end)| end))? {
            let what = "another run of consolidate has used the scratch server all the time";
            let error = limits.check().err().unwrap_or_else(|| Error::new("there is no turn"));
            return Err(Error::new(format!("{}: {what}", error.message)).hint("runs on one server take turns"));
        }
        if !server.swept.swap(true, Ordering::Relaxed) {
            server.note(left::sweep(&server.address, &mut link)?);
        }
        let live = Live::begin(&server.address, link)?;
        let name = live.name.clone();
        let live = left::known(live);
        // Nobody but us learns it, and it goes with its role.
        let word = || RandomState::new().hash_one(Instant::now());
        let password = server.is_plain.load(Ordering::Relaxed).then(|| format!("{:016x}{:016x}", word(), word()));
        let own = Own { server: Arc::clone(server), live, name, password, limits };
        own.lock()?.make(own.password.as_deref())?;
        Ok(own)
    }

    fn lock(&self) -> Result<MutexGuard<'_, Live>> {
        self.live.lock().map_err(|_| Error::new("the work on the scratch server broke off"))
    }

    /// What it changed that was there before it, once.
    fn harmed(&self) -> Option<String> {
        let harmed = std::mem::take(&mut self.lock().ok()?.harmed);
        let what = "the history changed on the scratch server what isn't its own, and it was put back";
        (!harmed.is_empty()).then(|| format!("{what}: {}", harmed.join("; ")))
    }

    /// Takes back all of it, and says what is left.
    fn close(&mut self) -> Vec<String> {
        let left = self.lock().map(|mut live| live.take_back()).unwrap_or_default();
        left::forget(&self.live);
        self.server.note(left.clone());
        left
    }
}

impl Scratch for Own {
    fn url(&self) -> String {
        self.server.address.secret(&self.name)
    }

    fn dump(&self) -> Result<String> {
        let (server, address) = (&self.server, &self.server.address);
        let mut command = server.programs.command("pg_dump");
        command.args(["--schema-only", "--no-password", "-d", &self.name, "-U", address.user()]);
        command.args(["-h", &address.host(), "-p", &address.port().to_string()]);
        // Not as an argument, which everybody on the machine can see.
        command.envs(address.password().map(|password| ("PGPASSWORD", password)));
        // Where a password file is.
        command.envs(["PGPASSFILE", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        let output = self.limits.output(&mut command)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
            return Err(Error::new(format!("{} can't dump the scratch database: {said}", server.programs)));
        }
        String::from_utf8(output.stdout).map_err(|e| Error::new(format!("can't read a dump: {e}")))
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn before(&self, sql: &str) -> Result<(), Barred> {
        let reading = self.server.gate.read(sql)?;
        Ok(self.lock()?.before(sql, &reading)?)
    }

    fn sees(&self, roles: &[(u32, String)], inside: bool) -> Result<()> {
        self.lock()?.sees(roles, inside)
    }

    fn plain(&self) -> Option<Plain> {
        self.password.clone().map(Plain::There)
    }

    fn made(&self, role: &str) -> bool {
        self.lock().is_ok_and(|live| live.made(role))
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        // What is left is told at the end: it doesn't make the proof wrong.
        self.close();
        match self.harmed() {
            Some(what) => Err(Error::new(what).hint(HARMED)),
            None => Ok(()),
        }
    }
}

/// What a history may be told that reached for others.
const HARMED: &str =
    "it does so by statements that are put together at run time; --scratch embedded runs them where nobody else is";

impl Drop for Own {
    fn drop(&mut self) {
        self.close();
        self.server.note(self.harmed().into_iter().collect());
    }
}
