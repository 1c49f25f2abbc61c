//! Words by which SQL shows whose it is.
//!
//! Words that PostgreSQL's parser refuses are looked for in statements that it refused, and nowhere else: they can't be
//! a false alarm. Words that it takes, such as a type `datetime`, are looked for in its trees, and count only where the history
//! itself doesn't make what they name. What PostgreSQL alone has clears everything.

use crate::engine::Engine::{self, ClickHouse, Mysql, Oracle, SqlServer, Sqlite};
use crate::sql::lex::{Token, TokenKind, lex, lex_code};
use crate::sql::names::strings;
use crate::sql::parse::NodeEnum;
use crate::sql::walk::references;
use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{AConst, ColumnDef};

/// Words of a statement that PostgreSQL can't read.
struct Refused {
    /// The words, one after another; `^` stands for the beginning of the statement, `*` for any word, `'` for a string.
    words: &'static str,
    /// With what the statement begins; empty for anything.
    of: &'static str,
    /// Who writes so.
    engines: &'static [Engine],
}

const fn refused(words: &'static str, of: &'static str, engines: &'static [Engine]) -> Refused {
    Refused { words, of, engines }
}

const REFUSED: &[Refused] = &[
    refused("AUTOINCREMENT", "", &[Sqlite]),
    refused("^ PRAGMA", "", &[Sqlite]),
    refused("WITHOUT ROWID", "", &[Sqlite]),
    refused(") STRICT", "CREATE", &[Sqlite]),
    refused("ROWID , STRICT", "CREATE", &[Sqlite]),
    refused("VIRTUAL TABLE", "CREATE", &[Sqlite]),
    refused("^ ATTACH", "", &[Sqlite]),
    refused("^ DETACH", "", &[Sqlite]),
    refused("^ INSERT OR", "", &[Sqlite]),
    refused("^ UPDATE OR", "", &[Sqlite]),
    refused("^ REPLACE INTO", "", &[Sqlite, Mysql]),
    refused("ON CONFLICT REPLACE", "CREATE", &[Sqlite]),
    refused("ON CONFLICT IGNORE", "CREATE", &[Sqlite]),
    refused("ON CONFLICT ABORT", "CREATE", &[Sqlite]),
    refused("ON CONFLICT FAIL", "CREATE", &[Sqlite]),
    refused("ON CONFLICT ROLLBACK", "CREATE", &[Sqlite]),
    refused("^ CREATE TRIGGER IF NOT EXISTS", "", &[Sqlite, Mysql]),
    refused("^ CREATE TEMP TRIGGER", "", &[Sqlite]),
    refused("BEGIN", "CREATE TRIGGER", &[Sqlite, Mysql]),
    refused("^ CREATE VIEW IF NOT EXISTS", "", &[Sqlite]),
    refused("COLLATE BINARY", "", &[Sqlite]),
    refused("AUTO_INCREMENT", "", &[Mysql]),
    refused("ENGINE = MergeTree", "", &[ClickHouse]),
    refused("ENGINE = ReplacingMergeTree", "", &[ClickHouse]),
    refused("ENGINE = ReplicatedMergeTree", "", &[ClickHouse]),
    refused("ENGINE =", "", &[Mysql]),
    refused("CHARSET =", "", &[Mysql]),
    refused("CHARACTER SET", "", &[Mysql]),
    refused("UNSIGNED", "", &[Mysql]),
    refused("ZEROFILL", "", &[Mysql]),
    refused("ON UPDATE CURRENT_TIMESTAMP", "", &[Mysql]),
    refused("ON DUPLICATE KEY", "", &[Mysql]),
    refused("^ INSERT IGNORE", "", &[Mysql]),
    refused("UNIQUE KEY", "", &[Mysql]),
    refused("FULLTEXT KEY", "", &[Mysql]),
    refused("FULLTEXT INDEX", "", &[Mysql]),
    refused("MODIFY COLUMN", "ALTER TABLE", &[Mysql]),
    refused("CHANGE COLUMN", "ALTER TABLE", &[Mysql]),
    refused("^ ALTER TABLE * MODIFY", "", &[Mysql, Oracle]),
    refused("^ ALTER TABLE * CHANGE", "", &[Mysql]),
    refused("DROP INDEX", "ALTER TABLE", &[Mysql]),
    refused("DROP FOREIGN KEY", "ALTER TABLE", &[Mysql]),
    refused("DROP PRIMARY KEY", "ALTER TABLE", &[Mysql]),
    refused("ALGORITHM =", "", &[Mysql]),
    refused("COMMENT '", "CREATE TABLE", &[Mysql]),
    refused("^ DELIMITER", "", &[Mysql]),
    refused("^ USE", "", &[Mysql, SqlServer]),
    refused("^ CREATE DATABASE IF NOT EXISTS", "", &[Mysql]),
    refused("^ LOCK TABLES", "", &[Mysql]),
    refused("^ UNLOCK TABLES", "", &[Mysql]),
    refused("^ SET @", "", &[Mysql]),
    refused("^ RENAME TABLE", "", &[Mysql]),
    refused("IDENTITY (", "CREATE TABLE", &[SqlServer]),
    refused("NONCLUSTERED", "", &[SqlServer]),
    refused("CLUSTERED", "", &[SqlServer]),
    refused("^ GO", "", &[SqlServer]),
    refused("^ EXEC", "", &[SqlServer]),
    refused("^ PRINT", "", &[SqlServer]),
    refused("^ DECLARE @", "", &[SqlServer]),
    refused("VARCHAR ( MAX", "", &[SqlServer]),
    refused("WITH ( NOLOCK", "", &[SqlServer]),
    refused("VARCHAR2", "", &[Oracle]),
    refused("BYTE )", "CREATE TABLE", &[Oracle]),
    refused("LowCardinality", "", &[ClickHouse]),
];

