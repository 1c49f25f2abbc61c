//! Formatted SQL: the lines of comment by which a file says its changesets, and what of it is run.
//!
//! The lines are those of liquibase/liquibase's AbstractFormattedChangeLogParser.java, which reads line by line, inside of
//! strings too.

use crate::error::{At, Error, Result};
use crate::history::layout::{Mask, Part, Wrap, sections};
use crate::sql::lex::{TokenKind, lex};
use std::ops::Range;

/// A changeset that runs on PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changeset {
    /// Who wrote it.
    pub author: String,
    /// Its id, which the author gave it.
    pub id: String,
    /// The path by which a database knows it, if it isn't the file's own.
    pub path: Option<String>,
}

/// What a line says to Liquibase.
enum Mark<'a> {
    Header(&'a str),
    Changeset(&'a str),
    /// Up to the end of its comment, if it is a block.
    Rollback {
        is_block: bool,
    },
    Preconditions(&'a str),
    Precondition,
    Property(&'a str),
    Include,
    Ignore(&'a str),
    Other,
}

/// What stands behind a word at the beginning of a text, in any case.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

fn mark(line: &str) -> Option<Mark<'_>> {
    let line = line.trim_start();
    if let Some(block) = line.strip_prefix("/*") {
        let rest = after(block.trim_start(), "liquibase")?;
        return after(rest.trim_start(), "rollback")
            .filter(|r| r.trim().is_empty())
            .map(|_| Mark::Rollback { is_block: true });
    }
    let said = line.strip_prefix("--")?.trim_start();
    if let Some(rest) = after(said, "liquibase") {
        return after(rest.trim_start(), "formatted").map(Mark::Header);
    }
    let spaced = |word: &str| after(said, word).filter(|rest| rest.starts_with([' ', '\t']));
    if let Some(rest) = spaced("changeset") {
        return Some(Mark::Changeset(rest.trim_start()));
    }
    if spaced("rollback").is_some() || said.eq_ignore_ascii_case("rollback") {
        return Some(Mark::Rollback { is_block: false });
    }
    if let Some(rest) = after(said, "preconditions") {
        return Some(Mark::Preconditions(rest));
    }
    if let Some(rest) = spaced("property").filter(|rest| rest.matches(':').count() > 1) {
        return Some(Mark::Property(rest));
    }
    let is_attribute = |rest: &&str| rest.contains("file:") || rest.contains("path:");
    if spaced("include").or(spaced("includeAll")).filter(is_attribute).is_some() {
        return Some(Mark::Include);
    }
    if let Some(rest) = after(said, "ignoreLines:") {
        return Some(Mark::Ignore(rest.trim()));
    }
    after(said, "precondition-")
        .map(|_| Mark::Precondition)
        .or_else(|| spaced("validCheckSum").or(after(said, "validCheckSum:")).map(|_| Mark::Other))
}

/// Whether a file is formatted SQL: its first line that isn't empty says so.
pub fn is_formatted(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().find(|line| !line.trim().is_empty());
    first.is_some_and(|line| matches!(mark(line), Some(Mark::Header(_))))
}

/// Whether Liquibase would take a line for a word to itself.
pub fn is_mark(line: &str) -> bool {
    let said = line.trim_start().strip_prefix("--").map(str::trim_start);
    // A malformed one is refused.
    let is_malformed = said.is_some_and(|s| after(s, "changeset").is_some() || after(s, "precondition").is_some());
    mark(line).is_some() || is_malformed
}

/// An attribute of a changeset: `name:value`, or `name:"a value"`.
fn attribute(line: &str, name: &str) -> Option<String> {
    let lower = line.to_ascii_lowercase();
    let name = format!("{}:", name.to_ascii_lowercase());
    let begins = |at: &usize| !line[..*at].ends_with(|c: char| c.is_alphanumeric());
    let at = lower.match_indices(&name).map(|(at, _)| at).find(begins)? + name.len();
    let rest = &line[at..];
    let value = match rest.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
        Some((value, _)) => value,
        None => rest.split_whitespace().next().unwrap_or_default(),
    };
    (!value.is_empty()).then(|| value.to_string())
}

fn says(line: &str, name: &str, value: &str) -> bool {
    attribute(line, name).is_some_and(|v| v.eq_ignore_ascii_case(value))
}

/// Author and id, which may stand in quotes, and the attributes.
fn names(rest: &str) -> Option<(String, String, &str)> {
    let part = |text: &'_ str, end: &dyn Fn(char) -> bool| -> Option<(String, usize)> {
        if let Some(quoted) = text.strip_prefix('"') {
            let close = quoted.find('"')?;
            return Some((quoted[..close].to_string(), close + 2));
        }
        let close = text.find(end).unwrap_or(text.len());
        (close > 0).then(|| (text[..close].to_string(), close))
    };
    let (author, end) = part(rest, &|c| c == ':')?;
    let rest = rest[end..].strip_prefix(':')?;
    let (id, end) = part(rest, &char::is_whitespace)?;
    Some((author.trim().to_string(), id, &rest[end..]))
}

/// Whether a list of databases has PostgreSQL: `postgresql,h2`, `!oracle`.
fn runs_on_postgres(dbms: &str) -> bool {
    let mut words = dbms.split(',').map(str::trim).filter(|w| !w.is_empty()).peekable();
    let is_ours = |word: &str| matches!(word.to_ascii_lowercase().as_str(), "postgresql" | "all");
    let all: Vec<&str> = words.by_ref().collect();
    let (not, only): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|w| w.starts_with('!'));
    let is_excluded = not.iter().any(|w| is_ours(&w[1..]));
    !is_excluded && (only.is_empty() || only.iter().any(|w| is_ours(w)))
}

