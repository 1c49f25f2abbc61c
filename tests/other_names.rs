//! What a server is by itself gets into no set: traps on a server whose superuser is called otherwise than any other one, and
//! what the judge sees of it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod trap_support;

use consolidate::as_replayed::replay_files;
use consolidate::config::Config;
use consolidate::emit::{prove, set_files};
use consolidate::history;
use consolidate::proof::{Database, Limits, ReplayFile, ReplayStatement, Settings, Silent, VerdictKind, verify};
use consolidate::replay::replay;
use consolidate::scratch::Scratch;
use consolidate::scratch::local::{Cluster, Local};
use consolidate::scratch::server::Address;
use std::path::Path;
use trap_support::{of_each, traps};

/// Traps of which something is written as PostgreSQL states it, or whose rows are.
const OF_NAMES: &[&str] = &[
    "default-privileges",
    "default-privileges-then-a-table",
    "do-dynamic",
    "grant-on-all",
    "helper-function",
    "owner",
    "policies",
    "revoke",
    "roles",
    "server-named-in-a-view",
    "server-named-in-rows",
    "server-named-in-texts",
    "volatile-seeds",
];

/// A cluster with a superuser of another name, and its address.
fn server() -> Option<(Cluster, String)> {
    let local = Local::start(None).map_err(|error| eprintln!("skipped: {error}")).ok()?;
    let psql = local.programs.folder.join("psql");
    if !psql.is_file() {
        eprintln!("skipped: {} has no psql", local.programs);
        return None;
    }
    let cluster = Cluster::start(&local, Limits::default()).unwrap();
    let url = cluster.url();
    let folder = url.split("host=").nth(1).unwrap().split('&').next().unwrap();
    std::fs::write(Path::new(folder).join("data/pg_hba.conf"), "local all all trust\n").unwrap();
    let run =
        |sql: &str, url: &str| local.programs.command("psql").args(["-qXc", sql, url]).status().unwrap().success();
    assert!(run("CREATE ROLE h6_super SUPERUSER LOGIN", &url) && run("SELECT pg_reload_conf()", &url));
    let other = url.replacen("postgres@", "h6_super@", 1);
    let lets_in = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        run("SELECT 1", &other)
    });
    assert!(lets_in, "the server doesn't read its new rules");
    Some((cluster, other))
}

#[test]
fn the_superuser_of_a_server_is_in_no_set() {
    let Some((_cluster, url)) = server() else { return };
    let database = Database::server(Address::read(&url).unwrap(), None, Limits::default()).unwrap();
    let settings = Settings { one_session: true, database, ..Settings::default() };
    let mut wanted = traps();
    wanted.retain(|trap| OF_NAMES.iter().any(|name| trap.ends_with(name)));
    let looked = of_each(&wanted, |_, trap| -> Result<(), String> {
        let history = history::read(&trap.join("migrations")).map_err(|e| format!("{e:?}"))?;
        let model = replay(&history);
        let proven = prove(&history, &model, &Config::default(), &settings, &Silent).map_err(|e| format!("{e:?}"))?;
        let texts: String = proven.set.files.iter().map(|file| file.text.as_str()).collect();
        let other = verify(&replay_files(&history), &set_files(&proven.set), &Settings::default(), &Silent);
        match other {
            _ if texts.contains("h6_super") => Err(format!("its name is in the set:\n{texts}")),
            Ok(verdict) if verdict.kind == VerdictKind::Identical => Ok(()),
            other => Err(format!("not the same on the embedded one: {other:?}\n{texts}")),
        }
    });
    let failures: Vec<String> =
        looked.into_iter().filter_map(|(n, seen)| Some(format!("{n}: {}", seen.err()?))).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn set(text: &str) -> Vec<ReplayFile> {
    let statement = ReplayStatement { line: 1, text: text.into(), copy_data: None };
    vec![ReplayFile { name: "1.sql".into(), statements: vec![statement], ..ReplayFile::default() }]
}

fn databases() -> Vec<Database> {
    let local = Database::local(None).map_err(|error| eprintln!("skipped: {error}")).ok();
    [Database::Embedded].into_iter().chain(local).collect()
}

#[test]
fn what_only_this_server_is_is_no_constant() {
    for database in databases() {
        let settings = Settings { database, ..Settings::default() };
        let home = if settings.database.name() == "embedded" { "template1" } else { "postgres" };
        for (asked, constant) in [
            ("current_user::text", "'postgres'"),
            ("current_database()::text", &format!("'{home}'") as &str),
            ("'owner: ' || session_user", "'owner: postgres'"),
        ] {
            for shape in [
                "CREATE TABLE t AS SELECT {} AS x",
                "DO $x$ BEGIN EXECUTE format('CREATE VIEW v AS SELECT %L::text AS x', {}); END $x$",
            ] {
                let of = |value: &str| set(&shape.replace("{}", value));
                let kind = |old: &str, new: &str| verify(&of(old), &of(new), &settings, &Silent).unwrap().kind;
                let name = settings.database.name();
                assert_eq!(kind(asked, asked), VerdictKind::Identical, "{name}: {asked}: {shape}");
                assert_eq!(kind(asked, constant), VerdictKind::Different, "{name}: {asked}: {shape}");
                assert_eq!(kind(constant, constant), VerdictKind::Identical, "{name}: {constant}: {shape}");
            }
        }
    }
}

#[test]
fn numbers_and_zones_of_a_server_are_no_constants() {
    for database in databases() {
        let settings = Settings { database, ..Settings::default() };
        let of = |value: &str| set(&format!("CREATE TABLE t AS SELECT {value} AS x"));
        for asked in ["pg_backend_pid()", "version()", "'t'::regclass::oid", "current_setting('TimeZone')"] {
            let sql = format!("CREATE TABLE t (x text); INSERT INTO t VALUES ({asked})");
            let verdict = verify(&set(&sql), &set(&sql), &settings, &Silent).unwrap();
            let seen = (verdict.kind, verdict.comparison.volatile_cells);
            assert_eq!(seen, (VerdictKind::Identical, 1), "{}: {asked}", settings.database.name());
        }
        let verdict = verify(&of("'x'::text"), &of("'x'::text"), &settings, &Silent).unwrap();
        assert_eq!((verdict.kind, verdict.comparison.volatile_cells), (VerdictKind::Identical, 0));
    }
}
