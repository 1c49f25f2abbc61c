//! How long `plan` takes beside only splitting and parsing the same history, in one run: the ratio is what counts.
//!
//! `cargo bench --bench plan [-- FOLDER]`; without a folder, the example of this repository.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement says what it found, and ends where it can't go on"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often each is run; the fastest run counts, since everything else is the machine's noise.
const RUNS: usize = 30;

fn main() {
    let given = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let folder =
        given.map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations.old")), PathBuf::from);
    let texts: Vec<String> = sql_files(&folder).iter().filter_map(|f| std::fs::read_to_string(f).ok()).collect();
    let parse = fastest(|| {
        for text in &texts {
            for piece in consolidate::sql::split::split(text) {
                let _ = std::hint::black_box(pg_query::parse(&text[piece.body], 0));
            }
        }
    });
    let plan = fastest(|| {
        let history = consolidate::history::read(&folder).expect("the history is readable");
        let model = consolidate::replay::replay(&history);
        let config = consolidate::config::Config::default();
        let _ = std::hint::black_box(consolidate::plan::plan(&history, &model, &config));
    });
    let read = fastest(|| drop(std::hint::black_box(consolidate::history::read(&folder))));
    let history = consolidate::history::read(&folder).expect("the history is readable");
    let replay = fastest(|| drop(std::hint::black_box(consolidate::replay::replay(&history))));
    println!("of the plan: read and parse {read:.2?}, replay in memory {replay:.2?}, findings and set the rest");
    let ratio = plan.as_secs_f64() / parse.as_secs_f64();
    println!("{}: parse {parse:.2?}, plan {plan:.2?}, ratio {ratio:.2}", folder.display());
    assert!(ratio <= 3.0, "plan takes {ratio:.2} times as long as parsing alone; at most 3 is promised");
}

fn sql_files(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is readable");
    entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "sql")).collect()
}

fn fastest(work: impl Fn()) -> Duration {
    let time = || {
        let begun = Instant::now();
        work();
        begun.elapsed()
    };
    (0..RUNS).map(|_| time()).min().unwrap_or_default()
}
