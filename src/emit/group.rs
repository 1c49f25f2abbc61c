//! Which file of the new set each unit goes to: by the rules of `consolidate.toml`, or by the file where it was born.

use super::Choices;
use super::unit::{Owner, Unit};
use crate::config::{Config, FileRule, Files, Numbers};
use crate::error::{Error, Result};
use crate::history::History;
use crate::replay::Model;
use crate::schema::{Kind, Namespace, ObjectId};
use globset::{Glob, GlobMatcher};
use std::collections::{BTreeSet, HashSet};

/// The files of a new set, before it is known which of them stay empty.
pub struct Grouping {
    by: By,
    names: Vec<FileName>,
    /// The versions of the files that are written, in order; those of the names, if there are none.
    versions: Versions,
    /// Whether each object gets a comment that says where it comes from.
    pub annotate: bool,
}

/// What decides on an object's file.
enum By {
    Birth,
    /// As by birth, with runs of the history's files put together: the place of each file's run.
    Runs(Vec<usize>),
    Rules(Vec<Rule>),
    /// The schemas, one for each file but the first, which is the database's.
    Schema(Vec<String>),
    One,
}

/// Where the versions of the files come from.
enum Versions {
    /// They stand in the names already.
    Named,
    /// The first one, and the next ones count up.
    From(String),
    /// Those of the history's files, in order.
    Originals(Vec<String>),
}

/// The name of a file of the new set.
#[derive(Debug, Clone)]
pub struct FileName {
    /// Version and description, without the ending.
    pub stem: String,
    /// The comment at the top of the file.
    pub title: String,
}

struct Rule {
    kinds: Vec<Kind>,
    names: Vec<GlobMatcher>,
}

impl Grouping {
    /// The files that the configuration asks for.
    ///
    /// # Errors
    /// A kind that doesn't exist, a pattern that isn't one, a version that isn't a number.
    pub fn new(config: &Config, history: &History, model: &Model) -> Result<Grouping> {
        Grouping::of(config, history, model, 0, if config.files.is_empty() { Files::Birth } else { Files::Rules })
    }

    /// The files of the part from `first_file` on: one, unless the configuration says otherwise.
    ///
    /// # Errors
    /// As [`Grouping::new`].
    pub fn of_part(config: &Config, history: &History, model: &Model, first_file: usize) -> Result<Grouping> {
        Grouping::of(config, history, model, first_file, Files::One)
    }

    /// Each object in the file in which it was born, under the names of the history.
    pub fn by_birth(history: &History) -> Grouping {
        Grouping {
            by: By::Birth,
            names: history.files.iter().map(name_of_file).collect(),
            versions: Versions::Named,
            annotate: false,
        }
    }

    /// The files of the part from `first_file` on in as few files as keep those apart that must be; each bears the name of
    /// its first one, and the very first that of [`Grouping::one_name`].
    pub fn in_runs(config: &Config, history: &History, first_file: usize, apart: &BTreeSet<usize>) -> Grouping {
        let mut names: Vec<FileName> = Vec::new();
        let mut run_of = vec![0; history.files.len()];
        for (file, run) in run_of.iter_mut().enumerate().skip(first_file) {
            let is_first = file == first_file;
            if is_first || apart.contains(&file) || apart.contains(&(file - 1)) {
                let own = || name_of_file(&history.files[file]);
                names.push(if is_first { Grouping::one_name(config, history, first_file) } else { own() });
            }
            *run = names.len() - 1;
        }
        Grouping { by: By::Runs(run_of), names, versions: Versions::Named, annotate: config.emit.annotate }
    }

