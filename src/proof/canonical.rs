//! Reloads a dump into a fresh database and dumps it again.
//!
//! `pg_dump`'s text for one and the same object can depend on how it came about: a check with IN on a varchar column, the
//! order of grants. After one reload both sides came about the same way, so texts that still differ differ in meaning.

use super::{Entry, ReplayError, Settings, Snapshot, entries, replay};
use crate::Result;
use crate::scratch::{Needs, extensions};

use super::session::{OWN_AUTHORIZATION, Session};

/// What a dump sets at its beginning, for entries that are reloaded one by one, and what an entry may leave behind.
const ALONE: &str = "SET search_path = ''; SET check_function_bodies = off; SET default_tablespace = '';
    SET default_table_access_method = heap; SET xmloption = content; SET client_min_messages = warning; SET row_security = off";

/// The entries of a dump after a reload, or why there are none. What PostgreSQL refused of it is missing.
pub(super) fn reloaded(snapshot: &Snapshot, settings: &Settings) -> Result<Vec<Entry>, ReplayError> {
    replay::isolated(|| Ok(reload(snapshot, settings)?))
}

fn reload(snapshot: &Snapshot, settings: &Settings) -> Result<Vec<Entry>> {
    let needs =
        Needs { extensions: extensions::named([snapshot.dump.as_str()]), stand_ins: settings.stand_ins.clone() };
    let scratch = settings.database.open(&needs)?;
    let mut session = Session::open(scratch.url())?;
    for global in &snapshot.globals {
        match global.kind.as_str() {
            "ROLE" => session.must_run(&global.text)?,
            // Only grants made by a member want these, and the dump itself fails if one of them is missing.
            "ROLE MEMBERSHIP" => drop(session.run(&global.text)),
            _ => {}
        }
    }
    if session.run(&with_own_authorization(&snapshot.dump)).is_err() {
        // Some dumps can't be reloaded whole, such as one with a language whose handler PostgreSQL brings. What of it can't
        // be is missing afterwards, and compared as it is.
        session.forget()?;
        session.must_run(ALONE)?;
        for entry in &snapshot.entries {
            if session.run(&with_own_authorization(&entry.text)).is_err() {
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

/// A dump that gives the session back in the way that the embedded PostgreSQL understands.
fn with_own_authorization(dump: &str) -> String {
    let mut quotes = entries::Quotes::default();
    let mut out = String::with_capacity(dump.len());
    for line in dump.lines() {
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
