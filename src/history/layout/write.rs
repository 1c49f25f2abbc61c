//! How a new set is written as a tool lays it out: versions, names, marks. Each layout says it beside how it reads.

use super::Layout;
use super::names::number;
use crate::error::Result;
use crate::sql::split::split;
use std::ops::Range;

/// Stands where a tool undoes a migration, and nothing proven could: silence there would drop the note that it ran and
/// leave what it made.
pub const REFUSES: &str = "DO $$ BEGIN RAISE EXCEPTION 'consolidated: this can''t be undone'; END $$;\n";

/// A migration of a new set on its way to a tool's files.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Its version, as digits; empty in a layout without.
    pub version: String,
    /// The version of the one before it in the set.
    pub before: Option<String>,
    /// The words after the version.
    pub words: String,
    /// The name, without the ending, that it has in a flat folder.
    pub stem: String,
    /// The SQL that it runs.
    pub text: String,
    /// What undoes it, or refuses to; none for no such part.
    pub down: Option<String>,
    /// Whether it can't run inside a transaction.
    pub bare: bool,
    /// What the history's file of its version had before its description, where that isn't the version itself.
    pub old_prefix: Option<String>,
    /// Whether the history's files have `.up` in their names.
    pub is_reversible: bool,
    /// Whether the history's migrations have folders of their own, and this is in its layout.
    pub in_folders: bool,
    /// Whether the history is of another layout.
    pub is_converted: bool,
}

/// A file to write: its path in the folder, and its text.
pub type Output = (String, String);

/// A file of the new folder.
#[derive(Debug, Clone)]
pub struct Linked {
    /// Its path in the folder.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Whether it is written; else it stays as it was.
    pub is_new: bool,
}

/// Migrations as a tool's files, with what they say of each other.
///
/// # Errors
/// As [`Layout::link`].
pub fn written(layout: &dyn Layout, migrations: &[Outgoing]) -> Result<Vec<Output>> {
    let files = migrations.iter().flat_map(|m| layout.write(m));
    let mut files: Vec<Linked> = files.map(|(path, text)| Linked { path, text, is_new: true }).collect();
    layout.link(&mut files)?;
    Ok(files.into_iter().map(|file| (file.path, file.text)).collect())
}

/// What lies beside the migrations, and what there is to say about it.
#[derive(Debug, Default)]
pub struct Companions {
    /// The files.
    pub files: Vec<Output>,
    /// What a person must know or do.
    pub notes: Vec<String>,
}

/// How a tool wants versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The form.
    pub form: Form,
    /// The least number that it takes.
    pub least: u128,
    /// The greatest number that it takes.
    pub greatest: u128,
    /// Whether two files of one version are two migrations.
    pub may_repeat: bool,
    /// Whether files sort as text, so that all versions need one width.
    pub as_text: bool,
    /// Whether the last file takes the history's last version. The tool knows a migration by its version or name alone:
    /// then a database that is behind can't be mistaken for one that ran the new set.
    pub takes_last: bool,
}

/// The form of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any number: the history's are kept.
    Any,
    /// So many digits: the history's are kept if they are so, else counted up from the first number.
    Digits(usize, u128),
    /// Counted from a number without a gap, with so many digits.
    Counted(u128, usize),
    /// A name, each that of a file which names the one before it: the last takes the history's last.
    Chained,
    /// None: names stay as they are.
    None,
}

impl Versions {
    /// Numbers as in the history, each once.
    pub const KEPT: Versions = Versions {
        form: Form::Any,
        least: 0,
        greatest: i64::MAX as u128,
        may_repeat: false,
        as_text: false,
        takes_last: false,
    };

    /// The versions of a set whose files have these in its plan; `last` is the last one of the history.
    pub fn of(&self, planned: &[String], last: Option<&str>) -> Vec<String> {
        match self.form {
            Form::None => return planned.to_vec(),
            Form::Counted(first, width) => return counted(first, width, planned.len()),
            Form::Chained => return chained(last.filter(|_| self.takes_last), planned.len()),
            Form::Any | Form::Digits(..) => {}
        }
        let fits = |v: &String| match self.form {
            Form::Digits(width, _) => v.len() == width && is_number(v),
            _ => is_number(v),
        };
        let afresh = || match self.form {
            Form::Digits(width, first) => counted(first, width, planned.len()),
            _ => counted(1, 4.max(planned.len().to_string().len()), planned.len()),
        };
        if !planned.iter().all(fits) {
            return afresh();
        }
        let mut versions = planned.to_vec();
        let later = |l: &&str| is_number(l) && versions.last().is_some_and(|v| number(l) > number(v));
        if let Some(last) = last.filter(|_| self.takes_last).filter(later)
            && let Some(place) = versions.last_mut()
        {
            *place = last.to_string();
        }
        let width = versions.iter().map(String::len).max().unwrap_or(0);
        let mut before: Option<u128> = None;
        for version in &mut versions {
            let Ok(mut value) = version.parse::<u128>() else { return afresh() };
            if let Some(before) = before
                && (value < before || (value == before && !self.may_repeat))
            {
                value = before + 1;
                *version = format!("{value:0width$}", width = version.len());
            }
            if self.as_text {
                *version = format!("{value:0>width$}");
            }
            before = Some(value);
            if value < self.least || value > self.greatest || (self.as_text && version.len() > width) || !fits(version)
            {
                return afresh();
            }
        }
        versions
    }
}

