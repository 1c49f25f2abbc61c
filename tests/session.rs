//! The session at the end of each file is a part of what is the same: the judge compares it, and a set gives back or leaves
//! it as the history does, so that the migration tool can go on on the same connection.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod cli_support;
mod proof_support;
mod trap_support;

use cli_support::Project;
use consolidate::config::Config;
use consolidate::emit::{prove, set_files};
use consolidate::history;
use consolidate::proof::{
    Class, Database, ReplayFile, ReplayStatement, Settings, Silent, Verdict, VerdictKind, replay, verify,
};
use proof_support::{file, set};
use trap_support::{of_each, traps};

fn one_session() -> Settings {
    Settings { one_session: true, ..Settings::default() }
}

fn judged(old: &[ReplayFile], new: &[ReplayFile], settings: &Settings) -> Verdict {
    verify(old, new, settings, &Silent).unwrap_or_else(|(side, error)| panic!("{side}: {error}"))
}

/// What is reported of the sessions of two sets, and that nothing else is.
fn reported(old: &[&str], new: &[&str]) -> Vec<String> {
    let verdict = judged(&set(old), &set(new), &one_session());
    let differences = verdict.comparison.differences;
    assert!(differences.iter().all(|d| d.class == Class::Session && d.file.is_some()), "{differences:#?}");
    differences.into_iter().map(|d| d.object).collect()
}

/// What both sides have, what one of them says besides, and what of the session is then not the same.
const LEFT: &[(&str, &[&str])] = &[
    ("SET search_path = app", &["search_path"]),
    ("SELECT set_config('search_path', 'app', false)", &["search_path"]),
    ("DO $$ BEGIN SET search_path = app; END $$", &["search_path"]),
    ("SELECT sets_path()", &["search_path"]),
    ("SET ROLE clerk", &["role"]),
    ("SET SESSION AUTHORIZATION clerk", &["session_authorization"]),
    ("SET SESSION AUTHORIZATION clerk; SET ROLE NONE", &["session_authorization"]),
    ("SET check_function_bodies = off", &["check_function_bodies"]),
    ("SET statement_timeout = '90s'; SET row_security = off", &["row_security", "statement_timeout"]),
    ("SET default_table_access_method = heap2", &["default_table_access_method"]),
    ("SET default_tablespace = pg_default", &["default_tablespace"]),
    ("SET TIME ZONE 'Europe/Oslo'", &["TimeZone"]),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", &["default_transaction_isolation"]),
    ("SET \"shop\".tenant = 'north'", &["shop.tenant"]),
    ("SELECT set_config('shop.tenant', 'north', false)", &["shop.tenant"]),
];

/// What is said and leaves nothing.
const NOT_LEFT: &[&str] = &[
    "SET search_path = app; RESET search_path",
    "SET search_path = app; SET search_path TO DEFAULT",
    "SET search_path = app; SET search_path = \"$user\", public",
    "SET search_path = app; SET row_security = off; RESET ALL",
    "SET ROLE clerk; SET ROLE NONE",
    "SET ROLE clerk; RESET SESSION AUTHORIZATION",
    "SET LOCAL search_path = app; SET LOCAL search_path = public, pg_catalog; SELECT set_config('search_path', '\"$user\", public', true)",
    "SET shop.tenant = 'north'; RESET shop.tenant",
    "CREATE FUNCTION f() RETURNS int SET search_path = app LANGUAGE sql AS 'SELECT 1'; SELECT f(); DROP FUNCTION f()",
    "CREATE TEMP TABLE scratch (); DROP TABLE scratch",
    "CREATE TEMP TABLE scratch () ON COMMIT DROP",
    "PREPARE p AS SELECT 1; DEALLOCATE p",
    "LISTEN news; UNLISTEN news",
    "SELECT pg_advisory_xact_lock(1)",
];

/// What only the connection has besides settings.
const BEHIND: &[(&str, &str)] = &[
    ("CREATE TEMP TABLE scratch (a int)", "temporary table scratch"),
    ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "temporary function f"),
    ("PREPARE p AS SELECT 1", "prepared statement p"),
    ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "cursor c"),
    ("LISTEN news", "channel listened to news"),
    ("SELECT pg_advisory_lock(7)", "advisory lock 0 7 1 ExclusiveLock"),
];

