//! Random histories: PostgreSQL itself says what is valid, so nobody had to think of the case. Each grows from a seed, is
//! consolidated and proven; one that shows trouble is made small and printed as files for `fixtures/traps`.
//!
//! `cargo test --test random` takes 100, and 40 of them are other ones each day; `make random COUNT=5000 SEED=1` as many as one likes.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod catalog;
mod check;
mod database;
mod grow;
mod propose;
mod run;
mod shrink;

use run::{Settings, run};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many of the suite's histories are the same each time, and how many are new each day.
const SAME: u64 = 60;
const OF_TODAY: u64 = 40;

/// Those that are always the same must not get worse; those of today find what nobody has thought of.
#[test]
fn a_hundred_histories_come_out_the_same() {
    let day = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() / 86_400;
    let of = |first, count| run(&Settings { first, count, threads: 2, share: 10, ..Settings::default() });
    for (first, count, most_retold) in [(1, SAME, 2), (1_000_000 + day * OF_TODAY, OF_TODAY, 4)] {
        let figures = of(first, count);
        println!("seeds from {first}: {figures}");
        assert!(figures.is_fine(), "seeds from {first}: {figures}");
        // The last way out must stay a rare one.
        assert!(figures.retold() <= most_retold, "seeds from {first}: {figures}");
    }
}

/// `make random`: see `Settings::from_environment`.
#[test]
#[ignore = "as many as RANDOM_COUNT says: make random"]
fn many_histories_come_out_the_same() {
    let figures = run(&Settings::from_environment());
    println!("{figures}");
    assert!(figures.is_fine(), "some histories show trouble; see above");
}
