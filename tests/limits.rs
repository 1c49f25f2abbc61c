//! What takes too long or gives too much ends with the statement's place, the limit, and how to raise it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod cli_support;

use cli_support::{Project, Ran, ran};
use consolidate::scratch::local::{Cluster, Local};
use consolidate::scratch::{Limits, Scratch};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn history(last: &str) -> Project {
    Project::history(&[("1_a.sql", &format!("CREATE TABLE a (id int, t text);\n{last}\n"))])
}

/// The local programs may be used, too: a limit that is reached is no reason to try them.
fn run(project: &Project, arguments: &str) -> Ran {
    ran(project.command(arguments).env_remove("CONSOLIDATE_PG_BIN"))
}

#[track_caller]
fn is_refused(ran: &Ran, message: &str, hint: &str) {
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:#?}");
    assert!(ran.err.starts_with(&format!("error: {message}\nhint: the limit is {hint}")), "{}", ran.err);
    assert!(ran.err.contains("none "), "it says how to lift the limit: {}", ran.err);
}

#[test]
fn a_statement_has_a_minute_by_default() {
    let begun = Instant::now();
    let ran = run(&history("SELECT pg_sleep(1e9);"), "emit");
    let (flag, setting) = ("--statement-timeout", "[scratch] statement_timeout: ");
    is_refused(
        &ran,
        "migrations.old/1_a.sql:2: the statement took longer than 1 min",
        &format!("{flag}, or {setting}"),
    );
    assert!(begun.elapsed() >= Duration::from_secs(60));
}

#[test]
fn an_endless_loop_ends() {
    let project = history("DO $$ BEGIN LOOP END LOOP; END $$;");
    let said = "migrations.old/1_a.sql:2: the statement took longer than 1 s";
    is_refused(&run(&project, "emit --statement-timeout 1s"), said, "--statement-timeout");
    project.write("consolidate.toml", "[scratch]\nstatement_timeout = \"none\"\ntimeout = \"3s\"\n");
    let ran = run(&project, "emit");
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert!(ran.err.contains("the time limit of 3 s is used up\nhint: the limit is --timeout, or [scratch] timeout: "));
}

#[test]
fn a_limit_that_is_lifted_is_none() {
    let project = history("SELECT pg_sleep(1);\nINSERT INTO a SELECT 1, repeat('x', 3000000);");
    let none = "--statement-timeout none --timeout none --result-size none";
    let ran = run(&project, &format!("emit --dry-run {none}"));
    assert_eq!(ran.code, 0, "{ran:#?}");
    for (flag, message) in [("--timeout 0", "is no length of time"), ("--result-size 3", "is no size")] {
        let ran = run(&project, &format!("emit {flag}"));
        assert!(ran.code == 2 && ran.err.contains(message) && ran.err.contains("or none"), "{ran:#?}");
    }
}

#[test]
fn a_statement_that_gives_too_much_is_named() {
    let said = "migrations.old/1_a.sql:2: the statement gives more than 2 MB";
    for statement in ["SELECT repeat('x', 3000000);", "SELECT repeat('x', 3000) FROM generate_series(1, 1000);"] {
        let ran = run(&history(statement), "emit --result-size 2MB");
        is_refused(&ran, said, "--result-size, or [scratch] result_size: ");
    }
}

#[test]
fn a_table_that_holds_too_much_is_named() {
    for (scratch, sql) in [
        ("embedded", "INSERT INTO a SELECT 1, repeat('x', 3000000);"),
        ("local", "INSERT INTO a SELECT 1, repeat('x', 3000000);"),
        // These are read by a query.
        ("embedded", "DROP TABLE a; CREATE MATERIALIZED VIEW a AS SELECT repeat('x', 3000000) AS t;"),
    ] {
        if scratch == "local" && start().is_none() {
            continue;
        }
        let ran = run(&history(sql), &format!("emit --result-size 2MB --scratch {scratch}"));
        let said = "reading the rows of public.a gives more than 2 MB";
        is_refused(&ran, said, "--result-size, or [scratch] result_size: ");
    }
}

/// Something takes connections there, and never says a word.
#[test]
fn a_database_that_does_not_answer_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://me@127.0.0.1:{}/d", silent.local_addr().unwrap().port());
    let project = history("");
    let begun = Instant::now();
    let ran = run(&project, &format!("diff {url} migrations.old"));
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:#?}");
    if ran.err.contains("there is no pg_dump") {
        eprintln!("skipped: {}", ran.err);
        return;
    }
    assert!(ran.err.starts_with(&format!("error: {url}: it doesn't answer for 10 s\nhint: ")), "{}", ran.err);
    // Once, and not once more on another scratch database.
    assert!(begun.elapsed() < Duration::from_secs(19), "{:?}", begun.elapsed());
}

fn start() -> Option<Cluster> {
    let local = Local::start(None).map_err(|error| eprintln!("skipped: {error}")).ok()?;
    if !local.programs.folder.join("psql").is_file() {
        eprintln!("skipped: {} has no psql", local.programs);
        return None;
    }
    Some(Cluster::start(&local, Limits::default()).unwrap())
}

fn psql(url: &str, sql: &str) -> Command {
    let local = consolidate::scratch::programs::Programs::find(None).unwrap();
    let mut command = local.command("psql");
    command.args(["-qXAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
    command
}

/// Holds a lock until it is killed.
fn locked(url: &str, what: &str) -> Child {
    let sql = format!("BEGIN; LOCK TABLE {what} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(300)");
    let holder = psql(url, &sql).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let ask = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation >= 16384";
    while ran(&mut psql(url, ask)).out.trim() == "0" {
        assert!(begun.elapsed() < Duration::from_secs(30), "the lock isn't taken");
        std::thread::sleep(Duration::from_millis(50));
    }
    holder
}

#[test]
fn a_database_that_is_locked_is_given_up() {
    let Some(cluster) = start() else { return };
    let url = cluster.url();
    assert!(psql(&url, "CREATE TABLE a (id int, t text); INSERT INTO a VALUES (1)").status().unwrap().success());
    let mut holder = locked(&url, "a");
    let project = history("");
    let begun = Instant::now();
    // Once we wait, once pg_dump does.
    for more in ["", "--ignore rows"] {
        let ran = run(&project, &format!("diff {url} migrations.old --statement-timeout 2s {more}"));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:#?}");
        assert!(ran.err.contains(" took longer than 2 s\nhint: the limit is --statement-timeout"), "{}", ran.err);
    }
    assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());
    // All of the time is used up, wherever it waits.
    let ran = run(&project, &format!("diff {url} migrations.old --ignore rows --statement-timeout none --timeout 4s"));
    assert!(ran.code == 2 && ran.err.contains("the time limit of 4 s is used up"), "{ran:#?}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    // What we gave up holds nothing up.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query NOT LIKE '%pg_stat%'";
    let since = Instant::now();
    while cli_support::ran(&mut psql(&url, waiting)).out.trim() != "0" {
        assert!(since.elapsed() < Duration::from_secs(20), "something of ours still waits");
        std::thread::sleep(Duration::from_millis(100));
    }
}
