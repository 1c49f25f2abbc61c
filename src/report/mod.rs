//! The only room that formats: library results become text or JSON here, and only the program prints them.

pub mod ci;
pub mod emit;
pub mod plan;
pub mod style;
pub mod summary;
pub mod verdict;
pub mod words;

/// The version of the JSON: it grows when a field changes its meaning, not when one is added.
pub const FORMAT: u32 = 1;
