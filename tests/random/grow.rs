//! Grows a history: statement after statement is proposed, and PostgreSQL says which it takes.

use crate::catalog::Catalog;
use crate::database::{Database, HANDLER};
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
        if is_refused_after(&parts, &text) || is_of_its_time(&text) {
            continue;
        }
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
            // What is put off to the end of a transaction comes at the end of a file, and may be refused there.
            if database.end_of_file() {
                parts.push(Part::Break);
            }
        }
        catalog = Catalog::read(database);
        positions = self::positions(database);
    }
    // The end of the last file refuses what no later statement put right.
    while !database.is_broken() && !database.end_of_file() && parts.pop().is_some() {
        again(database, &parts);
    }
    parts
}

/// PostgreSQL refuses a subtransaction, as a block with a handler is one, directly after a domain lost a constraint:
/// `AlterDomainDropConstraint` leaves a message unprocessed (`PrepareInvalidationState` in utils/cache/inval.c). Here each
/// statement has a savepoint of its own, so that doesn't show.
fn is_refused_after(parts: &[Part], text: &str) -> bool {
    let is_drop = |last: &str| last.starts_with("ALTER DOMAIN") && last.contains("DROP CONSTRAINT");
    text.contains(HANDLER) && matches!(parts.last(), Some(Part::Statement(last, _)) if is_drop(last))
}

/// A check that asks for the time holds here, where all is one transaction, and not in a history of several.
fn is_of_its_time(text: &str) -> bool {
    let asks = |check: &str| ["now(", "CURRENT_TIMESTAMP"].iter().any(|word| check.contains(word));
    text.split("CHECK (").skip(1).any(|rest| rest.split(')').next().is_some_and(asks))
}

/// Brings a new instance to where the history stands.
fn again(database: &mut Database, parts: &[Part]) {
    database.begin();
    for part in parts {
        match part {
            Part::Statement(text, _) => drop(database.attempt(text)),
            Part::Break => drop(database.end_of_file()),
        }
    }
}

/// Statements that put every sequence back to where it stands now. `pg_sequences` says nothing of one that was set and gave
/// out no number yet; of one that may not be read, nothing can be taken back either.
fn positions(database: &mut Database) -> Vec<String> {
    let each = database.rows(
        "SELECT string_agg(format('SELECT format(''SELECT setval(%%L, %%s, %%L)'', %1$L, last_value, is_called) FROM %1$s',
            format('%I.%I', schemaname, sequencename)), ' UNION ALL ' ORDER BY schemaname, sequencename)
         FROM pg_sequences WHERE has_schema_privilege(schemaname, 'USAGE')
            AND has_sequence_privilege(format('%I.%I', schemaname, sequencename), 'SELECT')",
    );
    let each = each.into_iter().flatten().find(|sql| !sql.is_empty());
    each.map(|sql| database.rows(&sql).into_iter().flatten().collect()).unwrap_or_default()
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
