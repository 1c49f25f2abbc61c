//! The judge on a real history that stays outside of the repository. Say which with `CONSOLIDATE_HISTORY`, a folder of SQL
//! files, and `CONSOLIDATE_PRELUDE`, SQL that it takes for granted.

mod proof_support;

use std::time::Instant;

use consolidate::proof::{self, ReplayFile, Settings, Silent, VerdictKind};
use proof_support::file;

fn history(folder: &str) -> Vec<ReplayFile> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "sql"));
    paths.sort();
    let name = |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| file(&name(path), &std::fs::read_to_string(path).expect("readable"), true)).collect()
}

#[test]
#[ignore = "wants a real history"]
fn a_real_history_is_identical_to_itself() {
    let Ok(folder) = std::env::var("CONSOLIDATE_HISTORY") else { return };
    let prelude = std::env::var("CONSOLIDATE_PRELUDE").unwrap_or_default();
    let settings = Settings { prelude: vec![file("prelude.sql", &prelude, false)], ..Settings::default() };
    let files = history(&folder);
    let begun = Instant::now();
    let one = proof::replay("old", &files, &settings, &Silent).unwrap_or_else(|error| panic!("{error}"));
    println!("one replay: {:.2} s, {} entries", begun.elapsed().as_secs_f64(), one.entries.len());
    println!("unread {:?}, notes {:?}, stand-ins {:?}", one.unread, one.notes, one.stand_ins);
    let verdict =
        proof::verify(&files, &files, &settings, &Silent).unwrap_or_else(|(side, error)| panic!("{side}: {error}"));
    println!("{}", consolidate::report::verdict::text(&verdict, consolidate::report::style::Style::default()));
    assert_eq!(verdict.kind, VerdictKind::Identical);
}