    fn of(config: &Config, history: &History, model: &Model, first_file: usize, otherwise: Files) -> Result<Grouping> {
        let files = config.emit.files.unwrap_or(otherwise);
        let annotate = config.emit.annotate;
        let versions = versions(config, history, first_file, files)?;
        let bare = |name: &str| FileName { stem: name.to_string(), title: title(name) };
        Ok(match files {
            Files::Birth => {
                let mut names: Vec<FileName> = history.files.iter().map(name_of_file).collect();
                if !matches!(versions, Versions::Named) {
                    names.iter_mut().zip(&history.files).for_each(|(n, f)| n.stem = description(f));
                }
                Grouping { by: By::Birth, names, versions, annotate }
            }
            Files::One => {
                let name = Grouping::one_name(config, history, first_file);
                Grouping { by: By::One, names: vec![name], versions: Versions::Named, annotate }
            }
            Files::Schema => {
                let schemas = schemas(model);
                let names = std::iter::once("database").chain(schemas.iter().map(String::as_str)).map(bare).collect();
                Grouping { by: By::Schema(schemas), names, versions, annotate }
            }
            Files::Rules if config.files.is_empty() => {
                return Err(Error::new("files = \"rules\", but there are no rules")
                    .hint("write [[file]] sections into consolidate.toml; `consolidate init` shows how"));
            }
            Files::Rules => {
                let rules: Vec<Rule> = config.files.iter().map(rule).collect::<Result<_>>()?;
                let named = |file: &FileRule| {
                    let title = file.title.clone().unwrap_or_else(|| title(&file.name));
                    FileName { stem: file.name.clone(), title }
                };
                let mut names: Vec<FileName> = config.files.iter().map(named).collect();
                if let Versions::From(first) = &versions {
                    for (i, name) in names.iter_mut().enumerate() {
                        name.stem = format!("{}_{}", count_up(first, i)?, name.stem);
                    }
                    return Ok(Grouping { by: By::Rules(rules), names, versions: Versions::Named, annotate });
                }
                Grouping { by: By::Rules(rules), names, versions, annotate }
            }
        })
    }

    /// The name of the only file, from `first_file` on: the first one's, unless the configuration says otherwise.
    pub fn one_name(config: &Config, history: &History, first_file: usize) -> FileName {
        let first = history.files.get(first_file);
        let version = first_of(config, history, first_file);
        match (&config.emit.name, first) {
            (Some(name), _) => FileName { stem: format!("{version}_{name}"), title: title(name) },
            (None, Some(file)) if first_file > 0 => name_of_file(file),
            (None, _) => FileName { stem: format!("{version}_schema"), title: title("schema") },
        }
    }

    /// Whether rules of the configuration decide on the files.
    pub fn has_rules(&self) -> bool {
        matches!(self.by, By::Rules(_))
    }

    /// The number of files that there may be.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no file at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name of a file, which is the `place`th of those that are written, from 0.
    pub fn name(&self, file: usize, place: usize) -> FileName {
        let FileName { stem, title } = self.names[file].clone();
        let version = match &self.versions {
            Versions::Named => return FileName { stem, title },
            // The first version was counted up from before: it is a number.
            Versions::From(first) => count_up(first, place).unwrap_or_else(|_| first.clone()),
            // More files than the history has count on from its last one.
            Versions::Originals(all) => match (all.get(place), all.last()) {
                (Some(version), _) => version.clone(),
                (None, Some(last)) => count_up(last, place + 1 - all.len()).unwrap_or_else(|_| last.clone()),
                (None, None) => "0001".into(),
            },
        };
        FileName { stem: format!("{version}_{stem}"), title }
    }

    /// The file of each unit, by rule, birth or schema alone.
    pub fn assign(&self, history: &History, model: &Model, choices: &Choices, units: &[Unit]) -> Vec<usize> {
        let rules = match &self.by {
            By::Birth => return units.iter().map(|u| by_birth_of(history, model, u)).collect(),
            By::Runs(run_of) => return units.iter().map(|u| run_of[by_birth_of(history, model, u)]).collect(),
            By::One => return vec![0; units.len()],
            By::Schema(schemas) => return units.iter().map(|u| by_schema(schemas, model, choices, u)).collect(),
            By::Rules(rules) => rules,
        };
        let last = rules.len() - 1;
        units
            .iter()
            .map(|unit| match unit.owner {
                // They come last of all, so that they don't change what the set itself makes, unless a rule names them.
                Owner::Object(id) if model.schema.objects[id].kind == Kind::DefaultPrivileges => {
                    rules.iter().position(|r| r.kinds.contains(&Kind::DefaultPrivileges)).unwrap_or(last)
                }
                Owner::Object(id) | Owner::Step(id, _) => by_rule(rules, model, id).unwrap_or(last),
                Owner::Extra(n) => {
                    let extra = &choices.extras[n];
                    let kind = Kind::ALL.iter().copied().find(|k| k.toc() == extra.kind.as_str());
                    rules.iter().position(|r| r.fits(kind, true, &extra.schema, &extra.name)).unwrap_or(last)
                }
            })
            .collect()
    }
}

