//! The one call: proves the best set of a history, or of a part of one, and lays it out as its tool will read it.

use super::lay_out::{Laid, lay_out, name_in_part, wants_downs};
use super::{Proven, Unproven, add_downs, prove, prove_part, whole};
use crate::as_replayed::replay_files;
use crate::config::{Config, Numbers};
use crate::error::Error;
use crate::history::contents::Contents;
use crate::history::cut::Cut;
use crate::history::layout::Layout;
use crate::history::{self, History};
use crate::progress::Progress;
use crate::proof::{ReplayError, Settings, Verdict, VerdictKind, verify};
use crate::replay::replay;
use crate::store::WholeFile;
use std::path::Path;

/// What is consolidated, and how the set is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The whole history.
    pub history: &'a History,
    /// Where it is cut, if only a part of it is consolidated.
    pub cut: Option<Cut>,
    /// The settings of the new set.
    pub config: &'a Config,
    /// The layout in which it is written.
    pub layout: &'static dyn Layout,
    /// The folder that was named as the history's. Where that is above the history's own, the new set lies as deep.
    pub folder: &'a Path,
}

/// A proven set as its tool will read it.
#[derive(Debug, Clone)]
pub enum Filed {
    /// All of a history's set.
    Set(Laid),
    /// A whole folder, of which a part stays as it is.
    Whole(Vec<WholeFile>),
}

impl Filed {
    /// All files, with their bytes.
    pub fn files(&self) -> Vec<WholeFile> {
        match self {
            Filed::Set(laid) => laid.whole(),
            Filed::Whole(files) => files.clone(),
        }
    }

    /// The paths of the set's own files, in its order.
    pub fn names(&self, proven: &Proven, history: &History) -> Vec<String> {
        match self {
            Filed::Set(laid) => laid.names.clone(),
            Filed::Whole(_) => proven.set.files.iter().map(|file| name_in_part(file, history)).collect(),
        }
    }
}

/// Proves a set, and lays it out; where a part of the history stays as it is, the whole new folder too, as it will be read.
///
/// # Errors
/// When the history doesn't replay, no set comes out the same, or the tool would run something else from its files.
pub fn consolidate(order: &Order, settings: &Settings, progress: &dyn Progress) -> Result<(Proven, Filed), Unproven> {
    match order.cut {
        None => order.all(settings, progress),
        Some(cut) => order.part(cut, settings, progress),
    }
}

impl Order<'_> {
    /// The history as far as it is replayed for the set: up to a cut that keeps what follows.
    pub fn consolidated(&self) -> History {
        match self.cut {
            Some(Cut::Through(files)) => self.history.first(files),
            _ => self.history.clone(),
        }
    }

    fn all(&self, settings: &Settings, progress: &dyn Progress) -> Result<(Proven, Filed), Unproven> {
        let Order { history, config, layout, .. } = *self;
        let mut proven = prove(history, &replay(history), config, settings, progress)?;
        if wants_downs(history, layout)
            && let Err(why) = add_downs(&mut proven.set, history, settings, progress)
        {
            progress.note(&format!("no way back is proven: {why}"));
        }
        let emit = &config.emit;
        let keeps_versions = emit.first_version.is_none() && matches!(emit.numbers, None | Some(Numbers::Originals));
        let laid = lay_out(&proven.set, history, self.folder, layout, keeps_versions).map_err(Unproven::Unwritable)?;
        if layout != history.layout {
            self.as_read(&laid, settings, progress)?;
        }
        Ok((proven, Filed::Set(laid)))
    }

    /// Proves a set once more as another tool than the history's will run it: its sessions and transactions are its own.
    fn as_read(&self, laid: &Laid, settings: &Settings, progress: &dyn Progress) -> Result<(), Unproven> {
        if laid.files.is_empty() {
            return Ok(());
        }
        let texts = laid.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        let contents = Contents::in_memory(Path::new(""), texts);
        let read = history::read_contents(contents, Some(self.layout)).map_err(|mut errors| {
            let first = if errors.is_empty() { Error::new("it can't be read") } else { errors.remove(0) };
            Unproven::Unwritable(Error::new(format!("the set can't be read as {}: {first}", self.layout.name())))
        })?;
        judged(verify(&replay_files(self.history), &replay_files(&read), settings, progress)).map(drop)
    }

    fn part(&self, cut: Cut, settings: &Settings, progress: &dyn Progress) -> Result<(Proven, Filed), Unproven> {
        let Order { history, config, .. } = *self;
        let proven = match cut {
            Cut::From(start) => prove_part(history, start, config, settings, progress)?,
            Cut::Through(_) => {
                // What comes later may count on where a sequence stands.
                let exact = Settings { exact_sequences: true, ..settings.clone() };
                let first = self.consolidated();
                prove(&first, &replay(&first), config, &exact, progress)?
            }
        };
        if proven.untouched {
            let files = whole::files_of(history).and_then(|files| whole::within(history, self.folder, files));
            return Ok((proven, Filed::Whole(files.map_err(Unproven::Unwritable)?)));
        }
        let (files, notes) = whole::whole(history, cut, &proven.set).map_err(Unproven::Unwritable)?;
        notes.iter().for_each(|note| progress.note(note));
        let mut read = whole::read_back(history, &files).map_err(Unproven::Unwritable)?;
        read.between = history.between;
        whole::in_order(history, cut, &read).map_err(Unproven::Unwritable)?;
        let verdict = judged(verify(&replay_files(history), &replay_files(&read), settings, progress))?;
        let files = whole::within(history, self.folder, files).map_err(Unproven::Unwritable)?;
        Ok((Proven { verdict, ..proven }, Filed::Whole(files)))
    }
}

/// A verdict that proves something.
fn judged(verdict: Result<Verdict, (&'static str, ReplayError)>) -> Result<Verdict, Unproven> {
    match verdict {
        Ok(verdict) if verdict.kind == VerdictKind::Identical => Ok(verdict),
        Ok(verdict) => Err(Unproven::Different(Box::new(verdict), Vec::new())),
        Err((_, error)) => Err(Unproven::Candidate(Box::new(error), Vec::new())),
    }
}
