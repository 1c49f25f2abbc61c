//! Compares any two things that hold a schema: sets that are replayed, dumps that are loaded, databases that exist.
//!
//! All are brought to one PostgreSQL first: a database that exists is dumped, and its dump is loaded into a scratch database and
//! dumped there again, so that two versions don't differ by their wording. What one side can't tell is left out on both, and
//! named.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::compare::{Again, More, compare};
use super::compared::Compared;
use super::mode::{ROWS, STRICT};
use super::verdict::{given, kind, peak_mb};
use super::words::comment_end;
use super::{
    Entry, EntryKind, Facts, Progress, ReplayError, ReplayFile, Settings, Snapshot, StandInCall, TableRows, Verdict,
    canonical, entries, live, replay, side_by_side,
};
use crate::Error;

/// Where a side comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A set of migrations, which is replayed.
    Set(Vec<ReplayFile>),
    /// A dump, which is loaded, with the roles that it names; and whether it brings rows.
    Dump(Vec<ReplayFile>, bool),
    /// A database that exists, as a URL, and where `pg_dump` is, if that is said. It is only read.
    Database(String, Option<PathBuf>),
}

/// What a dump doesn't tell.
const BEYOND_A_DUMP: &str = "roles, memberships, settings, versions of extensions: a dump doesn't hold them";
const WITHOUT_ROWS: &str = "rows, and where sequences stand: the dump doesn't hold them";
/// What belongs to a server more than to a database.
const OF_THE_SERVER: &[EntryKind] = &[
    EntryKind::BootstrapRole,
    EntryKind::BuiltInComments,
    EntryKind::BuiltInObjects,
    EntryKind::Database,
    EntryKind::OtherDatabase,
    EntryKind::Tablespace,
    EntryKind::ReplicationSlot,
    EntryKind::ReplicationOrigin,
    EntryKind::SystemSetting,
];

