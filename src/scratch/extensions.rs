//! Which extensions a set of SQL asks for, which of them the embedded PostgreSQL carries, and stand-ins for some that it
//! lacks: the same functions with the same signatures, so that what is built on them can be created and dumped.

use std::sync::LazyLock;

use pglite_oxide::extensions::{Extension, by_sql_name};
use regex::Regex;

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
    /// Those of its functions that compute something else than the original does.
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
    /// Its control file, as PostgreSQL wants it. Stand-ins are trusted and relocatable, like their originals.
    pub fn control(&self) -> String {
        format!(
            "comment = '{}'\ndefault_version = '{}'\nrelocatable = true\ntrusted = true\n",
            self.comment.replace('\'', "''"),
            self.version
        )
    }
}

/// The functions of pgcrypto's stand-in that don't compute what pgcrypto computes.
const PGCRYPTO_SUBSTITUTES: &[&str] = &[
    "crypt",
    "gen_salt",
    "encrypt",
    "decrypt",
    "encrypt_iv",
    "decrypt_iv",
    "pgp_sym_encrypt",
    "pgp_sym_encrypt_bytea",
    "pgp_sym_decrypt",
    "pgp_sym_decrypt_bytea",
    "pgp_pub_encrypt",
    "pgp_pub_encrypt_bytea",
    "pgp_pub_decrypt",
    "pgp_pub_decrypt_bytea",
    "pgp_key_id",
    "pgp_armor_headers",
    "armor",
    "dearmor",
];

/// The functions of uuid-ossp's stand-in that don't compute what uuid-ossp computes.
const UUID_OSSP_SUBSTITUTES: &[&str] = &["uuid_generate_v1", "uuid_generate_v1mc"];

/// The stand-ins that come with the tool.
pub fn shipped() -> Vec<StandIn> {
    let one = |name: &str, version: &str, comment: &str, sql: &str, substitutes: &[&str]| StandIn {
        name: name.into(),
        version: version.into(),
        comment: comment.into(),
        sql: sql.into(),
        substitutes: substitutes.iter().map(ToString::to_string).collect(),
    };
    vec![
        one("pgcrypto", "1.3", "cryptographic functions", include_str!("stand_ins/pgcrypto.sql"), PGCRYPTO_SUBSTITUTES),
        one(
            "uuid-ossp",
            "1.1",
            "generate universally unique identifiers (UUIDs)",
            include_str!("stand_ins/uuid-ossp.sql"),
            UUID_OSSP_SUBSTITUTES,
        ),
    ]
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
    name == "plpgsql" || by_sql_name(name).is_some() || shipped().iter().any(|stand_in| stand_in.name == name)
}

/// Which substitutes of the stand-ins texts name, outside comments. A name in a string counts: it may be run.
pub fn substitutes_named<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    own: &[StandIn],
    created: &[String],
) -> Vec<StandInCall> {
    let shipped = shipped();
    // What the user's stand-in replaces isn't the tool's any more.
    let all = shipped.iter().filter(|s| own.iter().all(|o| o.name != s.name)).chain(own);
    let all: Vec<&StandIn> = all.filter(|stand_in| created.contains(&stand_in.name)).collect();
    let mut calls = Vec::new();
    for text in texts {
        let bare = without_comments(text).to_lowercase();
        let words: std::collections::HashSet<&str> =
            bare.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).collect();
        for stand_in in &all {
            for function in stand_in.substitutes.iter().filter(|function| words.contains(function.as_str())) {
                calls.push(StandInCall { extension: stand_in.name.clone(), function: function.clone() });
            }
        }
    }
    calls.sort();
    calls.dedup();
    calls
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
}
