//! Which layout a folder is of, and what of it no layout explains.

use super::super::contents::{Contents, HINT, Skipped};
use super::super::engine;
use super::super::{Code, in_folder};
use super::{ALL, Entry, Layout, Listing, names, pairs};
use crate::engine::Engine;
use crate::error::{At, Error, Result};
use crate::trust::Trust;
use std::collections::HashSet;

/// Endings of files that programs run as steps of a migration.
const PROGRAMS: &[&str] = &[
    "go", "ts", "mts", "cts", "js", "mjs", "cjs", "py", "rb", "java", "kt", "cs", "rs", "php", "ex", "exs", "sh",
    "psql",
];

/// A folder whose layout is known.
pub struct Found {
    /// The layout.
    pub layout: &'static dyn Layout,
    /// The folder: the one that was asked for, or the only one in it that holds migrations.
    pub contents: Contents,
    /// Its migrations.
    pub entries: Vec<Entry>,
    /// The names of their files in a flat folder, without the ending.
    pub stems: Vec<String>,
    /// Files that only undo.
    pub set_aside: Vec<String>,
    /// Files of one version, as indexes of the entries.
    pub shared_versions: Vec<Vec<usize>>,
    /// What isn't read though it looks like a part of the history.
    pub warnings: Vec<(At, String)>,
    /// Files that aren't of the engine that was asked for.
    pub of_others: Vec<String>,
}

impl Found {
    /// Leaves files out, as if they weren't there.
    pub fn leave_out(&mut self, names: &[String]) {
        let names: HashSet<&String> = names.iter().collect();
        let keeps: Vec<bool> = self.entries.iter().map(|e| !names.contains(&e.path)).collect();
        let mut kept = keeps.iter();
        self.entries.retain(|_| kept.next() == Some(&true));
        let mut kept = keeps.iter();
        self.stems.retain(|_| kept.next() == Some(&true));
        self.shared_versions = shared_versions(&self.entries);
    }
}

/// Finds the layout of a folder, unless it is given, and lists its migrations. Whose SQL they are is found, too, unless
/// `engine` says it.
///
/// # Errors
/// When it holds none, they are another engine's, or their order can't be told.
pub fn find(
    mut contents: Contents,
    given: Option<&'static dyn Layout>,
    engine: Option<Engine>,
    code: &Code,
) -> Result<Found> {
    loop {
        if let Some(engine) = engine.or_else(|| engine::names::only_read(&contents)) {
            contents.keep_only(engine);
        }
        let layout = match given {
            Some(given) => may_run(given, &contents, code).map(|()| Some(given)),
            None => recognized(&contents).map_err(|e| in_folder(contents.root(), e)),
        };
        let list = |l: &dyn Layout| l.list(&contents).map_err(|e| in_folder(contents.root(), e));
        let listing = layout.clone().and_then(|layout| layout.map(list).transpose());
        if engine.is_none() {
            not_anothers(&contents, &layout, &listing).map_err(|e| in_folder(contents.root(), e))?;
        }
        let layout = layout?;
        if let (Some(layout), Some(listing)) = (layout, listing?)
            && !listing.entries.is_empty()
        {
            return Ok(found(layout, contents, listing));
        }
        // A folder for the only database there is, as Hasura's `default/`.
        contents = match contents.folders_of_sql()[..] {
            [(folder, _)] if contents.flat_sql().next().is_none() => contents.enter(folder)?,
            _ => return Err(nothing(&contents, layout)),
        };
    }
}

/// Refuses a layout that runs code of the project, unless the user asks for that. A setting of the repository isn't enough,
/// and what a folder says of itself is less.
fn may_run(layout: &dyn Layout, contents: &Contents, code: &Code) -> Result<()> {
    if *code == Code::Runs || !layout.runs_code(contents) {
        return Ok(());
    }
    let name = layout.name();
    let (at, what) = match code {
        Code::Set(at) => (at.clone(), format!("the setting layout is {name}, which runs code of the project")),
        _ => (None, format!("{} says that it is {name}'s, which runs code of the project", contents.root().display())),
    };
    let error = Error::new(what).hint(Trust::Layout.hint(&format!("say --layout {name}")));
    Err(Error { at, ..error })
}

