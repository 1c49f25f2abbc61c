//! `action.yml`, run as GitHub's runner runs a composite action: the steps of the shell, in order, with the inputs put in, each
//! with its folder, its variables and the files through which it speaks to the next. What only GitHub has is left out: the
//! cache, which here holds the program already.

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
use serde_yaml_ng::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

/// Runs the action in a project with these inputs, up to the step that fails. Also gives the names of the steps that ran.
fn run(project: &Project, with: &[(&str, &str)]) -> (Ran, Vec<String>) {
    let kept = project.path("home/.cache/consolidate/bin");
    fs::create_dir_all(&kept).expect("a folder");
    if !kept.join("consolidate").exists() {
        symlink(env!("CARGO_BIN_EXE_consolidate"), kept.join("consolidate")).expect("a link to the program");
    }
    run_with(project, with, &[("CONSOLIDATE_PG_BIN", "/nowhere")])
}

/// The same with what else is in the environment, and with the cache as it is.
fn run_with(project: &Project, with: &[(&str, &str)], environment: &[(&str, &str)]) -> (Ran, Vec<String>) {
    let root = env!("CARGO_MANIFEST_DIR");
    let text = fs::read_to_string(format!("{root}/action.yml")).expect("action.yml");
    let action: Value = serde_yaml_ng::from_str(&text).expect("it is YAML");
    let inputs = action["inputs"].as_mapping().expect("it has inputs");
    assert!(with.iter().all(|(name, _)| inputs.contains_key(*name)), "an input that the action doesn't have");
    let filled = |text: &str| {
        inputs.iter().fold(text.to_string(), |text, (name, input)| {
            let name = name.as_str().expect("a name");
            let given = with.iter().find(|(given, _)| *given == name).map(|(_, value)| *value);
            let value = given.unwrap_or_else(|| input["default"].as_str().expect("every input has a default"));
            text.replace(&format!("${{{{ inputs.{name} }}}}"), value)
        })
    };
    project.write("home/output", "");
    project.write("home/path", "");
    let (mut all, mut names) = (Ran { code: 0, out: String::new(), err: String::new() }, Vec::new());
    for step in action["runs"]["steps"].as_sequence().expect("it has steps") {
        let Some(script) = step["run"].as_str() else { continue };
        if let Some(condition) = step["if"].as_str() {
            let (name, value) = condition.split_once(" == ").expect("a comparison");
            if filled(&format!("${{{{ {name} }}}}")) != value.trim_matches('\'') {
                continue;
            }
        }
        assert_eq!(step["shell"], Value::from("bash"), "a composite action must name the shell");
        // As GitHub starts `shell: bash`.
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &filled(script)]);
        let paths = project.read("home/path").lines().rev().collect::<Vec<_>>().join(":");
        command.env("HOME", project.path("home")).env("GITHUB_ACTION_PATH", root);
        command.env_remove("CONSOLIDATE_PG_BIN").env_remove("CONSOLIDATE_TRUSTED");
        command.envs(environment.iter().copied());
        let given = environment.iter().find(|(name, _)| *name == "PATH").map(|(_, path)| path.to_string());
        let path = given.unwrap_or_else(|| std::env::var("PATH").expect("a PATH"));
        command.env("PATH", if paths.is_empty() { path } else { format!("{paths}:{path}") });
        command.env("GITHUB_OUTPUT", project.path("home/output")).env("GITHUB_PATH", project.path("home/path"));
        for (name, value) in step["env"].as_mapping().into_iter().flatten() {
            command.env(name.as_str().expect("a name"), filled(value.as_str().expect("a text")));
        }
        command.current_dir(project.path(&filled(step["working-directory"].as_str().unwrap_or("."))));
        let step_ran = ran(&mut command);
        names.push(step["name"].as_str().expect("every step has a name").to_string());
        all.out += &step_ran.out;
        all.err += &step_ran.err;
        all.code = step_ran.code;
        if all.code != 0 {
            break;
        }
    }
    (all, names)
}

