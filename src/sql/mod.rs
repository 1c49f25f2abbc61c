//! SQL as text and as trees: splitting, parsing with PostgreSQL's own parser, and editing text without touching the rest.

pub mod lex;
pub mod split;
