//! Comments by which a tool that isn't known parts a file: `-- up` and `-- down`, `-- ==== ROLLBACK ====`.
//!
//! What a known tool reads is blanked before this looks, so a mark that is left is one that nobody reads: what follows it
//! would run, and undo the migration. Such a file is refused, unless the layout was said.

use super::History;
use super::layout::sections::lines;
use crate::error::{At, Error};
use crate::sql::lex::{TokenKind, token_at};
use crate::sql::parse::NodeEnum;
use Direction::{Down, Up};
use pg_query::protobuf::AlterTableType;

/// Which way a part of a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It makes.
    Up,
    /// It undoes.
    Down,
}

/// Words that say a direction.
const DIRECTIONS: &[(&str, Direction)] = &[
    ("up", Up),
    ("ups", Up),
    ("upgrade", Up),
    ("forward", Up),
    ("forwards", Up),
    ("apply", Up),
    ("do", Up),
    ("deploy", Up),
    ("migrate", Up),
    ("install", Up),
    ("down", Down),
    ("downs", Down),
    ("downgrade", Down),
    ("backward", Down),
    ("backwards", Down),
    ("reverse", Down),
    ("revert", Down),
    ("rollback", Down),
    ("undo", Down),
    ("unapply", Down),
    ("undeploy", Down),
    ("unmigrate", Down),
    ("uninstall", Down),
    ("teardown", Down),
    ("rewind", Down),
];

/// Words that may stand beside it in a mark: what is parted, and the names of tools.
const BESIDE: &[&str] = &[
    "migration",
    "migrations",
    "script",
    "scripts",
    "section",
    "part",
    "sql",
    "begin",
    "start",
    "end",
    "step",
    "changes",
    "change",
    "direction",
    "schema",
    "block",
    "statements",
    "statement",
    "code",
    "query",
    "queries",
    "commands",
    "here",
    "goes",
    "below",
    "follows",
    "the",
    "this",
    "for",
    "of",
    "is",
    "put",
    "write",
    "your",
    "name",
    "action",
    "phase",
    "db",
    "database",
    "rambler",
    "micrate",
    "goose",
    "dbmate",
    "migrate",
    "sqlx",
    "mig",
    "dbm",
    "geni",
    "shmig",
    "morph",
    "migrator",
    "evolution",
    "evolutions",
];

/// How many words a mark has at most.
const LONGEST: usize = 6;

/// The direction that a line says, if it is a mark. `bare` takes one that is no comment, such as `==== UP ====`.
pub fn direction(line: &str, bare: bool) -> Option<Direction> {
    let line = line.trim();
    let is_comment = line.starts_with("--") || line.starts_with("/*");
    // Without a sign around it, a bare word is SQL.
    let is_bare =
        bare && (line.starts_with(|c: char| !c.is_alphanumeric() && !"'\"$()".contains(c)) || line.ends_with(':'));
    if !is_comment && !is_bare {
        return None;
    }
    let words: Vec<String> =
        line.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    let words = joined(&words);
    if words.is_empty() || words.len() > LONGEST {
        return None;
    }
    let of = |word: &String| DIRECTIONS.iter().find(|(w, _)| w == word).map(|(_, direction)| *direction);
    let mut said: Vec<Direction> = Vec::new();
    for word in &words {
        match of(word) {
            // `migrate:up`: the tool's own name says nothing if another word does.
            Some(_) if word == "migrate" && words.iter().any(|w| w != word && of(w).is_some()) => {}
            Some(direction) => said.push(direction),
            None if BESIDE.contains(&word.as_str()) || word.bytes().all(|b| b.is_ascii_digit()) => {}
            None => return None,
        }
    }
    let first = *said.first()?;
    said.iter().all(|d| *d == first).then_some(first)
}

/// `roll back` is one word.
fn joined(words: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in words {
        match out.last_mut() {
            Some(last) if (last == "roll" && word == "back") || (last == "un" && word == "do") => last.push_str(word),
            Some(last) if last == "tear" && word == "down" => last.push_str(word),
            _ => out.push(word.clone()),
        }
    }
    out
}

/// A mark in a file.
struct Found {
    direction: Direction,
    /// Where it begins, in bytes.
    at: usize,
    line: usize,
    text: String,
}

/// The marks among the comments of a text that stand outside of statements, or are comments inside of them.
fn marks(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = token_at(text, at);
        let starts_line = text[..at].rfind('\n').map_or(&text[..at], |n| &text[n + 1..at]).trim().is_empty();
        if kind == TokenKind::Comment && starts_line {
            let comment = text[at..end].trim();
            let line = || text[..at].matches('\n').count() + 1;
            let text = || comment.split_whitespace().collect::<Vec<_>>().join(" ");
            found.extend(direction(comment, false).map(|direction| Found {
                direction,
                at,
                line: line(),
                text: text(),
            }));
        }
        at = end.max(at + 1);
    }
    found
}

/// Refuses a history whose files have marks that no layout reads: an up and a down part in one file, or a down part in most.
pub fn refuse(history: &History) -> Option<Error> {
    let mut first: Option<(usize, Found)> = None;
    let mut marked = 0;
    for (number, file) in history.files.iter().enumerate() {
        if !may_hold_any(&file.text) {
            continue;
        }
        let marks = marks(&file.text);
        let follows = |m: &&Found| {
            let next = marks.iter().find(|n| n.at > m.at && n.direction == Up).map_or(file.text.len(), |n| n.at);
            file.statements.clone().any(|s| (m.at..next).contains(&history.statements[s].piece.body.start))
        };
        let Some(down) = marks.iter().find(|m| m.direction == Down && follows(m)).map(|m| m.at) else { continue };
        let has_up = marks.iter().any(|m| m.direction == Up);
        marked += 1;
        let takes_away = file.statements.clone().any(|s| takes_away(&history.statements[s].node));
        let found = marks.into_iter().find(|m| m.at == down)?;
        if has_up && takes_away {
            return Some(refused(&file.name, &found));
        }
        first = first.or(Some((number, found)));
    }
    let filled = history.files.iter().filter(|f| !f.statements.is_empty()).count();
    let (number, found) = first.filter(|_| marked > 1 && marked * 2 > filled)?;
    Some(refused(&history.files[number].name, &found))
}

