//! In place of `local.rs` where there are no Unix sockets.

use std::path::Path;
use std::sync::Arc;

use super::gate::Gate;
use super::programs::Programs;
use super::{Barred, Limits, Scratch};
use crate::{Error, Result};

/// There is none here.
#[derive(Debug)]
pub struct Local {
    /// The programs.
    pub programs: Programs,
    gate: Gate,
}

impl Local {
    /// Says that it can't.
    ///
    /// # Errors
    /// Always.
    pub fn start(_given: Option<&Path>) -> Result<Arc<Local>> {
        Err(Error::new("PostgreSQL programs can't be used for scratch databases on this system")
            .hint("--scratch embedded"))
    }

    /// What statements would have to pass.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// There is nothing that has powers.
    pub fn lower(&self, _is_plain: bool) {}

    /// There is nothing to run a statement on.
    ///
    /// # Errors
    /// Never.
    pub fn admits(&self, _sql: &str) -> Result<(), Barred> {
        Ok(())
    }
}

/// There is none here.
pub struct Cluster;

impl Cluster {
    /// Says that it can't.
    ///
    /// # Errors
    /// Always.
    pub fn start(_local: &Arc<Local>, _limits: Limits) -> Result<Cluster> {
        Err(Error::new("there are no local scratch databases on this system"))
    }
}

impl Scratch for Cluster {
    fn url(&self) -> String {
        String::new()
    }

    fn dump(&self) -> Result<String> {
        Ok(String::new())
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn stop(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
