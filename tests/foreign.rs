//! What isn't ours is refused by sight, or read rightly: other engines' SQL, marks of tools that nobody knows, files that undo
//! others, and files that were left out.

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

const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n";
const SQLX_SQLITE: &str = "[dependencies]\nsqlx = { version = \"0.8\", features = [\"runtime-tokio\", \"sqlite\"] }\n";

/// A project of these files; the first one's folder holds the history.
fn project(files: &[(&str, &str)]) -> Project {
    let project = Project::empty();
    project.write(".git/HEAD", "ref: refs/heads/main\n");
    files.iter().for_each(|(path, text)| project.write(path, text));
    project
}

/// The history of another engine is refused with these words, whatever is asked for, and read if it is said to be ours.
#[track_caller]
fn refused(files: &[(&str, &str)], folder: &str, words: &[&str]) {
    let project = project(files);
    for command in ["plan", "emit --new out", "verify --new out", "init"] {
        let said = project.refused(&format!("{command} --old {folder}"), words);
        assert!(said.contains("--engine postgres"), "{said}");
    }
    project.refused(&format!("diff {folder} {folder}"), words);
}

#[test]
fn words_of_other_engines_are_refused_with_their_place() {
    for (sql, line, engine) in [
        ("CREATE TABLE a (\n  id INTEGER PRIMARY KEY AUTOINCREMENT\n);", 3, "SQLite's, as AUTOINCREMENT says"),
        ("PRAGMA foreign_keys = ON;", 2, "SQLite's, as PRAGMA says"),
        ("CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT;", 2, "SQLite's, as STRICT says"),
        ("CREATE TABLE a (id INTEGER PRIMARY KEY) WITHOUT ROWID;", 2, "SQLite's, as WITHOUT ROWID says"),
        ("CREATE VIRTUAL TABLE a USING fts5(b);", 2, "SQLite's, as VIRTUAL TABLE says"),
        ("CREATE TABLE a (b TEXT DEFAULT (strftime('%s', 'now')));", 2, "SQLite's, as the function strftime shows"),
        ("CREATE TABLE a (b DATETIME);", 2, "MySQL's or SQLite's or SQL Server's, as the type datetime shows"),
        ("CREATE TABLE `a` (`b` int);", 2, "MySQL's or SQLite's, as a name in backticks shows"),
        ("CREATE TABLE `a` (`b` int) ENGINE=InnoDB;", 2, "MySQL's, as ENGINE = says"),
        ("CREATE TABLE a (b DATETIME, c BLOB);", 2, "MySQL's or SQLite's, as the type datetime shows"),
        ("/*!40101 SET NAMES utf8 */;", 2, "MySQL's, as a comment with a version"),
        ("CREATE TABLE a (b longtext);", 2, "MySQL's, as the type longtext shows"),
        ("CREATE TABLE a (b int, KEY k (b));", 2, "MySQL's, as a key or an index among the columns shows"),
        ("CREATE TABLE a (b boolean NOT NULL DEFAULT 0);", 2, "SQLite's or MySQL's, as a number as the default"),
        ("CREATE TABLE [a] (b int IDENTITY(1,1));", 2, "SQL Server's, as IDENTITY"),
        ("CREATE TABLE a (b VARCHAR2(10 CHAR));", 2, "Oracle's, as VARCHAR2 says"),
    ] {
        let text = format!("-- AUTOINCREMENT, `b`\n{sql}\n");
        let place = format!("m/2_b.sql:{line}: these migrations are {engine}");
        refused(&[("m/1_a.sql", USERS), ("m/2_b.sql", &text)], "m", &[&place]);
    }
}