#[test]
fn a_set_that_fits_passes_with_the_defaults() {
    let project = Project::example();
    let (ran, steps) = run(&project, &[]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(steps.last().map(String::as_str), Some("consolidate verify"));
    assert!(ran.out.contains("identical"), "{ran:#?}");
    assert!(project.read("home/output").starts_with("sum="), "the cache has no key");
}

#[test]
fn a_damaged_set_fails_with_an_annotation() {
    let project = Project::small();
    project.fine("emit");
    let text = project.read("migrations/2_items.sql");
    project.write("migrations/2_items.sql", text.replace("id int", "id bigint"));
    let (ran, steps) = run(&project, &[("check", "false")]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(!steps.iter().any(|step| step.contains("--check")), "{steps:?}");
    assert!(ran.out.contains("::error") && ran.out.contains("item"), "{ran:#?}");
}

#[test]
fn a_history_that_holds_what_could_go_fails_in_the_folder_that_is_named() {
    let project = Project::empty();
    project.write("app/db/1_shops.sql", "CREATE TABLE shop (id int PRIMARY KEY);\nCREATE TABLE draft (id int);\n");
    project.write("app/db/2_drafts.sql", "DROP TABLE draft;\n");
    let inputs = [("working-directory", "app"), ("old", "db"), ("verify", "false")];
    let (ran, steps) = run(&project, &inputs);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert_eq!(steps.last().map(String::as_str), Some("consolidate plan --check"));
    assert!(ran.out.contains("draft"), "{ran:#?}");
}

#[test]
fn classes_that_are_ignored_are_handed_on() {
    let project = Project::empty();
    project.write("old/1.sql", "CREATE TABLE t (a int, b int);\n");
    project.write("new/1.sql", "CREATE TABLE t (b int, a int);\n");
    let with =
        |ignore: &str| run(&project, &[("old", "old"), ("new", "new"), ("check", "false"), ("ignore", ignore)]).0;
    assert_eq!(with("").code, 1);
    assert_eq!(with("column-order rows").code, 0);
}

/// Writes a program of the repository's own.
fn program(project: &Project, name: &str, lines: &str) {
    project.write(name, format!("#!/bin/sh\n{lines}\n"));
    fs::set_permissions(project.path(name), fs::Permissions::from_mode(0o755)).expect("a program");
}

/// A repository that does all it can: its toml, its names, its SQL, its settings of git, cargo and rustup.
#[test]
fn a_hostile_repository_starts_nothing_sends_nothing_and_learns_nothing() {
    const TOKEN: &str = "ghs_Very-Secret-Token-1";
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    listener.set_nonblocking(true).expect("it doesn't wait");
    let port = listener.local_addr().expect("an address").port();
    let tomls = [
        format!("[scratch]\nurl = \"postgres://${{GITHUB_TOKEN}}@0.0.0.0:{port}/\"\n"),
        format!("[scratch]\nurl = \"postgres://me@0.0.0.0:{port}/\"\n"),
        "[scratch]\nurl = \"env:GITHUB_TOKEN\"\n".to_string(),
        "[scratch]\ndatabase = \"local\"\nprograms = \"bin\"\n".to_string(),
        "[scratch]\ndatabase = \"auto\"\nprograms = \"bin\"\n".to_string(),
        "[scratch]\nprelude = \"/proc/self/environ\"\n".to_string(),
        "old = \"db/versions\"\nlayout = \"alembic\"\n".to_string(),
    ];
    let histories = [
        "CREATE TABLE t (a text);\n",
        "CREATE TABLE t (a text);\nCOPY t TO PROGRAM 'touch marker';\n",
        "CREATE EXTENSION postgis;\n",
        "CREATE TABLE t (a text);\nINSERT INTO t VALUES (pg_read_file('/proc/self/environ'));\n",
    ];
    for (number, toml) in tomls.iter().enumerate() {
        let project = Project::empty();
        let text = histories[number % histories.len()];
        project.write("repo/consolidate.toml", toml);
        for folder in ["migrations.old", "migrations"] {
            project.write(&format!("repo/{folder}/1_$(touch marker)`touch marker`;touch marker.sql"), text);
            project.write(&format!("repo/{folder}/-2_--trusted=url.sql"), "SELECT 1;\n");
        }
        project.write("repo/db/versions/a1.py", "revision = 'a1'\ndown_revision = None\n");
        project.write("repo/db/env.py", "");
        let marker = project.path("marker").display().to_string();
        let evil = format!("touch '{marker}'; exit 1");
        let evils = [
            "bin/initdb",
            "bin/postgres",
            "bin/pg_dump",
            "db/.venv/bin/python",
            "toolchain/bin/cargo",
            "git",
            "cargo",
            "consolidate",
        ];
        evils.iter().for_each(|name| program(&project, &format!("repo/{name}"), &evil));
        project.write("repo/rust-toolchain.toml", "[toolchain]\npath = \"toolchain\"\n");
        project.write("repo/.cargo/config.toml", "[build]\nrustc-wrapper = \"./git\"\n");
        // The runner's cargo; where it is started decides whose settings it takes.
        let install = format!(
            "pwd > '{}'; mkdir -p \"$HOME/.cache/consolidate/bin\"; ln -s '{}' \"$HOME/.cache/consolidate/bin/consolidate\"",
            project.path("cargo-ran").display(),
            env!("CARGO_BIN_EXE_consolidate")
        );
        program(&project, "tools/cargo", &install);
        let path = format!("{}:{}", project.path("tools").display(), std::env::var("PATH").expect("a PATH"));
        let environment = [("GITHUB_TOKEN", TOKEN), ("PATH", path.as_str())];
        for inputs in
            [[("working-directory", "repo"), ("check", "true")], [("working-directory", "repo"), ("check", "false")]]
        {
            let (ran, steps) = run_with(&project, &inputs, &environment);
            let all = format!("{}{}", ran.out, ran.err);
            assert!(!all.contains(TOKEN), "{toml}: a token is shown: {all}");
            assert!(!project.path("marker").exists(), "{toml}: a program was started at {steps:?}");
            assert!(listener.accept().is_err(), "{toml}: something was sent at {steps:?}");
        }
        let built = fs::canonicalize(project.read("cargo-ran").trim()).expect("a folder");
        assert_eq!(built, fs::canonicalize(env!("CARGO_MANIFEST_DIR")).expect("a folder"));
    }
}
