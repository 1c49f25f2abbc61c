//! Another user of the machine while a proof runs: in no mode can they read anything of it, connect to it, or change it. To be
//! another user takes root; who isn't root looks at the locks of the rooms only, and says so.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]
#![cfg(target_os = "linux")]

mod cli_support;

use cli_support::Project;
use consolidate::scratch::local::{Cluster, Local};
use consolidate::scratch::programs::Programs;
use consolidate::scratch::{Limits, Scratch, room};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nobody in particular.
const OTHER: u32 = 65_533;
/// What must not be found anywhere.
const SECRET: &str = "s3cret-of-the-ci";

/// A history that can be watched for some seconds while its rows are there.
fn watched() -> Project {
    Project::history(&[
        ("1_a.sql", "CREATE TABLE secret (id int, word text);\nINSERT INTO secret VALUES (1, 'hush');\n"),
        ("2_b.sql", "SELECT pg_sleep(6);\n"),
    ])
}

/// A run of the program that knows a secret.
fn spawn(project: &Project, arguments: &str) -> Child {
    let mut command = project.command(arguments);
    command.env_remove("CONSOLIDATE_PG_BIN").env("GITHUB_TOKEN", SECRET);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn is_fine(child: Child) {
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
}

fn wait<T>(what: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "waited too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All that lies in a folder, and the folder itself.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_path_buf()];
    let is_folder = fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_dir());
    for entry in fs::read_dir(folder).into_iter().filter(|_| is_folder).flatten().flatten() {
        all.extend(below(&entry.path()));
    }
    all
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

/// All that a run keeps where scratch databases lie, once it has a socket there.
fn rooms(run: u32) -> Vec<PathBuf> {
    let number = format!("-{run}-");
    let places: BTreeSet<PathBuf> = room::ever().into_iter().chain(["/tmp", "/var/tmp"].map(PathBuf::from)).collect();
    let is_of_run = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("consolidate-") && name.contains(&number)
    };
    let all = places.iter().flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path());
    all.filter(is_of_run).flat_map(|folder| below(&folder)).collect()
}

/// What a process and those that it started are called by the kernel.
fn family(process: u32) -> Vec<u32> {
    let listed = Command::new("ps").args(["-eo", "pid=,ppid="]).output().expect("ps starts");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let pairs: Vec<(u32, u32)> = listed
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .filter_map(|(own, parent)| Some((own.trim().parse().ok()?, parent.trim().parse().ok()?)))
        .collect();
    let mut all = vec![process];
    let mut at = 0;
    while at < all.len() {
        let parent = all[at];
        all.extend(pairs.iter().filter(|pair| pair.1 == parent).map(|pair| pair.0));
        at += 1;
    }
    all
}

/// The TCP ports on which processes listen.
fn ports(processes: &[u32]) -> Vec<u16> {
    let mut found = Vec::new();
    for process in processes {
        let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        let links: BTreeSet<String> =
            files.filter_map(|file| Some(fs::read_link(file.path()).ok()?.to_string_lossy().into_owned())).collect();
        for table in ["tcp", "tcp6"] {
            let table = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
            for line in table.lines().skip(1) {
                let words: Vec<&str> = line.split_whitespace().collect();
                if words.get(3) == Some(&"0A") && links.contains(&format!("socket:[{}]", words[9])) {
                    found.extend(words[1].rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok()));
                }
            }
        }
    }
    found
}

/// What another user gets at. This test, as that user, tries it; or nobody does, if we can't be another user.
fn got_by_another(paths: &[PathBuf], ports: &[u16]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
    command.args(["the_other_user", "--exact", "--nocapture", "--include-ignored"]);
    let list = |all: Vec<String>| all.join("\n");
    command.env("ROOMS_PATHS", list(paths.iter().map(|path| path.display().to_string()).collect()));
    command.env("ROOMS_PORTS", list(ports.iter().map(ToString::to_string).collect()));
    let output = match command.uid(OTHER).gid(OTHER).current_dir("/").output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: nobody here can be another user ({error}); only the locks were looked at");
            return String::new();
        }
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("tried all"), "{output:?}");
    said.lines().filter(|line| line.starts_with("got ")).map(|line| format!("{line}\n")).collect()
}

#[test]
#[ignore = "it is run by the others, as another user"]
fn the_other_user() {
    let list = |name: &str| std::env::var(name).unwrap_or_default();
    for path in list("ROOMS_PATHS").lines().map(PathBuf::from) {
        let name = path.display();
        if path.is_dir() {
            if fs::read_dir(&path).is_ok() {
                println!("got to list {name}");
            }
            if fs::write(path.join("of-another"), "x").is_ok() {
                println!("got to write into {name}");
            }
        }
        if is_socket(&path) && UnixStream::connect(&path).is_ok() {
            println!("got to connect to {name}");
        }
        if path.is_file() {
            if fs::File::open(&path).and_then(|mut file| file.read(&mut [0])).is_ok() {
                println!("got to read {name}");
            }
            if fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write(b"x")).is_ok() {
                println!("got to change {name}");
            }
        }
    }
    for port in list("ROOMS_PORTS").lines().filter_map(|port| port.parse::<u16>().ok()) {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            println!("got to connect to port {port}");
        }
    }
    println!("tried all");
}

