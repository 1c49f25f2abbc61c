//! What of a history was consolidated, in figures and places.

use crate::emit::{CommentLine, Held, Proven, comments_left_out, locks};
use crate::history::cut::Cut;
use crate::history::{File, History};
use crate::plan::Size;
use crate::replay::Model;

/// What of a history was consolidated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its files, statements and lines.
    pub before: Size,
    /// Those of the new set.
    pub after: Size,
    /// The files that stay as they are.
    pub untouched: usize,
    /// Which part it was, in a few words.
    pub part: Option<String>,
    /// What a later part locks of what is there before it.
    pub locks: Vec<Held>,
    /// The comments of what lives that aren't in the new set.
    pub comments: Vec<CommentLine>,
}

impl About {
    /// Of a history that was consolidated, as a whole or from a cut on; `history` ends where a cut says.
    pub fn of(history: &History, model: &Model, cut: Option<Cut>, proven: &Proven) -> About {
        let start = match cut {
            Some(Cut::From(start)) => start,
            _ => 0,
        };
        let files = history.files.get(start..).unwrap_or_default();
        let first = files.first().map_or(0, |f| f.statements.start);
        let name = |file: Option<&File>| file.map_or("", |f| f.name.as_str()).to_string();
        let part = cut.map(|cut| match cut {
            Cut::From(_) => format!("from {} on", name(files.first())),
            Cut::Through(_) => format!("through {}", name(files.last())),
        });
        About {
            before: Size {
                files: files.len(),
                statements: history.statements.len() - first,
                lines: files.iter().map(File::lines).sum(),
            },
            after: Size {
                files: proven.set.files.len(),
                statements: proven.set.statements(),
                lines: proven.set.lines(),
            },
            untouched: start,
            part,
            locks: match cut {
                Some(Cut::From(_)) => locks(&proven.set, history),
                _ => Vec::new(),
            },
            comments: comments_left_out(history, model, start, proven),
        }
    }
}
