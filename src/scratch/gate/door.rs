//! What has passed once passes again: replays run the same statements many times.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Reading, read};
use crate::Error;
use crate::scratch::Barred;

/// Remembers what was read.
#[derive(Debug, Default)]
pub struct Gate {
    hasher: RandomState,
    read: Mutex<HashMap<u64, Arc<Reading>>>,
}

impl Gate {
    /// Reads a text of statements.
    ///
    /// # Errors
    /// When PostgreSQL's grammar doesn't know it: nobody can say what it would do.
    pub fn read(&self, sql: &str) -> Result<Arc<Reading>, Barred> {
        let key = self.hasher.hash_one(sql);
        if let Some(known) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(known));
        }
        let reading = Arc::new(read(sql).map_err(Barred::Unread)?);
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&reading));
        Ok(reading)
    }

    /// Reads it, and refuses what reaches out of a server: that is closed wherever a history runs.
    ///
    /// # Errors
    /// When it does, or can't be read.
    pub fn inside(&self, sql: &str) -> Result<Arc<Reading>, Barred> {
        let reading = self.read(sql)?;
        match reading.found.iter().find(|reach| reach.is_outside()) {
            Some(reach) => Err(Barred::Closed(
                Error::new(format!("{reach}, and isn't run on this machine"))
                    .hint("the embedded PostgreSQL has neither programs nor files nor a network: --scratch embedded"),
            )),
            None => Ok(reading),
        }
    }
}
