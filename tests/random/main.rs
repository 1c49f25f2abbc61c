//! Random histories: PostgreSQL itself says what is valid, so nobody had to think of the case. Each grows from a seed, is
//! consolidated and proven; one that shows trouble is made small and printed as files for `fixtures/traps`.
//!
//! `cargo test --test random` takes 300; `make random COUNT=5000 SEED=1` as many as one likes.

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

#[test]
fn three_hundred_histories_come_out_the_same() {
    let figures = run(&Settings { first: 1, count: 300, threads: 2, share: 10, ..Settings::default() });
    println!("{figures}");
    assert!(figures.is_fine(), "{figures}");
    // The last way out must stay a rare one.
    assert!(figures.retold() <= 6, "{figures}");
}

/// `make random`: see `Settings::from_environment`.
#[test]
#[ignore = "as many as RANDOM_COUNT says: make random"]
fn many_histories_come_out_the_same() {
    let figures = run(&Settings::from_environment());
    println!("{figures}");
    assert!(figures.is_fine(), "some histories show trouble; see above");
}
