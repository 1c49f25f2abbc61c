use super::*;
use crate::sql::parse::parse;

/// For each rule a statement in which it is found.
const EXAMPLES: &[(&str, Engine)] = &[
    ("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)", Sqlite),
    ("PRAGMA foreign_keys = ON", Sqlite),
    ("CREATE TABLE t (id INTEGER PRIMARY KEY) WITHOUT ROWID", Sqlite),
    ("CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT", Sqlite),
    ("CREATE TABLE t (id INTEGER PRIMARY KEY) WITHOUT ROWID, STRICT", Sqlite),
    ("CREATE VIRTUAL TABLE f USING fts5(body)", Sqlite),
    ("ATTACH DATABASE 'a.db' AS a", Sqlite),
    ("DETACH DATABASE a", Sqlite),
    ("INSERT OR IGNORE INTO t VALUES (1)", Sqlite),
    ("UPDATE OR REPLACE t SET a = 1", Sqlite),
    ("REPLACE INTO t VALUES (1)", Sqlite),
    ("CREATE TABLE t (a TEXT UNIQUE ON CONFLICT REPLACE)", Sqlite),
    ("CREATE TABLE t (a TEXT UNIQUE ON CONFLICT IGNORE)", Sqlite),
    ("CREATE TABLE t (a TEXT UNIQUE ON CONFLICT ABORT)", Sqlite),
    ("CREATE TABLE t (a TEXT UNIQUE ON CONFLICT FAIL)", Sqlite),
    ("CREATE TABLE t (a TEXT UNIQUE ON CONFLICT ROLLBACK)", Sqlite),
    ("CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON t BEGIN SELECT 1", Sqlite),
    ("CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN SELECT 1", Sqlite),
    ("CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = 1", Sqlite),
    ("CREATE VIEW IF NOT EXISTS v AS SELECT 1", Sqlite),
    ("CREATE TABLE t (a TEXT COLLATE BINARY)", Sqlite),
    ("CREATE TABLE t (id int AUTO_INCREMENT)", Mysql),
    ("CREATE TABLE t (id int) ENGINE = MergeTree ORDER BY id", ClickHouse),
    ("CREATE TABLE t (id int) ENGINE = ReplacingMergeTree ORDER BY id", ClickHouse),
    ("CREATE TABLE t (id int) ENGINE = ReplicatedMergeTree('/a') ORDER BY id", ClickHouse),
    ("CREATE TABLE t (id int) ENGINE=InnoDB", Mysql),
    ("CREATE TABLE t (id int) DEFAULT CHARSET=utf8mb4", Mysql),
    ("CREATE TABLE t (a varchar(9) CHARACTER SET utf8)", Mysql),
    ("CREATE TABLE t (id int UNSIGNED NOT NULL)", Mysql),
    ("CREATE TABLE t (id int(10) ZEROFILL)", Mysql),
    ("CREATE TABLE t (a timestamp DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)", Mysql),
    ("INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1", Mysql),
    ("INSERT IGNORE INTO t VALUES (1)", Mysql),
    ("CREATE TABLE t (a int, UNIQUE KEY k (a))", Mysql),
    ("CREATE TABLE t (a text, FULLTEXT KEY k (a))", Mysql),
    ("CREATE FULLTEXT INDEX k ON t (a)", Mysql),
    ("ALTER TABLE t MODIFY COLUMN a int", Mysql),
    ("ALTER TABLE t CHANGE COLUMN a b int", Mysql),
    ("ALTER TABLE t MODIFY a int", Mysql),
    ("ALTER TABLE t CHANGE a b int", Mysql),
    ("ALTER TABLE t DROP INDEX k", Mysql),
    ("ALTER TABLE t DROP FOREIGN KEY k", Mysql),
    ("ALTER TABLE t DROP PRIMARY KEY", Mysql),
    ("ALTER TABLE t ADD b int, ALGORITHM = INPLACE", Mysql),
    ("CREATE TABLE t (a int COMMENT 'b')", Mysql),
    ("DELIMITER //", Mysql),
    ("USE shop", Mysql),
    ("CREATE DATABASE IF NOT EXISTS shop", Mysql),
    ("LOCK TABLES t WRITE", Mysql),
    ("UNLOCK TABLES", Mysql),
    ("SET @a = 1", Mysql),
    ("RENAME TABLE a TO b", Mysql),
    ("CREATE TABLE t (id int IDENTITY(1,1))", SqlServer),
    ("CREATE NONCLUSTERED INDEX i ON t (a)", SqlServer),
    ("CREATE TABLE t (id int PRIMARY KEY CLUSTERED)", SqlServer),
    ("GO\nCREATE TABLE t (id int)", SqlServer),
    ("EXEC sp_rename 'a', 'b'", SqlServer),
    ("PRINT 'a'", SqlServer),
    ("DECLARE @a int", SqlServer),
    ("CREATE TABLE t (a varchar(max))", SqlServer),
    ("SELECT * FROM t WITH (NOLOCK)", SqlServer),
    ("CREATE TABLE t (a VARCHAR2(9 CHAR))", Oracle),
    ("CREATE TABLE t (a varchar(9 BYTE))", Oracle),
    ("CREATE TABLE t (a LowCardinality(String)) ENGINE Log ORDER BY (a", ClickHouse),
];

