//! The judge on real databases: what it must see, what it must not mind, and what it says when it can't.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod proof_support;

use consolidate::proof::{self, Change, EntryKind, ReplayError, Settings, Silent, VerdictKind, verify};
use proof_support::{base, file, judge, judge_with, set};

/// Both sides share a base; the new side has one more thing, which must be the one difference.
fn differs(extra: &str, object: &str) {
    let verdict = judge(&[base()], &[base(), extra]);
    let found = &verdict.comparison.differences;
    assert!(found.iter().any(|d| d.object == object), "no difference in {object}, but in {found:#?}");
    assert_eq!(verdict.kind, VerdictKind::Different);
}

#[test]
fn identical_sets_are_identical() {
    let verdict = judge(&[base()], &[base()]);
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison);
    let compared = &verdict.comparison.compared;
    assert!(
        compared.objects > 10 && compared.tables == 2 && compared.rows == 3 && compared.sequences == 1,
        "{compared:?}"
    );
    assert_eq!(verdict.postgres, "17.5");
    assert!(verdict.comparison.notes.is_empty(), "{:?}", verdict.comparison.notes);
}

#[test]
fn one_property_each_is_seen() {
    for (extra, object) in [
        ("DROP INDEX item_name; CREATE INDEX item_name ON item (name DESC)", "index public.item_name"),
        ("ALTER TABLE item ALTER qty SET DEFAULT 2", "table public.item"),
        ("COMMENT ON TABLE item IS 'other'", "comment on table public.item"),
        ("GRANT INSERT ON item TO reader", "privileges on table public.item"),
        ("UPDATE item SET name = 'x' WHERE id = 1", "rows of public.item"),
        ("SELECT setval('item_id_seq', 99)", "position of sequence public.item_id_seq"),
        ("ALTER ROLE reader CREATEDB", "role reader"),
        ("ALTER ROLE reader SET work_mem = '8MB'", "role setting reader work_mem"),
        (
            "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'begin return old; end'",
            "function public.touch()",
        ),
        ("ALTER TABLE item DISABLE TRIGGER touch", "trigger touch on public.item"),
        ("ALTER POLICY mine ON item USING (false)", "policy mine on public.item"),
        ("CREATE OR REPLACE VIEW names AS SELECT name FROM item WHERE qty > 0", "view public.names"),
        ("ALTER TABLE item OWNER TO reader", "table public.item"),
        ("REFRESH MATERIALIZED VIEW totals WITH NO DATA", "materialized view data public.totals"),
        ("GRANT pg_monitor TO reader", "role membership reader in pg_monitor by postgres"),
    ] {
        differs(extra, object);
    }
}

#[test]
fn added_and_removed_objects_are_told_apart() {
    let verdict = judge(&["CREATE TABLE a (); CREATE TABLE b ()"], &["CREATE TABLE a (); CREATE TABLE c ()"]);
    let found: Vec<_> = verdict.comparison.differences.iter().map(|d| (d.object.as_str(), d.change)).collect();
    assert_eq!(found, [("table public.b", Change::Removed), ("table public.c", Change::Added)]);
}

#[test]
fn the_order_of_columns_matters() {
    let verdict = judge(&["CREATE TABLE t (a int, b int)"], &["CREATE TABLE t (b int, a int)"]);
    assert_eq!(verdict.comparison.differences[0].property.as_deref(), Some("order of columns"));
}

#[test]
fn texts_that_only_came_about_otherwise_are_equal() {
    let folded = "CREATE TABLE t (s varchar(9) CHECK (s IN ('a', 'b')))";
    let late = "CREATE TABLE t (s varchar(9)); ALTER TABLE t ADD CHECK ((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))";
    assert_eq!(judge(&[folded], &[late]).kind, VerdictKind::Identical);
    let roles = "CREATE ROLE a; CREATE ROLE b; CREATE TABLE t ()";
    let (one, other) =
        ("GRANT SELECT ON t TO a; GRANT SELECT ON t TO b", "GRANT SELECT ON t TO b; GRANT SELECT ON t TO a");
    let verdict = judge(&[roles, one], &[roles, other]);
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison);
}