/// A file as Liquibase reads it.
#[derive(Default)]
pub struct Read {
    /// What of its text is run, and how.
    pub mask: Mask,
    /// The changesets that run.
    pub changesets: Vec<Changeset>,
}

/// The changeset under way.
struct Current {
    /// Where its text begins.
    start: usize,
    /// Its line.
    line: usize,
    wrap: Wrap,
    end: Option<String>,
    strips: bool,
    /// Whether it runs here.
    runs: bool,
    /// What happens where its preconditions don't hold, as the line says it.
    on_fail: Option<(usize, String)>,
}

struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    read: Read,
    file_path: Option<String>,
    current: Option<Current>,
    on_change: Option<(usize, usize)>,
}

/// Reads a formatted file.
///
/// # Errors
/// When Liquibase would refuse it, or what runs can't be told from the file.
pub fn read(path: &str, text: &str) -> Result<Read> {
    let mut reader = Reader { path, text, read: Read::default(), file_path: None, current: None, on_change: None };
    let mut lines = sections::lines(text).enumerate();
    while let Some((number, (place, line))) = lines.next() {
        let whole = sections::with_end(text, place.clone());
        let Some(mark) = mark(line) else {
            reader.plain(number + 1, line, whole);
            continue;
        };
        let mut blank = whole;
        match &mark {
            Mark::Rollback { is_block: true } if !line.trim_end().ends_with("*/") => {
                // As it reads it, the block ends with the first line that ends so.
                for (_, (place, line)) in lines.by_ref() {
                    blank.end = sections::with_end(text, place).end;
                    if line.trim_end().ends_with("*/") {
                        break;
                    }
                }
            }
            Mark::Ignore(count) => {
                let mut left = count.parse::<usize>().ok();
                while left != Some(0) {
                    let Some((_, (place, line))) = lines.next() else { break };
                    blank.end = sections::with_end(text, place).end;
                    left = left.map(|n| n - 1);
                    if matches!(self::mark(line), Some(Mark::Ignore(word)) if word.eq_ignore_ascii_case("end")) {
                        break;
                    }
                }
            }
            _ => {}
        }
        reader.mark(number + 1, &mark, blank)?;
    }
    reader.close(text.len())?;
    let mut read = reader.read;
    if let Some((line, count)) = reader.on_change {
        let why = format!("{count} changesets run again when they change, or always: the new set's run once");
        read.mask.warnings.push((line, why));
    }
    if read.mask.parts.len() < 2 {
        read.mask.wrap = read.mask.parts.first().map(|part| part.wrap);
        read.mask.parts.clear();
    }
    Ok(read)
}

