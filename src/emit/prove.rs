//! The loop of emit: the highest rungs first, both sets replayed, what differs one rung down, until the proof holds.

use super::lower::{How, Lowered, Lowering};
use super::part::retell;
use super::provenance::origins;
use super::rungs::{RowRungs, Rungs, Standings, StatementsOf, counted, settled, standings};
use super::{Choices, Grouping, NewSet, Owner, render};
use crate::as_replayed::replay_files;
use crate::config::Config;
use crate::error::Error;
use crate::history::{History, StatementId};
use crate::proof::{
    Bare, Judge, Progress, ReplayError, ReplayFailure, ReplayFile, ReplayStatement, Settings, Snapshot, Touched,
    Verdict, VerdictKind, replay_and_survey, verify,
};
use crate::replay::Model;
use crate::schema::Kind;
use crate::sql::parse::NodeEnum;
use std::sync::OnceLock;
use std::time::Instant;

/// How often a set is tried before everything is written as PostgreSQL states it.
const ROUNDS: usize = 30;

/// What came of proving a set.
#[derive(Debug)]
pub struct Proven {
    /// The set.
    pub set: NewSet,
    /// The verdict on it.
    pub verdict: Verdict,
    /// How many units stand on each rung.
    pub rungs: Rungs,
    /// How the statements that bring rows are written.
    pub rows: RowRungs,
    /// Where each unit stands.
    pub standings: Standings,
    /// What stands below rung 2, and why.
    pub lowered: Vec<Lowered>,
    /// Statements that touched no row in the replay of the history.
    pub backfills: Vec<StatementId>,
    /// Statements kept since they can't be understood.
    pub kept_opaque: usize,
    /// How often a candidate was replayed.
    pub rounds: usize,
    /// Whether a part of a history came out best as it is.
    pub untouched: bool,
}

/// Why no set was proven.
#[derive(Debug)]
pub enum Unproven {
    /// The history can't be replayed, or a scratch database can't do its part.
    History(ReplayError),
    /// The candidate can't be, and what stands in the way.
    Candidate(Box<ReplayError>, Vec<String>),
    /// The sets still differ, and what stands in the way.
    Different(Box<Verdict>, Vec<String>),
    /// It was proven, but the migration tool would run something else from its files.
    Unwritable(Error),
}

impl Unproven {
    /// The first thing that stands in the way.
    fn in_short(&self) -> String {
        match self {
            Unproven::Candidate(_, blocked) | Unproven::Different(_, blocked) if !blocked.is_empty() => {
                blocked[0].clone()
            }
            Unproven::History(error) => error.to_string(),
            Unproven::Candidate(error, _) => error.to_string(),
            Unproven::Unwritable(error) => error.to_string(),
            Unproven::Different(verdict, _) => {
                let first = verdict.comparison.differences.first();
                first.map_or("not proven".into(), |d| format!("{} came out different otherwise", d.object))
            }
        }
    }
}

/// A new set as the judge wants it.
pub fn set_files(set: &NewSet) -> Vec<ReplayFile> {
    set.files
        .iter()
        .map(|file| ReplayFile {
            name: file.name.clone(),
            before: set.before.clone(),
            // The tool runs all of them at once on a new database.
            new_session: false,
            in_transaction: !file.bare,
            parts: Vec::new(),
            statements: file
                .statements
                .iter()
                .map(|s| ReplayStatement { line: s.line, text: s.text.clone(), copy_data: s.copy_data.clone() })
                .collect(),
        })
        .collect()
}

