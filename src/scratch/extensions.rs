//! Which extensions a set of SQL asks for, which of them the embedded PostgreSQL carries, and stand-ins for some that it
//! lacks: the same functions with the same signatures, so that what is built on them can be created and dumped.

use std::collections::HashSet;
use std::sync::LazyLock;

use pglite_oxide::extensions::{Extension, by_sql_name};
use regex::Regex;

use super::calls::{self, Call};
use super::stand_ins;
use crate::At;

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

/// A function of a stand-in that computes something else than the original, called by a replayed set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct StandInCall {
    /// The extension.
    pub extension: String,
    /// The function, without its arguments.
    pub function: String,
    /// Where it is called.
    pub places: Vec<At>,
}

impl StandInCall {
    /// The calls of two sets. A place of the first one tells enough: the second one was made from it, as a rule.
    pub fn of_both(one: &[StandInCall], other: &[StandInCall]) -> Vec<StandInCall> {
        let is_new = |call: &&StandInCall| !one.iter().any(|known| known.is_of(&call.extension, &call.function));
        let mut all: Vec<StandInCall> = one.iter().chain(other.iter().filter(is_new)).cloned().collect();
        all.sort();
        all
    }

    fn is_of(&self, extension: &str, function: &str) -> bool {
        self.extension == extension && self.function == function
    }
}

/// A statement, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// The file.
    pub file: &'a str,
    /// The line on which it begins.
    pub line: usize,
    /// Its text.
    pub sql: &'a str,
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

/// Which substitutes of the stand-ins statements call, also in bodies of functions and in strings of SQL: they may be run.
pub fn substitutes_called(statements: &[Statement<'_>], own: &[StandIn], created: &[String]) -> Vec<StandInCall> {
    let shipped = stand_ins::shipped();
    // What the user's stand-in replaces isn't the tool's any more.
    let all = shipped.iter().filter(|s| own.iter().all(|o| o.name != s.name)).chain(own);
    let all: Vec<&StandIn> = all.filter(|stand_in| created.contains(&stand_in.name)).collect();
    let functions: Vec<(&str, &str)> =
        all.iter().flat_map(|s| s.substitutes.iter().map(|function| (s.name.as_str(), function.as_str()))).collect();
    called(statements, &functions)
}

/// Which of the functions, given with their extension, statements call, and where. A function that the statements make
/// themselves in the schema that a call names is theirs.
pub fn called(statements: &[Statement<'_>], functions: &[(&str, &str)]) -> Vec<StandInCall> {
    let mut found: Vec<(usize, Call)> = Vec::new();
    let mut made: Vec<Call> = Vec::new();
    let names: HashSet<&str> = functions.iter().map(|(_, function)| bare(function).1).collect();
    // Most statements needn't be parsed.
    for (nth, statement) in statements.iter().enumerate().filter(|(_, s)| holds_one(s.sql, &names)) {
        let said = calls::said(statement.sql).unwrap_or_default();
        found.extend(said.calls.into_iter().map(|call| (nth, call)));
        made.extend(said.made);
    }
    let is_own = |call: &Call| {
        call.schema.is_some() && made.iter().any(|own| (&own.schema, &own.name) == (&call.schema, &call.name))
    };
    let mut calls: Vec<StandInCall> = Vec::new();
    for (nth, call) in found.iter().filter(|(_, call)| !is_own(call)) {
        let is_called = |function: &str| {
            let (schema, name) = bare(function);
            call.name == name && schema.is_none_or(|schema| call.schema.as_deref() == Some(schema))
        };
        let Statement { file, line, sql } = statements[*nth];
        for (extension, function) in functions.iter().filter(|(_, function)| is_called(function)) {
            let at = At::new(file, line + sql.get(..call.at).unwrap_or_default().matches('\n').count());
            let function = function.trim_end_matches('(');
            match calls.iter_mut().find(|known| known.is_of(extension, function)) {
                Some(known) if known.places.last() == Some(&at) => {}
                Some(known) => known.places.push(at),
                None => {
                    let (extension, function) = ((*extension).to_string(), function.to_string());
                    calls.push(StandInCall { extension, function, places: vec![at] });
                }
            }
        }
    }
    calls.sort();
    calls
}

/// The schema, if it is said, and the name of a function as [`StandIn::substitutes`] has it.
fn bare(function: &str) -> (Option<&str>, &str) {
    let name = function.trim_end_matches('(');
    name.split_once('.').map_or((None, name), |(schema, name)| (Some(schema), name))
}

/// Whether a text holds one of these words, in whatever case.
fn holds_one(text: &str, words: &HashSet<&str>) -> bool {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let longest = words.iter().map(|word| word.len()).max().unwrap_or(0);
    let found = text.split(|c| !is_of_word(c)).filter(|word| !word.is_empty() && word.len() <= longest);
    found.into_iter().any(|word| words.contains(word.to_lowercase().as_str()))
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

    fn of<'a>(texts: &[&'a str]) -> Vec<Statement<'a>> {
        texts.iter().map(|sql| Statement { file: "1.sql", line: 3, sql }).collect()
    }

    #[test]
    fn substitutes_count_where_they_are_called() {
        let created = ["pgcrypto".to_string()];
        let calls = |text: &str| substitutes_called(&of(&[text]), &[], &created);
        assert!(calls("-- crypt('a')\nSELECT digest('a', 'md5')").is_empty());
        assert!(calls("INSERT INTO t VALUES ('Let''s Encrypt certificate')").is_empty());
        let found = calls("SELECT '--',\n Crypt('a', gen_salt('bf')),\n crypt('b', 'c')");
        let names: Vec<_> = found.iter().map(|call| call.function.as_str()).collect();
        assert_eq!(names, ["crypt", "gen_salt"]);
        assert_eq!(found[0].places, [At::new("1.sql", 4), At::new("1.sql", 5)]);
    }

    #[test]
    fn names_with_a_schema_count_with_it() {
        let functions = [("pg_net", "net.http_get")];
        assert!(called(&of(&["SELECT http_get('net'), my_net.http_get(), net.http_gets()"]), &functions).is_empty());
        assert_eq!(called(&of(&["SELECT \"net\".\"http_get\"('a')"]), &functions).len(), 1);
        let functions = [("http", "http(")];
        assert!(called(&of(&["CREATE EXTENSION http; SELECT my_http(1)"]), &functions).is_empty());
        assert_eq!(called(&of(&["SELECT x.http(1)"]), &functions)[0].function, "http");
    }

    #[test]
    fn functions_of_the_set_are_its_own() {
        let functions = [("pgcrypto", "encrypt")];
        let make = "CREATE FUNCTION app.encrypt(a text) RETURNS text LANGUAGE sql AS 'SELECT a'";
        assert!(called(&of(&[make, "SELECT app.encrypt('a')"]), &functions).is_empty());
        assert_eq!(called(&of(&[make, "SELECT other.encrypt('a')"]), &functions).len(), 1);
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
