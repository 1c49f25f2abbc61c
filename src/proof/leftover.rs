//! What files leave in the session: settings, the role, things that live as long as the connection.
//!
//! The next file begins with it, and so does what the migration tool itself says on that connection: that the file has run.
//! So it is a part of what is the same. At its end a set must leave what the history leaves at its own. In between, where
//! the files of two sets don't match, each file of the new set must end with what the history began with, or with what one
//! of its files left: there the tool went on, and can again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::compare::{Change, Class, Comparison, Difference};
use super::session::Session;
use super::{EntryKind, ReplayFile, Settings};
use crate::Result;

/// What stands for a setting that is as the session began.
const AS_BEGUN: &str = "as the session began";
/// Settings that give names and privileges their meaning: only together are they a session in which a tool went on.
const TOGETHER: [&str; 3] = ["search_path", "role", "session_authorization"];

/// A session, as far as it isn't as it began.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Left {
    /// Settings and where they stand; role and session authorization are among them.
    pub settings: BTreeMap<String, String>,
    /// What else is there: temporary tables, prepared statements, locks.
    pub things: BTreeSet<String>,
}

/// What one file left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileEnd {
    /// Its name.
    pub file: String,
    /// What the next file would begin with; or, if that has a session of its own, what this one ended with.
    pub after: Left,
    /// What the tool finds inside its transaction, where it writes down there that the file has run.
    pub inside: Option<Left>,
    /// Whether the next file has a session of its own.
    pub apart: bool,
    /// What the tool says to its connection before each file.
    pub before: Vec<String>,
}

impl FileEnd {
    /// What a next file begins with.
    pub fn next(&self) -> Left {
        if self.apart { Left::default() } else { self.after.clone() }
    }
}

/// Watches the session of a replay.
pub(super) struct Watch {
    /// As it began.
    begun: Option<BTreeMap<String, String>>,
    /// Settings of the set's own, which no catalogue lists.
    own: Vec<String>,
    /// Whether something set for a transaction only was seen.
    local: bool,
}

impl Watch {
    /// One for these files and what runs before them.
    pub fn new(files: &[ReplayFile], settings: &Settings) -> Self {
        let all = settings.prelude.iter().chain(files).flat_map(|file| &file.statements);
        let texts = || all.clone().map(|statement| statement.text.as_str());
        Watch { begun: None, own: own_settings(texts()), local: texts().any(may_be_local) }
    }

    /// The same for a new session, whose next look is its beginning.
    pub fn anew(self) -> Self {
        Watch { begun: None, ..self }
    }

    /// Whether the session may be another one inside a transaction than after it.
    pub fn looks_inside(&self, file: &ReplayFile) -> bool {
        self.local && file.in_transaction && file.before.is_empty()
    }

    /// The session as it is now, seen from how it began. The first look is that beginning.
    pub fn look(&mut self, session: &mut Session) -> Result<Left> {
        let mut left = Left::default();
        for row in session.rows(&query(&self.own))? {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let (kind, name, value) = (cells.next(), cells.next().unwrap_or_default(), cells.next());
            if kind.as_deref() == Some("setting") {
                left.settings.insert(name, value.unwrap_or_default());
            } else {
                left.things.insert(format!("{} {name}", kind.unwrap_or_default()));
            }
        }
        let Some(begun) = &self.begun else {
            self.begun = Some(left.settings);
            return Ok(Left { things: left.things, ..Left::default() });
        };
        left.settings.retain(|name, value| begun.get(name).map(String::as_str).unwrap_or_default() != value);
        Ok(left)
    }
}

