//! Atlas: `VERSION_description.sql` by name, with their checksums in `atlas.sum`.
//!
//! As in ariga/atlas's sql/migrate/dir.go and migrate.go: a version is what stands before the first underscore. On an empty
//! database Atlas begins with the last file that says `-- atlas:checkpoint`, and leaves out what comes before it. Each file has
//! a transaction, unless it says `-- atlas:txmode none` (cmd/atlas/internal/cmdapi/migrate.go). `-- atlas:delimiter` on the
//! first line says what ends a statement (sql/migrate/lex.go). Files in the format of another tool, which Atlas reads too, are
//! that tool's.

use super::sections;
use super::write::{Companions, Linked, Outgoing, Output, Versions};
use super::{Entry, Layout, Listing, Mask, Wrap, names};
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;
use crate::sql::lex::{TokenKind, lex};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The layout of Atlas.
pub struct Atlas;

/// The file of checksums.
pub const SUMS: &str = "atlas.sum";

impl Layout for Atlas {
    fn name(&self) -> &'static str {
        "atlas"
    }

    fn about(&self) -> &'static str {
        "VERSION_description.sql with atlas.sum"
    }

    /// With files that undo, it is golang-migrate's format.
    fn fits(&self, contents: &Contents) -> bool {
        let undoes = |path: &str| path.ends_with(".down.sql");
        contents.has(SUMS) && contents.flat_sql().next().is_some() && !contents.flat_sql().any(undoes)
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let texts: Vec<(&str, String)> =
            contents.flat_sql().map(|path| (path, contents.text(path).into_owned())).collect();
        is_as_summed(contents, &texts)?;
        let first = texts.iter().rposition(|(_, text)| is_checkpoint(text)).unwrap_or(0);
        let mut listing = Listing::default();
        if let (Some((before, _)), Some((begin, _))) = (texts[..first].last(), texts.get(first)) {
            let why = format!(
                "Atlas begins with the checkpoint {begin} on an empty database, and never runs this or what is before it: not \
                 read (of such files: {first})"
            );
            listing.passed_over.push(((*before).to_string(), why));
            listing.beside.extend(texts[..first - 1].iter().map(|(path, _)| (*path).to_string()));
        }
        listing.entries = texts[first..].iter().map(|(path, _)| entry(path)).collect();
        Ok(listing)
    }

    fn mask(&self, entry: &Entry, text: &str) -> Result<Mask> {
        let refused = |line: usize, message: String, hint: &str| {
            Err(Error::new(message).at(At::new(&entry.path, line)).hint(hint))
        };
        let mut mask = Mask::default();
        for directive in directives(text) {
            match (directive.name, directive.value) {
                ("txmode", "none") => mask.wrap = Some(Wrap::Bare),
                ("txmode", "file") | ("checkpoint" | "nolint" | "sum" | "delimiter", _) => {}
                ("txmode", other) => {
                    return refused(
                        directive.line,
                        format!("{other} is no txmode of a file"),
                        "Atlas would refuse this too",
                    );
                }
                ("txtar", _) => only_migration(&entry.path, text, &mut mask)?,
                ("import", _) => {
                    let hint = "put what it names in its place, in a copy of the history";
                    return refused(directive.line, "Atlas puts other files in here, which isn't read".into(), hint);
                }
                (name, _) => {
                    mask.warnings.push((directive.line, format!("atlas:{name} isn't known here: left out")));
                }
            }
        }
        if let Some(delimiter) = delimiter(text) {
            if delimiter == "\n" || delimiter.contains(['$', '\'', '"']) {
                let hint = "write semicolons instead, in a copy of the history";
                return refused(1, "statements end at a delimiter that isn't read".into(), hint);
            }
            cut_at(text, &delimiter, &mut mask);
        }
        // Inside a body they are the author's.
        let marks = lex(text).into_iter().filter(|t| t.kind == TokenKind::Comment && is_mark(t.text(text)));
        mask.blanks.extend(marks.map(|t| t.start..t.end));
        Ok(mask)
    }

    fn versions(&self) -> Versions {
        Versions { as_text: true, takes_last: true, ..Versions::KEPT }
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let mark = if m.bare { "-- atlas:txmode none\n\n" } else { "" };
        vec![(format!("{}_{}.sql", m.version, m.words), format!("{mark}{}", m.text))]
    }

    fn companions(
        &self,
        set: &[Outgoing],
        _history: &[&str],
        _old: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Companions> {
        let files: Vec<Output> = set.iter().flat_map(|m| self.write(m)).collect();
        let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        Ok(Companions { files: vec![(SUMS.to_string(), sum_file(texts))], ..Companions::default() })
    }

    fn link(&self, files: &mut [Linked]) -> Result<()> {
        let is_summed = |f: &&Linked| f.path.ends_with(".sql") && !f.path.contains('/');
        let sums = sum_file(files.iter().filter(is_summed).map(|f| (f.path.as_str(), f.text.as_str())));
        files.iter_mut().filter(|f| f.path == SUMS).for_each(|f| f.text.clone_from(&sums));
        Ok(())
    }

    fn without(&self, path: &str, text: &str, _there: &[&str]) -> Option<Result<String>> {
        (path == SUMS).then(|| Ok(text.to_string()))
    }
}

