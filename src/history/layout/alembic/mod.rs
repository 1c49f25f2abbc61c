//! Alembic: a folder `versions` of revisions in Python, each of which names the one before it.
//!
//! Their SQL is what Alembic's offline mode prints (<https://alembic.sqlalchemy.org/en/latest/offline.html>), which runs the
//! project's `env.py` and revisions; so this layout must be asked for. Revisions that were written here hold their
//! statements as they are, and are read without Python. Alembic runs all on one connection (runtime/migration.py,
//! `run_migrations`).

mod render;

use super::names::{base, folder};
use super::sections::{self, with_end};
use super::write::{Form, Outgoing, Output, Versions};
use super::{Entry, Layout, Listing, Mask, Wrap};
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;
use crate::sql::split::split;

/// The layout of Alembic.
pub struct Alembic;

/// Stands in the revisions that are written here.
const MARK: &str = "# Written by consolidate: the statements stand as they run.";
/// What begins and ends a statement in them.
const QUOTES: [(&str, &str); 2] = [("r\"\"\"", "\"\"\","), ("r'''", "''',")];
const BARE: &str = "    with op.get_context().autocommit_block():";

impl Layout for Alembic {
    fn name(&self) -> &'static str {
        "alembic"
    }

    fn about(&self) -> &'static str {
        "revisions in Python, as in alembic/versions"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.sql().next().is_none() && revisions(contents).next().is_some()
    }

    fn runs_code(&self, contents: &Contents) -> bool {
        revisions(contents).any(|path| !is_ours(&contents.text(path)))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        if !self.runs_code(contents) {
            return Ok(Listing { entries: chain(contents)?, ..Listing::default() });
        }
        let mut listing = Listing::default();
        for revision in render::revisions(contents)? {
            let wrap = if revision.bare { Wrap::Bare } else { Wrap::Transaction };
            listing.entries.push(entry(&revision.path, &revision.revision, &revision.doc).wrapped(wrap));
            if !is_ours(&contents.text(&revision.path)) {
                listing.texts.push((revision.path, revision.sql));
            }
        }
        Ok(listing)
    }

    /// Of a revision that was written here, all is blank but its statements.
    fn mask(&self, entry: &Entry, text: &str) -> Result<Mask> {
        let mut mask = Mask::default();
        if !is_ours(text) {
            return Ok(mask);
        }
        let mut end: Option<&str> = None;
        for (number, (place, line)) in sections::lines(text).enumerate() {
            match end {
                Some(end_line) if line.trim_end() == end_line => end = None,
                Some(end_line) if line.contains(&end_line[..3]) => {
                    return Err(Error::new("a statement holds three quotes, which would end it")
                        .at(At::new(&entry.path, number + 1))
                        .hint("Python can't hold it as it is: write the set in another layout"));
                }
                Some(_) => continue,
                None => end = QUOTES.iter().find(|(begin, _)| line.trim_end() == *begin).map(|(_, end)| *end),
            }
            if line.trim_end() == BARE {
                mask.wrap = Some(Wrap::Bare);
            }
            mask.blanks.push(with_end(text, place));
        }
        Ok(mask)
    }

    fn versions(&self) -> Versions {
        Versions { form: Form::Chained, takes_last: true, ..Versions::KEPT }
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let name = |revision: Option<&str>| revision.map_or("None".to_string(), |r| format!("\"{r}\""));
        let call = "op.execute(text(statement.replace(\":\", \"\\\\:\")))";
        let body = match m.bare {
            false => format!("    for statement in STATEMENTS:\n        {call}\n"),
            true => format!("{BARE}\n        for statement in STATEMENTS:\n            {call}\n"),
        };
        let text = format!(
            "\"\"\"{words}\n\nRevision ID: {version}\nRevises: {before}\n\"\"\"\n\
             {MARK}\nfrom alembic import op\nfrom sqlalchemy import text\n\n\
             revision = {revision}\ndown_revision = {down}\nbranch_labels = None\ndepends_on = None\n\n\
             STATEMENTS = [\n{statements}]\n\n\n\
             def upgrade() -> None:\n    # A colon would be taken for a parameter.\n{body}\n\n\
             def downgrade() -> None:\n    raise NotImplementedError(\"consolidated: this can't be undone\")\n",
            words = m.words.replace('_', " "),
            version = m.version,
            before = m.before.as_deref().unwrap_or_default(),
            revision = name(Some(&m.version)),
            down = name(m.before.as_deref()),
            statements = statements(&m.text),
        );
        vec![(format!("{}_{}.py", m.version, m.words), text)]
    }
}

/// Each statement with what stands above it, since not all drivers take several at once.
fn statements(text: &str) -> String {
    let pieces = split(text);
    let mut out = String::new();
    let mut at = 0;
    for (number, piece) in pieces.iter().enumerate() {
        let end = match pieces.get(number + 1) {
            None => text.len(),
            Some(_) => piece.end.max(piece.trail.end),
        };
        let part = text[at..end].trim_matches('\n');
        let (begin, finish) = QUOTES[usize::from(part.contains("\"\"\""))];
        out.push_str(&format!("{begin}\n{part}\n{finish}\n"));
        at = end;
    }
    out
}

/// Why the folder above that of the revisions, which holds `env.py`, isn't read.
pub fn of_env(contents: &Contents) -> Option<Error> {
    let is_revision =
        |path: &&str| path.ends_with(".py") && (base(folder(path)) == "versions" || is_revision(&contents.text(path)));
    let is_env = contents.has("env.py") && contents.sql().next().is_none();
    let first = contents.paths().find(is_revision).filter(|path| is_env && path.contains('/'))?;
    let revisions = contents.root().join(folder(first));
    let message = "migrations of alembic, in the folder of its env.py; they are read from that of its revisions";
    let hint = format!(
        "name it: --old {} --layout alembic; or let alembic print them: alembic upgrade head --sql > history/0001_all.sql",
        revisions.display()
    );
    Some(Error::new(message).at(At::new(first, 1)).hint(hint))
}