impl Reader<'_> {
    fn warn(&mut self, line: usize, why: impl Into<String>) {
        self.read.mask.warnings.push((line, why.into()));
    }

    fn refused<T>(&self, line: usize, message: impl Into<String>, hint: &str) -> Result<T> {
        Err(Error::new(message).at(At::new(self.path, line)).hint(hint))
    }

    /// A line that says nothing to Liquibase.
    fn plain(&mut self, number: usize, line: &str, whole: Range<usize>) {
        match &self.current {
            Some(current) if current.runs => {}
            Some(_) => self.read.mask.blanks.push(whole),
            None => {
                if !line.trim().is_empty() && !line.trim_start().starts_with("--") {
                    self.warn(number, "above the first changeset, so Liquibase never runs it: not read");
                }
                self.read.mask.blanks.push(whole);
            }
        }
    }

    fn mark(&mut self, number: usize, mark: &Mark, blank: Range<usize>) -> Result<()> {
        self.read.mask.blanks.push(blank.clone());
        match mark {
            Mark::Header(rest) => self.file_path = attribute(rest, "logicalFilePath"),
            Mark::Changeset(rest) => {
                self.close(blank.start)?;
                self.open(number, rest, blank.end)?;
            }
            Mark::Rollback { .. } => self.read.mask.has_down = true,
            Mark::Preconditions(rest) => {
                let word = attribute(rest, "onFail").unwrap_or_else(|| "HALT".into());
                if let Some(current) = &mut self.current {
                    current.on_fail = Some((number, word));
                }
            }
            Mark::Precondition => {
                let on_fail = self.current.as_ref().filter(|c| c.runs).and_then(|c| c.on_fail.clone());
                if let Some((line, word)) = on_fail
                    && ["MARK_RAN", "CONTINUE"].iter().any(|w| word.eq_ignore_ascii_case(w))
                {
                    let message =
                        format!("where a precondition doesn't hold, this changeset doesn't run (onFail:{word})");
                    let hint = "in a copy of the history, take the precondition out if it holds on an empty database, else \
                                the changeset";
                    return self.refused(line, message, hint);
                }
            }
            Mark::Include => {
                return self.refused(
                    number,
                    "a changelog in SQL that includes others isn't read",
                    "name the folder of the files",
                );
            }
            Mark::Ignore(_) => self.warn(number, "lines that Liquibase passes over: not read"),
            Mark::Property(_) | Mark::Other => {}
        }
        Ok(())
    }

    fn open(&mut self, line: usize, rest: &str, start: usize) -> Result<()> {
        let Some((author, id, attributes)) = names(rest) else {
            return self.refused(
                line,
                "no changeset is named so",
                "Liquibase wants --changeset author:id, and refuses this too",
            );
        };
        let dbms = attribute(attributes, "dbms").or_else(|| {
            let rest = attributes.split("dbms:").nth(1)?;
            rest.split_whitespace().next().map(String::from)
        });
        let runs = dbms.as_deref().is_none_or(runs_on_postgres) && !says(attributes, "ignore", "true");
        if let Some(context) = attribute(attributes, "contextFilter").or_else(|| attribute(attributes, "context"))
            && runs
        {
            let message = format!("{author}:{id} runs only where the context is {context:?}, or none is said");
            let hint = "in a copy of the history, take out the changesets of contexts that your databases don't have, and the \
                        word of the others; or keep them in a folder of their own, for later";
            return self.refused(line, message, hint);
        }
        if runs && let Some(program) = attribute(attributes, "runWith") {
            let hint = "name a copy of the history in which Liquibase runs it itself";
            return self.refused(line, format!("{author}:{id} is run by {program}"), hint);
        }
        if !runs {
            self.warn(line, format!("{author}:{id} isn't for PostgreSQL, or is to be ignored: not read"));
        } else if let Some(labels) = attribute(attributes, "labels") {
            self.warn(line, format!("{author}:{id} has the labels {labels}: read as run, as without --label-filter"));
        }
        if runs && (says(attributes, "runAlways", "true") || says(attributes, "runOnChange", "true")) {
            let (first, count) = self.on_change.unwrap_or((line, 0));
            self.on_change = Some((first, count + 1));
        }
        if runs {
            let path = attribute(attributes, "logicalFilePath").or_else(|| self.file_path.clone());
            self.read.changesets.push(Changeset { author, id, path });
        }
        let wrap = if says(attributes, "runInTransaction", "false") { Wrap::Bare } else { Wrap::Transaction };
        let (end, strips) = (attribute(attributes, "endDelimiter"), !says(attributes, "stripComments", "false"));
        self.current = Some(Current { start, line, wrap, end, strips, runs, on_fail: None });
        Ok(())
    }

    /// Ends the changeset under way.
    fn close(&mut self, end: usize) -> Result<()> {
        let Some(current) = self.current.take().filter(|c| c.runs) else { return Ok(()) };
        self.read.mask.parts.push(Part { at: current.start, wrap: current.wrap });
        let body = &self.text[current.start..end];
        let tokens = lex(body);
        if current.strips && tokens.iter().any(|t| is_body_with_comments(t.text(body))) {
            let why =
                "Liquibase takes the comments out of this body (stripComments): here and in the new set they stay";
            self.warn(current.line, why);
        }
        // A question mark is a parameter to JDBC, unless it is doubled.
        for token in tokens.iter().filter(|t| t.kind == TokenKind::Symbol) {
            let doubled = token.text(body).match_indices("??").map(|(at, _)| current.start + token.start + at + 1);
            self.read.mask.blanks.extend(doubled.map(|at| at..at + 1));
        }
        let Some(delimiter) = current.end else { return Ok(()) };
        let is_plain = |c: char| !c.is_whitespace() && !"\\[](){}|*+?.^$'\"".contains(c);
        if !delimiter.chars().all(is_plain) {
            let message = format!("the delimiter {delimiter} is a pattern, which isn't read");
            return self.refused(
                current.line,
                message,
                "write semicolons or a plain word instead, in a copy of the history",
            );
        }
        for (at, found) in body.match_indices(delimiter.as_str()) {
            let next = tokens.partition_point(|t| t.start < at);
            if next > 0 && tokens[next - 1].end > at && tokens[next - 1].kind != TokenKind::Symbol {
                continue;
            }
            let at = current.start + at;
            self.read.mask.blanks.push(at..at + found.len());
            self.read.mask.ends.push(at);
        }
        Ok(())
    }
}