/// The outermost of ours are open to their owner alone.
fn are_locked(paths: &[PathBuf]) {
    for path in paths.iter().filter(|path| !paths.iter().any(|other| path.parent() == Some(other))) {
        let mode = fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has the mode {mode:o}", path.display());
    }
    for path in paths.iter().filter(|path| path.components().any(|part| part.as_os_str() == "data") && is_socket(path))
    {
        let mode = fs::symlink_metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has the mode {mode:o}", path.display());
    }
}

fn nobody_else_gets_in(arguments: &str) {
    let project = watched();
    let run = spawn(&project, arguments);
    let paths = wait(|| Some(rooms(run.id())).filter(|paths| paths.iter().any(|path| is_socket(path))));
    // Meanwhile more of it comes to be.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(700));
        let (paths, ports) = (rooms(run.id()), ports(&family(run.id())));
        assert_eq!(got_by_another(&paths, &ports), "");
        assert_eq!(ports, Vec::<u16>::new(), "there is another way in than the socket");
        are_locked(&paths);
    }
    assert!(!paths.is_empty());
    is_fine(run);
}

#[test]
fn nobody_else_gets_into_an_embedded_database() {
    nobody_else_gets_in("emit --dry-run --scratch embedded");
}

fn has_programs() -> bool {
    match Programs::find(None) {
        Ok(_) => true,
        Err(error) => {
            eprintln!("skipped: {}", error.message);
            false
        }
    }
}

#[test]
fn nobody_else_gets_into_a_local_cluster() {
    if has_programs() {
        nobody_else_gets_in("emit --dry-run --scratch local");
    }
}

/// The server is another's, and so are its locks. Of ours there is nothing beside it.
#[test]
fn nobody_else_gets_at_what_a_proof_on_a_server_needs() {
    if !has_programs() {
        return;
    }
    let local = Local::start(None).unwrap();
    let cluster = Cluster::start(&local, Limits::default()).unwrap();
    let url = cluster.url().replace("5432/postgres", "5432/");
    let project = watched();
    let run = spawn(&project, &format!("emit --dry-run --scratch {url}"));
    let own = rooms(std::process::id());
    assert!(own.iter().any(|path| is_socket(path)));
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(ports(&family(run.id())), Vec::<u16>::new());
        assert_eq!(got_by_another(&rooms(run.id()), &[]), "");
        assert_eq!(got_by_another(&own, &[]), "");
    }
    is_fine(run);
}

/// Whoever may write a migration has what the server has of our environment: `COPY … TO PROGRAM`.
#[test]
fn what_a_run_starts_knows_nothing_of_its_secrets() {
    if !has_programs() {
        return;
    }
    let project = watched();
    let run = spawn(&project, "emit --dry-run --scratch local");
    wait(|| rooms(run.id()).iter().any(|path| is_socket(path)).then_some(()));
    let started: Vec<u32> = family(run.id()).into_iter().skip(1).collect();
    let told = |process: &u32| fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    let told: Vec<String> =
        started.iter().map(|process| String::from_utf8_lossy(&told(process)).into_owned()).collect();
    assert!(told.len() > 2 && told.iter().any(|all| all.contains("PATH=")), "{told:?}");
    assert!(!told.iter().any(|all| all.contains(SECRET)), "{told:?}");
    is_fine(run);
}

/// Where walls can be built there is no network behind them.
#[test]
fn a_local_cluster_has_no_network_where_that_can_be() {
    if !has_programs() {
        return;
    }
    let can = |arguments: &[&str]| Command::new("unshare").args(arguments).status().is_ok_and(|s| s.success());
    if !can(&["--net", "setpriv", "--clear-groups", "true"]) && !can(&["--user", "--map-current-user", "--net", "true"])
    {
        eprintln!("skipped: this machine lets us build no walls (unshare)");
        return;
    }
    let project = watched();
    let run = spawn(&project, "emit --dry-run --scratch local");
    let lock = wait(|| rooms(run.id()).into_iter().find(|path| path.ends_with("1/data/postmaster.pid")));
    let server = wait(|| fs::read_to_string(&lock).ok()?.lines().next()?.parse::<u32>().ok());
    let network = |process: u32| fs::read_link(format!("/proc/{process}/ns/net")).unwrap();
    assert_ne!(network(server), network(run.id()));
    is_fine(run);
}

/// What is copied of a revision for a comparison isn't for others either.
#[test]
fn nobody_else_reads_a_revision_that_is_compared() {
    let project = watched();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(project.path("")).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
        command.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !git(&["init", "-q"]) || !git(&["add", "."]) || !git(&["commit", "-qm", "a"]) {
        eprintln!("skipped: there is no git");
        return;
    }
    let temporary = project.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut command = project.command("diff HEAD:migrations.old migrations.old --scratch embedded");
    let mut run = command.env("TMPDIR", &temporary).stdout(Stdio::null()).spawn().unwrap();
    let mut seen = 0;
    while run.try_wait().unwrap().is_none() {
        for entry in fs::read_dir(&temporary).unwrap().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            assert_eq!(meta.mode() & 0o077, 0, "{} has the mode {:o}", entry.path().display(), meta.mode());
            seen += 1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(seen > 0 && run.wait().unwrap().success());
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "something is left");
}
