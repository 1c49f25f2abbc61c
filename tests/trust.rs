//! A hostile repository: its consolidate.toml, its files and its git settings start no program, reach no other machine, no file
//! outside of it, and show no secret.

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
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SECRET: &str = "tok_Zk3-very-secret";

/// A program that leaves a trace when it is started.
fn trap(project: &Project, name: &str) {
    let marker = project.path("marker");
    project.write(name, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\nexit 1\n", marker.display()));
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(project.path(name), all).expect("a program");
}

fn traps(project: &Project, folder: &str) {
    ["initdb", "postgres", "pg_dump"].iter().for_each(|name| trap(project, &format!("{folder}/{name}")));
}

fn marked(project: &Project) -> bool {
    project.path("marker").exists()
}

/// Counts who connects to a port of this machine.
fn listener() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    (port, count)
}

/// Runs with a secret in the environment, which must be in no output; and without the folder of programs that other tests name.
fn run(project: &Project, arguments: &str) -> Ran {
    let mut command = project.command(arguments);
    command.env_remove("CONSOLIDATE_PG_BIN").env("TOKEN", SECRET).env_remove("CONSOLIDATE_TRUSTED");
    let ran = ran(&mut command);
    assert!(!ran.out.contains(SECRET) && !ran.err.contains(SECRET), "a secret is shown: {ran:#?}");
    ran
}

/// Must be refused, with the setting's place and the word that opens it.
fn refused(project: &Project, arguments: &str, place: &str, word: &str) -> Ran {
    let ran = run(project, arguments);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:#?}");
    assert!(ran.err.contains(place), "no {place:?} in: {}", ran.err);
    assert!(ran.err.contains(&format!("--trusted {word} or CONSOLIDATE_TRUSTED={word}")), "{}", ran.err);
    ran
}

#[test]
fn a_setting_runs_no_programs() {
    let project = Project::small();
    traps(&project, "bin");
    project.write("consolidate.toml", "[scratch]\ndatabase = \"local\"\nprograms = \"bin\"\n");
    refused(&project, "emit", "consolidate.toml:3: ", "programs");
    refused(&project, "diff migrations.old migrations.old --scratch auto", "consolidate.toml:3: ", "programs");
    refused(&project, "emit --config consolidate.toml --scratch local", "consolidate.toml:3: ", "programs");
    refused(&project, "diff migrations.old postgres://localhost:1/x", "consolidate.toml:3: ", "programs");
    assert!(!marked(&project));
    assert_eq!(run(&project, "emit --dry-run --scratch embedded").code, 0);
    assert!(!marked(&project));
    // Who trusts it has it.
    for (arguments, variable) in [("emit --trusted programs", ""), ("emit", "layout,programs")] {
        let mut command = project.command(arguments);
        command.env_remove("CONSOLIDATE_PG_BIN").env("CONSOLIDATE_TRUSTED", variable);
        assert_eq!(ran(&mut command).code, 2);
        assert!(marked(&project), "{arguments} {variable}");
        std::fs::remove_file(project.path("marker")).expect("a marker");
    }
}

/// Revisions of alembic, and a Python of the repository's own.
fn revisions() -> Project {
    let project = Project::empty();
    let revision = "\"\"\"a\"\"\"\nfrom alembic import op\n\nrevision = \"a1\"\ndown_revision = None\n";
    project.write("db/versions.old/a1_books.py", revision);
    project.write("db/env.py", "");
    trap(&project, "db/.venv/bin/python");
    project
}

#[test]
fn a_setting_or_a_manifest_runs_no_code_of_the_project() {
    let project = revisions();
    project.write("consolidate.toml", "old = \"db/versions.old\"\nlayout = \"alembic\"\n");
    refused(&project, "plan", "consolidate.toml:2: ", "layout");
    refused(&project, "emit --scratch embedded", "consolidate.toml:2: ", "layout");
    refused(&project, "diff db/versions.old db/versions.old", "consolidate.toml:2: ", "layout");
    assert!(!marked(&project));
    project.write("consolidate.toml", "old = \"db/versions.old\"\n");
    project.write("db/versions.old/.consolidate", "# layout alembic\n");
    refused(&project, "plan", "db/versions.old says that it is alembic's", "layout");
    refused(&project, "init --old db/versions.old", "db/versions.old says that it is alembic's", "layout");
    assert!(!marked(&project));
    for arguments in ["plan --layout alembic", "plan --trusted layout"] {
        assert_eq!(run(&project, arguments).code, 2);
        assert!(marked(&project), "{arguments}");
        std::fs::remove_file(project.path("marker")).expect("a marker");
    }
}

