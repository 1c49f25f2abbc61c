//! Proofs on the PostgreSQL programs of this machine. A machine that has none skips what needs them, and says so.

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
use consolidate::scratch::programs::Programs;
use consolidate::scratch::room;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The programs of this machine. They may come without the extensions that PostgreSQL brings along.
fn programs() -> Option<Programs> {
    match Programs::find(None) {
        Ok(programs) => Some(programs),
        Err(error) => {
            eprintln!("skipped: {}", error.message);
            None
        }
    }
}

/// The program where it may use what is on this machine.
fn command(project: &Project, arguments: &str) -> Command {
    let mut command = project.command(arguments);
    command.env_remove("CONSOLIDATE_PG_BIN");
    command
}

fn run(project: &Project, arguments: &str) -> Ran {
    ran(&mut command(project, arguments))
}

/// Whose PostgreSQL a run says that it used.
fn scratch(ran: &Ran) -> String {
    let value: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
    value["scratch"].as_str().unwrap_or_default().to_string()
}

/// A history that needs an extension which the embedded PostgreSQL lacks.
fn foreign() -> Project {
    Project::history(&[
        ("1_shops.sql", "CREATE TABLE shop (id int);\nCREATE TABLE draft (id int);\n"),
        (
            "2_far.sql",
            "-- Where the others are\nCREATE EXTENSION postgres_fdw;\nCREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;\n\
             CREATE FOREIGN TABLE item (id int) SERVER far OPTIONS (table_name 'items');\nDROP TABLE draft;\n",
        ),
    ])
}

#[test]
fn the_extension_that_is_named_is_the_one_that_is_missing() {
    let Some(_) = programs() else { return };
    // A stand-in for the first one comes with the program; this machine has neither.
    let project = Project::history(&[(
        "1_all.sql",
        "CREATE EXTENSION http;\nCREATE EXTENSION pg_tle;\nCREATE TABLE t (id int);\n",
    )]);
    let ran = run(&project, "emit");
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert!(ran.err.contains("1_all.sql:2: the scratch database has no extension pg_tle"), "{}", ran.err);
    assert!(
        ran.err.contains("was tried before: 1_all.sql:1: the scratch database has no extension http"),
        "{}",
        ran.err
    );
}

/// A history with a handler that must catch an error and do something about it.
fn catching() -> Project {
    Project::history(&[(
        "1_log.sql",
        "CREATE TABLE t (id int PRIMARY KEY);\nINSERT INTO t VALUES (1);\n\
         DO $$ BEGIN INSERT INTO t VALUES (1); EXCEPTION WHEN unique_violation THEN INSERT INTO t VALUES (2); END $$;\n",
    )])
}

#[test]
fn an_extension_that_the_embedded_one_lacks_is_taken_from_this_machine() {
    let Some(programs) = programs() else { return };
    let project = foreign();
    let local = run(&project, "emit --scratch local --dry-run --format json");
    if local.err.contains("has no extension") {
        eprintln!("skipped: {programs} has no postgres_fdw");
        return;
    }
    assert_eq!((local.code, scratch(&local).as_str()), (0, "local"), "{local:#?}");
    assert_eq!(local.err, "", "what was asked for needs no note");
    let auto = run(&project, "emit --format json");
    assert_eq!((auto.code, scratch(&auto).as_str()), (0, "local"), "{auto:#?}");
    let note = format!("note: 2_far.sql:2: no extension postgres_fdw (embedded PostgreSQL); this ran on {programs}\n");
    assert_eq!(auto.err, note);
    let verify = run(&project, "verify");
    assert_eq!((verify.code, verify.err.as_str()), (0, note.as_str()), "{verify:#?}");
    assert!(verify.out.contains(&format!("PostgreSQL {} of this machine", programs.version)), "{}", verify.out);
    project.write("migrations/2_far.sql", "CREATE TABLE draft (id int);\n");
    assert_eq!(run(&project, "verify").code, 1);
}

