//! What reports say is so: places, names of files, counts, hints.

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

/// A key that only the replayed history shows, and that folds into its table when the set settles.
fn stated() -> Project {
    let project = Project::history(&[
        ("0001_a.sql", "CREATE TABLE a (id int NOT NULL, note text);\nCREATE TABLE b (id int NOT NULL);\n"),
        (
            "0002_b.sql",
            "DO $$\nDECLARE t text;\nBEGIN\n    FOREACH t IN ARRAY ARRAY['a', 'b'] LOOP\n        \
             EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (id)', t);\n    END LOOP;\nEND $$;\n\
             DROP TABLE b;\nALTER TABLE a ADD COLUMN c int;\n",
        ),
    ]);
    project.write(
        "consolidate.toml",
        "[emit]\nfirst_version = \"0100\"\n\n[[file]]\nname = \"all\"\nkinds = [\"table\"]\n",
    );
    project
}

#[test]
fn annotations_name_no_file_of_the_set_itself() {
    let project = stated();
    project.fine("emit --annotate");
    let set = project.read("migrations/0100_all.sql");
    assert!(set.contains("-- 0001_a.sql:1, 0002_b.sql:9\nCREATE TABLE a"), "{set}");
    assert!(set.contains("a_pkey"), "the key isn't in the table: {set}");
}

#[test]
fn annotations_of_a_part_name_files_as_they_are_called() {
    let project = Project::empty();
    let up = |name: &str, text: &str| project.write(&format!("migrations.old/{name}.up.sql"), text);
    up("000001_a", "CREATE TABLE a (id int NOT NULL);\n");
    up("000002_b", "CREATE TABLE b (id int);\nCREATE TABLE c (id int);\n");
    up("000003_c", "DROP TABLE c;\nALTER TABLE b ADD COLUMN x int;\n");
    project.fine("emit --from 000002 --annotate");
    let set = project.read("migrations/000002_b.up.sql");
    assert!(set.contains("-- 000002_b.up.sql:1, 000003_c.up.sql:2\nCREATE TABLE b"), "{set}");
}

/// What is said to be stated is counted, before and after a set settles.
#[test]
fn counts_add_up() {
    for (project, objects) in [(stated(), 1), (Project::small(), 2)] {
        let report = project.json("emit", 0);
        let rungs: Vec<u64> = ["as_written", "folded", "as_stated", "as_happened"]
            .iter()
            .map(|rung| report["rungs"][rung].as_u64().expect("a number"))
            .collect();
        assert_eq!(rungs.iter().sum::<u64>(), objects, "{report:#}");
        let lowered = report["lowered"].as_array().expect("a list");
        let stated = lowered.iter().filter(|l| l["how"] == "stated" && l["along"] == false).count();
        assert_eq!(stated as u64, rungs[2], "{report:#}");
    }
    let text = stated().fine("emit").out;
    assert!(text.contains("0 as written, 0 folded, 1 as PostgreSQL states them"), "{text}");
    assert_eq!(text.matches("stated: ").count(), 1, "{text}");
}

/// A setting that goes along with the object that PostgreSQL states isn't counted, and said to go with it.
#[test]
fn what_goes_along_is_told_apart() {
    let project = Project::history(&[
        ("1_a.sql", "CREATE TABLE a (id int);\nALTER TABLE a ENABLE ROW LEVEL SECURITY;\nCREATE TABLE b (id int);\n"),
        (
            "2_b.sql",
            "DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN x int', 'a'); \
             EXECUTE format('ALTER TABLE %I ADD COLUMN x int', 'b'); END $$;\nDROP TABLE b;\n",
        ),
    ]);
    let report = project.json("emit", 0);
    let lowered = report["lowered"].as_array().expect("a list");
    let stated = lowered.iter().filter(|l| l["how"] == "stated" && l["along"] == false).count();
    assert_eq!(Some(stated as u64), report["rungs"]["as_stated"].as_u64(), "{report:#}");
}

#[test]
fn a_summary_names_the_files_that_were_written() {
    let project = Project::empty();
    let old = |name: &str, text: &str| project.write(&format!("migrations.old/{name}"), text);
    old("1_a.up.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n");
    old("1_a.down.sql", "DROP TABLE b;\nDROP TABLE a;\n");
    old("2_b.up.sql", "DROP TABLE b;\n");
    old("2_b.down.sql", "CREATE TABLE b (id int);\n");
    old("3_c.up.sql", "CREATE TABLE c (id int);\n");
    old("3_c.down.sql", "DROP TABLE c;\n");
    let named = |flags: &str| -> Vec<String> {
        project.fine(&format!("emit --summary summary.md {flags}"));
        let summary = project.read("summary.md");
        let lines = summary.lines().skip_while(|l| *l != "### Files").take_while(|l| !l.contains("How the objects"));
        lines.filter_map(|l| Some(l.strip_prefix("- `")?.split_once('`')?.0.to_string())).collect()
    };
    let wanted = ["1_a.up.sql", "3_c.up.sql"];
    let found = named("");
    assert_eq!(found, wanted);
    assert!(found.iter().all(|name| project.path(&format!("migrations/{name}")).is_file()), "{found:?}");
    std::fs::remove_dir_all(project.path("migrations")).expect("removed");
    let found = named("--through 2");
    assert!(!found.is_empty(), "no file is named");
    assert!(found.iter().all(|name| project.path(&format!("migrations/{name}")).is_file()), "{found:?}");
}

