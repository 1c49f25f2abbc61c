//! Below the highest rungs: each step down has a line of its own, and where all else would be longer than the history, its
//! own statements are written.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

use consolidate::config::Config;
use consolidate::emit::{How, Proven, prove};
use consolidate::history;
use consolidate::proof::{Settings, Silent, VerdictKind};
use consolidate::replay::replay;
use std::path::Path;

fn proven(texts: &[(&str, &str)]) -> Proven {
    let texts: Vec<(String, String)> = texts.iter().map(|(n, t)| (n.to_string(), t.to_string())).collect();
    let history = history::from_texts(Path::new(""), &texts).expect("a history");
    let settings = Settings { one_session: true, ..Settings::default() };
    prove(&history, &replay(&history), &Config::default(), &settings, &Silent).expect("a set")
}

#[test]
fn statements_that_begin_alike_have_a_line_each_when_they_go() {
    let text = include_str!("../fixtures/traps/do-then-rename/migrations/0001_tables.sql");
    let proven = proven(&[("0001_tables.sql", text)]);
    let gone: Vec<&str> = proven.lowered.iter().filter(|l| l.how == How::LeftOut).map(|l| l.object.as_str()).collect();
    assert_eq!(gone.len(), 2, "{:?}", proven.lowered);
    assert!(gone[0].ends_with("(0001_tables.sql:4)") && gone[1].ends_with("(0001_tables.sql:5)"), "{gone:?}");
    assert_eq!(proven.kept_opaque, 0);
}

/// The role is set for both files at once; set anew in each it takes two statements more.
#[test]
fn a_set_that_would_be_longer_gives_way_to_the_history() {
    let first = "GRANT CREATE ON SCHEMA public TO PUBLIC;\nCREATE ROLE web LOGIN PASSWORD 'secret';\nSET ROLE web;\n\
                 CREATE TABLE event_log (id timestamptz);\n";
    let second = "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';\n";
    let proven = proven(&[("0001_log.sql", first), ("0002_one.sql", second)]);
    assert_eq!(proven.verdict.kind, VerdictKind::Identical);
    assert!(proven.untouched);
    let texts: Vec<&str> = proven.set.files.iter().map(|f| f.text.as_str()).collect();
    assert_eq!(texts, [first, second]);
    assert_eq!(proven.set.statements(), 5);
    let said: Vec<_> = proven.lowered.iter().map(|l| (l.object.as_str(), l.how, l.why.as_str())).collect();
    assert_eq!(said, [("all statements", How::Happened, "any other set has more statements")]);
}

/// What the history's files say of transactions is said of the set's too.
#[test]
fn files_outside_of_transactions_stay_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    let first = "GRANT CREATE ON SCHEMA public TO PUBLIC;\nCREATE ROLE web;\nSET ROLE web;\nCREATE TABLE event_log (at date);\n";
    write("0001_log.sql", first);
    write("0002_index.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY log_at ON event_log (at);\n");
    write("0003_one.sql", "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';\n");
    let history = history::read(folder.path()).expect("a history");
    let settings = Settings { one_session: true, ..Settings::default() };
    let proven = prove(&history, &replay(&history), &Config::default(), &settings, &Silent).expect("a set");
    assert!(proven.untouched);
    assert_eq!(proven.set.files.iter().map(|f| f.bare).collect::<Vec<_>>(), [false, true, false]);
}

/// An index of a partitioned table makes one on each partition, also on one that only the replayed history shows. And what
/// was made of today's date is said to be so.
#[test]
fn what_comes_along_with_something_else_is_not_stated() {
    let proven = proven(&[(
        "0001_events.sql",
        "CREATE TABLE old_events (at date);\nCREATE TABLE events (at date PRIMARY KEY) PARTITION BY RANGE (at);\n\
         CREATE INDEX events_at ON events (at);\nDO $$ DECLARE m date; BEGIN\n  SELECT coalesce(min(at), '2026-11-21') \
         INTO m FROM old_events WHERE at < now();\n  EXECUTE format('CREATE TABLE events_first PARTITION OF events FOR \
         VALUES FROM (%L) TO (%L)', m, m + 9);\nEND $$;\nDROP TABLE old_events;\nCREATE TABLE x (id int);\n\
         ALTER TABLE x ADD a int;\nALTER TABLE x ADD b int;\nALTER TABLE x ADD c int;\nALTER TABLE x ADD d int;\n",
    )]);
    assert_eq!(proven.verdict.kind, VerdictKind::Identical);
    let said: Vec<_> = proven.lowered.iter().map(|l| (l.object.as_str(), l.how)).collect();
    assert_eq!(proven.rungs.as_written + proven.rungs.folded, 3, "{said:?}");
    assert!(proven.set.files[0].text.contains("CREATE TABLE x (id int, a int, b int, c int, d int)"));
    let of_today: Vec<_> = proven.lowered.iter().filter(|l| l.why.ends_with("what it made today")).collect();
    assert_eq!(of_today.len(), 1, "{:?}", proven.lowered);
}
