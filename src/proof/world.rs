//! The two worlds in which sets are replayed. What a server is by itself (the names of its superuser and of the database, the
//! number of its process, where its OIDs begin, what it says of its version, its time zone) is otherwise in each, so that
//! whatever of it gets into rows or texts shows as a difference. The two sides of a comparison never share a world.
//!
//! Before anybody looks at what came of a replay, the names are given back: who owns what is the same in both worlds, and
//! only what was written down differs.

use super::clock::seconds;
use super::session::Session;
use super::{Entry, EntryKind, ReplayFile};
use crate::Result;
use crate::scratch::{PLAIN, Plain, SUPERUSERS, Scratch};

/// Where a replay runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum World {
    /// As a scratch database is.
    #[default]
    Home,
    /// With all of it otherwise that can be.
    Away,
}

/// The superuser's name away, over and over to the length of the one at home: whether a text is long must not hang on it.
const USER: &str = SUPERUSERS[1];
/// Another superuser, for as long as it takes to rename the first.
const HELPER: &str = "consolidate_helper";
/// The database's name away, likewise.
const DATABASE: &str = "elsewhere";
/// The time zone away: it knows no summer.
const ZONE: &str = "Etc/GMT-11";
/// How far it is ahead of UTC, in seconds.
const AHEAD: f64 = 11.0 * 3600.0;
/// Uses up OIDs, so that those of what the set makes begin elsewhere.
const BURN: &str = "SELECT count(pg_catalog.lo_unlink(pg_catalog.lo_create(0))) FROM pg_catalog.generate_series(1, 64)";
/// Functions that tell of the server, and what they say away; an embedded PostgreSQL's only process has the number 1. The version
/// keeps its first number, since sets may ask for that.
const BUILT_IN: &str = "UPDATE pg_catalog.pg_proc SET prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'sql'),
    prosrc = CASE proname WHEN 'version' THEN pg_catalog.format('SELECT %L::text', 'PostgreSQL '
        || pg_catalog.split_part(pg_catalog.current_setting('server_version'), '.', 1) || '.99 on elsewhere') ELSE 'SELECT 98765' END
    WHERE oid IN ('pg_catalog.version()'::pg_catalog.regprocedure, 'pg_catalog.pg_backend_pid()'::pg_catalog.regprocedure)";
/// Makes them what they were.
const BUILT_IN_BACK: &str = "UPDATE pg_catalog.pg_proc
    SET prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'internal'),
    prosrc = CASE proname WHEN 'version' THEN 'pgsql_version' ELSE 'pg_backend_pid' END
    WHERE oid IN ('pg_catalog.version()'::pg_catalog.regprocedure, 'pg_catalog.pg_backend_pid()'::pg_catalog.regprocedure)";
/// What is known of them in the catalogue.
const AS_THEY_ARE: &str = "SELECT (pg_catalog.to_jsonb(p) - 'proacl')::text FROM pg_catalog.pg_proc p
    WHERE oid IN ('pg_catalog.version()'::pg_catalog.regprocedure, 'pg_catalog.pg_backend_pid()'::pg_catalog.regprocedure)";

/// What of the server is otherwise in a replay.
#[derive(Debug, Default)]
pub(super) struct Stay {
    /// The superuser's names, where it has another one.
    user: Option<Names>,
    /// The database's names, where it has another one.
    database: Option<Names>,
    /// Whether the time zone is another one: only where the set asks for it, since times without a zone depend on it too.
    zone: bool,
    /// What the catalogue says of the functions that are replaced.
    functions: Vec<String>,
    /// The role without powers as which the set is replayed, if it is, and its password.
    plain: Option<(&'static str, Option<String>)>,
}

/// What something is called in each world.
#[derive(Debug)]
struct Names {
    home: String,
    away: String,
}

/// What a server is by itself, as its set saw it.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The superuser's name.
    pub user: String,
    /// The database's name.
    pub database: String,
    /// Whether each replay has a database of its own name there: on a server of others.
    pub is_shared: bool,
    /// The time zone.
    pub zone: String,
    /// The number of the process.
    pub process: String,
    /// What `version()` says.
    pub version: String,
    /// The OIDs of relations, by their quoted names with their schemas.
    pub relations: Vec<(String, String)>,
}

