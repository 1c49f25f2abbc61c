//! On which PostgreSQL a proof runs: the embedded one, or that of the programs on this machine where the embedded one can't.
//!
//! One proof never mixes them: both sides, and everything that is replayed once more, run on the same one.

use std::path::PathBuf;

use serde::Deserialize;

use super::lack;
use super::powers::{self, Needy};
use super::words::leading_extension;
use super::{Database, ReplayError, ReplayFile, Settings};
use crate::scratch::extensions;
use crate::scratch::gate::Reach;
use crate::scratch::programs::Programs;
use crate::scratch::server::Address;
use crate::{At, Error, Result};

/// What a proof may run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The embedded PostgreSQL; where it can't, the programs on this machine
    #[default]
    Auto,
    /// The PostgreSQL that is compiled into this program
    Embedded,
    /// A throw-away cluster of the PostgreSQL programs on this machine
    Local,
    /// Databases of our own on a server
    #[serde(skip)]
    Server,
}

impl Choice {
    /// The one that a word names; a server is named by its address.
    pub fn by_name(word: &str) -> Option<Choice> {
        match word {
            "auto" => Some(Choice::Auto),
            "embedded" => Some(Choice::Embedded),
            "local" => Some(Choice::Local),
            _ => None,
        }
    }
}

/// What the user wishes a proof to run on.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// What.
    pub choice: Choice,
    /// Where the programs are, if the user says so.
    pub programs: Option<PathBuf>,
    /// Where the server is, for [`Choice::Server`].
    pub server: Option<Address>,
    /// Whether the history may reach out of its database into the machine or the network, where it is asked for by name that it
    /// runs there.
    pub may_reach: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran<T> {
    /// What the work gave.
    pub outcome: T,
    /// What the user should know about where it ran, and what it left.
    pub notes: Vec<String>,
}