fn entry(path: &str) -> Entry {
    let stem = path.strip_suffix(".sql").unwrap_or(path);
    match stem.split_once('_') {
        Some((version, description)) if names::is_digits(version) => Entry::numbered(path, version, description),
        found => {
            let (version, description) = found.unwrap_or((stem, ""));
            Entry { version: Some(version.into()), key: version.into(), ..Entry::unversioned(path, description) }
        }
    }
}

/// A line for Atlas at the top of a file.
struct Directive<'a> {
    name: &'a str,
    value: &'a str,
    line: usize,
}

/// What a file says of itself: lines of comment at its top, parted from the statements by an empty line.
fn directives(text: &str) -> impl Iterator<Item = Directive<'_>> {
    let is_comment = |line: &str| line.starts_with("--") || line.starts_with('#');
    let count = text.lines().take_while(|line| is_comment(line)).count();
    let is_apart = text.lines().nth(count).is_none_or(|line| line.trim_matches([' ', '\t', '\r']).is_empty());
    let count = if is_apart { count } else { 0 };
    text.lines().take(count).enumerate().filter_map(|(number, line)| {
        let (name, value) = directive(line)?;
        Some(Directive { name, value, line: number + 1 })
    })
}

/// Whether a file makes all that those before it make.
pub fn is_checkpoint(text: &str) -> bool {
    directives(text).any(|d| d.name == "checkpoint")
}

/// Name and value behind `atlas:` in a line.
fn directive(line: &str) -> Option<(&str, &str)> {
    let (before, rest) = line.trim().split_once("atlas:")?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, value) = rest.split_at(end);
    let is_plain = before.chars().all(|c| (' '..='~').contains(&c));
    (is_plain && !name.is_empty() && (value.is_empty() || value.starts_with(' '))).then(|| (name, value.trim()))
}

fn is_mark(comment: &str) -> bool {
    let said = comment.strip_prefix("--").unwrap_or(comment);
    said.trim_start().starts_with("atlas:") && directive(comment).is_some()
}

/// What ends a statement, where the first line says so.
fn delimiter(text: &str) -> Option<String> {
    let line = text.lines().next()?.strip_prefix("-- ")?;
    let (name, value) = directive(line).filter(|_| line.starts_with("atlas:"))?;
    (name == "delimiter" && !value.is_empty())
        .then(|| value.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t"))
}

/// Ends statements at a delimiter, but inside of strings and comments.
fn cut_at(text: &str, delimiter: &str, mask: &mut Mask) {
    let begin = text.find('\n').map_or(text.len(), |at| at + 1);
    let tokens = lex(&text[begin..]);
    for (at, found) in text[begin..].match_indices(delimiter) {
        let next = tokens.partition_point(|t| t.start < at);
        if next > 0 && tokens[next - 1].end > at {
            continue;
        }
        // The ends of lines stay: one may end a comment.
        let (start, last) = (begin + at, begin + at + found.len() - 1);
        let is_line_end = |place: &usize| text.as_bytes()[*place] == b'\n';
        mask.blanks.extend((start..last).filter(|place| !is_line_end(place)).map(|place| place..place + 1));
        mask.blanks.push(last..last + 1);
        mask.ends.push(last);
    }
}

/// Of a file that holds several by name (`-- NAME --`), `migration.sql` is run.
fn only_migration(path: &str, text: &str, mask: &mut Mask) -> Result<()> {
    let (mut part, mut has_migration) = ("", false);
    for (number, (place, line)) in sections::lines(text).enumerate() {
        let named = line.strip_prefix("-- ").and_then(|l| l.trim_end().strip_suffix(" --"));
        if let Some(name) = named {
            part = name.trim();
            has_migration |= part == "migration.sql";
            mask.has_down |= part == "down.sql";
            if part.starts_with("checks") {
                mask.warnings.push((number + 1, "what Atlas checks before the migration is left out".into()));
            }
        }
        if named.is_some() || part != "migration.sql" {
            mask.blanks.push(sections::with_end(text, place));
        }
    }
    if has_migration {
        return Ok(());
    }
    let hint = "Atlas wants a line -- migration.sql -- above what is run";
    Err(Error::new("an archive without a migration").at(At::new(path, 1)).hint(hint))
}

/// The checksum of each file, which is one of those before it, too.
fn sums<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, String)> {
    let mut hasher = Sha256::new();
    let mut sums = Vec::new();
    for (name, text) in files {
        hasher.update(name);
        let first = text.lines().next().unwrap_or_default();
        if directive(first).is_some_and(|(name, value)| name == "sum" && value == "ignore") {
            continue;
        }
        hasher.update(text);
        sums.push((name, STANDARD.encode(hasher.clone().finalize())));
    }
    sums
}

