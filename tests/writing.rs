//! What is written, and what is left alone: all or nothing, only what is the program's own, and data apart from talk.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod cli_support;

use cli_support::{Project, Ran, Tree, ran};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

fn names(tree: &Tree) -> Vec<String> {
    tree.keys().map(|path| path.display().to_string()).collect()
}

fn has_escapes(ran: &Ran) -> bool {
    ran.out.contains('\u{1b}') || ran.err.contains('\u{1b}')
}

#[test]
fn emit_writes_the_set_and_its_manifest_and_nothing_else() {
    let project = Project::small();
    let history = project.tree("migrations.old");
    let ran = project.fine("emit");
    assert_eq!(names(&project.tree("migrations")), [".consolidate", "1_shops.sql", "2_items.sql"]);
    assert_eq!(
        names(&project.tree("")).iter().filter(|n| !n.contains('/')).count(),
        2,
        "{:?}",
        names(&project.tree(""))
    );
    assert!(project.tree("migrations.old") == history, "the history is only read");
    assert!(ran.out.contains("written to migrations:\n  1_shops.sql\n  2_items.sql\n"), "{}", ran.out);
    assert_eq!(ran.err, "");
    assert!(
        project
            .read("migrations/1_shops.sql")
            .contains("-- Where things are sold\nCREATE TABLE shop (id int PRIMARY KEY, name text);")
    );
}

#[test]
fn json_names_what_was_written_and_removed() {
    let project = Project::small();
    let first = project.json("emit", 0);
    assert_eq!(first["verdict"], "identical");
    assert_eq!(first["written"], serde_json::json!(["1_shops.sql", "2_items.sql"]));
    assert_eq!(first["removed"], serde_json::json!([]));
    assert_eq!(first["statements"], serde_json::json!({ "history": 5, "set": 2 }));
    let again = project.json("emit", 0);
    assert_eq!((&again["written"], &again["removed"]), (&serde_json::json!([]), &serde_json::json!([])));
}

#[test]
fn a_failure_leaves_the_target_untouched() {
    let project = Project::small();
    project.fine("emit");
    project.write("migrations/README.md", "by hand\n");
    // The last file fails after the others replayed well.
    project.write("migrations.old/3_bad.sql", "CREATE TABLE fine (id int);\nINSERT INTO shop VALUES ('text');\n");
    project.refused("emit", &["migrations.old/3_bad.sql:2: invalid input syntax for type integer"]);
    project.refused("emit --force", &["3_bad.sql:2"]);
    // Without a target, none appears.
    project.refused("emit --new other", &["3_bad.sql:2"]);
}

#[test]
fn other_files_and_folders_in_the_target_survive() {
    let project = Project::small();
    project.write("migrations/README.md", "# About\n");
    project.write("migrations/.gitattributes", "*.sql text\n");
    project.write("migrations/notes/deep/er.sql", "SELECT 'not a migration';\n");
    project.write("migrations/dump.sql.gz", b"\x1f\x8b\xff");
    let before = project.tree("migrations");
    project.fine("emit");
    project.write("migrations.old/3_more.sql", "CREATE TABLE more (id int);\n");
    project.fine("emit");
    let after = project.tree("migrations");
    for (path, content) in &before {
        assert!(after.get(path) == Some(content), "{}", path.display());
    }
    assert_eq!(after.len(), before.len() + 4, "{:?}", names(&after));
}

