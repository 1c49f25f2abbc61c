//! What is wrong with what the user gives: said with file, line and a hint, exit code 2, and nothing written.

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
use std::fs;

#[test]
fn syntax_errors_of_all_files_are_reported_with_line_column_and_postgres_words() {
    let project = Project::history(&[
        ("1_good.sql", "CREATE TABLE a (id int);\n"),
        ("2_bad.sql", "-- things\nCREATE TABLE b (\n    id int,,\n    x int\n);\nCREATE TABL c (id int);\n"),
        ("3_good.sql", "CREATE TABLE d (id int);\n"),
        ("4_bad.sql", "SELEC 1;\n"),
    ]);
    for command in ["plan", "emit", "verify", "init"] {
        let said = project.refused(
            command,
            &[
                "migrations.old/2_bad.sql:3:12: syntax error at or near \",\"",
                "migrations.old/2_bad.sql:6:8: syntax error at or near \"TABL\"",
                "migrations.old/4_bad.sql:1:1: syntax error at or near \"SELEC\"",
            ],
        );
        assert!(!said.contains("good.sql"), "{said}");
    }
}

#[test]
fn of_very_many_errors_the_first_are_shown() {
    let project = Project::empty();
    (10..40).for_each(|n| project.write(&format!("migrations.old/{n}_a.sql"), "SELEC 1;\n"));
    let said = project.refused("plan", &["29_a.sql:1:1: syntax error", "and 10 more errors"]);
    assert!(!said.contains("30_a.sql"), "{said}");
}

#[test]
fn a_column_counts_characters_not_bytes() {
    let project = Project::history(&[("1_a.sql", "SELECT 'ä€😀', * FROMM t;\n")]);
    project.refused("plan", &["1_a.sql:1:17: syntax error at or near \"FROMM\""]);
}

#[test]
fn a_statement_that_never_ends_is_reported_at_its_end() {
    let project = Project::history(&[("1_a.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (\n    id int\n")]);
    project.refused("emit", &["1_a.sql:3:11: syntax error at end of input"]);
    let project = Project::history(&[("1_a.sql", "SELECT 1;\nSELECT 'never closed;\n")]);
    project.refused("emit", &["1_a.sql:2:", "unterminated quoted string"]);
}

#[test]
fn a_missing_folder_is_named() {
    let project = Project::empty();
    project.refused("plan --old nowhere", &["nowhere"]);
    project.refused("emit --old nowhere", &["nowhere", "--old"]);
    project.refused("emit", &["migrations", "--old"]);
    project.refused("verify", &["migrations"]);
    project.refused("init", &["migrations.old", "--old"]);
    let project = Project::small();
    project.refused("verify", &["can't read the folder migrations:"]);
}

#[test]
fn an_empty_folder_is_named() {
    let project = Project::empty();
    fs::create_dir(project.path("migrations.old")).unwrap();
    for command in ["plan", "emit", "init"] {
        project.refused(command, &["no .sql files in migrations.old"]);
    }
    project.write("migrations.old/README.md", "not a migration");
    project.refused("plan", &["no .sql files in migrations.old"]);
}

#[test]
fn a_file_in_place_of_a_folder_is_named() {
    let project = Project::small();
    project.write("one.sql", "SELECT 1;\n");
    project.refused("plan --old one.sql", &["one.sql"]);
    project.refused("emit --new one.sql", &["one.sql is not a folder"]);
}

#[test]
fn a_file_that_is_not_utf8_is_named_with_its_line() {
    let project = Project::small();
    project.write("migrations.old/3_latin.sql", b"SELECT 1;\nSELECT 'caf\xe9';\n");
    for command in ["plan", "emit"] {
        project.refused(command, &["migrations.old/3_latin.sql:2: the file isn't UTF-8", "iconv"]);
    }
}

#[test]
fn a_statement_that_fails_on_replay_is_named_with_postgres_message() {
    let project = Project::small();
    project.write("migrations.old/3_more.sql", "-- more\n\nALTER TABLE nowhere ADD COLUMN x int;\n");
    project.refused("emit", &["migrations.old/3_more.sql:3: relation \"nowhere\" does not exist", "prelude"]);
    // In the consolidated set, it is that folder which is named.
    let project = Project::small();
    project.write("migrations/1_shops.sql", "CREATE TABLE shop (id int PRIMARY KEY,\n    name nothing);\n");
    project.refused("verify", &["migrations/1_shops.sql:2: type \"nothing\" does not exist"]);
}

#[test]
fn a_role_that_nobody_made_asks_for_a_prelude_and_is_fine_with_it() {
    let project = Project::small();
    project.write("migrations.old/3_grant.sql", "\nGRANT SELECT ON shop TO clerk;\n");
    project.refused("emit", &["migrations.old/3_grant.sql:2: role \"clerk\" does not exist", "prelude"]);
    project.write("prelude.sql", "CREATE ROLE clerk;\n");
    project.fine("emit --prelude prelude.sql");
    project.fine("verify --prelude prelude.sql");
    assert!(project.read("migrations/3_grant.sql").contains("GRANT SELECT ON shop TO clerk;"));
}