/// The file in which a unit was born.
fn by_birth_of(history: &History, model: &Model, unit: &Unit) -> usize {
    let schema = &model.schema;
    let last = history.files.len() - 1;
    match unit.owner {
        Owner::Object(id) if schema.objects[id].kind == Kind::DefaultPrivileges => last,
        // A part has no file for what was there before it.
        Owner::Object(id) if schema.is_given(schema.root(id)) => {
            let object = &schema.objects[id];
            let at = if schema.is_given(id) || object.kind == Kind::Setting { object.source } else { object.born };
            history.statements[at].file
        }
        Owner::Object(id) => history.statements[schema.objects[schema.root(id)].born].file,
        Owner::Step(_, statement) => history.statements[statement].file,
        Owner::Extra(_) => last,
    }
}

/// The schemas of what lives, in the order in which something was first made in them.
fn schemas(model: &Model) -> Vec<String> {
    let mut schemas: Vec<String> = Vec::new();
    let mut seen: HashSet<&String> = HashSet::new();
    for id in model.schema.live().filter(|id| model.schema.is_unit(*id)) {
        let object = &model.schema.objects[id];
        let name = if object.kind == Kind::Schema { &object.name } else { &object.schema };
        if !name.is_empty() && seen.insert(name) {
            schemas.push(name.clone());
        }
    }
    schemas
}

/// What has no schema (roles, extensions, casts) goes to the database's file, grants go where what they name goes.
fn by_schema(schemas: &[String], model: &Model, choices: &Choices, unit: &Unit) -> usize {
    let place = |name: &str| schemas.iter().position(|s| s == name).map_or(0, |at| at + 1);
    let of = |id: ObjectId| {
        let object = &model.schema.objects[model.schema.root(id)];
        place(if object.kind == Kind::Schema { &object.name } else { &object.schema })
    };
    match unit.owner {
        Owner::Object(id) if model.schema.objects[id].kind == Kind::DefaultPrivileges => schemas.len(),
        Owner::Object(id) | Owner::Step(id, _) => match of(id) {
            0 => model.schema.objects[id].needs.iter().map(|need| of(need.on)).max().unwrap_or(0),
            file => file,
        },
        Owner::Extra(number) => match choices.extras[number].schema.as_str() {
            "" | "-" => 0,
            name => place(name),
        },
    }
}

/// The versions of the new set's files.
fn versions(config: &Config, history: &History, first_file: usize, files: Files) -> Result<Versions> {
    let first = first_of(config, history, first_file);
    let numbers = match (config.emit.numbers, files) {
        (None, Files::Birth) => return Ok(Versions::Named),
        (None, _) => Numbers::Sequential,
        (Some(numbers), _) => numbers,
    };
    Ok(match numbers {
        Numbers::Originals if files == Files::Birth => Versions::Named,
        Numbers::Originals => Versions::Originals(history.files[first_file..].iter().filter_map(version_of).collect()),
        Numbers::Sequential => {
            count_up(&first, 0)?;
            Versions::From(first)
        }
        Numbers::Timestamps if first.len() == 14 => {
            count_up(&first, 0)?;
            Versions::From(first)
        }
        Numbers::Timestamps => {
            return Err(Error::new(format!("numbers = \"timestamps\", but the first version is {first}"))
                .hint("say the first one: first_version = \"20250101000001\" under [emit]"));
        }
    })
}

/// The version of the first file: a later part of a history has that of its own first file.
fn first_of(config: &Config, history: &History, first_file: usize) -> String {
    let of_part = history.files.get(first_file).and_then(version_of);
    let set = config.emit.first_version.clone().filter(|_| first_file == 0);
    set.or(of_part).unwrap_or_else(|| first_version(history))
}

/// The version of a file, if it's a number.
fn version_of(file: &crate::history::File) -> Option<String> {
    let version = file.stem.split_once('_').map_or(file.stem.as_str(), |(version, _)| version);
    (!version.is_empty() && version.bytes().all(|b| b.is_ascii_digit())).then(|| version.to_string())
}

/// A file's name without its version.
fn description(file: &crate::history::File) -> String {
    match version_of(file) {
        Some(version) => file.stem[version.len()..].trim_start_matches('_').to_string(),
        None => file.stem.clone(),
    }
}