#[test]
fn a_plan_says_of_down_files_what_emit_does() {
    let project = Project::empty();
    project.write("migrations.old/1_a.up.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n");
    project.write("migrations.old/1_a.down.sql", "DROP TABLE b;\nDROP TABLE a;\n");
    project.write("migrations.old/2_b.up.sql", "DROP TABLE b;\n");
    project.write("migrations.old/2_b.down.sql", "CREATE TABLE b (id int);\n");
    let plan = project.fine("plan").out;
    assert!(plan.contains("2 down files were not read, and emit makes the new set's own"), "{plan}");
    project.fine("emit");
    assert!(project.path("migrations/2_a.down.sql").is_file(), "{:?}", project.tree("migrations").keys());
    project.write("consolidate.toml", "[emit]\nlayout = \"plain\"\n");
    let plan = project.fine("plan").out;
    assert!(plan.contains("2 down files were not read, and the new set has none"), "{plan}");
}

#[test]
fn a_set_without_files_is_not_said_to_be_there_already() {
    let project = Project::history(&[("1.sql", "CREATE TABLE a (id int);\nDROP TABLE a;\n")]);
    let first = project.fine("emit").out;
    assert!(first.contains("written to migrations: a set without files"), "{first}");
    let second = project.fine("emit").out;
    assert!(second.contains("migrations holds this set already: nothing changed"), "{second}");
}

#[test]
fn one_hint_of_many_errors_is_said_once() {
    let files: Vec<(String, String)> = (1..=6).map(|n| (format!("{n}.sql"), format!("SELEC {n};\n"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let said = Project::history(&files).refused("plan", &["1.sql:1:1: syntax error", "6.sql:1:1: syntax error"]);
    assert_eq!(said.matches("hint:").count(), 1, "{said}");
    assert_eq!(said.matches("error:").count(), 6, "{said}");
}

#[test]
fn what_a_later_file_makes_or_an_earlier_one_dropped_is_named() {
    for (files, words) in [
        (
            [
                ("1_orders.sql", "CREATE TABLE orders (id int REFERENCES users (id));\n"),
                ("2_users.sql", "\nCREATE TABLE users (id int PRIMARY KEY);\n"),
            ],
            "hint: table public.users is made later, by migrations.old/2_users.sql:2:",
        ),
        (
            [
                ("1_f.sql", "CREATE TABLE t (a int DEFAULT next_a());\n"),
                ("2_f.sql", "CREATE FUNCTION next_a() RETURNS int LANGUAGE sql AS 'SELECT 1';\n"),
            ],
            "hint: function public.next_a() is made later, by migrations.old/2_f.sql:1:",
        ),
        (
            [
                ("1_a.sql", "CREATE TYPE mood AS ENUM ('a');\nDROP TYPE mood;\n"),
                ("2_b.sql", "CREATE TABLE t (a mood);\n"),
            ],
            "hint: type public.mood was dropped before, by migrations.old/1_a.sql:2:",
        ),
    ] {
        let project = Project::history(&files);
        let said = project.refused("emit", &[words]);
        assert!(!said.contains("prelude"), "{said}");
        project.write("migrations/1.sql", "SELECT 1;\n");
        project.refused("verify", &[words]);
    }
    let nobody = Project::history(&[("1.sql", "CREATE TABLE t (a int REFERENCES auth.users (id));\n")]);
    nobody.refused("emit", &["create it in a prelude"]);
}

#[test]
fn what_a_prelude_gives_is_not_counted_as_the_historys_own() {
    let project = Project::history(&[("1.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\nDROP TABLE b;\n")]);
    project.write(
        "prelude.sql",
        "CREATE ROLE web;\nCREATE SCHEMA auth;\nCREATE TABLE auth.users (id serial PRIMARY KEY);\n\
         INSERT INTO auth.users VALUES (1);\n",
    );
    let alone = project.json("emit --dry-run", 0);
    let said = project.fine("emit --prelude prelude.sql").out;
    let counts = |text: &str| text.split_once(" compared on").map(|(counts, _)| counts.to_string());
    let without = project.fine("emit --dry-run").out;
    assert_eq!(counts(&said), counts(&without), "{said}{without}");
    assert!(said.lines().next().is_some_and(|line| line.ends_with("of the prelude")), "{said}");
    let verdict = project.json("verify --prelude prelude.sql", 0);
    let compared = &verdict["compared"];
    assert_eq!((compared["tables"].as_u64(), compared["sequences"].as_u64()), (Some(1), Some(0)), "{verdict:#}");
    assert_eq!((compared["rows"].as_u64(), &verdict["verdict"]), (Some(0), &alone["verdict"]), "{verdict:#}");
    assert!(compared["given"].as_u64() > Some(3), "{verdict:#}");
}