/// `atlas.sum`: the checksum of all lines, and a line for each file.
fn sum_file<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut files: Vec<(&str, &str)> = files.collect();
    files.sort_unstable();
    let sums = sums(files.into_iter());
    let mut whole = Sha256::new();
    sums.iter().for_each(|(name, sum)| {
        whole.update(name);
        whole.update(sum);
    });
    let lines: String = sums.iter().map(|(name, sum)| format!("{name} h1:{sum}\n")).collect();
    format!("h1:{}\n{lines}", STANDARD.encode(whole.finalize()))
}

/// The checksum that `atlas.sum` has for a file.
pub fn sum_of<'a>(sums: &'a str, name: &str) -> Option<&'a str> {
    sums.lines().skip(1).find_map(|line| {
        let (of, sum) = line.split_once("h1:")?;
        (of.trim() == name).then_some(sum)
    })
}

/// Whether the files are those that `atlas.sum` lists, as they were.
fn is_as_summed(contents: &Contents, texts: &[(&str, String)]) -> Result<()> {
    let hint = "Atlas would refuse this too: if the files are right, let `atlas migrate hash` write it anew";
    let wrong = |line: usize, message: String| Err(Error::new(message).at(At::new(SUMS, line)).hint(hint));
    if texts.is_empty() {
        return Ok(());
    }
    if !contents.has(SUMS) {
        return wrong(1, format!("no {SUMS}, which holds the checksums of the files"));
    }
    let wanted = sum_file(texts.iter().map(|(path, text)| (*path, text.as_str())));
    let has = contents.text(SUMS);
    let (mut wanted_lines, mut has_lines) = (wanted.lines().skip(1), has.lines().skip(1));
    let mut number = 1;
    loop {
        number += 1;
        match (wanted_lines.next(), has_lines.next()) {
            (None, None) if has.lines().next() == wanted.lines().next() => return Ok(()),
            (None, None) => return wrong(1, "its first line isn't the checksum of the others".into()),
            (Some(is), Some(says)) if is == says => {}
            (is, says) => {
                let name = |line: &str| line.split(" h1:").next().unwrap_or_default().to_string();
                let message = match (is.map(name), says.map(name)) {
                    (Some(is), Some(says)) if is == says => format!("{is} isn't as it was when this was written"),
                    (_, Some(says)) if !contents.has(&says) => format!("{says} isn't there any more"),
                    (Some(is), _) => format!("{is} came after this was written"),
                    (None, _) => "it lists what isn't a migration".to_string(),
                };
                return wrong(number, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let sums = sum_file(files.iter().copied());
        let own = |(name, text): &(&str, &str)| ((*name).to_string(), (*text).to_string());
        files.iter().map(own).chain([(SUMS.to_string(), sums)]).collect()
    }

    fn list(files: &[(String, String)]) -> Result<Listing> {
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        let contents = Contents::of(&files);
        assert!(Atlas.fits(&contents));
        Atlas.list(&contents)
    }

    fn masked(text: &str) -> (String, Mask) {
        let mask = Atlas.mask(&entry("1_a.sql"), text).unwrap();
        (mask.apply(text.to_string()), mask)
    }

    #[test]
    fn checksums_are_atlas_own() {
        let files = [
            (
                "1.a_sub.up.sql",
                "-- create table \"t_sub\"\nCREATE TABLE t_sub(c int);\n-- add c1 column\nALTER TABLE t_sub ADD c1 int;",
            ),
            ("2.10.x-20_description.sql", "-- add c2 column\nALTER TABLE t_sub ADD c2 int;"),
        ];
        let sums = sum_file(files.into_iter());
        // As Atlas has them.
        assert_eq!(sum_of(&sums, files[0].0), Some("nXyZR020M/mH7LxkoTkJr7BcQkipVg90imQ9I4595dw="));
        assert_eq!(sum_of(&sums, files[1].0), Some("wQB3Vh3PHVXQg9OD3Gn7TBxbZN3r1Qb7TtAE1g3q9mQ="));
        let ignored = [("0.sql", "-- atlas:sum ignore\n\nSELECT 1;"), files[0]];
        assert_eq!(sum_of(&sum_file(ignored.into_iter()), "0.sql"), None);
    }

    #[test]
    fn a_folder_that_is_not_as_summed_is_refused_with_the_line() {
        let mut files = folder(&[("1_a.sql", "SELECT 1;"), ("2_b.sql", "SELECT 2;")]);
        assert_eq!(list(&files).unwrap().entries.len(), 2);
        let said = |files: &[(String, String)]| list(files).map(|_| ()).unwrap_err().to_string();
        files[1].1.push('\n');
        assert!(said(&files).contains("atlas.sum:3: 2_b.sql isn't as it was"), "{}", said(&files));
        files.remove(1);
        assert!(said(&files).contains("atlas.sum:3: 2_b.sql isn't there any more"), "{}", said(&files));
        files.insert(0, ("0_new.sql".into(), String::new()));
        assert!(said(&files).contains("atlas.sum:2: 0_new.sql came after"), "{}", said(&files));
        let error = Atlas.list(&Contents::of(&[("1_a.sql", "")])).unwrap_err();
        assert_eq!(error.at, Some(At::new(SUMS, 1)));
    }

    #[test]
    fn an_empty_database_begins_with_the_last_checkpoint() {
        let files = folder(&[
            ("1_a.sql", "CREATE TABLE a ();"),
            ("2_check.sql", "-- atlas:checkpoint v1\n\nCREATE TABLE a ();"),
            ("3_b.sql", "CREATE TABLE b ();"),
            ("4_not.sql", "-- atlas:checkpoint\nCREATE TABLE d ();"),
        ]);
        let listing = list(&files).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["2_check.sql", "3_b.sql", "4_not.sql"]);
        assert!(listing.passed_over[0].1.contains("2_check.sql"), "{:?}", listing.passed_over);
    }

    #[test]
    fn lines_for_atlas_say_how_a_file_runs() {
        let (text, mask) = masked("-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON a (b);\n");
        assert_eq!(mask.wrap, Some(Wrap::Bare));
        assert!(!text.contains("atlas"));
        // Not parted from the statement, it is none of the file's.
        assert_eq!(masked("-- atlas:txmode none\nSELECT 1;\n").1.wrap, None);
        let body = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n-- atlas:nolint\nSELECT 1 $$;\n";
        assert_eq!(masked(body).0, body);
        let error = Atlas.mask(&entry("1_a.sql"), "-- atlas:import a.sql\n\nSELECT 1;\n").unwrap_err();
        assert_eq!(error.at, Some(At::new("1_a.sql", 1)));
        let archive = "-- atlas:txtar\n\n-- checks/a.sql --\nSELECT true;\n\n-- migration.sql --\nDROP TABLE a;\n";
        let (text, mask) = masked(archive);
        assert_eq!(text.trim(), "DROP TABLE a;");
        assert_eq!(mask.warnings[0].0, 3);
    }

    #[test]
    fn a_delimiter_ends_statements() {
        let pieces = |text: &str| {
            let text = masked(text).0;
            let pieces = crate::sql::split::split(&text);
            pieces.iter().map(|p| text[p.body.clone()].to_string()).collect::<Vec<_>>()
        };
        let words = "-- atlas:delimiter -- end\nSELECT 1 -- one\n-- end\nSELECT '\n-- end';\n-- end\n";
        assert_eq!(pieces(words), ["SELECT 1", "SELECT '\n-- end'"]);
        let lines = "-- atlas:delimiter \\n\\n\\n\nSELECT 1 -- one\n\n\nSELECT 2;\n\n\n\nSELECT 3";
        assert_eq!(pieces(lines), ["SELECT 1", "SELECT 2", "SELECT 3"]);
        assert_eq!(pieces("-- atlas:delimiter //\nSELECT 1//\nSELECT 2\n//\n"), ["SELECT 1", "SELECT 2"]);
    }
}