/// Types that PostgreSQL's parser takes for types of the history, and that it doesn't have.
const TYPES: &[(&str, &[Engine])] = &[
    ("datetime", &[Mysql, Sqlite, SqlServer]),
    ("blob", &[Sqlite, Mysql, Oracle]),
    ("double", &[Mysql, Sqlite]),
    ("string", &[Sqlite, ClickHouse]),
    ("enum", &[Mysql]),
    ("tinyint", &[Mysql, Sqlite, SqlServer]),
    ("mediumint", &[Mysql]),
    ("tinytext", &[Mysql]),
    ("mediumtext", &[Mysql]),
    ("longtext", &[Mysql]),
    ("tinyblob", &[Mysql]),
    ("mediumblob", &[Mysql]),
    ("longblob", &[Mysql]),
    ("varbinary", &[Mysql, SqlServer]),
    ("year", &[Mysql]),
    ("nvarchar", &[SqlServer, Sqlite]),
    ("ntext", &[SqlServer]),
    ("datetime2", &[SqlServer]),
    ("smalldatetime", &[SqlServer]),
    ("datetimeoffset", &[SqlServer]),
    ("uniqueidentifier", &[SqlServer]),
    ("varchar2", &[Oracle]),
    ("nvarchar2", &[Oracle]),
    ("number", &[Oracle]),
    ("clob", &[Oracle]),
    ("int64", &[ClickHouse]),
    ("uint64", &[ClickHouse]),
    ("uint32", &[ClickHouse]),
    ("uint8", &[ClickHouse]),
];

