//! The embedded scratch database: PostgreSQL compiled into the program, one server per replay.
//!
//! It knows no passwords, so nobody else may come near: its files and its socket lie in a folder that is open to us alone, and
//! its `pg_dump` speaks with it in our memory. (Where there are no such sockets, it listens on 127.0.0.1.)

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once};
use std::time::Duration;

use pglite_oxide::{PgDumpOptions, Pglite, PgliteServer};
use tempfile::TempDir;

use super::extensions::{self, StandIn};
use super::pinned_cpu::PinnedCpu;
use super::{Needs, SUPERUSERS, Scratch, room, stand_ins};
use crate::{Error, Result};

/// Our folders: this, the number of our process, and something random.
const PREFIX: &str = "consolidate-embedded-";
/// When nobody can be using a folder any more whose process is gone.
const STALE: Duration = Duration::from_secs(600);
/// How long a server may take to stop. One that is stuck in a statement never does; it ends with us.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to stop before a dump, which can't do without: nothing runs in it, and the machine may be busy.
const LONG_PATIENCE: Duration = Duration::from_secs(120);

/// The folders in use.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The only database of an instance.
const DATABASE: &str = "template1";

/// What the server is told.
const SETTINGS: [(&str, &str); 3] = [
    // The crate sets `public` alone; this is PostgreSQL's own default.
    ("search_path", "\"$user\", public"),
    // A long history in one transaction locks thousands of objects.
    ("max_locks_per_transaction", "1024"),
    // The crate takes 128 MB, and most of a short replay would be the kernel clearing them.
    ("shared_buffers", "16MB"),
];

/// An embedded PostgreSQL with files of its own.
pub struct Embedded {
    // The order matters: the server stops before its folder goes.
    /// It rests while its files are dumped, until it is asked for again.
    server: Mutex<Option<PgliteServer>>,
    folder: Option<TempDir>,
    /// Where the socket is, if the path of the folder is too long for one.
    beside: Option<TempDir>,
    /// Where the threads of the server sit, and the one that started it.
    _pinned: Option<PinnedCpu>,
}

impl Embedded {
    /// Starts an instance in a folder of its own, with the wanted extensions ready to be created, and none created.
    ///
    /// The builder's own way of naming extensions also creates them, in every new connection, so the archives are
    /// unpacked here instead: it is for the history to create an extension, where and when it wants.
    pub fn start(needs: &Needs) -> Result<Self> {
        guarded("start the embedded PostgreSQL", || Self::start_unguarded(needs))
    }

    fn start_unguarded(needs: &Needs) -> Result<Self, String> {
        sweep();
        hide_temporary_files();
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let folder = {
            let mut folders = FOLDERS.lock().map_err(text)?;
            let folder = in_a_place(&prefix).map_err(text)?;
            folders.push(folder.path().to_path_buf());
            folder
        };
        let outcome = pglite_oxide::install_into(folder.path()).map_err(chain)?;
        let bundled = extensions::bundled(&needs.extensions);
        if !bundled.is_empty() {
            Pglite::preload_extensions(bundled.iter().copied()).map_err(chain)?;
        }
        for extension in &bundled {
            let archive = pglite_oxide_assets::extension_archive(extension.sql_name())
                .ok_or_else(|| format!("the archive of extension {} is missing", extension.sql_name()))?;
            pglite_oxide::install_extension_bytes(&outcome.paths, archive).map_err(chain)?;
        }
        let own = stand_ins::shipped();
        for stand_in in own.iter().chain(&needs.stand_ins) {
            let archive = archive(stand_in).map_err(text)?;
            pglite_oxide::install_extension_bytes(&outcome.paths, &archive).map_err(chain)?;
        }
        let pinned = PinnedCpu::take();
        let is_long = folder.path().as_os_str().len() > room::LONGEST_FOLDER;
        let beside = if is_long { Some(room::private(&prefix, Path::new("/tmp")).map_err(text)?) } else { None };
        let embedded = Embedded { server: Mutex::new(None), folder: Some(folder), beside, _pinned: pinned };
        drop(embedded.running()?);
        Ok(embedded)
    }

    fn files(&self) -> Result<&Path, String> {
        self.folder.as_ref().map(TempDir::path).ok_or_else(|| "it has stopped".to_string())
    }

    /// The server, started if it rests.
    fn running(&self) -> Result<MutexGuard<'_, Option<PgliteServer>>, String> {
        let mut server = self.server.lock().map_err(text)?;
        if server.is_none() {
            let builder = PgliteServer::builder().path(self.files()?).postgres_configs(SETTINGS);
            #[cfg(unix)]
            let builder = builder.unix(self.socket()?.join(room::SOCKET));
            *server = Some(builder.relaxed_durability(true).start().map_err(chain)?);
        }
        Ok(server)
    }

    /// The folder of the socket.
    #[cfg(unix)]
    fn socket(&self) -> Result<&Path, String> {
        self.beside.as_ref().map_or_else(|| self.files(), |beside| Ok(beside.path()))
    }

    #[cfg(unix)]
    fn dump_unguarded(&self) -> Result<String, String> {
        let mut server = self.server.lock().map_err(text)?;
        if let Some(server) = server.take() {
            shut_down(server, LONG_PATIENCE).map_err(text)?;
        }
        let direct = Pglite::builder().path(self.files()?).postgres_configs(SETTINGS);
        let mut direct = direct.relaxed_durability(true).open().map_err(chain)?;
        let dump = direct.dump_sql(PgDumpOptions::new().arg("--schema-only").database(DATABASE));
        direct.close().map_err(chain)?;
        dump.map_err(chain)
    }

    #[cfg(not(unix))]
    fn dump_unguarded(&self) -> Result<String, String> {
        let server = self.running()?;
        let server = server.as_ref().ok_or("it has stopped")?;
        // The crate's networking takes the runtime that it finds around it.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(text)?;
        let _inside = runtime.enter();
        server.dump_sql(PgDumpOptions::new().arg("--schema-only").database(DATABASE)).map_err(chain)
    }

    fn close(&mut self) -> Result<()> {
        let stopped = match self.server.get_mut().ok().and_then(Option::take) {
            Some(server) => shut_down(server, PATIENCE),
            None => Ok(()),
        };
        let removed = match self.folder.take() {
            Some(folder) => {
                if let Ok(mut folders) = FOLDERS.lock() {
                    folders.retain(|one| one != folder.path());
                }
                folder.close().map_err(|e| Error::new(format!("can't remove a scratch folder: {e}")))
            }
            None => Ok(()),
        };
        stopped.and(removed)
    }
}