impl Stay {
    /// Brings a database that was just opened into a world. What the set names itself (`texts`) stays as it names it, and so
    /// does what a server that is there for others is.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn begin<'a>(
        world: World,
        session: &mut Session,
        scratch: &dyn Scratch,
        texts: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Stay> {
        let stay = match world {
            World::Home => Stay::default(),
            World::Away => Stay::away(session, scratch, texts)?,
        };
        let plain = match scratch.plain() {
            None => None,
            Some(Plain::There(password)) => Some((PLAIN[0], Some(password))),
            Some(Plain::ToMake) => {
                let name = if world == World::Home { PLAIN[0] } else { PLAIN[1] };
                make(session, name)?;
                Some((name, None))
            }
        };
        Ok(Stay { plain, ..stay })
    }

    fn away<'a>(
        session: &mut Session,
        scratch: &dyn Scratch,
        texts: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Stay> {
        let named = |name: &str| texts.clone().any(|text| says(text, name));
        let mut stay = Stay {
            zone: named("'timezone'") || named("show timezone") || named("timezone from current"),
            ..Stay::default()
        };
        session.must_run(BURN)?;
        if scratch.is_shared() {
            return Ok(stay);
        }
        let mut names = session.rows("SELECT session_user, current_database()")?.into_iter().flatten().flatten();
        let mut other = |away: &str| {
            let home = names.next()?;
            let away: String = away.chars().cycle().take(home.chars().count()).collect();
            (!named(&home) && !named(&away)).then_some(Names { home, away })
        };
        stay.user = other(USER);
        stay.database = other(DATABASE);
        stay.functions = session.rows(AS_THEY_ARE)?.into_iter().flatten().flatten().collect();
        session.must_run(BUILT_IN)?;
        stay.go(session)?;
        Ok(stay)
    }

    /// Connects anew as the role without powers, where there is one.
    pub fn lower(&self, session: &mut Session) -> Result<()> {
        match &self.plain {
            Some((name, password)) => session.become_user(Some((*name).to_string()), password.clone()),
            None => Ok(()),
        }
    }

    /// Connects anew as who looks at what came of it.
    pub fn raise(&self, session: &mut Session) -> Result<()> {
        match self.plain {
            Some(_) => session.become_user(self.user.as_ref().map(|names| names.away.clone()), None),
            None => Ok(()),
        }
    }