const BASE: &str = "CREATE SCHEMA app; CREATE ROLE clerk; CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
    CREATE FUNCTION sets_path() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 'app', false); END $$";

/// Every case is a file of one replay, and after each the session is begun anew.
#[test]
fn what_each_file_leaves_is_seen() {
    let mut files = set(&[BASE]);
    let mut expected: Vec<(&str, Vec<String>)> = vec![(BASE, Vec::new())];
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let left = LEFT.iter().map(|(says, left)| (*says, names(left)));
    let not = NOT_LEFT.iter().map(|says| (*says, Vec::new()));
    let behind = BEHIND.iter().map(|(says, thing)| (*says, names(&[thing])));
    for (says, left) in left.chain(not).chain(behind) {
        files.push(file("case.sql", says, true));
        files.push(file("anew.sql", "DISCARD ALL", false));
        expected.extend([(says, left), ("DISCARD ALL", Vec::new())]);
    }
    let seen = replay("old", &files, &one_session(), &Silent).expect("it replays").sessions.expect("it was watched");
    assert_eq!(seen.len(), expected.len());
    for (end, (says, expected)) in seen.iter().zip(expected) {
        let found: Vec<String> = end.after.settings.keys().chain(&end.after.things).cloned().collect();
        assert_eq!(found, expected, "{says}");
    }
}

#[test]
fn what_the_last_file_leaves_is_compared_both_ways() {
    let says = "SET search_path = app; SET shop.tenant = 'north'; SET statement_timeout = '90s'; SET SESSION AUTHORIZATION clerk";
    let (plain, said) = ([BASE, "SELECT 1"], [BASE, says]);
    let names = ["search_path", "session_authorization", "shop.tenant", "statement_timeout"];
    let expected = names.map(|name| format!("{name} in the session at the end, after 2.sql"));
    assert_eq!(reported(&plain, &said), expected);
    assert_eq!(reported(&said, &plain), expected);
}

#[test]
fn only_the_new_set_may_not_leave_more_than_settings_behind() {
    let says = BEHIND.iter().map(|(says, _)| *says).collect::<Vec<_>>().join("; ");
    let (plain, said) = ([BASE, "SELECT 1"], [BASE, says.as_str()]);
    let mut expected: Vec<String> =
        BEHIND.iter().map(|(_, thing)| format!("{thing} in the session after 2.sql")).collect();
    expected.sort();
    assert_eq!(reported(&plain, &said), expected);
    let verdict = judged(&set(&said), &set(&plain), &one_session());
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison.differences);
    for (_, thing) in BEHIND {
        assert!(verdict.comparison.notes.iter().any(|note| note.contains(thing)), "{:?}", verdict.comparison.notes);
    }
}

/// Files don't match from set to set: each of the new ones must end in a way in which the old set began or went on.
#[test]
fn each_file_ends_as_some_file_of_the_history() {
    let (make, path, back) = ("CREATE SCHEMA app", "SET search_path = app", "RESET search_path");
    let old = [make, path, back];
    assert_eq!(reported(&old, &["CREATE SCHEMA app; SET search_path = app", "RESET search_path"]), [""; 0]);
    assert_eq!(
        reported(&old, &["CREATE SCHEMA app; SET search_path = pg_catalog", "RESET search_path"]),
        ["search_path in the session after 1.sql"]
    );
    // The tool says that the file has run before it commits.
    let local = "CREATE SCHEMA app; SET LOCAL search_path = app";
    assert_eq!(reported(&[make], &[local]), ["search_path in the session after 1.sql"]);
    assert_eq!(reported(&[local], &[local, "SET LOCAL search_path = app"]), [""; 0]);
}

/// Path and role together make the session in which a tool could go on.
#[test]
fn a_path_of_one_file_and_a_role_of_another_are_no_session_of_the_history() {
    let base = "CREATE SCHEMA app; CREATE ROLE clerk";
    let old = [base, "SET search_path = app", "RESET search_path; SET ROLE clerk", "RESET ROLE"];
    let new = [base, "SET search_path = app; SET ROLE clerk", "RESET search_path; RESET ROLE"];
    let expected = ["role in the session after 2.sql", "search_path in the session after 2.sql"];
    assert_eq!(reported(&old, &new), expected);
}