/// Refuses files of another engine: those that would run, or, where nothing says which would, all.
fn not_anothers(
    contents: &Contents,
    layout: &Result<Option<&'static dyn Layout>>,
    listing: &Result<Option<Listing>>,
) -> Result<()> {
    let entries = listing.iter().flatten().flat_map(|l| l.entries.iter().map(|e| e.path.as_str()));
    let mut read: Vec<&str> = entries.collect();
    if read.is_empty() {
        read = contents.flat_sql().collect();
    }
    if read.is_empty() {
        read = contents.sql().collect();
    }
    // A tool that knows engines passes over the others' files; which are meant is asked all the same.
    let passed = listing.iter().flatten().flat_map(|l| l.passed_over.iter().map(|(path, _)| path).chain(&l.beside));
    let passed = passed.map(String::as_str).filter(|path| path.ends_with(".sql") && !path.contains(".down."));
    let all: Vec<&str> = read.iter().copied().chain(passed).collect();
    if engine::names::groups(&all).len() > 1 {
        read = all;
    }
    let layout = layout.iter().flatten().next().map(|l| l.name());
    if read.is_empty() { Ok(()) } else { engine::refuse(contents, &read, layout) }
}

/// The layout that a folder looks like.
fn recognized(contents: &Contents) -> Result<Option<&'static dyn Layout>> {
    let layout = ALL.iter().copied().find(|l| l.fits(contents));
    if let Some(layout) = layout.filter(|l| l.runs_code(contents)) {
        let name = layout.name();
        let message = format!("{} is {name}'s, whose migrations are code of the project", contents.root().display());
        return Err(Error::new(message).hint(format!("to have it run that code and read the SQL, say --layout {name}")));
    }
    super::refuse(contents)?;
    layout.and_then(|l| l.doubt(contents)).map_or(Ok(layout), Err)
}

fn nothing(contents: &Contents, layout: Option<&dyn Layout>) -> Error {
    let root = contents.root().display();
    if let (Some(layout), Some(file)) = (layout, contents.sql().next()) {
        let message = format!("{root} holds no migrations as {} names them, but {file}", layout.name());
        return Error::new(message).hint("leave out --layout, or the setting, to have it found");
    }
    if let Err(error) = super::refuse(contents) {
        return in_folder(contents.root(), error);
    }
    if let Some(error) = in_pairs(contents) {
        return error;
    }
    let folders: Vec<String> = contents.folders_of_sql().iter().map(|(f, n)| format!("{f}/ ({n})")).collect();
    if folders.is_empty() {
        return Error::new(format!("no .sql files in {root}")).hint(HINT);
    }
    Error::new(format!("no .sql files in {root} itself, and no known layout in its folders: {}", folders.join(", ")))
        .hint("name one of them with --old, or say by --layout how they are read")
}

/// Folders of which one undoes what the other does, or folders with a file that runs and one that undoes it.
fn in_pairs(contents: &Contents) -> Option<Error> {
    let root = contents.root();
    let folders: Vec<&str> = contents.folders_of_sql().into_iter().map(|(folder, _)| folder).collect();
    if let Some(forward) = pairs::forward_folder(&folders).filter(|_| contents.flat_sql().next().is_none()) {
        let message = format!("the folders of {} undo each other: {}", root.display(), folders.join(", "));
        return Some(
            Error::new(message).hint(format!("name the one that runs: --old {}", root.join(forward).display())),
        );
    }
    let file = pairs::forward_file(contents)?;
    let message = format!("each migration of {} has a folder with {file}, which no known tool reads", root.display());
    Some(Error::new(message).hint(format!(
        "copy each {file} to another folder, under the name of its own, and name that folder with --old"
    )))
}

