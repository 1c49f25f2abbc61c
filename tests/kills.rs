//! A kill at any call by which the writers change the disk leaves the old or the new folder whole, and the next command heals
//! what is left. The calls are counted, and the kill is done, by a small library in C that the test compiles and loads before
//! the program's own libraries; where there is no C compiler, or the system isn't Linux, it says that it skips this.

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

use cli_support::{Project, Tree};
use consolidate::history;
use consolidate::store::manifest::Origin;
use consolidate::store::swap::{Way, heal};
use consolidate::store::{WholeFile, aside, write};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Counts calls that change something below a folder (or read there, since between two calls nothing changes), and kills the
/// process before the one that is asked for.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/stat.h>
#include <unistd.h>

static long count, last = -2;
static const char *under;

static void step(void) {
    if (last == -2) { const char *n = getenv("KILL_AT"); last = n ? atol(n) : -1; }
    if (__sync_add_and_fetch(&count, 1) == last) kill(getpid(), SIGKILL);
}

static int below(const char *path) {
    if (!under) under = getenv("KILL_UNDER");
    if (!under || !path) return 0;
    return path[0] != '/' ? 1 : strncmp(path, under, strlen(under)) == 0;
}

static int held(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return path[0] == '/' && below(path);
}

static int at(int fd, const char *path) { return path[0] == '/' || fd == AT_FDCWD ? below(path) : held(fd); }

__attribute__((destructor)) static void end(void) {
    const char *file = getenv("KILL_COUNT");
    if (!file || !count) return;
    FILE *out = fopen(file, "w");
    if (out) { fprintf(out, "%ld", count); fclose(out); }
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, #name)

int rename(const char *a, const char *b) { REAL(int, rename, const char *, const char *); if (below(a)) step(); return real(a, b); }
int unlink(const char *a) { REAL(int, unlink, const char *); if (below(a)) step(); return real(a); }
int rmdir(const char *a) { REAL(int, rmdir, const char *); if (below(a)) step(); return real(a); }
int mkdir(const char *a, mode_t m) { REAL(int, mkdir, const char *, mode_t); if (below(a)) step(); return real(a, m); }
int chmod(const char *a, mode_t m) { REAL(int, chmod, const char *, mode_t); if (below(a)) step(); return real(a, m); }
int symlink(const char *a, const char *b) { REAL(int, symlink, const char *, const char *); if (below(b)) step(); return real(a, b); }
int unlinkat(int d, const char *a, int f) { REAL(int, unlinkat, int, const char *, int); if (at(d, a)) step(); return real(d, a, f); }
int fchmod(int d, mode_t m) { REAL(int, fchmod, int, mode_t); if (held(d)) step(); return real(d, m); }
int fsync(int d) { REAL(int, fsync, int); if (held(d)) step(); return real(d); }
int fdatasync(int d) { REAL(int, fdatasync, int); if (held(d)) step(); return real(d); }
ssize_t write(int d, const void *b, size_t n) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (held(d)) {
        step();
        /* A kill within a write: half of it is there. */
        if (n > 1 && count + 1 == last) n /= 2;
    }
    return real(d, b, n);
}
ssize_t copy_file_range(int a, off64_t *x, int b, off64_t *y, size_t n, unsigned f) {
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
    if (held(b)) step();
    return real(a, x, b, y, n, f);
}
#define OPEN(name) \
int name(const char *a, int f, ...) { \
    mode_t m = 0; \
    if (f & (O_CREAT | O_TMPFILE)) { va_list l; va_start(l, f); m = va_arg(l, mode_t); va_end(l); } \
    REAL(int, name, const char *, int, ...); \
    if (below(a)) step(); \
    return real(a, f, m); \
}
OPEN(open)
OPEN(open64)
"#;

/// The compiled library; none where it can't be made.
fn shim(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
    fs::write(&source, SHIM).expect("a file");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .args([&library, &source])
        .args(["-ldl"])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no C compiler to make the library that kills");
        return None;
    }
    Some(library)
}

