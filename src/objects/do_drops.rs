//! What a statement that can't be understood says it drops: the plan names it, since only the replay can tell whether it does.

use crate::schema::Kind;
use crate::sql::edit;
use crate::sql::lex::{Token, lex_code};

/// The objects that a text drops by name, in words, at any depth of quotes.
pub(crate) fn drops(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(text, &mut found);
    found
}

fn collect(text: &str, found: &mut Vec<String>) {
    let tokens = lex_code(text);
    for at in 0..tokens.len() {
        if let Some(inside) = tokens[at].inside(text) {
            collect(inside, found);
        } else if tokens[at].is(text, "drop")
            && let Some(what) = dropped(text, &tokens, at + 1)
            && !found.contains(&what)
        {
            found.push(what);
        }
    }
}

/// The kind and the name behind the word DROP.
fn dropped(text: &str, tokens: &[Token], at: usize) -> Option<String> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is(text, word));
    let spoken = |kind: &&Kind| kind.word().split(' ').enumerate().all(|(i, word)| is(at + i, word));
    let kind = Kind::ALL.iter().filter(spoken).max_by_key(|kind| kind.word().len())?;
    let mut name = at + kind.word().split(' ').count();
    if is(name, "concurrently") {
        name += 1;
    }
    if is(name, "if") {
        name += 2;
    }
    tokens.get(name)?.name(text)?;
    let end = edit::name_end(text, tokens, name);
    let name = &text[tokens[name].start..tokens[end - 1].end];
    Some(format!("{} {name}", kind.word()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_found_at_any_depth() {
        let text = "DO $$ BEGIN DROP TABLE IF EXISTS s.t; EXECUTE 'ALTER TABLE u DROP COLUMN c'; \
             EXECUTE format('DROP VIEW %I', v); DROP MATERIALIZED VIEW m; ALTER TABLE u ALTER a DROP DEFAULT; END $$";
        assert_eq!(drops(text), ["table s.t", "column c", "materialized view m"]);
    }
}
