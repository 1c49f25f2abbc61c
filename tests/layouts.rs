//! Every folder of `fixtures/layouts` is a small history as one migration tool lays it out. Each is planned, consolidated
//! and verified by the program itself, on the embedded PostgreSQL.
//!
//! `expected.txt` holds what comes of it: which files are read, in which order and how they run, what the plan says, and
//! the files of the new set. To write it anew: `CONSOLIDATE_UPDATE=1 cargo test --release --test layouts`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod cli_support;

use cli_support::Project;
use consolidate::history;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// What stands in a history for the tool alone, and must not come into a new set.
const MARKS: &[&str] = &[
    "+goose",
    "+migrate",
    "migrate:",
    "statement-breakpoint",
    "Migration",
    "drop below",
    "Your SQL goes here",
    "Add migration script",
    "Custom SQL migration",
    "Warnings:",
    "no-transaction",
    "--!",
    "-- atlas:",
    "--changeset",
    "liquibase",
    "!Ups",
];

fn fixtures() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/layouts");
    let entries = fs::read_dir(folder).expect("fixtures");
    let mut found: Vec<(String, PathBuf)> = entries
        .map(|e| e.expect("an entry"))
        .map(|e| (e.file_name().into_string().expect("UTF-8"), e.path().join("migrations")))
        .collect();
    found.sort();
    found
}

fn copy(from: &Path, project: &Project, to: &str) {
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = format!("{to}/{}", path.file_name().expect("a name").to_str().expect("UTF-8"));
        if path.is_dir() {
            copy(&path, project, &name);
        } else {
            project.write(&name, fs::read(&path).expect("a file"));
        }
    }
}

/// What the reader made of a folder.
fn reading(folder: &Path) -> String {
    let history = history::read(folder).unwrap_or_else(|errors| panic!("{}: {errors:?}", folder.display()));
    let mut out = format!("layout {}\n", history.layout);
    for file in &history.files {
        let how = if file.in_transaction { "in a transaction" } else { "bare" };
        out.push_str(&format!("  {}  {} statements, {how}\n", file.name, file.statements.len()));
    }
    out
}