#[test]
fn words_in_strings_and_of_the_history_itself_are_no_signs() {
    for sql in [
        "INSERT INTO users VALUES (1, 'PRAGMA `a` AUTOINCREMENT'); -- ENGINE=InnoDB, strftime(",
        "CREATE DOMAIN datetime AS timestamp;\nCREATE TABLE a (b datetime);",
        "CREATE FUNCTION strftime(text) RETURNS text LANGUAGE sql STRICT AS 'SELECT $1';\nSELECT strftime('a');",
        "CREATE TABLE \"datetime\" (\"AUTOINCREMENT\" int, datetime timestamptz, \"`\" text, strict boolean DEFAULT true);",
        "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN '`a` ENGINE=InnoDB'; END $$;",
    ] {
        project(&[("m/1_a.sql", USERS), ("m/2_b.sql", sql)]).fine("plan --old m");
    }
    // A mistake in SQL that is PostgreSQL's is told in PostgreSQL's words.
    let project = project(&[("m/1_a.sql", "SELECT '1'::int;\n"), ("m/2_b.sql", "CREATE TABLE `a` (b int);\n")]);
    project.refused("plan --old m", &["2_b.sql:1:14: syntax error at or near \"`\""]);
}

#[test]
fn a_prelude_may_make_what_another_engine_has() {
    let project = project(&[("m/1_a.sql", "CREATE TABLE a (b datetime);\n")]);
    project.refused("plan --old m", &["the type datetime"]);
    project.write("prelude.sql", "CREATE DOMAIN datetime AS timestamp;\n");
    project.fine("plan --old m --prelude prelude.sql");
}

#[test]
fn the_project_around_says_the_engine() {
    let journal = "{\"version\": \"6\", \"dialect\": \"sqlite\", \"entries\": [{\"idx\": 0, \"tag\": \"0000_a\"}]}";
    let schema = "datasource db {\n  provider = \"sqlite\"\n  url = \"file:dev.db\"\n}\n";
    let lock = "# do not edit\nprovider = \"sqlite\"\n";
    let drizzle = "export default defineConfig({\n  dialect: \"turso\",\n  out: \"./drizzle\",\n});\n";
    let d1 = "name = \"a\"\n[[d1_databases]]\nbinding = \"DB\"\n";
    for (folder, name, sign, text, line) in [
        ("crates/client/migrations", "1_a.sql", "crates/client/Cargo.toml", SQLX_SQLITE, 2),
        ("prisma/migrations", "1_a/migration.sql", "prisma/migrations/migration_lock.toml", lock, 2),
        ("prisma/migrations", "1_a/migration.sql", "prisma/schema.prisma", schema, 2),
        ("db/drizzle", "0000_a.sql", "db/drizzle/meta/_journal.json", journal, 1),
        ("drizzle", "0000_a.sql", "drizzle.config.ts", drizzle, 2),
        ("migrations", "0001_a.sql", "wrangler.toml", d1, 2),
    ] {
        let place = format!("error: {sign}:{line}: these migrations are SQLite's");
        refused(&[(&format!("{folder}/{name}"), USERS), (sign, text)], folder, &[&place]);
        let project = project(&[(&format!("{folder}/{name}"), USERS), (sign, text)]);
        project.fine(&format!("plan --old {folder} --engine postgres"));
        project.write("consolidate.toml", "engine = \"postgresql\"\n");
        project.fine(&format!("plan --old {folder}"));
    }
}

#[test]
fn signs_for_postgresql_clear_others() {
    let both = "[dependencies]\nsqlx = { version = \"0.8\", features = [\"sqlite\", \"postgres\"] }\n";
    project(&[("migrations/1_a.sql", USERS), ("Cargo.toml", both)]).fine("plan --old migrations");
    project(&[("migrations/postgres/1_a.sql", USERS), ("Cargo.toml", SQLX_SQLITE)])
        .fine("plan --old migrations/postgres");
    let own = "CREATE TABLE a (id int);\nCOMMENT ON TABLE a IS 'x';\n";
    project(&[("migrations/1_a.sql", own), ("Cargo.toml", SQLX_SQLITE)]).fine("plan --old migrations");
    project(&[("migrations/1_a.sql", USERS), ("package.json", "{\"dependencies\": {\"better-sqlite3\": \"1\"}}")])
        .fine("plan --old migrations");
    project(&[("server-sqlite/migrations/1_a.sql", USERS)]).fine("plan --old server-sqlite/migrations");
    let two = [
        ("server-sqlite/migrations/1_a.sql", USERS),
        ("server-sqlite/package.json", "{\"dependencies\": {\"better-sqlite3\": \"1\"}}"),
    ];
    refused(&two, "server-sqlite/migrations", &["these migrations are SQLite's"]);
}

