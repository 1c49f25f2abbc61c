//! Files in pairs, of which the second undoes the first: `001.do.a.sql` and `001.undo.a.sql`, `1_a.sql` and `1_a_rollback.sql`.
//!
//! A pair is known by its names. Where those leave a doubt, the second file must also take something away.

use super::names::{base, folder, is_digits};
use crate::history::contents::Contents;
use crate::sql::lex::lex_code;
use crate::sql::split::split;
use std::collections::{HashMap, HashSet};

/// Words in the name of a file that runs forward.
const UP: &[&str] = &[
    "up", "do", "apply", "forward", "forwards", "deploy", "upgrade", "migrate", "install", "run", "change", "create",
    "add", "make", "commit", "redo",
];

/// Words in the name of a file that undoes.
const DOWN: &[&str] = &[
    "down",
    "undo",
    "rollback",
    "revert",
    "downgrade",
    "backward",
    "backwards",
    "reverse",
    "unapply",
    "undeploy",
    "uninstall",
    "teardown",
    "unmigrate",
    "unrun",
];

/// Words that may say so, and something else as well: then the file must do nothing but take away.
const MAYBE_DOWN: &[&str] = &["drop", "remove", "delete", "back", "reverse", "clean", "cleanup", "destroy"];

/// The words of a file's name, each with the sign before it.
type Words = Vec<(Option<char>, String)>;

/// The files of a folder itself that undo the one beside them, but for those that end in `.down.sql`: whatever lies beside
/// them, they undo.
pub fn undoing(contents: &Contents) -> HashSet<String> {
    let paths: Vec<&str> = contents.flat_sql().filter(|p| !p.ends_with(".down.sql")).collect();
    let names: Vec<Words> = paths.iter().map(|p| words(p)).collect();
    let is_any = |word: &str| DOWN.contains(&word) || MAYBE_DOWN.contains(&word);
    if !names.iter().flatten().any(|(_, word)| is_any(word)) {
        return HashSet::new();
    }
    let beside = Beside::of(&names);
    let undoes = |(number, path): (usize, &&str)| {
        let name = &names[number];
        let places = (0..name.len()).filter(|at| is_any(&name[*at].1));
        let does = |needs: Needs| match needs {
            Needs::Nothing => true,
            Needs::Some => takes_away(&contents.text(path), false),
            Needs::All => takes_away(&contents.text(path), true),
        };
        places.filter_map(|at| beside.needs(number, name, at)).any(does)
    };
    paths.iter().enumerate().filter(|(n, p)| undoes((*n, p))).map(|(_, p)| p.to_string()).collect()
}

/// What a second file must do, where its name says that it undoes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing: the names are enough.
    Nothing,
    /// Take something away.
    Some,
    /// Nothing else.
    All,
}

/// All names of a folder, to be found by what is left of them.
struct Beside {
    /// Files by their words.
    bare: HashMap<String, Vec<usize>>,
    /// Files by their words without one that says forward.
    forward: HashMap<String, Vec<usize>>,
    /// Files by their version, with their words.
    versions: HashMap<String, Vec<(usize, Words)>>,
}

impl Beside {
    fn of(names: &[Words]) -> Beside {
        let mut beside = Beside { bare: HashMap::new(), forward: HashMap::new(), versions: HashMap::new() };
        for (number, name) in names.iter().enumerate() {
            beside.bare.entry(key(name, None)).or_default().push(number);
            for at in (0..name.len()).filter(|at| UP.contains(&name[*at].1.as_str())) {
                beside.forward.entry(key(name, Some(at))).or_default().push(number);
            }
            if let Some(version) = version(name) {
                beside.versions.entry(version).or_default().push((number, name.clone()));
            }
        }
        beside
    }