impl Scratch for Embedded {
    #[cfg(unix)]
    fn url(&self) -> String {
        // If it doesn't start again, whoever connects finds out.
        let _ = guarded("start the embedded PostgreSQL", || self.running().map(drop));
        self.socket().map(|folder| room::url(folder, SUPERUSERS[0], DATABASE)).unwrap_or_default()
    }

    #[cfg(not(unix))]
    fn url(&self) -> String {
        let server = self.running();
        server.ok().and_then(|server| server.as_ref().map(PgliteServer::database_url)).unwrap_or_default()
    }

    fn dump(&self) -> Result<String> {
        guarded("dump the embedded PostgreSQL", || self.dump_unguarded())
    }

    fn is_whole(&self) -> bool {
        false
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        self.close()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // A replay that failed has a better error to tell.
        let _ = self.close();
    }
}

/// Stops a server, or gives up on one that is stuck.
fn shut_down(server: PgliteServer, patience: Duration) -> Result<()> {
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let stopped = guarded("stop the embedded PostgreSQL", || server.shutdown().map_err(chain));
        // Nobody may be waiting any more.
        let _ = told.send(stopped);
    });
    heard.recv_timeout(patience).unwrap_or_else(|_| Err(Error::new("the embedded PostgreSQL doesn't stop")))
}

/// Removes the folders of all instances, for a program that is about to end. Whoever starts another one waits for ever after.
pub fn remove_all() {
    let Ok(folders) = FOLDERS.lock() else { return };
    let mut calm = 0;
    // A server that still starts or runs may write once more.
    for _ in 0..80 {
        let left: Vec<&PathBuf> = folders.iter().filter(|folder| folder.exists()).collect();
        for folder in &left {
            let _ = std::fs::remove_dir_all(folder);
        }
        calm = if left.is_empty() { calm + 1 } else { 0 };
        if calm > 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    std::mem::forget(folders);
}

/// Has the temporary files of the crate made in a folder that is open to us alone: its `pg_dump` writes into one, for everybody
/// to read, and it can't be told where.
fn hide_temporary_files() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(mut folders) = FOLDERS.lock() else { return };
        let Ok(folder) = in_a_place(&format!("{PREFIX}{}-", std::process::id())) else { return };
        if tempfile::env::override_temp_dir(folder.path()).is_ok() {
            folders.push(folder.keep());
        }
    });
}

/// Removes what is left of embedded databases, for a program that has done its work.
pub fn leave() {
    if let Ok(mut folders) = FOLDERS.lock() {
        folders.drain(..).for_each(|folder| drop(std::fs::remove_dir_all(folder)));
    }
}

/// A folder in the first place that takes one.
fn in_a_place(prefix: &str) -> std::io::Result<TempDir> {
    let make = |place: &PathBuf| room::private(prefix, place);
    let places = room::places();
    places.iter().find_map(|place| make(place).ok()).map_or_else(|| make(&std::env::temp_dir()), Ok)
}

/// Removes what runs left behind that were killed.
fn sweep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for entry in room::ever().into_iter().flat_map(std::fs::read_dir).flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
            let age = entry.metadata().ok().and_then(|m| m.modified().ok()).and_then(|at| at.elapsed().ok());
            // Where there is no /proc, nobody can tell; a day is long enough.
            let lives = |process: u32, age: Duration| match Path::new("/proc/self").exists() {
                true => Path::new(&format!("/proc/{process}")).exists(),
                false => age < Duration::from_secs(86_400),
            };
            if let (Some(process), Some(age)) = (process, age)
                && age > STALE
                && !lives(process, age)
            {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    });
}

/// The tar archive that the crate takes as an extension.
fn archive(stand_in: &StandIn) -> std::io::Result<Vec<u8>> {
    let folder = "share/postgresql/extension";
    let control = format!("{folder}/{}.control", stand_in.name);
    let script = format!("{folder}/{}--{}.sql", stand_in.name, stand_in.version);
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in [(control, stand_in.control()), (script, stand_in.sql.clone())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, path, content.as_bytes())?;
    }
    builder.into_inner()
}

/// Runs something of the crate, whose errors and panics both become errors of ours.
fn guarded<T>(what: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T> {
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panic_text(&*panic)));
    outcome.map_err(|why| Error::new(format!("can't {what}: {why}")))
}

/// What a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let said =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    said.map_or_else(|| "it panicked".to_string(), |said| format!("it panicked: {said}"))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// All layers of an error of the crate in one line.
fn chain(error: impl std::fmt::Display) -> String {
    format!("{error:#}")
}