/// What is done, and what the project is then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// A set takes the place of another.
    Replace,
    /// The same where folders can't be exchanged.
    ReplaceInSteps,
    /// A set where there was none.
    First,
    /// A set takes the place of its history.
    InPlace,
    /// The same where folders can't be exchanged.
    InPlaceInSteps,
    /// A history takes its place back.
    Restore,
    /// What a killed in-place left between its renames is finished, and that is killed again.
    Finish,
    /// What a killed in-place left before its first rename is taken back, and that is killed again.
    TakeBack,
}

const ALL: &[Work] = &[
    Work::Replace,
    Work::ReplaceInSteps,
    Work::First,
    Work::InPlace,
    Work::InPlaceInSteps,
    Work::Restore,
    Work::Finish,
    Work::TakeBack,
];

const HISTORY: &[(&str, &str)] = &[
    ("1_shops.sql", "CREATE TABLE shop (id int PRIMARY KEY);\nCREATE TABLE draft (id int);\n"),
    ("2_items.sql", "CREATE TABLE item (id int);\n"),
    ("3_gone.sql", "DROP TABLE draft;\n"),
];

fn set(word: &str) -> Vec<WholeFile> {
    let file = |(path, text): (&str, String)| WholeFile { path: path.into(), bytes: text.into_bytes(), is_new: true };
    let text = |name: &str| format!("-- {word}\nCREATE TABLE {name} (id int PRIMARY KEY);\n");
    [("1_shops.sql", text("shop")), ("2_items.sql", text("item"))].map(file).to_vec()
}

/// Does it, in this process; the folder of the project is the current one.
fn work(what: Work) {
    let folder = Path::new("migrations");
    let written = |word: &str| write::write_files(folder, &set(word), Origin::default(), true).map(drop);
    let in_place = |way: Way| {
        let history = history::read(folder).map_err(|mut errors| errors.remove(0))?;
        let origin = Origin { history: "0", layout: history.layout.name() };
        aside::in_place_by(folder, Path::new("migrations.old"), &set("new"), &history, origin, way).map(drop)
    };
    let done = match what {
        Work::Replace | Work::First => written("new"),
        Work::ReplaceInSteps => {
            write::write_watched(folder, &set("new"), Origin::default(), true, Way::TwoSteps, &|_| ()).map(drop)
        }
        Work::InPlace => in_place(Way::Best),
        Work::InPlaceInSteps => in_place(Way::TwoSteps),
        Work::Restore => aside::restore(folder, false).map(drop),
        Work::Finish | Work::TakeBack => heal(folder).map(drop).map_err(|e| consolidate::Error::new(e.to_string())),
    };
    done.expect("it works unless it is killed");
}

/// A project in which the work can be done.
fn ready(what: Work) -> Project {
    let project = Project::empty();
    if what != Work::First {
        HISTORY.iter().for_each(|(name, text)| project.write(&format!("migrations/{name}"), text));
        project.write("migrations/notes/README.md", "# About\n");
        project.write("migrations/.gitattributes", "*.sql text\n");
        std::os::unix::fs::symlink("notes/README.md", project.path("migrations/README.md")).expect("a link");
    }
    project
}

/// Runs this very test program once more, to do one work alone; `kill` is the call before which it dies, and the shim.
fn run(project: &Project, what: Work, kill: Option<(usize, &Path)>, count: Option<&Path>) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("a program"));
    child.args(["--exact", "the_work_itself", "--nocapture"]).current_dir(project.path(""));
    child.env("KILLS_WORK", format!("{what:?}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((at, library)) = kill {
        let real = fs::canonicalize(project.path("")).expect("a folder");
        child.env("LD_PRELOAD", library).env("KILL_AT", at.to_string()).env("KILL_UNDER", real);
    }
    if let Some(count) = count {
        child.env("KILL_COUNT", count);
    }
    child.status().expect("it starts").success()
}

/// Not a test of its own: what the others run in a process that may be killed.
#[test]
fn the_work_itself() {
    let Ok(wanted) = std::env::var("KILLS_WORK") else { return };
    let what = ALL.iter().find(|work| format!("{work:?}") == wanted).expect("a known work");
    work(*what);
}

