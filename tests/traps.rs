//! Every folder of `fixtures/traps` is a small history that breaks naive tools. Each runs through plan, emit and verify on a
//! real PostgreSQL: the embedded one, and that of this machine, if there is one.
//!
//! What must hold: the plan says what `plan.txt` says; every statement has one fate; the set that emit gives is identical
//! by an independent replay, and has fewer statements than the history; consolidating it again gives it again, and so does
//! consolidating the history again, where rows are written from a replay. A folder with `refused.txt` must be refused, with
//! those words; where they begin with `embedded: ` or `local: ` only by that PostgreSQL, which lacks something.
//! What the lines of `keeps.txt` say must be in the set, though the database doesn't show it; what those of `lacks.txt` say
//! may stand nowhere in it. A line `not RULE KIND:OBJECT` of `plan.txt` is a finding that would be false, a line
//! `warning FILE:LINE WORDS` a warning with these words, `says RULE FILE:LINE WORDS` a finding whose note has them.
//! A set that the embedded PostgreSQL proved must be identical on the oldest one of this machine, too, if that replays its
//! history: a set says nothing that only a newer version knows.
//! A folder with `prelude.txt` replays on the prelude of that name.
//! What undoes the set, all of it backwards, must leave a database as empty as before; or `fixtures/no_way_back.txt` says why not.

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
use consolidate::emit::{Choices, Grouping, NewSet, Proven, Unproven, add_downs, prove, render, set_files};
use consolidate::history::{self, History};
use consolidate::plan::{Finding, Plan, Rule, Warning, plan};
use consolidate::proof::{Database, Settings, Silent, VerdictKind, verify};
use consolidate::replay::replay;
use consolidate::scratch::preludes;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use trap_support::{of_each, traps};

#[test]
fn every_trap_is_planned_consolidated_and_proven() {
    all(Database::Embedded);
}

#[test]
fn every_trap_is_so_on_the_postgresql_of_this_machine() {
    match Database::local(None) {
        Ok(database) => all(database),
        Err(error) => eprintln!("skipped: {error}"),
    }
}

fn all(database: Database) {
    let settings = Settings { one_session: true, database, ..Settings::default() };
    let traps = traps();
    let looked = of_each(&traps, |_, trap| check(trap, &settings));
    let failed = |(name, outcome): (String, Result<(), String>)| Some(format!("{name}: {}", outcome.err()?));
    let failures: Vec<String> = looked.into_iter().filter_map(failed).collect();
    assert!(failures.is_empty(), "{} of {} traps:\n{}", failures.len(), traps.len(), failures.join("\n"));
}