#[test]
fn names_of_folders_and_files_say_the_engine() {
    // As gitness, vaultwarden, evolution-api and kratos name them.
    refused(&[("store/migrate/sqlite/0001_a.up.sql", USERS)], "store/migrate/sqlite", &["the folder sqlite/ says"]);
    refused(
        &[("migrations/mysql/2018-01_a/up.sql", USERS)],
        "migrations/mysql",
        &["MySQL's, as the name of the folder mysql/"],
    );
    refused(
        &[("mysql-migrations/1_a/migration.sql", USERS)],
        "mysql-migrations",
        &["the folder mysql-migrations/ says"],
    );
    refused(
        &[("m/1_a.mysql.up.sql", USERS)],
        "m",
        &["m/1_a.mysql.up.sql:1: these migrations are MySQL's, as the names"],
    );
    let project = project(&[("m/1_add_mysql.sql", USERS), ("m/2_oracle.sql", "CREATE TABLE oracle (id int);\n")]);
    project.fine("plan --old m");
}

#[test]
fn files_of_several_engines_are_asked_for_and_read_if_it_is_said() {
    let kratos = [
        ("m/1_a.mysql.down.sql", "DROP TABLE a;\n"),
        ("m/1_a.mysql.up.sql", "CREATE TABLE `a` (`id` int);\n"),
        ("m/1_a.postgres.down.sql", "DROP TABLE a;\n"),
        ("m/1_a.postgres.up.sql", "CREATE TABLE a (id int);\n"),
        ("m/1_a.sqlite3.up.sql", "CREATE TABLE \"a\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT);\n"),
        ("m/2_b.down.sql", "DROP TABLE b;\n"),
        ("m/2_b.mysql.up.sql", "CREATE TABLE `b` (`id` int);\n"),
        ("m/2_b.up.sql", "CREATE TABLE b (id int);\n"),
        ("m/3_c.postgres.up.sql", "CREATE TABLE c (id int);\n"),
        ("m/3_c.up.sql", "CREATE TABLE c (id int);\nCREATE TABLE never (id int);\n"),
    ];
    refused(
        &kratos,
        "m",
        &["files of several engines lie here: ", "MySQL (2, such as 1_a.mysql.up.sql)", "2 name none"],
    );
    let project = project(&kratos);
    let plan = project.json("plan --old m --engine postgres", 0);
    assert_eq!(plan["totals"]["files"]["before"], 3, "{plan:#}");
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("one of 3 files that are MySQL's by their names: not read"), "{warnings}");
    assert!(warnings.contains("SQLite's by its name"), "{warnings}");
    assert!(warnings.contains("beside it lies a file for PostgreSQL, which is read in its place"), "{warnings}");
    project.fine("emit --old m --new out --engine postgres");
    assert!(project.read("out/1_a.postgres.up.sql").contains("CREATE TABLE a (id int);"));
    project.fine("verify --old m --new out --engine postgres");
}

#[test]
fn what_another_engine_runs_stays_where_it_is() {
    let project = project(&[
        ("migrations/1_a.postgres.up.sql", "CREATE TABLE a (id int);\nCREATE TABLE gone (id int);\n"),
        ("migrations/1_a.sqlite.up.sql", "CREATE TABLE `a` (id int);\n"),
        ("migrations/2_b.postgres.up.sql", "DROP TABLE gone;\n"),
        ("migrations/2_b.sqlite.up.sql", "CREATE TABLE `b` (id int);\n"),
    ]);
    project.fine("emit --in-place --engine postgres");
    assert!(project.read("migrations/1_a.sqlite.up.sql").contains("`a`"));
    assert!(project.read("migrations/2_b.sqlite.up.sql").contains("`b`"));
    project.fine("verify --engine postgres");
}

