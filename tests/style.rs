//! Each folder of `fixtures/style` is a history in a style of its own: `migrations/` goes in, `expected/` must come out, byte for
//! byte, and proven. To write the expected files anew, and look at them: `CONSOLIDATE_UPDATE=1 cargo test --release --test style`.

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
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn files(folder: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    entries
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .map(|p| {
            let text = fs::read_to_string(&p).expect("UTF-8");
            (p.file_name().expect("a name").to_string_lossy().into_owned(), text)
        })
        .collect()
}

fn emitted(project: &Project, old: &str, flags: &str) -> BTreeMap<String, String> {
    let _ = fs::remove_dir_all(project.path("migrations"));
    project.fine(&format!("emit --old {old} {flags}"));
    files(&project.path("migrations"))
}

#[test]
fn every_style_is_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/style");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("fixtures") {
        let fixture = entry.expect("an entry").path();
        let project = Project::empty();
        for (name, text) in files(&fixture.join("migrations")) {
            project.write(&format!("migrations.old/{name}"), text);
        }
        let set = emitted(&project, "migrations.old", "");
        let expected = fixture.join("expected");
        if std::env::var_os("CONSOLIDATE_UPDATE").is_some() {
            let _ = fs::remove_dir_all(&expected);
            fs::create_dir_all(&expected).expect("expected");
            set.iter().for_each(|(name, text)| fs::write(expected.join(name), text).expect("a file"));
        } else if files(&expected) != set {
            let all: String = set.iter().map(|(name, text)| format!("-- == {name}\n{text}")).collect();
            wrong.push(format!("{} gives\n{all}", fixture.display()));
        }
        count += 1;
    }
    assert!(count >= 11, "only {count} styles");
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

#[test]
fn annotations_name_the_places_and_do_not_pile_up() {
    let project = Project::history(&[
        ("0001_a.sql", "-- One thing\nCREATE TABLE a (id int);\nCREATE TABLE b (id int);\n"),
        ("0002_b.sql", "ALTER TABLE a ADD COLUMN b int;\nDROP TABLE b;\nCREATE TYPE c AS ENUM ('x');\n"),
    ]);
    let set = emitted(&project, "migrations.old", "--annotate --summary summary.md");
    assert!(set["0001_a.sql"].contains("-- One thing\n-- 0001_a.sql:2, 0002_b.sql:1\nCREATE TABLE a"), "{set:#?}");
    assert!(set["0002_b.sql"].contains("-- 0002_b.sql:3\nCREATE TYPE c"), "{set:#?}");
    let summary = project.read("summary.md");
    for words in ["**identical**", "| statements | 5 | 2 |", "table `public.b` `0001_a.sql:3`", "column added"] {
        assert!(summary.contains(words), "no {words} in {summary}");
    }
    fs::rename(project.path("migrations"), project.path("again")).expect("moved");
    assert_eq!(emitted(&project, "again", "--annotate"), set);
    assert_eq!(emitted(&project, "again", ""), set);
}

#[test]
fn a_comment_that_is_left_out_is_named() {
    let project = Project::history(&[
        ("0001_tag.sql", "-- what a thing is called\ncreate table tag (id bigint primary key, name text);\n"),
        (
            "0002_owner.sql",
            "-- a file about owners\n\n-- every tag belongs to an owner\nalter table tag add column owner bigint;\n\n\
             -- both say when\nalter table tag\n    -- of the tag\n    add column made date, -- once\n    \
             add column seen date;\n\n/* tags are few */\nalter table tag alter column owner set not null;\n",
        ),
        (
            "0003_none.sql",
            "-- about what goes\ncreate table gone (a int); -- beside it\ndrop table gone;\n\
             create table bare ();\n-- the only one\nalter table bare add column a int;\n",
        ),
    ]);
    let report = project.json("emit --summary summary.md", 0);
    let left_out = &report["comments_left_out"];
    let line = |file: &str, line: usize, text: &str| serde_json::json!({ "file": file, "line": line, "text": text });
    let wanted = [line("0002_owner.sql", 6, "-- both say when"), line("0002_owner.sql", 12, "/* tags are few */")];
    assert_eq!(*left_out, serde_json::json!(wanted));
    let set: String = files(&project.path("migrations")).into_values().collect();
    for kept in
        ["-- every tag belongs to an owner\n", "-- of the tag\n", " -- once\n", "(\n    -- the only one\n    a int)"]
    {
        assert!(set.contains(kept), "no {kept:?} in {set}");
    }
    assert!(project.read("summary.md").contains("`0002_owner.sql:6`: -- both say when"));
    fs::remove_dir_all(project.path("migrations")).expect("removed");
    let text = project.fine("emit").out;
    let said = "  comments    2 lines of what lives left out:\n    0002_owner.sql:6: -- both say when\n";
    assert!(text.contains(said), "{text}");
}

/// Comment lines that stand above or beside a statement, or a column, that lives are in the new set: at least 95 %.
#[test]
fn comments_of_what_lives_are_in_the_new_set() {
    use consolidate::emit::CommentLine;
    use consolidate::history;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var("CONSOLIDATE_HISTORY").map_or_else(|_| root.join("migrations.old"), Into::into);
    let set = std::env::var("CONSOLIDATE_SET").map_or_else(|_| root.join("migrations"), Into::into);
    let history = history::read(&folder).expect("a history");
    let new: String = files(&set).into_values().collect();
    let lines: Vec<&str> = new.lines().map(str::trim).collect();
    let model = consolidate::replay::replay(&history);
    let living = consolidate::emit::comments_of_what_lives(&history, &model, 0);
    let kept = |comment: &CommentLine| lines.iter().any(|line| line.contains(comment.text.as_str()));
    let missing: Vec<&CommentLine> = living.iter().filter(|c| !kept(c)).collect();
    let share = 100.0 * (living.len() - missing.len()) as f64 / living.len() as f64;
    println!("{} of {} comment lines: {share:.1} %", living.len() - missing.len(), living.len());
    missing.iter().for_each(|line| println!("  missing: {}: {}", line.at, line.text));
    assert!(share >= 95.0, "only {share:.1} %: {missing:#?}");
}