fn check(trap: &Path, settings: &Settings) -> Result<(), String> {
    let settings = &Settings { platforms: platforms(trap)?, ..settings.clone() };
    let mut history = read(&trap.join("migrations"))?;
    history.prelude = settings.prelude_texts();
    let model = replay(&history);
    let config = Config::default();
    let plan = plan(&history, &model, &config).map_err(|e| e.to_string())?;
    if plan.fates.len() != history.statements.len() {
        return Err("a statement has no fate".into());
    }
    let mut wrong = missing_findings(&history, &plan, &trap.join("plan.txt"));
    let proven = prove(&history, &model, &config, settings, &Silent);
    let refused = std::fs::read_to_string(trap.join("refused.txt")).ok();
    // Words that begin with the name of a PostgreSQL are for that one only.
    let refused = refused.and_then(|words| match words.split_once(": ") {
        Some((name @ ("embedded" | "local"), words)) => (settings.database.name() == name).then(|| words.to_string()),
        Some((since, words)) if since.starts_with("since ") => since
            .strip_prefix("since ")?
            .parse()
            .is_ok_and(|since: u32| version(&settings.database) >= since)
            .then(|| words.to_string()),
        _ => Some(words),
    });
    let mut proven = match (proven, refused) {
        (Err(why), Some(words)) => {
            let said = describe(&why);
            if !said.contains(words.trim()) {
                wrong.push(format!("refused, but not with \"{}\": {said}", words.trim()));
            }
            return if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n    ")) };
        }
        (Err(why), None) => return Err(format!("not proven: {}", describe(&why))),
        (Ok(_), Some(_)) => return Err("should have been refused, and was not".into()),
        (Ok(proven), None) => {
            if proven.rows.as_stated > 0 && settings.database.name() == "embedded" {
                let other = prove(&history, &model, &config, settings, &Silent).map_err(|why| describe(&why))?;
                if !other.set.is_as(&proven.set) {
                    wrong.push("emitting twice gave two sets".into());
                }
            }
            proven
        }
    };
    let set = proven.set.clone();
    if set.statements() >= history.statements.len() {
        wrong.push(format!("{} statements became {}", history.statements.len(), set.statements()));
    }
    let keeps = std::fs::read_to_string(trap.join("keeps.txt")).unwrap_or_default();
    let texts: String = set.files.iter().map(|f| f.text.as_str()).collect();
    wrong.extend(keeps.lines().filter(|line| !texts.contains(line)).map(|line| format!("lost: {line}")));
    let lacks = std::fs::read_to_string(trap.join("lacks.txt")).unwrap_or_default();
    wrong.extend(lacks.lines().filter(|line| texts.contains(line)).map(|line| format!("in the set: {line}\n{texts}")));
    // Another PostgreSQL must find the set identical, as it just has; what is said of the texts holds there too.
    if settings.database.name() == "embedded" {
        judge(&history, &set, settings).unwrap_or_else(|why| wrong.push(why));
        again(&set, settings).unwrap_or_else(|why| wrong.push(why));
        if settings.platforms.is_empty() {
            way_back(trap, &mut proven, &history, settings).unwrap_or_else(|why| wrong.push(why));
        }
        if let Some(database) = oldest() {
            let settings = Settings { database: database.clone(), ..settings.clone() };
            on_the_oldest(&history, &set, &settings).unwrap_or_else(|why| wrong.push(why));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n    ")) }
}

/// What undoes the set, or the reason that is known why nothing does.
fn way_back(trap: &Path, proven: &mut Proven, history: &History, settings: &Settings) -> Result<(), String> {
    let texts: Vec<String> = proven.set.files.iter().map(|f| f.text.clone()).collect();
    let why = add_downs(&mut proven.set, history, settings, &Silent).err();
    let has = proven.set.files.iter().filter(|f| f.down.is_some()).count();
    if has != if why.is_some() { 0 } else { texts.len() } {
        return Err(format!("{has} of {} files have a way back: all have one, or none", texts.len()));
    }
    if !proven.set.files.iter().map(|f| &f.text).eq(&texts) {
        return Err("its way back changed the set".into());
    }
    let name = trap.file_name().unwrap().to_string_lossy();
    let first = why.as_ref().and_then(|why| why.lines().next());
    let known = include_str!("../fixtures/no_way_back.txt").lines();
    let known = known.filter_map(|line| line.split_once(": ")).find(|(of, _)| *of == name).map(|(_, why)| why);
    if first == known { Ok(()) } else { Err(format!("no way back for {first:?}, known is {known:?}")) }
}

/// The version of a PostgreSQL.
fn version(database: &Database) -> u32 {
    match database {
        Database::Embedded => 17,
        Database::Local(local) => local.programs.version.split('.').next().unwrap().parse().unwrap(),
        Database::Server(_) => unreachable!("these tests ask for no server"),
    }
}

/// The prelude that comes with the tool and that a trap replays on, if it names one.
fn platforms(trap: &Path) -> Result<Vec<&'static preludes::Prelude>, String> {
    let Ok(name) = std::fs::read_to_string(trap.join("prelude.txt")) else { return Ok(Vec::new()) };
    let name = name.trim();
    Ok(vec![preludes::named(name).ok_or_else(|| format!("no prelude is called {name}"))?])
}

fn read(folder: &Path) -> Result<History, String> {
    history::read(folder).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn describe(why: &Unproven) -> String {
    match why {
        Unproven::History(error) => format!("history: {error}"),
        Unproven::Unwritable(error) => format!("files: {error}"),
        Unproven::Candidate(error, blocked) => format!("candidate: {error} {}", blocked.join("; ")),
        Unproven::Different(verdict, blocked) => {
            let differences: Vec<_> = verdict.comparison.differences.iter().map(|d| d.object.clone()).collect();
            format!("different: {} {}", differences.join(", "), blocked.join("; "))
        }
    }
}

/// The oldest PostgreSQL of this machine: that of `CONSOLIDATE_PG_OLDEST`, else of the usual place, if that holds several. Where
/// there is only one, the other test goes through all traps on it.
fn oldest() -> Option<&'static Database> {
    static OLDEST: OnceLock<Option<Database>> = OnceLock::new();
    OLDEST
        .get_or_init(|| {
            let named = std::env::var_os("CONSOLIDATE_PG_OLDEST").map(PathBuf::from);
            let places = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
            let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok().filter(|version| *version >= 14);
            let mut found: Vec<(u32, PathBuf)> = places.filter_map(|e| Some((number(&e.path())?, e.path()))).collect();
            found.sort();
            let several = found.len() > 1;
            let folder = named.or_else(|| found.into_iter().next().filter(|_| several).map(|(_, path)| path))?;
            Database::local(Some(&folder)).map_err(|error| eprintln!("skipped: {error}")).ok()
        })
        .as_ref()
}

/// Where the history replays there, its set must be the same.
fn on_the_oldest(history: &History, set: &NewSet, settings: &Settings) -> Result<(), String> {
    let verdict = match verify(&replay_files(history), &set_files(set), settings, &Silent) {
        Ok(verdict) => verdict,
        Err(("old", _)) => return Ok(()),
        Err((side, error)) => return Err(format!("on the oldest PostgreSQL, {side}: {error}")),
    };
    let objects: Vec<_> = verdict.comparison.differences.iter().map(|d| d.object.clone()).collect();
    let is_same = verdict.kind == VerdictKind::Identical;
    if is_same { Ok(()) } else { Err(format!("on PostgreSQL {}: {}", verdict.postgres, objects.join(", "))) }
}

/// The judge by itself: both sets replayed anew.
fn judge(history: &History, set: &NewSet, settings: &Settings) -> Result<(), String> {
    let verdict = verify(&replay_files(history), &set_files(set), settings, &Silent)
        .map_err(|(side, error)| format!("verify, {side}: {error}"))?;
    if verdict.kind == VerdictKind::Identical {
        return Ok(());
    }
    let objects: Vec<_> = verdict.comparison.differences.iter().map(|d| d.object.clone()).collect();
    Err(format!("verify: {}", objects.join(", ")))
}

/// Whether statements only make things: none of them could turn out to touch no row, and be left out for that.
fn only_makes(set: &NewSet) -> bool {
    let makes = |text: &str| {
        let text = text.to_lowercase();
        let verb = text.split_whitespace().next().unwrap_or_default();
        matches!(verb, "create" | "alter" | "comment" | "grant" | "revoke") && !text.contains("select")
    };
    set.files.iter().flat_map(|file| &file.statements).all(|statement| makes(&statement.text))
}

/// Consolidating the consolidated set gives the same set. Where its first rendering is the set already, and nothing in it hangs on rows, there
/// is nothing to prove.
fn again(set: &NewSet, settings: &Settings) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    for file in &set.files {
        std::fs::write(folder.path().join(&file.name), &file.text).map_err(|e| e.to_string())?;
    }
    if set.files.is_empty() {
        return Ok(());
    }
    let mut history = read(folder.path())?;
    history.prelude = settings.prelude_texts();
    let model = replay(&history);
    let grouping = Grouping::new(&Config::default(), &history, &model).map_err(|e| e.to_string())?;
    if only_makes(set) && render(&history, &model, &grouping, &Choices::default()).is_as(set) {
        return Ok(());
    }
    let second = prove(&history, &model, &Config::default(), settings, &Silent)
        .map_err(|why| format!("a second time: {}", describe(&why)))?;
    let texts = |set: &NewSet| set.files.iter().map(|f| format!("== {}\n{}", f.name, f.text)).collect::<String>();
    let (one, two) = (texts(set), texts(&second.set));
    if one == two { Ok(()) } else { Err(format!("a second time gives another set:\n{one}\n--- then ---\n{two}")) }
}

