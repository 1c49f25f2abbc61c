//! What a plan takes grows with the history, and not with its square: histories of many shapes (`growth/shapes.rs`), each in
//! three sizes of which each is twice the one before.
//!
//! Counted is the time of the processor, not that of the clock, so that a busy machine changes little; a shape that seems to
//! grow too fast is measured again, and the least of each size counts. How long a plan may take at all is said by how long
//! PostgreSQL's parser alone takes for the same texts.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

#[path = "growth/shapes.rs"]
mod shapes;

use shapes::{ALL, Shape, mixed};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// By how much a plan may take longer for a history of twice the size.
const FACTOR: f64 = 2.4;
/// What is added to the time of the smallest history before it is compared: the counters have their own unsharpness.
const UNSHARP: f64 = 0.004;
/// How often a shape is measured that seems to grow too fast.
const TRIES: usize = 4;
/// How many times the time of the parser alone a plan of many migrations may take, in an optimized build, with reading the files and
/// writing the report. Measured were 4.4 and 8.7: files of one statement each cost more than their parsing.
const OF_PARSER: f64 = 12.0;
/// How much memory a plan of many migrations may take.
const MEGABYTES: usize = 500;

/// Whether this was built to be fast: then a loop of ours over bytes takes little longer than the same of the standard library, which
/// is never slow.
fn is_optimized() -> bool {
    let text = std::hint::black_box("x".repeat(1 << 22));
    let own = fastest(|| text.bytes().filter(|b| *b == b'y').count());
    let built_in = fastest(|| usize::from(std::str::from_utf8(text.as_bytes()).is_ok()));
    let ratio = own.as_secs_f64() / built_in.as_secs_f64();
    println!("a loop over bytes takes {ratio:.1} times as long as the standard library's");
    ratio < 30.0
}

fn fastest(work: impl Fn() -> usize) -> Duration {
    let time = || {
        let begun = Instant::now();
        std::hint::black_box(work());
        begun.elapsed()
    };
    (0..5).map(|_| time()).min().unwrap_or_default()
}

/// A folder for a project; in memory, where there is such a place: thousands of files would wear a disk out.
fn room() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("there is room")
}

/// Writes a project with as many migrations, whose set says where each object comes from.
fn write(folder: &Path, count: usize, text: impl Fn(usize, usize) -> String) {
    std::fs::write(folder.join("consolidate.toml"), "[emit]\nannotate = true\n").expect("it can be written");
    let migrations = folder.join("migrations.old");
    std::fs::create_dir(&migrations).expect("it can be made");
    for at in 0..count {
        std::fs::write(migrations.join(format!("{:06}_step.sql", at + 1)), text(at, count)).expect("it can be written");
    }
}

const PLAN: [&str; 3] = ["plan", "--format", "json"];

/// The seconds of a processor that a plan takes.
fn seconds(folder: &Path) -> f64 {
    let output = Command::new("bash")
        .args(["-c", "TIMEFORMAT='%U %S'; time \"$0\" \"$@\"", env!("CARGO_BIN_EXE_consolidate")])
        .args(PLAN)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .env("LC_ALL", "C")
        .output()
        .expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let times = said.lines().last().unwrap_or_default();
    times.split(' ').map(|time| time.parse::<f64>().unwrap_or_else(|_| panic!("no time: {said}"))).sum()
}

/// What the sizes of a shape take, and by which factors that grows.
fn growth(shape: &Shape, first: usize, floor: f64) -> Result<(), String> {
    let folders: Vec<tempfile::TempDir> = (0..3).map(|_| room()).collect();
    for (number, folder) in folders.iter().enumerate() {
        write(folder.path(), first << number, shape.write);
    }
    let mut least = [f64::INFINITY; 3];
    for _ in 0..TRIES {
        for (least, folder) in least.iter_mut().zip(&folders) {
            *least = least.min((seconds(folder.path()) - floor).max(0.0));
        }
        if is_fine(&least) {
            return Ok(());
        }
    }
    let [a, b, c] = least;
    Err(format!("{}: {first} migrations take {a:.3} s, twice as many {b:.3}, four times {c:.3}", shape.name))
}

/// Of both steps together: one alone may fall on the edge of a cache. A square would take sixteen times as long.
fn is_fine(least: &[f64; 3]) -> bool {
    least[2] <= FACTOR * FACTOR * (least[0] + UNSHARP)
}

/// What a plan of next to nothing takes.
fn floor() -> f64 {
    let folder = room();
    write(folder.path(), 1, |_, _| "SELECT 1;\n".into());
    (0..5).map(|_| seconds(folder.path())).fold(f64::INFINITY, f64::min)
}

#[test]
fn a_plan_grows_with_its_history() {
    let first = if is_optimized() { 1_000 } else { 200 };
    let floor = floor();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(shape) = ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.extend(growth(shape, first, floor).err());
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect()
    });
    assert!(wrong.is_empty(), "these grow faster than {FACTOR} times for twice the size:\n{}", wrong.join("\n"));
}

#[test]
fn ten_thousand_migrations_take_little_more_than_their_parsing() {
    if !is_optimized() {
        eprintln!("not measured: this build isn't optimized");
        return;
    }
    const COUNT: usize = 10_000;
    let folder = room();
    write(folder.path(), COUNT, mixed);
    let texts: Vec<String> = (0..COUNT).map(|at| mixed(at, COUNT)).collect();
    let parse = fastest(|| {
        let statements = texts.iter().flat_map(|text| pg_query::split_with_parser(text).unwrap_or_default());
        statements.filter(|statement| pg_query::parse(statement, 0).is_ok()).count()
    });
    let plan = (0..3).map(|_| seconds(folder.path())).fold(f64::INFINITY, f64::min);
    let parse = parse.as_secs_f64();
    println!("{COUNT} migrations: the parser alone {parse:.2} s, the plan {plan:.2} s of a processor");
    assert!(plan <= OF_PARSER * parse, "a plan takes {plan:.2} s, the parser alone {parse:.2} s");
}

#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_migrations_fit_into_half_a_gigabyte() {
    let folder = room();
    write(folder.path(), 10_000, mixed);
    let mut child = Command::new(env!("CARGO_BIN_EXE_consolidate"))
        .args(PLAN)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().expect("it is a child") {
            break ended;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        most = most.max(peak.and_then(|kilobytes| kilobytes.trim().parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(ended.success() && most > 0, "{ended}");
    assert!(most / 1024 <= MEGABYTES, "{} MB", most / 1024);
}
