//! What is asked for beside `consolidate.toml`.

use crate::config::{Config, Files, Numbers};
use crate::engine::Engine;
use crate::history::cut::Wish;
use crate::history::layout::Layout;
use crate::proof::Class;
use crate::scratch::limits::{Size, Time};
use crate::trust::Trust;
use std::path::PathBuf;

/// What a caller asks for. It wins over what `consolidate.toml` says; what isn't asked for is taken from there, or else as the
/// field says.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The configuration file; `consolidate.toml` in the current folder, if there is one.
    pub config: Option<PathBuf>,
    /// The folder of the history; `migrations.old`, or `migrations`.
    pub old: Option<PathBuf>,
    /// The folder of the consolidated set; `migrations`.
    pub new: Option<PathBuf>,
    /// How the history is laid out; found by itself.
    pub layout: Option<&'static dyn Layout>,
    /// Whose SQL it is, in spite of what its names, words and surroundings say; found by itself.
    pub engine: Option<Engine>,
    /// Whether files are left out of the history that only undo an earlier one.
    pub without_rollbacks: bool,
    /// SQL that the history takes for granted, run first on both sides: files, or names of preludes that come with the library.
    pub prelude: Vec<PathBuf>,
    /// What `consolidate.toml` may ask for that only the caller may otherwise, beside what the variable
    /// `CONSOLIDATE_TRUSTED` says.
    pub trusted: Vec<Trust>,
    /// Which part of the history is consolidated; all of it.
    pub part: Option<Wish>,
    /// What decides on the file of an object; the rules, if there are any, else its birth.
    pub files: Option<Files>,
    /// The versions of the files.
    pub numbers: Option<Numbers>,
    /// The name of the file, where there is only one, without version and ending.
    pub name: Option<String>,
    /// Whether a comment above each object says where in the history it comes from.
    pub annotate: bool,
    /// The PostgreSQL to replay on: `auto`, `embedded`, `local`, the address of a server, or `env:NAME`, the variable that
    /// holds it; `auto`.
    pub scratch: Option<String>,
    /// How long a statement may take; 60 seconds.
    pub statement_timeout: Option<Time>,
    /// How long the replays of one call may take together; 10 minutes.
    pub timeout: Option<Time>,
    /// How much a statement may give, and the rows of a table hold; 256 MB.
    pub result_size: Option<Size>,
    /// Differences that aren't wanted.
    pub ignore: Vec<Class>,
}

impl Asked {
    /// Lets what is asked for win over the settings of how a set is written.
    pub(super) fn over(&self, config: &mut Config) {
        let emit = &mut config.emit;
        emit.files = self.files.or(emit.files);
        emit.numbers = self.numbers.or(emit.numbers);
        emit.name = self.name.clone().or(emit.name.take());
        emit.annotate |= self.annotate;
    }
}
