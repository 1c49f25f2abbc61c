//! The files of a new set: by schema, in one file, by rules that don't fit each other; and their versions.

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

const HISTORY: &[(&str, &str)] = &[
    (
        "0003_shop.sql",
        "CREATE SCHEMA shop;\nCREATE TYPE shop.size AS ENUM ('s', 'l');\nCREATE TABLE shop.items (id int, size shop.size);\n",
    ),
    (
        "0007_people.sql",
        "CREATE TABLE people (id int);\nCREATE ROLE clerk_of_filing;\nCREATE VIEW two AS SELECT id FROM shop.items;\n",
    ),
];

fn names(project: &Project) -> Vec<String> {
    let all = project.tree("migrations");
    all.keys().map(|p| p.display().to_string()).filter(|p| p.ends_with(".sql")).collect()
}

#[test]
fn files_by_schema_and_in_one_with_the_versions_asked_for() {
    let project = Project::history(HISTORY);
    project.fine("emit --files schema");
    assert_eq!(names(&project), ["0003_database.sql", "0004_shop.sql", "0005_public.sql"]);
    assert!(project.read("migrations/0004_shop.sql").contains("CREATE TABLE shop.items"));
    project.fine("emit --files one --name everything");
    assert_eq!(names(&project), ["0003_everything.sql"]);
    project.fine("emit --files schema --numbers originals");
    assert_eq!(names(&project), ["0003_database.sql", "0007_shop.sql", "0008_public.sql"]);
    project.fine("emit --numbers sequential");
    assert_eq!(names(&project), ["0003_shop.sql", "0004_people.sql"]);
    project.refused("emit --numbers timestamps", &["the first version is 0003", "first_version = "]);
    project.refused("emit --files rules", &["there are no rules", "[[file]]"]);
}

#[test]
fn rules_that_make_a_cycle_are_named_with_the_move_that_mends_it() {
    let project = Project::history(HISTORY);
    let rules = "[[file]]\nname = \"a\"\nnames = [\"items\", \"people\"]\n[[file]]\nname = \"b\"\n";
    project.write("consolidate.toml", rules);
    let ran = project.fine("emit");
    for words in [
        "0003_a and 0004_b need each other",
        "table shop.items in 0003_a needs",
        "view public.two in 0004_b needs table shop.items in 0003_a",
        "moving ",
        " mends it",
    ] {
        assert!(ran.err.contains(words), "no {words:?} in {}", ran.err);
    }
    assert!(project.fine("plan").out.contains("need each other"));
}
