//! graphile-migrate: `committed/000001-description.sql`, whose first lines name the file's own hash and that of the one
//! before it.
//!
//! As in graphile/migrate's src/migration.ts, src/hash.ts and src/current.ts: files sort by the number in front; one connection
//! runs each as one query in a transaction, unless its first line says `--! no-transaction`. What isn't committed yet
//! (`current.sql`) is not run on a database in production.

use super::sections;
use super::write::{Companions, Form, Linked, Outgoing, Output, Versions};
use super::{Entry, Layout, Listing, Mask, Wrap, names};
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;
use crate::sql::split::split;
use sha1::{Digest, Sha1};

/// The layout of graphile-migrate.
pub struct GraphileMigrate;

/// The folder in which what runs lies.
pub const COMMITTED: &str = "committed/";
const CURRENT: &str = "current.sql";
const BARE: &str = "--! no-transaction";
/// What the tool itself fills in; a project may name more.
const FILLED_IN: [&str; 2] = [":DATABASE_NAME", ":DATABASE_OWNER"];

impl Layout for GraphileMigrate {
    fn name(&self) -> &'static str {
        "graphile-migrate"
    }

    fn about(&self) -> &'static str {
        "committed/000001-description.sql with --! Previous: and --! Hash:"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.sql().any(|path| named(path).is_some() && previous(&contents.text(path)).is_some())
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut listing = Listing::default();
        for path in contents.sql() {
            match (named(path), path.split_once('/')) {
                (Some(entry), Some(_)) => listing.entries.push(entry),
                (Some(_), None) if previous(&contents.text(path)).is_some() => {
                    let message = "a committed migration of graphile-migrate, outside of its folder committed/";
                    let above = contents.root().parent().unwrap_or(contents.root()).display();
                    let hint = format!("name the folder in which committed/ lies: --old {above}");
                    return Err(Error::new(message).at(At::new(path, 1)).hint(hint));
                }
                _ if path == CURRENT || path.starts_with("current/") => {
                    let why = "it isn't committed yet: not read".to_string();
                    let is_blank = split(&contents.text(path)).is_empty();
                    match is_blank {
                        true => listing.beside.push(path.to_string()),
                        false => listing.passed_over.push((path.to_string(), why)),
                    }
                }
                // Files that the project's .gmrc or a `--!include` names.
                _ if !path.starts_with(COMMITTED) => listing.beside.push(path.to_string()),
                _ => {}
            }
        }
        super::by_number(&mut listing.entries);
        let mut last: Option<String> = None;
        for entry in &listing.entries {
            let text = contents.text(&entry.path);
            follows(&entry.path, &text, last.as_deref())?;
            last = header(&text, "Hash").map(String::from);
        }
        Ok(listing)
    }

    fn mask(&self, entry: &Entry, text: &str) -> Result<Mask> {
        let mut mask = Mask::default();
        let refused = |line: usize, message: String, hint: &str| {
            Err(Error::new(message).at(At::new(&entry.path, line + 1)).hint(hint))
        };
        let count = headers(text).count();
        let mut body = sections::lines(text).enumerate().skip(count);
        if body.next().is_none_or(|(_, (_, line))| !line.is_empty()) {
            let hint = "graphile-migrate would refuse this too";
            return refused(count, "an empty line is missing below the lines that begin with --!".into(), hint);
        }
        // The empty line goes with them: it is no author's.
        for (place, _) in sections::lines(text).take(count + 1) {
            mask.blanks.push(sections::with_end(text, place));
        }
        if let Some((_, (place, line))) = body.find(|(_, (_, line))| !line.trim().is_empty())
            && is_bare(line)
        {
            mask.blanks.push(sections::with_end(text, place));
            mask.wrap = Some(Wrap::OneQuery);
        }
        for (number, (_, line)) in sections::lines(text).enumerate().skip(count) {
            if let Some(word) = FILLED_IN.iter().find(|word| line.contains(**word)) {
                let message = format!("graphile-migrate fills in {word}, so what is run here isn't known");
                return refused(number, message, "put the name in its place, in a copy of the history");
            }
        }
        Ok(mask)
    }

    /// It runs what is numbered later than the last one that ran.
    fn versions(&self) -> Versions {
        Versions { form: Form::Digits(6, 1), as_text: true, takes_last: true, ..Versions::KEPT }
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let slug: String = m.words.chars().map(|c| if is_word(c) { c } else { '-' }).collect();
        let mark = if m.bare { format!("{BARE}\n") } else { String::new() };
        let text = written(None, &m.words.replace(['_', '-'], " "), &format!("{mark}{}", m.text));
        vec![(format!("{COMMITTED}{}-{slug}.sql", m.version), text)]
    }

    fn companions(
        &self,
        _set: &[Outgoing],
        _history: &[&str],
        old: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Companions> {
        let files: Vec<Output> = old(CURRENT).map(|text| (CURRENT.to_string(), text)).into_iter().collect();
        Ok(Companions { files, ..Companions::default() })
    }

    fn link(&self, files: &mut [Linked]) -> Result<()> {
        let mut order: Vec<(Entry, &mut Linked)> =
            files.iter_mut().filter_map(|file| Some((named(&file.path)?, file))).collect();
        order.sort_by(|(a, _), (b, _)| a.number().cmp(&b.number()));
        let mut last: Option<String> = None;
        for (entry, file) in order {
            if file.is_new {
                let message = header(&file.text, "Message").unwrap_or_default().to_string();
                file.text = written(last.as_deref(), &message, body(&file.text));
            } else {
                follows(&entry.path, &file.text, last.as_deref()).map_err(|e| {
                    e.hint("each file names the one before by its hash: consolidate all, or the end (--from)")
                })?;
            }
            last = header(&file.text, "Hash").map(String::from);
        }
        Ok(())
    }
}

