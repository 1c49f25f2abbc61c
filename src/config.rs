//! `consolidate.toml`: where the sets are, which files the new set has, what a replay takes for granted.

use crate::engine::Engine;
use crate::error::{At, Error, Result};
use crate::named::Named;
use crate::schema::Kind;
use crate::scratch::limits::{Size, Time};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// The settings of a project.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The folder of the history.
    pub old: Option<PathBuf>,
    /// The layout of the history; found by itself if it isn't said.
    pub layout: Option<LayoutName>,
    /// Whose SQL the history is; found by itself if it isn't said.
    pub engine: Option<EngineName>,
    /// Whether files that only undo an earlier one are left out of the history.
    pub without_rollbacks: bool,
    /// The folder of the consolidated set.
    pub new: Option<PathBuf>,
    /// How the new set is written.
    pub emit: EmitConfig,
    /// What a replay on a scratch database takes for granted.
    pub scratch: ScratchConfig,
    /// The files of the new set; without any, each object goes to the file in which it was born.
    #[serde(rename = "file")]
    pub files: Vec<FileRule>,
    /// The name and the text of the file that it was read from.
    #[serde(skip)]
    source: Option<(String, String)>,
}

/// How the new set is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmitConfig {
    /// The version of the first file; the next ones count up from it, with the same number of digits.
    pub first_version: Option<String>,
    /// The layout of the new set; the history's, if it isn't said.
    pub layout: Option<LayoutName>,
    /// What decides on an object's file: the rules, if there are any, else its birth.
    pub files: Option<Files>,
    /// What the versions of the files are.
    pub numbers: Option<Numbers>,
    /// The name of the file, where there is only one, without version and ending.
    pub name: Option<String>,
    /// Whether a comment above each object says where in the history it comes from.
    pub annotate: bool,
}

/// What decides on an object's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Files {
    /// The file in which it was born
    Birth,
    /// The `[[file]]` rules of `consolidate.toml`
    Rules,
    /// Its schema
    Schema,
    /// All objects in one file
    One,
}

impl Named for Files {
    const ALL: &'static [Files] = &[Files::Birth, Files::Rules, Files::Schema, Files::One];

    fn name(self) -> &'static str {
        match self {
            Files::Birth => "birth",
            Files::Rules => "rules",
            Files::Schema => "schema",
            Files::One => "one",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Files::Birth => "The file in which it was born",
            Files::Rules => "The [[file]] rules of consolidate.toml",
            Files::Schema => "Its schema",
            Files::One => "All objects in one file",
        }
    }
}

/// What the versions of the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    /// Counted up from the first version
    Sequential,
    /// Times of 14 digits, counted up from the first version
    Timestamps,
    /// Those of the history's files, in order
    Originals,
}

impl Named for Numbers {
    const ALL: &'static [Numbers] = &[Numbers::Sequential, Numbers::Timestamps, Numbers::Originals];

    fn name(self) -> &'static str {
        match self {
            Numbers::Sequential => "sequential",
            Numbers::Timestamps => "timestamps",
            Numbers::Originals => "originals",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Numbers::Sequential => "Counted up from the first version",
            Numbers::Timestamps => "Times of 14 digits, counted up from the first version",
            Numbers::Originals => "Those of the history's files, in order",
        }
    }
}

/// What a replay takes for granted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScratchConfig {
    /// Files of SQL that run first on both sides, and names of preludes that come with the tool: one or a list.
    #[serde(deserialize_with = "one_or_more")]
    pub prelude: Vec<PathBuf>,
    /// Whether a sequence of an empty table must stand where the history left it.
    pub exact_sequences: bool,
    /// Which PostgreSQL the sets are replayed on.
    pub database: Option<crate::proof::Choice>,
    /// The address of a server to replay on, in place of `database`.
    pub url: Option<String>,
    /// How long a statement may take; 60 s if it isn't said.
    pub statement_timeout: Option<Time>,
    /// How long all of it may take; 10 min if it isn't said.
    pub timeout: Option<Time>,
    /// How much a statement may give, and the rows of a table; 256 MB if it isn't said.
    pub result_size: Option<Size>,
    /// The folder of PostgreSQL's programs, where they can't be found otherwise.
    pub programs: Option<PathBuf>,
}

/// One file of the new set, and what goes into it. The first rule that fits an object takes it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileRule {
    /// The file's name, without version and ending.
    pub name: String,
    /// A title for the comment at its top; made from the name if there is none.
    pub title: Option<String>,
    /// Kinds of objects, in PostgreSQL's words. Empty: all kinds that don't follow a table.
    #[serde(deserialize_with = "kinds")]
    pub kinds: Vec<String>,
    /// Patterns of object names (`*` and `?`), with or without schema. Empty: all names.
    pub names: Vec<String>,
}

