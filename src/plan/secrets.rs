//! Secrets in plain text that will stand in the new set: passwords of roles, options of foreign data, connections of
//! subscriptions. One that the history drops or replaces later isn't there any more, and needs no warning.

use super::Warning;
use crate::emit::NewSet;
use crate::history::History;
use crate::sql::lex::{TokenKind, lex_code};
use std::collections::HashSet;

/// Parts of the names of options that hold secrets.
const SECRETS: &[&str] =
    &["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "access_key", "private_key"];

/// A secret: the word that it stands behind, and its literal.
type Secret = (String, String);

/// A warning for each statement with a secret that is in the set, too.
pub fn secrets_that_stay(history: &History, set: &NewSet) -> Vec<Warning> {
    let statements = set.files.iter().flat_map(|f| &f.statements);
    let stays: HashSet<Secret> = statements.flat_map(|s| secrets(&s.text)).collect();
    let mut warnings = Vec::new();
    let mut seen: HashSet<(String, usize, String)> = HashSet::new();
    for id in 0..history.statements.len() {
        let mut found = secrets(history.text(id));
        found.retain(|secret| stays.contains(secret));
        for (word, _) in found {
            let what = match word.as_str() {
                "password" => "a password".to_string(),
                "connection" => "the password of a connection".to_string(),
                option => format!("a secret, the option {option},"),
            };
            let message = format!("{what} stands in the history, and will stand in the new set");
            let warning = Warning { at: history.at(id), message };
            if seen.insert((warning.at.file.clone(), warning.at.line, warning.message.clone())) {
                warnings.push(warning);
            }
        }
    }
    warnings
}

/// The secrets of a statement that makes or changes what has some, at any depth of dollar quotes.
fn secrets(text: &str) -> Vec<Secret> {
    let mut found = Vec::new();
    if may_hold_one(text) {
        collect(text, &mut found);
    }
    found
}

/// CREATE and ALTER of roles, servers, user mappings, foreign tables, subscriptions.
fn may_hold_one(text: &str) -> bool {
    const KINDS: &[&str] = &["role", "user", "group", "server", "foreign", "subscription"];
    let words: Vec<String> = text.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
    words.windows(2).any(|w| (w[0] == "create" || w[0] == "alter") && KINDS.contains(&w[1].as_str()))
}

fn collect(text: &str, found: &mut Vec<Secret>) {
    let tokens = lex_code(text);
    for pair in tokens.windows(2).filter(|w| w[1].kind == TokenKind::Literal) {
        let (Some(word), literal) = (pair[0].name(text), pair[1].text(text)) else { continue };
        let is_secret = match word.as_str() {
            "connection" => literal.to_lowercase().contains("password"),
            word => SECRETS.iter().any(|part| word.contains(part)),
        };
        if is_secret {
            found.push((word, literal.to_string()));
        }
    }
    let inner = tokens.iter().filter(|t| t.kind == TokenKind::Literal && t.text(text).starts_with('$'));
    for inside in inner.filter_map(|t| t.inside(text)) {
        collect(inside, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stand_behind_their_words() {
        let words = |text: &str| secrets(text).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
        assert_eq!(words("CREATE ROLE r PASSWORD 'x'"), ["password"]);
        assert_eq!(words("DO $$ BEGIN CREATE USER r PASSWORD 'x'; END $$"), ["password"]);
        assert_eq!(words("ALTER SERVER s OPTIONS (ADD host 'h', SET api_key 'k')"), ["api_key"]);
        assert_eq!(words("CREATE SUBSCRIPTION s CONNECTION 'host=h password=x' PUBLICATION p"), ["connection"]);
        assert!(words("CREATE USER MAPPING FOR r SERVER s OPTIONS (user 'u')").is_empty());
        assert!(words("INSERT INTO t VALUES ('create role r password ''x''')").is_empty());
    }
}