/// Finds the best set that is proven to be the same as the history, on the platforms of today and on those of before.
///
/// # Errors
/// When the history itself can't be replayed, or not even a set of what PostgreSQL states comes out the same.
pub fn prove(
    history: &History,
    model: &Model,
    config: &Config,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Proven, Unproven> {
    on_platforms(&replay_files(history), settings, progress, &set_files, &|settings| {
        prove_on(history, model, config, settings, progress)
    })
}

/// Finds a set by `find` that is the same as `files` on the platforms of today and on those of before. `whole` is what runs
/// where a set is used.
pub(super) fn on_platforms(
    files: &[ReplayFile],
    settings: &Settings,
    progress: &dyn Progress,
    whole: &dyn Fn(&NewSet) -> Vec<ReplayFile>,
    find: &dyn Fn(&Settings) -> Result<Proven, Unproven>,
) -> Result<Proven, Unproven> {
    let mut proven = find(settings)?;
    let Some((before, which)) = settings.before() else { return Ok(proven) };
    let note = format!("the same on {which}");
    let verdict = verify(files, &whole(&proven.set), &before, progress).map_err(|(side, error)| match side {
        "old" => Unproven::History(error),
        _ => Unproven::Candidate(Box::new(error), Vec::new()),
    })?;
    if verdict.kind == VerdictKind::Identical {
        proven.verdict.comparison.notes.push(note);
        return Ok(proven);
    }
    // What is right there may be right here.
    let mut other = find(&before)?;
    let verdict = verify(files, &whole(&other.set), settings, progress);
    let verdict = verdict.map_err(|(_, error)| Unproven::Candidate(Box::new(error), Vec::new()))?;
    if verdict.kind != VerdictKind::Identical {
        let why = format!("no set is the same both on the platforms of today and on {which}");
        return Err(Unproven::Different(Box::new(verdict), vec![why]));
    }
    other.verdict.comparison.notes.push(note);
    Ok(other)
}

fn prove_on(
    history: &History,
    model: &Model,
    config: &Config,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Proven, Unproven> {
    let grouping = Grouping::new(config, history, model).map_err(|e| Unproven::History(ReplayError::Unable(e)))?;
    let old_files = replay_files(history);
    let set = render(history, model, &grouping, &Choices::default());
    let begun = Instant::now();
    // What touches no row goes as soon as that is known.
    let without_backfills = OnceLock::new();
    let better = |touched: &Touched| {
        let mut choices = Choices::default();
        let backfills = leave_backfills(model, touched, history, &mut choices);
        let render = || set_files(without_backfills.get_or_init(|| render(history, model, &grouping, &choices)));
        (!backfills.is_empty()).then(render)
    };
    let tried = replay_and_survey(&old_files, &set_files(&set), settings, progress, &better);
    let old = tried.old.map_err(Unproven::History)?;
    let judge = Judge::new(&old_files, old, tried.again, settings, progress, begun);
    let set = without_backfills.into_inner().unwrap_or(set);
    let touched = &judge.old.touched;
    let work = Work { history, model, config, grouping, settings, judge: &judge, touched };
    let stepped = work.step_down(set, Some(tried.new)).map(|(proven, touched)| work.settle(proven, touched));
    let why = match &stepped {
        Ok(proven) if proven.set.statements() <= history.statements.len() => return stepped,
        Ok(_) => "any other set has more statements".to_string(),
        Err(Unproven::History(_)) => return stepped,
        Err(why) => why.in_short(),
    };
    match retell(history, config, &judge, &why) {
        // Consolidated once more it would be looked at as the history was.
        Some((proven, _)) if proven.untouched => Ok(proven),
        Some((proven, touched)) => Ok(work.settle(proven, touched)),
        None => stepped,
    }
}

/// What the loop works with.
struct Work<'a> {
    history: &'a History,
    model: &'a Model,
    config: &'a Config,
    grouping: Grouping,
    settings: &'a Settings,
    judge: &'a Judge<'a>,
    /// What the history's statements did in a replay.
    touched: &'a Touched,
}

impl Work<'_> {
    /// From the highest rungs down, object by object. `first` is what is known already of `set`, if that is without the
    /// statements that touch no row. Also gives how many rows each statement of the proven set touched.
    fn step_down(
        &self,
        mut set: NewSet,
        first: Option<Result<Snapshot, ReplayError>>,
    ) -> Result<(Proven, Touched), Unproven> {
        let (history, model) = (self.history, self.model);
        let mut choices = Choices::default();
        let mut lowering = Lowering::new(history, model, self.judge);
        let backfills = leave_backfills(model, self.touched, history, &mut choices);
        let render = |choices: &Choices| render(history, model, &self.grouping, choices);
        let look = |set: &NewSet, tried: Option<&Snapshot>| self.judge.survey(&set_files(set), tried);
        let mut candidate = first.unwrap_or_else(|| {
            if !backfills.is_empty() {
                set = render(&choices);
            }
            look(&set, None)
        });
        let mut last_resort = false;
        for round in 1.. {
            let seen = candidate.map_err(|error| Unproven::Candidate(Box::new(error), lowering.blocked.clone()))?;
            let verdict = self.judge.verdict(&set_files(&set), &seen).map_err(Unproven::History)?;
            if verdict.kind == VerdictKind::Identical {
                let standings = standings(history, model, &choices, &set);
                let (rungs, rows) = counted(&standings);
                let kept_opaque = kept_opaque(model, &choices);
                let (lowered, untouched, rounds) = (lowering.told(&choices), false, round);
                mark_bare(&mut set, &seen.bare);
                let proven =
                    Proven { set, verdict, rungs, rows, standings, lowered, backfills, kept_opaque, rounds, untouched };
                return Ok((proven, seen.touched));
            }
            let refused: Vec<(Owner, &ReplayFailure)> =
                seen.refused.iter().filter_map(|f| Some((owner_at(&set, f)?, f))).collect();
            let progressed = lowering.round(&mut choices, &refused, &verdict.comparison.differences);
            if !progressed || (round >= ROUNDS && !last_resort) {
                if last_resort {
                    let blocked = lowering.blocked;
                    return Err(match seen.refused.into_iter().next() {
                        Some(first) => Unproven::Candidate(Box::new(ReplayError::Failed(Box::new(first))), blocked),
                        None => Unproven::Different(Box::new(verdict), blocked),
                    });
                }
                last_resort = true;
                let before = (!self.settings.prelude_texts().is_empty()).then(|| look(&NewSet::default(), None).ok());
                lowering.state_everything(&mut choices, before.flatten().as_ref());
            }
            set = render(&choices);
            candidate = look(&set, Some(&seen));
        }
        unreachable!("the loop returns")
    }

    /// Consolidates the set itself until that changes nothing: what was stated piece by piece folds together, and a second
    /// emit finds nothing to do. Each step is proven as the set was; one that has more statements is not taken.
    fn settle(&self, mut proven: Proven, mut touched: Touched) -> Proven {
        let mut places = origins(self.history, self.model, &proven.set, self.grouping.annotate);
        for _ in 0..4 {
            let texts: Vec<(String, String)> =
                proven.set.files.iter().map(|f| (f.name.clone(), f.text.clone())).collect();
            let Ok(mut history) = crate::history::from_texts(std::path::Path::new(""), &texts) else { break };
            history.prelude = self.history.prelude.to_vec();
            history.between = self.history.between;
            if places.len() == history.statements.len() {
                history.origins = std::mem::take(&mut places);
            }
            let model = crate::replay::replay(&history);
            let Ok(grouping) = Grouping::new(self.config, &history, &model) else { break };
            let set = render(&history, &model, &grouping, &Choices::default());
            let idle = leave_backfills(&model, &touched, &history, &mut Choices::default());
            if set.is_as(&proven.set) && idle.is_empty() {
                break;
            }
            let work = Work { history: &history, model: &model, grouping, touched: &touched, ..*self };
            let Ok((next, next_touched)) = work.step_down(set, None) else { break };
            if next.set.is_as(&proven.set) || next.set.statements() > proven.set.statements() {
                break;
            }
            let settled =
                settled(StatementsOf { set: &proven.set, first: 0 }, &proven.standings, &model, &next.standings);
            for lowered in &mut proven.lowered {
                lowered.unit = lowered.unit.and_then(|unit| settled.moved.get(&unit).copied());
            }
            proven.standings = settled.standings;
            (proven.rungs, proven.rows) = counted(&proven.standings);
            // What PostgreSQL states only now, and why.
            let is_new = |l: &&Lowered| l.unit.is_some() && !proven.lowered.iter().any(|known| known.unit == l.unit);
            let stated: Vec<Lowered> = next.lowered.iter().filter(is_new).cloned().collect();
            let stated = stated.into_iter().map(|l| Lowered { statement: None, ..l });
            proven.lowered.extend(stated);
            proven.rounds += next.rounds;
            let idle = "it touches no row of the new set".to_string();
            let idle = next.backfills.iter().map(|id| (*id, idle.clone()));
            let gone = next.lowered.iter().filter(|l| l.how == How::LeftOut);
            let gone = gone.filter_map(|l| Some((l.statement?, l.why.clone())));
            for (statement, why) in idle.chain(gone) {
                proven.lowered.push(self.gone(history.text(statement), why));
            }
            places = origins(&history, &model, &next.set, self.grouping.annotate);
            (proven.set, proven.verdict, touched) = (next.set, next.verdict, next_touched);
        }
        proven
    }

    /// A statement of the set that goes as it settles, by its place in the history if it has one.
    fn gone(&self, text: &str, why: String) -> Lowered {
        let statement = (0..self.history.statements.len()).find(|id| self.history.text(*id) == text);
        let place = statement.map(|id| format!(" ({})", self.history.at(id))).unwrap_or_default();
        let object = format!("{}{place}", crate::replay::first_words(text, 8));
        Lowered { object, how: How::LeftOut, why, statement, unit: None }
    }
}