/// Asks for what isn't as a connection finds it. Settings whose names have a dot are listed nowhere.
fn query(own: &[String]) -> String {
    let named: String = own.iter().map(|name| format!(", '{}'", name.replace('\'', "''"))).collect();
    format!(
        "SELECT 'setting', name, setting FROM pg_catalog.pg_settings
            WHERE source = 'session' AND setting IS DISTINCT FROM reset_val AND name NOT LIKE 'transaction\\_%'
        UNION ALL SELECT 'setting', name, pg_catalog.current_setting(name, true)
            FROM pg_catalog.unnest(ARRAY['search_path', 'role'{named}]) name
        UNION ALL SELECT 'setting', 'session_authorization', session_user
        UNION ALL SELECT 'temporary table', relname, NULL FROM pg_catalog.pg_class
            WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind IN ('r', 'p', 'v')
        UNION ALL SELECT 'temporary function', proname, NULL FROM pg_catalog.pg_proc
            WHERE pronamespace = pg_catalog.pg_my_temp_schema()
        UNION ALL SELECT 'prepared statement', name, NULL FROM pg_catalog.pg_prepared_statements
        UNION ALL SELECT 'cursor', name, NULL FROM pg_catalog.pg_cursors WHERE is_holdable
        UNION ALL SELECT 'channel listened to', c, NULL FROM pg_catalog.pg_listening_channels() c
        UNION ALL SELECT 'advisory lock', pg_catalog.concat_ws(' ', classid, objid, objsubid, mode), NULL
            FROM pg_catalog.pg_locks WHERE locktype = 'advisory'
                AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
    )
}

/// Names with a dot that a set may set.
fn own_settings<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    static SET: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let words = r#"(?is)\bset\s+(?:session\s+|local\s+)?((?:\w|")+(?:\.(?:\w|")+)+)\s*(?:=|\bto\b)|\bset_config\s*\(\s*'([^']+\.[^']+)'"#;
        Regex::new(words).ok()
    });
    let Some(set) = SET.as_ref() else { return Vec::new() };
    let names = texts.flat_map(|text| set.captures_iter(text)).filter_map(|found| found.get(1).or(found.get(2)));
    let names: BTreeSet<String> = names.map(|name| name.as_str().replace('"', "").to_lowercase()).collect();
    names.into_iter().collect()
}

/// Whether a text may set something for its transaction only.
fn may_be_local(text: &str) -> bool {
    static LOCAL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\blocal\b|set_config").ok());
    LOCAL.as_ref().is_some_and(|local| local.is_match(text))
}

/// Compares what two sets left. Nothing is compared where a side has no files.
pub(super) fn compare(old: &[FileEnd], new: &[FileEnd], found: &mut Comparison) {
    found.notes.extend(said_of(old));
    let (was, is) =
        (old.last().map(FileEnd::next).unwrap_or_default(), new.last().map(FileEnd::next).unwrap_or_default());
    let before = |side: &[FileEnd]| side.last().map(|end| end.before.clone()).unwrap_or_default();
    // A tool that gives back what the other tool doesn't: that holds for all files to come.
    let gives_back = !new.is_empty() && before(old) != before(new) && !before(new).is_empty();
    let file = new.last().map(|end| end.file.clone());
    let names: BTreeSet<&String> = was.settings.keys().chain(is.settings.keys()).collect();
    for name in names {
        let (one, other) = (was.settings.get(name), is.settings.get(name));
        if one != other && !(gives_back && other.is_none()) {
            found.differences.push(setting(&EntryKind::Session, name, file.as_deref(), one, other));
        }
    }
    let there: BTreeSet<&String> = old.iter().flat_map(|end| &end.after.things).collect();
    for gone in was.things.difference(&is.things) {
        let last = old.last().map(|end| end.file.as_str()).unwrap_or_default();
        found.notes.push(format!("{last} leaves a {gone} behind, the new set doesn't; no other connection sees it"));
    }
    let last = new.len().saturating_sub(1);
    for (at, end) in new.iter().enumerate() {
        let is_end = at == last && !end.apart;
        let allowed = |thing: &&String| if is_end { was.things.contains(*thing) } else { there.contains(thing) };
        for thing in end.after.things.iter().filter(|thing| !allowed(thing)) {
            found.differences.push(Difference {
                change: Change::Added,
                new: Some(thing.clone()),
                ..bare(&EntryKind::SessionObject, thing, Some(&end.file))
            });
        }
        // What lasts beyond the transaction counts once.
        let lasts = |(name, value): &(&String, &String)| end.after.settings.get(*name) == Some(*value);
        let inside = end.inside.iter().flat_map(|left| strange(left, old)).filter(|setting| !lasts(setting));
        let after = (!is_end).then_some(&end.after).into_iter().flat_map(|left| strange(left, old));
        let strange: BTreeMap<&String, &String> = after.chain(inside).collect();
        for (name, value) in strange {
            found.differences.push(setting(&EntryKind::SessionOfAFile, name, Some(&end.file), None, Some(value)));
        }
    }
}

