//! Proofs on a server that others use. The server is a throw-away cluster of the programs on this machine; a machine that
//! has none skips these tests, and says so.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

#[path = "../cli_support/mod.rs"]
mod cli_support;
mod gate;

use cli_support::{Project, Ran, ran};
use consolidate::scratch::local::{Cluster, Local};
use consolidate::scratch::programs::Programs;
use consolidate::scratch::{Limits, Scratch};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PREFIX: &str = "consolidate_scratch_";

/// A server with a database full of objects.
struct Server {
    cluster: Cluster,
    programs: Programs,
}

impl Server {
    fn start() -> Option<Server> {
        let local = match Local::start(None) {
            Ok(local) => local,
            Err(error) => {
                eprintln!("skipped: {}", error.message);
                return None;
            }
        };
        let programs = local.programs.clone();
        if !programs.folder.join("psql").is_file() || !programs.folder.join("pg_dumpall").is_file() {
            eprintln!("skipped: {programs} has no psql or pg_dumpall");
            return None;
        }
        let server = Server { cluster: Cluster::start(&local, Limits::default()).unwrap(), programs };
        // Whom it lets in is for the server to say.
        std::fs::write(server.folder().join("data/pg_hba.conf"), "local all all trust\n").unwrap();
        server.sql("SELECT pg_reload_conf()");
        server.sql("CREATE ROLE keeper LOGIN PASSWORD 'k' CONNECTION LIMIT 3");
        server.sql("CREATE ROLE clerk; GRANT clerk TO keeper; ALTER ROLE keeper SET search_path = a, \"B c\"");
        server.sql("COMMENT ON ROLE keeper IS 'of old'; ALTER ROLE ALL SET lock_timeout = '1h'");
        server.sql("CREATE DATABASE shop OWNER keeper");
        server.sql("ALTER DATABASE shop SET work_mem = '7MB'");
        server.sql_in("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)");
        server.sql("CREATE TABLE in_postgres (id int)");
        server.sql_in("template1", "CREATE TABLE in_template1 (id int)");
        Some(server)
    }

    fn folder(&self) -> PathBuf {
        let url = self.cluster.url();
        let host = url.split("host=").nth(1).unwrap().split('&').next().unwrap();
        PathBuf::from(host)
    }

    /// The address of the server, with something more behind it.
    fn url(&self, user: &str, database: &str, more: &str) -> String {
        format!("postgres://{user}@localhost:5432/{database}?host={}{more}", self.folder().display())
    }

    fn program(&self, name: &str) -> Command {
        let mut command = self.programs.command(name);
        command.args(["-U", "postgres", "-p", "5432", "-h"]).arg(self.folder());
        command
    }

    fn sql(&self, sql: &str) -> String {
        self.sql_in("postgres", sql)
    }

