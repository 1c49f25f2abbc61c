//! Many seeds on a few threads: progress, figures, and the small histories of what went wrong.

use crate::check::{Class, Depth, NO_END, Outcome, check};
use crate::database::Database;
use crate::grow::{files, grow};
use crate::shrink::{kind, plain, shrink};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The first seed, and how many from there.
    pub first: u64,
    pub count: u64,
    pub threads: usize,
    /// Every so-manieth history is judged twice.
    pub share: u64,
    /// Whether objects on rung 3 are trouble too.
    pub lowered: bool,
    /// Only say which seeds show trouble; don't make their histories small.
    pub only_seeds: bool,
    /// Where small histories go as files.
    pub found: Option<PathBuf>,
}

impl Settings {
    /// `RANDOM_COUNT`, `RANDOM_SEED`, `RANDOM_THREADS`, `RANDOM_SHARE`, `RANDOM_LOWERED=1`, `RANDOM_ONLY_SEEDS=1`,
    /// `RANDOM_FOUND` (a folder).
    pub fn from_environment() -> Self {
        let number =
            |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.trim().parse().ok()).unwrap_or(default);
        Settings {
            first: number("RANDOM_SEED", 1),
            count: number("RANDOM_COUNT", 5000),
            threads: usize::try_from(number("RANDOM_THREADS", 2)).unwrap_or(2),
            share: number("RANDOM_SHARE", 20),
            lowered: number("RANDOM_LOWERED", 0) > 0,
            only_seeds: number("RANDOM_ONLY_SEEDS", 0) > 0,
            found: std::env::var_os("RANDOM_FOUND").map(PathBuf::from),
        }
    }
}

/// One trouble: the kind, the seeds that show it, the first one's words and small history.
#[derive(Debug, Default)]
struct Found {
    class: Option<Class>,
    seeds: Vec<u64>,
    words: String,
    small: Vec<(String, String)>,
}

/// What came of all.
#[derive(Debug, Default)]
pub struct Figures {
    histories: u64,
    statements: usize,
    set: usize,
    objects: usize,
    stated: usize,
    /// How many of each class.
    classes: BTreeMap<Class, u64>,
    found: BTreeMap<String, Found>,
    /// The seeds of histories for which nothing better was found than their own statements.
    retold: Vec<u64>,
    /// Why objects stand as PostgreSQL states them, how often, and a seed that shows it.
    reasons: BTreeMap<String, (usize, u64)>,
    growing: Duration,
    checking: Duration,
    elapsed: Duration,
}

impl Figures {
    /// Nothing wrong, nothing longer, next to nothing refused, and that with a reason.
    pub fn is_fine(&self) -> bool {
        let refused = self.classes.get(&Class::Refused).copied().unwrap_or(0);
        self.classes.keys().all(|class| *class == Class::Refused) && refused * 100 <= self.histories
    }

    /// Of how many histories nothing better was found than their own statements.
    pub fn retold(&self) -> usize {
        self.retold.len()
    }

    fn add(&mut self, seed: u64, outcome: &Outcome) {
        for reason in &outcome.lowered {
            self.reasons.entry(plain(reason)).or_insert((0, seed)).0 += 1;
        }
        self.histories += 1;
        self.retold.extend(outcome.retold.then_some(seed));
        if outcome.set > 0 {
            self.statements += outcome.statements;
            self.set += outcome.set;
        }
        self.objects += outcome.objects;
        self.stated += outcome.lowered.len();
        outcome.trouble.iter().for_each(|t| *self.classes.entry(t.class).or_default() += 1);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, found) in &self.found {
            writeln!(f, "\n==== {kind}\nseeds: {:?}\n{}", found.seeds, found.words)?;
            for (name, text) in &found.small {
                writeln!(f, "---- {name}\n{text}")?;
            }
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, (times, _))| Reverse(*times));
        for (reason, (times, seed)) in reasons.into_iter().take(40) {
            writeln!(f, "{times:5} {reason} (seed {seed})")?;
        }
        let count = |class| self.classes.get(&class).copied().unwrap_or(0);
        write!(
            f,
            "{} histories in {:.0} s: {} statements became {}; {} of {} objects as PostgreSQL states them; \
             {} retold {:?}; {} wrong, {} refused, {} longer, {} invalid (growing {:.0} s, checking {:.0} s)",
            self.histories,
            self.elapsed.as_secs_f64(),
            self.statements,
            self.set,
            self.stated,
            self.objects,
            self.retold.len(),
            self.retold,
            count(Class::Wrong),
            count(Class::Refused),
            count(Class::Longer),
            count(Class::Invalid),
            self.growing.as_secs_f64(),
            self.checking.as_secs_f64(),
        )
    }
}

