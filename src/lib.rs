//! Turns a long history of PostgreSQL migrations into the short set that a careful maintainer would have written had
//! they known the end, and proves on real databases that schema and rows come out the same.
//!
//! A [`Project`] is two folders, the history and the consolidated set, with what `consolidate.toml` and the caller say about
//! them. [`plan()`], [`consolidate()`], [`verify()`], [`diff()`], [`handover()`] and [`restore()`] are what can be done with it.
//! They give data, tell a [`Progress`] how far they are, and print nothing; [`report`] makes texts of what they give.
//!
//! ```
//! use consolidate::{Asked, Emitting, Project, Silent, Unproven};
//!
//! fn main() -> Result<(), Unproven> {
//!     let project = Project::open(&Asked::default(), &Silent)?;
//!     let planned = consolidate::plan(&project)?;
//!     println!("{} of {} statements stay", planned.plan.after.statements, planned.plan.before.statements);
//!     let set = consolidate::consolidate(&project, &Emitting::default(), &Silent)?;
//!     set.files().iter().for_each(|file| println!("{}: {} bytes", file.path, file.bytes.len()));
//!     let verified = consolidate::verify(&project, &Silent)?;
//!     println!("{:?} on PostgreSQL {}", verified.verdict.kind, verified.verdict.postgres);
//!     Ok(())
//! }
//! ```
//!
//! A thread's usual stack stands statements of about 150 levels; what is deeper is kept as it is. [`stack::on_large`] does
//! work where there is room for more, as the program does with all of its work.

pub mod as_replayed;
pub mod config;
pub mod diff;
pub mod emit;
mod engine;
mod error;
pub mod escape;
mod files;
pub mod handover;
pub mod history;
mod ledger;
mod lex;
mod named;
mod objects;
pub mod plan;
mod progress;
mod project;
pub mod proof;
pub mod replay;
pub mod report;
pub mod schema;
pub mod scratch;
pub mod secrets;
pub mod sql;
pub mod stack;
pub mod store;
mod trust;

pub use engine::Engine;
pub use error::{At, Error, Result};
pub use named::Named;
pub use progress::{Progress, Silent};
pub use project::{
    About, Asked, Consolidated, Draft, DraftOf, Emitting, HandedOver, HandingOver, Handover, Planned, Project, Stale,
    Target, Unproven, Verified, Written, consolidate, diff, draft, handover, plan, restore, verify,
};
pub use trust::Trust;