#[test]
fn a_refused_statement_is_named() {
    let files = [
        file("1_ok.sql", "CREATE TABLE t ();", true),
        file("2_bad.sql", "SELECT 1;\n\nINSERT INTO nowhere\nVALUES (1);", true),
    ];
    let error = proof::replay("old", &files, &Settings::default(), &Silent).expect_err("it must fail");
    let ReplayError::Failed(failure) = error else { panic!("{error}") };
    assert_eq!(
        (failure.file.as_str(), failure.line, failure.file_index, failure.statement_index),
        ("2_bad.sql", 3, 1, 1)
    );
    assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("42P01", "relation \"nowhere\" does not exist"));
    assert!(!failure.in_prelude);
}

#[test]
fn a_deferred_failure_and_one_in_the_prelude_are_named() {
    let deferred = "CREATE TABLE p (id int PRIMARY KEY);\nCREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO c VALUES (1);";
    let error = proof::replay("old", &set(&[deferred]), &Settings::default(), &Silent).expect_err("it must fail");
    let ReplayError::Failed(failure) = error else { panic!("{error}") };
    assert_eq!((failure.sqlstate.as_str(), failure.line, failure.statement_index), ("23503", 3, 3));
    let settings = Settings { prelude: set(&["CREATE ROLE postgres"]), ..Settings::default() };
    let error = proof::replay("old", &[], &settings, &Silent).expect_err("it must fail");
    let ReplayError::Failed(failure) = error else { panic!("{error}") };
    assert!(failure.in_prelude);
}

#[test]
fn values_that_differ_from_run_to_run_are_compared_by_kind() {
    let sql =
        "CREATE TABLE parent (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, at timestamptz DEFAULT now());
        CREATE TABLE child (parent uuid REFERENCES parent, name text);
        INSERT INTO parent (name) VALUES ('a'), ('b'), ('c');
        INSERT INTO child SELECT id, 'kid' FROM parent WHERE name = 'b'";
    let verdict = judge(&[sql], &[sql]);
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison);
    assert_eq!(verdict.comparison.volatile_cells, 7);
    let other = sql.replace("name = 'b'", "name = 'c'");
    let verdict = judge(&[sql], &[&other]);
    assert_eq!(verdict.kind, VerdictKind::Different, "a child of another parent must be seen");
    let fixed = sql.replace("('a')", "('A')");
    assert_eq!(judge(&[sql], &[&fixed]).kind, VerdictKind::Different);
}

/// Columns that mix values of the clock, of chance and constants, with a key and without.
#[test]
fn a_constant_among_values_of_the_clock_and_of_chance_counts() {
    let table = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz); CREATE TABLE k (token text);";
    let rows = |day: &str, token: &str| {
        format!(
            "{table} INSERT INTO t VALUES (1, now()), (2, now()), (3, '{day}');
            INSERT INTO k VALUES (md5(random()::text)), (md5(random()::text)), ('{token}'), (now()::text)"
        )
    };
    let old = rows("2020-01-01", "fixed");
    assert_eq!(judge(&[&old], &[&old]).kind, VerdictKind::Identical);
    for (new, object) in [
        (rows("2021-06-06", "fixed"), "rows of public.t"),
        (rows("2020-01-01", "other"), "rows of public.k"),
        (old.replace("(2, now())", "(2, '2020-01-01')"), "rows of public.t"),
        (old.replace("('fixed'), (now()", "(md5(random()::text)), (now()"), "rows of public.k"),
    ] {
        let found: Vec<_> = judge(&[&old], &[&new]).comparison.differences.into_iter().map(|d| d.object).collect();
        assert_eq!(found, [object], "{new}");
    }
}