/// Runs `work` on the PostgreSQL that is wished for. With [`Choice::Auto`] that is the embedded one, unless `sets` ask for
/// an extension that it can't have; if `failure` finds in what the work gave that the history didn't replay for something that
/// the embedded one lacks, the work is done once more on the programs of this machine, and what comes of that counts. What it
/// refuses is not tried there, nor is a history that would reach for the machine (`lack.rs`).
///
/// # Errors
/// When local programs or a server are wished for and can't be had.
pub fn on_chosen<T, E>(
    wish: &Wish,
    sets: &[&[ReplayFile]],
    settings: &Settings,
    work: impl Fn(&Settings) -> Result<T, E>,
    failure: impl Fn(&E) -> Option<&ReplayError>,
) -> Result<Ran<Result<T, E>>> {
    let on = |database: Database| work(&Settings { database, ..settings.clone() });
    let local = |needy: Needy| {
        let database = Database::local(wish.programs.as_deref())?;
        database.open_gate(wish.may_reach);
        let told = powers::suffice(sets, settings, &database, wish.may_reach, needy)?;
        Ok::<_, Error>((database, told))
    };
    let early = if wish.choice == Choice::Auto { lacking(sets, settings) } else { None };
    if let (Choice::Server, Some(address)) = (wish.choice, &wish.server) {
        let database = Database::server(address.clone(), wish.programs.as_deref(), settings.limits)?;
        database.open_gate(wish.may_reach);
        powers::suffice(sets, settings, &database, wish.may_reach, Needy::Refused)?;
        return Ok(Ran { outcome: on(database.clone()), notes: database.notes() });
    }
    if wish.choice == Choice::Local {
        let (database, told) = local(Needy::Told)?;
        return Ok(Ran { outcome: on(database), notes: told.into_iter().collect() });
    }
    let stays = if wish.choice == Choice::Auto { lack::outward(sets, settings) } else { None };
    if let Some(why) = early.filter(|_| stays.is_none())
        && let Ok((database, _)) = local(Needy::Refused)
    {
        let (notes, outcome) = (vec![instead(&why, &database)], on(database.clone()));
        let failed = outcome.as_ref().err().and_then(&failure);
        // What we refused, or what took too long, would be so anywhere.
        let failed = failed.filter(|failed| !matches!(failed, ReplayError::Unable(_)));
        let Some(failed) = failed else { return Ok(Ran { outcome, notes }) };
        // It may lack what the embedded one has: then what both lack stops the one that comes further.
        let second = on(Database::Embedded);
        let further = second.as_ref().err().and_then(&failure).is_some_and(|again| came_further(again, failed, sets));
        if !further {
            return Ok(Ran { outcome, notes });
        }
        let notes = vec![format!("{} was tried before: {}", whose(&database), in_one_line(failed))];
        return Ok(Ran { outcome: second, notes });
    }
    let outcome = on(Database::Embedded);
    let failed = outcome.as_ref().err().and_then(&failure);
    let Some(failed) = failed.filter(|_| wish.choice == Choice::Auto) else {
        return Ok(Ran { outcome, notes: Vec::new() });
    };
    if lack::of(failed, sets, settings).is_none() {
        return Ok(Ran { outcome, notes: Vec::new() });
    }
    if let Some((at, reach)) = stays {
        return Ok(Ran { outcome, notes: vec![kept_inside(&at, &reach)] });
    }
    let database = match local(Needy::Refused) {
        Ok((database, _)) => database,
        // Programs that are there, or that the user names, should have been tried; others needn't be spoken of.
        Err(error) => {
            let programs = wish.programs.as_deref();
            let expected = Programs::are_named(programs) || Programs::find(programs).is_ok();
            let note = expected.then(|| format!("no other PostgreSQL was tried: {}", without_hint(&error)));
            return Ok(Ran { outcome, notes: note.into_iter().collect() });
        }
    };
    let note = instead(&in_one_line(failed), &database);
    let second = on(database);
    let again = second.as_ref().err().and_then(&failure);
    // If it is the history's own fault, where that was found makes no difference.
    let same = again.is_some_and(|again| alike(failed, again));
    // Where the embedded one came further, what stopped the other one is for the other one to say.
    if again.is_some_and(|again| came_further(failed, again, sets)) {
        return Ok(Ran { outcome, notes: Vec::new() });
    }
    Ok(Ran { outcome: second, notes: if same { Vec::new() } else { vec![note] } })
}

/// Why no other PostgreSQL was tried.
fn kept_inside(at: &At, reach: &Reach) -> String {
    format!("no other PostgreSQL was tried: {at}: {reach}, and auto keeps that inside the embedded one")
}

/// Why a local PostgreSQL took the place of the embedded one.
fn instead(why: &str, database: &Database) -> String {
    format!("{why} (embedded PostgreSQL); this ran on {}", whose(database))
}

fn whose(database: &Database) -> String {
    match database {
        Database::Local(local) => local.programs.to_string(),
        Database::Embedded => "the embedded PostgreSQL".to_string(),
        Database::Server(server) => server.to_string(),
    }
}

fn in_one_line(error: &ReplayError) -> String {
    match error {
        ReplayError::Failed(failure) => format!("{}:{}: {}", failure.file, failure.line, failure.message),
        ReplayError::Unable(error) | ReplayError::Missing(error) => without_hint(error),
    }
}

fn without_hint(error: &Error) -> String {
    Error { hint: None, ..error.clone() }.to_string().replace('\n', " ")
}

/// Whether one replay failed at a later place than another.
fn came_further(one: &ReplayError, other: &ReplayError, sets: &[&[ReplayFile]]) -> bool {
    let file_of = |at: &At| sets.iter().find_map(|set| set.iter().position(|file| file.name == at.file));
    let place = |error: &ReplayError| match error {
        ReplayError::Failed(failure) => Some((!failure.in_prelude, failure.file_index, failure.line)),
        ReplayError::Unable(error) | ReplayError::Missing(error) => {
            let at = error.at.as_ref()?;
            Some((true, file_of(at)?, at.line))
        }
    };
    place(one).zip(place(other)).is_some_and(|(one, other)| one > other)
}

