//! What undoes a new set: for every trap, the set, all of it backwards, and a database as empty as before; or a reason.

mod trap_support;

use consolidate::config::Config;
use consolidate::emit::{add_downs, prove};
use consolidate::history;
use consolidate::proof::{Settings, Silent};
use consolidate::replay::replay;
use std::path::Path;
use trap_support::{of_each, traps};

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
    let mut traps = traps();
    traps.retain(|p| !p.join("prelude.txt").exists() && !p.join("refused.txt").exists());
    let looked = of_each(&traps, |_, trap| way_back(trap));
    let first = |why: String| why.lines().next().unwrap_or_default().to_string();
    let reason = |(name, why): (String, Option<String>)| Some(format!("{name}: {}", first(why?)));
    let reasons: Vec<String> = looked.into_iter().filter_map(reason).collect();
    let expected = include_str!("../fixtures/no_way_back.txt");
    assert_eq!(reasons.join("\n"), expected.trim_end(), "of {} traps", traps.len());
}