/// Two replays give half of such values alike; more of them tell.
#[test]
fn values_of_few_outcomes_are_told_from_constants() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, flag boolean, dice int);
        INSERT INTO t SELECT g, random() < 0.5, floor(random() * 6) FROM generate_series(1, 30) g;
        CREATE TABLE k (flag boolean);
        INSERT INTO k SELECT random() < 0.5 FROM generate_series(1, 10) g;
        CREATE TABLE one (flag boolean);
        INSERT INTO one VALUES (random() < 0.5);
        CREATE TABLE maybe (id int, word text);
        INSERT INTO maybe SELECT g, CASE WHEN random() < 0.5 THEN 'x' END FROM generate_series(1, 10) g";
    let verdict = judge(&[sql], &[sql]);
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison.differences);
    let fixed = |row: &str| {
        format!(
            "CREATE TABLE t (id int, flag boolean); INSERT INTO t SELECT g, random() < 0.5 FROM generate_series(1, 3) g; INSERT INTO t VALUES (4, {row})"
        )
    };
    for (one, other) in [("true", "false"), ("random() < 0.5", "true"), ("true", "random() < 0.5")] {
        let verdict = judge(&[&fixed(one)], &[&fixed(other)]);
        assert_eq!(verdict.kind, VerdictKind::Different, "{one} and {other}");
    }
}

#[test]
fn an_index_is_built_concurrently_outside_of_the_files_transaction() {
    let sql = "CREATE TABLE t (a int); CREATE INDEX CONCURRENTLY t_a ON t (a)";
    let verdict = judge(&[sql], &[&sql.replace("CONCURRENTLY ", "")]);
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison);
    assert!(verdict.comparison.notes[0].contains("outside"), "{:?}", verdict.comparison.notes);
}

#[test]
fn a_new_enum_value_is_used_in_the_file_that_adds_it() {
    let sql = ["CREATE TYPE e AS ENUM ('a')", "ALTER TYPE e ADD VALUE 'b'; CREATE TABLE t (e e DEFAULT 'b')"];
    assert_eq!(
        judge(&sql, &["CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (e e DEFAULT 'b')"]).kind,
        VerdictKind::Identical
    );
}

#[test]
fn sessions_end_with_the_file_or_go_on() {
    // What the last file leaves is left by both.
    let sets = [
        &["CREATE SCHEMA a; SET search_path = a", "CREATE TABLE t ()"][..],
        &["CREATE SCHEMA a; CREATE TABLE a.t (); SET search_path = a"],
    ];
    let one_session = Settings { one_session: true, ..Settings::default() };
    assert_eq!(judge_with(sets[0], sets[1], &one_session).kind, VerdictKind::Identical);
    assert_eq!(judge_with(sets[0], sets[1], &Settings::default()).kind, VerdictKind::Different);
    let stays = [
        "CREATE SCHEMA a; ALTER DATABASE template1 SET search_path = a",
        "CREATE TABLE t (); SET ROLE pg_monitor",
        "CREATE TABLE u ()",
    ];
    let new =
        ["ALTER DATABASE template1 SET search_path = a; CREATE SCHEMA a; CREATE TABLE a.t (); CREATE TABLE a.u ()"];
    let verdict = judge(&stays, &new);
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison);
}

#[test]
fn a_sequence_of_an_empty_table_may_start_afresh() {
    let sql = "CREATE TABLE t (id serial)";
    let used = "INSERT INTO t DEFAULT VALUES; DELETE FROM t";
    let verdict = judge(&[sql, used], &[sql]);
    assert_eq!(verdict.kind, VerdictKind::Identical);
    assert!(verdict.comparison.notes[0].contains("t_id_seq"), "{:?}", verdict.comparison.notes);
    let exact = Settings { exact_sequences: true, ..Settings::default() };
    assert_eq!(judge_with(&[sql, used], &[sql], &exact).kind, VerdictKind::Different);
}