    /// What a file whose word at a place says that it undoes must do, if there is one beside it that it may undo.
    fn needs(&self, number: usize, name: &Words, at: usize) -> Option<Needs> {
        let word = name[at].1.as_str();
        let has = |map: &HashMap<String, Vec<usize>>| {
            map.get(&key(name, Some(at))).is_some_and(|n| n.iter().any(|n| *n != number))
        };
        let (is_sure, is_maybe) = (DOWN.contains(&word), MAYBE_DOWN.contains(&word));
        let mut rest = name.clone();
        rest.remove(at);
        let version = version(&rest);
        let others =
            || version.as_ref().and_then(|v| self.versions.get(v)).into_iter().flatten().filter(|(n, _)| *n != number);
        let is_forward = |name: &Words| name.get(at).is_some_and(|(_, w)| UP.contains(&w.as_str()));
        let is_part = stands_alone(name, at);
        let has_no_down = |name: &Words| !name.iter().any(|(_, w)| DOWN.contains(&w.as_str()));
        let is_beside =
            others().any(|(_, other)| is_forward(other) || (is_part && has_no_down(other))) && version.is_some();
        match (is_sure, is_maybe) {
            (true, false) if has(&self.forward) || is_beside => Some(Needs::Nothing),
            (true, false) if has(&self.bare) => Some(if version.is_some() { Needs::Nothing } else { Needs::Some }),
            (true, true) if has(&self.forward) || is_beside => Some(Needs::Some),
            (_, true) if has(&self.forward) || has(&self.bare) => Some(Needs::All),
            _ => None,
        }
    }
}

/// Whether a file that undoes is that of another one.
pub fn is_down_of(down: &str, name: &str) -> bool {
    let (down_words, name_words) = (words(down), words(name));
    let without = |words: &Words, list: &[&str]| {
        (0..words.len())
            .filter(|at| list.contains(&words[*at].1.as_str()))
            .map(|at| key(words, Some(at)))
            .collect::<Vec<_>>()
    };
    let mut forward = without(&name_words, UP);
    forward.push(key(&name_words, None));
    let is_flyways = base(down).strip_prefix('U').is_some_and(|rest| base(name).strip_prefix('V') == Some(rest));
    let is_part = |at: usize| DOWN.contains(&down_words[at].1.as_str()) && stands_alone(&down_words, at);
    let of_version = |at: usize| {
        let mut rest = down_words.clone();
        rest.remove(at);
        version(&rest).is_some_and(|v| version(&name_words) == Some(v))
    };
    let is_versions = || (0..down_words.len()).any(|at| is_part(at) && of_version(at));
    let is_named = || without(&down_words, DOWN).iter().any(|k| forward.contains(k));
    is_flyways || (folder(down) == folder(name) && (is_named() || is_versions()))
}

/// Whether a word is a part of a name between dots, and so no word of a description.
fn stands_alone(words: &Words, at: usize) -> bool {
    words[at].0 == Some('.') && words.get(at + 1).is_none_or(|(sign, _)| *sign == Some('.'))
}

/// Whether a path's words say that it undoes something.
pub fn says_undo(path: &str) -> bool {
    let all: Vec<String> = path.split('/').flat_map(words).map(|(_, word)| word).collect();
    all.iter().any(|w| matches!(w.as_str(), "rollback" | "rollbacks" | "revert" | "reverts" | "undo" | "down"))
}

/// The folder whose files run, of folders of which one undoes what the other does.
pub fn forward_folder<'a>(folders: &[&'a str]) -> Option<&'a str> {
    let says = |name: &str, list: &[&str]| {
        let words = words(name);
        words.len() < 3 && words.iter().any(|(_, word)| list.contains(&word.as_str()))
    };
    let forward: Vec<&str> = folders.iter().copied().filter(|f| says(f, UP) && !says(f, DOWN)).collect();
    let [one] = forward[..] else { return None };
    folders.iter().any(|f| says(f, DOWN)).then_some(one)
}

