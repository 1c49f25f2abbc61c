//! On which rung each unit of a set stands, and how many on each; as a set settles, what a unit is made of tells its rung.

use super::provenance::makers;
use super::text::Texts;
use super::{Choices, NewSet, NewStatement, Owner};
use crate::history::{History, StatementId};
use crate::replay::Model;
use crate::schema::Kind;
use std::collections::HashMap;

/// How a unit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// The author's statement, untouched.
    AsWritten,
    /// The author's statement with later changes worked in.
    Folded,
    /// Its original statements in order.
    AsHappened,
    /// As PostgreSQL states it.
    AsStated,
}

/// A unit's rung, and whether it brings rows: then it is no object, and counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its rung.
    pub rung: Rung,
    /// Whether it brings rows.
    pub brings_rows: bool,
}

/// The units of a set and where they stand.
pub type Standings = HashMap<Owner, Standing>;

/// How many units stand on each rung.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rungs {
    /// The author's statement, untouched.
    pub as_written: usize,
    /// The author's statement with later changes worked in.
    pub folded: usize,
    /// As PostgreSQL states it.
    pub as_stated: usize,
    /// Its original statements in order.
    pub as_happened: usize,
}

/// How the statements that bring rows are written. They are no objects, and are counted apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct RowRungs {
    /// The author's statements.
    pub as_written: usize,
    /// Statements made from the rows that the replayed history left.
    pub as_stated: usize,
}

/// Where the units of a set stand.
pub(super) fn standings(history: &History, model: &Model, choices: &Choices, set: &NewSet) -> Standings {
    let texts = Texts { history, schema: &model.schema, split: &choices.split };
    let rung = |owner: Owner| match owner {
        Owner::Object(id) if choices.happened.contains_key(&id) => Rung::AsHappened,
        Owner::Object(id) if choices.stated.contains_key(&id) => Rung::AsStated,
        Owner::Object(id) if texts.is_edited(id) || choices.before.contains_key(&id) => Rung::Folded,
        Owner::Object(_) | Owner::Step(..) => Rung::AsWritten,
        Owner::Extra(_) => Rung::AsStated,
    };
    let brings_rows = |owner: Owner| match owner {
        Owner::Object(id) | Owner::Step(id, _) => model.schema.objects[id].kind == Kind::Rows,
        Owner::Extra(number) => choices.extras[number].brings_rows(),
    };
    let standing = |owner: Owner| (owner, Standing { rung: rung(owner), brings_rows: brings_rows(owner) });
    units(set).map(standing).collect()
}

/// The units that a set's statements belong to. A later statement of an object belongs to the object's first one.
fn units(set: &NewSet) -> impl Iterator<Item = Owner> {
    let owners = set.files.iter().flat_map(|f| &f.statements).filter_map(|s| s.owner);
    owners.filter(|owner| !matches!(owner, Owner::Step(..)))
}

/// How many stand on which rung.
pub(super) fn counted(standings: &Standings) -> (Rungs, RowRungs) {
    let (mut rungs, mut rows) = (Rungs::default(), RowRungs::default());
    for standing in standings.values() {
        let count = match (standing.brings_rows, standing.rung) {
            (true, Rung::AsStated) => &mut rows.as_stated,
            (true, _) => &mut rows.as_written,
            (false, Rung::AsWritten) => &mut rungs.as_written,
            (false, Rung::Folded) => &mut rungs.folded,
            (false, Rung::AsStated) => &mut rungs.as_stated,
            (false, Rung::AsHappened) => &mut rungs.as_happened,
        };
        *count += 1;
    }
    (rungs, rows)
}

/// What became of the units of a set that was consolidated once more.
pub(super) struct Settled {
    /// Where its units stand.
    pub standings: Standings,
    /// Of which unit each unit of before is a part by now.
    pub moved: HashMap<Owner, Owner>,
}

/// A set that is a history of its own, or the end of one.
pub(super) struct StatementsOf<'a> {
    /// The set.
    pub set: &'a NewSet,
    /// The number that its first statement has in that history.
    pub first: StatementId,
}

/// Where the units of a settled set stand: `next` says it of them as made from the set before, `model` was replayed from that,
/// and `stood` says where its own units stood. None is better than what it is made of.
pub(super) fn settled(of: StatementsOf, stood: &Standings, model: &Model, next: &Standings) -> Settled {
    let statements: Vec<&NewStatement> = of.set.files.iter().flat_map(|file| &file.statements).collect();
    let unit_of = |statement: StatementId| match statements.get(statement.checked_sub(of.first)?)?.owner? {
        Owner::Step(id, _) => Some(Owner::Object(id)),
        owner => Some(owner),
    };
    let mut found = Settled { standings: Standings::new(), moved: HashMap::new() };
    let mut owners: Vec<&Owner> = next.keys().collect();
    owners.sort_unstable();
    for owner in owners {
        let standing = next[owner];
        let mut rung = standing.rung;
        if let Owner::Object(id) = owner {
            for old in makers(model, *id).into_iter().filter_map(unit_of) {
                rung = rung.max(stood.get(&old).map_or(Rung::AsWritten, |old| old.rung));
                found.moved.insert(old, *owner);
            }
        }
        found.standings.insert(*owner, Standing { rung, ..standing });
    }
    found
}