    /// The name of that role once all names are given back.
    pub fn whose(&self) -> Option<&'static str> {
        self.plain.as_ref().map(|_| PLAIN[0])
    }

    /// What every session of the set begins with.
    pub fn settle(&self, session: &mut Session) -> Result<()> {
        if self.zone { session.must_run(&format!("SET TimeZone = '{ZONE}'")) } else { Ok(()) }
    }

    /// Connects anew.
    pub fn reopen(&self, session: &mut Session) -> Result<()> {
        if session.is_whole() {
            return session.reopen();
        }
        // An embedded PostgreSQL is connected to under the names that it began with.
        self.give_back(session)?;
        session.reopen()?;
        self.take(session)
    }

    /// Gives back what the server is called.
    pub fn end(&self, session: &mut Session) -> Result<()> {
        if !self.functions.is_empty() {
            session.must_run(BUILT_IN_BACK)?;
        }
        if self.plain.as_ref().is_some_and(|(name, _)| *name == PLAIN[1]) {
            session.must_run(&format!("ALTER ROLE {} RENAME TO {}", PLAIN[1], PLAIN[0]))?;
        }
        self.give_back(session)?;
        if session.is_whole() && (self.user.is_some() || self.database.is_some()) {
            session.log_in(None, None);
            return session.reopen();
        }
        Ok(())
    }

    /// Takes out of what was seen what comes of the stay itself.
    pub fn without_traces(&self, globals: &mut Vec<Entry>) {
        globals.retain(|entry| !(entry.kind == EntryKind::BuiltInFunction && self.functions.contains(&entry.text)));
    }

    fn go(&self, session: &mut Session) -> Result<()> {
        self.take(session)?;
        if session.is_whole() && (self.user.is_some() || self.database.is_some()) {
            let to = |names: &Option<Names>| names.as_ref().map(|names| names.away.clone());
            session.log_in(to(&self.user), to(&self.database));
            return session.reopen();
        }
        Ok(())
    }

    /// Takes the names of the world away.
    fn take(&self, session: &mut Session) -> Result<()> {
        if let Some(user) = &self.user {
            session.must_run(&renamed(&user.home, &user.away))?;
        }
        if let Some(database) = &self.database {
            session.must_run(&database_renamed(&database.home, &database.away))?;
        }
        Ok(())
    }

    /// Whatever the history called itself in between stays so.
    fn give_back(&self, session: &mut Session) -> Result<()> {
        if let Some(database) = &self.database {
            session.must_run(&database_renamed(&database.away, &database.home))?;
        }
        let own = session.rows("SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10")?;
        let is_own = |user: &&Names| own.iter().flatten().flatten().any(|name| *name == user.away);
        if let Some(user) = self.user.as_ref().filter(is_own) {
            session.must_run(&renamed(&user.away, &user.home))?;
        }
        Ok(())
    }
}

/// Makes a role that owns the database, and may do there what a superuser may, but for all that leads out of the cluster.
fn make(session: &mut Session, name: &str) -> Result<()> {
    let database =
        session.rows("SELECT current_database()")?.into_iter().flatten().flatten().next().unwrap_or_default();
    session.must_run(&format!(
        "CREATE ROLE {name} LOGIN CREATEDB BYPASSRLS REPLICATION; ALTER DATABASE {} OWNER TO {name}",
        quoted(&database)
    ))
}

/// Gives the superuser another name, which no session of its own may do.
fn renamed(from: &str, to: &str) -> String {
    let (from, to) = (quoted(from), quoted(to));
    format!(
        "CREATE ROLE {HELPER} SUPERUSER; SET SESSION AUTHORIZATION {HELPER}; ALTER ROLE {from} RENAME TO {to};
        SET SESSION AUTHORIZATION {to}; DROP ROLE {HELPER}"
    )
}