/// The name of the files that run, where each migration has a folder with one, and one that undoes it.
pub fn forward_file(contents: &Contents) -> Option<String> {
    let names = UP.iter().map(|word| format!("{word}.sql"));
    names.into_iter().find(|name| {
        let mut folders = contents.folders_with(name);
        let undoes = |folder: &str| DOWN.iter().any(|word| contents.has(&format!("{folder}/{word}.sql")));
        folders.any(undoes)
    })
}

/// The words of a file's name in small letters; `roll_back` is one, and `RollBack`.
fn words(path: &str) -> Words {
    let stem = base(path);
    let stem = stem.strip_suffix(".sql").unwrap_or(stem);
    let mut found: Words = Vec::new();
    let (mut sign, mut word, mut before): (Option<char>, String, char) = (None, String::new(), ' ');
    let mut end = |sign: &mut Option<char>, word: &mut String, next: Option<char>| {
        if !word.is_empty() {
            found.push((*sign, std::mem::take(word).to_lowercase()));
        }
        *sign = next;
    };
    let mut rest = stem.chars().peekable();
    while let Some(c) = rest.next() {
        if !c.is_alphanumeric() {
            end(&mut sign, &mut word, Some(c));
        } else {
            // `CreateUsers`, and `URLUndo`.
            let is_next = before.is_uppercase() && rest.peek().is_some_and(|next| next.is_lowercase());
            if c.is_uppercase() && (before.is_lowercase() || is_next) {
                end(&mut sign, &mut word, None);
            }
            word.push(c);
        }
        before = c;
    }
    end(&mut sign, &mut word, None);
    joined(found)
}

fn joined(found: Words) -> Words {
    let mut out: Words = Vec::new();
    for (sign, word) in found {
        match out.last_mut() {
            Some((_, last)) if (last == "roll" && word == "back") || (last == "un" && word == "do") => {
                last.push_str(&word)
            }
            _ => out.push((sign, word)),
        }
    }
    out
}

/// The words without one, as a key.
fn key(words: &Words, without: Option<usize>) -> String {
    let kept = words.iter().enumerate().filter(|(at, _)| Some(*at) != without);
    kept.map(|(_, (_, word))| word.as_str()).collect::<Vec<_>>().join(" ")
}

/// All numbers in front of a name.
fn version(words: &Words) -> Option<String> {
    let is_number = |word: &str| is_digits(word.strip_prefix('v').unwrap_or(word));
    let count = words.iter().take_while(|(_, word)| is_number(word)).count();
    (count > 0).then(|| key(&words[..count].to_vec(), None))
}

