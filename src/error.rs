//! The one error of the library: where, what, and what to do about it.

use std::fmt;

/// A place in a file. Lines and columns count from 1; a column counts characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct At {
    /// The file as the user would name it, relative to its folder.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

impl At {
    /// A place whose column isn't known.
    pub fn new(file: impl Into<String>, line: usize) -> Self {
        At { file: file.into(), line, column: None }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        self.column.map_or(Ok(()), |c| write!(f, ":{c}"))
    }
}

/// What went wrong, as a lower-case phrase; PostgreSQL's own words where it has some; and a hint on what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Where, if it is about a place in a file.
    pub at: Option<At>,
    /// What.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that is about no place in a file.
    pub fn new(message: impl Into<String>) -> Self {
        Error { at: None, message: message.into(), hint: None }
    }

    /// The same error with its place.
    pub fn at(mut self, at: At) -> Self {
        self.at = Some(at);
        self
    }

    /// The same error with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{at}: ")?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |h| write!(f, "\nhint: {h}"))
    }
}

impl std::error::Error for Error {}

/// What may give several errors gives one as a list.
impl From<Error> for Vec<Error> {
    fn from(error: Error) -> Self {
        vec![error]
    }
}
