//! The only room that formats: library results become text or JSON here, and only the program prints them.

pub mod ci;
pub mod draft;
pub mod emit;
pub mod plan;
pub mod style;
pub mod summary;
pub mod verdict;
mod words;

use crate::escape;

/// The version of the JSON: it grows when a field changes its meaning, not when one is added.
pub const FORMAT: u32 = 1;

/// Where something stands: the first place, and how many more there are.
fn first_places(places: &[crate::At]) -> String {
    match places {
        [] => "nowhere".into(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// Adds a line to a report. Whatever names it holds, it stays one.
fn add(out: &mut String, text: &str) {
    out.push_str(&escape::line(text));
    out.push('\n');
}
