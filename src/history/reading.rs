//! How a folder of migrations is read.

use super::layout::Layout;
use crate::engine::Engine;
use crate::error::At;

/// Whether reading a folder may run code of the project, where a layout's migrations are code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// Nobody asked for it: what lies in a folder never does.
    Unasked,
    /// A setting of a file of the repository asks for it, which isn't enough.
    Set(Option<At>),
    /// The user asks for it, or trusts the repository to.
    Runs,
}

/// How a folder is read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Its layout; found, if it isn't said.
    pub layout: Option<&'static dyn Layout>,
    /// Whether code of the project may run.
    pub code: &'a Code,
    /// Whose SQL it is; found, if it isn't said.
    pub engine: Option<Engine>,
    /// Files that are left out.
    pub without: &'a [String],
    /// What runs before it, as SQL.
    pub prelude: &'a [String],
}

impl Default for Reading<'_> {
    fn default() -> Self {
        Reading { layout: None, code: &Code::Unasked, engine: None, without: &[], prelude: &[] }
    }
}
