//! SQL as text and as trees: splitting, parsing with PostgreSQL's own parser, and editing text without touching the rest.

pub(crate) mod edit;
pub(crate) mod names;
pub(crate) mod parse;
pub(crate) mod places;
pub mod split;
pub(crate) mod walk;

pub(crate) use crate::lex;
