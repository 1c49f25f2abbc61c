//! Progress on a terminal while sets are replayed; silence elsewhere.

use crate::proof::Progress;
use crate::report::escape::line;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Mutex;

/// Bars, one for each side.
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
}

impl Progress for Bars {
    fn step(&self, side: &str, what: &str, done: usize, total: usize) {
        if !self.shown {
            return;
        }
        let Ok(mut sides) = self.sides.lock() else { return };
        let bar = sides.entry(side.to_string()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{prefix:>10} {bar:30} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            self.all.add(ProgressBar::new(0).with_style(style).with_prefix(line(side)))
        });
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        bar.set_message(line(what));
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let _ = self.all.clear();
    }
}
