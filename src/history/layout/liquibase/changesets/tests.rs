//! Tests of the changesets of a file.

use super::*;

const FILE: &str = "--liquibase formatted sql
--property name:kind value:text

--changeset ann:1 labels:v1
--comment: A book
CREATE TABLE book (id int);
--rollback DROP TABLE book;

--changeset \"Bo B\":\"2 a\" runInTransaction:false endDelimiter:@@ stripComments:false
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$
  -- one; more
  SELECT 1;
$$@@
SELECT '@@' ?? 'a'
@@
/* liquibase rollback
DROP FUNCTION f();
*/
--changeset ann:3 dbms:mysql,oracle
CREATE TABLE other (id int) ENGINE=InnoDB;
";

fn refused(line: &str) -> Error {
    let text = format!("--liquibase formatted sql\n{line}\nSELECT 1;\n");
    read("a.sql", &text).map(|_| ()).unwrap_err()
}

#[test]
fn each_changeset_is_run_by_itself() {
    assert!(is_formatted(FILE) && !is_formatted("-- a\n--liquibase formatted sql\n"));
    let read = read("a.sql", FILE).unwrap();
    let names: Vec<(&str, &str)> = read.changesets.iter().map(|c| (c.author.as_str(), c.id.as_str())).collect();
    assert_eq!(names, [("ann", "1"), ("Bo B", "2 a")]);
    let parts: Vec<Wrap> = read.mask.parts.iter().map(|p| p.wrap).collect();
    assert_eq!(parts, [Wrap::Transaction, Wrap::Bare]);
    assert!(read.mask.has_down);
    let lines: Vec<usize> = read.mask.warnings.iter().map(|w| w.0).collect();
    assert_eq!(lines, [4, 19]);
    let text = read.mask.apply(FILE.to_string());
    assert_eq!(text.len(), FILE.len());
    let pieces = crate::sql::split::split(&text);
    let bodies: Vec<&str> = pieces.iter().map(|p| &text[p.body.clone()]).collect();
    assert_eq!(bodies[0], "CREATE TABLE book (id int)");
    assert!(bodies[1].contains("SELECT 1;") && bodies.len() == 3, "{bodies:?}");
    assert_eq!(bodies[2], "SELECT '@@' ?\r 'a'");
    assert_eq!(properties(FILE), [("kind".to_string(), "text".to_string())]);
}

#[test]
fn what_cannot_be_told_is_refused_with_its_line() {
    for line in [
        "--changeset ann:1 context:test",
        "--changeset ann:1 contextFilter:\"a and b\"",
        "--changeset ann:1 runWith:psql",
        "--changeset ann",
        "--changeset ann:1 endDelimiter:\\n/",
        "--changeset ann:1\n--preconditions onFail:MARK_RAN\n--precondition-sql-check expectedResult:0 SELECT 1",
        "--include file:a.sql",
    ] {
        let error = refused(line);
        assert!(error.at.is_some_and(|at| (2..4).contains(&at.line)) && error.hint.is_some(), "{line}");
    }
    let halts = "--liquibase formatted sql\n--changeset a:1\n--preconditions onFail:HALT\n--precondition-sql-check expectedResult:0 SELECT 1\nSELECT 1;\n";
    assert_eq!(read("a.sql", halts).unwrap().changesets.len(), 1);
}

#[test]
fn lists_of_databases_name_postgres_or_not() {
    assert!(runs_on_postgres("h2, postgresql") && runs_on_postgres("!oracle") && runs_on_postgres("all"));
    assert!(!runs_on_postgres("oracle") && !runs_on_postgres("!postgresql") && !runs_on_postgres("none"));
}

#[test]
fn what_is_written_is_cut_and_read_as_it_was() {
    let text = "-- Rollback as below\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n  SELECT 1;\n$$;\n\nSELECT '{}'::jsonb ? 'a?';\n";
    let written = write("a", text, "1", false);
    assert!(written.contains("--changeset consolidate:1 stripComments:false endDelimiter:;;\n"), "{written}");
    assert!(written.contains("$$;\n;;\n") && written.contains("?? 'a?';\n;;\n"), "{written}");
    let masked = read("a.sql", &written).unwrap().mask.apply(written.clone());
    let pieces = crate::sql::split::split(&masked);
    assert_eq!(pieces.len(), 2);
    assert!(masked.contains("-- - Rollback as below"));
    assert!(!write("a", "CREATE TABLE a ();\nSELECT 1;\n", "1", true).contains("endDelimiter"));
}
