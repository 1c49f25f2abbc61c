//! SQL as text and as trees: splitting, parsing with PostgreSQL's own parser, and editing text without touching the rest.

pub mod edit;
pub mod lex;
pub mod names;
pub mod parse;
pub mod places;
pub mod split;
pub mod walk;
