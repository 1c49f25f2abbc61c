//! The gate before a server that others use: what a history reaches for, what nobody can read beforehand, and what it is trusted with.

use super::cli_support::{Project, ran};
use super::{Server, command, end, spawn};
use consolidate::proof::{self, Database, ReplayError, ReplayFile, ReplayStatement, Settings, Silent, Wish};
use consolidate::scratch::Limits;
use consolidate::scratch::server::Address;
use std::process::Command;

/// The gate's table on a real server: no form runs, whoever else is there keeps what they have.
#[test]
fn no_form_of_the_gates_table_reaches_the_bystanders() {
    let Some(server) = Server::start() else { return };
    server.sql("CREATE ROLE victim LOGIN PASSWORD 'v'; GRANT clerk TO victim");
    let session = spawn(bystander(&server));
    let before = (server.all(), server.running("SELECT pg_sleep(600)"));
    let address = Address::read(&server.url("postgres", "", "")).unwrap();
    let database = Database::server(address, None, Limits::default()).unwrap();
    let local = Database::local(None).unwrap();
    let settings = |database: &Database| Settings { database: database.clone(), ..Settings::default() };
    let forms = include_str!("../../fixtures/gate/forms.txt");
    let forms = forms.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut ran = Vec::new();
    // What only the programs of this machine have: auto leaves the sandbox for it.
    let far = || ReplayStatement { line: 1, text: "CREATE EXTENSION postgres_fdw".into(), copy_data: None };
    for (reaches, sql) in forms.map(|line| line.split_once('|').unwrap()) {
        let text = sql.trim().replace("\\n", "\n");
        let statement = ReplayStatement { line: 1, text, copy_data: None };
        let of = |statements| ReplayFile { name: "1_a.sql".into(), statements, ..ReplayFile::default() };
        let (outward, file) = (of(vec![far(), statement.clone()]), of(vec![statement]));
        let refused = |database: &Database| {
            let error = proof::replay("old", std::slice::from_ref(&file), &settings(database), &Silent).err()?;
            Some(error.to_string())
        };
        let is_barred =
            |said: Option<String>| said.is_some_and(|said| said.contains("1_a.sql:1: ") && !said.contains("SQLSTATE"));
        // Roles and databases that only a name tells from a history's own are made there first by nobody.
        if !is_barred(refused(&database)) && !sql.contains("new_one") {
            ran.push(format!("on the server: {sql}"));
        }
        let is_outside = ["program", "file", "network", "code", "setting", "catalog"].contains(&reaches.trim());
        if is_outside && !is_barred(refused(&local)) {
            ran.push(format!("on the machine: {sql}"));
        }
        if is_outside && !stays_inside(&[outward]) {
            ran.push(format!("on the machine, by auto: {sql}"));
        }
    }
    assert!(ran.is_empty(), "{}", ran.join("\n"));
    assert_eq!((server.all(), server.running("SELECT pg_sleep(600)")), before);
    drop(database);
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'");
    end(session);
}

/// Whether auto refuses a history that needs what only the programs of this machine have, and runs nothing of it there.
fn stays_inside(files: &[ReplayFile]) -> bool {
    let replay = |settings: &Settings| proof::replay("old", files, settings, &Silent);
    let ran = proof::on_chosen(&Wish::default(), &[files], &Settings::default(), replay, stopped).unwrap();
    let left = |note: &String| note.contains("this ran on") || note.contains("was tried before");
    ran.outcome.is_err() && !ran.notes.iter().any(left)
}

/// A replay that stopped, as what it was stopped by.
fn stopped(error: &ReplayError) -> Option<&ReplayError> {
    Some(error)
}

/// A session of somebody else.
fn bystander(server: &Server) -> Command {
    let mut command = server.program("psql");
    command.args(["-XAtq", "-d", "shop", "-c", "SELECT pg_sleep(600)"]);
    command
}