#[test]
fn every_layout_is_read_consolidated_and_proven() {
    let fixtures = fixtures();
    let layouts: Vec<&str> = history::layout::ALL.iter().map(|l| l.name()).collect();
    for layout in &layouts {
        assert!(fixtures.iter().any(|(name, _)| name == layout), "no fixture for {layout}");
    }
    let mut wrong = Vec::new();
    for (name, folder) in &fixtures {
        let project = Project::empty();
        let old = format!("{name}/migrations.old");
        copy(folder, &project, &old);
        let plan = project.fine(&format!("plan --old {old}")).out;
        assert!(plan.contains(&format!("layout: {name}")), "{name} is taken for another: {plan}");
        let by_name = project.fine(&format!("plan --old {old} --layout {name}")).out;
        assert_eq!(plan, by_name, "{name}: named, it is read otherwise");
        project.fine(&format!("emit --old {old}"));
        project.fine(&format!("verify --old {old} --layout {name}"));
        let mut set = String::new();
        for (path, text) in project.tree("migrations") {
            let path = path.to_str().expect("UTF-8").to_string();
            let text = String::from_utf8(text.unwrap_or_default()).expect("UTF-8");
            if !text.is_empty() && !path.starts_with('.') {
                set.push_str(&format!("== {path}\n{text}"));
            }
        }
        round_trip(name, &project, &old);
        let got = format!("{}\n{plan}\nnew set\n{set}", reading(&project.path(&old)));
        let snapshot = folder.with_file_name("expected.txt");
        if std::env::var_os("CONSOLIDATE_UPDATE").is_some() {
            fs::write(&snapshot, &got).expect("expected.txt");
        } else if fs::read_to_string(&snapshot).unwrap_or_default() != got {
            wrong.push(format!("== {name}\n{got}"));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

/// What was written is read as the layout that it is, without the marks for the tool, and consolidating it changes nothing.
/// Neither does writing it again; one layout, with the most beside its migrations, shows that for all.
fn round_trip(name: &str, project: &Project, old: &str) {
    if name == "drizzle" {
        let again = project.fine(&format!("emit --old {old}")).out;
        assert!(again.contains("nothing changed"), "{name}: {again}");
    }
    let read = history::read(&project.path("migrations")).unwrap_or_else(|e| panic!("{name}: {e:?}"));
    assert_eq!(read.layout.name(), name, "the new set is taken for another layout");
    for file in &read.files {
        let mark = MARKS.iter().find(|m| file.text.contains(*m));
        assert!(mark.is_none(), "{name}: {} holds a mark of the tool, {mark:?}:\n{}", file.name, file.text);
    }
    project.fine("emit --old migrations --new again");
    let manifest = Path::new(history::MANIFEST);
    let (mut set, mut again) = (project.tree("migrations"), project.tree("again"));
    // The manifests name different histories.
    assert!(set.remove(manifest).is_some() && again.remove(manifest).is_some(), "{name}: no manifest");
    assert!(set == again, "{name}: consolidated again, it is another set");
}

/// Python and Alembic need not be there: a stand-in says what they would. tests/real_tools runs them.
#[test]
#[cfg(unix)]
fn alembics_revisions_are_rendered_by_the_projects_python_if_asked() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::empty();
    let revision = "\"\"\"a\"\"\"\nfrom alembic import op\n\nrevision: str = \"a1\"\ndown_revision = None\n";
    project.write("alembic/versions.old/a1_books.py", revision);
    project
        .refused("plan --old alembic/versions.old", &["whose migrations are code of the project", "--layout alembic"]);
    project
        .refused("plan --old alembic/versions.old --layout alembic", &["no env.py beside it", "alembic/versions.old"]);
    project.write("alembic/env.py", "");
    let answer = r#"[{"path": "a1_books.py", "revision": "a1", "doc": "Books, all", "bare": false,
        "sql": "CREATE TABLE book (id int);\n\nCREATE TABLE draft (id int);\n\nDROP TABLE draft;\n\n"}]"#;
    let answer = answer.replace('\n', "");
    let plan = |script: &str| {
        project.write("python", format!("#!/bin/sh\n{script}\n"));
        let path = project.path("python");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it may run");
        let mut command = project.command("plan --old alembic/versions.old --layout alembic --format json");
        cli_support::ran(command.env("CONSOLIDATE_PYTHON", path))
    };
    let said = plan(&format!("echo from env.py; cat <<'END'\n{answer}\nEND"));
    assert_eq!(said.code, 0, "{said:#?}");
    let plan_of: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(plan_of["layout"], "alembic");
    assert_eq!(plan_of["totals"]["statements"]["before"], 3);
    assert_eq!(plan_of["totals"]["statements"]["after"], 1);
    project.refused("plan --old alembic --layout alembic", &["folder of its env.py", "--old alembic/versions.old"]);
    let said = plan("echo 'a1_books.py: KeyError: x' >&2; exit 1");
    assert!(
        said.code == 2 && said.err.contains("can't print the SQL") && said.err.contains("KeyError: x"),
        "{said:#?}"
    );
}

#[test]
fn graphile_migrates_other_files_stay_and_its_hashes_follow() {
    let project = Project::empty();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/layouts/graphile-migrate/migrations");
    copy(&folder, &project, "migrations");
    project.write("migrations/afterReset.sql", "CREATE TABLE of_reset ();\n");
    project.write("migrations/current.sql", "CREATE TABLE current ();\n");
    let said = project.fine("emit --in-place --old migrations");
    assert!(said.err.contains("current.sql:1: it isn't committed yet") && !said.err.contains("afterReset"), "{said:?}");
    for folder in ["migrations", "migrations.old"] {
        assert!(project.read(&format!("{folder}/current.sql")).contains("current ()"));
        assert!(project.read(&format!("{folder}/afterReset.sql")).contains("of_reset"));
    }
    assert!(project.fine("emit --old migrations.old").out.contains("nothing changed"));
    project.fine("restore");
    project.fine("emit --old migrations --new part --from 000002");
    let (kept, end) =
        (project.read("part/committed/000001-books.sql"), project.read("part/committed/000002-title.sql"));
    assert_eq!(kept, project.read("migrations/committed/000001-books.sql"));
    let hash = kept.lines().find_map(|l| l.strip_prefix("--! Hash: ")).expect("a hash");
    assert!(end.starts_with(&format!("--! Previous: {hash}\n")), "{end}");
    let texts = ["committed/000003.sql:1: the file before it has the hash", "--from"];
    project.refused("emit --old migrations --new part --force --through 000002", &texts);
    project.refused("plan --old migrations/committed", &["--old migrations"]);
}