#[test]
fn folders_of_several_engines_are_asked_for() {
    let files = [
        ("migrations/mysql/1_a/up.sql", "CREATE TABLE `a` (id int);\n"),
        ("migrations/postgresql/1_a/up.sql", "CREATE TABLE a (id int);\n"),
        ("migrations/sqlite/1_a/up.sql", "CREATE TABLE a (id int);\n"),
    ];
    refused(&files, "migrations", &["files of several engines lie here", "--old migrations/postgresql"]);
    let project = project(&files);
    assert!(project.fine("plan --old migrations --engine postgres").out.contains("layout: diesel"));
    project.fine("plan --old migrations/postgresql");
    project.fine("init --engine postgres");
    assert!(project.read("consolidate.toml").contains("\nengine = \"postgres\"\n"));
}

#[test]
fn only_postgresql_can_be_asked_for() {
    let project = project(&[("m/1_a.sql", USERS)]);
    let ran = project.run("plan --old m --engine sqlite");
    assert!(ran.code == 2 && ran.err.contains("SQLite isn't read"), "{ran:#?}");
    project.write("consolidate.toml", "\nengine = \"mysql\"\n");
    project.refused("plan --old m", &["consolidate.toml:2: MySQL isn't read"]);
}

#[test]
fn marks_of_tools_that_nobody_knows_are_refused_with_their_place() {
    for (up, down) in [
        ("-- up", "-- down"),
        ("-- !Up", "-- !Down"),
        ("-- ==== UP ====", "-- ==== DOWN ===="),
        ("==== UP ====", "==== DOWN ===="),
        ("-- @UP", "-- @DOWN"),
        ("@UP", "@DOWN"),
        ("-- +up", "-- +down"),
        ("-- forward", "-- rollback"),
        ("-- rambler up", "-- rambler down"),
        ("-- +micrate Up", "-- +micrate Down"),
        ("-- [apply]", "-- [revert]"),
        ("/* do */", "/* undo */"),
        ("-- UP MIGRATION", "-- ROLLBACK MIGRATION"),
        ("-- name: up", "-- name: down"),
        ("--- upgrade ---", "--- downgrade ---"),
        ("-- Step: forward", "-- Step: roll back"),
        ("-- migrate up", "-- migrate down"),
        ("/*\n * UP\n */", "/*\n * DOWN\n */"),
        ("-- ======\n-- UP\n-- ======", "-- ======\n-- DOWN\n-- ======"),
    ] {
        let file = |n: usize| format!("{up}\nCREATE TABLE t{n} (id int);\n\n{down}\nDROP TABLE t{n};\n");
        let files = [("m/1_a.sql", file(1)), ("m/2_b.sql", file(2))];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let shown =
            if down.contains('\n') { down.lines().find(|l| *l == "/*" || l.contains("DOWN")) } else { Some(down) };
        let line = file(1).lines().collect::<Vec<_>>().iter().rposition(|l| Some(*l) == shown).expect("the mark");
        let project = project(&files);
        for command in ["plan", "emit --new out"] {
            let said = project.refused(&format!("{command} --old m"), &["m/1_a.sql:", "looks like", "--layout plain"]);
            let place = format!("m/1_a.sql:{}: \"", line + 1);
            assert!(said.contains(&place), "{place}: {said}");
        }
    }
}