/// Some tools give back what a file set: the files to come can't tell.
#[test]
fn what_the_tool_gives_back_is_not_left() {
    let with = |before: &str, texts: &[&str]| -> Vec<ReplayFile> {
        set(texts).into_iter().map(|file| ReplayFile { before: vec![before.into()], ..file }).collect()
    };
    let old = with("RESET ALL", &["CREATE SCHEMA app; CREATE ROLE clerk", "SET search_path = app"]);
    let new = with("RESET ALL", &["CREATE SCHEMA app; CREATE ROLE clerk; SET LOCAL search_path = app"]);
    assert_eq!(judged(&old, &new, &one_session()).kind, VerdictKind::Identical);
    let role = with("RESET ALL", &["CREATE SCHEMA app; CREATE ROLE clerk; SET ROLE clerk"]);
    assert_eq!(judged(&old, &role, &one_session()).kind, VerdictKind::Different);
    // Handed over from a tool that gives nothing back to one that does.
    let left = set(&["CREATE SCHEMA app; CREATE ROLE clerk", "SET search_path = app"]);
    assert_eq!(judged(&left, &new, &one_session()).kind, VerdictKind::Identical);
    assert_eq!(judged(&new, &left, &one_session()).kind, VerdictKind::Different);
}

#[test]
fn the_report_says_that_files_depend_on_one_session() {
    let old = ["CREATE SCHEMA app; SET search_path = app", "CREATE TABLE t ()"];
    let new = ["CREATE SCHEMA app; CREATE TABLE app.t (); SET search_path = app"];
    let verdict = judged(&set(&old), &set(&new), &one_session());
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison.differences);
    let note = "1.sql leaves search_path changed for the files after it";
    assert!(verdict.comparison.notes[0].starts_with(note), "{:?}", verdict.comparison.notes);
    assert_eq!(verdict.comparison.compared.sessions, 2);
}

/// sqlx writes down in the file's transaction, on the same connection and by an unqualified name, that it has run; others do
/// so after it. Whatever the history is, a set on which this fails breaks the tool.
#[test]
fn the_tool_can_write_down_that_a_file_has_run() {
    let settings = Settings { prelude: set(&["CREATE TABLE _sqlx_migrations (version bigint)"]), ..one_session() };
    let insert =
        || ReplayStatement { line: 1, text: "INSERT INTO _sqlx_migrations VALUES (1)".into(), copy_data: None };
    let recorded = |files: Vec<ReplayFile>| -> Vec<ReplayFile> {
        let outside =
            |name: &str| ReplayFile { name: name.into(), statements: vec![insert()], ..ReplayFile::default() };
        let with = |mut file: ReplayFile| {
            file.statements.push(insert());
            let after = outside(&format!("after {}", file.name));
            [file, after]
        };
        files.into_iter().flat_map(with).collect()
    };
    let without = recorded(set(&["CREATE SCHEMA app; SET search_path = app"]));
    assert!(replay("new", &without, &settings, &Silent).is_err(), "the test would see nothing");
    let given_back: Vec<_> = traps().into_iter().filter(|t| t.to_string_lossy().ends_with("-given-back")).collect();
    let recorded = of_each(&given_back, |_, trap| {
        let history = history::read(&trap.join("migrations")).expect("a history");
        let model = consolidate::replay::replay(&history);
        let proven = prove(&history, &model, &Config::default(), &one_session(), &Silent).expect("a set");
        replay("new", &recorded(set_files(&proven.set)), &settings, &Silent).map(drop)
    });
    assert!(recorded.len() >= 3 && recorded.iter().all(|(_, outcome)| outcome.is_ok()), "{recorded:#?}");
}

/// The set of one file and its statements, without heading.
fn emitted(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let texts: Vec<(String, String)> = files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
    let history = history::from_texts(std::path::Path::new(""), &texts).expect("a history");
    let model = consolidate::replay::replay(&history);
    let proven = prove(&history, &model, &Config::default(), &one_session(), &Silent).expect("a set");
    let texts = |file: &ReplayFile| file.statements.iter().map(|s| s.text.clone()).collect();
    set_files(&proven.set).iter().map(texts).collect()
}

