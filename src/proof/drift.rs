//! What a live database is made of, beside what its history makes: one query of the catalogs on both.
//!
//! It only reads; what [`run`] runs is the script of a hand-over. Objects of the history are looked at in a scratch database into which its dump was loaded.

use super::session::Session;
use super::{Limits, Progress, ReplayError, ReplayFile, Settings, canonical, masked, replay};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::time::Duration;

/// The query, as kind, name and text.
const SHAPE: &str = include_str!("shape.sql");

/// What isn't looked at, as phrases.
pub const NOT_COMPARED: &[&str] =
    &["rows", "owners", "privileges", "comments", "settings", "event triggers", "publications"];

/// How long a look may take that could as well be left out.
const BRIEF: Duration = Duration::from_secs(10);

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
    let look = || {
        let mut session = connected(url, settings.limits)?;
        let live = shape_of(&mut session).map_err(|e| of(url, e))?;
        session.close().map_err(|e| of(url, e))?;
        Ok(live)
    };
    let live = look().map_err(ReplayError::Unable)?;
    let snapshot = replay("history", history, settings, progress)?;
    let look = || Ok(canonical::with_reloaded(&snapshot, settings, shape_of)?);
    let wanted = super::replay::isolated(look)?;
    Ok(differences(&wanted, &live, ours))
}

/// A session in a live database.
fn connected(url: &str, limits: Limits) -> Result<Session> {
    Session::to(url.to_string(), limits).map_err(|e| of(url, e))
}

/// An error with its database, which is no scratch one and is shown without its password.
fn of(url: &str, error: Error) -> Error {
    let why = error.message.rsplit("scratch database: ").next().unwrap_or_default();
    Error { message: format!("{}: {why}", masked(url)), ..error }
}

fn shape_of(session: &mut Session) -> Result<Shape> {
    // Without a path, PostgreSQL states all names in full.
    session.must_run("SET search_path = ''; SET default_transaction_read_only = on")?;
    let sql = SHAPE.replace("::regclass", "::pg_catalog.regclass");
    let rows = session.rows(&sql)?;
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

/// What a script refuses a database for by an exception of its own. It runs where nothing may be written: if it would go on
/// to do so, it has nothing against the database.
///
/// # Errors
/// When the database can't be reached.
pub fn refused_by(url: &str, script: &str) -> Result<Option<Error>> {
    // It is a word more on what is known already, and not worth waiting for.
    let mut session = connected(url, Limits::from_now(None, Some(BRIEF)))?;
    session.must_run("SET default_transaction_read_only = on").map_err(|e| of(url, e))?;
    // raise_exception
    let own = |refusal: &super::session::Refusal| refusal.sqlstate == "P0001";
    let refused = session.run(script).err().filter(own);
    Ok(refused.map(|refusal| Error { at: None, message: refusal.message, hint: refusal.hint }))
}

/// Runs a script in a session of its own, and gives what a setting holds in the end.
///
/// # Errors
/// When the database can't be reached, with `None`; when it refused, with its words and its hint.
pub fn run(url: &str, script: &str, setting: &str) -> Result<String, (Option<String>, Error)> {
    let unable = |e: Error| (None, e);
    // A hand-over waits for what works with the tool's table, as long as that takes.
    let mut session = connected(url, Limits::default()).map_err(unable)?;
    session.run(script).map_err(|refusal| {
        let error = Error { at: None, message: refusal.message.clone(), hint: refusal.hint.clone() };
        (Some(refusal.sqlstate.clone()), error)
    })?;
    let rows = session.rows(&format!("SELECT current_setting('{setting}', true)"));
    let rows = rows.map_err(|e| unable(of(url, e)))?;
    Ok(rows.into_iter().flatten().flatten().next().unwrap_or_default())
}
