//! Reloads a dump into a fresh database and dumps it again.
//!
//! `pg_dump`'s text for one and the same object can depend on how it came about: a check with IN on a varchar column, the
//! order of grants. After one reload both sides came about the same way, so texts that still differ differ in meaning.

use super::{Entry, EntryKind, ReplayError, Settings, Snapshot, entries, replay};
use crate::scratch::{Needs, Scratch, extensions};
use crate::{Error, Result};

use super::session::{OWN_AUTHORIZATION, Refusal, Session};
use regex::Regex;
use std::sync::LazyLock;

/// What a dump sets at its beginning, for entries that are reloaded one by one, and what an entry may leave behind.
const ALONE: &str = "SET search_path = ''; SET check_function_bodies = off; SET default_tablespace = '';
    SET default_table_access_method = heap; SET xmloption = content; SET client_min_messages = warning; SET row_security = off";

/// The entries of a dump after a reload, or why there are none. What PostgreSQL refused of it is missing.
pub(super) fn reloaded(snapshot: &Snapshot, settings: &Settings) -> Result<Vec<Entry>, ReplayError> {
    replay::isolated(|| Ok(reload(snapshot, settings)?))
}

/// Loads a dump into a scratch database and dumps it there, so that it speaks as that PostgreSQL does.
///
/// # Errors
/// When PostgreSQL refuses any of it: nothing of a dump may get lost here.
pub(super) fn translated(snapshot: &Snapshot, settings: &Settings) -> Result<Translated, ReplayError> {
    replay::isolated(|| Ok(translate(snapshot, settings)?))
}

/// A dump as a scratch database states it.
pub(super) struct Translated {
    /// The version of that database.
    pub postgres: String,
    /// The dump.
    pub dump: String,
}

fn translate(snapshot: &Snapshot, settings: &Settings) -> Result<Translated> {
    let (scratch, mut session) = with_roles(snapshot, settings)?;
    let postgres = super::snapshot::one(&mut session, "SELECT split_part(current_setting('server_version'), ' ', 1)")?;
    // Older versions don't know this setting of the preamble, and here it changes nothing.
    let dump = snapshot.dump.replacen("SET transaction_timeout = 0;\n", "", 1);
    scratch.before(&dump)?;
    load(&mut session, &spoken(&dump, &*scratch)).map_err(|refusal| {
        let hint = "what it needs must be there: --scratch local runs on the PostgreSQL of this machine";
        Error::new(format!("the scratch database can't load the dump: {}", refusal.message)).hint(hint)
    })?;
    session.close()?;
    let dump = entries::without_tokens(&scratch.dump()?);
    scratch.stop()?;
    Ok(Translated { postgres, dump })
}

/// A scratch database with the roles that a dump names.
fn with_roles(snapshot: &Snapshot, settings: &Settings) -> Result<(Box<dyn Scratch>, Session)> {
    let needs = Needs {
        extensions: extensions::named([snapshot.dump.as_str()]),
        stand_ins: settings.stand_ins.clone(),
        limits: settings.limits,
    };
    let scratch = settings.database.open(&needs)?;
    let mut session = Session::open(&*scratch, settings.limits)?;
    for global in &snapshot.globals {
        match global.kind {
            EntryKind::Role => {
                scratch.before(&global.text)?;
                session.must_run(&global.text)?;
            }
            // Only grants made by a member want these, and the dump itself fails if one of them is missing. That of a live
            // server may be there in the scratch database too, or not.
            EntryKind::RoleMembership | EntryKind::BootstrapRole => drop(session.load(&global.text)),
            _ => {}
        }
    }
    Ok((scratch, session))
}

/// SQL of a dump, as the scratch database understands it.
fn spoken(sql: &str, scratch: &dyn Scratch) -> String {
    if scratch.is_whole() { sql.to_string() } else { with_own_authorization(sql) }
}

/// Loads a dump; if PostgreSQL refuses it, once more with all of its schemas in the search_path.
fn load(session: &mut Session, dump: &str) -> Result<(), Refusal> {
    session.load(dump).or_else(|refusal| {
        let Some(with_path) = with_path(dump, &path_of([dump])).filter(|_| session.is_open()) else {
            return Err(refusal);
        };
        session.forget()?;
        session.load(&with_path).map_err(|_| refusal)
    })
}

/// How a dump takes the search_path away. It names all in full; but functions that indexes use may call others by their names
/// alone, and PostgreSQL looks into them as it makes the index.
const NO_PATH: &str = "set_config('search_path', '', false)";

/// A text of a dump that sets a search_path where it took it away; nothing if it doesn't.
pub(super) fn with_path(text: &str, path: &str) -> Option<String> {
    let set = format!("set_config('search_path', '{}', false)", path.replace('\'', "''"));
    text.contains(NO_PATH).then(|| text.replacen(NO_PATH, &set, 1))
}

/// The schemas that texts of a dump make, and the one that is always there.
pub(super) fn path_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    static SCHEMA: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"(?m)^CREATE SCHEMA (?:IF NOT EXISTS )?("(?:[^"]|"")+"|[\w$]+)"#).ok());
    let mut path = vec!["public"];
    for text in texts {
        path.extend(SCHEMA.iter().flat_map(|s| s.captures_iter(text)).filter_map(|found| Some(found.get(1)?.as_str())));
    }
    path.join(", ")
}

fn reload(snapshot: &Snapshot, settings: &Settings) -> Result<Vec<Entry>> {
    let (scratch, mut session) = with_roles(snapshot, settings)?;
    if load(&mut session, &spoken(&snapshot.dump, &*scratch)).is_err() {
        // Some dumps can't be reloaded whole, such as one with a language whose handler PostgreSQL brings. What of it can't
        // be is missing afterwards, and compared as it is.
        session.forget()?;
        session.must_run(ALONE)?;
        for entry in &snapshot.entries {
            if session.load(&spoken(&entry.text, &*scratch)).is_err() {
                session.forget()?;
            }
            session.must_run(ALONE)?;
        }
    }
    session.close()?;
    let dump = entries::without_tokens(&scratch.dump()?);
    scratch.stop()?;
    Ok(entries::split(&dump).entries)
}

/// What `look` sees in a scratch database into which a dump was loaded.
///
/// # Errors
/// When PostgreSQL refuses any of the dump, or `look` fails.
pub(super) fn with_reloaded<T>(
    snapshot: &Snapshot,
    settings: &Settings,
    look: impl FnOnce(&mut Session) -> Result<T>,
) -> Result<T> {
    let (scratch, mut session) = with_roles(snapshot, settings)?;
    load(&mut session, &spoken(&snapshot.dump, &*scratch))
        .map_err(|refusal| Error::new(format!("PostgreSQL refused its own dump: {}", refusal.message)))?;
    session.reopen()?;
    let seen = look(&mut session)?;
    session.close()?;
    scratch.stop()?;
    Ok(seen)
}

/// A dump that gives the session back in the way that the embedded PostgreSQL understands.
fn with_own_authorization(dump: &str) -> String {
    let mut quotes = entries::Quotes::default();
    let mut out = String::with_capacity(dump.len());
    for line in entries::lines(dump) {
        if quotes.outside() && line == "RESET SESSION AUTHORIZATION;" {
            out.push_str(OWN_AUTHORIZATION);
            out.push(';');
        } else {
            out.push_str(line);
        }
        out.push('\n');
        quotes.read(line);
    }
    out
}
