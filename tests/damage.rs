//! Damage: each statement of a consolidated set is taken out, one at a time, and properties are changed, one at a time. The
//! judge must say that the sets differ and name what the statement speaks of, or PostgreSQL must refuse the set.
//!
//! The suite looks at a few traps; `make damage` looks at the example and at all of them, and prints the share that was caught.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod trap_support;

use consolidate::as_replayed::replay_files;
use consolidate::config::Config;
use consolidate::emit::{prove, set_files};
use consolidate::history;
use consolidate::proof::{self, Database, Judge, ReplayError, ReplayFile, Settings, Silent, VerdictKind};
use consolidate::replay::replay;
use consolidate::schema::Kind;
use consolidate::scratch::preludes;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;
use trap_support::{of_each, traps};

/// What is changed in a statement: the first place where a text stands, in any case.
const CHANGES: &[(&str, &str)] = &[
    (" NOT NULL", ""),
    (" ON DELETE CASCADE", ""),
    (" UNIQUE INDEX", " INDEX"),
    ("BEFORE ", "AFTER "),
    ("GRANT SELECT", "GRANT TRIGGER"),
    (" integer", " bigint"),
    (" INT,", " BIGINT,"),
    (" text,", " varchar(77),"),
    ("DEFAULT true", "DEFAULT false"),
    ("DEFAULT 0", "DEFAULT 1"),
    ("DEFAULT now()", "DEFAULT clock_timestamp()"),
    (" STABLE", " VOLATILE"),
    (" > 0", " > 1"),
    (" DESC", ""),
];