/// Functions that it doesn't have.
const FUNCTIONS: &[(&str, &[Engine])] = &[
    ("strftime", &[Sqlite]),
    ("datetime", &[Sqlite]),
    ("julianday", &[Sqlite]),
    ("unixepoch", &[Sqlite]),
    ("randomblob", &[Sqlite]),
    ("zeroblob", &[Sqlite]),
    ("last_insert_rowid", &[Sqlite]),
    ("ifnull", &[Sqlite, Mysql]),
    ("hex", &[Sqlite, Mysql]),
    ("json_extract", &[Sqlite, Mysql]),
    ("group_concat", &[Sqlite, Mysql]),
    ("uuid", &[Mysql]),
    ("curdate", &[Mysql]),
    ("unix_timestamp", &[Mysql]),
    ("from_unixtime", &[Mysql]),
    ("utc_timestamp", &[Mysql]),
    ("last_insert_id", &[Mysql]),
    ("getdate", &[SqlServer]),
    ("sysutcdatetime", &[SqlServer]),
    ("newid", &[SqlServer]),
    ("sysdate", &[Oracle]),
];

/// Tables that another engine keeps of itself.
const RELATIONS: &[(&str, &[Engine])] = &[
    ("sqlite_sequence", &[Sqlite]),
    ("sqlite_master", &[Sqlite]),
    ("sqlite_schema", &[Sqlite]),
    ("sqlite_stat1", &[Sqlite]),
];

/// Collations that it doesn't have.
const COLLATIONS: &[(&str, &[Engine])] =
    &[("nocase", &[Sqlite]), ("rtrim", &[Sqlite]), ("utf8mb4_unicode_ci", &[Mysql])];

/// Settings that it doesn't have.
const SETTINGS: &[(&str, &[Engine])] = &[
    ("foreign_key_checks", &[Mysql]),
    ("unique_checks", &[Mysql]),
    ("sql_mode", &[Mysql]),
    ("quoted_identifier", &[SqlServer]),
    ("ansi_nulls", &[SqlServer]),
];

/// A word that speaks for other engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Which.
    pub engines: &'static [Engine],
    /// The word, as the rule has it.
    pub word: String,
    /// Where in the text, in bytes.
    pub at: usize,
    /// Whether PostgreSQL's parser refuses it.
    pub is_refused: bool,
}

/// The words of another engine in a statement that PostgreSQL's parser refused.
pub fn in_refused(sql: &str) -> Vec<Word> {
    let tokens = lex_code(sql);
    let mut found: Vec<Word> = Vec::new();
    for rule in REFUSED {
        let begins = rule.of.split_whitespace().zip(&tokens).all(|(word, token)| token.is(sql, word));
        let at = if begins { place_of(rule.words, sql, &tokens) } else { None };
        let word = || rule.words.trim_start_matches(|c: char| !c.is_alphabetic()).replace(" *", "").replace(" '", "");
        found.extend(at.map(|at| Word { engines: rule.engines, word: word(), at, is_refused: true }));
    }
    // A name in backticks; in PostgreSQL a backtick is an operator's character, between spaces or words.
    let tick = tokens.iter().find(|t| t.kind == TokenKind::Symbol && t.text(sql).contains('`'));
    let quoted = |t: &&Token| {
        let rest = &sql[t.start + t.text(sql).find('`').unwrap_or(0) + 1..];
        rest.split_once('`').is_some_and(|(name, _)| !name.is_empty() && !name.contains('\n'))
    };
    let tick = tick.filter(quoted).map(|t| t.start);
    found.extend(tick.map(|at| Word {
        engines: &[Mysql, Sqlite],
        word: "a name in backticks".into(),
        at,
        is_refused: true,
    }));
    let bracket = tokens.windows(3).find(|w| {
        w[0].is(sql, "[") && w[1].kind == TokenKind::Word && w[2].is(sql, "]") && begins_name(sql, w[0].start)
    });
    found.extend(bracket.map(|w| Word {
        engines: &[SqlServer, Sqlite],
        word: "a name in brackets".into(),
        at: w[0].start,
        is_refused: true,
    }));
    found
}

/// Whether a bracket begins a name, and no index of an array.
fn begins_name(sql: &str, at: usize) -> bool {
    sql[..at].ends_with([' ', '(', ',', '.', '\n', '\t'])
}