#[test]
fn a_layout_that_does_not_exist_is_named_with_those_that_do() {
    let project = Project::small();
    let ran = project.run("plan --layout goos");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("goose") && ran.err.contains("flyway"), "{}", ran.err);
    project.write("consolidate.toml", "old = \"migrations.old\"\nlayout = \"goos\"\n");
    project.refused("plan", &["consolidate.toml:2", "no layout is called \"goos\"", "goose"]);
}

#[test]
fn the_setting_and_the_flag_say_the_layout() {
    let project = Project::history(&[("V1__a.sql", "CREATE TABLE a ();\n"), ("V2__b.sql", "DROP TABLE a;\n")]);
    assert_eq!(project.json("plan", 0)["layout"], "flyway");
    project.write("consolidate.toml", "layout = \"refinery\"\n");
    assert_eq!(project.json("plan", 0)["layout"], "refinery");
    assert_eq!(project.json("plan --layout plain", 0)["layout"], "plain");
    project.refused("plan --layout prisma", &["holds no migrations as prisma names them, but V1__a.sql", "--layout"]);
}

#[test]
fn init_writes_the_layout_that_it_finds() {
    let project = Project::history(&[("1_a.sql", "-- migrate:up\nCREATE TABLE a ();\n-- migrate:down\n")]);
    let said = project.fine("init").out;
    assert!(said.contains("layout: dbmate"), "{said}");
    assert!(project.read("consolidate.toml").contains("\n# layout = \"dbmate\"\n"));
    project.fine("plan");
    let project = Project::history(&[("V1__a.sql", "CREATE TABLE a ();\n")]);
    project.fine("init --layout refinery");
    assert!(project.read("consolidate.toml").contains("\nlayout = \"refinery\"\n"));
}

#[test]
fn what_a_tool_would_refuse_is_refused_with_its_place() {
    let goose = Project::history(&[
        ("1_a.sql", "-- +goose Up\nCREATE TABLE a ();\n"),
        ("2_b.sql", "CREATE TABLE b ();\n"),
        ("3_c.sql", "-- +goose Up\nCREATE TABL c ();\n"),
    ]);
    let texts =
        ["migrations.old/2_b.sql:1: no line -- +goose Up", "--layout", "migrations.old/3_c.sql:2:8: syntax error"];
    goose.refused("plan", &texts);
    let journal = "{\n \"dialect\": \"postgresql\",\n \"entries\": [\n  {\"idx\": 0, \"tag\": \"0000_a\"}\n ]\n}\n";
    let missing = Project::history(&[("0001_b.sql", "SELECT 1;\n"), ("meta/_journal.json", journal)]);
    missing.refused("emit", &["migrations.old/meta/_journal.json:4: the journal names 0000_a.sql"]);
    let broken =
        Project::history(&[("0000_a.sql", "SELECT 1;\n"), ("meta/_journal.json", "{\n \"entries\": [,]\n}\n")]);
    broken.refused("plan", &["migrations.old/meta/_journal.json:2: the journal can't be read"]);
    let two = Project::history(&[("mysql/1_a.up.sql", "SELECT 1;\n"), ("postgres/1_a.up.sql", "SELECT 1;\n")]);
    two.refused("plan", &["files of several engines lie here", "--old migrations.old/postgres"]);
    let two = Project::history(&[("a/1_a.up.sql", "SELECT 1;\n"), ("b/1_a.up.sql", "SELECT 1;\n")]);
    two.refused("plan", &["folders a/ and b/", "--old migrations.old/b"]);
    let unknown = Project::history(&[("a/x.sql", "SELECT 1;\n"), ("b/x.sql", "SELECT 1;\n")]);
    unknown.refused("plan", &["a/ (1), b/ (1)", "--old"]);
}