#[test]
fn a_set_gives_back_or_leaves_what_its_history_does() {
    let table = "CREATE TABLE t (\n    a int\n)";
    let late = "CREATE TABLE t (\n    a int\n);\nCREATE TABLE u (\n    a int\n);\nDROP TABLE u;\n";
    let given_back = format!("CREATE SCHEMA app;\nSET search_path = app;\n{late}RESET search_path;\n");
    assert_eq!(
        emitted(&[("0001_a.sql", &given_back)]),
        [["CREATE SCHEMA app", "SET search_path = app", table, "RESET search_path"]]
    );
    let left = format!("CREATE SCHEMA app;\n{late}SET search_path = app;\nSET lock_timeout = '3s';\n");
    assert_eq!(
        emitted(&[("0001_a.sql", &left)]),
        [["CREATE SCHEMA app", table, "SET search_path = app", "SET lock_timeout = '3s'"]]
    );
    // What is as it was anyway is not said.
    let dump = format!("SET lock_timeout = 0;\nSET client_min_messages = warning;\n{late}RESET client_min_messages;\n");
    assert_eq!(emitted(&[("0001_a.sql", &dump)]), [[table]]);
    // A function sets it for good; the set's files end as the history's do.
    let calls = "CREATE FUNCTION go() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('work_mem', '8MB', false); END $$;\n\
        SELECT go();\nDROP FUNCTION go();\n";
    let set = emitted(&[("0001_a.sql", &format!("{calls}{late}"))]);
    assert!(set[0].iter().any(|text| text.contains("work_mem")), "{set:?}");
}

const APART: [(&str, &str); 2] = [
    (
        "0001_app.sql",
        "CREATE SCHEMA app;\nSET search_path = app;\nCREATE TABLE t (id int);\nALTER TABLE t ADD COLUMN a int;\n",
    ),
    ("0002_public.sql", "CREATE TABLE t (id int);\nALTER TABLE t ADD COLUMN b int;\n"),
];

/// In one session the second file fails; it was run by itself when it was new.
#[test]
fn a_history_that_replays_only_file_by_file_is_replayed_so_and_the_report_says_it() {
    let project = Project::history(&APART);
    let value = project.json("emit", 0);
    let said = |value: &serde_json::Value| value["notes"].to_string();
    assert!(
        said(&value).contains("in a session of its own") && said(&value).contains("0002_public.sql:1"),
        "{value:#}"
    );
    let text = project.read("migrations/0001_app.sql") + &project.read("migrations/0002_public.sql");
    assert!(text.contains("RESET search_path") && text.contains("b int"), "{text}");
    let value = project.json("verify", 0);
    assert!(said(&value).contains("in a session of its own"), "{value:#}");
    // The tool runs the new set at once, on a new database.
    project.write("migrations/0001_app.sql", text + "SET search_path = app;\n");
    project.write("migrations/0002_public.sql", "SELECT 1;");
    assert_eq!(project.run("verify").code, 1);
}

#[test]
fn sessions_are_the_same_on_the_postgresql_of_this_machine() {
    let Ok(database) = Database::local(None) else { return eprintln!("skipped: no programs") };
    let settings = Settings { database, ..one_session() };
    let kept = "CREATE SCHEMA app; CREATE ROLE clerk; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app', current_database()); END $$";
    for (old, new, same) in [
        ("SET search_path = app", "RESET search_path", false),
        ("SET SESSION AUTHORIZATION clerk; RESET SESSION AUTHORIZATION", "SELECT 1", true),
        ("SET SESSION AUTHORIZATION clerk", "SET ROLE clerk", false),
        ("DISCARD ALL", "SELECT 1", true),
    ] {
        let side = |text: &str| [file("1.sql", kept, true), file("2.sql", text, false)];
        let verdict = judged(&side(old), &side(new), &settings);
        assert_eq!(
            verdict.kind == VerdictKind::Identical,
            same,
            "{old} / {new}: {:#?}",
            verdict.comparison.differences
        );
    }
}