/// What a line of `plan.txt` says of warnings and of findings that would be false; none for a finding that must be there.
fn other_line(history: &History, plan: &Plan, line: &str) -> Option<Result<(), String>> {
    if let Some((rule, object)) = line.strip_prefix("not ").and_then(|rest| rest.split_once(' ')) {
        let false_one = plan.findings.iter().find(|f| rule_name(f.rule) == rule && named(f) == object);
        return Some(false_one.map_or(Ok(()), |f| Err(format!("the plan says falsely: {rule} {object} {}", f.born))));
    }
    if let Some(rest) = line.strip_prefix("says ") {
        let [rule, place, words] = rest.splitn(3, ' ').collect::<Vec<_>>()[..] else { return None };
        let of_rule = || plan.findings.iter().filter(|f| rule_name(f.rule) == rule);
        let says = |f: &Finding| same_statement(history, place, &f.born) && f.note.contains(words);
        let all = || of_rule().map(|f| format!("{} {}", f.born, f.note)).collect::<Vec<_>>().join(" | ");
        return Some(if of_rule().any(says) { Ok(()) } else { Err(format!("no {line}   (there are: {})", all())) });
    }
    let (place, words) = line.strip_prefix("warning ")?.split_once(' ')?;
    let warns = |w: &Warning| same_statement(history, place, &w.at) && w.message.contains(words);
    let all = || plan.warnings.iter().map(|w| format!("{} {}", w.at, w.message)).collect::<Vec<_>>().join(" | ");
    Some(if plan.warnings.iter().any(warns) { Ok(()) } else { Err(format!("no {line}   (there are: {})", all())) })
}

