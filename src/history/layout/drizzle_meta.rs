//! What lies in drizzle's `meta/`: the journal that says which files run, and snapshots of the schema.
//!
//! drizzle-orm runs an entry whose `when` is later than the last one that a database ran (drizzle-orm/src/pg-core/dialect.ts,
//! `migrate`). So the last entry of a new set keeps the `when` of the history's last one: a database that ran all of the
//! history has nothing to run, and one that is behind tries what it has, and stops loudly.
//!
//! drizzle-kit compares the code with the last snapshot only, and what that describes is the same after a proof: it is kept
//! as the snapshot of the last file. Those of the other files are gone, and nothing asks for them.

use super::write::{Companions, Outgoing};
use crate::error::{At, Error, Result};
use serde_json::{Value, json};

const JOURNAL: &str = "meta/_journal.json";
const NO_SNAPSHOT: &str = "00000000-0000-0000-0000-000000000000";
/// 2020-01-01 in milliseconds, where the history has no times.
const BEGIN: i64 = 1_577_836_800_000;

/// The journal of a set, and its one snapshot.
pub fn companions(set: &[Outgoing], old: &dyn Fn(&str) -> Option<String>) -> Result<Companions> {
    let journal = match old(JOURNAL) {
        Some(text) => serde_json::from_str(&text)
            .map_err(|e| Error::new(format!("the journal can't be read: {e}")).at(At::new(JOURNAL, e.line().max(1))))?,
        None => Value::Null,
    };
    let entries = journal["entries"].as_array().cloned().unwrap_or_default();
    let version = journal["version"].as_str().unwrap_or("7");
    let times = times(set, &entries);
    let tag = |m: &Outgoing| format!("{}_{}", m.version, m.words);
    let steps: Vec<Value> = set
        .iter()
        .zip(&times)
        .enumerate()
        .map(|(idx, (m, when))| {
            let version = entries.last().and_then(|e| e["version"].as_str()).unwrap_or(version);
            json!({ "idx": idx, "version": version, "when": when, "tag": tag(m), "breakpoints": true })
        })
        .collect();
    let dialect = journal["dialect"].as_str().unwrap_or("postgresql");
    let journal = json!({ "version": version, "dialect": dialect, "entries": steps });
    let mut found = Companions { files: vec![(JOURNAL.into(), pretty(&journal))], ..Companions::default() };
    let snapshot = entries.last().and_then(last_snapshot(old));
    match (snapshot, set.last()) {
        (Some(mut snapshot), Some(last)) if snapshot.is_object() => {
            snapshot["prevId"] = NO_SNAPSHOT.into();
            found.files.push((format!("meta/{}_snapshot.json", last.version), pretty(&snapshot)));
        }
        _ => found.notes.push(
            "drizzle-kit's snapshot of the schema is missing: before the next `drizzle-kit generate`, let `drizzle-kit \
             generate` write it into an empty folder and copy it to meta/"
                .into(),
        ),
    }
    Ok(found)
}

/// The journal with the entries of the files that are there.
pub fn journal_of(text: &str, there: &[&str]) -> Result<String> {
    let wrong = |what: &str| {
        Error::new(format!("the journal {what}")).at(At::new(JOURNAL, 1)).hint("consolidate the whole history instead")
    };
    let mut journal: Value = serde_json::from_str(text).map_err(|e| wrong(&format!("can't be read: {e}")))?;
    let entries = journal.get_mut("entries").and_then(|e| e.as_array_mut()).ok_or_else(|| wrong("has no entries"))?;
    entries.retain(|entry| entry["tag"].as_str().is_some_and(|tag| there.contains(&tag)));
    if let Some(tag) = there.iter().find(|tag| !entries.iter().any(|e| e["tag"].as_str() == Some(tag))) {
        return Err(wrong(&format!("doesn't list {tag}.sql")));
    }
    entries.iter_mut().enumerate().for_each(|(i, entry)| entry["idx"] = i.into());
    Ok(pretty(&journal))
}

/// The snapshot of the last entry, by the prefix of its tag.
fn last_snapshot(old: &dyn Fn(&str) -> Option<String>) -> impl Fn(&Value) -> Option<Value> {
    move |entry| {
        let prefix = entry["tag"].as_str()?.split('_').next()?;
        serde_json::from_str(&old(&format!("meta/{prefix}_snapshot.json"))?).ok()
    }
}

/// When the files came: as in the history's journal where that keeps the order, the last one as its last.
fn times(set: &[Outgoing], entries: &[Value]) -> Vec<i64> {
    let mut times: Vec<i64> = Vec::new();
    let latest = entries.iter().filter_map(|e| e["when"].as_i64()).max();
    for (number, m) in set.iter().enumerate() {
        let words = |e: &&Value| e["tag"].as_str().and_then(|t| t.split_once('_')).is_some_and(|(_, w)| w == m.words);
        let known = entries.iter().find(words).and_then(|e| e["when"].as_i64());
        let least = times.last().map_or(i64::MIN, |t| t + 1);
        let wanted = if number + 1 == set.len() { latest.or(known) } else { known };
        times.push(wanted.unwrap_or(BEGIN).max(least));
    }
    // No file but the last is as late as the last: else one that is new would look as if it had run.
    if let (Some(latest), Some(last)) = (latest, times.last().copied())
        && last > latest
    {
        let first = latest - (set.len() as i64 - 1);
        times = (0..set.len() as i64).map(|i| first + i).collect();
    }
    times
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
