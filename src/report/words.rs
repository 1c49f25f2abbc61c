//! What differs between two texts of one object, in words: `column a: NOT NULL → nullable`, `method: btree → hash`.
//!
//! The texts are PostgreSQL's own, so they are laid out alike: words are made of the places where they part. Where there are
//! too many of those, there are none, and the text diff says it.

use crate::lex::{TokenKind, lex_code};
use crate::proof::{Change, Difference, EntryKind};
use crate::sql::split::split;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::BTreeMap;

/// More places than this are no words any more.
const MOST: usize = 6;
/// The longest text that is quoted.
const LONGEST: usize = 80;

/// Words at which a clause begins, and what it is called. Of two words, the second is wanted too.
#[rustfmt::skip]
const CLAUSES: &[(&str, &str)] = &[
    ("USING", "method"), ("WHERE", "condition"), ("INCLUDE", "included columns"), ("WITH CHECK", "check"), ("WITH", "options"),
    ("RETURNS", "returns"), ("LANGUAGE", "language"), ("COST", "cost"), ("ROWS", "rows"), ("PARALLEL", "parallel"),
    ("ON DELETE", "on delete"), ("ON UPDATE", "on update"), ("REFERENCES", "references"), ("MATCH", "match"),
    ("FOR EACH", "for each"), ("FOR VALUES", "bounds"), ("EXECUTE FUNCTION", "function"), ("WHEN", "condition"),
    ("START WITH", "start"), ("INCREMENT BY", "increment"), ("MINVALUE", "minimum"), ("MAXVALUE", "maximum"),
    ("CACHE", "cache"), ("CONNECTION LIMIT", "connection limit"), ("VALID UNTIL", "valid until"), ("COLLATE", "collation"),
    ("DEFAULT", "default"), ("CHECK", "check"), ("CONSTRAINT", "constraint"), ("TABLESPACE", "tablespace"), ("FOR", "for"),
    ("TO", "to"), ("IS", "text"), ("AS", "as"), ("OPTIONS", "options"), ("SET", "setting"), ("INHERITS", "inherits"),
    ("PARTITION BY", "partition key"), ("NEXTVAL", "default"), ("REFERENCING", "referencing"),
];

/// What of an object differs.
pub fn of(difference: &Difference) -> Vec<String> {
    let (Change::Changed, Some(old), Some(new)) = (difference.change, &difference.old, &difference.new) else {
        return difference.property.iter().cloned().collect();
    };
    use EntryKind as K;
    let mut words = match difference.kind {
        K::Rows => return difference.property.iter().cloned().collect(),
        K::Table | K::ForeignTable => table(old, new),
        K::Acl | K::DefaultAcl => statements(old, new, 0),
        K::ColumnOrder => vec![format!("order of columns: {} → {}", old.replace('\n', ", "), new.replace('\n', ", "))],
        K::RoleSetting
        | K::DatabaseSetting
        | K::SequencePosition
        | K::ExtensionVersion
        | K::ExtensionOwner
        | K::MaterializedViewData
        | K::SubscriptionState
        | K::Session
        | K::SessionOfAFile => vec![format!("{old} → {new}")],
        K::Database | K::LargeObject | K::Tablespace | K::InternalTrigger | K::ExtensionMembers => lines(old, new),
        _ => {
            let (one, other) = (bodies(old), bodies(new));
            let mut words = match (one.first(), other.first()) {
                (Some(one), Some(other)) => places(one, other),
                _ => Vec::new(),
            };
            words.extend(statements(old, new, 1));
            words
        }
    };
    words.dedup();
    if words.is_empty() { difference.property.iter().cloned().collect() } else { words }
}

/// The statements of a text.
fn bodies(text: &str) -> Vec<String> {
    split(text).into_iter().filter(|piece| !piece.is_meta_command).map(|piece| text[piece.body].to_string()).collect()
}

