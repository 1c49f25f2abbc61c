//! Turns a long history of PostgreSQL migrations into the short set that a careful maintainer would have written had
//! they known the end, and proves on real databases that schema and rows come out the same.

pub mod error;
pub mod proof;
pub mod report;
pub mod scratch;

pub use error::{At, Error, Result};
