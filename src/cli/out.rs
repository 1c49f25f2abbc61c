//! What leaves the program: data on standard output, talk on standard error, each through the escape of its medium.

use super::Outcome;
use consolidate::escape::{self, Medium, escaped};
use consolidate::report::style::Style;
use consolidate::scratch::server::redacted;
use consolidate::secrets;
use consolidate::{At, Error};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a line for standard error was lost.
static LOST: AtomicBool = AtomicBool::new(false);

/// Colours for standard output.
pub fn style() -> Style {
    Style { colour: io::stdout().is_terminal() && !no_colour() }
}

fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

/// A text of lines, with colours where there are marks and the place is one for them.
fn lines(text: &str, style: Style) -> String {
    if style.colour { escape::painted(text) } else { escaped(text, Medium::Lines) }
}

/// Standard output is data. A reader that went away (`| head`) is no error, but a full disk is one.
pub fn print(text: &str) -> Result<(), Vec<Error>> {
    write(&lines(text, style()))
}

/// As [`print`], where every part went through its own escape, and lines may well be commands: annotations, JSON, help.
pub fn print_as_it_is(text: &str) -> Result<(), Vec<Error>> {
    write(text)
}

pub fn print_json(value: &serde_json::Value) -> Result<(), Vec<Error>> {
    write(&format!("{value:#}\n"))
}

fn write(text: &str) -> Result<(), Vec<Error>> {
    let mut out = io::stdout().lock();
    match out.write_all(secrets::hidden(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = format!("can't write to standard output, so the report is cut: {error}");
            Err(vec![Error::new(message).hint("is there room where it goes?")])
        }
        _ => Ok(()),
    }
}

/// The same, where something was done before it was to be told: the error says so.
pub fn after(done: &str, printed: Result<(), Vec<Error>>) -> Result<(), Vec<Error>> {
    printed.map_err(|errors| errors.into_iter().map(|e| e.hint(done)).collect())
}

/// One thing said on standard error. What follows its first line stands in, so that no line of it looks like one of ours.
fn say(word: &str, text: &str) {
    let style = Style { colour: io::stderr().is_terminal() && !no_colour() };
    let word = match word {
        "error:" => style.red(word),
        "note:" => style.dim(word),
        _ => style.yellow(word),
    };
    let mut text = redacted(text).to_string();
    if text.contains('\n') {
        let stands_in = |line: &str| if line.starts_with("    ") { line.to_string() } else { format!("    {line}") };
        text = text
            .lines()
            .enumerate()
            .map(|(i, l)| if i == 0 { l.into() } else { stands_in(l) })
            .collect::<Vec<_>>()
            .join("\n");
    }
    talk(&format!("{}\n", lines(&format!("{word} {text}"), style)));
}

/// To standard error, as it is.
pub fn talk(text: &str) {
    if let Err(error) = io::stderr().write_all(text.as_bytes())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Whether something that was said got lost, on a full disk, say.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// What came of a command, its errors said: its exit code.
pub fn ended(outcome: Outcome) -> u8 {
    let code = outcome.unwrap_or_else(|errors| {
        complain(&errors);
        super::UNABLE
    });
    if is_lost() { super::UNABLE } else { code }
}

/// Errors go to standard error, each with its hint. One hint of several in a row is said once, behind them.
pub fn complain(errors: &[Error]) {
    for (number, error) in errors.iter().enumerate() {
        let place = error.at.as_ref().map(|at| format!("{}: ", escape::line(&at.to_string()))).unwrap_or_default();
        say("error:", &format!("{place}{}", error.message));
        let next = errors.get(number + 1).and_then(|next| next.hint.as_ref());
        if let Some(hint) = error.hint.as_ref().filter(|hint| next != Some(hint)) {
            say("hint:", hint);
        }
    }
}

/// One warning, on standard error.
pub fn warn_of(at: &At, why: &str) {
    say("warning:", &format!("{}: {why}", escape::line(&at.to_string())));
}

/// Something worth knowing goes to standard error.
pub fn tell(note: &str) {
    say("note:", note);
}