/// Where words stand one after another.
fn place_of(words: &str, sql: &str, tokens: &[Token]) -> Option<usize> {
    let (words, at_start) = match words.strip_prefix("^ ") {
        Some(rest) => (rest, true),
        None => (words, false),
    };
    let words: Vec<&str> = words.split(' ').collect();
    let fits = |window: &&[Token]| {
        words.iter().zip(window.iter()).all(|(word, token)| match *word {
            "@" => token.text(sql).starts_with('@'),
            "*" => matches!(token.kind, TokenKind::Word | TokenKind::Quoted),
            "'" => token.kind == TokenKind::Literal,
            word => token.is(sql, word),
        })
    };
    let mut windows = tokens.windows(words.len());
    let found = if at_start { windows.next().filter(fits) } else { windows.find(|w| fits(w)) }?;
    // What a punctuation mark only leads to is the word behind it.
    let shown = found.iter().find(|t| t.kind == TokenKind::Word).unwrap_or(&found[0]);
    Some(shown.start)
}

/// The words of another engine in statements that PostgreSQL's parser took, unless the history makes what they name.
/// `made` says what it makes, in small letters.
pub fn in_tree(node: &NodeEnum, sql: &str, made: &dyn Fn(&str) -> bool) -> Vec<Word> {
    let refers = references(node);
    let mut found = Vec::new();
    let mut look = |names: Vec<&str>, rules: &[(&'static str, &'static [Engine])], what: &str| {
        for (name, engines) in rules {
            if names.contains(name) && !made(name) {
                let at = lex_code(sql).iter().find(|t| t.name(sql).as_deref() == Some(*name)).map_or(0, |t| t.start);
                found.push(Word { engines, word: format!("{what}{name}"), at, is_refused: false });
            }
        }
    };
    let plain = |names: &'_ [crate::sql::names::Qualified]| -> Vec<String> {
        names.iter().filter(|n| n.schema.is_none()).map(|n| n.name.to_lowercase()).collect()
    };
    let lists = [plain(&refers.types), plain(&refers.functions), plain(&refers.relations), plain(&refers.collations)];
    let [types, functions, relations, collations] = &lists;
    look(types.iter().map(String::as_str).collect(), TYPES, "the type ");
    look(functions.iter().map(String::as_str).collect(), FUNCTIONS, "the function ");
    look(relations.iter().map(String::as_str).collect(), RELATIONS, "the table ");
    look(collations.iter().map(String::as_str).collect(), COLLATIONS, "the collation ");
    if let NodeEnum::VariableSetStmt(set) = node {
        look(vec![set.name.to_lowercase().as_str()], SETTINGS, "the setting ");
    }
    found
}

/// A comment that MySQL runs: `/*!40101 SET NAMES utf8 */`.
pub fn in_comments(sql: &str) -> Option<Word> {
    if !sql.contains("/*!") {
        return None;
    }
    let is_run =
        |text: &str| text.strip_prefix("/*!").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let comment = lex(sql).into_iter().find(|t| t.kind == TokenKind::Comment && is_run(t.text(sql)))?;
    let word = "a comment with a version that its server runs".to_string();
    Some(Word { engines: &[Mysql], word, at: comment.start, is_refused: false })
}

/// The columns of a statement that only another engine takes for what they are.
pub fn in_columns(node: &NodeEnum) -> Vec<Word> {
    let mut found = Vec::new();
    let columns = columns(node);
    let word = |engines, word: &str, column: &ColumnDef| Word {
        engines,
        word: word.into(),
        at: usize::try_from(column.location).unwrap_or(0),
        is_refused: false,
    };
    let number = columns.iter().find(|c| is_number_for_boolean(c));
    found.extend(number.map(|c| word(&[Sqlite, Mysql], "a number as the default of a boolean", c)));
    let key = columns.iter().find(|c| is_key(c));
    found.extend(key.map(|c| word(&[Mysql], "a key or an index among the columns", c)));
    found
}