/// What nobody could read beforehand is put back for all roles, and said, and nothing is proven.
#[test]
fn what_a_history_did_to_all_roles_is_put_back_and_said() {
    let Some(server) = Server::start() else { return };
    let before = server.all();
    let loop_over_roles = "DO $$ DECLARE r record; BEGIN\nFOR r IN SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' \
        AND NOT rolsuper AND rolname NOT LIKE 'consolidate%' LOOP\nEXECUTE format('ALTER ROLE %I NOLOGIN', r.rolname);\nEND LOOP; END $$;\n";
    let texts = [
        (loop_over_roles, "role \"keeper\""),
        (
            "DO $$ DECLARE a text := 'CONNECTION LIMIT 0'; BEGIN EXECUTE 'ALTER DATA' || 'BASE ' || quote_ident('sh' || 'op') || ' ' || a; END $$;\n",
            "database \"shop\"",
        ),
        (
            "DO $$ DECLARE a text := 'mine'; BEGIN EXECUTE format('COMMENT ON RO' || 'LE %s IS %L', reverse('repeek'), a); END $$;\n",
            "the comment on role \"keeper\"",
        ),
        (
            "DO $$ BEGIN EXECUTE format('REVOKE %I FROM %I', reverse('krelc'), reverse('repeek')); END $$;\n",
            "the membership of",
        ),
    ];
    for (text, says) in texts {
        let project = Project::history(&[("1_a.sql", &format!("CREATE TABLE a (id int);\n{text}"))]);
        let url = server.url("postgres", "", "");
        // Nobody has read what it runs, so it has no powers.
        let untrusted = ran(command(&project, "emit --dry-run", &url).env_remove("CONSOLIDATE_TRUSTED"));
        let says_why = untrusted.err.contains("1_a.sql:2: ") && untrusted.err.contains("can't be read before");
        assert!(untrusted.code == 2 && says_why && server.all() == before, "{untrusted:#?}");
        let ran = ran(&mut command(&project, "emit --dry-run", &url));
        let all = server.all();
        let differ: Vec<_> = before.lines().filter(|line| !all.contains(line)).collect();
        assert_eq!(all, before, "{text}: {differ:?}");
        assert!(ran.code == 2 && ran.err.contains("isn't its own") && ran.err.contains(says), "{says}: {ran:#?}");
    }
}

/// A history that puts statements together at run time, and needs no powers for them, is proven as a role that has none; nothing of
/// that role is in its set, or is left.
#[test]
fn what_nobody_can_read_runs_without_powers() {
    let Some(server) = Server::start() else { return };
    let before = server.all();
    let url = server.url("postgres", "", "");
    let text = "CREATE TABLE a (id int, who text);\nDO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['b', 'c'] LOOP\n\
        EXECUTE format('CREATE TABLE %I (id int)', t); END LOOP; END $$;\nCREATE TABLE gone (id int);\n";
    let later = "DROP TABLE gone;\nINSERT INTO a VALUES (1, current_user);\n";
    let project = Project::history(&[("1_a.sql", text), ("2_b.sql", later)]);
    let fine = ran(command(&project, "emit", &url).env_remove("CONSOLIDATE_TRUSTED"));
    assert_eq!(fine.code, 0, "{fine:#?}");
    let set = project.read("migrations/1_a.sql");
    assert!(!set.contains("consolidate_scratch") && set.contains("%I") && !set.contains("gone"), "{set}");
    assert_eq!(server.all(), before);
    for hostile in [
        "EXECUTE 'COPY a TO PRO' || reverse('MARG') || ' ''id''';",
        "EXECUTE 'SELECT pg_ls_' || reverse('rid') || '(''.'')';",
        "EXECUTE 'SELECT pg_reload_' || reverse('fnoc') || '()';",
    ] {
        let text = format!("CREATE TABLE a (id int);\nDO $$ BEGIN {hostile} END $$;\n");
        let project = Project::history(&[("1_a.sql", &text)]);
        let refused = ran(command(&project, "emit --dry-run", &url).env_remove("CONSOLIDATE_TRUSTED"));
        let says_why = refused.err.contains("1_a.sql:2: ") && refused.err.contains("can't be read before");
        assert!(refused.code == 2 && says_why, "{hostile}: {refused:#?}");
    }
    assert_eq!(server.all(), before);
}

/// `--trusted reach` opens what leaves the server, by name; what others have stays closed.
#[test]
fn a_trusted_history_may_reach_out_but_not_for_others() {
    let Some(server) = Server::start() else { return };
    let url = server.url("postgres", "", "");
    let reads = Project::history(&[("1_a.sql", "CREATE TABLE a AS SELECT pg_read_file('PG_VERSION') AS version;\n")]);
    let untrusted = ran(command(&reads, "emit --dry-run", &url).env_remove("CONSOLIDATE_TRUSTED"));
    assert!(
        untrusted.code == 2 && untrusted.err.contains("migrations.old/1_a.sql:1: pg_read_file()"),
        "{untrusted:#?}"
    );
    for scratch in [url.as_str(), "local"] {
        let trusted = ran(&mut command(&reads, "emit --dry-run --trusted reach", scratch));
        assert_eq!(trusted.code, 0, "{scratch}: {trusted:#?}");
    }
    let others = Project::history(&[("1_a.sql", "SELECT pg_reload_conf();\n")]);
    let closed = ran(&mut command(&others, "emit --dry-run --trusted reach", &url));
    assert!(closed.code == 2 && closed.err.contains("pg_reload_conf()"), "{closed:#?}");
}