    fn sql_in(&self, database: &str, sql: &str) -> String {
        let ran = ran(self.program("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]));
        assert_eq!(ran.code, 0, "{ran:#?}");
        ran.out.trim().to_string()
    }

    /// Everything on the server, as pg_dumpall says it.
    fn all(&self) -> String {
        let ran = ran(&mut self.program("pg_dumpall"));
        assert_eq!(ran.code, 0, "{ran:#?}");
        let mut lines: Vec<&str> = ran.out.lines().filter(|line| !line.contains("restrict ")).collect();
        lines.push("");
        lines.join("\n")
    }

    /// Waits until a statement of a replay runs, and says in which database.
    fn running(&self, statement: &str) -> String {
        let ask = format!(
            "SELECT datname FROM pg_stat_activity WHERE starts_with(query, '{statement}') AND state = 'active'"
        );
        wait(|| Some(self.sql(&ask)).filter(|name| !name.is_empty()))
    }

    fn count(&self) -> String {
        self.sql(&format!(
            "SELECT (SELECT count(*) FROM pg_database WHERE starts_with(datname, '{PREFIX}'))
            || ' ' || (SELECT count(*) FROM pg_roles WHERE starts_with(rolname, '{PREFIX}'))"
        ))
    }
}

fn wait<T>(what: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "waited too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The program where it may use what is on this machine, on a scratch database of this address; the history is trusted, since what
/// it may do then is what these tests are about.
fn command(project: &Project, arguments: &str, url: &str) -> Command {
    let mut command = project.command(arguments);
    command.env_remove("CONSOLIDATE_PG_BIN").env("CONSOLIDATE_TRUSTED", "reach").args(["--scratch", url]);
    command
}

fn spawn(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

fn end(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn signal(process: u32, signal: &str) {
    let told = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status();
    assert!(told.is_ok_and(|status| status.success()));
}

/// A history that does to roles and settings what one can.
fn of_roles(attributes: &str) -> Project {
    Project::history(&[
        (
            "1_roles.sql",
            &format!(
                "CREATE ROLE app {attributes};\nCREATE ROLE \"Grp x\";\nGRANT \"Grp x\" TO app WITH ADMIN OPTION;\n\
                 ALTER ROLE app SET search_path = a, public;\nCREATE TABLE t (id int);\nGRANT SELECT ON t TO app, clerk;\n\
                 DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''5MB''', current_database());\n\
                 EXECUTE 'CREATE ROLE dy' || 'namic'; END $$;\nCREATE TABLE dead (id int);\n"
            ),
        ),
        ("2_more.sql", "DROP TABLE dead;\nALTER TABLE t ADD COLUMN name text;\nCOMMENT ON ROLE app IS 'x';\n"),
    ])
}

/// A history whose last statement waits.
fn waiting() -> Project {
    Project::history(&[
        ("1_a.sql", "CREATE ROLE app;\nCREATE TABLE a (id int);\nGRANT SELECT ON a TO app;\n"),
        ("2_b.sql", "CREATE ROLE late;\nSELECT pg_sleep(100);\n"),
    ])
}

#[test]
fn a_server_is_left_as_it_was() {
    let Some(server) = Server::start() else { return };
    let before = server.all();
    let url = server.url("postgres", "", "");
    let project = of_roles("LOGIN");
    let emit = ran(&mut command(&project, "emit --format json", &url));
    assert_eq!((emit.code, emit.err.as_str()), (0, ""), "{emit:#?}");
    let value: serde_json::Value = serde_json::from_str(&emit.out).unwrap();
    assert_eq!((&value["verdict"], &value["scratch"]), (&"identical".into(), &"server".into()));
    assert_eq!(server.all(), before);
    // The setting stands for the flag, if it is trusted; a variable for the address.
    project.write("consolidate.toml", "[scratch]\nurl = \"env:SCRATCH_SERVER\"\n");
    let verify = |project: &Project| {
        let mut command = project.command("verify --trusted url,reach");
        ran(command.env_remove("CONSOLIDATE_PG_BIN").env("SCRATCH_SERVER", &url))
    };
    let same = verify(&project);
    assert_eq!((same.code, same.err.as_str()), (0, ""), "{same:#?}");
    assert!(same.out.contains("of the scratch server"), "{}", same.out);
    project.write("migrations/9_other.sql", "ALTER ROLE app CONNECTION LIMIT 5;\nCREATE ROLE another;\n");
    let other = verify(&project);
    assert!(other.code == 1 && other.out.contains("role app") && other.out.contains("role another"), "{other:#?}");
    // A role that was there before may be granted to, and isn't the replay's.
    assert!(!other.out.contains("keeper"), "{}", other.out);
    // What a statement leaves behind that keeps a database, and a statement that fails.
    let keeps = Project::history(&[(
        "1_a.sql",
        "CREATE ROLE app;\nCREATE TABLE a (id int);\n\
         SELECT pg_create_logical_replication_slot('kept_slot', 'test_decoding');\nSELECT nothing;\n",
    )]);
    let failed = ran(&mut command(&keeps, "emit", &url));
    assert!(failed.code == 2 && failed.err.starts_with("error: migrations.old/1_a.sql:"), "{failed:#?}");
    assert_eq!(server.all(), before);
    assert_eq!(
        (server.count().as_str(), server.sql("SELECT count(*) FROM pg_replication_slots").as_str()),
        ("0 0", "0")
    );
    // Files that run without a transaction around them.
    let bare = Project::history(&[(
        "1_a.sql",
        "-- no-transaction\nCREATE ROLE app;\nDO $$ BEGIN EXECUTE 'CREATE ROLE dy' || 'namic'; END $$;\nCREATE TABLE a (id int);\n",
    )]);
    let bare = ran(&mut command(&bare, "emit", &url));
    assert_eq!((bare.code, bare.err.as_str()), (0, ""), "{bare:#?}");
    assert_eq!(server.all(), before);
}

#[test]
fn two_runs_at_once_stay_apart() {
    let Some(server) = Server::start() else { return };
    let before = server.all();
    let url = server.url("postgres", "postgres", "");
    let (one, other) = (of_roles("LOGIN CONNECTION LIMIT 1"), of_roles("NOLOGIN CREATEDB"));
    for arguments in ["emit", "verify"] {
        let runs = [&one, &other].map(|project| spawn(command(project, arguments, &url)));
        // Somebody else makes a role and gives a setting meanwhile. They stay.
        server.sql("CREATE ROLE bystander; ALTER ROLE bystander SET work_mem = '3MB'; GRANT bystander TO keeper");
        for run in runs {
            let (code, out, err) = end(run);
            assert!(code == Some(0) && out.contains("identical") && err.is_empty(), "{code:?} {out}\n{err}");
        }
        assert_eq!(server.sql("SELECT rolconfig FROM pg_roles WHERE rolname = 'bystander'"), "{work_mem=3MB}");
        server.sql("DROP ROLE bystander");
        assert_eq!(server.all(), before);
    }
    assert_ne!(one.read("migrations/1_roles.sql"), other.read("migrations/1_roles.sql"));
}

#[test]
fn a_database_of_others_is_never_touched() {
    let Some(server) = Server::start() else { return };
    let before = server.all();
    let project = of_roles("LOGIN");
    let refused = |project: &Project, change: &dyn Fn(&mut Command), url: &str, texts: &[&str]| {
        let mut command = command(project, "emit", url);
        change(&mut command);
        let ran = ran(&mut command);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{url}: {ran:#?}");
        let says = ran.err.starts_with("error: ") && ran.err.contains("\nhint: ");
        assert!(says && texts.iter().all(|text| ran.err.contains(text)), "{texts:?}: {}", ran.err);
    };
    let nothing = |_: &mut Command| ();
    for (database, more) in [
        ("shop", ""),
        ("template1", ""),
        ("template0", ""),
        ("", "&dbname=shop"),
        ("postgres", "&dbname=shop"),
        ("%73hop", ""),
    ] {
        refused(&project, &nothing, &server.url("postgres", database, more), &["not ours to touch"]);
    }
    for more in ["&options=-csearch_path%3Dx", "&service=shop", "&options[search_path]=x"] {
        refused(&project, &nothing, &server.url("postgres", "", more), &["isn't taken"]);
    }
    let url = server.url("postgres", "", "");
    refused(
        &project,
        &|c| {
            c.env("PGOPTIONS", "-c search_path=shop");
        },
        &url,
        &["PGOPTIONS"],
    );
    refused(
        &project,
        &|c| {
            c.env("SCRATCH", server.url("postgres", "shop", ""));
        },
        "env:SCRATCH",
        &["database \"shop\""],
    );
    refused(&project, &nothing, &server.url("keeper", "", ""), &["keeper is no superuser"]);
    // What the environment says of a database doesn't count.
    let mut elsewhere = command(&project, "emit", &url);
    let fine = ran(elsewhere.env("PGDATABASE", "shop").env("PGSERVICE", "shop").env("PGUSER", "keeper"));
    assert_eq!((fine.code, fine.err.as_str()), (0, ""), "{fine:#?}");
    // Histories that reach for it.
    for (sql, says) in [
        ("DROP DATABASE shop;", "DROP DATABASE is for the whole server"),
        ("CREATE DATABASE another;", "CREATE DATABASE"),
        ("ALTER DATABASE shop SET work_mem = '1MB';", "database \"shop\""),
        ("REVOKE ALL ON DATABASE shop FROM PUBLIC;", "database \"shop\""),
        ("ALTER SYSTEM SET work_mem = '1MB';", "ALTER SYSTEM"),
        ("CREATE ROLE keeper;", "role \"keeper\" is on the scratch server already"),
        ("DO $$ BEGIN CREATE ROLE keeper; EXCEPTION WHEN duplicate_object THEN NULL; END $$;", "role \"keeper\""),
        ("ALTER ROLE keeper SUPERUSER;", "keeper"),
        ("DROP ROLE IF EXISTS keeper;", "keeper"),
        ("DROP OWNED BY keeper;", "keeper"),
        ("REVOKE clerk FROM keeper;", "clerk"),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity;", "pg_terminate_backend()"),
    ] {
        let reaching = Project::history(&[("1_a.sql", &format!("CREATE TABLE a (id int);\n{sql}\n"))]);
        refused(&reaching, &nothing, &url, &["migrations.old/1_a.sql:2: ", says]);
    }
    // What is put together at run time is put back.
    let hidden = "DO $$ BEGIN\n-- keeper, clerk, lock_timeout\nEXECUTE 'ALTER RO' || 'LE keeper SUPERUSER CONNECTION LIMIT 9';\n\
        EXECUTE 'ALTER RO' || 'LE keeper SET search_path = x';\nEXECUTE 'REVO' || 'KE clerk FROM keeper';\n\
        EXECUTE 'ALTER RO' || 'LE ALL RESET lock_timeout';\nEXECUTE 'ALTER DATA' || 'BASE shop SET work_mem = 1000';\nEND $$;\n";
    let hidden = Project::history(&[("1_a.sql", hidden)]);
    ran(&mut command(&hidden, "emit --dry-run", &url));
    let after = server.all();
    let differ: Vec<_> = before.lines().filter(|line| !after.contains(line)).collect();
    assert_eq!(after, before, "{differ:?}");
}

#[test]
fn a_run_that_ends_early_takes_all_back() {
    let Some(server) = Server::start() else { return };
    let before = server.all();
    let url = server.url("postgres", "", "");
    let project = waiting();
    for (name, code) in
        [("INT", 130), ("TERM", 143), ("HUP", 129)].into_iter().filter(|(name, _)| cli_support::heeds(name))
    {
        let run = spawn(command(&project, "emit", &url));
        assert!(server.running("SELECT pg_sleep").starts_with(PREFIX));
        signal(run.id(), name);
        let (ended, out, err) = end(run);
        assert_eq!((ended, out.as_str(), err.as_str()), (Some(code), "", ""), "{name}");
        assert_eq!(server.all(), before, "{name}");
    }
    // The connection of the replay is lost, then all of ours, then the server crashes and comes back.
    let ours = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'consolidate' OR query ~ '^SELECT pg_sleep'";
    for what in [
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'",
        ours,
        "crash",
    ] {
        let run = spawn(command(&project, "emit", &url));
        server.running("SELECT pg_sleep");
        if what == "crash" {
            signal(
                server.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'").parse().unwrap(),
                "KILL",
            );
        } else {
            server.sql(what);
        }
        let (ended, out, err) = end(run);
        assert_eq!((ended, out.as_str()), (Some(2), ""), "{what}: {err}");
        assert!(err.starts_with("error: ") || err.contains("\nerror: "), "{err}");
        assert!(!err.contains("left"), "{err}");
        assert_eq!(server.all(), before, "{what}");
    }
    // The connection is lost while all is being taken back: the lock holds DROP DATABASE up until then.
    let run = spawn(command(&project, "emit", &url));
    server.running("SELECT pg_sleep");
    let lock = "BEGIN; LOCK TABLE pg_catalog.pg_database IN SHARE MODE; SELECT pg_sleep(99)";
    let mut holds = server.program("psql").args(["-XAtq", "-d", "postgres", "-c", lock]).spawn().expect("psql starts");
    let sleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    wait(|| (server.sql(sleep) == "2").then_some(()));
    server.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'");
    server.running("DROP DATABASE");
    server.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query ~ '^DROP DATABASE'");
    server.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query ~ '^BEGIN; LOCK'");
    let (ended, _, err) = end(run);
    holds.wait().expect("psql ends");
    assert!(ended == Some(2) && !err.contains("left"), "{err}");
    assert_eq!(server.all(), before);
    // Limits of time.
    for (limit, says) in [
        ("--statement-timeout 700ms", "error: migrations.old/2_b.sql:2: the statement took longer than 700 ms\nhint: "),
        ("--timeout 8s", "error: migrations.old/2_b.sql:2: the time limit of 8 s is used up\nhint: "),
    ] {
        let late = ran(&mut command(&project, &format!("emit {limit}"), &url));
        assert!(late.code == 2 && late.out.is_empty() && late.err.starts_with(says), "{late:#?}");
        assert_eq!(server.all(), before, "{limit}");
    }
    let local = ran(&mut command(&project, "emit --statement-timeout 700ms", "local"));
    assert!(local.code == 2 && local.err.contains("the statement took longer than 700 ms"), "{local:#?}");
}

#[test]
fn the_next_run_takes_back_what_a_killed_one_left() {
    let Some(server) = Server::start() else { return };
    // Else what the killed run began would sleep on, and keep the role's name.
    server.sql("ALTER SYSTEM SET client_connection_check_interval = '500ms'");
    server.sql("SELECT pg_reload_conf()");
    let before = server.all();
    let url = server.url("postgres", "", "");
    let project = waiting();
    let run = spawn(command(&project, "emit", &url));
    let left = server.running("SELECT pg_sleep");
    signal(run.id(), "KILL");
    end(run);
    wait(|| (server.count() == "1 1").then_some(()));
    // Not ours, whatever its name; and a role that somebody else has made since under the name that wasn't committed.
    server.sql("CREATE ROLE late");
    server.sql(&format!("CREATE DATABASE {PREFIX}by_hand"));
    let next = ran(&mut command(&of_roles(""), "emit --dry-run", &url));
    assert_eq!(next.code, 0, "{next:#?}");
    let note = format!(
        "note: a run that was killed had left {left} and the roles app on the scratch server; they are gone now\n"
    );
    assert!(next.err.contains(&note) && next.err.contains("the role late may be left"), "{}", next.err);
    server.sql("DROP ROLE late");
    server.sql(&format!("DROP DATABASE {PREFIX}by_hand"));
    assert_eq!(server.all(), before);
    // A server that goes and doesn't come back: what is left is said.
    let run = spawn(command(&project, "emit", &url));
    let left = server.running("SELECT pg_sleep");
    let lock = std::fs::read_to_string(server.folder().join("data/postmaster.pid")).unwrap();
    signal(lock.lines().next().unwrap().parse().unwrap(), "QUIT");
    let (ended, out, err) = end(run);
    assert_eq!((ended, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains(&left) && err.contains("left") && err.contains("app") && err.contains("error: "), "{err}");
}

#[test]
fn passwords_are_shown_to_nobody() {
    let Some(server) = Server::start() else { return };
    let secret = "s3cr:t/@%x";
    server.sql(&format!("CREATE ROLE boss SUPERUSER LOGIN PASSWORD '{secret}'"));
    let hba = "local all boss scram-sha-256\nlocal all all trust\n";
    std::fs::write(server.folder().join("data/pg_hba.conf"), hba).unwrap();
    server.sql("SELECT pg_reload_conf()");
    let before = server.all();
    let url = server.url("boss:s3cr%3At%2F%40%25x", "", "");
    let clean = |ran: &Ran| {
        for word in ["s3cr", "wr0ng"] {
            assert!(!ran.out.contains(word) && !ran.err.contains(word), "{ran:#?}");
        }
    };
    let project = waiting();
    let mut one = project.command("emit");
    one.env_remove("CONSOLIDATE_PG_BIN").args(["--scratch", &server.url("boss:${BOSS}", "", "")]).env("BOSS", secret);
    let run = spawn(one);
    server.running("SELECT pg_sleep");
    let seen = Command::new("ps").args(["-eo", "args"]).output().expect("ps starts");
    assert!(!String::from_utf8_lossy(&seen.stdout).contains("s3cr"));
    signal(run.id(), "TERM");
    let (_, out, err) = end(run);
    clean(&Ran { code: 0, out, err });
    // pg_dump has it, too.
    let small = Project::small();
    for arguments in ["emit", "verify", "verify --format json"] {
        let fine = ran(command(&small, arguments, "env:SCRATCH").env("SCRATCH", &url));
        assert_eq!(fine.code, 0, "{fine:#?}");
        clean(&fine);
    }
    let dir = server.folder();
    for (arguments, url) in [
        ("emit", server.url("boss:wr0ng", "", "")),
        ("emit", server.url("boss:s3cr", "shop", "")),
        ("emit", format!("postgres://boss:s3cr@localhost:5432/?host={}&password=wr0ng", dir.display())),
        ("emit", "postgres://boss:s3cr@localhost:port/".into()),
        ("emit", "postgres:/boss:s3cr@localhost".into()),
        ("emit", "postgres://boss:s3cr@127.0.0.1:1/?password=wr0ng".into()),
        ("emit", "mysql://boss:s3cr@localhost/".into()),
        ("emit postgres://boss:s3cr@localhost/", url.clone()),
        ("emit --scrach postgres://boss:s3cr@localhost/?password=wr0ng", url.clone()),
    ] {
        let ran = ran(&mut command(&small, arguments, &url));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{url}: {ran:#?}");
        clean(&ran);
    }
    small.write("consolidate.toml", "[scratch]\ndatabase = \"postgres://boss:s3cr@localhost/\"\n");
    clean(&small.run("emit"));
    assert_eq!(server.all(), before);
}

#[test]
fn a_pg_dump_that_is_too_old_is_refused() {
    let Some(server) = Server::start() else { return };
    let project = Project::small();
    let folder = project.path("programs");
    project.write("programs/pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n");
    let made = Command::new("chmod").arg("755").arg(folder.join("pg_dump")).status();
    assert!(made.is_ok_and(|status| status.success()));
    let url = server.url("postgres", "", "");
    let old = ran(command(&project, "emit", &url).env("CONSOLIDATE_PG_BIN", &folder));
    assert_eq!((old.code, old.out.as_str()), (2, ""), "{old:#?}");
    assert!(
        old.err.contains("the newest pg_dump here is PostgreSQL 9.6.24 in") && old.err.contains("\nhint: "),
        "{}",
        old.err
    );
}