/// Whether two replays failed at the same statement for the same reason.
fn alike(one: &ReplayError, other: &ReplayError) -> bool {
    match (one, other) {
        (ReplayError::Failed(one), ReplayError::Failed(other)) => {
            let place = |f: &super::ReplayFailure| (f.in_prelude, f.file_index, f.statement_index);
            place(one) == place(other) && one.sqlstate == other.sqlstate
        }
        (
            ReplayError::Unable(one) | ReplayError::Missing(one),
            ReplayError::Unable(other) | ReplayError::Missing(other),
        ) => one.at == other.at && one.message == other.message,
        _ => false,
    }
}

/// The first statement that creates an extension which the embedded PostgreSQL certainly can't have.
fn lacking(sets: &[&[ReplayFile]], settings: &Settings) -> Option<String> {
    let files = settings.prelude.iter().chain(sets.iter().flat_map(|set| set.iter()));
    for (file, statement) in files.flat_map(|file| file.statements.iter().map(move |statement| (file, statement))) {
        let Some((extension, line)) = leading_extension(statement) else { continue };
        let stands_in = settings.stand_ins.iter().any(|stand_in| stand_in.name == extension);
        if !stands_in && !extensions::is_there(&extension) {
            return Some(format!("{}: no extension {extension}", At::new(&file.name, line)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::ReplayStatement;

    fn set(texts: &[&str]) -> Vec<ReplayFile> {
        let statement = |text: &&str| ReplayStatement { line: 1, text: text.to_string(), copy_data: None };
        vec![ReplayFile {
            name: "1.sql".into(),
            in_transaction: true,
            statements: texts.iter().map(statement).collect(),
            ..ReplayFile::default()
        }]
    }

    #[test]
    fn an_extension_that_is_certainly_missing_is_found_beforehand() {
        let lacks = |texts: &[&str]| lacking(&[&set(texts)], &Settings::default());
        let said = lacks(&["CREATE EXTENSION citext", "-- maps\nCREATE EXTENSION IF NOT EXISTS postgis;"]);
        assert_eq!(said.as_deref(), Some("1.sql:2: no extension postgis"));
        let fine =
            ["CREATE EXTENSION \"uuid-ossp\"", "CREATE EXTENSION plpgsql", "-- CREATE EXTENSION postgis\nSELECT 1"];
        assert_eq!(lacks(&fine), None);
        assert_eq!(lacks(&["DO $$ BEGIN CREATE EXTENSION postgis; EXCEPTION WHEN others THEN NULL; END $$"]), None);
    }

    #[test]
    fn a_history_that_fails_by_itself_is_alike_everywhere() {
        let failed = |sqlstate: &str| {
            let sqlstate = sqlstate.to_string();
            ReplayError::Failed(Box::new(crate::proof::ReplayFailure { sqlstate, ..Default::default() }))
        };
        assert!(alike(&failed("42P01"), &failed("42P01")));
        assert!(!alike(&failed("42P01"), &failed("0A000")));
        assert!(!alike(&failed("42P01"), &ReplayError::Unable(Error::new("a"))));
        let at = |line: usize| {
            let failure = crate::proof::ReplayFailure { line, ..Default::default() };
            ReplayError::Failed(Box::new(failure))
        };
        let further = |one: &ReplayError, other: &ReplayError| came_further(one, other, &[&set(&["SELECT 1"])]);
        assert!(further(&at(3), &at(2)) && !further(&at(2), &at(2)) && !further(&at(1), &at(2)));
        let lacks = |line: usize| ReplayError::Unable(Error::new("no extension").at(At::new("1.sql", line)));
        assert!(further(&lacks(3), &lacks(2)) && further(&lacks(3), &at(2)) && !further(&at(2), &lacks(2)));
    }
}