/// The columns that a statement makes.
fn columns(node: &NodeEnum) -> Vec<&ColumnDef> {
    let nodes: Vec<&pg_query::Node> = match node {
        NodeEnum::CreateStmt(create) => create.table_elts.iter().collect(),
        NodeEnum::AlterTableStmt(alter) => alter.cmds.iter().filter_map(added).collect(),
        _ => Vec::new(),
    };
    nodes.into_iter().filter_map(definition).collect()
}

fn definition(node: &pg_query::Node) -> Option<&ColumnDef> {
    match &node.node {
        Some(NodeEnum::ColumnDef(column)) => Some(column),
        _ => None,
    }
}

/// What a command of ALTER TABLE adds.
fn added(command: &pg_query::Node) -> Option<&pg_query::Node> {
    match &command.node {
        Some(NodeEnum::AlterTableCmd(command)) => command.def.as_deref(),
        _ => None,
    }
}

/// `KEY k (a)`, which PostgreSQL reads as a column `key` of a type `k`.
fn is_key(column: &ColumnDef) -> bool {
    let modifiers = column.type_name.as_ref().map(|t| t.typmods.as_slice()).unwrap_or_default();
    let is_column = |node: &pg_query::Node| matches!(node.node, Some(NodeEnum::ColumnRef(_)));
    matches!(column.colname.as_str(), "key" | "index") && !modifiers.is_empty() && modifiers.iter().all(is_column)
}

/// Whether a column is a boolean and has a number for its default, which PostgreSQL refuses when it runs.
fn is_number_for_boolean(column: &ColumnDef) -> bool {
    let names = column.type_name.as_ref().map(|t| strings(&t.names)).unwrap_or_default();
    let is_number = |node: &pg_query::Node| {
        let Some(NodeEnum::Constraint(constraint)) = &node.node else { return false };
        let value = constraint.raw_expr.as_ref().and_then(|e| e.node.as_ref());
        matches!(value, Some(NodeEnum::AConst(AConst { val: Some(Val::Ival(_)), .. })))
    };
    names.last().is_some_and(|name| name == "bool") && column.constraints.iter().any(is_number)
}

/// Whether a text has any word that [`in_tree`] looks for: a quick look before a thorough one.
pub fn may_hold_any(text: &str) -> bool {
    let words = crate::sql::lex::words(text);
    [TYPES, FUNCTIONS, RELATIONS, COLLATIONS, SETTINGS]
        .iter()
        .flat_map(|rules| rules.iter())
        .any(|(name, _)| words.contains(*name))
}

/// Whether a text holds what PostgreSQL alone has.
pub fn is_postgres(sql: &str) -> bool {
    let tokens = lex_code(sql);
    let has = |words: &str| place_of(words, sql, &tokens).is_some();
    // MySQL's client may be told to end statements by `$$`.
    let delimits = || has("DELIMITER");
    ONLY_POSTGRES.iter().any(|words| has(words))
        || tokens.windows(2).any(|w| w[0].is(sql, "::") && w[1].kind != TokenKind::Symbol)
        || (tokens.iter().any(|t| t.kind == TokenKind::Literal && t.text(sql).starts_with('$')) && !delimits())
}

/// What PostgreSQL alone has, and those that speak its SQL. Types are not among them: SQLite takes any word for one.
const ONLY_POSTGRES: &[&str] = &[
    "CREATE EXTENSION",
    "LANGUAGE plpgsql",
    "AS ENUM",
    "CREATE DOMAIN",
    "CREATE POLICY",
    "ROW LEVEL SECURITY",
    "INDEX CONCURRENTLY",
    "ILIKE",
    "nextval (",
    "gen_random_uuid (",
    "uuid_generate_v4 (",
    "USING gin",
    "USING gist",
    "USING brin",
    "COMMENT ON TABLE",
    "COMMENT ON COLUMN",
    "SET search_path",
    "AS IDENTITY",
    "ADD VALUE",
    "[ ]",
    "EXECUTE FUNCTION",
    "EXECUTE PROCEDURE",
    "CREATE PUBLICATION",
];

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
