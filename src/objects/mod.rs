//! One file per kind of database object: how a CREATE makes it, what it needs, and how each ALTER folds into it.

mod added;
pub mod alter_column;
mod alter_table;
pub mod auto_name;
mod constraint;
mod default_privileges;
mod do_block;
mod do_guard;
mod do_read;
mod domain;
mod element;
mod grant;
mod index;
pub mod kind;
mod other;
mod partition;
mod policy;
mod property;
mod role;
mod routine;
mod rows;
mod schema_objects;
mod sequence;
mod table;
mod trigger;
mod types;
mod view;

pub(crate) use alter_table::{Segment, not_valid, segments};
pub use constraint::name_addition;
pub use default_privileges::DefaultGrant;
pub(crate) use element::cut;
pub use element::{Column, Constraint, Element, Piece, PieceKind, Place, Table};
pub use grant::{Atom, GrantBody, Privilege};
pub use property::Property;
pub(crate) use view::rename_column as rename_column_in_view;