/// How many damages there were, and those that nobody saw.
#[derive(Default)]
struct Tally {
    tried: usize,
    missed: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All damages of a history's set; false if there is none on this PostgreSQL.
fn damaged(name: &str, folder: &Path, config: &Config, settings: &Settings, tally: &Mutex<Tally>) -> bool {
    let mut history = history::read(folder).unwrap_or_else(|e| panic!("{name}: {e:?}"));
    history.prelude = settings.prelude_texts();
    let Ok(proven) = prove(&history, &replay(&history), config, settings, &Silent) else {
        return false;
    };
    let (old, set) = (replay_files(&history), set_files(&proven.set));
    let begun = Instant::now();
    let seen = proof::replay("old", &old, settings, &Silent).unwrap_or_else(|e| panic!("{name}: {e}"));
    let judge = Judge::new(&old, seen, None, settings, &Silent, begun);
    for (f, file) in set.iter().enumerate() {
        for (s, statement) in file.statements.iter().enumerate() {
            let text = bare(&statement.text);
            // These only speak to the session: what follows them is what they are about.
            if ["set ", "reset ", "begin", "commit"].iter().any(|word| text.to_lowercase().starts_with(word)) {
                continue;
            }
            // PostgreSQL attaches the index of a partition by itself when that is attached: nothing is missing then.
            if text.to_lowercase().starts_with("alter index") && text.to_lowercase().contains(" attach partition ") {
                continue;
            }
            let mut without = set.clone();
            without[f].statements.remove(s);
            look(&format!("{name}: without {}", first_line(&text)), &text, &judge, &without, settings, tally);
            for (was, is) in CHANGES {
                let Some(at) = statement.text.to_lowercase().find(&was.to_lowercase()) else { continue };
                // The columns of a key are NOT NULL however that is said.
                let keyed = *was == " NOT NULL" && text.to_lowercase().contains("primary key");
                if keyed || !statement.text.is_ascii() || text.starts_with("--") {
                    continue;
                }
                let mut changed = set.clone();
                changed[f].statements[s].text.replace_range(at..at + was.len(), is);
                let what = format!("{name}:{was} →{is} in {}", first_line(&text));
                look(&what, &text, &judge, &changed, settings, tally);
            }
        }
    }
    true
}

/// One damage: it must be refused, or be seen where the statement speaks of it.
fn look(what: &str, text: &str, judge: &Judge, set: &[ReplayFile], settings: &Settings, tally: &Mutex<Tally>) {
    let missed = match proof::replay("new", set, settings, &Silent) {
        Err(ReplayError::Failed(_)) => None,
        // A database that breaks off has seen nothing.
        Err(error @ (ReplayError::Unable(_) | ReplayError::Missing(_))) => Some(format!("{what}: {error}")),
        Ok(snapshot) => {
            let verdict = judge.verdict(set, &snapshot).unwrap_or_else(|e| panic!("{what}: {e}"));
            let named = verdict.comparison.differences.iter().any(|d| speaks_of(text, &d.name));
            match verdict.kind {
                VerdictKind::Different if named => None,
                VerdictKind::Different => {
                    let objects: Vec<_> = verdict.comparison.differences.iter().map(|d| &d.object).collect();
                    Some(format!("{what}: named is only {objects:?}"))
                }
                _ => Some(format!("{what}: not seen")),
            }
        }
    };
    let mut tally = tally.lock().unwrap();
    tally.tried += 1;
    tally.missed.extend(missed);
}

/// Whether a statement holds a name that an object's name holds. In that, the words for kinds of objects stand in capitals.
fn speaks_of(text: &str, object: &str) -> bool {
    let kinds: Vec<String> =
        Kind::ALL.iter().flat_map(|kind| kind.word().split(' ')).map(str::to_uppercase).chain(["ON".into()]).collect();
    let words = |text: &str| -> Vec<String> {
        let split = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        split.filter(|word| !word.is_empty()).map(String::from).collect()
    };
    // What makes statements of texts names nothing, and neither does an operator.
    if text.to_uppercase().starts_with("DO ") || words(object.trim_start_matches("public.")).is_empty() {
        return true;
    }
    let said: Vec<String> = words(text).iter().map(|w| w.to_lowercase()).collect();
    let named: Vec<String> =
        words(object).into_iter().filter(|w| !kinds.contains(w)).map(|w| w.to_lowercase()).collect();
    // "public" is a name where nothing else is named. A sequence is named after its table; long names are cut.
    let named: Vec<&String> = named.iter().filter(|w| *w != "public" || named.len() == 1).collect();
    let fits = |name: &str, word: &str| {
        word == name
            || (word.len() > 2 && name.starts_with(&format!("{word}_")))
            || (name.len() > 50 && word.starts_with(name))
    };
    named.iter().any(|name| said.iter().any(|word| fits(name, word)))
}

fn bare(text: &str) -> String {
    let lines = text.lines().skip_while(|line| line.trim().is_empty() || line.trim_start().starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn settings(trap: &Path, database: &Database) -> Settings {
    let platform = std::fs::read_to_string(trap.join("prelude.txt")).ok();
    let platforms = platform.and_then(|name| preludes::named(name.trim())).into_iter().collect();
    Settings { platforms, one_session: true, database: database.clone(), ..Settings::default() }
}

/// Damages that change nothing: what the statement says is said again, or is so anyway. One to a line, with a reason above.
const VOID: &str = include_str!("../fixtures/void_damages.txt");

fn told(mut tally: Tally) {
    let void: Vec<&str> = VOID.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let before = tally.missed.len();
    tally.missed.retain(|missed| !void.iter().any(|v| missed == v));
    let none = before - tally.missed.len();
    tally.tried -= none;
    println!("{none} damages change nothing, as fixtures/void_damages.txt says");
    let caught = tally.tried - tally.missed.len();
    println!("damage: {caught} of {} caught ({:.1} %)", tally.tried, 100.0 * caught as f64 / tally.tried as f64);
    assert!(tally.tried > 0 && tally.missed.is_empty(), "{}", tally.missed.join("\n"));
}

#[test]
fn damage_to_some_sets_is_seen() {
    let tally = Mutex::default();
    for name in ["policies", "partitions", "fk-cycle"] {
        let trap = root().join("fixtures/traps").join(name);
        let settings = settings(&trap, &Database::Embedded);
        assert!(damaged(name, &trap.join("migrations"), &Config::default(), &settings, &tally), "{name}");
    }
    told(tally.into_inner().unwrap());
}

#[test]
#[ignore = "takes a quarter of an hour or more: make damage"]
fn damage_to_every_set_is_seen() {
    // Where this machine has a PostgreSQL of its own, a replay takes a fraction of the time.
    let local = Database::local(None).ok();
    let tally = Mutex::default();
    let mut traps = traps();
    traps.retain(|trap| !trap.join("refused.txt").exists());
    of_each(&traps, |name, trap| {
        let platform = trap.join("prelude.txt").exists();
        let database = local.clone().filter(|_| !platform).unwrap_or_default();
        let look = |database: &Database| {
            let settings = settings(trap, database);
            damaged(name, &trap.join("migrations"), &Config::default(), &settings, &tally)
        };
        assert!(look(&database) || look(&Database::Embedded), "{name}: proven on neither PostgreSQL");
    });
    if let Ok(config) = Config::read(&root().join("consolidate.toml")) {
        let database = Database::Embedded;
        assert!(damaged("example", &root().join("migrations.old"), &config, &settings(root(), &database), &tally));
    }
    told(tally.into_inner().unwrap());
}
