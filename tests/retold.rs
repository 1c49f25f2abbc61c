//! Below the highest rungs: each step down has a line of its own, and where all else would be longer than the history, its
//! own statements are written.

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
