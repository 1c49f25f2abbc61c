//! What a set writes down of its server by itself (a view with the superuser's name as a constant, say): both sets may do so, if
//! they do it alike on one server.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::compare::{Change, Comparison, Difference, More, entries, identity};
use super::world::masked;
use super::{ReplayError, Snapshot};

/// What the old set writes down of its server is right in the new one if both write the same in one world.
pub(super) fn compare(
    old: &Snapshot,
    new: &Snapshot,
    more: &dyn More,
    found: &mut Comparison,
) -> Result<(), ReplayError> {
    let zones = old.facts.zone != new.facts.zone;
    let mask = |text: &String| {
        let text = if zones { without_times(text) } else { text.clone() };
        masked(&text, [&old.facts, &new.facts])
    };
    let is_of_server = |difference: &Difference| match difference.change {
        Change::Changed => difference.old.as_ref().map(mask) == difference.new.as_ref().map(mask),
        Change::Added => difference.new.as_ref().is_some_and(|text| new.facts.are_in(text, &old.facts)),
        // Whatever took its place is looked at.
        Change::Removed => false,
    };
    if !found.differences.iter().any(is_of_server) && !more.says_facts(&old.facts) {
        return Ok(());
    }
    let Some(there) = more.elsewhere()? else { return Ok(()) };
    let all = |snapshot: &Snapshot| [snapshot.entries.clone(), snapshot.globals.clone()].concat();
    let varied: HashSet<_> = entries(&all(old), &all(there)).into_iter().map(identity).collect();
    // On a server of others each replay has a database of its own name.
    let mut expected = all(there);
    for entry in expected.iter_mut().filter(|_| there.facts.is_shared) {
        entry.text = entry.text.replace(&there.facts.database, &new.facts.database);
    }
    let mut still = entries(&expected, &all(new));
    still.retain(|difference| varied.contains(&identity(difference.clone())));
    found.differences.retain(|difference| !varied.contains(&identity(difference.clone())));
    if !varied.is_empty() && still.is_empty() {
        let what = if varied.len() == 1 { "1 entry holds".into() } else { format!("{} entries hold", varied.len()) };
        found.notes.push(format!("{what} what the server is called, and both sets give the same on one server"));
    }
    found.differences.extend(still);
    Ok(())
}

/// A text without the times in it that hang on a zone.
fn without_times(text: &str) -> String {
    static TIME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d(?::\d\d)?)?)?").ok());
    TIME.as_ref().map_or_else(|| text.to_string(), |time| time.replace_all(text, "<time>").into_owned())
}