/// Compares two sides. An error names the side.
///
/// # Errors
/// When a side can't be replayed, loaded or read.
pub fn compare_sources(
    old: &Source,
    new: &Source,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Verdict, (&'static str, ReplayError)> {
    let begun = Instant::now();
    let (one, other) = std::thread::scope(|scope| {
        let other = crate::stack::spawn(scope, || look("new", new, settings, progress));
        let one = replay::isolated(|| look("old", old, settings, progress));
        let broken = || Err(Error::new("the look at the new side broke off").into());
        (one, other.join().unwrap_or_else(|_| broken()))
    });
    let mut one = one.map_err(|error| ("old", error))?;
    let mut other = other.map_err(|error| ("new", error))?;
    fit((&mut one, old), (&mut other, new));
    let (again, elsewhere, back) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
    let both = Both { sides: [old, new], settings, progress, old: &one, again, elsewhere, back };
    let mut comparison = compare(&one, &other, settings, &both).map_err(|error| ("old", error))?;
    if let (Source::Set(_), Some(given)) = (old, given(settings, progress)) {
        comparison.compared = Compared::beside(&one, &given);
    }
    let count = |source: &Source| match source {
        Source::Set(files) | Source::Dump(files, _) => {
            (files.len(), files.iter().map(|file| file.statements.len()).sum())
        }
        Source::Database(..) => (0, 0),
    };
    let stand_ins = StandInCall::of_both(&one.stand_ins, &other.stand_ins);
    Ok(Verdict {
        kind: kind(&comparison),
        postgres: one.postgres.clone(),
        scratch: settings.database.name(),
        seconds: begun.elapsed().as_secs_f64(),
        stand_ins,
        peak_mb: peak_mb(),
        old_files: count(old).0,
        old_statements: count(old).1,
        new_files: count(new).0,
        new_statements: count(new).1,
        comparison,
    })
}

/// What a dump is loaded with: without preludes, since it holds what they make.
fn of_dump(settings: &Settings) -> Settings {
    Settings { platforms: Vec::new(), prelude: Vec::new(), one_session: true, ..settings.clone() }
}

/// The two sides are never in the same world.
fn look(side: &str, source: &Source, settings: &Settings, progress: &dyn Progress) -> Result<Snapshot, ReplayError> {
    let mode = if side == "new" { STRICT.away() } else { STRICT };
    match source {
        Source::Set(files) => replay::replay_as(mode, side, files, settings, progress),
        Source::Dump(files, _) => {
            let load = |files: &[ReplayFile]| replay::replay_as(mode, side, files, &of_dump(settings), progress);
            load(files).or_else(|error| match with_path(files) {
                Some(files) => load(&files).map_err(|_| error),
                None => Err(error),
            })
        }
        Source::Database(url, programs) => {
            progress.step(side, "look", 0, 1);
            let look = || live::look(url, settings, programs.as_deref()).map_err(ReplayError::Unable);
            let mut found = replay::isolated(look)?;
            let there = canonical::translated(&found, &of_dump(settings))?;
            if there.postgres != found.postgres {
                let (was, is) = (&found.postgres, &there.postgres);
                found.notes.push(format!("the database runs on PostgreSQL {was}; its schema was compared on {is}"));
            }
            let split = entries::split(&there.dump);
            found.unread.extend(split.unread);
            found.entries = split.entries;
            found.dump = there.dump;
            found.postgres = there.postgres;
            Ok(found)
        }
    }
}

/// A dump with its schemas in the search_path, for functions that don't say in which ones they look; nothing if it sets none.
fn with_path(files: &[ReplayFile]) -> Option<Vec<ReplayFile>> {
    let mut files = files.to_vec();
    let path =
        canonical::path_of(files.iter().flat_map(|file| &file.statements).map(|s| &s.text[comment_end(&s.text)..]));
    let mut changed = false;
    for statement in files.iter_mut().flat_map(|file| &mut file.statements) {
        if let Some(text) = canonical::with_path(&statement.text, &path) {
            statement.text = text;
            changed = true;
        }
    }
    changed.then_some(files)
}

/// Leaves out on both sides what one of them can't tell, and says so.
fn fit((old, one): (&mut Snapshot, &Source), (new, other): (&mut Snapshot, &Source)) {
    let is_live = |source: &Source| matches!(source, Source::Database(..));
    if is_live(one) != is_live(other) {
        let (live, scratch) = if is_live(one) { (&mut *old, &mut *new) } else { (&mut *new, &mut *old) };
        of_the_database(live, scratch);
    }
    for (source, snapshot) in [(one, &mut *old), (other, &mut *new)] {
        if let Source::Dump(_, brings_rows) = source {
            snapshot.not_compared.push(BEYOND_A_DUMP.to_string());
            snapshot.not_compared.extend((!brings_rows).then(|| WITHOUT_ROWS.to_string()));
        }
    }
    // A dump and a database that exists tell where a sequence stands, and not why.
    if [one, other].iter().any(|source| !matches!(source, Source::Set(_))) {
        for sequence in old.sequences.iter_mut().chain(&mut new.sequences) {
            sequence.is_stated = false;
        }
    }
    let dumped = |source: &Source| matches!(source, Source::Dump(..));
    let rowless = |source: &Source| matches!(source, Source::Dump(_, false));
    for snapshot in [old, new] {
        // A schema has no session.
        snapshot.sessions = None;
        if dumped(one) || dumped(other) {
            snapshot.globals.retain(|global| global.kind == EntryKind::MaterializedViewData);
        }
        if rowless(one) || rowless(other) {
            snapshot.globals.clear();
            snapshot.rows.clear();
            snapshot.sequences.clear();
        }
    }
}

/// Leaves out what belongs to the server of a database: what a scratch one has of its own, and roles that nothing here names.
fn of_the_database(live: &mut Snapshot, scratch: &mut Snapshot) {
    let is_role = |global: &&Entry| global.kind == EntryKind::Role;
    let known: Vec<String> = scratch.globals.iter().filter(is_role).map(|role| role.name.clone()).collect();
    let named = |role: &str| known.iter().any(|name| name == role) || names(&live.dump, role);
    let left: Vec<String> =
        live.globals.iter().filter(is_role).map(|role| role.name.clone()).filter(|role| !named(role)).collect();
    let about = |global: &Entry| {
        let mut words = global.name.split(' ');
        match global.kind {
            EntryKind::Role | EntryKind::RoleComment => left.contains(&global.name),
            EntryKind::RoleMembership => words.any(|word| left.iter().any(|role| role == word)),
            EntryKind::RoleSetting => words.next().is_some_and(|word| left.iter().any(|role| role == word)),
            _ => false,
        }
    };
    live.globals.retain(|global| !about(global) && !global.name.contains(" in database "));
    if !left.is_empty() {
        let count = left.len();
        live.notes.push(format!("{count} roles of the server that nothing in the database names were left out"));
    }
    // Who may not see passwords can't say who has one.
    let blind = live.globals.iter().filter(is_role).all(|role| role.text.ends_with("a password"));
    for snapshot in [live, scratch] {
        snapshot.globals.retain(|global| !OF_THE_SERVER.contains(&global.kind));
        if blind {
            for role in snapshot.globals.iter_mut().filter(|global| global.kind == EntryKind::Role) {
                role.text = role.text.replace(" -- has a password", "");
            }
        }
        snapshot
            .not_compared
            .push("owner, privileges and limits of the database itself, and the server around it".into());
    }
}

/// Whether a dump names a role.
fn names(dump: &str, role: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    dump.match_indices(role).any(|(at, _)| !dump[..at].ends_with(part) && !dump[at + role.len()..].starts_with(part))
}

/// What a comparison may ask for of two sides.
struct Both<'a> {
    sides: [&'a Source; 2],
    settings: &'a Settings,
    progress: &'a dyn Progress,
    old: &'a Snapshot,
    again: OnceLock<Result<Snapshot, ReplayError>>,
    elsewhere: OnceLock<Result<Snapshot, ReplayError>>,
    back: OnceLock<Result<Vec<Entry>, ReplayError>>,
}

impl More for Both<'_> {
    fn again(&self) -> Result<Again<'_>, ReplayError> {
        let replayed =
            |mode, files: &[ReplayFile]| replay::replay_as(mode, "again", files, self.settings, self.progress);
        match self.sides {
            [Source::Set(files), _] => {
                self.again.get_or_init(|| replayed(ROWS.away(), files)).as_ref().map(Again::Old).map_err(Clone::clone)
            }
            [_, Source::Set(files)] => {
                self.again.get_or_init(|| replayed(ROWS, files)).as_ref().map(Again::New).map_err(Clone::clone)
            }
            _ => Ok(Again::Neither),
        }
    }

    fn new_again(&self) -> Result<Option<Vec<TableRows>>, ReplayError> {
        match self.sides {
            [Source::Set(_), Source::Set(files)] => {
                let again = replay::replay_as(ROWS, "new again", files, self.settings, self.progress)?;
                Ok(Some(again.rows))
            }
            _ => Ok(None),
        }
    }

    fn elsewhere(&self) -> Result<Option<&Snapshot>, ReplayError> {
        let Source::Set(files) = self.sides[0] else { return Ok(None) };
        let replay = || replay::replay_as(STRICT.away(), "old elsewhere", files, self.settings, self.progress);
        self.elsewhere.get_or_init(replay).as_ref().map(Some).map_err(Clone::clone)
    }

    fn says_facts(&self, facts: &Facts) -> bool {
        match self.sides {
            [Source::Set(old), Source::Set(new)] => facts.are_said_only_by(new, old),
            _ => false,
        }
    }

    fn further(&self, _: usize) -> Result<[Option<Arc<Vec<TableRows>>>; 2], ReplayError> {
        let replayed = |source: &Source| match source {
            Source::Set(files) => {
                let again = replay::replay_as(ROWS, "again", files, self.settings, self.progress)?;
                Ok(Some(Arc::new(again.rows)))
            }
            _ => Ok(None),
        };
        side_by_side::both(|| replayed(self.sides[0]), || replayed(self.sides[1]))
    }

    fn reloaded(&self, new: &Snapshot) -> Result<(&[Entry], Vec<Entry>), ReplayError> {
        let settings = of_dump(self.settings);
        let one = self.back.get_or_init(|| canonical::reloaded(self.old, &settings)).as_ref().map_err(Clone::clone);
        Ok((one?.as_slice(), canonical::reloaded(new, &settings)?))
    }
}