/// Runs all seeds.
pub fn run(settings: &Settings) -> Figures {
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let figures: Mutex<Figures> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..settings.threads.max(1) {
            scope.spawn(|| {
                let mut database = Database::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= settings.count {
                        return;
                    }
                    one(settings, number, begun, &mut database, &figures);
                }
            });
        }
    });
    let mut figures = figures.into_inner().expect("no thread panicked");
    figures.elapsed = begun.elapsed();
    figures
}

fn one(settings: &Settings, number: u64, start: Instant, database: &mut Database, figures: &Mutex<Figures>) {
    let seed = settings.first + number;
    let depth = Depth { twice: number.is_multiple_of(settings.share.max(1)), lowered: settings.lowered };
    let begun = Instant::now();
    let parts = grow(seed, database);
    let grown = begun.elapsed();
    let outcome = check(&files(&parts), depth);
    let checked = begun.elapsed() - grown;
    let mut new = None;
    {
        let mut figures = figures.lock().expect("no thread panicked");
        figures.add(seed, &outcome);
        figures.growing += grown;
        figures.checking += checked;
        if let Some(trouble) = &outcome.trouble {
            let found = figures.found.entry(kind(trouble)).or_default();
            found.seeds.push(seed);
            if settings.only_seeds {
                println!("seed {seed}: {}", kind(trouble));
            } else if found.seeds.len() == 1 {
                new = Some(trouble.clone());
            }
        }
        if figures.histories.is_multiple_of(25) {
            let classes = figures.classes.clone();
            let so_far = Figures {
                found: BTreeMap::new(),
                retold: figures.retold.clone(),
                reasons: BTreeMap::new(),
                classes,
                elapsed: start.elapsed(),
                ..*figures
            };
            eprintln!("{so_far}");
        }
    }
    let Some(trouble) = new else { return };
    let name = kind(&trouble);
    eprintln!("seed {seed}: {name}; making it small");
    // What only the second look shows needs it again.
    let hangs = trouble.words == NO_END;
    let small = if hangs { files(&parts) } else { files(&shrink(&parts, &trouble, depth, database)) };
    let again = if hangs { None } else { check(&small, depth).trouble };
    let words = again.unwrap_or(trouble.clone()).words;
    if let Some(folder) = &settings.found {
        keep(folder, seed, &name, &words, &small);
    }
    eprintln!("seed {seed}: {name}\n{words}");
    small.iter().for_each(|(name, text)| eprintln!("---- {name}\n{text}"));
    let mut figures = figures.lock().expect("no thread panicked");
    let found = figures.found.entry(name).or_default();
    (found.class, found.words, found.small) = (Some(trouble.class), words, small);
}

/// Writes a small history as files, ready to become a trap.
fn keep(folder: &std::path::Path, seed: u64, name: &str, words: &str, small: &[(String, String)]) {
    let folder = folder.join(format!("seed-{seed}"));
    let migrations = folder.join("migrations");
    let written = std::fs::create_dir_all(&migrations).and_then(|()| {
        for (name, text) in small {
            std::fs::write(migrations.join(name), text)?;
        }
        std::fs::write(folder.join("why.txt"), format!("{name}\n{words}\n"))
    });
    if let Err(why) = written {
        eprintln!("{} can't be written: {why}", folder.display());
    }
}
