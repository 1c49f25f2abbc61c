//! How far a statement reaches, by its tree: it stays in its own database, or it reaches what the databases of a server share, or
//! out of the server. Trees of bodies are read, too, and strings that may be run.
//!
//! ```
//! use consolidate::scratch::gate::{Reach, read};
//! let reading = read("DROP /* /* */ */ DATABASE shop").unwrap();
//! assert_eq!(reading.found[0].reach, Reach::Server("DROP DATABASE"));
//! assert!(read("DROP TABLE shop").unwrap().found.is_empty());
//! ```
//!
//! What a statement is judged by is what PostgreSQL's own grammar makes of it, so no spelling of it matters. A statement that is
//! put together at run time can't be read; that it is there is told (`Reading::is_unseen`), and whoever must be sure gives it to
//! a role that may do nothing of the kind.

mod body;
mod door;
mod facts;
mod tree;
mod words;

pub use door::Gate;
use pg_query::ParserOptions;

/// Something that isn't a database's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// A program of the machine.
    Program(String),
    /// A file of the machine, or a folder.
    File(String),
    /// Another server.
    Network(String),
    /// Another server, named as a place where tables may be: nothing goes there before one of them is read.
    Foreign(String),
    /// An option that says where another server is.
    Place(String),
    /// Code that PostgreSQL can't hold back: a language that isn't trusted, a library.
    Code(String),
    /// A function in a language that may do anything.
    Language(String),
    /// An extension that brings such a language: what is written in it comes later.
    Brings(String),
    /// A setting that makes the server run programs, load libraries, or read SQL otherwise than it was read here.
    Setting(String),
    /// A catalogue, written directly.
    Catalog(String),
    /// What a catalogue keeps secret, such as passwords.
    Secrets(String),
    /// A statement that is about the whole server.
    Server(&'static str),
    /// A function that reaches what others do on the server.
    Others(String),
    /// A role that would be a superuser.
    Superuser(String),
    /// A role that is made.
    Makes(String),
    /// A role that is changed or dropped, or whose belongings are.
    Changes(Whose),
    /// Roles that are given to others, or taken from them.
    Members(Vec<String>, Vec<String>),
    /// A database that is changed.
    Database(String),
}

/// Which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// By its name.
    Named(String),
    /// Whoever runs the statement.
    Current,
    /// Each that there is.
    All,
}

/// What was found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What.
    pub reach: Reach,
    /// The byte of the text at which it stands; in a string that is written with escapes, about that.
    pub at: usize,
}

/// What a text of statements reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// All that isn't its database's own, in the order in which it was found.
    pub found: Vec<Found>,
    /// Languages that are made and held back as PL/pgSQL is.
    pub languages: Vec<String>,
    /// Whether something is run that is put together only then.
    pub is_unseen: bool,
}

impl Reach {
    /// Whether it leaves the server: into the machine, or into the network.
    pub fn is_outside(&self) -> bool {
        use Reach as R;
        match self {
            R::Program(_)
            | R::File(_)
            | R::Network(_)
            | R::Code(_)
            | R::Language(_)
            | R::Setting(_)
            | R::Catalog(_) => true,
            R::Brings(_)
            | R::Foreign(_)
            | R::Place(_)
            | R::Secrets(_)
            | R::Server(_)
            | R::Others(_)
            | R::Superuser(_) => false,
            R::Makes(_) | R::Changes(_) | R::Members(..) | R::Database(_) => false,
        }
    }

    /// Whether a history that does it stays in the sandbox where nobody asks for another place by name: because it leaves the
    /// server, or names what may be used for that later.
    pub fn stays_inside(&self) -> bool {
        self.is_outside() || matches!(self, Reach::Place(_) | Reach::Brings(_) | Reach::Server("ALTER SYSTEM"))
    }
}

/// What stands there, as a message has it.
impl std::fmt::Display for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reach::Program(what) => write!(f, "{what} runs a program of the machine"),
            Reach::File(what) => write!(f, "{what} reaches files of the machine"),
            Reach::Network(what) => write!(f, "{what} reaches other servers"),
            Reach::Foreign(what) => write!(f, "{what} may reach other servers"),
            Reach::Place(option) => write!(f, "the option {option} says where another server is"),
            Reach::Code(what) => write!(f, "{what} runs code that PostgreSQL can't hold back"),
            Reach::Language(name) => write!(f, "language {name} is one that PostgreSQL can't hold back"),
            Reach::Brings(name) => {
                write!(f, "the extension {name} brings a language that PostgreSQL can't hold back")
            }
            Reach::Setting(name) => write!(f, "the setting {name} reaches out of the database"),
            Reach::Catalog(name) => write!(f, "the catalogue {name} is written directly"),
            Reach::Secrets(name) => write!(f, "{name} keeps secrets of the server"),
            Reach::Server(what) => write!(f, "{what} is for the whole server"),
            Reach::Others(name) => write!(f, "{name}() reaches out of the database"),
            Reach::Superuser(name) => write!(f, "the role \"{name}\" would be a superuser"),
            Reach::Makes(name) | Reach::Changes(Whose::Named(name)) => write!(f, "role \"{name}\""),
            Reach::Changes(Whose::Current) => write!(f, "the role that runs it"),
            Reach::Changes(Whose::All) => write!(f, "all roles"),
            Reach::Members(roles, _) => write!(f, "who is a member of role \"{}\"", roles.join("\", \"")),
            Reach::Database(name) => write!(f, "database \"{name}\""),
        }
    }
}

/// Reads a text of statements.
///
/// # Errors
/// When PostgreSQL's grammar doesn't know it, and not all of its words are harmless, with what its parser says.
pub fn read(sql: &str) -> Result<Reading, String> {
    let mut reader = tree::Reader::default();
    match reader.statements(sql, 0, ParserOptions::DEFAULT) {
        Ok(()) => Ok(reader.reading),
        Err(_) if words::are_harmless(sql) => Ok(Reading { is_unseen: true, ..Reading::default() }),
        Err(why) => Err(why),
    }
}

#[cfg(test)]
mod tests;