/// Everything of a project but what hides a run's own folders.
fn tree(project: &Project) -> Tree {
    project.tree("")
}

/// A project as it is right before the work.
fn prepared(what: Work, shim: &Path) -> Project {
    let project = ready(what);
    match what {
        Work::Restore => assert!(run(&project, Work::InPlace, None, None)),
        Work::Finish => assert!(!run(&project, Work::InPlaceInSteps, Some((gaps(shim).1, shim)), None)),
        Work::TakeBack => assert!(!run(&project, Work::InPlaceInSteps, Some((gaps(shim).0, shim)), None)),
        _ => {}
    }
    project
}

/// The first call before which the whole set waits for its place, and that before which nothing stands there.
fn gaps(shim: &Path) -> (usize, usize) {
    static FOUND: OnceLock<(usize, usize)> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let mut waits = None;
        for at in 1.. {
            let project = ready(Work::Finish);
            assert!(!run(&project, Work::InPlaceInSteps, Some((at, shim)), None), "no call lies between the renames");
            let names = tree(&project).into_keys();
            if waits.is_none() && names.into_iter().any(|name| name.to_string_lossy().starts_with(".consolidate-set-"))
            {
                waits = Some(at);
            }
            if let (Some(waits), false) = (waits, project.path("migrations").exists()) {
                return (waits, at);
            }
        }
        unreachable!("the calls of a work have an end");
    })
}

#[test]
fn a_kill_at_any_call_of_the_writers_leaves_old_or_new_and_is_healed() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(shim) = shim(folder.path()) else { return };
    let mut kills = 0;
    for what in ALL {
        let count = folder.path().join("count");
        let project = prepared(*what, &shim);
        let old = tree(&project);
        assert!(run(&project, *what, Some((0, &shim)), Some(&count)), "{what:?} works");
        let new = tree(&project);
        let calls: usize = fs::read_to_string(&count).expect("a count").parse().expect("a number");
        let least = if matches!(what, Work::Finish | Work::TakeBack) { 2 } else { 8 };
        assert!(calls >= least, "{what:?}: only {calls} calls were seen");
        assert!(old != new, "{what:?} changes nothing");
        for at in 1..=calls {
            let project = prepared(*what, &shim);
            assert!(!run(&project, *what, Some((at, &shim)), None), "{what:?}: not killed before call {at}");
            kills += 1;
            // The next command of any kind; where nothing is to be planned, it says so.
            let next = project.run("plan");
            let left = tree(&project);
            let is_old = left == old && !matches!(what, Work::Finish | Work::TakeBack);
            assert!(is_old || left == new, "{what:?}, killed before call {at}: {:?}\n{}", left.keys(), next.err);
        }
        println!("{what:?}: {calls} calls");
    }
    println!("{kills} kills");
    assert!(kills >= 200, "only {kills} kills");
}

#[test]
fn the_program_itself_is_healed_by_restore_and_by_emit() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(shim) = shim(folder.path()) else { return };
    // Where it was killed between two renames, `restore` gives the history back, and so it does after it was killed itself.
    let project = prepared(Work::Finish, &shim);
    let said = project.fine("restore");
    assert!(said.err.contains("that is finished now"), "{}", said.err);
    let history = ready(Work::Finish);
    assert!(tree(&project) == tree(&history));
    for at in 1..40 {
        let project = ready(Work::InPlace);
        assert!(run(&project, Work::InPlace, None, None));
        let real = fs::canonicalize(project.path("")).expect("a folder");
        let mut command = project.command("restore");
        command.env("LD_PRELOAD", &shim).env("KILL_AT", at.to_string()).env("KILL_UNDER", real);
        let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
        let again = project.run("restore");
        assert!(again.code == 0 || again.err.contains("holds no set"), "call {at}: {again:?}");
        assert!(tree(&project) == tree(&history), "call {at}: {:?}", tree(&project).keys());
        if ended.success() {
            return;
        }
    }
    panic!("restore never came to its end");
}
