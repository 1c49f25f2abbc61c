//! What has passed once passes again: replays run the same statements many times.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::facts::is_free_language;
use super::{Reach, Reading, read};
use crate::Error;
use crate::scratch::Barred;

/// Remembers what was read.
#[derive(Debug, Default)]
pub struct Gate {
    hasher: RandomState,
    read: Mutex<HashMap<u64, Arc<Reading>>>,
    /// Whether the history is trusted with the machine and the network.
    is_open: AtomicBool,
    /// Languages of the history's own that are held back as PL/pgSQL is.
    languages: Mutex<HashSet<String>>,
}

impl Gate {
    /// Reads a text of statements.
    ///
    /// # Errors
    /// When PostgreSQL's grammar doesn't know it: nobody can say what it would do.
    pub fn read(&self, sql: &str) -> Result<Arc<Reading>, Barred> {
        let key = self.hasher.hash_one(sql);
        if let Some(known) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(self.without_what_passes(known));
        }
        let reading = Arc::new(read(sql).map_err(Barred::Unread)?);
        let own = reading.languages.iter().filter(|name| is_free_language(name)).cloned();
        self.languages.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&reading));
        Ok(self.without_what_passes(&reading))
    }

    /// Trusts the history with the machine and the network.
    pub fn open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Relaxed);
    }

    /// Without what may pass: what is written in a language of the history's own can't be read here, but can't do more than
    /// PL/pgSQL either; and all that leaves the server, where the history is trusted.
    fn without_what_passes(&self, reading: &Arc<Reading>) -> Arc<Reading> {
        let own = self.languages.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = self.is_open.load(Ordering::Relaxed);
        let passes = |reach: &Reach| match reach {
            Reach::Language(name) => is_open || own.contains(name),
            Reach::Foreign(_) | Reach::Place(_) | Reach::Brings(_) => is_open,
            _ => is_open && reach.is_outside(),
        };
        if !reading.found.iter().any(|found| passes(&found.reach)) {
            return Arc::clone(reading);
        }
        let mut reading = Reading::clone(reading);
        reading.found.retain(|found| !passes(&found.reach));
        reading.is_unseen = true;
        Arc::new(reading)
    }

    /// Reads it, and refuses what reaches out of a server: that is closed wherever a history runs.
    ///
    /// # Errors
    /// When it does, or can't be read.
    pub fn inside(&self, sql: &str) -> Result<Arc<Reading>, Barred> {
        let reading = self.read(sql)?;
        match reading.found.iter().map(|found| &found.reach).find(|reach| reach.is_outside()) {
            Some(reach) => Err(Barred::Closed(
                Error::new(format!("{reach}, and isn't run on this machine"))
                    .hint(
                        "the embedded PostgreSQL has neither programs nor files nor a network: --scratch embedded; if you trust the \
                         history with this machine, --trusted reach",
                    ),
            )),
            None => Ok(reading),
        }
    }
}