#[test]
fn an_extension_that_is_not_there_is_named_with_what_to_do() {
    for create in ["CREATE EXTENSION postgis;", "CREATE EXTENSION IF NOT EXISTS \"postgis\" WITH SCHEMA public;"] {
        let project = Project::small();
        project.write("migrations.old/3_maps.sql", format!("SELECT 1;\n{create}\n"));
        let place = "migrations.old/3_maps.sql:2: the scratch database has no extension postgis";
        let said = project.refused("emit", &[place]);
        assert!(said.lines().any(|line| line.starts_with("hint:") && line.contains("postgis")), "{said}");
    }
}

#[test]
fn psql_meta_commands_are_named_each() {
    let project = Project::small();
    project.write("migrations.old/3_psql.sql", "SELECT 1;\n\\connect other\n  \\i more.sql\nSELECT 2;\n");
    for command in ["plan", "emit"] {
        project.refused(
            command,
            &[
                "migrations.old/3_psql.sql:2:1: psql meta-command \\connect",
                "migrations.old/3_psql.sql:3:3: psql meta-command \\i",
                "take the line out",
            ],
        );
    }
}

#[test]
fn template_marks_are_recognised() {
    for (mark, column) in [("{{ schema }}", 14), ("${SCHEMA}", 14), ("<%= schema %>", 14)] {
        let project = Project::small();
        project.write("migrations.old/3_t.sql", format!("SELECT 1;\nCREATE TABLE {mark}.t (id int);\n"));
        project.refused("emit", &[&format!("migrations.old/3_t.sql:2:{column}: syntax error"), "template mark"]);
    }
}

#[test]
fn a_read_only_target_is_refused_before_any_work() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let project = Project::small();
    fs::create_dir(project.path("migrations")).unwrap();
    mode(&project.path("migrations"), 0o555);
    project.refused("emit", &["the folder migrations is read-only"]);
    project.refused("emit --force", &["the folder migrations is read-only"]);
    mode(&project.path("migrations"), 0o755);
    // The folder above it is what a new folder is written to.
    fs::create_dir_all(project.path("closed")).unwrap();
    mode(&project.path("closed"), 0o555);
    project.refused("emit --new closed/set", &["the folder closed is read-only"]);
    mode(&project.path("closed"), 0o755);
    project.refused("emit --new not/there/set", &["the folder not/there doesn't exist"]);
}

#[test]
fn files_of_others_in_the_target_are_refused_and_replaced_by_force() {
    let project = Project::small();
    project.write("migrations/0_mine.sql", "SELECT 'mine';\n");
    project.refused("emit", &["migrations holds files that consolidate didn't write", "0_mine.sql", "--force"]);
    let ran = project.fine("emit --force");
    assert!(ran.out.contains("removed: 0_mine.sql"), "{}", ran.out);
    assert!(!project.path("migrations/0_mine.sql").exists());
    project.fine("verify");
}

#[test]
fn a_half_written_target_is_repaired_or_refused_but_never_mixed() {
    let project = Project::small();
    project.fine("emit");
    let whole = project.tree("migrations");
    assert_eq!(whole.len(), 3, "two files and the manifest: {:?}", whole.keys());
    // A missing file: all that is there is known, so the set is written anew.
    fs::remove_file(project.path("migrations/1_shops.sql")).unwrap();
    project.fine("emit");
    assert!(project.tree("migrations") == whole, "repaired");
    // A truncated file may as well be someone's edit: refused.
    project.write("migrations/1_shops.sql", "CREATE TABLE sh");
    project.refused("emit", &["changed since: 1_shops.sql"]);
    project.fine("emit --force");
    assert!(project.tree("migrations") == whole, "replaced");
    // Without its manifest, or with half of it, nobody knows whose files these are: refused.
    let manifest = project.read("migrations/.consolidate");
    project.write("migrations/.consolidate", &manifest[..manifest.len() / 2]);
    project.refused("emit", &["2_items.sql"]);
    fs::remove_file(project.path("migrations/.consolidate")).unwrap();
    project.refused("emit", &["1_shops.sql, 2_items.sql"]);
    project.fine("emit --force");
    assert!(project.tree("migrations") == whole, "the manifest is back");
}

#[test]
fn an_unknown_setting_is_named_with_its_line() {
    let project = Project::small();
    project.write("consolidate.toml", "old = \"migrations.old\"\n\n[emit]\nversion = \"0001\"\n");
    for command in ["plan", "emit", "verify"] {
        project.refused(command, &["consolidate.toml:4: unknown field `version`", "first_version"]);
    }
    project.write("consolidate.toml", "\nold = \n");
    project.refused("plan", &["consolidate.toml:2: "]);
    project.write("consolidate.toml", "[emit]\nfirst_version = \"v1\"\n\n[[file]]\nname = \"all\"\n");
    project.refused("plan", &["first_version \"v1\" isn't a number"]);
    project.refused("plan --config other.toml", &["can't read other.toml"]);
}