/// Gives the database another name, which no session in it may do by ALTER DATABASE.
fn database_renamed(from: &str, to: &str) -> String {
    let literal = |name: &str| name.replace('\'', "''");
    let (from, to) = (literal(from), literal(to));
    format!("UPDATE pg_catalog.pg_database SET datname = '{to}' WHERE datname = '{from}'")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether a text has a name as a word of its own, in capitals or not.
pub(super) fn says(text: &str, name: &str) -> bool {
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let (text, name) = (text.as_bytes(), name.as_bytes());
    let begins: Vec<usize> = (0..(text.len() + 1).saturating_sub(name.len())).collect();
    begins.into_iter().any(|at| {
        let end = at + name.len();
        text[at..end].eq_ignore_ascii_case(name)
            && !at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(of_word)
            && !text.get(end).is_some_and(of_word)
    })
}

/// What the server is by itself, as a session of the set sees it.
pub(super) fn facts(session: &mut Session) -> Result<Facts> {
    let sql = "SELECT session_user, current_database(), current_setting('TimeZone'), pg_backend_pid(), version()";
    let mut found = session.rows(sql)?.into_iter().flatten().map(Option::unwrap_or_default);
    let mut next = || found.next().unwrap_or_default();
    Ok(Facts {
        user: next(),
        database: next(),
        is_shared: false,
        zone: next(),
        process: next(),
        version: next(),
        relations: Vec::new(),
    })
}

/// The OIDs of the relations that a set made.
pub(super) fn relations(session: &mut Session) -> Result<Vec<(String, String)>> {
    let sql = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.oid FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%'";
    let rows = session.rows(sql)?;
    Ok(rows
        .into_iter()
        .filter_map(|row| <[Option<String>; 2]>::try_from(row).ok())
        .filter_map(|[name, oid]| name.zip(oid))
        .collect())
}

impl Facts {
    /// The facts by what gives them: for texts, the longest first.
    pub fn named(&self) -> [(&'static str, &str); 5] {
        [
            ("version()", &self.version),
            ("current_database()", &self.database),
            ("current_setting('TimeZone')", &self.zone),
            ("CURRENT_USER", &self.user),
            ("pg_backend_pid()", &self.process),
        ]
    }

    /// Whether a time is one that the set states without a zone: it is the same by the clock on the wall of both servers, as
    /// PostgreSQL writes it in UTC.
    pub fn states_without_zone(&self, value: &str, other: &Facts, twin: &str) -> bool {
        let apart = seconds(value).zip(seconds(twin)).map(|((a, _), (b, _))| a - b);
        self.zone != other.zone && other.zone == ZONE && apart.is_some_and(|apart| (apart - AHEAD).abs() < 1e-6)
    }

    /// Whether a set names what this server is called, and another one doesn't.
    pub(super) fn are_said_only_by(&self, set: &[ReplayFile], other: &[ReplayFile]) -> bool {
        let say = |files: &[ReplayFile], name: &str| {
            files.iter().flat_map(|file| &file.statements).any(|statement| says(&statement.text, name))
        };
        let names = [&self.user, &self.database, &self.version];
        names.into_iter().any(|name| say(set, name) && !say(other, name))
    }

    /// Whether a text holds what this server is called, and another one isn't.
    pub(super) fn are_in(&self, text: &str, other: &Facts) -> bool {
        let pairs = self.named().into_iter().zip(other.named());
        pairs.filter(|((_, a), (_, b))| a != b && a.len() > 2).any(|((_, fact), _)| text.contains(fact))
    }
}

/// A text with marks in place of what only these servers are, and of numbers that may be OIDs. Names come first: a part of one
/// may look like a number.
pub(super) fn masked(text: &str, of: [&Facts; 2]) -> String {
    let mut masked = text.to_string();
    for facts in of {
        let names = facts.named().into_iter().filter(|(asked, _)| *asked != "pg_backend_pid()");
        for (_, fact) in names.filter(|(_, fact)| fact.len() > 2) {
            masked = masked.replace(fact, "<server>");
        }
    }
    let mut out = String::with_capacity(masked.len());
    let mut number = String::new();
    for c in masked.chars().chain(['\n']) {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        // The process of the embedded one is called 1, which says nothing.
        let is_process = number.len() > 2 && of.iter().any(|facts| facts.process == number);
        out.push_str(if is_process || number.len() > 4 { "<number>" } else { &number });
        number.clear();
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_of_its_own() {
        assert!(says("ALTER TABLE t OWNER TO Postgres;", "postgres") && says("postgres", "postgres"));
        assert!(!says("my_postgres, postgresql", "postgres") && !says("", "postgres"));
        assert!(says("current_setting('TimeZone')", "'timezone'") && !says("timezone('utc', now())", "'timezone'"));
    }

    #[test]
    fn what_only_a_server_is_is_masked() {
        let facts = |user: &str| Facts { user: user.into(), ..Facts::default() };
        let (home, away) = (facts("postgres"), facts("away"));
        let both = |text: &str| masked(text, [&home, &away]);
        assert_eq!(both("'postgres', 16385"), both("'away', 16449"));
        assert_ne!(both("'postgres', 1"), both("'web', 1"));
        // Names of databases on a server of others may hold what looks like a number.
        let of = |database: &str| Facts { database: database.into(), ..Facts::default() };
        let (one, other) = (of("scratch_a123456f"), of("scratch_00abcdef"));
        assert_eq!(masked("'scratch_a123456f'", [&one, &other]), masked("'scratch_00abcdef'", [&one, &other]));
    }
}
