//! Colours, on or off. Everything that formats takes a [`Style`], so that piped output carries no escape codes.

use anstyle::{AnsiColor, Effects};

/// Whether the text may carry colours.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// On for a terminal without `NO_COLOR`.
    pub colour: bool,
}

impl Style {
    fn paint(self, style: anstyle::Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    /// For what is wrong or gone.
    pub fn red(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default(), text)
    }

    /// For what is right or new.
    pub fn green(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// For what asks for a look.
    pub fn yellow(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// For headings.
    pub fn bold(self, text: &str) -> String {
        self.paint(anstyle::Style::new().effects(Effects::BOLD), text)
    }

    /// For places and other small print.
    pub fn dim(self, text: &str) -> String {
        self.paint(anstyle::Style::new().effects(Effects::DIMMED), text)
    }
}