fn found(layout: &'static dyn Layout, mut contents: Contents, listing: Listing) -> Found {
    let warnings = unread(layout, &contents, &listing);
    let Listing { entries, set_aside, texts, .. } = listing;
    texts.into_iter().for_each(|(path, text)| contents.replace(&path, text));
    let stems = stems(layout, &entries);
    let shared_versions = shared_versions(&entries);
    let of_others = contents.of_others().iter().map(|(path, _)| path.clone()).collect();
    Found { layout, contents, entries, stems, set_aside, shared_versions, warnings, of_others }
}

/// Groups of files with one version.
fn shared_versions(entries: &[Entry]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if !entry.key.is_empty() && entries[group[0]].key == entry.key => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    groups.retain(|g| g.len() > 1);
    groups
}

/// `VERSION_description` where that keeps the order, else the files are numbered anew.
fn stems(layout: &dyn Layout, entries: &[Entry]) -> Vec<String> {
    let words = |entry: &Entry| match entry.description.replace([' ', '/'], "_") {
        empty if empty.is_empty() => "migration".to_string(),
        words => words,
    };
    if layout.versions().form == super::write::Form::None {
        return entries.iter().map(|e| super::plain::stem(&e.path).to_string()).collect();
    }
    let is_number = |e: &Entry| e.version.as_deref().is_some_and(names::is_digits);
    let keeps_order = entries.iter().all(is_number) && entries.windows(2).all(|p| p[0].number() <= p[1].number());
    let versioned: Vec<String> =
        entries.iter().map(|e| format!("{}_{}", e.version.as_deref().unwrap_or_default(), words(e))).collect();
    // Files of one version run by name, in the new set too.
    let is_sorted =
        entries.windows(2).zip(versioned.windows(2)).all(|(e, s)| e[0].number() < e[1].number() || s[0] < s[1]);
    if keeps_order && is_sorted {
        return versioned;
    }
    let width = entries.len().to_string().len().max(4);
    entries.iter().enumerate().map(|(i, e)| format!("{:0width$}_{}", i + 1, words(e))).collect()
}

/// What looks like a part of the history and isn't read.
fn unread(layout: &dyn Layout, contents: &Contents, listing: &Listing) -> Vec<(At, String)> {
    let mut warnings: Vec<(At, String)> =
        listing.passed_over.iter().map(|(path, why)| (At::new(path, 1), why.clone())).collect();
    let entries = listing.entries.iter().map(|e| &e.path);
    let passed_over = listing.passed_over.iter().map(|(path, _)| path);
    let known = entries.chain(&listing.set_aside).chain(&listing.beside).chain(passed_over);
    let known: HashSet<&str> = known.map(String::as_str).collect();
    let is_known = |path: &str| known.contains(path);
    for (path, skipped) in contents.skipped() {
        let why = match skipped {
            Skipped::Elsewhere => "its ending is in capitals, or its folder isn't looked into: not read",
            Skipped::Nowhere => "a link that leads nowhere: not read",
        };
        warnings.push((At::new(path, 1), why.to_string()));
    }
    let mut told: Vec<engine::names::Reason> = Vec::new();
    for (path, reason) in contents.of_others() {
        if !told.contains(reason) {
            told.push(*reason);
            let count = contents.of_others().iter().filter(|(_, r)| r == reason).count();
            warnings.push((At::new(path, 1), reason.say(count)));
        }
    }
    if contents.has(super::atlas::SUMS) && layout.name() != "atlas" {
        let why =
            "Atlas' checksums of these files: not read, and those of other files need new ones (atlas migrate hash)";
        warnings.push((At::new(super::atlas::SUMS, 1), why.to_string()));
    }
    let folders_of_sql: HashSet<&str> = listing.entries.iter().map(|e| names::folder(&e.path)).collect();
    let has_sql = |folder: &str| folders_of_sql.contains(folder);
    for path in contents.paths().filter(|p| !is_known(p) && is_step(p, &has_sql)) {
        let why = "a step that isn't SQL: what it does is not in what is planned and proven".to_string();
        warnings.push((At::new(path, 1), why));
    }
    let mut folders: Vec<(&str, Vec<&str>)> = Vec::new();
    for path in contents.sql().filter(|p| !is_known(p)) {
        match path.split_once('/') {
            None => {
                warnings.push((At::new(path, 1), format!("not named as {} names migrations: not read", layout.name())))
            }
            Some((folder, _)) => match folders.iter_mut().find(|(f, _)| *f == folder) {
                Some((_, files)) => files.push(path),
                None => folders.push((folder, vec![path])),
            },
        }
    }
    for (folder, files) in folders {
        let why = match files.len() {
            1 => format!("in the folder {folder}/, where {} doesn't look: not read", layout.name()),
            n => {
                format!("one of {n} .sql files in the folder {folder}/, where {} doesn't look: not read", layout.name())
            }
        };
        warnings.push((At::new(files[0], 1), why));
    }
    warnings
}