/// Settings of a session that stand as they stood at no file's border of the history.
fn strange<'a>(left: &'a Left, old: &[FileEnd]) -> Vec<(&'a String, &'a String)> {
    let borders = || old.iter().flat_map(|end| std::iter::once(&end.after).chain(&end.inside));
    let is_together = |name: &str| TOGETHER.contains(&name);
    let names = |left: &'a Left| left.settings.iter().filter(|(name, _)| is_together(name));
    let same = |border: &Left| TOGETHER.iter().all(|name| border.settings.get(*name) == left.settings.get(*name));
    let fine = names(left).next().is_none() || borders().any(same);
    let known = |name: &String, value: &String| borders().any(|border| border.settings.get(name) == Some(value));
    let is_strange = |(name, value): &(&'a String, &'a String)| match is_together(name) {
        true => !fine,
        false => !known(name, value),
    };
    left.settings.iter().filter(is_strange).collect()
}

/// Whether a setting only says how long and how loud something is done, not what comes of it.
fn is_aside(setting: &str) -> bool {
    let names = ["application_name", "client_min_messages", "maintenance_work_mem", "work_mem"];
    names.contains(&setting) || setting.ends_with("_timeout") || setting.starts_with("log_")
}

/// In which way the old set's files were run, where that may matter to them.
fn said_of(old: &[FileEnd]) -> Option<String> {
    let (_, others) = old.split_last()?;
    let matters = |end: &FileEnd| end.next().settings.into_keys().filter(|name| !is_aside(name)).collect::<Vec<_>>();
    let mut leaving = others.iter().map(|end| (end, matters(end))).filter(|(_, settings)| !settings.is_empty());
    let (first, settings) = leaving.next()?;
    let settings = settings.join(", ");
    let more = match leaving.count() {
        0 => String::new(),
        1 => " (and so does another file)".to_string(),
        more => format!(" (and so do {more} more files)"),
    };
    Some(format!(
        "{} leaves {settings} changed for the files after it{more}: proven as they run in one session, one after the other",
        first.file
    ))
}

fn setting(kind: &EntryKind, name: &str, file: Option<&str>, old: Option<&String>, new: Option<&String>) -> Difference {
    let said = |value: Option<&String>| Some(value.map_or_else(|| AS_BEGUN.to_string(), ToString::to_string));
    Difference { old: said(old), new: said(new), ..bare(kind, name, file) }
}

fn bare(kind: &EntryKind, name: &str, file: Option<&str>) -> Difference {
    let place = match (kind, file) {
        (_, None) => "in the session at the end".to_string(),
        (EntryKind::Session, Some(file)) => format!("in the session at the end, after {file}"),
        (_, Some(file)) => format!("in the session after {file}"),
    };
    Difference {
        kind: kind.clone(),
        schema: "-".into(),
        name: name.into(),
        object: format!("{name} {place}"),
        class: Class::Session,
        change: Change::Changed,
        property: None,
        old: None,
        new: None,
        file: file.map(ToString::to_string),
    }
}
