//! Liquibase's formatted SQL: files that begin with `--liquibase formatted sql`, cut into changesets.
//!
//! Each changeset runs in a transaction of its own, unless it says otherwise; one connection runs all. A changelog in XML, YAML
//! or JSON says the order of the files, by name or by folder; where none lies here, they run by name. A file that isn't
//! formatted is a changeset of its own where a changelog includes it (SqlChangeLogParser.java).

pub mod changesets;
mod master;

use super::names::{base, folder};
use super::write::{Companions, Form, Outgoing, Output, Versions};
use super::{Entry, Layout, Listing, Mask};
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;
use master::Step;
use sha2::{Digest, Sha256};

/// The layout of Liquibase's formatted SQL.
pub struct Liquibase;

/// Usual names of the changelog that includes all others, without the ending.
const MASTERS: &[&str] = &[
    "db.changelog-master",
    "db.changelog",
    "changelog-master",
    "changelog",
    "master",
    "changelog-root",
    "root-changelog",
    "root",
    "liquibase-changelog",
    "main",
    "index",
];

impl Layout for Liquibase {
    fn name(&self) -> &'static str {
        "liquibase"
    }

    fn about(&self) -> &'static str {
        "files with --liquibase formatted sql, in the order of a changelog or by name"
    }

    fn fits(&self, contents: &Contents) -> bool {
        let is_formatted = |path: &str| changesets::is_formatted(&contents.text(path));
        match contents.flat_sql().next() {
            Some(_) => contents.flat_sql().any(is_formatted),
            None => contents.sql().any(is_formatted),
        }
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut walk = Walk { contents, listing: Listing::default(), properties: Vec::new(), open: Vec::new() };
        let master = masters(contents)?;
        match &master {
            Some(master) => walk.changelog(master)?,
            None => walk.by_name()?,
        }
        let listed: Vec<String> = walk.listing.entries.iter().map(|e| e.path.clone()).collect();
        for path in contents.sql().filter(|path| !listed.iter().any(|p| p == path)) {
            if let (Some(master), true) = (&master, changesets::is_formatted(&contents.text(path))) {
                let why = format!("{master} doesn't include it, so Liquibase never runs it: not read");
                walk.listing.passed_over.push((path.to_string(), why));
            }
        }
        walk.fill_in();
        Ok(walk.listing)
    }

    fn mask(&self, entry: &Entry, text: &str) -> Result<Mask> {
        let mut mask = match changesets::is_formatted(text) {
            true => changesets::read(&entry.path, text)?.mask,
            false => Mask::default(),
        };
        if let Some(line) = text.lines().position(|line| line.contains("${")) {
            mask.warnings.push((line + 1, "a placeholder that Liquibase may fill in: taken as it stands".into()));
        }
        Ok(mask)
    }

    /// The changelog that includes them may name them.
    fn versions(&self) -> Versions {
        Versions { form: Form::None, ..Versions::KEPT }
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let digest = Sha256::digest(m.text.as_bytes());
        let id: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
        vec![(format!("{}.sql", m.stem), changesets::write(&m.stem, &m.text, &id, m.bare))]
    }

    fn companions(
        &self,
        set: &[Outgoing],
        _history: &[&str],
        old: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Companions> {
        let files: Vec<String> = set.iter().map(|m| format!("{}.sql", m.stem)).collect();
        let is_master = |(path, text): &(String, String)| matches!(master::read(path, text), Ok(Some(_)));
        let found = master_names().filter_map(|path| old(&path).map(|text| (path, text))).find(is_master);
        Ok(match found {
            Some((path, _)) => {
                let text = master::written(&path, &files);
                Companions { files: vec![(path, text)], ..Companions::default() }
            }
            None => Companions {
                notes: vec!["the changelog that Liquibase begins with must include these files, by name".into()],
                ..Companions::default()
            },
        })
    }

    fn without(&self, path: &str, text: &str, there: &[&str]) -> Option<Result<String>> {
        master_names().any(|name| name == path).then(|| of_part(path, text, there))
    }
}

fn master_names() -> impl Iterator<Item = String> {
    MASTERS.iter().flat_map(|name| ["yaml", "yml", "xml", "json"].map(|ending| format!("{name}.{ending}")))
}