/// A rule that names the kind takes an object by its own name; else what belongs to a table follows it.
fn by_rule(rules: &[Rule], model: &Model, id: ObjectId) -> Option<usize> {
    let object = &model.schema.objects[id];
    // Grants and opaque statements have no name of their own; rows have their table's.
    let nameless = object.kind.namespace() == Namespace::None && object.kind != Kind::Rows;
    let name = if nameless { "" } else { object.name.as_str() };
    let by_kind =
        rules.iter().position(|r| !r.kinds.is_empty() && r.fits(Some(object.kind), false, &object.schema, name));
    if by_kind.is_some() {
        return by_kind;
    }
    match object.parent {
        Some(parent) => by_rule(rules, model, parent),
        None => rules
            .iter()
            .position(|r| r.kinds.is_empty() && !nameless && r.fits(None, true, &object.schema, name))
            .or_else(|| {
                // Rows, grants and opaque statements go where most of what they name goes: the last of their needs.
                object.needs.iter().filter(|n| n.on != id).filter_map(|n| by_rule(rules, model, n.on)).max()
            }),
    }
}

impl Rule {
    fn fits(&self, kind: Option<Kind>, any_kind: bool, schema: &str, name: &str) -> bool {
        let kind_fits = match kind {
            Some(kind) => self.kinds.contains(&kind) || (any_kind && self.kinds.is_empty()),
            None => self.kinds.is_empty(),
        };
        let names_fit = || {
            let qualified = format!("{schema}.{name}");
            self.names.iter().any(|p| p.is_match(name) || p.is_match(&qualified))
        };
        kind_fits && (self.names.is_empty() || names_fit())
    }
}

fn rule(file: &FileRule) -> Result<Rule> {
    let kinds = file
        .kinds
        .iter()
        .map(|word| {
            Kind::ALL.iter().copied().find(|k| k.word() == word).ok_or_else(|| {
                let words: Vec<&str> = Kind::ALL.iter().map(|k| k.word()).collect();
                Error::new(format!("file \"{}\": no kind of object is called \"{word}\"", file.name))
                    .hint(format!("the kinds are: {}", words.join(", ")))
            })
        })
        .collect::<Result<_>>()?;
    let names = file
        .names
        .iter()
        .map(|pattern| {
            Glob::new(pattern)
                .map(|g| g.compile_matcher())
                .map_err(|e| Error::new(format!("file \"{}\": {e}", file.name)).hint("patterns know * and ? and {a,b}"))
        })
        .collect::<Result<_>>()?;
    Ok(Rule { kinds, names })
}

fn name_of_file(file: &crate::history::File) -> FileName {
    FileName { stem: file.stem.clone(), title: own_title(&file.text).unwrap_or_else(|| title(&file.description)) }
}

/// The title that a file gives itself, where it is written as a set's own: one line of comment, and an empty one.
fn own_title(text: &str) -> Option<String> {
    let mut lines = text.trim_start_matches(['\u{feff}', '\r']).lines();
    let words = lines.next()?.strip_prefix("-- ")?.trim();
    // Marks for a migration tool are no titles.
    let is_mark = ["no-transaction", "migrate:"].iter().any(|mark| words.starts_with(mark));
    let is_title = lines.next()?.trim().is_empty() && words.starts_with(char::is_alphanumeric);
    (is_title && !is_mark).then(|| words.to_string())
}

/// The number of the history's first file, so that the new set sorts where the old one did.
pub fn first_version(history: &History) -> String {
    let version = history.files.first().and_then(|f| f.stem.split_once('_')).map(|(version, _)| version.to_string());
    version.filter(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit())).unwrap_or_else(|| "0001".into())
}

fn count_up(first: &str, by: usize) -> Result<String> {
    let number: u128 = first.parse().map_err(|_| {
        Error::new(format!("first_version \"{first}\" isn't a number"))
            .hint("use digits only, such as 0001 or 20250101000001")
    })?;
    Ok(format!("{:0width$}", number + by as u128, width = first.len()))
}

/// `pack_system` becomes `Pack system`.
fn title(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut chars = words.chars();
    chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_with_their_digits() {
        assert_eq!(count_up("0009", 1).unwrap(), "0010");
        assert_eq!(count_up("20250101000001", 8).unwrap(), "20250101000009");
    }
}
