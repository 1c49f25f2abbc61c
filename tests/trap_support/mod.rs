//! The traps, for the tests that go through all of them.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The folders of all traps that hold a history, sorted. While one is worked on, `CONSOLIDATE_TRAPS=name,name` names the
/// few that are wanted; CI never sets it.
pub fn traps() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traps");
    let mut traps: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    traps.retain(|trap| trap.join("migrations").is_dir());
    traps.sort();
    assert!(traps.len() >= 90, "only {} traps", traps.len());
    if let Ok(wanted) = std::env::var("CONSOLIDATE_TRAPS") {
        traps.retain(|trap| wanted.split(',').any(|name| trap.ends_with(name)));
        assert!(!traps.is_empty(), "no trap is called {wanted}");
    }
    traps
}

/// What a look at each trap gives, by the traps' names. Two at a time: each look holds two databases already.
pub fn of_each<T: Send>(traps: &[PathBuf], look: impl Fn(&str, &Path) -> T + Sync) -> Vec<(String, T)> {
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<(String, T)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            // As the program itself has it.
            consolidate::stack::spawn(scope, || {
                while let Some(trap) = traps.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = trap.file_name().unwrap().to_string_lossy().into_owned();
                    let seen = look(&name, trap);
                    found.lock().unwrap().push((name, seen));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}
