//! What undoes a new set: for every trap, the set, all of it backwards, and a database as empty as before; or a reason.

use consolidate::config::Config;
use consolidate::emit::{add_downs, prove};
use consolidate::history;
use consolidate::proof::{Settings, Silent};
use consolidate::replay::replay;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Why a trap's set can't be undone, if it can't.
fn way_back(trap: &Path) -> Option<String> {
    let settings = Settings { one_session: true, ..Settings::default() };
    let history = history::read(&trap.join("migrations")).expect("a history");
    let mut proven = prove(&history, &replay(&history), &Config::default(), &settings, &Silent).expect("a set");
    let texts: Vec<String> = proven.set.files.iter().map(|f| f.text.clone()).collect();
    let why = add_downs(&mut proven.set, &history, &settings, &Silent).err();
    let has = proven.set.files.iter().filter(|f| f.down.is_some()).count();
    assert_eq!(has, if why.is_some() { 0 } else { texts.len() }, "{}: all files have one, or none", trap.display());
    assert!(proven.set.files.iter().map(|f| &f.text).eq(&texts), "the set is as it was");
    why
}

#[test]
fn the_set_of_every_trap_is_undone_or_a_reason_is_given() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traps");
    let mut traps: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("traps").map(|e| e.expect("an entry").path()).collect();
    traps.retain(|p| {
        p.join("migrations").is_dir() && !p.join("prelude.txt").exists() && !p.join("refused.txt").exists()
    });
    traps.sort();
    let next = AtomicUsize::new(0);
    let reasons: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(trap) = traps.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(why) = way_back(trap) {
                        let name = trap.file_name().expect("a name").to_string_lossy().into_owned();
                        let first = why.lines().next().unwrap_or_default().to_string();
                        reasons.lock().expect("no panic").push(format!("{name}: {first}"));
                    }
                }
            });
        }
    });
    let mut reasons = reasons.into_inner().expect("no panic");
    reasons.sort();
    let expected = include_str!("../fixtures/no_way_back.txt");
    assert_eq!(reasons.join("\n"), expected.trim_end(), "of {} traps", traps.len());
}
