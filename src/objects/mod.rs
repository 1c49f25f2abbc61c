//! One file per kind of database object: how a CREATE makes it, what it needs, and how each ALTER folds into it.

mod added;
pub mod alter_column;
mod alter_table;
pub mod auto_name;
mod composite;
mod constraint;
mod default_privileges;
mod do_block;
mod do_drops;
mod do_guard;
mod do_read;
mod domain;
mod grant;
mod index;
mod options;
mod other;
mod partition;
mod passes;
mod password;
mod policy;
mod role;
mod routine;
mod rows;
mod schema_objects;
mod security;
mod segment;
mod sequence;
mod table;
mod trigger;
mod types;
mod view;

use crate::schema::element;
pub(crate) use crate::schema::{
    Constraint, GrantBody, PieceKind, Place, Privilege, Property, Table, cut, kind, property,
};
pub(crate) use alter_table::not_valid;
pub use constraint::name_addition;
pub use default_privileges::DefaultGrant;
pub(crate) use do_drops::drops;
pub(crate) use segment::{Segment, segments};
pub(crate) use view::rename_column as rename_column_in_view;