#[test]
fn every_rule_finds_what_postgresql_refuses() {
    for rule in REFUSED {
        let finds = |sql: &&(&str, Engine)| {
            let begins = rule.of.split_whitespace().zip(&lex_code(sql.0)).all(|(word, token)| token.is(sql.0, word));
            begins && place_of(rule.words, sql.0, &lex_code(sql.0)).is_some()
        };
        let example = EXAMPLES.iter().find(finds);
        assert!(example.is_some(), "no example of {}", rule.words);
    }
    for (sql, engine) in EXAMPLES {
        assert!(parse(sql).is_err(), "PostgreSQL reads {sql}");
        let words = in_refused(sql);
        assert!(words.iter().any(|w| w.engines.contains(engine)), "{sql}: {words:?}");
        assert!(!is_postgres(sql), "{sql}");
    }
}

#[test]
fn names_in_backticks_and_brackets_are_no_strings() {
    let of = |sql: &str| in_refused(sql).into_iter().map(|w| (w.word, w.at)).collect::<Vec<_>>();
    assert_eq!(of("CREATE TABLE `a` (`b` int)"), [("a name in backticks".to_string(), 13)]);
    assert_eq!(of("CREATE TABLE [a] (b int)"), [("a name in brackets".to_string(), 13)]);
    assert_eq!(of("SELECTT '`a`', \"`b`\", $$`c`$$ -- `d`"), []);
    assert_eq!(of("SELECTT a[b] FROM c"), []);
}

#[test]
fn words_that_postgresql_reads_are_found_in_trees() {
    let found = |sql: &str| {
        let node = parse(sql).ok().flatten().expect("a statement");
        let words = in_tree(&node, sql, &|name| name == "made").into_iter().chain(in_columns(&node));
        words.map(|w| w.word).collect::<Vec<_>>()
    };
    let rules = [TYPES, FUNCTIONS, RELATIONS, COLLATIONS, SETTINGS];
    for (name, _) in TYPES {
        assert_eq!(found(&format!("CREATE TABLE t (a {name})")), [format!("the type {name}")]);
    }
    for (name, _) in FUNCTIONS {
        assert_eq!(found(&format!("SELECT {name}('a')")), [format!("the function {name}")]);
    }
    for (name, _) in RELATIONS {
        assert_eq!(found(&format!("DELETE FROM {name}")), [format!("the table {name}")]);
    }
    for (name, _) in COLLATIONS {
        assert_eq!(found(&format!("CREATE TABLE t (a text COLLATE {name})")), [format!("the collation {name}")]);
    }
    for (name, _) in SETTINGS {
        assert_eq!(found(&format!("SET {name} = 0")), [format!("the setting {name}")]);
    }
    assert!(rules.iter().flat_map(|r| r.iter()).all(|(name, _)| may_hold_any(&format!("x {name} y"))));
    assert_eq!(found("CREATE TABLE t (a boolean NOT NULL DEFAULT 0)"), ["a number as the default of a boolean"]);
    let key = ["a key or an index among the columns"];
    assert_eq!(found("CREATE TABLE t (a int, KEY k (a))"), key);
    assert_eq!(found("ALTER TABLE t ADD INDEX k (a)"), key);
    // Names, strings, and what lies in a schema are something else.
    let fine = [
        "CREATE TABLE t (datetime timestamptz, blob bytea, year int)",
        "CREATE TABLE t (key text, index varchar(3), place geometry(Point, 4326), is_on boolean DEFAULT false)",
        "SELECT datetime, 'strftime(' FROM double",
        "CREATE TABLE t (a app.datetime, b double precision)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql STRICT AS 'SELECT strftime(1)'",
    ];
    for sql in fine {
        assert_eq!(found(sql), Vec::<String>::new(), "{sql}");
    }
}

#[test]
fn comments_that_mysql_runs_are_its() {
    let of = |sql: &str| in_comments(sql).map(|w| w.at);
    assert_eq!(of("-- a\n/*!40101 SET NAMES utf8 */;"), Some(5));
    assert_eq!(of("/*! about this */ SELECT '/*!40101 a */';"), None);
}

#[test]
fn what_postgresql_alone_has_is_told() {
    let own = [
        "SELECT '1'::int",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$",
        "CREATE TYPE mood AS ENUM ('ok')",
        "CREATE TABLE t (a text[])",
    ];
    for sql in own {
        assert!(is_postgres(sql), "{sql}");
    }
    for sql in ["DELIMITER $$\nCREATE TRIGGER g BEGIN END $$", "SELECT 'a::int'", "-- $$a$$", "CREATE TABLE t (a uuid)"]
    {
        assert!(!is_postgres(sql), "{sql}");
    }
}