/// The lines of `plan.txt` that the plan doesn't say.
fn missing_findings(history: &History, plan: &Plan, expected: &Path) -> Vec<String> {
    let findings = &plan.findings;
    let text = std::fs::read_to_string(expected).unwrap_or_default();
    let mut missing = Vec::new();
    if text.trim().is_empty() {
        missing.push("plan.txt says nothing".to_string());
    }
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        if let Some(said) = other_line(history, plan, line) {
            missing.extend(said.err());
            continue;
        }
        let [rule, object, born, died] = line.split(' ').collect::<Vec<_>>()[..] else {
            missing.push(format!("plan.txt: not four words: {line}"));
            continue;
        };
        let says = |f: &&Finding| {
            rule_name(f.rule) == rule
                && same_statement(history, born, &f.born)
                && (died == "-" || f.died.as_ref().is_some_and(|d| same_statement(history, died, d)))
                && (is_about_statement(f.rule) || named(f) == object)
        };
        if !findings.iter().any(|f| says(&f)) {
            let near: Vec<String> = findings
                .iter()
                .filter(|f| same_statement(history, born, &f.born) || named(f) == object)
                .map(|f| {
                    format!(
                        "{} {} {} {:?}",
                        rule_name(f.rule),
                        named(f),
                        f.born,
                        f.died.as_ref().map(|d| d.to_string())
                    )
                })
                .collect();
            missing.push(format!("the plan doesn't say: {line}   (near: {})", near.join(" | ")));
        }
    }
    missing
}

fn rule_name(rule: Rule) -> &'static str {
    match rule {
        Rule::Dead => "dead",
        Rule::Folded => "folded",
        Rule::Superseded => "superseded",
        Rule::DeadRows => "dead-rows",
        Rule::Backfill => "backfill",
        Rule::Noop => "noop",
        Rule::Session => "session",
        Rule::Opaque => "opaque",
    }
}

/// These rules speak of a statement; its words are no identity.
fn is_about_statement(rule: Rule) -> bool {
    matches!(rule, Rule::DeadRows | Rule::Backfill | Rule::Noop | Rule::Session | Rule::Opaque)
}

/// `kind:identity`, without spaces, as `plan.txt` has it.
fn named(finding: &Finding) -> String {
    let plain = |text: &str| text.replace(", ", ",").replace(' ', "_").replace('"', "");
    match finding.object.strip_prefix("on ") {
        Some(target) => {
            let (kind, name) = target.split_once(' ').unwrap_or((target, ""));
            format!("comment:{kind}:{}", plain(name))
        }
        None => format!("{}:{}", plain(&finding.kind), plain(&finding.object)),
    }
}

/// Whether a place is within the statement that begins at the expected one.
fn same_statement(history: &History, expected: &str, at: &consolidate::At) -> bool {
    let Some((file, line)) = expected.rsplit_once(':') else { return false };
    let Ok(line) = line.parse::<usize>() else { return false };
    if file != at.file {
        return false;
    }
    let Some(file) = history.files.iter().find(|f| f.name == file) else { return false };
    let begins = |l: usize| file.statements.clone().rfind(|id| history.statements[*id].line <= l);
    begins(line) == begins(at.line)
}
