//! What a live database is made of, beside what its history makes: one query of the catalogs on both.
//!
//! It only reads. Objects of the history are looked at in a scratch database into which its dump was loaded.

use super::session::Session;
use super::{Progress, ReplayError, ReplayFile, Settings, Snapshot, canonical, replay};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// The query, as kind, name and text.
const SHAPE: &str = include_str!("shape.sql");

/// What isn't looked at, as phrases.
pub const NOT_COMPARED: &[&str] =
    &["rows", "owners", "privileges", "comments", "settings", "event triggers", "publications"];

/// Objects by kind and name, and their texts.
type Shape = BTreeMap<(String, String), String>;

/// How a live database differs from what a history makes of an empty one, as lines; none if it doesn't. Names of `ours`
/// belong to the migration tool and don't count.
///
/// # Errors
/// When the history doesn't replay, or a database can't be asked.
pub fn drift(
    history: &[ReplayFile],
    url: &str,
    ours: &dyn Fn(&str) -> bool,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Vec<String>, ReplayError> {
    let live = shape_of(url).map_err(|e| Error { message: format!("{}: {}", shown(url), e.message), ..e })?;
    let snapshot = replay("history", history, settings, progress)?;
    let wanted = of_snapshot(&snapshot, settings)?;
    Ok(differences(&wanted, &live, ours))
}

fn of_snapshot(snapshot: &Snapshot, settings: &Settings) -> Result<Shape, ReplayError> {
    super::replay::isolated(|| Ok(canonical::with_reloaded(snapshot, settings, shape_of)?))
}

fn shape_of(url: &str) -> Result<Shape> {
    let mut session = Session::open(url.to_string())?;
    // Without a path, PostgreSQL states all names in full.
    session.must_run("SET search_path = ''; SET default_transaction_read_only = on")?;
    let sql = SHAPE.replace("::regclass", "::pg_catalog.regclass");
    let rows = session.rows(&sql)?;
    session.close()?;
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    Ok(rows.iter().map(|r| ((text(&r[0]), text(&r[1])), text(&r[2]))).collect())
}

fn differences(wanted: &Shape, live: &Shape, ours: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for ((kind, name), text) in wanted {
        match live.get(&(kind.clone(), name.clone())) {
            _ if ours(name) => {}
            None => lines.push(format!("{kind} {name}: the live database lacks it")),
            Some(found) if found != text => {
                lines.push(format!(
                    "{kind} {name}: otherwise in the live database\n  history  {text}\n  live     {found}"
                ));
            }
            Some(_) => {}
        }
    }
    let is_more = |key: &&(String, String)| !wanted.contains_key(*key) && !ours(&key.1);
    lines.extend(live.keys().filter(is_more).map(|(kind, name)| format!("{kind} {name}: only in the live database")));
    lines
}

/// A URL without its password.
pub fn shown(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let user = url[scheme + 3..at].split(':').next().unwrap_or_default();
            format!("{}{user}{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_string(),
    }
}

/// Runs a script in a session of its own, and gives what a setting holds in the end.
///
/// # Errors
/// When the database can't be reached, with `None`; when it refused, with its words and its hint.
pub fn run(url: &str, script: &str, setting: &str) -> Result<String, (Option<String>, Error)> {
    let unable = |e: Error| (None, Error { message: format!("{}: {}", shown(url), e.message), ..e });
    let mut session = Session::open(url.to_string()).map_err(unable)?;
    session.run(script).map_err(|refusal| {
        let error = Error { at: None, message: refusal.message.clone(), hint: refusal.hint.clone() };
        (Some(refusal.sqlstate.clone()), error)
    })?;
    let rows = session.rows(&format!("SELECT current_setting('{setting}', true)")).map_err(unable)?;
    Ok(rows.into_iter().flatten().flatten().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("postgres://me:secret@host:5432/db"), "postgres://me@host:5432/db");
        assert_eq!(shown("postgres://host/db"), "postgres://host/db");
    }
}
