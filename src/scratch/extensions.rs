//! Which extensions a set of SQL asks for, which of them the embedded PostgreSQL carries, and stand-ins for some that it
//! lacks: the same functions with the same signatures, so that what is built on them can be created and dumped.

use std::sync::LazyLock;

use pglite_oxide::extensions::{Extension, by_sql_name};
use regex::Regex;

use super::stand_ins;

/// An extension made of SQL alone that stands in for one that the scratch database lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct StandIn {
    /// The name of the extension that it stands in for.
    pub name: String,
    /// The version that it says it is.
    pub version: String,
    /// What `\dx` says about it; the dump repeats it.
    pub comment: String,
    /// Its script.
    #[serde(skip)]
    pub sql: String,
    /// Whether it stays in the schema in which it was created, as when its script names schemas.
    pub is_fixed: bool,
    /// The only schema that it can be created in; PostgreSQL makes it if it isn't there.
    pub schema: Option<String>,
    /// Extensions that it needs.
    pub requires: Vec<String>,
    /// Those of its functions that compute something else than the original does; with a schema (`net.http_get`) or a
    /// parenthesis (`http(`) where the name alone could be anything.
    pub substitutes: Vec<String>,
}

/// A function of a stand-in that computes something else than the original, named by a replayed set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct StandInCall {
    /// The extension.
    pub extension: String,
    /// The function, without its arguments.
    pub function: String,
}

impl StandIn {
    /// Its control file, as PostgreSQL wants it. Stand-ins are trusted, and relocatable where their originals are.
    pub fn control(&self) -> String {
        let mut control = format!(
            "comment = '{}'\ndefault_version = '{}'\nrelocatable = {}\ntrusted = true\n",
            self.comment.replace('\'', "''"),
            self.version,
            !self.is_fixed && self.schema.is_none()
        );
        if let Some(schema) = &self.schema {
            control.push_str(&format!("schema = '{schema}'\n"));
        }
        if !self.requires.is_empty() {
            control.push_str(&format!("requires = '{}'\n", self.requires.join(", ")));
        }
        control
    }
}

/// The names of the extensions that texts ask for with `CREATE EXTENSION`, sorted.
///
/// It looks into comments and strings too: an extension that is held ready and never created changes nothing, while one
/// that a DO block creates must be there.
pub fn named<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    static CREATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)\bcreate\s+extension\s+(?:if\s+not\s+exists\s+)?(?:"([^"]+)"|([a-z_][a-z0-9_$]*))"#).ok()
    });
    let mut names = Vec::new();
    for text in texts {
        for found in CREATE.iter().flat_map(|create| create.captures_iter(text)) {
            let quoted = found.get(1).map(|name| name.as_str().to_string());
            names.extend(quoted.or_else(|| found.get(2).map(|name| name.as_str().to_lowercase())));
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Those of the named extensions that the embedded PostgreSQL carries, with those that they need in turn.
pub fn bundled(names: &[String]) -> Vec<Extension> {
    let mut found: Vec<Extension> = Vec::new();
    let mut open: Vec<&str> = names.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        let Some(extension) = by_sql_name(name) else { continue };
        if !found.contains(&extension) {
            open.extend(extension.dependencies());
            found.push(extension);
        }
    }
    found.sort_by_key(|extension| extension.sql_name());
    found
}

/// Whether the embedded PostgreSQL has an extension, or a stand-in for it that comes with the tool.
pub fn is_there(name: &str) -> bool {
    name == "plpgsql"
        || by_sql_name(name).is_some()
        || super::stand_ins::shipped().iter().any(|stand_in| stand_in.name == name)
}

/// Which substitutes of the stand-ins texts name, outside comments. A name in a string counts: it may be run.
pub fn substitutes_named<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    own: &[StandIn],
    created: &[String],
) -> Vec<StandInCall> {
    let shipped = stand_ins::shipped();
    // What the user's stand-in replaces isn't the tool's any more.
    let all = shipped.iter().filter(|s| own.iter().all(|o| o.name != s.name)).chain(own);
    let all: Vec<&StandIn> = all.filter(|stand_in| created.contains(&stand_in.name)).collect();
    let functions: Vec<(&str, &str)> =
        all.iter().flat_map(|s| s.substitutes.iter().map(|function| (s.name.as_str(), function.as_str()))).collect();
    named_in(texts, &functions)
}