/// Whether a file looks like a migration written as a program: a version in its name, or in that of its folder, unless the
/// folder's migration is SQL.
fn is_step(path: &str, has_sql: &dyn Fn(&str) -> bool) -> bool {
    let base = names::base(path);
    let Some((stem, ending)) = base.rsplit_once('.') else { return false };
    let is_test = stem.ends_with("_test") || stem.ends_with(".test") || stem.ends_with(".spec") || stem.ends_with(".d");
    let numbered = |name: &str| names::leading_digits(name).is_some();
    let flyway =
        |name: &str| name.starts_with("R__") || (name.starts_with('V') && numbered(&name[1..]) && name.contains("__"));
    // Hasura's first file format.
    let is_yaml = matches!(ending, "yaml" | "yml") && (stem == "up" || stem.ends_with(".up"));
    let folder = names::folder(path);
    let in_version = numbered(names::base(folder)) && !has_sql(folder);
    (PROGRAMS.contains(&ending) || is_yaml) && !is_test && (numbered(stem) || flyway(stem) || in_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Found {
        find(Contents::of(files), None, None, &Code::Unasked).map_err(|e| e.to_string()).unwrap()
    }

    #[test]
    fn one_version_twice_is_seen() {
        let found = found(&[("1_a.sql", ""), ("2_a.sql", ""), ("02_b.sql", "")]);
        assert_eq!(found.shared_versions, [[1, 2]]);
    }

    #[test]
    fn steps_that_are_no_sql_are_named() {
        let files = [("1_a.sql", ""), ("2_b.go", ""), ("2_b_test.go", ""), ("migrate.go", ""), ("README.md", "")];
        let warnings = found(&files).warnings;
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].0.file, "2_b.go");
    }

    #[test]
    fn folders_that_no_layout_explains_are_named() {
        let warnings = found(&[("1_a.sql", ""), ("old/1_a.sql", ""), ("old/2_a.sql", "")]).warnings;
        assert_eq!(warnings[0].1, "one of 2 .sql files in the folder old/, where sqlx doesn't look: not read");
        let error = find(Contents::of(&[("a/x.sql", ""), ("b/x.sql", "")]), None, None, &Code::Unasked).err().unwrap();
        assert!(error.message.contains("a/ (1), b/ (1)"), "{}", error.message);
    }

    #[test]
    fn new_names_are_flat_and_keep_the_order() {
        let stems = |files: &[(&str, &str)]| found(files).stems;
        assert_eq!(
            stems(&[("2017-09-23-182408_b/up.sql", ""), ("20170309122510_a/up.sql", "")]),
            ["20170309122510_a", "20170923182408_b"]
        );
        assert_eq!(
            stems(&[("V1_10__b.sql", ""), ("V1_2__a.sql", ""), ("R__views.sql", "")]),
            ["0001_a", "0002_b", "0003_views"]
        );
        assert_eq!(stems(&[("b.sql", ""), ("a.sql", "")]), ["a", "b"]);
    }
}