#[test]
fn a_block_that_catches_errors_runs_on_this_machine() {
    let Some(programs) = programs() else { return };
    let project = catching();
    let auto = run(&project, "emit --format json");
    assert_eq!((auto.code, scratch(&auto).as_str()), (0, "local"), "{auto:#?}");
    assert!(auto.err.starts_with("note: 1_log.sql:3: duplicate key value"), "{}", auto.err);
    assert!(auto.err.contains(&programs.to_string()) && auto.err.lines().count() == 1, "{}", auto.err);
    assert_eq!(run(&project, "verify --scratch local").code, 0);
    let embedded = run(&project, "verify --scratch embedded");
    assert_eq!(embedded.code, 2, "{embedded:#?}");
    assert!(embedded.err.contains("can't catch errors inside a block"), "{}", embedded.err);
}

#[test]
fn what_the_embedded_one_can_do_it_does() {
    let project = Project::small();
    let auto = run(&project, "emit --dry-run --format json");
    assert_eq!((scratch(&auto).as_str(), auto.err.as_str()), ("embedded", ""));
    project.write("consolidate.toml", "[scratch]\ndatabase = \"local\"\n");
    if programs().is_some() {
        assert_eq!(scratch(&run(&project, "emit --dry-run --format json")), "local");
    }
    assert_eq!(scratch(&run(&project, "emit --dry-run --format json --scratch embedded")), "embedded");
}

#[test]
fn a_mistake_of_the_history_is_one_on_every_postgresql() {
    let project = Project::history(&[("1_a.sql", "CREATE TABLE a (id int);\nGRANT SELECT ON a TO clerk;\n")]);
    let auto = run(&project, "emit");
    assert_eq!((auto.code, auto.out.as_str()), (2, ""), "{auto:#?}");
    assert!(
        auto.err.starts_with("error: migrations.old/1_a.sql:2: role \"clerk\" does not exist\nhint: "),
        "{}",
        auto.err
    );
}

/// Before 17, PostgreSQL looks for what the function of an index calls in the search_path of whoever asks. Rows are read, and a
/// dump is loaded, all the same.
#[test]
fn rows_are_read_where_an_index_calls_functions_by_their_names_alone() {
    let Some(programs) = programs() else { return };
    if programs.version.split('.').next().and_then(|major| major.parse().ok()).is_none_or(|major: u32| major >= 17) {
        eprintln!("skipped: {programs} has a search_path of its own for that");
        return;
    }
    let functions = "CREATE FUNCTION app.low(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(t) $$;\n\
         CREATE FUNCTION app.key_of(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT low(t) $$;\n";
    let table = "CREATE TABLE app.x (id int PRIMARY KEY, name text, g text GENERATED ALWAYS AS (upper(name)) STORED);\n\
         CREATE MATERIALIZED VIEW app.m AS SELECT id, name FROM app.x WITH NO DATA;\n";
    let indexes = "CREATE INDEX x_key ON app.x (app.key_of(name));\nCREATE INDEX m_key ON app.m (app.key_of(name));\n";
    let rows = "INSERT INTO app.x VALUES (1, E'a\\tb\\\\c\\nd'), (2, NULL), (3, '');\n";
    let dead = "CREATE TABLE dead ();\nDROP TABLE dead;\n";
    let sql = format!("CREATE SCHEMA app;\nSET search_path = app;\n{functions}{table}{rows}{indexes}");
    let history = format!("{sql}REFRESH MATERIALIZED VIEW app.m;\n{dead}");
    let project = Project::history(&[("1.sql", &history)]);
    let emit = run(&project, "emit --scratch local --dry-run --format json");
    assert_eq!(emit.code, 0, "{emit:#?}");
    project.write("migrations/1.sql", history.replace("(3, '')", "(3, 'x')"));
    let verify = run(&project, "verify --scratch local");
    assert!(
        verify.code == 1 && verify.out.contains("rows of app.m") && verify.out.contains("rows of app.x"),
        "{verify:#?}"
    );
    let head = "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE SCHEMA app;\n";
    let dump = |row: &str| format!("{head}{functions}{table}INSERT INTO app.x VALUES ({row});\n{indexes}");
    project.write("one.sql", dump("1, 'A'"));
    project.write("other.sql", dump("2, 'A'"));
    let diff = run(&project, "diff one.sql other.sql --scratch local");
    assert!(diff.code == 1 && diff.out.contains("1 difference"), "{diff:#?}");
}

