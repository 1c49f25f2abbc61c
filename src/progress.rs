//! What is told while a call works.

use crate::error::At;

/// Is told how far a call has come, and what is worth knowing before it ends. Whoever implements none of its methods hears
/// nothing.
pub trait Progress: Sync {
    /// `side` is doing `what`: `done` steps of `total`. Sides are told of at the same time, from threads of their own.
    fn step(&self, _side: &str, _what: &str, _done: usize, _total: usize) {}

    /// Something worth knowing: where a proof ran, say.
    fn note(&self, _text: &str) {}

    /// What is not in what is proven, or should be looked at: where, and why.
    fn warning(&self, _at: &At, _why: &str) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