/// Statements behind the first that only one side has; an owner is told as such.
fn statements(old: &str, new: &str, from: usize) -> Vec<String> {
    let (one, other) = (bodies(old), bodies(new));
    let owner =
        |all: &[String]| all.iter().find_map(|s| s.split_once(" OWNER TO ").map(|(_, owner)| owner.to_string()));
    let mut words = Vec::new();
    if let (Some(was), Some(is)) = (owner(&one), owner(&other))
        && was != is
    {
        words.push(format!("owner: {was} → {is}"));
    }
    let rest = |all: &[String], than: &[String]| -> Vec<String> {
        let own = all.iter().skip(from).filter(|s| !than.contains(s) && !s.contains(" OWNER TO "));
        own.map(|s| s.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    words.extend(rest(&one, &other).into_iter().map(|s| format!("no longer {s}")));
    words.extend(rest(&other, &one).into_iter().map(|s| format!("now {s}")));
    words
}

/// Lines `name: value` that differ.
fn lines(old: &str, new: &str) -> Vec<String> {
    let only = |one: &str, other: &str| -> Vec<String> {
        one.lines().filter(|line| !other.lines().any(|l| l == *line)).map(ToString::to_string).collect()
    };
    let (gone, come) = (only(old, new), only(new, old));
    match (&gone[..], &come[..]) {
        ([was], [is]) => match (was.split_once(": "), is.split_once(": ")) {
            (Some((name, was)), Some((same, is))) if name == same => vec![format!("{name}: {was} → {is}")],
            _ => vec![format!("{was} → {is}")],
        },
        _ => gone.iter().map(|l| format!("no longer {l}")).chain(come.iter().map(|l| format!("now {l}"))).collect(),
    }
}

/// A table: its columns and constraints, what stands behind them, and the statements after it.
fn table(old: &str, new: &str) -> Vec<String> {
    let (one, other) = (Table::read(old), Table::read(new));
    let mut words = Vec::new();
    for (name, was) in &one.parts {
        match other.get(name) {
            None => words.push(format!("{name}: removed")),
            Some(is) if is != was && name.starts_with("column ") => words.extend(column(name, was, is)),
            Some(is) if is != was => words.push(format!("{name}: {was} → {is}")),
            Some(_) => {}
        }
    }
    let added = other.parts.iter().filter(|(name, _)| one.get(name).is_none());
    words.extend(added.map(|(name, is)| format!("{name}: added ({is})")));
    let order = |table: &Table, than: &Table| -> Vec<String> {
        let columns = table.parts.iter().filter_map(|(name, _)| name.strip_prefix("column "));
        columns.filter(|name| than.get(&format!("column {name}")).is_some()).map(ToString::to_string).collect()
    };
    let (was, is) = (order(&one, &other), order(&other, &one));
    if was != is {
        words.push(format!("order of columns: {} → {}", was.join(", "), is.join(", ")));
    }
    words.extend(places(&one.frame, &other.frame));
    words.extend(statements(old, new, 1));
    words
}

/// A CREATE TABLE as PostgreSQL lays it out: a line for each column and constraint.
struct Table {
    parts: Vec<(String, String)>,
    /// All but those lines.
    frame: String,
}

impl Table {
    fn read(text: &str) -> Table {
        let first = bodies(text).into_iter().next().unwrap_or_default();
        let mut table = Table { parts: Vec::new(), frame: String::new() };
        let mut inside = false;
        for line in first.lines() {
            if inside && line.starts_with(')') {
                inside = false;
            }
            match inside.then(|| part(line.trim().trim_end_matches(','))).flatten() {
                Some(part) => table.parts.push(part),
                None => table.frame += &format!("{line}\n"),
            }
            inside |= table.parts.is_empty() && line.ends_with('(');
        }
        table
    }

    fn get(&self, name: &str) -> Option<&String> {
        self.parts.iter().find(|(n, _)| n == name).map(|(_, text)| text)
    }
}

/// A line of a table: what it is about, and the rest.
fn part(line: &str) -> Option<(String, String)> {
    let (kind, rest) = line.strip_prefix("CONSTRAINT ").map_or(("column", line), |rest| ("constraint", rest));
    let tokens = lex_code(rest);
    let end = tokens.first()?.end;
    Some((format!("{kind} {}", &rest[..end]), rest[end..].trim().to_string()))
}

/// What of a column differs.
fn column(name: &str, old: &str, new: &str) -> Vec<String> {
    let (one, other) = (clauses(old), clauses(new));
    let mut keys: Vec<&str> = one.keys().chain(other.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let mut words = Vec::new();
    for key in keys {
        match (one.get(key), other.get(key)) {
            (was, is) if was == is => {}
            (Some(_), None) if key == "NOT NULL" => words.push(format!("{name}: NOT NULL → nullable")),
            (None, Some(_)) if key == "NOT NULL" => words.push(format!("{name}: nullable → NOT NULL")),
            (was, is) => {
                let told = |text: Option<&String>| text.map_or("none", String::as_str).to_string();
                words.push(format!("{name}: {} {} → {}", key.to_lowercase(), told(was), told(is)));
            }
        }
    }
    words
}

/// The clauses of a column behind its name: its type, then what begins with a word of its own.
fn clauses(text: &str) -> BTreeMap<&'static str, String> {
    const BEGIN: &[&str] = &["COLLATE", "DEFAULT", "GENERATED", "NOT", "OPTIONS", "CONSTRAINT", "WITH"];
    let mut found = BTreeMap::new();
    let (mut key, mut from, mut depth) = ("type", 0, 0_i32);
    for token in lex_code(text) {
        let word = token.text(text);
        match word {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0
            && let Some(next) = BEGIN.iter().find(|begin| word == **begin)
            // WITH stands for its options; `timestamp with time zone` is written small.
            && token.start > from
        {
            found.insert(key, text[from..token.start].trim().to_string());
            key = if *next == "NOT" { "NOT NULL" } else { next };
            from = if *next == "NOT" || *next == "GENERATED" { token.start } else { token.end };
        }
    }
    found.insert(key, text[from..].trim().to_string());
    found
}

/// Where two statements part, each place with the name of its clause.
fn places(old: &str, new: &str) -> Vec<String> {
    let (one, other) = (tokens(old), tokens(new));
    let texts = |tokens: &[(String, usize, usize)]| tokens.iter().map(|t| t.0.clone()).collect::<Vec<_>>();
    let (was, is) = (texts(&one), texts(&other));
    let mut words = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &was, &is) {
        let (a, b) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let piece =
            |text: &str, tokens: &[(String, usize, usize)], range: std::ops::Range<usize>| match range.is_empty() {
                true => String::new(),
                false => {
                    let piece = &text[tokens[range.start].1..tokens[range.end - 1].2];
                    piece.trim_matches([',', ' ']).split_whitespace().collect::<Vec<_>>().join(" ")
                }
            };
        let (gone, come) = (piece(old, &one, a.clone()), piece(new, &other, b.clone()));
        let clause = clause(&was, a.start).or_else(|| clause(&is, b.start));
        words.push(place(clause, &gone, &come));
    }
    if words.len() > MOST { Vec::new() } else { words }
}

fn place(clause: Option<&str>, gone: &str, come: &str) -> String {
    let long = gone.len() > LONGEST || come.len() > LONGEST;
    let name = clause.map(|name| format!("{name}: ")).unwrap_or_default();
    match (gone, come) {
        _ if long => {
            format!("{}changed", if clause == Some("as") { "body ".to_string() } else { name.replace(": ", " ") })
        }
        ("", word) if word.chars().all(|c| c.is_ascii_uppercase()) => format!("not {word} → {word}"),
        (word, "") if word.chars().all(|c| c.is_ascii_uppercase()) => format!("{word} → not {word}"),
        ("", come) => format!("{name}now {come}"),
        (gone, "") => format!("{name}no longer {gone}"),
        (gone, come) => format!("{name}{gone} → {come}"),
    }
}

/// The tokens of a statement with their places.
fn tokens(text: &str) -> Vec<(String, usize, usize)> {
    let code = lex_code(text).into_iter().filter(|token| token.kind != TokenKind::Comment);
    code.map(|token| (token.text(text).to_string(), token.start, token.end)).collect()
}

/// The clause in which a token stands: the last word outside of parentheses at which one begins.
fn clause(tokens: &[String], at: usize) -> Option<&'static str> {
    let mut depth = 0_i32;
    let mut found = None;
    for (i, token) in tokens.iter().enumerate().take(at) {
        match token.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        let begins = |(word, _): &&(&str, &str)| match word.split_once(' ') {
            Some((first, second)) => token == first && tokens.get(i + 1).is_some_and(|next| next == second),
            None => token == word,
        };
        if depth == 0
            && let Some((_, name)) = CLAUSES.iter().find(begins)
        {
            found = Some(*name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(kind: &str, old: &str, new: &str) -> Vec<String> {
        let (kind, name) = (EntryKind::from(kind), "t".to_string());
        of(&Difference {
            kind,
            schema: "public".into(),
            object: name.clone(),
            name,
            class: crate::proof::Class::Schema,
            change: Change::Changed,
            property: None,
            old: Some(old.into()),
            new: Some(new.into()),
            file: None,
        })
    }

    #[test]
    fn columns_speak_for_themselves() {
        let old = "CREATE TABLE s.t (\n    a integer DEFAULT 1 NOT NULL,\n    b timestamp with time zone\n);\n\nALTER TABLE s.t OWNER TO me;";
        let new = "CREATE TABLE s.t (\n    b timestamp with time zone,\n    a bigint DEFAULT 2\n);\n\nALTER TABLE s.t OWNER TO you;";
        let said = [
            "column a: default 1 → 2",
            "column a: NOT NULL → nullable",
            "column a: type integer → bigint",
            "order of columns: a, b → b, a",
            "owner: me → you",
        ];
        assert_eq!(words("TABLE", old, new), said);
    }

    #[test]
    fn other_objects_tell_the_clause() {
        let index = |rest: &str| format!("CREATE {rest};");
        let old = index("UNIQUE INDEX i ON s.t USING btree (a) WHERE b");
        let new = index("INDEX i ON s.t USING hash (a) WHERE c");
        assert_eq!(words("INDEX", &old, &new), ["UNIQUE → not UNIQUE", "method: btree → hash", "condition: b → c"]);
        let key = "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES s.p(a)";
        let said = words("FK CONSTRAINT", &format!("{key};"), &format!("{key} ON DELETE CASCADE;"));
        assert_eq!(said, ["references: now ON DELETE CASCADE"]);
    }
}
