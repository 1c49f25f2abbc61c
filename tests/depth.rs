//! Statements that are nested deep: what PostgreSQL takes is taken, what it refuses is told with its place and its own words,
//! and nothing ends the program by a signal (`ran` would say so).

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
use consolidate::scratch::programs::Programs;

/// A kind of nesting, as a statement of so many levels.
type Kind = (&'static str, fn(usize) -> String);

const KINDS: &[Kind] = &[
    ("operators", |n| format!("CREATE VIEW v AS SELECT 'x'{} AS a", "||'x'".repeat(n))),
    ("unions", |n| format!("CREATE VIEW v AS SELECT 1 AS a{}", " UNION ALL SELECT 1".repeat(n))),
    ("negations", |n| format!("CREATE VIEW v AS SELECT {}true AS a", "NOT ".repeat(n))),
    ("casts", |n| format!("CREATE VIEW v AS SELECT 1{} AS a", "::int::text".repeat(n / 2))),
    ("calls", |n| format!("CREATE VIEW v AS SELECT {}1{} AS a", "abs(".repeat(n), ")".repeat(n))),
    ("subselects", |n| format!("CREATE VIEW v AS SELECT {}1{} AS a", "(SELECT ".repeat(n), ")".repeat(n))),
    ("cases", |n| format!("CREATE VIEW v AS SELECT {}1{} AS a", "CASE WHEN true THEN ".repeat(n), " END".repeat(n))),
    ("parentheses", |n| format!("CREATE VIEW v AS SELECT {}1{} AS a", "(".repeat(n), ")".repeat(n))),
    ("ifs", |n| format!("DO $$ BEGIN {}NULL; {}END $$", "IF true THEN ".repeat(n), "END IF; ".repeat(n))),
];

/// Runs a history with one deep statement on its second line.
fn run(statement: &str, arguments: &str) -> Ran {
    Project::history(&[("1.sql", &history(statement))]).run(arguments)
}

fn history(statement: &str) -> String {
    format!("CREATE TABLE draft (a int);\n{statement};\nDROP TABLE draft;\n")
}

#[test]
fn what_postgresql_takes_is_taken() {
    // The embedded PostgreSQL has a smaller stack than others.
    for (name, kind) in KINDS {
        let levels = if *name == "cases" { 60 } else { 200 };
        let ran = run(&kind(levels), "emit --dry-run --scratch embedded");
        assert_eq!(ran.code, 0, "{levels} {name}: {} {}", ran.out, ran.err);
    }
}

/// PostgreSQL's own edge, at a max_stack_depth of 2 MB, lies between 2,000 and 11,000 levels. Near it a tree is too deep for
/// pg_query; then the statement is kept as it stands, and whether it is one PostgreSQL says.
#[test]
fn a_plan_reads_all_that_postgresql_does() {
    for (name, kind) in KINDS {
        let levels: &[usize] = match *name {
            "operators" | "unions" | "casts" | "negations" | "parentheses" => &[1000, 4000, 9000],
            "cases" => &[1000, 1900],
            _ => &[1000, 2500],
        };
        for levels in levels {
            let ran = run(&kind(*levels), "plan");
            assert_eq!(ran.code, 0, "{levels} {name}: {}", ran.err);
        }
    }
}

#[test]
fn at_the_edge_postgresql_has_the_word() {
    let chains = &KINDS[..2];
    for (name, kind) in chains {
        let ran = run(&kind(15_000), "emit --dry-run --scratch embedded");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{name}: {}", ran.err);
        assert!(ran.err.contains("migrations.old/1.sql:2: "), "{name}: {}", ran.err);
    }
    if let Err(error) = Programs::find(None) {
        return eprintln!("skipped: {}", error.message);
    }
    for (name, kind) in chains {
        for (levels, code) in [(3000, 0), (5500, 0), (15_000, 2)] {
            let text = history(&kind(levels));
            let project = Project::history(&[("1.sql", &text)]);
            let mut command = project.command("emit --dry-run --scratch local");
            let ran = ran(command.env_remove("CONSOLIDATE_PG_BIN"));
            assert_eq!(ran.code, code, "{levels} {name}: {} {}", ran.out, ran.err);
            let told = ran.err.contains("migrations.old/1.sql:2: stack depth limit exceeded");
            assert_eq!(told, code == 2, "{levels} {name}: {}", ran.err);
        }
    }
}

#[test]
fn no_depth_ends_the_program() {
    for (name, kind) in KINDS {
        let ran = run(&kind(100_000), "plan");
        // With so many brackets PostgreSQL's parser itself gives up; anything else is kept as it stands.
        let is_refused = ["calls", "subselects", "parentheses"].contains(name);
        assert_eq!(ran.code, if is_refused { 2 } else { 0 }, "{name}: {}", ran.err);
        let told = ran.err.contains("migrations.old/1.sql:2") && ran.err.contains("memory exhausted");
        assert_eq!(told, is_refused, "{name}: {}", ran.err);
    }
    let open = "(".repeat(1 << 20);
    let ran = run(&format!("SELECT {open}1"), "plan");
    assert!(ran.code == 2 && ran.err.contains("migrations.old/1.sql:2"), "{}", ran.err);
}