/// Which of the functions, given with their extension, texts name outside comments.
pub fn named_in<'a>(texts: impl IntoIterator<Item = &'a str>, functions: &[(&str, &str)]) -> Vec<StandInCall> {
    let mut calls = Vec::new();
    for text in texts {
        let bare = without_comments(text).to_lowercase().replace('"', "");
        let words: std::collections::HashSet<&str> = bare.split(|c: char| !is_of_word(c)).collect();
        for (extension, function) in functions {
            let name = function.trim_end_matches('(');
            let is_named = match name.split_once('.') {
                Some((schema, own)) => words.contains(schema) && words.contains(own) && holds(&bare, function),
                None => words.contains(name) && (name == *function || holds(&bare, function)),
            };
            if is_named {
                calls.push(StandInCall { extension: (*extension).into(), function: name.into() });
            }
        }
    }
    calls.sort();
    calls.dedup();
    calls
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Whether a text holds a name as [`StandIn::substitutes`] has it, not as a part of longer names.
fn holds(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let is_longer = before.ends_with(|c| is_of_word(c) || (c == '.' && name.contains('.')));
        !is_longer && (name.ends_with('(') || !after.starts_with(is_of_word))
    })
}

/// A text without its comments. It knows strings and quoted names only as far as that needs: a `--` in either stays.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut quote: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        let skip = match quote {
            Some(q) if c == q => {
                quote = None;
                0
            }
            Some(_) => 0,
            None if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            None if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                0
            }
            None => 0,
        };
        if skip == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.push(' ');
            rest = &rest[skip..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_folded_and_quoted() {
        let texts = ["CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\";", "do $$ begin create extension CITEXT; end $$"];
        assert_eq!(named(texts), ["citext", "uuid-ossp"]);
    }

    #[test]
    fn bundled_ones_bring_what_they_need() {
        let names: Vec<_> = bundled(&["earthdistance".into(), "postgis".into()]).iter().map(|e| e.sql_name()).collect();
        assert_eq!(names, ["cube", "earthdistance"]);
    }

    #[test]
    fn substitutes_count_outside_comments_only() {
        let created = ["pgcrypto".to_string()];
        assert!(substitutes_named(["-- crypt('a')\nSELECT digest('a', 'md5')"], &[], &created).is_empty());
        let calls = substitutes_named(["SELECT '--', Crypt('a', gen_salt('bf'))"], &[], &created);
        let names: Vec<_> = calls.iter().map(|call| call.function.as_str()).collect();
        assert_eq!(names, ["crypt", "gen_salt"]);
    }

    #[test]
    fn names_with_a_schema_count_with_it() {
        let functions = [("pg_net", "net.http_get")];
        assert!(named_in(["SELECT http_get('net'), my_net.http_get(), net.http_gets()"], &functions).is_empty());
        assert_eq!(named_in(["SELECT \"net\".\"http_get\"('a')"], &functions).len(), 1);
        let functions = [("http", "http(")];
        assert!(named_in(["CREATE EXTENSION http; SELECT my_http(1)"], &functions).is_empty());
        assert_eq!(named_in(["SELECT x.http(1)"], &functions)[0].function, "http");
    }

    #[test]
    fn a_control_file_says_where_the_extension_may_be() {
        let stand_in =
            StandIn { schema: Some("pgmq".into()), requires: vec!["a".into(), "b".into()], ..StandIn::default() };
        let control = stand_in.control();
        assert!(control.contains("relocatable = false\n"), "{control}");
        assert!(control.ends_with("schema = 'pgmq'\nrequires = 'a, b'\n"), "{control}");
    }
}
