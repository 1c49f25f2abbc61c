//! Files with an up and a down part, and marks between them that are comments to PostgreSQL: what of the text is run.
//!
//! Nothing is cut out. What isn't run is blanked, so that every byte stays where it is, and no mark can be taken
//! for the author's comment.

use super::{Mask, Wrap};
use crate::error::{At, Error, Result};
use std::ops::Range;

/// What a line says to the migration tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// From here on it is run; whether inside a transaction, if the mark says so.
    Up(Option<Wrap>),
    /// From here on it undoes.
    Down,
    /// A statement begins.
    Begin,
    /// A statement ends, with or without a semicolon.
    End,
    /// How the whole file is run.
    Whole(Wrap),
    /// Anything else.
    Other,
}

/// How a tool's files are cut.
pub struct Marks<'a> {
    /// The tool, for messages.
    pub tool: &'a str,
    /// How its up mark is written, for messages.
    pub up: &'a str,
    /// What a line says, if it is a mark.
    pub read: &'a dyn Fn(&str) -> Option<Mark>,
    /// Whether code above the first mark is an error; else it is left out.
    pub strict_head: bool,
}

/// The lines of a text with their places, without the ends of lines.
pub fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let (skip, line) = match line.strip_prefix('\u{feff}') {
            Some(rest) if start == 0 => (3, rest),
            _ => (0, line),
        };
        (start + skip..start + skip + line.len(), line)
    })
}

/// A line with its end.
pub fn with_end(text: &str, line: Range<usize>) -> Range<usize> {
    let end = text[line.end..].find('\n').map_or(text.len(), |n| line.end + n + 1);
    line.start..end
}

/// Reads the sections of a file.
///
/// # Errors
/// When there is no up mark, or what the tool would refuse: code above it, a statement that isn't ended.
pub fn read(path: &str, text: &str, marks: &Marks) -> Result<Mask> {
    let mut mask = Mask::default();
    let mut direction: Option<bool> = None;
    let mut open: Option<usize> = None;
    let wrong = |line: usize, message: String| {
        let hint = format!("{} would refuse this too; if another tool reads it, name that with --layout", marks.tool);
        Err(Error::new(message).at(At::new(path, line + 1)).hint(hint))
    };
    if !has_up(text, marks.read) {
        return wrong(0, format!("no line {} in this file", marks.up));
    }
    for (number, (place, line)) in lines(text).enumerate() {
        let mark = (marks.read)(line);
        let is_up = direction == Some(true);
        match mark {
            Some(Mark::Up(wrap)) => {
                direction = Some(true);
                mask.wrap = wrap.or(mask.wrap);
            }
            Some(Mark::Down) => {
                direction = Some(false);
                mask.has_down = true;
            }
            Some(Mark::Begin) if is_up => open = Some(number),
            Some(Mark::End) if is_up => {
                open = None;
                mask.ends.push(place.start);
            }
            Some(Mark::Whole(wrap)) => mask.wrap = Some(wrap),
            Some(_) => {}
            None if direction == Some(false) => {}
            None if is_up || line.trim().is_empty() || line.trim_start().starts_with("--") => continue,
            None if marks.strict_head => {
                return wrong(number, format!("a statement above {}", marks.up));
            }
            None => {}
        }
        mask.blanks.push(with_end(text, place));
    }
    match open {
        Some(line) => wrong(line, "a statement begins here, and no mark ends it".to_string()),
        None => Ok(mask),
    }
}

/// Whether any line of a text is a mark that begins an up part.
pub fn has_up(text: &str, read: &dyn Fn(&str) -> Option<Mark>) -> bool {
    // Marks are comments; most lines are none.
    lines(text)
        .filter(|(_, line)| line.trim_start().starts_with("--"))
        .any(|(_, line)| matches!(read(line), Some(Mark::Up(_))))
}
