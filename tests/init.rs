//! `consolidate init` in projects whose migrations don't lie in `migrations/`: it finds them, and its configuration works.

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

const TWO: [(&str, &str); 2] =
    [("1_a.sql", "CREATE TABLE a (id int);\nCREATE TABLE draft (id int);\n"), ("2_b.sql", "DROP TABLE draft;\n")];

fn in_folders(folders: &[&str]) -> Project {
    let project = Project::empty();
    for folder in folders {
        TWO.iter().for_each(|(name, text)| project.write(&format!("{folder}/{name}"), text));
    }
    project
}

#[test]
fn the_only_folder_below_is_taken_and_the_set_goes_where_it_was() {
    let project = in_folders(&["crates/api/migrations", "tests/migrations"]);
    let ran = project.fine("init");
    assert!(ran.out.contains("2 files, 3 statements in crates/api/migrations (layout: sqlx)"), "{}", ran.out);
    assert!(ran.out.contains("moves crates/api/migrations to crates/api/migrations.old"), "{}", ran.out);
    assert!(ran.err.contains("tests/migrations  2 files, sqlx"), "{}", ran.err);
    let text = project.read("consolidate.toml");
    assert!(text.contains("\nold = \"crates/api/migrations.old\"\nnew = \"crates/api/migrations\"\n"), "{text}");
    project.fine("plan");
    project.fine("emit --in-place");
    assert!(!project.read("crates/api/migrations/1_a.sql").contains("draft"));
    project.fine("verify");
    project.fine("restore");
    assert_eq!(project.read("crates/api/migrations/1_a.sql"), TWO[0].1);
}

#[test]
fn of_several_folders_one_must_be_named() {
    let project = in_folders(&["a/migrations", "b/db/migrations"]);
    project.write("b/db/migrations/3_c.sql", "SELECT 1;\n");
    let said = project.refused(
        "init",
        &[
            "several folders here hold migrations:\n    b/db/migrations  3 files, sqlx\n    a/migrations     2 files, sqlx\n",
            "consolidate init --old b/db/migrations",
        ],
    );
    assert!(!said.contains("more"), "{said}");
    project.fine("init --old ./a/migrations/");
    assert!(project.read("consolidate.toml").contains("\nnew = \"a/migrations\"\n"));
}

#[test]
fn migrations_in_the_folder_itself_need_no_search() {
    let project = in_folders(&["migrations", "a/migrations"]);
    project.fine("init");
    let text = project.read("consolidate.toml");
    assert!(text.contains("\nold = \"migrations.old\"\nnew = \"migrations\"\n"), "{text}");
    project.fine("plan");
}

#[test]
fn a_set_is_not_taken_for_the_history_that_is_gone() {
    let project = in_folders(&["db/migrations"]);
    project.fine("init");
    project.fine("emit --in-place");
    std::fs::remove_dir_all(project.path("db/migrations.old")).expect("removed");
    project.refused("plan", &["can't read the folder db/migrations.old"]);
}

#[test]
fn tools_that_are_not_read_are_named() {
    let project = Project::empty();
    project.write("backend/alembic/env.py", "");
    project.write("backend/alembic/versions/1_a.py", "");
    project
        .refused("init", &["backend/alembic/versions/1_a.py:1: migrations of alembic", "alembic upgrade head --sql"]);
    let project = Project::empty();
    project.write("sqitch.plan", "");
    project.write("deploy/a.sql", "SELECT 1;\n");
    project.refused("init", &["error: sqitch.plan:1: a project of sqitch"]);
}

#[test]
fn a_folder_in_doubt_is_taken_once_its_layout_is_said() {
    let project = Project::empty();
    project.write("api/migrations/2_b/up.sql", "CREATE TABLE b (id int);\n");
    project.write("api/migrations/10_c/up.sql", "DROP TABLE b;\n");
    project.refused("init", &["api/migrations/2_b/up.sql:1: diesel runs 10_c before this", "--layout hasura"]);
    project.fine("init --layout hasura");
    project.fine("plan");
}

#[test]
fn reversible_files_of_a_rust_project_are_sqlxs() {
    let project = Project::empty();
    project.write("api/Cargo.toml", "[dependencies]\nsqlx = { version = \"0.8\" }\n");
    project.write("api/migrations/1_a.up.sql", "CREATE TABLE a (id int);\n");
    project.write("api/migrations/1_a.down.sql", "DROP TABLE a;\n");
    let ran = project.fine("init");
    assert!(ran.out.contains("layout: sqlx"), "{}", ran.out);
    project.fine("emit --in-place");
    assert!(project.read("api/migrations/1_a.up.sql").contains("CREATE TABLE a"));
}
