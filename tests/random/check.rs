//! What must hold for every history: it is consolidated and proven, or refused with a reason; the set is no longer than the
//! history; the judge says so by himself; consolidating the set gives the set.

use consolidate::as_replayed::replay_files;
use consolidate::config::Config;
use consolidate::emit::{Choices, Grouping, NewSet, Unproven, prove, render, set_files};
use consolidate::history::{self, History};
use consolidate::plan::plan;
use consolidate::proof::{ReplayError, Settings, Silent, VerdictKind, verify};
use consolidate::replay::replay;
use consolidate::store::manifest::Origin;
use consolidate::store::write::write_files;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// What came of a history.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Statements of the history, and of the set.
    pub statements: usize,
    pub set: usize,
    /// Objects that stand as PostgreSQL states them, and why.
    pub lowered: Vec<String>,
    /// All objects of the set.
    pub objects: usize,
    /// Whether the set is the history's own statements, since nothing better was found.
    pub retold: bool,
    /// What is wrong, or why it was refused; nothing if all is well.
    pub trouble: Option<Trouble>,
}

/// What can come of a history beside a set that is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub class: Class,
    /// In words; the first line says what kind of trouble it is, without names.
    pub words: String,
}

/// The classes of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The history itself doesn't replay: a mistake of this test.
    Invalid,
    /// Refused, and the words name what stands in the way.
    Refused,
    /// Nothing of what must hold, holds.
    Wrong,
    /// Right, but longer than the history.
    Longer,
    /// Right, but not in the author's words; looked for only on demand.
    Lowered,
}

/// How thoroughly to look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Depth {
    /// Judge the written set by a replay of its own, and prove the second consolidation rather than only render it.
    pub twice: bool,
    /// Objects on rung 3 are trouble as well.
    pub lowered: bool,
}

/// How long one history may take; all but a few take two seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks at one history. A panic is trouble too, and so is a search without an end: its thread is left to itself.
pub fn check(files: &[(String, String)], depth: Depth) -> Outcome {
    let (say, hear) = mpsc::channel();
    let files = files.to_vec();
    std::thread::spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| checked(&files, depth))).unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<&str>().map(ToString::to_string);
            let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Outcome { trouble: trouble(Class::Wrong, format!("panic: {said}")), ..Outcome::default() }
        });
        let _ = say.send(outcome);
    });
    hear.recv_timeout(PATIENCE)
        .unwrap_or_else(|_| Outcome { trouble: trouble(Class::Wrong, NO_END.into()), ..Outcome::default() })
}

/// What is said of a history that takes too long. It isn't made small: each try would leave a thread behind.
pub const NO_END: &str = "no end in sight";

fn trouble(class: Class, words: String) -> Option<Trouble> {
    Some(Trouble { class, words })
}

fn checked(files: &[(String, String)], depth: Depth) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let old = folder.path().join("migrations.old");
    std::fs::create_dir(&old).expect("a folder");
    for (name, text) in files {
        std::fs::write(old.join(name), text).expect("a file");
    }
    let history = match history::read(&old) {
        Ok(history) => history,
        Err(errors) => {
            let words = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return Outcome { trouble: trouble(Class::Wrong, format!("not read: {words}")), ..Outcome::default() };
        }
    };
    let mut outcome = Outcome { statements: history.statements.len(), ..Outcome::default() };
    outcome.trouble = consolidated(&history, folder.path(), depth, &mut outcome).err();
    outcome
}

fn consolidated(history: &History, folder: &Path, depth: Depth, outcome: &mut Outcome) -> Result<(), Trouble> {
    let wrong = |words: String| Trouble { class: Class::Wrong, words };
    let model = replay(history);
    let config = Config::default();
    let plan = plan(history, &model, &config).map_err(|e| wrong(format!("plan: {e}")))?;
    if plan.fates.len() != history.statements.len() {
        return Err(wrong("plan: a statement has no fate".into()));
    }
    let settings = Settings { one_session: true, ..Settings::default() };
    let proven = prove(history, &model, &config, &settings, &Silent).map_err(|why| refusal(&why))?;
    outcome.set = proven.set.statements();
    outcome.objects = proven.rungs.as_written + proven.rungs.folded + proven.rungs.as_stated;
    outcome.retold = proven.untouched || proven.lowered.iter().any(|l| l.object.starts_with("all statements"));
    outcome.lowered = proven.lowered.iter().map(|l| format!("{}: {}", l.object, l.why)).collect();
    if proven.verdict.kind != VerdictKind::Identical {
        return Err(wrong("written although not identical".into()));
    }
    let new = folder.join("migrations");
    let layout = history.layout;
    let laid = consolidate::emit::lay_out(&proven.set, history, &history.folder, layout, true)
        .map_err(|e| wrong(format!("lay out: {e}")))?;
    let origin = Origin { history: "", layout: layout.name() };
    write_files(&new, &laid.whole(), origin, false).map_err(|e| wrong(format!("write: {e}")))?;
    if !proven.set.files.is_empty() {
        again(&proven.set, &new, &settings, depth).map_err(wrong)?;
    }
    if depth.twice {
        judge(history, &proven.set, &settings).map_err(wrong)?;
    }
    quality(outcome, depth)
}