#[test]
fn touched_rows_are_counted_and_copy_brings_its_data() {
    let mut files = set(&[
        "CREATE TABLE t (a int); UPDATE t SET a = 1; INSERT INTO t VALUES (1), (2); COPY t FROM stdin; DELETE FROM t WHERE a = 2",
    ]);
    files[0].statements[3].copy_data = Some("3\n\\N\n".into());
    let snapshot = proof::replay("old", &files, &Settings::default(), &Silent).expect("it replays");
    assert_eq!(snapshot.touched, [[None, Some(0), Some(2), Some(2), Some(1)]]);
    assert_eq!(snapshot.rows[0].rows, [[Some("1".to_string())], [Some("3".to_string())], [None]]);
}

#[test]
fn a_file_with_its_own_transaction_words_runs_as_it_stands() {
    let sql = ["BEGIN; CREATE TABLE t (); COMMIT; BEGIN; CREATE TABLE u (); ROLLBACK", "BEGIN; CREATE TABLE v ()"];
    let verdict = judge(&sql, &["CREATE TABLE t ()"]);
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison);
}

#[test]
fn an_error_tells_its_side() {
    let (side, _) = verify(&set(&["SELECT 1"]), &set(&["SELECT x"]), &Settings::default(), &Silent).expect_err("fails");
    assert_eq!(side, "new");
}

#[test]
fn types_of_its_own_and_odd_names_come_through() {
    let sql = "CREATE SCHEMA \"Odd one\"; CREATE TYPE \"Odd one\".pair AS (a int, b text); CREATE DOMAIN d AS int CHECK (VALUE > 0);
        CREATE TABLE \"Odd one\".\"T.x; Type: TABLE\" (p \"Odd one\".pair, l d[], \"select\" int GENERATED ALWAYS AS (1) STORED);
        INSERT INTO \"Odd one\".\"T.x; Type: TABLE\" VALUES (ROW(1, 'x y'), '{1,2}'); CREATE TABLE none (); INSERT INTO none DEFAULT VALUES;
        CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1)";
    let snapshot = proof::replay("old", &set(&[sql]), &Settings::default(), &Silent).expect("it replays");
    assert!(snapshot.unread.is_empty(), "{:?}", snapshot.unread);
    let table = snapshot.rows.iter().find(|t| t.table.starts_with("T.x")).expect("the table is there");
    assert_eq!(table.rows, [[Some("(1,\"x y\")".into()), Some("{1,2}".into()), Some("1".to_string())]]);
    assert_eq!(snapshot.rows.iter().map(|t| t.rows.len()).sum::<usize>(), 3);
    let odd = snapshot
        .entries
        .iter()
        .find(|e| e.kind == EntryKind::Table && e.schema == "Odd one")
        .expect("its entry is there");
    assert_eq!(odd.name, "T.x; Type: TABLE");
}

#[test]
fn a_session_given_away_comes_back() {
    let sql = [
        "CREATE ROLE a; CREATE ROLE b; CREATE TABLE t (); GRANT SELECT ON t TO a WITH GRANT OPTION;
        SET SESSION AUTHORIZATION a; GRANT SELECT ON t TO b; RESET SESSION AUTHORIZATION; CREATE SCHEMA s1; SET SESSION AUTHORIZATION a",
        "CREATE SCHEMA s2; CREATE TABLE v (s varchar CHECK (s IN ('x', 'y')))",
    ];
    let late = "CREATE SCHEMA s2; CREATE TABLE v (s varchar);
        ALTER TABLE v ADD CHECK ((s)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))";
    let verdict = judge(&sql, &[sql[0], late]);
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison);
    assert!(verdict.comparison.notes.is_empty(), "{:?}", verdict.comparison.notes);
}

#[test]
fn a_broken_database_is_an_error_and_leaves_nothing() {
    let sql = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'begin return f(); end';\nSELECT f()";
    let error = proof::replay("old", &set(&[sql]), &Settings::default(), &Silent).expect_err("it must fail");
    let text = error.to_string();
    assert!(text.starts_with("1.sql:2: ") || text.contains("stack depth"), "{text}");
}