#[test]
fn without_programs_the_message_says_what_is_wanted() {
    let empty = tempfile::tempdir().expect("a folder");
    let folder = empty.path().display().to_string();
    let project = foreign();
    let refused = |arguments: &str, texts: &[&str]| {
        let ran = ran(command(&project, arguments).env("CONSOLIDATE_PG_BIN", empty.path()));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:#?}");
        texts.iter().for_each(|text| assert!(ran.err.contains(text), "no {text:?} in: {}", ran.err));
    };
    let none = format!("there are no PostgreSQL programs in {folder}");
    refused(
        "emit --scratch local",
        &[&format!("error: {none}\nhint: "), "initdb, postgres, pg_dump", "CONSOLIDATE_PG_BIN"],
    );
    let missing = "error: migrations.old/2_far.sql:2: the scratch database has no extension postgres_fdw\nhint: ";
    refused("emit", &[&format!("note: no other PostgreSQL was tried: {none}\n"), missing, "--scratch", "prelude"]);
    refused("emit --scratch embedded", &[missing]);
    // The setting stands for the variable, if it is trusted.
    project.write("consolidate.toml", format!("[scratch]\ndatabase = \"local\"\nprograms = {folder:?}\n"));
    let set = run(&project, "emit --trusted programs");
    assert!(set.code == 2 && set.err.contains(&none), "{set:#?}");
}

/// The folder of a run that is under way, and the server in it, as soon as there is one.
fn server_of(child: &Child) -> Option<(PathBuf, u32)> {
    let prefix = format!("consolidate-pg-{}-", child.id());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        for base in room::ever().into_iter().chain([PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]) {
            for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
                if !entry.file_name().to_string_lossy().starts_with(&prefix) {
                    continue;
                }
                let lock = std::fs::read_to_string(entry.path().join("1/data/postmaster.pid")).unwrap_or_default();
                if let (Some(Ok(process)), true) = (lock.lines().next().map(str::parse), lock.contains("ready")) {
                    return Some((entry.path(), process));
                }
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// Whether a process runs. One that has ended and that nobody waited for doesn't.
fn runs(process: u32) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &process.to_string()]).output().expect("ps starts");
    let state = String::from_utf8_lossy(&state.stdout).trim().to_string();
    !state.is_empty() && !state.starts_with('Z')
}

#[test]
fn nothing_is_left_behind_by_a_run_that_is_killed() {
    if programs().is_none() {
        return;
    }
    let project = Project::history(&[("1_a.sql", "CREATE TABLE a (id int);\nSELECT pg_sleep(100);\n")]);
    for signal in ["TERM", "INT", "KILL"].into_iter().filter(|signal| cli_support::heeds(signal)) {
        let mut run = command(&project, "emit --scratch local");
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        let (folder, server) = server_of(&child).expect("a server starts");
        assert!(runs(server));
        let killed = Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        assert!(!child.wait().expect("it ends").success());
        let begun = Instant::now();
        while (runs(server) || folder.exists()) && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!runs(server), "{signal}: the server still runs");
        assert!(!folder.exists(), "{signal}: {} is still there", folder.display());
    }
}

#[test]
fn nothing_is_left_behind_by_a_run_that_ends() {
    if programs().is_none() {
        return;
    }
    let project = Project::small();
    let child = command(&project, "emit --scratch local").stdout(Stdio::null()).spawn().expect("the program starts");
    let prefix = format!("consolidate-pg-{}-", child.id());
    assert!(child.wait_with_output().expect("it ends").status.success());
    let left = |base: &Path| {
        let mut names = std::fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().starts_with(&prefix))
    };
    assert!(room::ever().iter().all(|place| !left(place)) && !left(Path::new("/tmp")) && !left(Path::new("/var/tmp")));
}