/// Statements that touched no row of a fresh database are left out.
pub(super) fn leave_backfills(
    model: &Model,
    touched: &Touched,
    history: &History,
    choices: &mut Choices,
) -> Vec<StatementId> {
    let mut idle = Vec::new();
    for id in model.schema.live().filter(|id| model.schema.objects[*id].kind == Kind::Rows) {
        let statement = model.schema.objects[id].source;
        let file = history.statements[statement].file;
        let place = statement - history.files[file].statements.start;
        let touched = touched.get(file).and_then(|f| f.get(place)).copied().flatten();
        // Inside a DO block one count stands for many statements.
        let is_block = matches!(history.statements[statement].node, NodeEnum::DoStmt(_));
        if touched == Some(0) && !is_block {
            choices.left_out.insert(id);
            idle.push(statement);
        }
    }
    idle
}

/// Marks the files that the judge had to run outside of a transaction.
pub(super) fn mark_bare(set: &mut NewSet, bare: &[Bare]) {
    for file in &mut set.files {
        file.bare |= bare.iter().any(|bare| bare.file == file.name);
    }
}

/// Whose statement PostgreSQL refused. A failed COMMIT is the last statement's.
fn owner_at(set: &NewSet, failure: &ReplayFailure) -> Option<Owner> {
    let statements = &set.files.get(failure.file_index)?.statements;
    statements.get(failure.statement_index.min(statements.len().checked_sub(1)?))?.owner
}

pub(super) fn kept_opaque(model: &Model, choices: &Choices) -> usize {
    let schema = &model.schema;
    schema.live().filter(|id| schema.objects[*id].kind == Kind::Opaque && !choices.left_out.contains(id)).count()
}
