//! Pairs of little histories: those of `fixtures/pairs/different` differ in one property each, and the judge must name just
//! the objects that the pair says; those of `fixtures/pairs/equal` come to the same by another path, and none may be reported.
//!
//! All pairs share two databases, one for each side: a pair lives in a schema of its own name, and what is global bears that
//! name too. In a file, `-- pair: NAME` begins a pair; what stands before `-- a` belongs to both sides, `{s}` is the pair's
//! schema. `-- differs:` names an object that must be reported, `-- since: 15` the oldest PostgreSQL that knows such a thing,
//! `-- before: 18` the first to which it is another thing, `-- whole` what the embedded PostgreSQL lacks, `-- alone` a pair
//! about something of which a database has only one.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod proof_support;

use consolidate::proof::{Database, Difference, ReplayFile, Settings, Silent, Verdict, verify};
use proof_support::file;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One pair.
#[derive(Debug, Default, Clone)]
struct Pair {
    name: String,
    differs: Vec<String>,
    since: u32,
    before: Option<u32>,
    whole: bool,
    alone: bool,
    /// What both sides begin with, then the two sides.
    parts: [String; 3],
}

impl Pair {
    /// One side as a file that begins in the pair's own schema.
    fn side(&self, side: usize) -> ReplayFile {
        let head = "CREATE SCHEMA {s}; SET search_path = {s}, public;\n";
        let sql = format!("{head}{}\n{}", self.parts[0], self.parts[side]).replace("{s}", &self.name);
        file(&format!("{}.sql", self.name), &sql, false)
    }
}

/// All pairs of a folder.
fn pairs(folder: &str) -> Vec<Pair> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pairs").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut pairs: Vec<Pair> = Vec::new();
    for path in files {
        let mut part = 0;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let word = |name: &str| line.strip_prefix("-- ").and_then(|rest| rest.strip_prefix(name));
            if let Some(name) = word("pair: ") {
                pairs.push(Pair { name: name.to_string(), ..Pair::default() });
                part = 0;
            }
            let Some(pair) = pairs.last_mut() else { continue };
            match (word("differs: "), word("since: "), line) {
                (Some(object), _, _) => pair.differs.push(object.replace("{s}", &pair.name)),
                (_, Some(version), _) => pair.since = version.parse().unwrap(),
                _ if word("before: ").is_some() => pair.before = word("before: ").and_then(|v| v.parse().ok()),
                (_, _, "-- whole") => pair.whole = true,
                (_, _, "-- alone") => pair.alone = true,
                (_, _, "-- a") => part = 1,
                (_, _, "-- b") => part = 2,
                _ if word("pair: ").is_none() => pair.parts[part] += &format!("{line}\n"),
                _ => {}
            }
        }
    }
    let names: BTreeSet<&str> = pairs.iter().map(|pair| pair.name.as_str()).collect();
    assert_eq!(names.len(), pairs.len(), "two pairs have one name");
    pairs
}

/// The verdict on many pairs at once.
fn judged(pairs: &[&Pair], database: &Database) -> Verdict {
    let side = |side: usize| pairs.iter().map(|pair| pair.side(side)).collect::<Vec<_>>();
    let settings = Settings { database: database.clone(), ..Settings::default() };
    verify(&side(1), &side(2), &settings, &Silent).unwrap_or_else(|(side, error)| panic!("{side}: {error}"))
}

/// The pair that a difference belongs to: that of its schema, or the one with the longest name in what it says.
fn owner<'a>(difference: &Difference, pairs: &[&'a Pair]) -> Option<&'a Pair> {
    let texts = [&difference.schema, &difference.name].into_iter().chain(&difference.old).chain(&difference.new);
    let texts: Vec<&String> = texts.collect();
    let named = |pair: &&&Pair| {
        difference.schema == pair.name
            || pair.differs.contains(&difference.object)
            || texts.iter().any(|text| text.contains(&pair.name))
    };
    let own = |pair: &&&Pair| (difference.schema == pair.name, pair.name.len());
    pairs.iter().filter(named).max_by_key(own).copied()
}

/// What is wrong with a verdict on pairs, a line each.
fn wrong(pairs: &[&Pair], verdict: &Verdict) -> Vec<String> {
    let comparison = &verdict.comparison;
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for difference in &comparison.differences {
        match owner(difference, pairs) {
            Some(pair) => found.entry(&pair.name).or_default().push(&difference.object),
            None => wrong.push(format!("nobody's: {difference:?}")),
        }
    }
    for pair in pairs {
        let mut wanted: Vec<&str> = pair.differs.iter().map(String::as_str).collect();
        let mut seen = found.remove(pair.name.as_str()).unwrap_or_default();
        wanted.sort_unstable();
        seen.sort_unstable();
        if wanted != seen {
            wrong.push(format!("{}: wanted {wanted:?}, seen {seen:?}", pair.name));
        }
    }
    wrong.extend(comparison.unread.iter().map(|what| format!("not understood: {what}")));
    // A reload that fails would let every wording pass for a difference.
    wrong.extend(comparison.notes.iter().filter(|note| note.contains("reload")).cloned());
    wrong
}

/// A PostgreSQL's version, and whether it lacks nothing.
fn version(database: &Database) -> (u32, bool) {
    match database {
        Database::Embedded => (17, false),
        Database::Local(local) => (local.programs.version.split('.').next().unwrap().parse().unwrap(), true),
        Database::Server(_) => unreachable!("these tests ask for no server"),
    }
}

/// The pairs that a PostgreSQL knows.
fn known<'a>(pairs: &'a [Pair], database: &Database) -> Vec<&'a Pair> {
    let (version, whole) = version(database);
    let fits = |pair: &&Pair| pair.since <= version && pair.before.is_none_or(|before| version < before);
    pairs.iter().filter(fits).filter(|pair| whole || !pair.whole).collect()
}

fn all(database: &Database) {
    let (different, equal) = (pairs("different"), pairs("equal"));
    assert!(different.iter().all(|pair| !pair.differs.is_empty()) && equal.iter().all(|pair| pair.differs.is_empty()));
    assert!(different.len() >= 318 && equal.len() >= 63, "{} and {}", different.len(), equal.len());
    let (different, equal) = (known(&different, database), known(&equal, database));
    // Only on 14 and 18 some aren't what they are elsewhere.
    let floor = match version(database).0 {
        ..15 => (308, 62),
        15..18 => (314, 63),
        18.. => (318, 62),
    };
    assert!(different.len() >= floor.0 && equal.len() >= floor.1, "{} and {}", different.len(), equal.len());
    let (alone, together): (Vec<&Pair>, Vec<&Pair>) = different.iter().partition(|pair| pair.alone);
    // The equal ones among the different: so each side is dumped, and reloaded, once.
    let together: Vec<&Pair> = together.into_iter().chain(equal.iter().copied()).collect();
    let mut failures = wrong(&together, &judged(&together, database));
    for pair in &alone {
        failures.extend(wrong(&[pair], &judged(&[pair], database)));
    }
    let (seen, quiet) = (different.len(), equal.len());
    println!("{}: {seen} pairs that differ, {quiet} that don't, {} wrong", database.name(), failures.len());
    assert!(failures.is_empty(), "{} wrong:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn one_property_is_seen_and_another_path_is_not() {
    all(&Database::Embedded);
}

#[test]
fn it_is_so_on_the_postgresql_of_this_machine() {
    match Database::local(None) {
        Ok(database) => all(&database),
        Err(error) => eprintln!("skipped: {error}"),
    }
}