/// The same for marks that are no comments: PostgreSQL refuses such a file, for a reason that says nothing. `files` have
/// their name, their text, and whether PostgreSQL can read it.
pub fn refuse_raw<'a>(files: impl Iterator<Item = (&'a str, &'a str, bool)>) -> Option<Error> {
    for (name, text, _) in files.filter(|(_, text, is_read)| !is_read && may_hold_any(text)) {
        let found: Vec<Found> = lines(text)
            .enumerate()
            .filter_map(|(number, (place, line))| {
                let direction = direction(line, true)?;
                Some(Found { direction, at: place.start, line: number + 1, text: line.trim().to_string() })
            })
            .collect();
        let down = found.iter().find(|m| m.direction == Down);
        if let Some(down) = down.filter(|_| found.iter().any(|m| m.direction == Up)) {
            return Some(refused(name, down));
        }
    }
    None
}

/// A quick look before a thorough one.
fn may_hold_any(text: &str) -> bool {
    let text = text.to_lowercase();
    DIRECTIONS.iter().filter(|(_, d)| *d == Down).any(|(word, _)| text.contains(word)) || text.contains("roll back")
}

/// The direction that the last mark among the comments above a statement says.
pub fn above(lead: &str) -> Option<Direction> {
    marks(lead).last().map(|m| m.direction)
}

fn refused(file: &str, found: &Found) -> Error {
    let message =
        format!("\"{}\" looks like a tool's mark for what undoes a migration, and no known tool reads it", found.text);
    Error::new(message).at(At::new(file, found.line)).hint(HINT)
}

/// What helps where a file looks like one with a part that undoes.
pub const HINT: &str = "copy what runs forward of each file to another folder, and name that with --old; \
                        if all of it runs, say the layout, as --layout plain";

/// Whether a statement ends or changes what is there.
fn takes_away(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::DropStmt(_) | NodeEnum::DropRoleStmt(_) | NodeEnum::DeleteStmt(_) | NodeEnum::TruncateStmt(_) => true,
        NodeEnum::RenameStmt(_) => true,
        NodeEnum::AlterTableStmt(alter) => alter.cmds.iter().any(|cmd| {
            let Some(NodeEnum::AlterTableCmd(cmd)) = &cmd.node else { return false };
            matches!(
                AlterTableType::try_from(cmd.subtype),
                Ok(AlterTableType::AtDropColumn
                    | AlterTableType::AtDropConstraint
                    | AlterTableType::AtDropNotNull
                    | AlterTableType::AtDropIdentity)
            )
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_mark_by_itself_and_dressed() {
        for (word, wanted) in DIRECTIONS {
            let upper = word.to_uppercase();
            for line in [
                format!("-- {word}"),
                format!("--{word}"),
                format!("-- +{word}"),
                format!("-- @{upper}"),
                format!("-- !{upper}s").replace("ss", "s"),
                format!("-- ==== {upper} ===="),
                format!("-- >>> {word}:"),
                format!("--- {word} ---"),
                format!("/* {word} */"),
                format!("-- [{word}]"),
                format!("-- {upper} MIGRATION"),
                format!("-- rambler {word}"),
            ] {
                let found = direction(&line, false);
                // A plural that isn't in the list is no word of it.
                assert!(found == Some(*wanted) || line.contains('!'), "{line}: {found:?}");
            }
            assert_eq!(direction(&format!("==== {upper} ===="), true), Some(*wanted));
            assert_eq!(direction(&format!("@{upper}"), true), Some(*wanted));
            assert_eq!(direction(word, true), None);
        }
    }

    #[test]
    fn every_word_beside_may_stand_there() {
        for word in BESIDE {
            assert_eq!(direction(&format!("-- {word}: down"), false), Some(Down), "{word}");
        }
    }

    #[test]
    fn tools_marks_are_told() {
        for (up, down) in [
            ("-- !Ups", "-- !Downs"),
            ("# --- !Ups", "# --- !Downs"),
            ("-- rambler up", "-- rambler down"),
            ("-- +micrate Up", "-- +micrate Down"),
            ("-- migrate:up", "-- migrate:down"),
            ("-- ==== UP ====", "-- ==== DOWN ===="),
            ("-- @UP", "-- @DOWN"),
            ("-- +up", "-- +down"),
            ("-- forward", "-- rollback"),
            ("-- Write your migration UP here", "-- Write your migration DOWN here"),
            ("-- name: up", "-- name: down"),
            ("-- Step: apply", "-- Step: roll back"),
            ("-- FORWARD MIGRATION", "-- ROLLBACK MIGRATION"),
        ] {
            assert_eq!((direction(up, true), direction(down, true)), (Some(Up), Some(Down)), "{up}");
        }
    }

    #[test]
    fn sentences_are_no_marks() {
        for line in [
            "-- up to here",
            "-- Rollback plan: drop the table again",
            "-- speed up the queries",
            "-- down payments",
            "-- don't undo this",
            "-- to revert, run 003",
            "SELECT 'down'",
            "-- up or down",
        ] {
            assert_eq!(direction(line, true), None, "{line}");
        }
    }
}