/// The name of a layout.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct LayoutName(pub String);

impl TryFrom<String> for LayoutName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        crate::history::layout::by_name(&name).map(|_| LayoutName(name))
    }
}

/// The name of an engine whose SQL is read.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct EngineName(pub Engine);

impl TryFrom<String> for EngineName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Engine::asked(&name).map(EngineName)
    }
}

/// A path, or a list of paths.
fn one_or_more<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a file's name or a list of them")]
    enum Paths {
        One(PathBuf),
        Many(Vec<PathBuf>),
    }
    Ok(match Paths::deserialize(deserializer)? {
        Paths::One(path) => vec![path],
        Paths::Many(paths) => paths,
    })
}

/// Words that name kinds. Checked here, where an error has its place in the file.
fn kinds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::<KindWord>::deserialize(deserializer)?.into_iter().map(|word| word.0).collect())
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct KindWord(String);

impl TryFrom<String> for KindWord {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        if words.contains(&word.as_str()) {
            return Ok(KindWord(word));
        }
        Err(format!("no kind of object is called \"{word}\"; the kinds are: {}", words.join(", ")))
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// When it can't be read or isn't what is expected, with its place.
    pub fn read(path: &Path) -> Result<Config> {
        let text = crate::files::read_to_string(path).map_err(|e| {
            Error::new(format!("can't read {}: {e}", path.display())).hint("name it with --config FILE")
        })?;
        Config::parse(&text, &path.display().to_string())
    }

    /// Parses the text of a configuration file.
    ///
    /// # Errors
    /// When it isn't what is expected, with its place.
    pub fn parse(text: &str, name: &str) -> Result<Config> {
        let source = Some((name.to_string(), text.to_string()));
        toml::from_str(text).map(|config| Config { source, ..config }).map_err(|error| {
            let line = error.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            Error::new(error.message().to_string())
                .at(At::new(name, line))
                .hint("`consolidate init` writes a consolidate.toml that explains every setting")
        })
    }

    /// Where a setting stands: `["scratch", "url"]`.
    pub fn at(&self, setting: &[&str]) -> Option<At> {
        let (name, text) = self.source.as_ref()?;
        let root = DeTable::parse(text).ok()?;
        let (last, tables) = setting.split_last()?;
        let mut table = root.get_ref();
        for name in tables {
            table = table.iter().find(|(key, _)| key.get_ref() == name)?.1.get_ref().as_table()?;
        }
        let (key, _) = table.iter().find(|(key, _)| key.get_ref() == last)?;
        Some(At::new(name, text[..key.span().start].matches('\n').count() + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_has_its_place() {
        let error = Config::parse("old = \"a\"\nolder = \"b\"\n", "consolidate.toml").unwrap_err();
        assert_eq!(error.at, Some(At::new("consolidate.toml", 2)));
        assert!(error.message.contains("unknown field"), "{}", error.message);
    }

    #[test]
    fn a_setting_has_its_place() {
        let text = "# a\nlayout = \"plain\"\n[emit]\nlayout = \"plain\"\n[scratch]\n\nurl = \"x\"\n";
        let config = Config::parse(text, "c.toml").unwrap();
        assert_eq!(config.at(&["layout"]), Some(At::new("c.toml", 2)));
        assert_eq!(config.at(&["scratch", "url"]), Some(At::new("c.toml", 7)));
        assert_eq!(config.at(&["scratch", "programs"]), None);
        let dotted = Config::parse("scratch.url = \"x\"\n", "c.toml").unwrap();
        assert_eq!(dotted.at(&["scratch", "url"]), Some(At::new("c.toml", 1)));
    }

    #[test]
    fn a_prelude_is_one_or_a_list() {
        let prelude = |text: &str| Config::parse(text, "consolidate.toml").map(|config| config.scratch.prelude);
        assert_eq!(prelude("[scratch]\nprelude = \"supabase\"").unwrap(), [PathBuf::from("supabase")]);
        let two = prelude("[scratch]\nprelude = [\"supabase\", \"a.sql\"]").unwrap();
        assert_eq!(two, [PathBuf::from("supabase"), PathBuf::from("a.sql")]);
        let error = prelude("[scratch]\nprelude = 3").unwrap_err();
        assert_eq!(error.message, "expected a file's name or a list of them");
    }
}