#[test]
fn folders_that_two_tools_run_in_different_orders_are_not_guessed() {
    let project = Project::history(&[
        ("1_init/up.sql", "CREATE TABLE a (id int);\n"),
        ("2_b/up.sql", "ALTER TABLE a ADD b int;\n"),
        ("10_c/up.sql", "ALTER TABLE a DROP b;\n"),
    ]);
    project.refused("plan", &["migrations.old/2_b/up.sql:1: diesel runs 10_c before", "--layout diesel", "hasura"]);
    assert_eq!(project.json("plan --layout hasura", 0)["layout"], "hasura");
    project.write("config.yaml", "version: 3\n");
    assert_eq!(project.json("plan", 0)["layout"], "hasura");
    project.fine("emit");
    assert!(project.tree("migrations").keys().any(|path| path.ends_with("10_init/up.sql")), "the last version is kept");
}

#[test]
fn a_tool_that_is_not_known_is_not_taken_for_another() {
    let text = "-- // create a\nCREATE TABLE a (id int);\n\n-- //@UNDO\nDROP TABLE a;\n";
    let mybatis = Project::history(&[("20200101000000_a.sql", text)]);
    mybatis.refused("plan", &["migrations.old/20200101000000_a.sql:4: a file of MyBatis Migrations"]);
    let sqitch = Project::history(&[("deploy/a.sql", "SELECT 1;\n"), ("sqitch.plan", "%syntax-version=1.0.0\n")]);
    sqitch.refused("plan", &["migrations.old/sqitch.plan:1: a project of sqitch"]);
    sqitch.refused("plan --old migrations.old/deploy", &["a project of sqitch"]);
    let alembic = Project::history(&[("env.py", ""), ("versions/a.py", "")]);
    alembic.refused("plan", &["migrations of alembic", "alembic upgrade head --sql"]);
    alembic.refused("init", &["migrations of alembic", "alembic upgrade head --sql"]);
}

/// Version 1 of drizzle refuses a journal, and knows a migration by its folder.
#[test]
fn drizzles_folders_stay_folders_and_the_chain_of_snapshots_stays_whole() {
    let project = Project::empty();
    let row = |name: &str, not_null: bool| json!({ "schema": "public", "table": "a", "name": name, "notNull": not_null, "entityType": "columns" });
    let snapshot = |id: &str, before: &str| json!({ "version": "9", "dialect": "postgres", "id": id, "prevIds": [before], "footprints": [] });
    let mut first = snapshot("1", "00000000-0000-0000-0000-000000000000");
    (first["type"], first["ddl"]) = ("base".into(), json!([row("x", true)]));
    let diff = |id: &str, before: &str, delta: serde_json::Value| {
        let mut next = snapshot(id, before);
        (next["type"], next["deltas"]) = ("diff".into(), json!([delta]));
        next
    };
    let key = "columns\0[\"public\",\"a\",\"x\"]";
    let second = diff("2", "1", json!({ "op": "create", "row": row("y", false) }));
    let third = diff("3", "2", json!({ "op": "alter", "key": key, "set": { "notNull": false } }));
    for (folder, sql, snapshot) in [
        ("20260101000000_a", "CREATE TABLE a (x integer NOT NULL);", &first),
        ("20260102000000_b", "ALTER TABLE a ADD COLUMN y integer;--> statement-breakpoint\nSELECT 1;", &second),
        ("20260103000000_c", "ALTER TABLE a ALTER COLUMN x DROP NOT NULL;", &third),
    ] {
        project.write(&format!("migrations.old/{folder}/migration.sql"), sql);
        project.write(&format!("migrations.old/{folder}/snapshot.json"), snapshot.to_string());
    }
    assert_eq!(project.json("plan", 0)["layout"], "drizzle");
    project.fine("emit");
    project.fine("verify");
    let tree = project.tree("migrations");
    let files: Vec<String> =
        tree.iter().filter(|(_, bytes)| bytes.is_some()).map(|(p, _)| p.display().to_string()).collect();
    let folder = "20260103000000_a";
    assert_eq!(files, [".consolidate", &format!("{folder}/migration.sql"), &format!("{folder}/snapshot.json")]);
    let read = |path: &str| serde_json::from_str::<serde_json::Value>(&project.read(path)).expect("JSON");
    let whole = read(&format!("migrations/{folder}/snapshot.json"));
    let mut wanted = snapshot("3", "00000000-0000-0000-0000-000000000000");
    (wanted["type"], wanted["ddl"]) = ("base".into(), json!([row("x", false), row("y", false)]));
    assert_eq!(whole, wanted);
    project.fine("emit --new part --from 20260102000000");
    let part = read("part/20260102000000_b/snapshot.json");
    assert_eq!((&part["id"], &part["prevIds"]), (&json!("3"), &json!(["1"])));
    assert_eq!(part["deltas"].as_array().map(Vec::len), Some(2));
    assert_eq!(project.read("part/20260101000000_a/snapshot.json"), first.to_string());
    project.fine("emit --new part --force --through 20260102000000");
    assert_eq!(read("part/20260101000000_a/snapshot.json")["id"], "2");
}

