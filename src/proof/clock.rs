//! The time in which a replay ran, by the clock of its database. A value that lies within came from that clock: the next run
//! gives another one, even where two replays happened to give the same.

use std::sync::LazyLock;

use regex::Regex;

use super::session::Session;
use crate::Result;

/// The times, in seconds since 1970 in UTC; all 0 where no clock was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Clock {
    begun: f64,
    ended: f64,
    /// What the database adds to UTC where a time is kept without its zone.
    zone: f64,
}

impl Clock {
    /// Of a replay between these times.
    #[cfg(test)]
    pub(super) fn between(begun: f64, ended: f64) -> Clock {
        Clock { begun, ended, zone: 0.0 }
    }

    /// Looks at the clock as the replay begins.
    pub(super) fn begin(session: &mut Session) -> Result<Clock> {
        let (begun, zone) = look(session)?;
        Ok(Clock { begun, ended: begun, zone })
    }

    /// Looks at it again at the end.
    pub(super) fn end(self, session: &mut Session) -> Result<Clock> {
        Ok(Clock { ended: look(session)?.0, ..self })
    }

    /// Whether a value is a time of this replay: as PostgreSQL writes it, or counted in seconds, milliseconds or
    /// microseconds. What keeps no more than minutes, days and the like isn't found.
    pub fn gave(&self, value: &str) -> bool {
        if self.begun <= 0.0 {
            return false;
        }
        // What the value leaves off was cut off or rounded.
        let digits = value.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
        let last = 0.1_f64.powi(i32::try_from(digits).unwrap_or(i32::MAX));
        let within = |time: f64, last: f64| time > self.begun - last && time < self.ended + last;
        if let Ok(number) = value.parse::<f64>() {
            // Whole seconds may be counted in thousandths, too.
            let zeros = value.len() - value.trim_end_matches('0').len();
            let last = if digits == 0 { 10_f64.powi(i32::try_from(zeros).unwrap_or(i32::MAX)) } else { last };
            return [1.0, 1e3, 1e6].iter().any(|unit| within(number / unit, (last / unit).min(1.0)));
        }
        match seconds(value) {
            Some((time, Some(zone))) => within(time - zone, last),
            Some((time, None)) => within(time, last) || within(time - self.zone, last),
            None => false,
        }
    }
}

fn look(session: &mut Session) -> Result<(f64, f64)> {
    let sql = "SELECT extract(epoch FROM t), extract(timezone FROM t) FROM pg_catalog.clock_timestamp() t";
    let row = session.rows(sql)?.into_iter().flatten();
    let mut numbers = row.map(|cell| cell.and_then(|text| text.parse().ok()).unwrap_or(0.0));
    let mut next = || numbers.next().unwrap_or(0.0);
    Ok((next(), next()))
}

/// A time as PostgreSQL writes it, in seconds since 1970, and the zone if there is one, in seconds east of UTC.
pub(super) fn seconds(text: &str) -> Option<(f64, Option<f64>)> {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:([+-])(\d\d)(?::?(\d\d))?|Z)?$").ok()
    });
    let found = TIME.as_ref()?.captures(text)?;
    let part = |i: usize| found.get(i).and_then(|m| m.as_str().parse::<f64>().ok()).unwrap_or(0.0);
    // Days by the calendar, with years that begin in March so that a leap day is the last one.
    let (year, month) = if part(2) > 2.0 { (part(1), part(2) - 3.0) } else { (part(1) - 1.0, part(2) + 9.0) };
    let leaps = (year / 4.0).floor() - (year / 100.0).floor() + (year / 400.0).floor();
    let days = 365.0 * year + leaps + ((153.0 * month + 2.0) / 5.0).floor() + part(3) - 1.0 - 719_468.0;
    let time = ((days * 24.0 + part(4)) * 60.0 + part(5)) * 60.0 + part(6);
    let sign = if found.get(7).is_some_and(|sign| sign.as_str() == "-") { -1.0 } else { 1.0 };
    let has_zone = text.ends_with('Z') || found.get(7).is_some();
    Some((time, has_zone.then(|| sign * (part(8) * 60.0 + part(9)) * 60.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clock_gave_is_told_from_what_stands_in_the_set() {
        // 2026-11-22 10:00:00 to 10:00:03 in UTC, on a database in Berlin.
        let clock = Clock { begun: 1_795_341_600.25, ended: 1_795_341_603.5, zone: 3600.0 };
        for value in [
            "2026-11-22 10:00:01.5+00",
            "2026-11-22 10:00:00",
            "2026-11-22 11:00:02.125",
            "2026-11-22 15:30:02+05:30",
            "2026-11-22T10:00:02.1Z",
            "1795341600",
            "1795341602.25",
            "1795341602250",
            "1795341600000",
            "1795341602250000",
        ] {
            assert!(clock.gave(value), "{value}");
        }
        for value in [
            "2026-11-22 09:59:59+00",
            "2026-11-22 10:00:05+00",
            "2026-11-22 10:00:00.125",
            "2026-11-22 10:00:03.625+00",
            "1795341600125",
            "2026-11-22 11:00:02+00",
            "2026-11-22 12:00:02",
            "2026-11-22",
            "10:00:02",
            "1795341700",
            "nan",
            "now",
            "",
        ] {
            assert!(!clock.gave(value), "{value}");
        }
        assert!(!Clock::default().gave("1970-01-01 00:00:00+00") && !Clock::default().gave("0"));
    }

    #[test]
    fn days_are_counted_by_the_calendar() {
        for (text, time) in [
            ("1970-01-01 00:00:00+00", 0.0),
            ("2000-02-29 12:00:00+00", 951_825_600.0),
            ("2000-03-01 00:00:00+00", 951_868_800.0),
            ("2100-03-01 00:00:00+00", 4_107_542_400.0),
        ] {
            assert_eq!(seconds(text), Some((time, Some(0.0))), "{text}");
        }
    }
}
