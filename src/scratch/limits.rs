//! How long a statement may take, how long the whole work, and how much a statement may give.

use std::io::Read;
use std::process::{Child, Command, Output, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// How often a running program is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// How long a statement may take, if nothing else is said.
pub const STATEMENT: Duration = Duration::from_secs(60);
/// How long all of the work may take, if nothing else is said.
pub const TOTAL: Duration = Duration::from_secs(600);
/// How many bytes a statement may give, if nothing else is said.
pub const RESULT: u64 = 256 << 20;
/// The word that lifts a limit.
const NONE: &str = "none";

/// Limits of time and of memory; none by default. They are kept by us, since a history may set `statement_timeout` as it likes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// For one statement.
    pub statement: Option<Duration>,
    /// For all of the work, and when it is used up.
    pub total: Option<(Duration, Instant)>,
    /// For what one statement gives, in bytes; and for the rows of one table.
    pub result: Option<u64>,
}

impl Limits {
    /// Limits that count from now on.
    pub fn from_now(statement: Option<Duration>, total: Option<Duration>) -> Limits {
        Limits { statement, total: total.map(|total| (total, Instant::now() + total)), result: None }
    }

    /// How long the next statement may take.
    pub fn next(&self) -> Option<Duration> {
        [self.statement, self.left()].into_iter().flatten().min()
    }

    /// How much is left of the whole time.
    pub fn left(&self) -> Option<Duration> {
        self.total.map(|(_, end)| end.saturating_duration_since(Instant::now()))
    }

    /// Fails if the whole time is used up.
    ///
    /// # Errors
    /// Then.
    pub fn check(&self) -> Result<()> {
        match self.total {
            Some((total, end)) if Instant::now() >= end => Err(used_up(total)),
            _ => Ok(()),
        }
    }

    /// What is to be said of something that took too long, such as "the statement".
    pub fn exceeded(&self, what: &str) -> Error {
        match (self.check(), self.statement) {
            (Ok(()), Some(limit)) => Error::new(format!("{what} took longer than {}", said(limit))).hint(
                "the limit is --statement-timeout, or [scratch] statement_timeout: 10min gives it more time, none as much as \
                 it takes",
            ),
            (Err(error), _) => error,
            (Ok(()), None) => Error::new("the time is used up"),
        }
    }

    /// Whether so many bytes are more than a statement may give.
    pub fn is_too_much(&self, bytes: u64) -> bool {
        self.result.is_some_and(|limit| bytes > limit)
    }

    /// What is to be said of something that gives more.
    pub fn too_much(&self, what: &str) -> Error {
        let limit = Size(self.result);
        Error::new(format!("{what} gives more than {limit}")).hint(
            "the limit is --result-size, or [scratch] result_size: 2GB raises it, none lifts it; what is read is held in \
             memory, several times over",
        )
    }

    /// Runs a program to its end, or until the whole time is used up.
    ///
    /// # Errors
    /// When it doesn't start, or takes too long.
    pub fn output(&self, command: &mut Command) -> Result<Output> {
        let unable = |e: std::io::Error| Error::new(e.to_string());
        if self.total.is_none() {
            return command.output().map_err(unable);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(unable)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            let out = scope.spawn(move || all(out));
            let err = scope.spawn(move || all(err));
            let status = self.wait(&mut child)?;
            Ok(Output { status, stdout: out.join().unwrap_or_default(), stderr: err.join().unwrap_or_default() })
        })
    }

    fn wait(&self, child: &mut Child) -> Result<std::process::ExitStatus> {
        loop {
            if let Some(status) = child.try_wait().map_err(|e| Error::new(e.to_string()))? {
                return Ok(status);
            }
            if let Err(error) = self.check() {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
            std::thread::sleep(GLANCE);
        }
    }
}

fn all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What could be read is what there is: the program's own status says whether it is all.
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

fn used_up(total: Duration) -> Error {
    Error::new(format!("the time limit of {} is used up", said(total)))
        .hint("the limit is --timeout, or [scratch] timeout: 1h gives it more time, none as much as it takes")
}

/// A time as people say it.
fn said(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0 => "0 s".to_string(),
        m if m % 60_000 == 0 => format!("{} min", m / 60_000),
        m if m % 1000 == 0 => format!("{} s", m / 1000),
        m => format!("{m} ms"),
    }
}

/// A length of time as settings have it: `500ms`, `30s`, `10min`, `2h`, or a number of seconds; `none` for as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub Option<Duration>);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        let units = [("ms", 1), ("", 1000), ("s", 1000), ("min", 60_000), ("m", 60_000), ("h", 3_600_000)];
        let millis = measured(text, &units);
        let time = millis.map(|millis| Time(millis.map(Duration::from_millis)));
        time.ok_or_else(|| format!("\"{text}\" is no length of time; write it as 500ms, 30s, 10min or 2h, or none"))
    }
}

/// A number with its unit, in the smallest one; nothing for `none`. It must be more than 0.
fn measured(text: &str, units: &[(&str, u64)]) -> Option<Option<u64>> {
    let text = text.trim();
    if text == NONE {
        return Some(None);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, unit) = units.iter().find(|(name, _)| *name == unit.trim())?;
    let all = number.parse::<u64>().ok()?.checked_mul(*unit)?;
    (all > 0).then_some(Some(all))
}

/// A size as settings have it: `64MB`, `2GB`; `none` for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub Option<u64>);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let units = [("kB", 1 << 10), ("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30)];
        measured(text, &units)
            .map(Size)
            .ok_or_else(|| format!("\"{text}\" is no size; write it as 64kB, 256MB or 2GB, or none"))
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Size, String> {
        text.parse()
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str(NONE),
            Some(bytes) if bytes % (1 << 30) == 0 => write!(f, "{} GB", bytes >> 30),
            Some(bytes) if bytes % (1 << 20) == 0 => write!(f, "{} MB", bytes >> 20),
            Some(bytes) => write!(f, "{} kB", bytes >> 10),
        }
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Time, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_said() {
        for (text, read) in [("90", "90 s"), ("500ms", "500 ms"), ("2 min", "2 min"), ("1h", "60 min")] {
            assert_eq!(text.parse::<Time>().map(|time| time.0.map(said)), Ok(Some(read.to_string())));
        }
        assert_eq!(" none".parse::<Time>(), Ok(Time(None)));
        for text in ["", "s", "0s", "-1s", "3 days", "99999999999999999999s"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_said() {
        for (text, read) in
            [("64kB", "64 kB"), ("256MB", "256 MB"), ("2 GB", "2 GB"), ("2048MB", "2 GB"), ("none", "none")]
        {
            assert_eq!(text.parse::<Size>().map(|size| size.to_string()).as_deref(), Ok(read));
        }
        for text in ["", "0MB", "12", "1 PB", "-1GB", "99999999999999GB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        let limits = Limits { result: Some(RESULT), ..Limits::default() };
        assert!(
            limits.is_too_much(RESULT + 1) && !limits.is_too_much(RESULT) && !Limits::default().is_too_much(u64::MAX)
        );
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let limits = Limits::from_now(None, Some(Duration::from_millis(200)));
        let begun = Instant::now();
        let error = limits.output(Command::new("sleep").arg("20")).unwrap_err();
        assert!(error.message.contains("200 ms") && begun.elapsed() < Duration::from_secs(10), "{error}");
    }
}
