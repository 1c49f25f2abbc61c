//! Where sets are kept: the manifest of a written set, and the ways in which one gets its place, whole or not at all.
//!
//! It knows nothing of how a set came to be.

pub mod aside;
pub mod manifest;
pub mod swap;
pub mod write;

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeFile {
    /// Its path in the folder, with slashes.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it was consolidated; else it is as it was.
    pub is_new: bool,
}