/// The changelog of a part: it names the files that are there.
fn of_part(path: &str, text: &str, there: &[&str]) -> Result<String> {
    let Some(steps) = master::read(path, text)? else { return Ok(text.to_string()) };
    let stem = |file: &str| super::plain::stem(file.trim_start_matches("./")).to_string();
    let is_it = |file: &str, one: &str| file == one || file.ends_with(&format!("/{one}"));
    let included =
        |one: &str| steps.iter().position(|s| matches!(s, Step::Include { file, .. } if is_it(&stem(file), one)));
    let names_all = steps.iter().all(|s| match s {
        Step::Include { file, .. } => there.iter().any(|one| is_it(&stem(file), one)),
        _ => true,
    });
    let has_folders = steps.iter().any(|s| matches!(s, Step::IncludeAll { .. }));
    if names_all && there.iter().all(|one| included(one).is_some() || has_folders) {
        return Ok(text.to_string());
    }
    let mut order: Vec<(usize, &str)> = there.iter().filter_map(|one| Some((included(one)?, *one))).collect();
    if has_folders || order.len() < there.len() {
        let message = "the changelog doesn't name each file, so it can't name those of a part";
        return Err(Error::new(message).at(At::new(path, 1)).hint("consolidate the whole history instead"));
    }
    order.sort_unstable();
    Ok(master::written(path, &order.into_iter().map(|(_, one)| format!("{one}.sql")).collect::<Vec<_>>()))
}

/// The changelog of the folder that none of the others includes.
fn masters(contents: &Contents) -> Result<Option<String>> {
    let mut found: Vec<(String, Vec<Step>)> = Vec::new();
    for path in contents.paths().filter(|p| !p.contains('/') && master::is_named(p)) {
        if let Some(steps) = master::read(path, &contents.text(path))? {
            found.push((path.to_string(), steps));
        }
    }
    let includes = |steps: &[Step], name: &str| {
        steps.iter().any(|step| matches!(step, Step::Include { file, .. } if base(file) == name))
    };
    let is_own = |path: &str| !found.iter().any(|(other, steps)| other != path && includes(steps, path));
    let own: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).filter(|path| is_own(path)).collect();
    let is_usual = |path: &&&str| master_names().any(|name| name == **path);
    match own[..] {
        [] => above(contents).map(|()| None),
        [one] => Ok(Some(one.to_string())),
        [first, second, ..] => match own.iter().filter(is_usual).collect::<Vec<_>>()[..] {
            [one] => Ok(Some(one.to_string())),
            _ => {
                let message = format!("{first} and {second} are changelogs, and none includes the other");
                let hint = "keep in a copy of the folder the one with which Liquibase begins";
                Err(Error::new(message).at(At::new(second, 1)).hint(hint))
            }
        },
    }
}

/// A changelog above that names these files in another order than by name.
fn above(contents: &Contents) -> Result<()> {
    for name in master_names() {
        for text in contents.above(&name) {
            let Ok(Some(steps)) = master::read(&name, &text) else { continue };
            let named: Vec<&str> = steps
                .iter()
                .filter_map(|step| match step {
                    Step::Include { file, .. } => contents.sql().find(|path| base(path) == base(file)),
                    _ => None,
                })
                .collect();
            if !named.is_sorted() {
                let message = format!("{name}, above this folder, says an order of the files that isn't by name");
                let hint = "name the folder in which that lies, with --old";
                return Err(Error::new(message).hint(hint));
            }
        }
    }
    Ok(())
}

/// Changelogs under way.
struct Walk<'a> {
    contents: &'a Contents,
    listing: Listing,
    /// What stands for placeholders: the first that is said counts.
    properties: Vec<(String, String)>,
    /// The changelogs that include the one under way, and itself.
    open: Vec<String>,
}

