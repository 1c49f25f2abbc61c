//! What a replay is for: all that came out or the rows only, in which world, strict or as a survey.

use std::sync::atomic::{AtomicBool, Ordering};

use super::snapshot::Want;
use super::world::World;
use super::{ReplayError, Touched};
use crate::Error;

/// What a replay is for.
#[derive(Clone, Copy)]
pub(super) struct Mode<'a> {
    /// What is looked at.
    pub want: Want,
    /// In which world.
    pub world: World,
    /// Whether it goes on after a refusal.
    pub goes_on: bool,
    /// Set when nobody wants the replay any more.
    pub called_off: Option<&'a AtomicBool>,
    /// Hears how many rows each statement touched, when all have run.
    pub listener: Option<&'a (dyn Fn(&Touched) + Sync)>,
}

pub(super) const STRICT: Mode<'_> =
    Mode { want: Want::Everything, world: World::Home, goes_on: false, called_off: None, listener: None };
/// Goes on where PostgreSQL refuses a statement: the snapshot names all that it refused. A set of which nothing is refused was
/// replayed as [`replay`] does it.
pub(super) const SURVEY: Mode<'_> = Mode { goes_on: true, ..STRICT };
/// For the rows only, to learn which of them differ from run to run.
pub(super) const ROWS: Mode<'_> = Mode { want: Want::Rows, ..STRICT };

impl<'a> Mode<'a> {
    /// The same in the other world.
    pub fn away(self) -> Self {
        Mode { world: World::Away, ..self }
    }

    /// The same, until it is called off: then it is an error at the next file.
    pub fn until(self, called_off: &'a AtomicBool) -> Self {
        Mode { called_off: Some(called_off), ..self }
    }

    /// The same, with somebody who hears what the statements touched.
    pub fn heard_by(self, listener: &'a (dyn Fn(&Touched) + Sync)) -> Self {
        Mode { listener: Some(listener), ..self }
    }

    /// Whether anybody still wants it.
    pub fn is_wanted(&self) -> Result<(), ReplayError> {
        match self.called_off {
            Some(called_off) if called_off.load(Ordering::Relaxed) => Err(Error::new("it was called off").into()),
            _ => Ok(()),
        }
    }
}