#[test]
fn a_mark_alone_is_refused_where_what_follows_undoes_the_file_or_most_files_have_it() {
    // By what it does.
    for mark in ["-- down", "-- reverse", "-- zur\u{fc}ck", "-- ----------", "-- 2"] {
        let text = format!("CREATE TABLE b (id int);\nCREATE INDEX b_id ON b (id);\n\n{mark}\nDROP TABLE b;\n");
        let project = project(&[("m/1_a.sql", USERS), ("m/2_b.sql", &text)]);
        project.refused("plan --old m", &["m/2_b.sql:4: what stands below \"", "only undoes what this file makes"]);
        project.fine("plan --old m --layout plain");
    }
    // By the number of files: what is made again was dropped by an earlier one.
    let down = |n: usize| format!("DROP TABLE IF EXISTS t{n};\n-- down\nCREATE TABLE t{n} (id int);\n");
    let (one, two) = (down(1), down(2));
    project(&[("m/1_a.sql", one.as_str()), ("m/2_b.sql", two.as_str())])
        .refused("plan --old m", &["m/1_a.sql:2: \"-- down\" looks like a tool's mark"]);
}

#[test]
fn comments_that_tell_something_are_no_marks() {
    for text in [
        // Rollback notes that don't run.
        "CREATE TABLE b (id int);\n-- Down:\n-- DROP TABLE b;\n",
        // A helper that is made, run and dropped.
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ INSERT INTO users VALUES (1, 'a') $$;\nSELECT f();\n-- cleanup\nDROP FUNCTION f();\n",
        // Rows that come by way of a table.
        "CREATE TABLE s (id int, n text);\nINSERT INTO s VALUES (1, 'a');\nINSERT INTO users SELECT * FROM s;\n-- done\nDROP TABLE s;\n",
        "CREATE TABLE b (id int);\n-- the first try was wrong, so it goes again\nDROP TABLE b;\n",
        "CREATE TABLE b (id int);\n-- forward\nCREATE INDEX f ON b (id);\n-- reverse\nCREATE INDEX r ON b (id DESC);\n",
        "CREATE TABLE b (id int);\nCOMMENT ON TABLE b IS '\n-- down\n';\nDROP TABLE b;\n",
    ] {
        project(&[("m/1_a.sql", USERS), ("m/2_b.sql", text)]).fine("plan --old m");
    }
}

#[test]
fn files_that_undo_the_one_beside_them_do_not_run() {
    for (up, down) in [
        ("001.do.a.sql", "001.undo.a.sql"),
        ("001_a.sql", "001_a_rollback.sql"),
        ("001_a.sql", "rollback_001_a.sql"),
        ("001_a.sql", "001_rollback_a.sql"),
        ("001_a_apply.sql", "001_a_revert.sql"),
        ("001_a.forward.sql", "001_a.reverse.sql"),
        ("001_deploy_a.sql", "001_revert_a.sql"),
        ("001_a.sql", "001_a.rollback.sql"),
        ("V0001.Name.up.sql", "V0001.Name.down.sql"),
        ("a_up.sql", "a_down.sql"),
    ] {
        let project = project(&[(&format!("m/{up}"), USERS), (&format!("m/{down}"), "DROP TABLE users;\n")]);
        let plan = project.json("plan --old m", 0);
        assert_eq!(plan["totals"]["files"]["before"], 1, "{down} ran: {plan:#}");
        assert!(plan["warnings"].to_string().contains("the down file was not read"), "{plan:#}");
        let ran = project.fine("emit --old m --new out");
        assert!(!ran.err.contains("prelude"), "{}", ran.err);
        // Names that nobody knows stay whole.
        assert!(project.path(&format!("out/{up}")).exists(), "{up}: {:?}", project.tree("out").keys());
        project.fine("verify --old m --new out");
    }
}

#[test]
fn folders_that_undo_each_other_are_named() {
    for (up, down) in [("apply", "revert"), ("deploy", "revert"), ("forward", "reverse"), ("up", "down")] {
        let files = [(&*format!("m/{up}/1_a.sql"), USERS), (&*format!("m/{down}/1_a.sql"), "DROP TABLE users;\n")];
        let project = project(&files);
        project.refused("plan --old m", &["undo each other", &format!("--old m/{up}")]);
        project.fine(&format!("plan --old m/{up}"));
    }
    let files = [
        ("m/1_a/do.sql", USERS),
        ("m/1_a/undo.sql", "DROP TABLE users;\n"),
        ("m/2_b/do.sql", "CREATE TABLE b (id int);\n"),
        ("m/2_b/undo.sql", "DROP TABLE b;\n"),
    ];
    project(&files).refused("plan --old m", &["each migration of m has a folder with do.sql"]);
}