/// The revisions of a folder.
fn revisions(contents: &Contents) -> impl Iterator<Item = &str> {
    contents.paths().filter(|p| p.ends_with(".py") && !p.contains('/') && is_revision(&contents.text(p)))
}

/// Whether a file is a revision: it sets `down_revision`. Where no line begins with that, Python says whether it does.
fn is_revision(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    said(text, "down_revision").is_some()
        || (text.split(|c| !is_part(c)).any(|word| word == "down_revision") && render::sets_down_revision(text))
}

fn is_ours(text: &str) -> bool {
    text.lines().any(|l| l == MARK)
}

/// What a file sets a name to: `down_revision: Union[str, None] = "a"`, too.
fn said<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| {
        let rest = line.strip_prefix(name)?;
        let (kind, value) = rest.split_once('=')?;
        (kind.trim().is_empty() || kind.starts_with(':')).then(|| value.trim())
    };
    text.lines().find_map(value)
}

fn entry(path: &str, revision: &str, doc: &str) -> Entry {
    let first = doc.lines().next().unwrap_or_default();
    let plain: String =
        first.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let words: Vec<&str> = plain.split('_').filter(|w| !w.is_empty()).take(8).collect();
    Entry { version: Some(revision.into()), ..Entry::unversioned(path, &words.join("_")) }
}

/// Revisions that were all written here, each after the one that it names.
fn chain(contents: &Contents) -> Result<Vec<Entry>> {
    let unquoted = |text: &str, name: &str| said(text, name).map(|v| v.trim_matches('"').to_string());
    let mut left: Vec<(String, Entry)> = Vec::new();
    for path in revisions(contents) {
        let text = contents.text(path);
        let doc = text.trim_start_matches('"').to_string();
        let (revision, before) = (unquoted(&text, "revision"), unquoted(&text, "down_revision"));
        left.push((before.unwrap_or_default(), entry(path, &revision.unwrap_or_default(), &doc)));
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut at = "None".to_string();
    while let Some(next) = left.iter().position(|(before, _)| *before == at) {
        let (_, entry) = left.remove(next);
        at = entry.version.clone().unwrap_or_default();
        entries.push(entry);
    }
    match left.first() {
        None => Ok(entries),
        Some((before, entry)) => {
            Err(Error::new(format!("it comes after {before}, which isn't there or has another after it"))
                .at(At::new(&entry.path, 1))
                .hint("each revision names the one before it as its down_revision"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(version: &str, before: Option<&str>, text: &str) -> Outgoing {
        Outgoing {
            version: version.into(),
            words: "a".into(),
            text: text.into(),
            before: before.map(Into::into),
            ..Outgoing::default()
        }
    }

    fn masked(text: &str) -> Result<String> {
        let (_, python) = Alembic.write(&outgoing("x", None, text)).remove(0);
        Alembic.mask(&entry("x_a.py", "x", "a"), &python).map(|mask| mask.apply(python.clone()).replace('\r', ""))
    }

    #[test]
    fn statements_stand_as_they_are() {
        let text = "-- a\nCREATE TABLE a (b text DEFAULT '\\');\nSELECT 1; SELECT ':b';\n-- end\n";
        assert_eq!(
            masked(text).unwrap(),
            "-- a\nCREATE TABLE a (b text DEFAULT '\\');\nSELECT 1;\n SELECT ':b';\n-- end\n"
        );
        assert_eq!(masked("SELECT \"\"\"\";\n").unwrap(), "SELECT \"\"\"\";\n");
        assert!(masked("SELECT '''', \"\"\"\";\n").is_err());
    }

    #[test]
    fn revisions_run_after_the_one_that_they_name() {
        let mut files: Vec<Output> = Alembic.write(&outgoing("b", Some("z"), "SELECT 2;\n"));
        files.extend(Alembic.write(&outgoing("z", None, "SELECT 1;\n")));
        let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        let contents = Contents::of(&files);
        assert!(Alembic.fits(&contents) && !Alembic.runs_code(&contents));
        let listing = Alembic.list(&contents).unwrap();
        let versions: Vec<_> = listing.entries.iter().filter_map(|e| e.version.as_deref()).collect();
        assert_eq!(versions, ["z", "b"]);
        assert!(Alembic.list(&Contents::of(&files[..1])).is_err());
    }

    #[test]
    fn what_others_wrote_has_to_run() {
        let python = "\"\"\"a\"\"\"\nrevision: str = 'a'\ndown_revision: Union[str, None] = None\n";
        let contents = Contents::of(&[
            ("a.py", python),
            ("__init__.py", ""),
            ("b.py", "\"\"\"b\"\"\"\nrevision = 'b'; down_revision = 'a'\n"),
            ("c.py", "revision, down_revision = (\n    'c',\n    'b',\n)\n"),
            ("helper.py", "down_revision_of = 1\n"),
            ("other.py", "def up(script):\n    # its down_revision\n    return script.down_revision\n"),
        ]);
        assert_eq!(revisions(&contents).collect::<Vec<_>>(), ["a.py", "b.py", "c.py"]);
        assert!(Alembic.runs_code(&contents));
        assert!(Alembic.list(&contents).is_err(), "there is no env.py");
    }
}
