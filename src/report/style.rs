//! Colours, on or off. Everything that formats takes a [`Style`], so that piped output carries no escape codes.

use crate::escape::Look;

/// Whether the text may carry colours.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// On for a terminal without `NO_COLOR`.
    pub colour: bool,
}

impl Style {
    fn paint(self, look: Look, text: &str) -> String {
        if self.colour { look.around(text) } else { text.to_string() }
    }

    /// For what is wrong or gone.
    pub fn red(self, text: &str) -> String {
        self.paint(Look::Red, text)
    }

    /// For what is right or new.
    pub fn green(self, text: &str) -> String {
        self.paint(Look::Green, text)
    }

    /// For what asks for a look.
    pub fn yellow(self, text: &str) -> String {
        self.paint(Look::Yellow, text)
    }

    /// For headings.
    pub fn bold(self, text: &str) -> String {
        self.paint(Look::Bold, text)
    }

    /// For places and other small print.
    pub fn dim(self, text: &str) -> String {
        self.paint(Look::Dim, text)
    }
}
