//! Reloads a dump into a fresh database and dumps it again.
//!
//! `pg_dump`'s text for one and the same object can depend on how it came about: a check with IN on a varchar column, the
//! order of grants. After one reload both sides came about the same way, so texts that still differ differ in meaning.

use super::{Entry, ReplayError, Settings, Snapshot, entries, replay};
use crate::scratch::{Needs, Scratch, extensions};
use crate::{Error, Result};

use super::session::{OWN_AUTHORIZATION, Session};

/// The entries of a dump after a reload, or why there are none.
pub(super) fn reloaded(snapshot: &Snapshot, settings: &Settings) -> Result<Vec<Entry>, ReplayError> {
    replay::isolated(|| Ok(reload(snapshot, settings)?))
}

fn reload(snapshot: &Snapshot, settings: &Settings) -> Result<Vec<Entry>> {
    let scratch = loaded(snapshot, settings)?;
    let dump = entries::without_tokens(&scratch.dump()?);
    scratch.stop()?;
    Ok(entries::split(&dump).entries)
}

/// What `look` sees at a URL where a dump was loaded.
pub(super) fn with_reloaded<T>(
    snapshot: &Snapshot,
    settings: &Settings,
    look: impl FnOnce(&str) -> Result<T>,
) -> Result<T> {
    let scratch = loaded(snapshot, settings)?;
    let seen = look(&scratch.url())?;
    scratch.stop()?;
    Ok(seen)
}

/// A scratch database into which a dump was loaded.
fn loaded(snapshot: &Snapshot, settings: &Settings) -> Result<Box<dyn Scratch>> {
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
    session
        .run(&with_own_authorization(&snapshot.dump))
        .map_err(|refusal| Error::new(format!("PostgreSQL refused its own dump: {}", refusal.message)))?;
    session.close()?;
    Ok(scratch)
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