impl Walk<'_> {
    fn by_name(&mut self) -> Result<()> {
        let files: Vec<&str> = self.contents.sql().collect();
        for path in files.into_iter().filter(|p| changesets::is_formatted(&self.contents.text(p))) {
            self.file(path);
        }
        Ok(())
    }

    fn file(&mut self, path: &str) {
        if self.listing.entries.iter().any(|e| e.path == path) {
            return;
        }
        self.properties.extend(changesets::properties(&self.contents.text(path)));
        let stem = super::plain::stem(base(path));
        let entry = super::numbered(base(path)).unwrap_or_else(|| Entry::unversioned(path, stem));
        // Two files of one number are no mistake.
        self.listing.entries.push(Entry { path: path.to_string(), key: String::new(), ..entry });
    }

    /// A file, or what it includes.
    fn any(&mut self, path: &str) -> Result<()> {
        match path.ends_with(".sql") {
            true => self.file(path),
            false if self.open.iter().any(|p| p == path) => {}
            false => self.changelog(path)?,
        }
        Ok(())
    }

    fn changelog(&mut self, path: &str) -> Result<()> {
        let Some(steps) = master::read(path, &self.contents.text(path))? else { return Ok(()) };
        self.open.push(path.to_string());
        for step in steps {
            match step {
                Step::Include { file, is_relative, line } => match self.resolved(path, &file, is_relative) {
                    Some(found) => self.any(&found)?,
                    None => {
                        let hint = "name the folder in which the changelog and all its files lie";
                        let message = format!("the changelog includes {file}, and there is no such file here");
                        return Err(Error::new(message).at(At::new(path, line)).hint(hint));
                    }
                },
                Step::IncludeAll { path: of, is_relative, line } => self.all_of(path, &of, is_relative, line)?,
                Step::Property(name, value) => self.properties.push((name, value)),
                Step::Preconditions(line) => {
                    let why = format!("the preconditions of the changelog, on line {line}, aren't asked");
                    self.listing.passed_over.push((path.to_string(), why));
                }
                Step::Unread(what, line) => {
                    let hint = "in a copy of the history, let Liquibase print it as SQL: `liquibase update-sql \
                                --url='offline:postgresql?outputLiquibaseSql=none' --changelog-file=FILE`";
                    return Err(Error::new(format!("{what}: not read")).at(At::new(path, line)).hint(hint));
                }
            }
        }
        self.open.pop();
        Ok(())
    }

    /// All files of a folder and of those below, by their paths.
    fn all_of(&mut self, from: &str, of: &str, is_relative: bool, line: usize) -> Result<()> {
        let Some(folder) = self.folder(from, of, is_relative) else {
            let message = format!("the changelog includes all of {of}, and there is no such folder here");
            let hint = "name the folder in which the changelog and all its files lie";
            return Err(Error::new(message).at(At::new(from, line)).hint(hint));
        };
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let is_in = |p: &&str| p.starts_with(&prefix) && (p.ends_with(".sql") || master::is_named(p));
        let files: Vec<String> = self.contents.paths().filter(is_in).map(String::from).collect();
        files.iter().try_for_each(|path| self.any(path))
    }

    /// The file that a changelog means. Where its search path begins isn't known, so the front of a path may be missing here.
    fn resolved(&self, from: &str, file: &str, is_relative: bool) -> Option<String> {
        candidates(from, file, is_relative).into_iter().find(|path| self.contents.has(path))
    }

    fn folder(&self, from: &str, of: &str, is_relative: bool) -> Option<String> {
        let is_there = |folder: &String| {
            let prefix = format!("{folder}/");
            !folder.is_empty() && self.contents.paths().any(|p| p.starts_with(&prefix))
        };
        let here = plain(of);
        let is_root = match is_relative {
            true => joined(folder(from), &here).is_empty(),
            false => here.is_empty() || self.contents.root().ends_with(&here),
        };
        let found = candidates(from, of, is_relative).into_iter().find(is_there);
        found.or_else(|| is_root.then(String::new))
    }

    /// Puts values in the place of placeholders.
    fn fill_in(&mut self) {
        for entry in &self.listing.entries {
            let text = self.contents.text(&entry.path);
            let mut filled = text.to_string();
            for (number, (name, value)) in self.properties.iter().enumerate() {
                if !self.properties[..number].iter().any(|(earlier, _)| earlier == name) {
                    filled = filled.replace(&format!("${{{name}}}"), value);
                }
            }
            if filled != text {
                self.listing.texts.push((entry.path.clone(), filled));
            }
        }
    }
}