#[test]
fn a_changelog_names_the_files_of_the_new_set() {
    let project = Project::empty();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/layouts/liquibase/migrations");
    copy(&folder, &project, "migrations.old");
    project.fine("emit");
    let set = history::read(&project.path("migrations")).expect("a set");
    let names: Vec<&str> = set.files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["books.sql", "changes/001-mood.sql"]);
    assert!(project.read("migrations/db.changelog-master.yaml").contains("file: \"books.sql\""));
    let text = project.read("migrations/books.sql");
    assert!(
        text.starts_with("--liquibase formatted sql logicalFilePath:books.sql\n\n--changeset consolidate:"),
        "{text}"
    );
    let context = "--liquibase formatted sql\n--changeset ann:1 context:test\nSELECT 1;\n";
    project.write("migrations.old/books.sql", context);
    project.refused("plan", &["migrations.old/books.sql:2: ann:1 runs only where the context is \"test\""]);
}

#[test]
fn frameworks_without_sql_are_named_with_the_way_to_it() {
    let project = Project::empty();
    project.write("db/migrate/20200101000000_a.rb", "class A < ActiveRecord::Migration[7.0]\nend\n");
    project
        .refused("plan --old db/migrate", &["20200101000000_a.rb:1: migrations of Rails", "bin/rails db:schema:dump"]);
    project.refused("init", &["migrations of Rails"]);
}

#[test]
fn files_that_undo_the_one_beside_them_are_left_out() {
    let project = Project::history(&[
        ("sqls/20200101000000-a-up.sql", "CREATE TABLE a (id int);\n"),
        ("sqls/20200101000000-a-down.sql", "DROP TABLE a;\n"),
    ]);
    let plan = project.json("plan", 0);
    assert_eq!(plan["totals"]["statements"]["before"], 1);
    project.fine("emit");
    assert!(project.read("migrations/sqls/20200101000000-a-up.sql").contains("CREATE TABLE a"));
}

#[test]
fn a_history_that_leaves_nothing_is_named() {
    let project = Project::history(&[("1_a.sql", "CREATE TABLE a (id int);\nDROP TABLE a;\n")]);
    assert!(project.fine("plan").out.contains("1_a.sql:1: nothing of the history is in the new set"));
    assert!(project.fine("emit").err.contains("1_a.sql:1: nothing of the history is in the new set"));
    assert!(!Project::small().fine("plan").out.contains("nothing of the history"));
}

#[test]
fn steps_that_are_not_sql_are_named_before_a_proof_too() {
    let project = Project::history(&[("1_a.sql", "CREATE TABLE a (id int);\n"), ("2_fill.ts", "")]);
    let ran = project.fine("emit");
    assert!(ran.err.contains("2_fill.ts:1: a step that isn't SQL"), "{}", ran.err);
    let ran = project.fine("verify");
    assert!(ran.err.contains("2_fill.ts:1: a step that isn't SQL"), "{}", ran.err);
}

#[test]
fn a_statement_is_explained_by_its_folder() {
    let project = Project::history(&[
        ("2020-01-01-000000_a/up.sql", "CREATE TABLE a (id int);\n"),
        ("2020-01-02-000000_b/up.sql", "DROP TABLE a;\n"),
    ]);
    for place in ["migrations.old/2020-01-01-000000_a/up.sql:1", "2020-01-01-000000_a/up.sql:1", "20200101000000:1"] {
        let said = project.fine(&format!("plan --explain {place}")).out;
        assert!(said.starts_with("2020-01-01-000000_a/up.sql:1"), "{said}");
    }
}
