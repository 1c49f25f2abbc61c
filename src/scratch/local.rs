//! Scratch databases from the PostgreSQL programs of this machine: a throw-away cluster per replay, since roles belong to
//! a cluster, on a socket in a folder of ours.
//!
//! Nobody else gets in: the folder and the sockets are open to its owner alone (and to root), each connection is asked who it
//! comes from (`peer`), and there is no other way than the sockets. Nothing gets out where walls can be built (`walls.rs`).
//!
//! Nothing is left behind. Whatever ends this program, even a signal that can't be caught, closes the pipe to a small shell
//! that then stops the servers and removes the folder. Should that die too, the next run removes the folder.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::gate::Gate;
use super::programs::{Programs, User};
use super::walls::Walls;
use super::{Barred, Limits, PLAIN, Plain, SUPERUSERS, Scratch, child, room};
use crate::{Error, Result};

/// How long the path of the folder may be that ours is made in, so that a socket has room below it.
const LONGEST_BASE: usize = room::LONGEST_FOLDER - 39;
/// Our folders: this, the number of our process, and something random.
const PREFIX: &str = "consolidate-pg-";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// When nobody can be using a folder any more whose process is gone.
const STALE: Duration = Duration::from_secs(3600);

/// Nothing needs to last, all that a history can ask for is switched on, and nothing reaches out of the machine.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "port=5432",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "jit=off",
    "wal_level=logical",
    "max_logical_replication_workers=0",
    "max_connections=20",
    "shared_buffers=32MB",
    "max_locks_per_transaction=1024",
    "TimeZone=UTC",
    "log_timezone=UTC",
];

