//! The only room that formats: library results become text or JSON here, and only the program prints them.

pub mod emit;
pub mod plan;
pub mod style;
pub mod summary;
pub mod verdict;
