//! How a single value of a row is written: as a constant of its type, or as the expression that gives it anew.

use crate::sql::names::literal;
use regex::Regex;
use std::sync::LazyLock;

/// A value of a type as people write it: numbers and truth without quotes.
pub(super) fn constant(text: &str, type_name: &str) -> String {
    let is_number = || {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        [whole, part].iter().all(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
    };
    let base = type_name.split('(').next().unwrap_or_default();
    match (base, text) {
        ("boolean", "t") => "true".into(),
        ("boolean", "f") => "false".into(),
        ("smallint" | "integer" | "bigint" | "numeric", _) if is_number() => text.into(),
        _ => literal(text),
    }
}

pub(super) fn is_time(type_name: &str) -> bool {
    type_name.starts_with("time") || type_name == "date"
}

/// Whether a text is what PostgreSQL writes for a time with its zone.
pub(super) fn is_time_text(text: &str) -> bool {
    static TIME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d$").ok());
    TIME.as_ref().is_some_and(|time| time.is_match(text))
}

/// What gives a value of a type that differs from run to run.
pub(super) fn expression(type_name: &str) -> Option<&'static str> {
    match type_name {
        t if is_time(t) => Some("now()"),
        "uuid" => Some("gen_random_uuid()"),
        "double precision" | "real" => Some("random()"),
        _ => None,
    }
}

/// What gives the time of now as the column counts it: in seconds, or thousandths or millionths of them.
pub(super) fn counted_time(value: &str, type_name: &str) -> Option<String> {
    let units = match value.split('.').next()?.len() {
        10 => "",
        13 => " * 1000",
        16 => " * 1000000",
        _ => return None,
    };
    let base = type_name.split('(').next()?;
    matches!(base, "integer" | "bigint" | "numeric" | "text" | "character varying")
        .then(|| format!("floor(extract(epoch FROM now()){units})::{base}"))
}

/// Whether a text is a UUID as PostgreSQL writes it.
pub(super) fn is_uuid_text(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = |group: &&str| group.bytes().all(|b| b.is_ascii_hexdigit());
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex)
}

/// A text that holds facts of the server, as what gives it; `facts` are expressions with what they gave in each replay. Both
/// texts are walked along together, since two facts may be alike on one server.
pub(super) fn put_together(value: &str, twin: &str, facts: &[(&str, &str, &str)]) -> Option<String> {
    let (mut here, mut there) = (value, twin);
    let (mut parts, mut text) = (Vec::new(), String::new());
    while let Some(next) = here.chars().next() {
        let before = &value[..value.len() - here.len()];
        let fact = facts.iter().find_map(|(what, a, b)| {
            let rests = here.strip_prefix(a).filter(|_| a.len() > 2).zip(there.strip_prefix(b))?;
            // Where it is the same in both, only a word of its own can be it.
            (a != b || is_word(before, rests.0)).then_some((what, rests))
        });
        if let Some((what, rests)) = fact {
            if !text.is_empty() {
                parts.push(literal(&std::mem::take(&mut text)));
            }
            parts.push((*what).to_string());
            (here, there) = rests;
            continue;
        }
        there = there.strip_prefix(next)?;
        here = &here[next.len_utf8()..];
        text.push(next);
    }
    if !text.is_empty() {
        parts.push(literal(&text));
    }
    (there.is_empty() && parts.len() > 1).then(|| parts.join(" || "))
}

/// Whether what stands between two texts is a word of its own.
pub(super) fn is_word(before: &str, behind: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    !before.ends_with(is_part) && !behind.starts_with(is_part)
}