/// The entry of a name that the tool takes: digits, and a description behind a dash.
fn named(path: &str) -> Option<Entry> {
    let (folder, base) = path.rsplit_once('/').unwrap_or(("", path));
    let (version, rest) = names::leading_digits(base.strip_suffix(".sql")?)?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let description = if rest.is_empty() { "" } else { rest.strip_prefix('-')? };
    (matches!(folder, "" | "committed") && description.chars().all(is_word))
        .then(|| Entry::numbered(path, version, description))
}

/// The lines with which a file begins that say something to the tool, as name and value. Names begin with a capital.
fn headers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('\n').map_while(|line| {
        let rest = line.strip_prefix("--! ").filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))?;
        let (name, value) = rest.split_once(':').unwrap_or((rest, ""));
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| (name, value.trim()))
    })
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    headers(text).find(|(n, _)| *n == name).map(|(_, value)| value)
}

/// What a committed file says of the one before it; `-` for none.
pub fn previous(text: &str) -> Option<&str> {
    header(text, "Previous")
}

/// What a committed file says of itself.
pub fn hash(text: &str) -> Option<&str> {
    header(text, "Hash")
}

fn body(text: &str) -> &str {
    let head: usize = text.split_inclusive('\n').take(headers(text).count()).map(str::len).sum();
    &text[head..]
}

