//! Turns a long history of PostgreSQL migrations into the short set that a careful maintainer would have written had
//! they known the end, and proves on real databases that schema and rows come out the same.

pub mod cli;
pub mod config;
pub mod diff;
pub mod emit;
pub mod engine;
pub mod error;
mod files;
pub mod handover;
pub mod history;
pub mod ledger;
pub mod objects;
pub mod plan;
pub mod proof;
pub mod replay;
pub mod report;
pub mod schema;
pub mod scratch;
pub mod secrets;
pub mod sql;
pub mod stack;
pub mod trust;

pub use error::{At, Error, Result};