fn is_number(version: &str) -> bool {
    super::names::is_digits(version)
}

fn counted(first: u128, width: usize, count: usize) -> Vec<String> {
    (0..count as u128).map(|i| format!("{:0width$}", first + i)).collect()
}

/// Names that no revision of the history has, but the last. Alembic's table takes 32 letters.
fn chained(last: Option<&str>, count: usize) -> Vec<String> {
    let Some(last) = last else { return counted(1, 4, count) };
    let stem: String = last.chars().take(24).collect();
    let name = |i: usize| if i == count { last.to_string() } else { format!("{stem}_part{i}") };
    (1..=count).map(name).collect()
}

/// Puts marks around each statement that a tool would cut at a semicolon inside of it.
///
/// goose and sql-migrate end a statement where the last word of a line, comments aside, ends in a semicolon
/// (`endsWithSemicolon` in pressly/goose's internal/sqlparser/parser.go and rubenv/sql-migrate's sqlparse/sqlparse.go).
pub fn with_statement_marks(text: &str, begin: &str, end: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for piece in split(text) {
        let close = line_end(text, piece.body.end);
        if is_cut_right(text, &piece.body, close) {
            continue;
        }
        out.push_str(&text[at..piece.body.start]);
        out.push_str(&format!("{begin}\n"));
        out.push_str(&text[piece.body.start..close]);
        if !text[..close].ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&format!("{end}\n"));
        at = close;
    }
    out.push_str(&text[at..]);
    out
}

/// The end of the line on which a statement ends.
pub fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |n| at + n + 1)
}

fn is_cut_right(text: &str, body: &Range<usize>, close: usize) -> bool {
    let mut lines: Vec<&str> = text[body.start..close].lines().collect();
    let last = lines.pop().unwrap_or_default();
    // What begins with dashes is left out by the tools, also inside a body.
    let is_plain = |l: &&str| !ends_with_semicolon(l) && !l.trim_start().starts_with("--");
    lines.iter().all(is_plain) && ends_with_semicolon(last)
}

fn ends_with_semicolon(line: &str) -> bool {
    line.split_whitespace().take_while(|w| !w.starts_with("--")).last().is_some_and(|w| w.ends_with(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(versions: Versions, planned: &[&str], last: Option<&str>) -> Vec<String> {
        versions.of(&planned.iter().map(|v| v.to_string()).collect::<Vec<_>>(), last)
    }

    #[test]
    fn versions_are_kept_where_they_can_be() {
        assert_eq!(of(Versions::KEPT, &["9", "10"], Some("11")), ["9", "10"]);
        assert_eq!(of(Versions::KEPT, &["7", "7", "8"], None), ["7", "8", "9"]);
        let text = Versions { as_text: true, ..Versions::KEPT };
        assert_eq!(of(text, &["9", "10"], None), ["09", "10"]);
        let last = Versions { takes_last: true, ..Versions::KEPT };
        assert_eq!(of(last, &["1", "2"], Some("12")), ["1", "12"]);
        let above = Versions { least: 1, ..Versions::KEPT };
        assert_eq!(of(above, &["0000", "0001"], None), ["0001", "0002"]);
        let small = Versions { greatest: 100, ..Versions::KEPT };
        assert_eq!(of(small, &["20240101000000", "20240102000000"], None), ["0001", "0002"]);
    }

    #[test]
    fn versions_of_another_form_are_counted() {
        let milliseconds = Versions { form: Form::Digits(13, 1_000_000_000_000), ..Versions::KEPT };
        assert_eq!(of(milliseconds, &["0001", "0002"], None), ["1000000000000", "1000000000001"]);
        let counted = Versions { form: Form::Counted(1, 3), ..Versions::KEPT };
        assert_eq!(of(counted, &["4", "9"], Some("12")), ["001", "002"]);
        let chained = Versions { form: Form::Chained, takes_last: true, ..Versions::KEPT };
        assert_eq!(of(chained, &["4", "9"], Some("ab12")), ["ab12_part1", "ab12"]);
        assert_eq!(of(chained, &["4", "9"], None), ["0001", "0002"]);
    }

    #[test]
    fn only_what_would_be_cut_wrongly_is_marked() {
        let text = "CREATE TABLE a ();\nCREATE FUNCTION f() AS $$\n  SELECT 1;\n$$;\nSELECT 2; -- b;\nSELECT 3;--c\n";
        let marked = with_statement_marks(text, "<", ">");
        let wanted = "CREATE TABLE a ();\n<\nCREATE FUNCTION f() AS $$\n  SELECT 1;\n$$;\n>\nSELECT 2; -- b;\n<\nSELECT 3;--c\n>\n";
        assert_eq!(marked, wanted);
    }
}