/// What nobody could read beforehand runs on this machine without the powers that lead out of the cluster.
#[test]
fn what_cannot_be_read_runs_without_powers() {
    let Some(_) = programs() else { return };
    let table = "CREATE TABLE a (id int, who text);\nCREATE TABLE gone (id int);\n";
    let quiet = "DO $$ DECLARE t text; BEGIN\nIF current_setting('is_superuser') = 'on' THEN RAISE 'a superuser'; END IF;\n\
        FOREACH t IN ARRAY ARRAY['b', 'c'] LOOP EXECUTE format('CREATE TABLE %I (id int)', t); END LOOP; END $$;\n";
    let later =
        "DROP TABLE gone;\nINSERT INTO a VALUES (1, current_user), (2, session_user);\nGRANT SELECT ON a TO PUBLIC;\n";
    let project = Project::history(&[("1_a.sql", &format!("{table}{quiet}")), ("2_b.sql", later)]);
    let fine = run(&project, "emit --scratch local");
    assert!(fine.code == 0 && !fine.err.contains("superuser"), "{fine:#?}");
    let set = project.read("migrations/2_b.sql");
    assert!(!set.contains("consolidate_scratch") && !set.contains("gone") && set.contains("current_user"), "{set}");
    assert_eq!(run(&project, "verify --scratch local").code, 0);
    // A set that wrote down who ran it is damaged, whoever ran it.
    project.write("migrations/2_b.sql", set.replace("current_user", "'consolidate_scratch_plain'"));
    assert_eq!(run(&project, "verify --scratch local").code, 1);
}

/// Where such a history needs more, that is refused, or said where the user named this machine; and what leads out of it stays shut
/// for whoever didn't.
#[test]
fn what_cannot_be_read_gets_powers_only_by_name() {
    let Some(_) = programs() else { return };
    let unseen = "DO $$ DECLARE t text := 'b'; BEGIN EXECUTE format('CREATE TABLE %I (id int)', t); END $$;\n";
    let project = Project::history(&[
        ("1_a.sql", unseen),
        ("2_b.sql", "CREATE EXTENSION postgres_fdw;\nCREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;\n"),
    ]);
    let named = run(&project, "emit --dry-run --scratch local");
    assert_eq!(named.code, 0, "{named:#?}");
    for says in ["1_a.sql:1 runs what can't be read", "2_b.sql:1 needs them (permission denied"] {
        assert!(named.err.contains(says), "{}", named.err);
    }
    let auto = run(&project, "emit --dry-run");
    assert_eq!(auto.code, 2, "{auto:#?}");
    let says = "no other PostgreSQL was tried: 2_b.sql:1: permission denied";
    assert!(auto.err.contains(says) && auto.err.contains("1_a.sql:1 runs what can't be read before"), "{}", auto.err);
    assert_eq!(run(&project, "emit --dry-run --trusted reach").code, 0);
    // What leads out of the cluster is denied to it. The embedded one has no ICU.
    let marker = project.path("marker");
    let program = format!("EXECUTE 'COPY a TO PRO' || reverse('MARG') || ' ''touch {}'''", marker.display());
    for hostile in [program.as_str(), "EXECUTE 'SELECT pg_read_' || reverse('elif') || '(''PG_VERSION'')'"] {
        let text = format!(
            "CREATE COLLATION c (provider = icu, locale = 'de');\nCREATE TABLE a (id int);\nDO $$ BEGIN {hostile}; END $$;\n"
        );
        let project = Project::history(&[("1_a.sql", &text)]);
        let auto = run(&project, "emit --dry-run");
        assert_eq!(auto.code, 2, "{auto:#?}");
        assert!(auto.err.contains("1_a.sql:3 runs what can't be read") && !marker.exists(), "{auto:#?}");
    }
}