/// Stops the servers that are named on its input, `PROCESS FOLDER` a line, and removes the folder, when its input ends.
const WATCHMAN: &str = r#"
trap '' HUP INT TERM
list=
while read -r process folder; do list="$list $process $folder"; done
set -- "$1" $list
root=$1
shift
turns=0
while [ $# -gt 1 ]; do
    [ -d "$root/$2" ] && kill -QUIT "$1"
    while [ -e "$root/$2/data/postmaster.pid" ] && [ $turns -lt 50 ]; do sleep 0.1; turns=$((turns + 1)); done
    shift 2
done
while ! rm -rf "$root" && [ $turns -lt 100 ]; do sleep 0.1; turns=$((turns + 1)); done
"#;

/// The programs, the folder in which their clusters live, and what all of them begin as.
#[derive(Debug)]
pub struct Local {
    /// The programs.
    pub programs: Programs,
    folder: PathBuf,
    /// Who runs them, if we are root.
    user: Option<User>,
    walls: Walls,
    watchman: Mutex<Watchman>,
    gate: Gate,
    /// Whether replays are to run without the powers of a superuser.
    is_plain: AtomicBool,
    /// How many clusters there were.
    count: Mutex<usize>,
}

#[derive(Debug)]
struct Watchman(Child);

impl Local {
    /// Finds the programs, and makes a first cluster that all others are copies of.
    ///
    /// # Errors
    /// When there are none, or they can't make one.
    pub fn start(given: Option<&Path>) -> Result<Arc<Local>> {
        let programs = Programs::find(given)?;
        let process = std::process::id();
        let base = base()?;
        room::ever().iter().chain([&base]).for_each(|place| sweep(place));
        let prefix = format!("{PREFIX}{process}-");
        let folder = room::private(&prefix, &base).map_err(|e| unable("make a folder", e))?;
        let mine = fs::metadata(folder.path()).map_err(|e| unable("look at a folder", e))?.uid();
        let user = if mine == 0 { Some(User::other_than_root()?) } else { None };
        give(folder.path(), user.as_ref())?;
        let walls = Walls::build(user.as_ref(), &[&programs.folder, folder.path()]);
        let mut command = child::command("sh");
        command.args(["-c", WATCHMAN, "sh"]).arg(folder.path()).current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watchman = Mutex::new(Watchman(command.spawn().map_err(|e| unable("start sh", e))?));
        // From here on the watchman removes it.
        let local = Local {
            programs,
            folder: folder.keep(),
            user,
            walls,
            watchman,
            gate: Gate::default(),
            is_plain: AtomicBool::new(false),
            count: Mutex::new(0),
        };
        local.init()?;
        Ok(Arc::new(local))
    }

    /// A program that runs as whom PostgreSQL wants, in our folder: it may not be allowed into the current one.
    fn command(&self, name: &str) -> Command {
        let mut command = self.walls.command(&self.programs.folder.join(name), self.user.as_ref());
        command.current_dir(&self.folder);
        command
    }

    /// What its statements must pass.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Lets replays run as a role without powers from now on, or as a superuser.
    pub fn lower(&self, is_plain: bool) {
        self.is_plain.store(is_plain, Ordering::Relaxed);
    }

    /// Whether a statement may run on this machine.
    ///
    /// # Errors
    /// When it reaches out of its server, or can't be read.
    pub fn admits(&self, sql: &str) -> Result<(), Barred> {
        self.gate.inside(sql).map(drop)
    }

    fn init(&self) -> Result<()> {
        let run = |locale: &str| {
            let mut command = self.command("initdb");
            command.args(["-U", SUPERUSERS[0], "-A", "peer", "-E", "UTF8", "--no-sync", "--wal-segsize=4"]);
            let output = command.arg(format!("--locale={locale}")).arg("-D").arg(self.template()).output();
            output.map_err(|e| self.refused("initdb", &e.to_string()))
        };
        let first = run("C.UTF-8")?;
        // Not every machine knows C.UTF-8. initdb takes back what it has begun.
        if first.status.success() || run("C")?.status.success() {
            return self.let_us_in();
        }
        Err(self.refused("initdb", &String::from_utf8_lossy(&first.stderr)))
    }

    /// Lets us in, as a superuser or as the role without powers, by any of their names, and nobody else.
    fn let_us_in(&self) -> Result<()> {
        let asked = child::command("id").arg("-un").output().map_err(|e| unable("run id", e))?;
        let us = String::from_utf8_lossy(&asked.stdout).trim().replace('"', "\"\"");
        let lines = SUPERUSERS.iter().chain(&PLAIN).map(|name| format!("us \"{us}\" {name}\n"));
        let files = [("pg_ident.conf", lines.collect()), ("pg_hba.conf", "local all all peer map=us\n".to_string())];
        for (name, text) in files {
            fs::write(self.template().join(name), text).map_err(|e| unable("write a file", e))?;
        }
        Ok(())
    }

    fn refused(&self, program: &str, said: &str) -> Error {
        let whom = self.user.as_ref().map_or_else(String::new, |user| format!(" as user {}", user.name));
        let program = self.programs.folder.join(program);
        let error = Error::new(format!("can't run {}{whom}: {}", program.display(), said.trim()));
        error.hint("the embedded PostgreSQL needs no programs: --scratch embedded")
    }

    fn template(&self) -> PathBuf {
        self.folder.join("template")
    }

    /// A new folder with a copy of the first cluster in `data`.
    fn copy(&self) -> Result<PathBuf> {
        let number = {
            let mut count = self.count.lock().map_err(|_| Error::new("a start of a scratch database broke off"))?;
            *count += 1;
            *count
        };
        let folder = self.folder.join(number.to_string());
        DirBuilder::new().mode(0o700).create(&folder).map_err(|e| unable("make a folder", e))?;
        give(&folder, self.user.as_ref())?;
        let mut copy = child::command("cp");
        copy.arg("-Rp").arg(self.template()).arg(folder.join("data"));
        let output = copy.output().map_err(|e| unable("run cp", e))?;
        if output.status.success() {
            return Ok(folder);
        }
        Err(unable("copy a cluster", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Tells the watchman of a server.
    fn watch(&self, process: u32, folder: &Path) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Ok(mut watchman) = self.watchman.lock()
            && let Some(pipe) = &mut watchman.0.stdin
        {
            // Without a watchman all is stopped in good order anyway, unless we are killed.
            let _ = writeln!(pipe, "{process} {name}");
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Ok(mut watchman) = self.watchman.lock() {
            drop(watchman.0.stdin.take());
            let _ = watchman.0.wait();
        }
        // Nothing is left of it, unless the watchman couldn't do its work.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A running cluster.
pub struct Cluster {
    local: Arc<Local>,
    server: Option<Child>,
    folder: PathBuf,
    limits: Limits,
    is_plain: bool,
}

impl Cluster {
    /// Starts one.
    ///
    /// # Errors
    /// When the server doesn't start, with what it says.
    pub fn start(local: &Arc<Local>, limits: Limits) -> Result<Cluster> {
        limits.check()?;
        let folder = local.copy()?;
        let log = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join("log"));
        let log = log.map_err(|e| unable("make a file", e))?;
        let also = log.try_clone().map_err(|e| unable("make a file", e))?;
        let mut command = local.command("postgres");
        command.arg("-D").arg(folder.join("data")).arg("-c");
        command.arg(format!("unix_socket_directories={}", folder.display()));
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        // A group of its own: Ctrl-C is for us, and we stop it.
        let server = command.stdout(log).stderr(also).process_group(0).spawn();
        let server = server.map_err(|e| local.refused("postgres", &e.to_string()))?;
        local.watch(server.id(), &folder);
        let is_plain = local.is_plain.load(Ordering::Relaxed);
        let mut cluster = Cluster { local: Arc::clone(local), server: Some(server), folder, limits, is_plain };
        cluster.wait()?;
        Ok(cluster)
    }

    /// Waits until the server takes connections: the eighth line of its lock file says so.
    fn wait(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let lock = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
            if lock.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            let ended = self.server.as_mut().is_none_or(|server| !matches!(server.try_wait(), Ok(None)));
            if ended || begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(self.local.refused("postgres", &log));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn close(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let process = server.id().to_string();
        // At once: nothing in it is wanted any more.
        let told =
            child::command("sh").args(["-c", "kill -QUIT \"$1\"", "sh", &process]).stderr(Stdio::null()).status();
        if !told.is_ok_and(|status| status.success()) {
            let _ = server.kill();
        }
        server.wait().map_err(|e| unable("stop a server", e))?;
        fs::remove_dir_all(&self.folder).map_err(|e| unable("remove a folder", e))
    }
}

impl Scratch for Cluster {
    fn url(&self) -> String {
        room::url(&self.folder, SUPERUSERS[0], "postgres")
    }

    fn dump(&self) -> Result<String> {
        let mut command = self.local.programs.command("pg_dump");
        command.args(["--schema-only", "-p", "5432", "-U", SUPERUSERS[0], "-d", "postgres", "-h"]).arg(&self.folder);
        let output = self.limits.output(&mut command)?;
        if !output.status.success() {
            return Err(self.local.refused("pg_dump", &String::from_utf8_lossy(&output.stderr)));
        }
        String::from_utf8(output.stdout).map_err(|e| unable("read a dump", e))
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn plain(&self) -> Option<Plain> {
        self.is_plain.then_some(Plain::ToMake)
    }

    fn before(&self, sql: &str) -> Result<(), Barred> {
        self.local.admits(sql)
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        self.close()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A replay that failed has a better error to tell.
        let _ = self.close();
    }
}

fn unable(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(format!("can't {what} for the scratch databases: {why}"))
}

/// Gives a folder to who runs the programs.
fn give(folder: &Path, user: Option<&User>) -> Result<()> {
    let Some(user) = user else { return Ok(()) };
    std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid)).map_err(|e| unable("give away a folder", e))
}

/// Where scratch databases lie, or another folder if the path of a socket in it would be too long, or if only root can go
/// there.
fn base() -> Result<PathBuf> {
    let open = |folder: &&PathBuf| folder.ancestors().all(|f| fs::metadata(f).is_ok_and(|m| m.mode() & 0o001 != 0));
    let short = |folder: &&PathBuf| folder.is_absolute() && folder.as_os_str().len() <= LONGEST_BASE;
    let all: Vec<PathBuf> =
        room::places().into_iter().chain([PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]).collect();
    let found = all.iter().filter(short).find(|folder| open(folder));
    found.or_else(|| all.iter().find(short)).cloned().ok_or_else(|| unable("make a folder", "there is no place for it"))
}

/// Removes what runs left behind that were killed together with their watchman. A server that still runs there stops by
/// itself when it finds its files gone.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        let age = entry.metadata().ok().and_then(|m| m.modified().ok()).and_then(|at| at.elapsed().ok());
        if let (Some(process), Some(age)) = (process, age)
            && age > STALE
            && !lives(process)
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn lives(process: u32) -> bool {
    let asked =
        child::command("sh").args(["-c", "kill -0 \"$1\"", "sh", &process.to_string()]).stderr(Stdio::null()).status();
    !asked.is_ok_and(|status| !status.success()) || Path::new(&format!("/proc/{process}")).exists()
}
