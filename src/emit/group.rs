//! Which file of the new set each unit goes to: by the rules of `consolidate.toml`, or by the file where it was born.

use super::Choices;
use super::unit::{Owner, Unit};
use crate::config::{Config, FileRule};
use crate::error::{Error, Result};
use crate::history::History;
use crate::replay::Model;
use crate::schema::{Kind, Namespace, ObjectId};
use globset::{Glob, GlobMatcher};

/// The files of a new set, before it is known which of them stay empty.
pub struct Grouping {
    rules: Option<Vec<Rule>>,
    names: Vec<FileName>,
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
    /// Reads the rules of the configuration.
    ///
    /// # Errors
    /// A kind that doesn't exist, a pattern that isn't one, a version that isn't a number.
    pub fn new(config: &Config, history: &History) -> Result<Grouping> {
        if config.files.is_empty() {
            let names = history.files.iter().map(name_of_file).collect();
            return Ok(Grouping { rules: None, names });
        }
        let rules: Vec<Rule> = config.files.iter().map(rule).collect::<Result<_>>()?;
        let first = config.emit.first_version.clone().unwrap_or_else(|| first_version(history));
        let names = config
            .files
            .iter()
            .enumerate()
            .map(|(i, file)| {
                let title = file.title.clone().unwrap_or_else(|| title(&file.name));
                Ok(FileName { stem: format!("{}_{}", count_up(&first, i)?, file.name), title })
            })
            .collect::<Result<_>>()?;
        Ok(Grouping { rules: Some(rules), names })
    }

    /// The number of files that there may be.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no file at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name of a file.
    pub fn name(&self, file: usize) -> &FileName {
        &self.names[file]
    }

    /// The file of each unit, by rule or birth alone.
    pub fn assign(&self, history: &History, model: &Model, choices: &Choices, units: &[Unit]) -> Vec<usize> {
        let Some(rules) = &self.rules else {
            return units.iter().map(|u| self.by_birth(history, model, u)).collect();
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
                    let kind = Kind::ALL.iter().copied().find(|k| k.toc() == extra.kind);
                    rules.iter().position(|r| r.fits(kind, true, &extra.schema, &extra.name)).unwrap_or(last)
                }
            })
            .collect()
    }

    fn by_birth(&self, history: &History, model: &Model, unit: &Unit) -> usize {
        match unit.owner {
            Owner::Object(id) if model.schema.objects[id].kind == Kind::DefaultPrivileges => self.len() - 1,
            Owner::Object(id) => history.statements[model.schema.objects[model.schema.root(id)].born].file,
            Owner::Step(_, statement) => history.statements[statement].file,
            Owner::Extra(_) => self.len() - 1,
        }
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
        let qualified = format!("{schema}.{name}");
        kind_fits && (self.names.is_empty() || self.names.iter().any(|p| p.is_match(name) || p.is_match(&qualified)))
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