fn is_bare(line: &str) -> bool {
    let rest = line.strip_prefix("--!").and_then(|rest| rest.trim_start().strip_prefix("no-transaction"));
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

/// As JavaScript trims.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// The hash of a body behind a file of this hash.
fn sum(previous: Option<&str>, body: &str) -> String {
    let text = format!("{}\n{}", previous.unwrap_or_default(), trimmed(body));
    let digest = Sha1::digest(format!("{}\n", trimmed(&text)).as_bytes());
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    format!("sha1:{hex}")
}

/// A committed file behind one of this hash.
fn written(last: Option<&str>, message: &str, body: &str) -> String {
    let message = if message.is_empty() { String::new() } else { format!("--! Message: {message}\n") };
    let (previous, hash, body) = (last.unwrap_or("-"), sum(last, body), trimmed(body));
    format!("--! Previous: {previous}\n--! Hash: {hash}\n{message}\n{body}\n")
}

/// Whether a file stands behind one of this hash, and is as it was committed.
fn follows(path: &str, text: &str, last: Option<&str>) -> Result<()> {
    let wrong = |line: usize, message: String| {
        let hint = "graphile-migrate would refuse this too";
        Err(Error::new(message).at(At::new(path, line)).hint(hint))
    };
    let line = |name: &str| headers(text).position(|(n, _)| n == name).map_or(1, |n| n + 1);
    let (Some(previous), Some(hash)) = (previous(text), hash(text)) else {
        return wrong(1, "a committed migration without its lines --! Previous: and --! Hash:".into());
    };
    let wanted = last.unwrap_or("-");
    if previous != wanted {
        return wrong(line("Previous"), format!("the file before it has the hash {wanted}, and not {previous}"));
    }
    if header(text, "AllowInvalidHash").is_none() && sum(last, body(text)) != hash {
        return wrong(line("Hash"), format!("its text has the hash {}, and not {hash}", sum(last, body(text))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> Vec<Linked> {
        let one = |(number, text): (usize, &&str)| {
            let (version, words) = (format!("{:06}", number + 1), "a_b".to_string());
            let m = Outgoing { version, words, text: text.to_string(), ..Outgoing::default() };
            let (path, text) = GraphileMigrate.write(&m).remove(0);
            Linked { path, text, is_new: true }
        };
        let mut files: Vec<Linked> = texts.iter().enumerate().map(one).collect();
        GraphileMigrate.link(&mut files).unwrap();
        files
    }

    fn list(files: &[Linked]) -> Result<Listing> {
        let files: Vec<(&str, &str)> = files.iter().map(|f| (f.path.as_str(), f.text.as_str())).collect();
        let contents = Contents::of(&files);
        assert!(GraphileMigrate.fits(&contents));
        GraphileMigrate.list(&contents)
    }

    #[test]
    fn each_file_names_the_one_before() {
        let files = set(&["create table a (id int);\n", "create table b (id int);\n"]);
        // As graphile-migrate 1.4.1 committed the same two texts.
        assert_eq!(
            files[0].text,
            "--! Previous: -\n--! Hash: sha1:42d573d5e881e52c4db4b8d53c7b1fe60d48fef0\n--! Message: a b\n\ncreate table a (id int);\n"
        );
        assert!(files[1].text.starts_with("--! Previous: sha1:42d573d5e881e52c4db4b8d53c7b1fe60d48fef0\n--! Hash: sha1:6b5f0e224836f1505a76f7abeba571e1ba13005e\n"), "{}", files[1].text);
        assert_eq!(list(&files).unwrap().entries.len(), 2);
        assert_eq!(files[1].path, "committed/000002-a_b.sql");
    }

    #[test]
    fn what_the_tool_would_refuse_is_refused() {
        let files = set(&["create table a ();\n", "create table b ();\n"]);
        let mut other = set(&["create table a ();\n", "create table b ();\n"]);
        other[0].text = other[0].text.replace("table a", "table c");
        assert!(list(&other).unwrap_err().message.contains("its text has the hash"));
        other[0].text =
            files[0].text.replacen("sha1:", "sha1:0", 1).replace("Message", "AllowInvalidHash\n--! Message");
        let error = list(&other).unwrap_err();
        assert_eq!(error.at, Some(At::new("committed/000002-a_b.sql", 1)));
        assert!(list(&[Linked { path: "000001.sql".into(), ..files[0].clone() }]).unwrap_err().hint.is_some());
        // A file that stays must still follow the one before it.
        let mut part = set(&["create table a ();\n", "create table b ();\n"]);
        part[0].text = part[0].text.replace("table a", "table c");
        part[1].is_new = false;
        assert!(GraphileMigrate.link(&mut part).unwrap_err().hint.unwrap().contains("--from"));
    }

    #[test]
    fn lines_for_the_tool_are_not_run() {
        let entry = Entry::numbered("committed/000001.sql", "000001", "");
        let text = "--! Previous: -\n--! Hash: x\n\n--! no-transaction\ncreate table a ();\n";
        let mask = GraphileMigrate.mask(&entry, text).unwrap();
        assert_eq!(mask.wrap, Some(Wrap::OneQuery));
        assert_eq!(mask.apply(text.to_string()).trim(), "create table a ();");
        let refused = |text: &str| GraphileMigrate.mask(&entry, text).unwrap_err();
        assert_eq!(refused("--! Hash: x\nselect 1;\n").at.map(|at| at.line), Some(2));
        let error = refused("--! Hash: x\n\ngrant connect on database :DATABASE_NAME to a;\n");
        assert!(error.message.contains("fills in :DATABASE_NAME") && error.at.is_some_and(|at| at.line == 3));
    }
}