/// What is right, but not good.
fn quality(outcome: &Outcome, depth: Depth) -> Result<(), Trouble> {
    if outcome.set > outcome.statements {
        return Err(Trouble { class: Class::Longer, words: "longer than its input".into() });
    }
    match outcome.lowered.first() {
        Some(first) if depth.lowered => {
            let words = format!("{first}\n{}", outcome.lowered.join("\n"));
            Err(Trouble { class: Class::Lowered, words })
        }
        _ => Ok(()),
    }
}

fn refusal(why: &Unproven) -> Trouble {
    match why {
        Unproven::History(ReplayError::Failed(failure)) => {
            Trouble { class: Class::Invalid, words: format!("history: {failure}") }
        }
        Unproven::History(error) => Trouble { class: Class::Wrong, words: format!("history: {error}") },
        Unproven::Unwritable(error) => Trouble { class: Class::Wrong, words: format!("files: {error}") },
        Unproven::Candidate(error, blocked) => {
            let class = if blocked.is_empty() { Class::Wrong } else { Class::Refused };
            Trouble { class, words: format!("refused: candidate fails\n{error}\n{}", blocked.join("\n")) }
        }
        Unproven::Different(verdict, blocked) => {
            let class = if blocked.is_empty() { Class::Wrong } else { Class::Refused };
            let mut kinds: Vec<_> = verdict.comparison.differences.iter().map(|d| d.kind.to_string()).collect();
            kinds.sort();
            kinds.dedup();
            let differences: Vec<_> = verdict
                .comparison
                .differences
                .iter()
                .map(|d| {
                    format!(
                        "{} {:?}\n  - {}\n  + {}",
                        d.object,
                        d.change,
                        d.old.as_deref().unwrap_or(""),
                        d.new.as_deref().unwrap_or("")
                    )
                })
                .collect();
            let words =
                format!("refused: differs in {}\n{}\n{}", kinds.join(", "), blocked.join("\n"), differences.join("\n"));
            Trouble { class, words }
        }
    }
}

/// The judge by himself: both sets replayed anew.
fn judge(history: &History, set: &NewSet, settings: &Settings) -> Result<(), String> {
    let verdict = verify(&replay_files(history), &set_files(set), settings, &Silent)
        .map_err(|(side, error)| format!("verify: can't replay the {side} side\n{error}"))?;
    if verdict.kind == VerdictKind::Identical {
        return Ok(());
    }
    let objects: Vec<_> = verdict.comparison.differences.iter().map(|d| d.object.clone()).collect();
    Err(format!("verify: {:?}\n{}", verdict.kind, objects.join(", ")))
}

/// Consolidating the written set gives the same set. What is rendered first is what is proven first, and it is the set
/// itself; so if the rendered set is the same, the proof of it has been done.
fn again(set: &NewSet, folder: &Path, settings: &Settings, depth: Depth) -> Result<(), String> {
    let history = history::read(folder).map_err(|e| format!("the set can't be read: {e:?}"))?;
    let model = replay(&history);
    let config = Config::default();
    let texts = |set: &NewSet| set.files.iter().map(|f| format!("== {}\n{}", f.name, f.text)).collect::<String>();
    let grouping = Grouping::new(&config, &history, &model).map_err(|e| e.to_string())?;
    let rendered = render(&history, &model, &grouping, &Choices::default());
    if !depth.twice && texts(&rendered) == texts(set) {
        return Ok(());
    }
    let words = |why| format!("second time: {}", refusal(&why).words);
    let second = prove(&history, &model, &config, settings, &Silent).map_err(words)?.set;
    let (one, two) = (texts(set), texts(&second));
    if one == two { Ok(()) } else { Err(format!("second time: another set\n{one}\n--- then ---\n{two}")) }
}