#[test]
fn an_unknown_kind_is_named_with_its_line_and_the_known_ones() {
    let project = Project::small();
    let rules = "[[file]]\nname = \"tables\"\nkinds = [\"table\"]\n\n[[file]]\nname = \"rest\"\nkinds = [\"view\", \"tabel\"]\n";
    project.write("consolidate.toml", rules);
    for command in ["plan", "emit"] {
        let known = "the kinds are: schema, extension, role";
        project.refused(command, &["consolidate.toml:7: no kind of object is called \"tabel\"", known]);
    }
}

#[test]
fn a_prelude_that_is_not_there_is_named() {
    let project = Project::small();
    project.refused("emit --prelude none.sql", &["can't read the prelude none.sql"]);
    project.write("consolidate.toml", "[scratch]\nprelude = [\"gone.sql\"]\n");
    project.refused("emit", &["can't read the prelude gone.sql", "consolidate.toml"]);
}

#[test]
fn a_prelude_that_fails_is_named_with_its_line() {
    let project = Project::small();
    project.write("prelude.sql", "CREATE ROLE clerk;\nCREATE TABLE q (i nowhere);\n");
    project.refused("emit --prelude prelude.sql", &["error: prelude.sql:2: type \"nowhere\" does not exist"]);
    project.write("prelude.sql", "CREATE ROLE clerk;\n\nCREAT TABLE q (i int);\n");
    project.refused("emit --prelude prelude.sql", &["error: prelude.sql:3: syntax error at or near \"CREAT\""]);
}

#[test]
fn the_history_is_never_written_over_however_its_folder_is_called() {
    let project = Project::small();
    let full = project.path("migrations.old").display().to_string();
    std::os::unix::fs::symlink(&full, project.path("link")).unwrap();
    for new in ["migrations.old", "./migrations.old/", "migrations.old/../migrations.old", &full, "link"] {
        project.refused(&format!("emit --force --new {new}"), &["the history is in", "--dry-run"]);
        project.refused(&format!("verify --new {new}"), &["history and consolidated set are both"]);
    }
    // A project that has only migrations/ is read from there.
    let project = Project::empty();
    project.write("migrations/1_a.sql", "CREATE TABLE a (id int);\n");
    project.refused("emit --force", &["the history is in migrations, where the new set would go", "git mv"]);
    project.fine("emit --dry-run");
    project.fine("emit --new short");
}

#[test]
fn windows_line_ends_work() {
    let body = "CREATE TABLE shop (\n    id int PRIMARY KEY, -- number\n    note text DEFAULT 'a\nb'\n);\n-- two\nDROP TABLE IF EXISTS x;\n\
        CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n    -- one\n    RETURN 1;\nEND;\n$$;\n\
        INSERT INTO shop (id, note) VALUES (1, 'x\ny');\nCOMMENT ON TABLE shop IS 'two\nlines';\n";
    let windows = |text: &str| text.replace('\n', "\r\n");
    let project = Project::history(&[
        ("1_a.sql", &windows(body)),
        (
            "2_b.sql",
            &windows(
                "ALTER TABLE shop\n    ADD COLUMN name text,\n    ADD COLUMN size int;\nCREATE VIEW v AS\nSELECT id\nFROM shop;\n",
            ),
        ),
    ]);
    let plan = project.json("plan", 0);
    let lines: Vec<_> =
        plan["findings"].as_array().unwrap().iter().map(|f| f["born"]["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 7], "two columns in 2_b.sql, a no-op in 1_a.sql: {plan:#}");
    project.fine("emit");
    project.fine("verify");
    let project = Project::history(&[("1_a.sql", "SELECT 1;\r\nSELEC 2;\r\n")]);
    project.refused("plan", &["1_a.sql:2:1: syntax error at or near \"SELEC\""]);
}

#[test]
fn a_byte_order_mark_is_no_sql() {
    let project = Project::history(&[
        ("1_a.sql", "\u{feff}CREATE TABLE a (id int);\n"),
        ("2_b.sql", "\u{feff}-- b\nALTER TABLE a ADD COLUMN x int;\n"),
        ("3_c.sql", "\u{feff}"),
    ]);
    assert_eq!(project.json("plan", 0)["totals"]["statements"]["before"], 2);
    project.fine("emit");
    project.fine("verify");
    assert_eq!(project.read("migrations/1_a.sql").matches('\u{feff}').count(), 0);
    let project = Project::history(&[("1_a.sql", "\u{feff}SELEC 1;\n")]);
    project.refused("plan", &["1_a.sql:1:1: syntax error"]);
}
