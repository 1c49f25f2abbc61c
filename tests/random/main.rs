//! Random histories: PostgreSQL itself says what is valid, so nobody had to think of the case. Each grows from a seed, is
//! consolidated and proven; one that shows trouble is made small and printed as files for `fixtures/traps`.
//!
//! `cargo test --test random` takes 300; `make random COUNT=5000 SEED=1` as many as one likes.

mod catalog;
mod check;
mod database;
mod grow;
mod propose;
mod run;
mod shrink;

use run::{Settings, run};

/// Seeds whose trouble is known and not mended yet, each with what it is; `make random COUNT=1 SEED=…` shows it.
const OPEN: &[u64] = &[
    // One statement longer: rows that a dropped EXCLUDE constraint kept out, and a setval for each of four identities.
    21, // A candidate that PostgreSQL refuses, and nothing to step down to.
    46,
];

#[test]
fn three_hundred_histories_come_out_the_same() {
    let count = 300 + OPEN.len() as u64;
    let figures = run(&Settings { first: 1, count, threads: 2, share: 10, left_out: OPEN, ..Settings::default() });
    println!("left out, since their trouble is known and open: {OPEN:?}");
    println!("{figures}");
    assert!(figures.is_fine(), "{figures}");
}

/// `make random`: see `Settings::from_environment`.
#[test]
#[ignore = "as many as RANDOM_COUNT says: make random"]
fn many_histories_come_out_the_same() {
    let figures = run(&Settings::from_environment());
    println!("{figures}");
    assert!(figures.is_fine(), "some histories show trouble; see above");
}
