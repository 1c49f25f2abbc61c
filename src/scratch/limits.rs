//! How long a statement may take, and how long the whole work.

use std::io::Read;
use std::process::{Child, Command, Output, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// How often a running program is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// Limits of time; none by default. They are kept by us, since a history may set `statement_timeout` as it likes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// For one statement.
    pub statement: Option<Duration>,
    /// For all of the work, and when it is used up.
    pub total: Option<(Duration, Instant)>,
}

impl Limits {
    /// Limits that count from now on.
    pub fn from_now(statement: Option<Duration>, total: Option<Duration>) -> Limits {
        Limits { statement, total: total.map(|total| (total, Instant::now() + total)) }
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

    /// What is to be said of a statement that took too long.
    pub fn exceeded(&self) -> Error {
        match (self.check(), self.statement) {
            (Ok(()), Some(limit)) => Error::new(format!("the statement took longer than {}", said(limit)))
                .hint("the limit is --statement-timeout, or [scratch] statement_timeout"),
            (Err(error), _) => error,
            (Ok(()), None) => Error::new("the time is used up"),
        }
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
        .hint("the limit is --timeout, or [scratch] timeout")
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

/// A length of time as settings have it: `500ms`, `30s`, `10min`, `2h`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = match unit.trim() {
            "ms" => 1,
            "" | "s" => 1000,
            "min" | "m" => 60_000,
            "h" => 3_600_000,
            _ => 0,
        };
        let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|all| *all > 0);
        let time = millis.map(|millis| Time(Duration::from_millis(millis)));
        time.ok_or_else(|| format!("\"{text}\" is no length of time; write it as 500ms, 30s, 10min or 2h"))
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
            assert_eq!(text.parse::<Time>().map(|time| said(time.0)).as_deref(), Ok(read));
        }
        for text in ["", "s", "0s", "-1s", "3 days", "99999999999999999999s"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let limits = Limits::from_now(None, Some(Duration::from_millis(200)));
        let begun = Instant::now();
        let error = limits.output(Command::new("sleep").arg("20")).unwrap_err();
        assert!(error.message.contains("200 ms") && begun.elapsed() < Duration::from_secs(10), "{error}");
    }
}
