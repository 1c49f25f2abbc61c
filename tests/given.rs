//! What a prelude gives is no reason to leave something out of a set: one that was proven with it is right without it, too.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

use consolidate::as_replayed::replay_files;
use consolidate::config::Config;
use consolidate::emit::{NewSet, prove, set_files};
use consolidate::history::{self, History};
use consolidate::proof::{Database, ReplayFile, ReplayStatement, Settings, Silent, VerdictKind, verify};
use consolidate::replay::replay;
use consolidate::scratch::preludes;
use std::path::Path;

/// Default privileges, and what comes after them.
const HISTORY: [(&str, &str); 2] = [
    (
        "1_defaults.sql",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO reader;\n\
         CREATE TABLE notes (id int PRIMARY KEY);\nCREATE TABLE shut (id int);\nREVOKE ALL ON shut FROM reader;\n",
    ),
    (
        "2_more.sql",
        "ALTER TABLE notes ADD COLUMN body text;\nALTER TABLE notes ADD COLUMN at date;\n\
         ALTER TABLE shut ADD COLUMN body text;\n",
    ),
];
/// What is there before it, by itself without the default privileges and with them.
const PRELUDES: [&str; 2] = [
    "CREATE ROLE reader;",
    "CREATE ROLE reader;\nALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO reader;",
];

fn settings(prelude: &str) -> Settings {
    let statements =
        prelude.lines().map(|line| ReplayStatement { line: 1, text: line.into(), copy_data: None }).collect();
    let file = ReplayFile { name: "prelude.sql".into(), statements, ..ReplayFile::default() };
    Settings { prelude: vec![file], one_session: true, database: Database::Embedded, ..Settings::default() }
}

fn read(texts: &[(&str, &str)], settings: &Settings) -> History {
    let texts: Vec<(String, String)> = texts.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
    let mut history = history::from_texts(Path::new(""), &texts).unwrap();
    history.prelude = settings.prelude_texts();
    history
}

fn proven(history: &History, settings: &Settings) -> NewSet {
    prove(history, &replay(history), &Config::default(), settings, &Silent).unwrap_or_else(|why| panic!("{why:?}")).set
}

#[test]
fn a_set_is_right_with_and_without_what_a_prelude_gives() {
    for prelude in PRELUDES {
        let own = settings(prelude);
        let history = read(&HISTORY, &own);
        let set = proven(&history, &own);
        assert!(set.statements() < history.statements.len(), "{set:?}");
        // Without such a prelude nothing says that there is something to take back; what is granted is right on both.
        for other in if prelude == PRELUDES[1] { &PRELUDES[..] } else { &PRELUDES[..1] } {
            let verdict = verify(&replay_files(&history), &set_files(&set), &settings(other), &Silent).unwrap();
            let texts: String = set.files.iter().map(|file| file.text.as_str()).collect();
            assert_eq!(verdict.kind, VerdictKind::Identical, "proven with {prelude}\non {other}:\n{texts}");
        }
    }
}

#[test]
fn what_default_privileges_give_is_granted_whatever_is_there() {
    let statements = "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO reader;\n\
        CREATE TABLE notes (id int);\nALTER TABLE notes ADD COLUMN a int;\nALTER TABLE notes ADD COLUMN b int;\n";
    for prelude in PRELUDES {
        let own = settings(prelude);
        let history = read(&[("1.sql", statements)], &own);
        let set = proven(&history, &own);
        for other in PRELUDES {
            let verdict = verify(&replay_files(&history), &set_files(&set), &settings(other), &Silent).unwrap();
            assert_eq!(verdict.kind, VerdictKind::Identical, "proven with {prelude}\non {other}");
        }
    }
}

/// Right on new projects alone: there is nothing to take back.
#[test]
fn what_differs_on_older_projects_is_seen() {
    let settings = Settings { platforms: vec![preludes::named("supabase").unwrap()], ..Settings::default() };
    let of = |text: &str| {
        let statements =
            text.lines().map(|line| ReplayStatement { line: 1, text: line.into(), copy_data: None }).collect();
        vec![ReplayFile { name: "1.sql".into(), statements, ..ReplayFile::default() }]
    };
    let taken = of("CREATE TABLE t (id int);\nREVOKE SELECT ON t FROM anon;");
    let verdict = verify(&taken, &of("CREATE TABLE t (id int);"), &settings, &Silent).unwrap();
    let notes = verdict.comparison.notes.join("\n");
    assert!(verdict.kind == VerdictKind::Different && notes.contains("before 2026-05-30"), "{notes}");
    let same = verify(&taken, &taken, &settings, &Silent).unwrap();
    assert!(same.kind == VerdictKind::Identical && same.comparison.notes.join("").contains("the same on"));
}
