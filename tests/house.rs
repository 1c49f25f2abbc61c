//! The house: which room uses which. A room is a file or a folder right below `src`; each may use those below it in the list
//! only. What is known to break that is counted, and the count may only shrink.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

use std::collections::BTreeMap;
use std::path::Path;

/// The rooms, from the top down.
const ROOMS: &[&str] = &[
    // What a user or another program meets.
    "main",
    "cli",
    "lib",
    "report",
    "project",
    // What a set is made and checked by.
    "diff",
    "handover",
    "plan",
    "emit",
    "store",
    "as_replayed",
    "config",
    // The judge.
    "proof",
    "scratch",
    // What is known of a history.
    "replay",
    "objects",
    "ledger",
    "schema",
    "history",
    // Texts.
    "escape",
    "sql",
    "stack",
    "lex",
    // The ground.
    "trust",
    "secrets",
    "files",
    "engine",
    "named",
    "progress",
    "error",
];

/// Uses that run up, and how many there are. A kind of object says by itself how a replay changes it.
const UPWARD: &[(&str, &str, usize)] = &[("objects", "replay", 32)];

/// The judge must not share a mistake with what it judges.
const JUDGE: &[&str] = &["proof", "scratch"];
const JUDGED: &[&str] = &["replay", "objects", "ledger", "schema", "history", "sql", "config", "trust"];

/// The names that the root of the library gives on, and the rooms that they are of.
const OF_THE_ROOT: &[(&str, &str)] = &[
    ("At", "error"),
    ("Engine", "engine"),
    ("Error", "error"),
    ("Named", "named"),
    ("Progress", "progress"),
    ("Result", "error"),
    ("Silent", "progress"),
    ("Trust", "trust"),
];

#[test]
fn rooms_use_what_is_below_them() {
    let place = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut upward: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (room, file, used) in uses() {
        assert!(place(&room).is_some(), "{file}: the room {room} has no place in the list");
        let other = place(&used).unwrap_or_else(|| panic!("{file} uses {used}, which is no room"));
        if place(&room) > Some(other) {
            upward.entry((room, used)).or_default().push(file);
        }
    }
    for ((room, used), files) in &upward {
        let known = UPWARD.iter().find(|(one, other, _)| one == room && other == used).map_or(0, |(.., count)| *count);
        assert_eq!(files.len(), known, "uses of {used} in {room}, which is below it: {files:#?}");
    }
    for (room, used, count) in UPWARD {
        assert!(
            *count > 0 && upward.contains_key(&(room.to_string(), used.to_string())),
            "{room} uses no {used} any more"
        );
    }
}

#[test]
fn the_judge_shares_nothing_with_what_it_judges() {
    for (room, file, used) in uses() {
        assert!(!JUDGE.contains(&room.as_str()) || !JUDGED.contains(&used.as_str()), "{file} uses {used}");
    }
}

#[test]
fn only_the_program_knows_its_arguments() {
    for (room, path) in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(["main", "cli"].contains(&room.as_str()) || !text.contains("clap"), "{path} names clap");
    }
}

#[test]
fn every_room_is_told_of() {
    let told = std::fs::read_to_string("ARCHITECTURE.md").unwrap();
    for (room, path) in files().into_iter().filter(|(room, _)| !["main", "lib"].contains(&room.as_str())) {
        let cell = |name: &str| told.lines().any(|line| line.starts_with("| ") && line.contains(name));
        let is_told = cell(&format!("`{room}/`")) || cell(&format!("`{room}.rs`"));
        assert!(is_told, "{path}: the table of ARCHITECTURE.md has no row for {room}");
    }
}

#[test]
fn uses_are_read() {
    let text = "use crate::{At, sql::{lex, edit}, error::Error};\n// crate::emit\n/// [`crate::plan`]\n\
                fn a() { crate::replay::first_words(super::super::schema::x(), super::inside()) }\n\
                #[cfg(test)]\nmod tests { use crate::report; }\n";
    let found = used_in(&["plan", "dead"], text);
    assert_eq!(found, ["error", "sql", "error", "replay", "schema"]);
    assert_eq!(used_in(&["plan"], "use super::emit;\nuse self::dead;\nuse crate::Proof;"), ["emit", "lib"]);
    assert_eq!(used_in(&["cli", "plan"], "use consolidate::report::ci;\nuse super::out;"), ["report"]);
}

/// All uses of another room: the room, the file, and the room that it uses.
fn uses() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (room, path) in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let module: Vec<&str> = path.trim_start_matches("src/").trim_end_matches(".rs").split('/').collect();
        let module = module.strip_suffix(&["mod"]).unwrap_or(&module);
        let used = used_in(module, &text).into_iter().filter(|used| *used != room);
        found.extend(used.map(|used| (room.clone(), path.clone(), used)));
    }
    assert!(found.len() > 500, "hardly anything is read: {}", found.len());
    found
}

/// The sources without the files that hold tests alone: the room and the path of each.
fn files() -> Vec<(String, String)> {
    let mut open = vec![Path::new("src").to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                let room = name.trim_start_matches("src/").trim_end_matches(".rs").split('/').next().unwrap();
                found.push((room.to_string(), name));
            }
        }
    }
    found
}

/// The rooms that a text of a module names by a path from the root, once for each time.
fn used_in(module: &[&str], text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect();
    let code = code.split("\nmod tests").next().unwrap_or_default();
    let mut found = Vec::new();
    for (start, word) in words(code) {
        let rest = &code[start + word.len()..];
        match word {
            "crate" | "consolidate" => found.extend(named(rest)),
            // The first of a row of them.
            "super" if !code[..start].ends_with("super::") => {
                let row = std::iter::successors(Some(rest), |rest| rest.strip_prefix("::super"));
                if let Some(rest) = row.enumerate().skip(module.len() - 1).map(|(_, rest)| rest).next() {
                    found.extend(named(rest));
                }
            }
            _ => {}
        }
    }
    let of_root = |name: String| match name.starts_with(char::is_lowercase) && ROOMS.contains(&name.as_str()) {
        true => name,
        false => OF_THE_ROOT.iter().find(|(known, _)| *known == name).map_or("lib", |(_, room)| room).to_string(),
    };
    found.into_iter().map(of_root).collect()
}

/// Words, and where they begin.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.split(move |c| !is_part(c))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

/// What follows the root of a path: one name, or those of a group.
fn named(rest: &str) -> Vec<String> {
    let Some(rest) = rest.strip_prefix("::") else { return Vec::new() };
    let Some(group) = rest.strip_prefix('{') else {
        return words(rest).next().map(|(_, word)| word.to_string()).into_iter().collect();
    };
    let (mut depth, mut names, mut is_first) = (1, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => is_first = true,
            c if depth == 1 && is_first && c.is_alphabetic() => {
                names.extend(words(&group[at..]).next().map(|(_, word)| word.to_string()));
                is_first = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[test]
fn the_lines_for_a_library_are_those_that_run() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let lines = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("lines of Rust");
    let run = std::fs::read_to_string("src/lib.rs").unwrap();
    let run: String = run
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|l| format!("{}\n", l.strip_prefix(' ').unwrap_or(l)))
        .collect();
    assert!(run.contains(lines), "the doctest of the library isn't what README.md shows");
}