/// Whether a statement of a text takes something away, or all of them do.
fn takes_away(text: &str, all: bool) -> bool {
    let mut bodies = Vec::new();
    for piece in split(text) {
        let body = &text[piece.body];
        let tokens = lex_code(body);
        let is = |word: &str| tokens.first().is_some_and(|t| t.is(body, word));
        if ["BEGIN", "COMMIT", "SET", "START", "END"].iter().any(|word| is(word)) {
            continue;
        }
        let drops = || tokens.iter().any(|t| ["DROP", "RENAME", "DETACH", "DISABLE"].iter().any(|w| t.is(body, w)));
        let takes = ["DROP", "DELETE", "TRUNCATE", "REVOKE"].iter().any(|word| is(word)) || (is("ALTER") && drops());
        bodies.push(takes);
    }
    if all { !bodies.is_empty() && bodies.iter().all(|b| *b) } else { bodies.contains(&true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DROP: &str = "DROP TABLE a;\n";
    const CREATE: &str = "CREATE TABLE a (id int);\n";

    fn undo(files: &[(&str, &str)]) -> Vec<String> {
        let mut found: Vec<String> = undoing(&Contents::of(files)).into_iter().collect();
        found.sort();
        found
    }

    #[test]
    fn pairs_are_known_by_their_names() {
        for (first, second) in [
            ("001.do.sql", "001.undo.sql"),
            ("001.do.create-a.sql", "001.undo.create-a.sql"),
            ("001.do.create-a.sql", "001.undo.drop-it.sql"),
            ("1_a.sql", "1_a_rollback.sql"),
            ("1_a.sql", "1_rollback_a.sql"),
            ("1_a.sql", "rollback_1_a.sql"),
            ("1_a.sql", "1_a.rollback.sql"),
            ("1_a.sql", "1_b.rollback.sql"),
            ("1_a.sql", "1_a.revert.sql"),
            ("1_a.sql", "1_a-undo.sql"),
            ("1_apply_a.sql", "1_revert_a.sql"),
            ("1_a_apply.sql", "1_a_rollback.sql"),
            ("1-a.forward.sql", "1-a.backward.sql"),
            ("a_forward.sql", "a_backward.sql"),
            ("001_a.deploy.sql", "001_a.revert.sql"),
            ("V1.A.up.sql", "V1.A.rollback.sql"),
            ("1_a-up.sql", "1_a-down.sql"),
            ("1_a_up.sql", "1_a_down.sql"),
            ("1_a.sql", "1_a_roll_back.sql"),
            ("1_CreateA.sql", "1_CreateARollback.sql"),
            ("20240101000000_upgrade_a.sql", "20240101000000_downgrade_a.sql"),
        ] {
            // The second file makes something, as one does that undoes a DROP.
            assert_eq!(undo(&[(first, DROP), (second, CREATE), ("9_z.sql", CREATE)]), [second], "{first}");
        }
    }

    #[test]
    fn where_names_leave_a_doubt_it_counts_what_the_file_does() {
        for (first, second) in [
            ("orders.sql", "orders_undo.sql"),
            ("1_create_a.sql", "1_drop_a.sql"),
            ("1_add_a.sql", "1_remove_a.sql"),
            ("1_a.sql", "1_a_drop.sql"),
            ("1_forward.sql", "1_reverse.sql"),
        ] {
            assert_eq!(undo(&[(first, CREATE), (second, DROP)]), [second], "{first}");
            assert_eq!(undo(&[(first, CREATE), (second, CREATE)]), Vec::<String>::new(), "{first}");
        }
    }

    #[test]
    fn what_belongs_to_no_file_beside_it_runs() {
        for other in ["2_b_rollback.sql", "1_undo_b.sql", "2024-01-01_undo_a.sql", "rollback.sql", "2_drop_a.sql"] {
            assert_eq!(undo(&[("1_a.sql", CREATE), ("2024-01-01_b.sql", CREATE), (other, DROP)]), Vec::<String>::new());
        }
    }

    #[test]
    fn down_files_belong_to_migrations() {
        assert!(is_down_of("1_a.down.sql", "1_a.up.sql") && is_down_of("1_a/down.sql", "1_a/up.sql"));
        assert!(is_down_of("1.undo.b.sql", "1.do.a.sql") && is_down_of("1_a_rollback.sql", "1_a.sql"));
        assert!(is_down_of("U1__a.sql", "V1__a.sql") && !is_down_of("2_b.down.sql", "1_a.up.sql"));
        assert!(says_undo("3_b_rollback.sql") && says_undo("2024_RevertB/up.sql") && says_undo("3_roll_back_b.sql"));
        assert!(!says_undo("3_drop_downloads.sql") && !says_undo("3_remove_b.sql"));
    }

    #[test]
    fn folders_may_be_a_pair() {
        assert_eq!(forward_folder(&["apply", "revert"]), Some("apply"));
        assert_eq!(forward_folder(&["deploy", "revert", "verify"]), Some("deploy"));
        assert_eq!(forward_folder(&["up", "seeds"]), None);
        let files = [("001_a/do.sql", ""), ("001_a/undo.sql", ""), ("002_b/do.sql", "")];
        assert_eq!(forward_file(&Contents::of(&files)), Some("do.sql".into()));
        assert_eq!(forward_file(&Contents::of(&[("001_a/do.sql", "")])), None);
    }
}
