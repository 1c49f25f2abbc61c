//! Progress on a terminal while a call works; notes and warnings on standard error.

use super::{tell, warn_of};
use consolidate::escape::line;
use consolidate::{At, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

/// Bars, one for each side; they go when they are dropped, and before anything else is said.
pub struct Bars {
    all: MultiProgress,
    sides: Mutex<HashMap<String, ProgressBar>>,
    shown: bool,
}

impl Bars {
    /// Bars on standard error, if that is a terminal.
    pub fn new() -> Bars {
        Bars { all: MultiProgress::new(), sides: Mutex::default(), shown: std::io::stderr().is_terminal() }
    }

    fn clear(&self) {
        let mut sides = self.sides.lock().unwrap_or_else(PoisonError::into_inner);
        sides.drain().for_each(|(_, bar)| self.all.remove(&bar));
        let _ = self.all.clear();
    }
}

impl Progress for Bars {
    fn step(&self, side: &str, what: &str, done: usize, total: usize) {
        if !self.shown {
            return;
        }
        let mut sides = self.sides.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = sides.entry(side.to_string()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{prefix:>10} {bar:30} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            self.all.add(ProgressBar::new(0).with_style(style).with_prefix(line(side)))
        });
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        bar.set_message(line(what));
    }

    fn note(&self, text: &str) {
        self.clear();
        tell(text);
    }

    fn warning(&self, at: &At, why: &str) {
        self.clear();
        warn_of(at, why);
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}