#[test]
fn only_what_is_named_so_is_a_rollback_and_the_verdict_says_what_is_left_out() {
    let files = [
        ("migrations.old/1_a.sql", "CREATE TABLE a (id int);\n"),
        ("migrations.old/2_balance.sql", "ALTER TABLE a ADD COLUMN balance int;\n"),
        // Ordinary migrations, though they only undo.
        ("migrations.old/3_remove_balance.sql", "ALTER TABLE a DROP COLUMN balance;\n"),
        ("migrations.old/4_b.sql", "CREATE TABLE b (id int);\n"),
        ("migrations.old/5_rollback_b.sql", "DROP TABLE b;\n"),
        ("migrations.old/6_c.sql", "CREATE TABLE c (id int);\n"),
        ("migrations.old/7_c_undo.sql", "DROP TABLE IF EXISTS c;\n"),
    ];
    let project = project(&files);
    let plan = project.fine("plan").out;
    assert!(plan.contains("5_rollback_b.sql:1: only undoes 4_b.sql"), "{plan}");
    assert!(!plan.contains("3_remove_balance.sql:1: only undoes"), "{plan}");
    let said = project.fine("emit --without-rollbacks").out;
    let first = "identical to the history without 2 files (5_rollback_b.sql, 7_c_undo.sql): ";
    assert!(said.starts_with(first), "{said}");
    let verify = "verify --without-rollbacks";
    let said = project.fine(verify).out;
    let first = "identical to the history without 2 files: 5_rollback_b.sql, 7_c_undo.sql\n";
    assert!(said.starts_with(first), "{said}");
    let json = project.json(verify, 0);
    assert_eq!(json["left_out"], serde_json::json!(["5_rollback_b.sql", "7_c_undo.sql"]));
    for format in ["markdown", "junit", "github"] {
        let said = project.fine(&format!("{verify} --format {format}")).out.replace('\\', "");
        assert!(said.contains("identical to the history without 2 files"), "{said}");
        assert!(said.contains("5_rollback_b.sql, 7_c_undo.sql"), "{said}");
    }
    // The set has b and c, the history as it stands hasn't: that is a difference.
    assert_eq!(project.run("verify").code, 1);
    let ran = project.run("verify --old migrations.old --new other --without-rollbacks");
    assert_eq!(ran.code, 2, "{ran:#?}");
}

#[test]
fn rollbacks_are_looked_for_until_there_are_none() {
    // Once the second rollback is gone, the first one undoes all of its file.
    let project = project(&[
        ("migrations.old/1_a.sql", "CREATE TABLE a (id int);\n"),
        ("migrations.old/2_b.sql", "CREATE TABLE b (id int);\n"),
        ("migrations.old/3_rollback_b.sql", "DROP TABLE b;\n"),
        ("migrations.old/4_rollback_nothing.sql", "DROP TABLE IF EXISTS b;\n"),
    ]);
    let json = project.json("emit --without-rollbacks", 0);
    assert_eq!(json["left_out"], serde_json::json!(["3_rollback_b.sql", "4_rollback_nothing.sql"]));
}

#[test]
fn a_migration_with_a_down_file_of_its_own_is_no_rollback() {
    let project = project(&[
        ("migrations.old/1_a.up.sql", "CREATE TABLE a (id int);\n"),
        ("migrations.old/1_a.down.sql", "DROP TABLE a;\n"),
        ("migrations.old/2_revert_a.up.sql", "DROP TABLE a;\n"),
        ("migrations.old/2_revert_a.down.sql", "CREATE TABLE a (id int);\n"),
        ("migrations.old/3_b.up.sql", "CREATE TABLE b (id int);\n"),
    ]);
    assert!(!project.fine("plan").out.contains("only undoes"));
    assert_eq!(project.json("emit --without-rollbacks", 0)["left_out"], serde_json::json!([]));
}
