//! Values that nobody may read in any output: those of environment variables that an address is made of, and passwords.
//! Whatever repeats one of them, a driver's error or a server's, it is taken out before it is printed.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

/// What stands in the place of a secret.
const HIDDEN: &str = "***";
/// A shorter value is no secret, and stands in many a word.
const SHORTEST: usize = 6;
/// Values that everybody knows.
const KNOWN: &[&str] = &["postgres", "localhost", "127.0.0.1", "postgresql", "password", "consolidate"];

static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Remembers a value that is never to be shown.
pub fn remember(value: &str) {
    let value = value.trim();
    if value.len() < SHORTEST || KNOWN.contains(&value) {
        return;
    }
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    if !secrets.iter().any(|known| known == value) {
        secrets.push(value.to_string());
        // One may hold another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }
}

/// A text without them.
pub fn hidden(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.iter().filter(|secret| text.contains(secret.as_str())).fold(Cow::Borrowed(text), |text, secret| {
        if text.contains(secret.as_str()) { Cow::Owned(text.replace(secret.as_str(), HIDDEN)) } else { text }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_hidden() {
        remember("tok-of-a-test-1");
        remember("tok-of-a-test-12");
        remember("postgres");
        remember("ab");
        assert_eq!(hidden("a tok-of-a-test-12 b tok-of-a-test-1, postgres ab"), "a *** b ***, postgres ab");
        assert!(matches!(hidden("nothing"), Cow::Borrowed(_)));
    }
}
