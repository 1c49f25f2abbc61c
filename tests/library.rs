//! The calls of the library as another program makes them: it hears all by a progress of its own, and nothing is printed.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

use consolidate::diff::Side;
use consolidate::proof::VerdictKind;
use consolidate::{
    Asked, At, DraftOf, Emitting, HandingOver, Progress, Project, Silent, Stale, Target, Unproven, Written,
};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A history that has something to warn of.
const FILES: &[(&str, &str)] = &[
    ("0001_people.sql", "CREATE TABLE person (id int PRIMARY KEY, name text);\nCREATE TABLE draft (id int);\n"),
    ("0002_role.sql", "CREATE ROLE reader PASSWORD 'hush-hush-hush';\nGRANT SELECT ON person TO reader;\n"),
    ("0003_gone.sql", "DROP TABLE draft;\nALTER TABLE person ADD born date;\n"),
];

/// What another program hears.
#[derive(Default)]
struct Heard {
    steps: AtomicUsize,
    said: Mutex<Vec<String>>,
}

impl Progress for Heard {
    fn step(&self, side: &str, what: &str, done: usize, total: usize) {
        assert!(!side.is_empty() && !what.is_empty() && done <= total, "{side}: {what} {done}/{total}");
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    fn note(&self, text: &str) {
        self.said.lock().unwrap().push(text.to_string());
    }

    fn warning(&self, at: &At, why: &str) {
        self.said.lock().unwrap().push(format!("{at}: {why}"));
    }
}

#[test]
fn another_program_hears_all_and_nothing_is_printed() {
    if let Some(folder) = std::env::var_os("LIBRARY_FOLDER") {
        return all_calls(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    for (name, text) in FILES {
        std::fs::write(folder.path().join("migrations").join(name), text).unwrap();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["another_program_hears_all_and_nothing_is_printed", "--exact", "--nocapture"])
        .env("LIBRARY_FOLDER", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(err, "");
    // What the tests themselves say.
    let ours = |line: &&str| !line.is_empty() && !line.starts_with("running ") && !line.starts_with("test ");
    assert_eq!(out.lines().filter(ours).collect::<Vec<_>>(), [""; 0]);
}

/// All that can be done with a project, in its folder.
fn all_calls(folder: &Path) {
    let heard = Heard::default();
    let draft = consolidate::draft(&DraftOf::default(), &heard).unwrap();
    assert_eq!((draft.tables.as_slice(), draft.roles.len()), (["public.person".to_string()].as_slice(), 0));

    let project = Project::open(&Asked::default(), &heard).unwrap();
    let planned = consolidate::plan(&project).unwrap();
    assert!(matches!(planned.stale(&project), Some(Stale::Idle(_, _))));
    let (statement, fate) = planned.fate_at("0003:1").unwrap();
    assert!(planned.history.text(statement).starts_with("DROP TABLE") && !fate.why.is_empty());

    // Where the history is, no set goes unasked.
    let refused =
        consolidate::consolidate(&project, &Emitting { target: Target::Folder, ..Emitting::default() }, &heard);
    assert!(matches!(refused, Err(Unproven::Unable(errors)) if errors[0].hint.is_some()));

    let set = consolidate::consolidate(&project, &Emitting { target: Target::InPlace, ..Emitting::default() }, &heard);
    let set = set.unwrap();
    assert_eq!(set.proven.verdict.kind, VerdictKind::Identical);
    assert_eq!(set.names().len(), set.about.after.files);
    assert!(!folder.join("migrations.old").exists(), "nothing is written yet");
    let Written::Files(changes) = set.write().unwrap() else { panic!("the set is new") };
    assert_eq!(changes.written.len(), set.files().len());
    assert!(folder.join("migrations.old/0003_gone.sql").exists());

    let asked = Asked { scratch: Some("embedded".into()), ..Asked::default() };
    let project = Project::open(&asked, &heard).unwrap();
    assert_eq!(consolidate::plan(&project).unwrap().stale(&project), None);
    let verified = consolidate::verify(&project, &heard).unwrap();
    assert_eq!(verified.verdict.kind, VerdictKind::Identical);
    let sides = [Side::Folder(project.old.clone()), Side::Folder(project.new.clone())];
    assert_eq!(consolidate::diff(&project, &sides, &Silent).unwrap().kind, VerdictKind::Identical);
    let handover = consolidate::handover(&project, &HandingOver::default()).unwrap();
    assert!(handover.script.sql.contains(&handover.script.table));
    let errors = handover.run(&project, "postgres://nobody@127.0.0.1:1/none", &heard).unwrap_err();
    assert!(!errors.is_empty());

    assert!(consolidate::restore(&project, false).unwrap().ends_with("migrations.old"));
    assert!(!folder.join("migrations.old").exists() && folder.join("migrations/0003_gone.sql").exists());
    assert!(heard.steps.load(Ordering::Relaxed) > 10);
    let said = heard.said.lock().unwrap();
    let secret = "0002_role.sql:1: a password stands in the history, and will stand in the new set";
    assert!(said.iter().any(|line| line == secret), "{said:?}");
}
