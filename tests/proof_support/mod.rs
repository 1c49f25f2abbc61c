//! Sets of SQL for the judge's tests.
#![allow(dead_code)]

use consolidate::proof::{ReplayFile, ReplayStatement, Settings, Silent, Verdict, verify};

/// A file of SQL, taken apart into its statements.
pub fn file(name: &str, sql: &str, in_transaction: bool) -> ReplayFile {
    let mut at = 0;
    let mut statements = Vec::new();
    for text in pg_query::split_with_parser(sql).expect("the SQL of a test can be parsed") {
        let start = at + sql[at..].find(text).expect("a statement stands in its file");
        at = start + text.len();
        let text = text.trim_start();
        let line = 1 + sql[..at - text.len()].matches('\n').count();
        statements.push(ReplayStatement { line, text: text.to_string(), copy_data: None });
    }
    ReplayFile { name: name.to_string(), in_transaction, statements, ..ReplayFile::default() }
}

/// Files that run in a transaction each.
pub fn set(texts: &[&str]) -> Vec<ReplayFile> {
    texts.iter().enumerate().map(|(i, sql)| file(&format!("{}.sql", i + 1), sql, true)).collect()
}

/// The verdict on two sets.
pub fn judge(old: &[&str], new: &[&str]) -> Verdict {
    judge_with(old, new, &Settings::default())
}

/// The verdict on two sets, with settings.
pub fn judge_with(old: &[&str], new: &[&str], settings: &Settings) -> Verdict {
    verify(&set(old), &set(new), settings, &Silent).unwrap_or_else(|(side, error)| panic!("{side}: {error}"))
}

/// A little database with something of each common kind.
pub fn base() -> &'static str {
    "CREATE ROLE reader;
    CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL, qty int DEFAULT 1);
    CREATE INDEX item_name ON item (name);
    COMMENT ON TABLE item IS 'things';
    GRANT SELECT ON item TO reader;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
    CREATE TRIGGER touch BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION touch();
    ALTER TABLE item ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON item USING (true);
    CREATE VIEW names AS SELECT name FROM item;
    CREATE MATERIALIZED VIEW totals AS SELECT sum(qty) FROM item;
    INSERT INTO item (name) VALUES ('a'), ('b');"
}
