//! Grows a history: statement after statement is proposed, and PostgreSQL says which it takes.

use crate::catalog::Catalog;
use crate::database::Database;
use crate::propose::{Cx, propose};

/// The words before which a failing statement may have taken numbers of a sequence, which no rollback gives back.
const TAKES_NUMBERS: &[&str] = &["INSERT", "UPDATE", "SELECT", "DO", "ALTER TABLE"];

/// A statement of a history, or the end of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A statement without its semicolon, and a comment that stands above it.
    Statement(String, Option<String>),
    /// The next statement begins a file.
    Break,
}

/// Grows the history of a seed.
pub fn grow(seed: u64, database: &mut Database) -> Vec<Part> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let wanted = rng.usize(10..=40);
    let files = rng.usize(2..=6);
    let mut parts: Vec<Part> = Vec::new();
    let (mut kept, mut tried) = (0, 0);
    database.begin();
    let mut catalog = Catalog::read(database);
    let mut positions = positions(database);
    while kept < wanted && tried < wanted * 20 {
        tried += 1;
        let Some(text) = propose(&mut Cx { rng: &mut rng, cat: &catalog }) else { continue };
        if database.attempt(&text).is_err() {
            if database.is_broken() {
                again(database, &parts);
            } else if TAKES_NUMBERS.iter().any(|word| text.starts_with(word)) {
                positions.iter().for_each(|set| drop(database.attempt(set)));
            }
            continue;
        }
        kept += 1;
        let comment = (rng.u32(..100) < 12).then(|| format!("what statement {kept} is for"));
        parts.push(Part::Statement(text, comment));
        if rng.usize(..wanted) < files - 1 && kept < wanted {
            // What is put off to the end of a transaction comes at the end of a file.
            let _ = database.attempt("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED");
            parts.push(Part::Break);
        }
        catalog = Catalog::read(database);
        positions = self::positions(database);
    }
    parts
}

/// Brings a new instance to where the history stands.
fn again(database: &mut Database, parts: &[Part]) {
    database.begin();
    statements(parts).for_each(|text| drop(database.attempt(text)));
}

/// Statements that put every sequence back to where it stands now.
fn positions(database: &mut Database) -> Vec<String> {
    let rows = database.rows(
        "SELECT format('SELECT setval(%L, %s, %L)', format('%I.%I', schemaname, sequencename),
            coalesce(last_value, start_value), last_value IS NOT NULL) FROM pg_sequences ORDER BY 1",
    );
    rows.into_iter().flatten().collect()
}

/// The statements of a history.
pub fn statements(parts: &[Part]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| match part {
        Part::Statement(text, _) => Some(text.as_str()),
        Part::Break => None,
    })
}

/// The files of a history, as names and texts.
pub fn files(parts: &[Part]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for file in parts.split(|part| *part == Part::Break) {
        let mut text = String::new();
        for part in file {
            let Part::Statement(statement, comment) = part else { continue };
            if !text.is_empty() && comment.is_some() {
                text.push('\n');
            }
            comment.iter().for_each(|c| text.push_str(&format!("-- {c}\n")));
            text.push_str(&format!("{statement};\n"));
        }
        if !text.is_empty() {
            files.push((format!("{:04}_part.sql", files.len() + 1), text));
        }
    }
    files
}