#[test]
fn links_and_modes_in_the_target_survive() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let project = Project::small();
    project.write("elsewhere.md", "shared\n");
    project.write("migrations/run.sh", "#!/bin/sh\n");
    fs::set_permissions(project.path("migrations/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(project.path("migrations"), fs::Permissions::from_mode(0o750)).unwrap();
    std::os::unix::fs::symlink("../elsewhere.md", project.path("migrations/README.md")).unwrap();
    project.fine("emit");
    assert_eq!(mode(&project.path("migrations/run.sh")), 0o755);
    assert_eq!(mode(&project.path("migrations")), 0o750);
    let link = fs::read_link(project.path("migrations/README.md"));
    assert_eq!(link.ok().as_deref(), Some(Path::new("../elsewhere.md")), "a link stays a link");
}

#[test]
fn a_target_that_is_a_link_stays_one() {
    let project = Project::small();
    fs::create_dir_all(project.path("app/db")).unwrap();
    std::os::unix::fs::symlink("app/db", project.path("migrations")).unwrap();
    project.fine("emit");
    assert!(fs::symlink_metadata(project.path("migrations")).unwrap().is_symlink());
    assert_eq!(names(&project.tree("app/db")), [".consolidate", "1_shops.sql", "2_items.sql"]);
}

#[test]
fn hand_edits_are_detected_by_the_manifest() {
    let project = Project::small();
    project.fine("emit");
    let text = project.read("migrations/2_items.sql");
    project.write("migrations/2_items.sql", text.replace("id int", "id  int"));
    project.refused("emit", &["changed since: 2_items.sql", "--force"]);
    project.write("migrations/2_items.sql", &text);
    assert!(project.fine("emit").out.contains("nothing changed"));
    project.write("migrations/3_new.sql", "CREATE TABLE by_hand (id int);\n");
    project.refused("emit", &["3_new.sql"]);
}

#[test]
fn stale_files_of_an_earlier_emit_disappear_and_are_told() {
    let project = Project::small();
    project.fine("emit");
    // The second file's table goes: nothing is left for that file.
    project.write("migrations.old/3_drop.sql", "DROP TABLE item;\n");
    let ran = project.fine("emit");
    assert_eq!(names(&project.tree("migrations")), [".consolidate", "1_shops.sql"]);
    assert!(ran.out.contains("removed: 2_items.sql"), "{}", ran.out);
    assert!(!ran.out.contains("nothing changed"), "{}", ran.out);
    assert!(!project.read("migrations/.consolidate").contains("2_items.sql"));
    project.fine("verify");
}

#[test]
fn dry_run_proves_and_writes_nothing() {
    let project = Project::small();
    let before = project.tree("");
    let ran = project.fine("emit --dry-run");
    assert!(ran.out.starts_with("identical") && ran.out.contains("nothing was written"), "{}", ran.out);
    assert!(project.tree("") == before);
    assert_eq!(project.json("emit --dry-run", 0)["written"], serde_json::json!([]));
    assert!(project.tree("") == before);
}

#[test]
fn init_writes_a_configuration_that_works_and_never_replaces_one() {
    let project = Project::small();
    project.write("migrations.old/3_grant.sql", "GRANT SELECT ON shop TO \"Clerk\";\n");
    let ran = project.fine("init");
    assert!(ran.out.contains("consolidate plan"), "{}", ran.out);
    let text = project.read("consolidate.toml");
    let parsed: toml::Table = text.parse().expect("it is TOML");
    assert_eq!(parsed["old"].as_str(), Some("migrations.old"));
    assert!(text.contains("public.shop") && text.contains("CREATE ROLE \"Clerk\";"), "{text}");
    project.fine("plan");
    // Every setting that it explains works once its mark is taken away.
    let settings = ["# exact_sequences", "# first_version", "# [[file]]", "# name =", "# kinds =", "# names ="];
    let live: Vec<String> = text
        .lines()
        .map(|line| if settings.iter().any(|s| line.starts_with(s)) { line[2..].to_string() } else { line.to_string() })
        .collect();
    project.write("live.toml", live.join("\n"));
    project.fine("plan --config live.toml");
    project.write("consolidate.toml", "old = \"migrations.old\" # mine\n");
    project.refused("init", &["can't write consolidate.toml", "never replaced"]);
}

#[test]
fn init_names_a_folder_with_any_name() {
    let project = Project::empty();
    project.write("db's \"own\"/1_a.sql", "CREATE TABLE a (id int);\n");
    let ran = ran(project.command("init --old").arg("db's \"own\""));
    assert_eq!(ran.code, 0, "{ran:#?}");
    let parsed: toml::Table = project.read("consolidate.toml").parse().expect("it is TOML");
    assert_eq!(parsed["old"].as_str(), Some("db's \"own\".old"));
    assert_eq!(parsed["new"].as_str(), Some("db's \"own\""));
    project.fine("plan");
}

#[test]
fn init_knows_a_project_of_supabase() {
    let project = Project::history(&[(
        "1_a.sql",
        "CREATE TABLE note (author uuid DEFAULT auth.uid());\nCREATE TABLE draft (id int);\nDROP TABLE draft;
        GRANT SELECT ON note TO anon, reporting;\n",
    )]);
    project.fine("init");
    let text = project.read("consolidate.toml");
    assert!(text.contains("\nprelude = [\"supabase\"]\n"), "{text}");
    assert!(text.contains("CREATE ROLE reporting;") && !text.contains("CREATE ROLE anon;"), "{text}");
    project.write("roles.sql", "CREATE ROLE reporting;");
    project.fine("emit --prelude roles.sql");
    project.write("empty.toml", "");
    project.refused(
        "emit --dry-run --config empty.toml --prelude supa",
        &["supa", "preludes that need no file: supabase"],
    );
}

#[test]
fn plan_check_tells_by_its_exit_code_whether_anything_is_dead() {
    let project = Project::small();
    assert_eq!(project.run("plan").code, 0, "without --check, a finding is no failure");
    assert_eq!(project.run("plan --check").code, 1);
    project.fine("emit");
    project.fine("plan --check --old migrations");
}

#[test]
fn a_difference_is_exit_code_one() {
    let project = Project::small();
    project.fine("emit");
    project.fine("verify");
    let text = project.read("migrations/2_items.sql");
    project.write("migrations/2_items.sql", text.replace("id int", "id bigint"));
    let ran = project.run("verify");
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{ran:#?}");
    assert!(ran.out.starts_with("different") && ran.out.contains("public.item"), "{}", ran.out);
}

#[test]
fn piped_output_carries_no_escape_codes() {
    let project = Project::small();
    for arguments in ["plan", "emit", "verify", "plan --old nowhere", "plan --format json", "--help", "plan --wrong"] {
        let ran = project.run(arguments);
        assert!(!has_escapes(&ran), "{arguments}: {ran:?}");
    }
}

#[test]
fn a_terminal_has_colours_unless_no_color_is_set() {
    if !Path::new("/usr/bin/script").exists() {
        // Without a way to make a terminal, at least NO_COLOR mustn't hurt.
        assert_eq!(ran(Project::small().command("plan").env("NO_COLOR", "1")).code, 0);
        return;
    }
    let project = Project::small();
    let on_terminal = |no_color: Option<&str>| {
        let program = format!("{} plan", env!("CARGO_BIN_EXE_consolidate"));
        let mut command = std::process::Command::new("/usr/bin/script");
        command.args(["-q", "-e", "-c", &program, "/dev/null"]).current_dir(project.path("")).stdin(Stdio::null());
        command.env("TERM", "xterm").env_remove("NO_COLOR").envs(no_color.map(|value| ("NO_COLOR", value)));
        ran(&mut command)
    };
    assert!(has_escapes(&on_terminal(None)), "colours on a terminal");
    assert!(!has_escapes(&on_terminal(Some("1"))), "none with NO_COLOR");
    assert!(has_escapes(&on_terminal(Some(""))), "an empty NO_COLOR doesn't count");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    // Enough text to fill the pipe, so that the program is still writing when its reader goes.
    let tables: String = (0..4000).map(|i| format!("CREATE TABLE t{i} (id int);\nDROP TABLE t{i};\n")).collect();
    let project = Project::history(&[("1_a.sql", &tables)]);
    for arguments in ["plan", "plan --format json"] {
        let mut child = project.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn errors_are_talk_and_data_is_data() {
    let project = Project::small();
    let ran = project.run("plan --old nowhere --format json");
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.starts_with("error: "), "{}", ran.err);
    let ran = project.fine("plan --format json");
    assert_eq!(ran.err, "");
    serde_json::from_str::<serde_json::Value>(&ran.out).expect("JSON and nothing else");
}