#[test]
fn a_setting_sends_nothing_and_shows_no_secret() {
    let (port, count) = listener();
    let project = Project::small();
    for url in [
        format!("postgres://${{TOKEN}}@0.0.0.0:{port}/"),
        format!("postgres://${{TOKEN}}@localhost:{port}/"),
        format!("postgres://me:${{TOKEN}}@127.0.0.1:{port}/"),
        format!("postgres://me@0.0.0.0:{port}/"),
        format!("postgres://localhost/?host=0.0.0.0&port={port}"),
        format!("postgres://localhost:{port}/?hostaddr=0.0.0.0"),
        "env:TOKEN".to_string(),
    ] {
        project.write("consolidate.toml", format!("# mine\n[scratch]\n\nurl = \"{url}\"\n"));
        refused(&project, "emit", "consolidate.toml:4: ", "url");
        refused(&project, "emit --config consolidate.toml", "consolidate.toml:4: ", "url");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
    // One of this machine may stand there; a user may say any.
    project.write("consolidate.toml", format!("[scratch]\nurl = \"postgres://me:a-word-of-mine@127.0.0.1:{port}/\"\n"));
    let local = run(&project, "emit");
    assert!(local.code == 2 && !local.err.contains("a-word-of-mine"), "{local:#?}");
    assert!(count.load(Ordering::SeqCst) > 0, "{local:#?}");
    count.store(0, Ordering::SeqCst);
    project.write("consolidate.toml", format!("[scratch]\nurl = \"postgres://${{TOKEN}}:x@0.0.0.0:{port}/\"\n"));
    assert_eq!(run(&project, "emit --trusted url").code, 2);
    assert!(count.swap(0, Ordering::SeqCst) > 0);
    assert_eq!(run(&project, &format!("emit --scratch postgres://${{TOKEN}}@127.0.0.1:{port}/")).code, 2);
    assert!(count.load(Ordering::SeqCst) > 0);
}

/// A file `.env` of the repository isn't read: a variable that only stands there is none.
#[test]
fn a_file_of_variables_is_not_read() {
    let project = Project::small();
    project.write(".env", "SCRATCH_OF_ENV=postgres://127.0.0.1:1/\nCONSOLIDATE_TRUSTED=url,programs\n");
    traps(&project, "bin");
    project.write("consolidate.toml", "[scratch]\nprograms = \"bin\"\n");
    refused(&project, "emit", "consolidate.toml:2: ", "programs");
    project.write("consolidate.toml", "");
    let ran = run(&project, "emit --scratch env:SCRATCH_OF_ENV");
    assert!(ran.code == 2 && ran.err.contains("SCRATCH_OF_ENV isn't set"), "{ran:#?}");
    assert!(!marked(&project));
}

#[test]
fn a_setting_names_nothing_outside_of_the_repository() {
    let project = Project::empty();
    project.write("other/1_a.sql", "CREATE TABLE a (id int);\n");
    project.write("secret.sql", format!("{SECRET}\n"));
    project.write("repository/migrations.old/1_a.sql", "CREATE TABLE a (id int);\n");
    symlink(project.path("other"), project.path("repository/link")).expect("a link");
    let at = |toml: &str, arguments: &str| {
        project.write("repository/consolidate.toml", toml);
        let mut command = project.command(arguments);
        command.current_dir(project.path("repository"));
        ran(&mut command)
    };
    for (toml, line) in [
        ("old = \"../other\"\n", 1),
        ("\nnew = \"../other\"\n", 2),
        ("old = \"link\"\n", 1),
        ("new = \"a/../../other\"\n", 1),
        ("[scratch]\nprelude = [\"../secret.sql\"]\n", 2),
        ("[scratch]\nprelude = \"/proc/self/environ\"\n", 2),
    ] {
        let ran = at(toml, "emit");
        assert!(ran.code == 2 && ran.err.contains(&format!("consolidate.toml:{line}: ")), "{toml}: {ran:#?}");
        assert!(ran.err.contains("outside of the repository") && ran.err.contains("--trusted paths"), "{ran:#?}");
        assert!(!ran.err.contains(SECRET), "{ran:#?}");
    }
    assert_eq!(at("old = \"../other\"\n", "plan --trusted paths").code, 0);
    assert_eq!(at("old = \"../other\"\n", "plan --old ../other").code, 0);
    assert_eq!(at("old = \"migrations.old\"\nnew = \"db/new\"\n", "plan").code, 0);
    let unknown = at("", "plan --trusted everything");
    assert!(unknown.code == 2 && unknown.err.contains("programs, layout, url, paths, reach"), "{unknown:#?}");
}

/// The name of a file, or of a schema, is no path.
#[test]
fn a_set_is_written_inside_its_folder() {
    let sql = "CREATE TABLE draft (a int);\nDROP TABLE draft;\nCREATE SCHEMA \"x/../../../evil\";\n\
               CREATE TABLE \"x/../../../evil\".a (id int);\nCREATE TABLE b (id int);\n";
    for (toml, arguments) in [
        ("[[file]]\nname = \"../../evil\"\n", "emit"),
        ("[emit]\nfiles = \"one\"\nname = \"../../evil\"\n", "emit"),
        ("", "emit --files schema"),
        ("", "emit --files one --name x/../../../evil"),
    ] {
        let project = Project::empty();
        project.write("a/b/migrations.old/1_a.sql", sql);
        project.write("a/b/consolidate.toml", toml);
        let mut command = project.command(arguments);
        let ran = ran(command.current_dir(project.path("a/b")));
        let tree = project.tree("");
        let evil = |path: &std::path::PathBuf| path.display().to_string().contains("evil");
        let outside = |path: &&std::path::PathBuf| evil(path) && !path.starts_with("a/b/migrations");
        assert_eq!(tree.keys().find(outside), None, "{toml} {arguments}: {ran:#?}");
    }
}

/// What the embedded PostgreSQL refuses, or would never be asked for, is run by no other one unasked.
#[test]
fn auto_leaves_the_sandbox_for_nothing_hostile() {
    let table = "CREATE TABLE t (a text);\n";
    let auto = |sql: &str| {
        let project = Project::history(&[("1.sql", &format!("{table}{sql};\n"))]);
        traps(&project, "bin");
        let mut command = project.command("emit");
        let ran = ran(command.env("CONSOLIDATE_PG_BIN", project.path("bin")));
        (ran, marked(&project))
    };
    for sql in [
        "COPY t TO PROGRAM 'touch /tmp/x'",
        "COPY t FROM PROGRAM 'id'",
        "copy /* */ t to/**/program 'id'",
        "DO $$ BEGIN COPY t TO PROGRAM 'id'; EXCEPTION WHEN others THEN RAISE; END $$",
        "DO $$ BEGIN EXECUTE 'COPY t TO PRO' || 'GRAM ''id'''; END $$",
        "SELECT pg_read_file('/etc/passwd')",
        "INSERT INTO t SELECT pg_read_file('/proc/self/environ')",
        "DO $$ BEGIN EXECUTE format('SELECT pg_read_%s(%L)', 'file', '/etc/passwd'); END $$",
        "COPY t FROM '/etc/passwd'",
        "SELECT lo_import('/etc/passwd')",
        "LOAD '/tmp/evil.so'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/tmp/evil.so', 'f'",
        "CREATE EXTENSION plpython3u",
        "CREATE EXTENSION plperlu",
        "CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '10.0.0.1')",
        "CREATE EXTENSION postgis; COPY t TO PROGRAM 'id'",
        "COPY t FROM PROGRAM 'id'; CREATE EXTENSION postgis",
    ] {
        let (ran, is_marked) = auto(sql);
        assert_eq!((ran.code, ran.out.as_str(), is_marked), (2, "", false), "{sql}: {ran:#?}");
        assert!(ran.err.contains("1.sql:2: "), "{sql}: {}", ran.err);
        assert!(!ran.err.contains("--scratch auto and local"), "an untrue hint: {sql}: {}", ran.err);
    }
    // A mistake of the history is none of the other PostgreSQL's business either.
    let (mistake, is_marked) = auto("SELECT nothing FROM nowhere");
    assert_eq!((mistake.code, is_marked), (2, false), "{mistake:#?}");
    // What is only missing is looked for.
    for sql in ["CREATE EXTENSION postgis", "CREATE COLLATION c (provider = icu, locale = 'de')"] {
        assert!(auto(sql).1, "{sql}");
    }
}

fn git(project: &Project, arguments: &[&str], input: &[u8]) -> String {
    use std::io::Write;
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments).current_dir(project.path("repo"));
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("git");
    child.stdin.take().expect("an input").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("git ends");
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

#[test]
fn gits_settings_of_a_repository_start_nothing() {
    let project = Project::empty();
    project.write("repo/migrations/1_a.sql", "CREATE TABLE a (id int);\n");
    git(&project, &["init", "-q"], b"");
    git(&project, &["add", "."], b"");
    git(&project, &["commit", "-qm", "a"], b"");
    project.write("repo/migrations/2_b.sql", "CREATE TABLE b (id int);\n");
    project.write("repo/.gitattributes", "*.sql filter=evil diff=evil\n");
    trap(&project, "evil");
    let evil = project.path("evil").display().to_string();
    for (name, value) in [
        ("core.fsmonitor", evil.clone()),
        ("core.hooksPath", project.path("").display().to_string()),
        ("core.pager", evil.clone()),
        ("pager.ls-tree", evil.clone()),
        ("core.sshCommand", evil.clone()),
        ("diff.external", evil.clone()),
        ("diff.evil.textconv", evil.clone()),
        ("filter.evil.smudge", evil.clone()),
        ("filter.evil.clean", evil.clone()),
        ("alias.ls-tree", format!("!{evil}")),
        ("alias.cat-file", format!("!{evil}")),
        ("remote.origin.url", format!("ext::{evil}")),
        ("remote.origin.promisor", "true".into()),
        ("extensions.partialClone", "origin".into()),
        ("core.repositoryFormatVersion", "1".into()),
        ("protocol.ext.allow", "always".into()),
    ] {
        git(&project, &["config", name, &value], b"");
    }
    let run = |arguments: &str| {
        let mut command = project.command(arguments);
        ran(command.current_dir(project.path("repo")))
    };
    let plan = run("plan --old migrations --from HEAD:");
    assert_eq!(plan.code, 0, "{plan:#?}");
    let diff = run("diff HEAD:migrations migrations --scratch embedded");
    assert_eq!(diff.code, 1, "{diff:#?}");
    assert!(!marked(&project));
    // An object that isn't there is fetched from nowhere.
    let missing = "0123456789012345678901234567890123456789";
    let tree = git(&project, &["mktree", "--missing"], format!("100644 blob {missing}\t1_a.sql\n").as_bytes());
    let gone = run(&format!("diff {tree}:. migrations --scratch embedded"));
    assert_eq!(gone.code, 2, "{gone:#?}");
    assert!(!marked(&project), "{}", project.read("marker"));
    let dashed = run("diff --scratch embedded -- --output=x:migrations migrations");
    assert_eq!(dashed.code, 2, "{dashed:#?}");
}

/// A tree that was made by hand may hold names that lead out of the folder.
#[test]
fn a_revision_writes_nothing_outside_of_its_copy() {
    let project = Project::empty();
    project.write("repo/migrations/1_a.sql", "CREATE TABLE a (id int);\n");
    git(&project, &["init", "-q"], b"");
    let blob = git(&project, &["hash-object", "-w", "--stdin"], b"CREATE TABLE evil (id int);\n");
    let bytes: Vec<u8> =
        (0..blob.len()).step_by(2).map(|at| u8::from_str_radix(&blob[at..at + 2], 16).expect("a hash")).collect();
    let name = "../../consolidate-evil.sql";
    let raw = [b"100644 ", name.as_bytes(), b"\0", &bytes[..]].concat();
    let tree = git(&project, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &raw);
    let mut command = project.command(&format!("diff {tree}:. migrations --scratch embedded"));
    let ran = ran(command.current_dir(project.path("repo")));
    assert!(ran.code == 2 && ran.err.contains("leads out of the folder"), "{ran:#?}");
    assert!(!std::env::temp_dir().join("../consolidate-evil.sql").exists());
}