/// A path without what says where to look for it.
fn plain(path: &str) -> String {
    path.trim_start_matches("classpath:").trim_matches('/').trim_start_matches("./").replace('\\', "/")
}

/// A path behind a folder, with `..` followed.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Where a path may lie in the folder.
fn candidates(from: &str, path: &str, is_relative: bool) -> Vec<String> {
    let path = plain(path);
    if is_relative {
        return vec![joined(folder(from), &path)];
    }
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    (0..parts.len()).map(|begin| parts[begin..].join("/")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n";

    fn list(files: &[(&str, &str)]) -> Result<Vec<String>> {
        let contents = Contents::of(files);
        assert!(Liquibase.fits(&contents));
        Ok(Liquibase.list(&contents)?.entries.into_iter().map(|e| e.path).collect())
    }

    #[test]
    fn a_changelog_says_the_order() {
        let master = "databaseChangeLog:\n- include:\n    file: db/changelog/sql/b.sql\n- include:\n    file: more.xml\n    relativeToChangelogFile: true\n";
        let more = "<databaseChangeLog><includeAll path=\"classpath:db/changelog/all/\"/></databaseChangeLog>";
        let files = [
            ("sql/a.sql", HEAD),
            ("sql/b.sql", HEAD),
            ("all/2.sql", "SELECT 2;\n"),
            ("all/1.sql", HEAD),
            ("more.xml", more),
            ("db.changelog-master.yaml", master),
        ];
        assert_eq!(list(&files).unwrap(), ["sql/b.sql", "all/1.sql", "all/2.sql"]);
        let listing = Liquibase.list(&Contents::of(&files)).unwrap();
        assert_eq!(listing.passed_over[0].0, "sql/a.sql");
        assert_eq!(list(&files[..2]).unwrap(), ["sql/a.sql", "sql/b.sql"]);
    }

    #[test]
    fn what_a_changelog_says_and_is_not_read_is_refused() {
        let said = |master: &str| list(&[("a.sql", HEAD), ("changelog.yaml", master)]).unwrap_err();
        let error = said("databaseChangeLog:\n- changeSet:\n    id: 7\n");
        assert_eq!(error.at, Some(At::new("changelog.yaml", 3)));
        assert!(error.hint.unwrap().contains("update-sql"));
        assert!(said("databaseChangeLog:\n- include:\n    file: b.sql\n").message.contains("no such file"));
        let two = [("a.sql", HEAD), ("one.yaml", "databaseChangeLog: []\n"), ("two.yaml", "databaseChangeLog: []\n")];
        assert!(list(&two).unwrap_err().message.contains("one.yaml and two.yaml"));
        let above =
            ("master.yaml", "databaseChangeLog:\n- include:\n    file: x/b.sql\n- include:\n    file: x/a.sql\n");
        let contents = Contents::of(&[("a.sql", HEAD), ("b.sql", HEAD)]).below(&[above]);
        assert!(Liquibase.list(&contents).unwrap_err().message.contains("master.yaml, above"));
    }

    #[test]
    fn placeholders_are_filled_in() {
        let text = "--liquibase formatted sql\n--property name:kind value:text\n--changeset a:1\nCREATE TABLE a (b ${kind}, c ${other});\n";
        let listing = Liquibase.list(&Contents::of(&[("a.sql", text)])).unwrap();
        assert!(listing.texts[0].1.contains("(b text, c ${other})"));
    }

    #[test]
    fn a_part_is_named_by_its_changelog() {
        let all = ["a.sql", "b.sql", "c.sql"].map(String::from);
        let text = master::written("changelog.yaml", &all);
        let part = of_part("changelog.yaml", &text, &["c", "a"]).unwrap();
        assert_eq!(part, master::written("changelog.yaml", &[all[0].clone(), all[2].clone()]));
        assert!(of_part("changelog.yaml", &text, &["d"]).is_err());
        assert_eq!(of_part("changelog.yaml", &text, &["b", "c", "a"]).unwrap(), text);
    }
}