/// Whether a token is the body of a function, with comments in it.
fn is_body_with_comments(token: &str) -> bool {
    let Some(tag) = token.strip_prefix('$').and_then(|rest| rest.find('$')) else { return false };
    let (open, close) = (tag + 2, token.len().saturating_sub(tag + 2));
    token.get(open..close).is_some_and(|body| lex(body).iter().any(|t| t.kind == TokenKind::Comment))
}

/// The changesets of a file that run; one that isn't formatted is one, which Liquibase calls so.
///
/// # Errors
/// As [`read`].
pub fn of(path: &str, text: &str) -> Result<Vec<Changeset>> {
    match is_formatted(text) {
        true => Ok(read(path, text)?.changesets),
        false => Ok(vec![Changeset { author: "includeAll".into(), id: "raw".into(), path: None }]),
    }
}

/// The names and values that a file gives for placeholders.
pub fn properties(text: &str) -> Vec<(String, String)> {
    let of = |line| match mark(line) {
        Some(Mark::Property(rest)) => {
            let runs = attribute(rest, "dbms").as_deref().is_none_or(runs_on_postgres);
            attribute(rest, "name").zip(attribute(rest, "value")).filter(|_| runs)
        }
        _ => None,
    };
    text.lines().filter_map(of).collect()
}

/// A file with changesets of one each, as a new set has them.
pub fn write(stem: &str, text: &str, id: &str, bare: bool) -> String {
    let pieces = crate::sql::split::split(text);
    let is_whole = |body: &str| {
        let tokens = crate::sql::lex::lex_code(body);
        tokens.iter().any(|t| t.is(body, "begin") || t.is(body, "go")) || body.contains(';') || body.contains("\n/")
    };
    let cuts_wrong = pieces.iter().any(|p| is_whole(text[p.body.clone()].trim_end().trim_end_matches(';')));
    let delimiter = if text.contains(";;") { "//" } else { ";;" };
    let mut head = format!("--liquibase formatted sql logicalFilePath:{stem}.sql\n\n--changeset consolidate:{id}");
    if bare {
        head.push_str(" runInTransaction:false");
    }
    head.push_str(" stripComments:false");
    if !cuts_wrong {
        return format!("{head}\n{}", without_marks(&for_jdbc(text)));
    }
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for piece in &pieces {
        let close = crate::history::layout::write::line_end(text, piece.body.end);
        out.push_str(&text[at..close]);
        out.push_str(if out.ends_with('\n') { "" } else { "\n" });
        out.push_str(&format!("{delimiter}\n"));
        at = close;
    }
    out.push_str(&text[at..]);
    format!("{head} endDelimiter:{delimiter}\n{}", without_marks(&for_jdbc(&out)))
}

/// Question marks doubled in operators, as JDBC wants them.
fn for_jdbc(text: &str) -> String {
    if !text.contains('?') {
        return text.to_string();
    }
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for token in lex(text).iter().filter(|t| t.kind == TokenKind::Symbol && t.text(text).contains('?')) {
        out.push_str(&text[at..token.start]);
        out.push_str(&token.text(text).replace('?', "??"));
        at = token.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Comments that Liquibase would take for words to itself begin otherwise.
fn without_marks(text: &str) -> String {
    let tokens = lex(text);
    let comments = tokens.iter().filter(|t| t.kind == TokenKind::Comment && is_mark(t.text(text)));
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for comment in comments.filter(|t| t.text(text).starts_with("--")) {
        out.push_str(&text[at..comment.start]);
        out.push_str("-- -");
        at = comment.start + 2;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests;
