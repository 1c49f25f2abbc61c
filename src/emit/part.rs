//! The later part of a history, consolidated on top of what comes before it: the first candidate that is proven is taken.
//!
//! The candidates, from the best to the part itself: its net change; its own statements without the dead ones; both in one
//! file, then in the files of the part, since PostgreSQL wants some statements in transactions of their own.

use super::lay_out::may_be_bare;
use super::online;
use super::prove::{kept_opaque, leave_backfills, mark_bare, on_platforms};
use super::provenance::origins;
use super::rungs::{RowRungs, Rungs, Standings, StatementsOf, counted, settled, standings};
use super::session::untold;
use super::set::{NewFile, NewStatement, as_happened, before_each};
use super::{Choices, Grouping, How, Lowered, NewSet, Owner, Proven, Unproven, render, set_files};
use crate::as_replayed::replay_files;
use crate::config::Config;
use crate::history::{History, StatementId};
use crate::ledger::{Event, Fold, What};
use crate::lex::words;
use crate::proof::{
    Judge, Progress, ReplayError, ReplayFile, Settings, Snapshot, Touched, Verdict, VerdictKind, replay_and_survey,
};
use crate::replay::{Model, replay_around, replay_from};
use crate::schema::{Body, Kind, Object, ObjectId, Property, Schema};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Instant;

/// What is tried, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The net change, in the files that the settings ask for, or in one.
    Net,
    /// The net change in the files of the part.
    NetByFile,
    /// The part's own statements without the dead ones, in one file.
    Happened,
    /// The same in the files of the part.
    HappenedByFile,
    /// The part as it is.
    Untouched,
}

const FORMS: &[Form] = &[Form::Net, Form::NetByFile, Form::Happened, Form::HappenedByFile, Form::Untouched];

struct Part<'a> {
    history: &'a History,
    model: Model,
    config: &'a Config,
    first_file: usize,
    /// The files before the part.
    before: Vec<ReplayFile>,
    /// Statements that touch what data moved through: it can't be netted, whatever an empty database shows.
    moving: HashSet<StatementId>,
    /// Those of them that stay since tables in use would be locked for longer without them.
    relied_on: HashSet<StatementId>,
    /// Statements of which something lives.
    living: HashSet<StatementId>,
    /// Whether the rest can be netted around those that are moving.
    is_netted: bool,
    /// The files of the part that keep to themselves what spares tables in use a long lock.
    apart: BTreeSet<usize>,
}

/// Finds the best set for the files from `first_file` on that is proven, on top of the files before, to give the same, on the
/// platforms of today and on those of before.
///
/// # Errors
/// When the history can't be replayed, or when the settings can't be read.
pub fn prove_part(
    history: &History,
    first_file: usize,
    config: &Config,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Proven, Unproven> {
    let old = replay_files(history);
    let whole = |set: &NewSet| old[..first_file].iter().cloned().chain(set_files(set)).collect();
    on_platforms(&old, settings, progress, &whole, &|settings| {
        prove_part_on(history, &old, first_file, config, settings, progress)
    })
}

fn prove_part_on(
    history: &History,
    old: &[ReplayFile],
    first_file: usize,
    config: &Config,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Proven, Unproven> {
    let part = Part::new(history, first_file, config, old[..first_file].to_vec());
    let mut choices = Choices::default();
    let unable = |e| Unproven::History(ReplayError::Unable(e));
    let begun = Instant::now();
    let mut forms: Vec<Form> = FORMS.to_vec();
    if !part.is_netted {
        forms.retain(|f| !matches!(f, Form::Net | Form::NetByFile));
    }
    if !part.apart.is_empty() {
        // In one file it would be one transaction, which holds all its locks to the end.
        forms.retain(|f| *f != Form::Happened);
    }
    let mut set = part.candidate(forms[0], &choices).map_err(unable)?;
    let tried = replay_and_survey(old, &part.on_top(&set), settings, progress, &|_| None);
    let (seen_old, first) = (tried.old.map_err(Unproven::History)?, tried.new);
    let judge = Judge::new(old, seen_old, tried.again, settings, progress, begun);
    let backfills = part.leave_backfills(&judge.old, &mut choices);
    choices.at_end = untold(history, &judge.old);
    let mut first = Some(first).filter(|_| backfills.is_empty() && choices.at_end.is_empty());
    let mut lowered = part.moving_told();
    let mut rounds = 0;
    for form in forms {
        set = part.candidate(form, &choices).map_err(unable)?;
        if form != Form::Untouched && set.statements() > part.statements() {
            first = None;
            continue;
        }
        rounds += 1;
        let files = part.on_top(&set);
        let seen = first.take().unwrap_or_else(|| judge.survey(&files, None));
        let verdict = match &seen {
            Ok(seen) => judge.verdict(&files, seen).map_err(Unproven::History)?,
            Err(error) if form == Form::Untouched => {
                return Err(Unproven::Candidate(Box::new(error.clone()), Vec::new()));
            }
            Err(_) => continue,
        };
        // The tool would refuse a file that runs only outside of a transaction.
        let bare = seen.as_ref().ok().and_then(|seen| seen.bare.first()).filter(|_| judge.old.bare.is_empty());
        if let Some(bare) = bare.filter(|_| form != Form::Untouched) {
            lowered.push(gave_way(form, bare.to_string()));
            continue;
        }
        if verdict.kind != VerdictKind::Identical {
            lowered.extend(seen.ok().and_then(|seen| why_not(form, &seen, &verdict)));
            if form == Form::Untouched {
                return Err(Unproven::Different(Box::new(verdict), Vec::new()));
            }
            continue;
        }
        let proven = Proven { lowered, backfills, rounds, ..part.proven(form, &choices, set, verdict) };
        let prove = |set: &NewSet| {
            let files = part.on_top(set);
            let seen = judge.survey(&files, None).ok()?;
            let verdict = judge.verdict(&files, &seen).ok()?;
            (verdict.kind == VerdictKind::Identical).then_some(verdict)
        };
        return Ok(if matches!(form, Form::Net | Form::NetByFile) {
            part.settle(proven, &choices.at_end, &prove)
        } else {
            proven
        });
    }
    unreachable!("the part as it is comes last")
}

/// A whole history by its own statements, where nothing better could be proven: without the dead ones, else as it is.
pub(super) fn retell(history: &History, config: &Config, judge: &Judge<'_>, why: &str) -> Option<(Proven, Touched)> {
    let part = Part::new(history, 0, config, Vec::new());
    let mut choices = Choices::default();
    let backfills = part.leave_backfills(&judge.old, &mut choices);
    choices.at_end = untold(history, &judge.old);
    for (round, form) in [Form::HappenedByFile, Form::Untouched].into_iter().enumerate() {
        let untouched = form == Form::Untouched;
        let mut set = part.candidate(form, &choices).ok()?;
        if !untouched && set.statements() >= history.statements.len() {
            continue;
        }
        let files = set_files(&set);
        let Ok(seen) = judge.survey(&files, None) else { continue };
        let verdict = judge.verdict(&files, &seen).ok()?;
        if verdict.kind != VerdictKind::Identical {
            continue;
        }
        mark_bare(&mut set, &seen.bare);
        let lowered = vec![gave_way(form, why.to_string())];
        let backfills = if untouched { Vec::new() } else { backfills };
        let proven = part.proven(form, &Choices::default(), set, verdict);
        return Some((Proven { lowered, backfills, rounds: round + 1, ..proven }, seen.touched));
    }
    None
}

/// A file's text without what was masked in it, the marks of a tool: carriage returns stand there.
fn unmasked(text: &str) -> String {
    let lines = text.split('\n').filter(|line| line.len() < 2 || !line.bytes().all(|b| b == b'\r'));
    lines.collect::<Vec<_>>().join("\n")
}

/// A form in words.
fn told(form: Form) -> &'static str {
    match form {
        Form::Net => "the net change",
        Form::NetByFile => "the net change, file by file",
        Form::Happened => "all statements but the dead ones, in one file",
        Form::HappenedByFile => "all statements but the dead ones, file by file",
        Form::Untouched => "all statements",
    }
}

/// Why a form was given up, for the report: the first statement that PostgreSQL refused, or the first difference.
fn why_not(form: Form, seen: &Snapshot, verdict: &Verdict) -> Option<Lowered> {
    let refused = seen.refused.first().map(|f| format!("{}:{}: {}", f.file, f.line, f.message));
    let differs = || verdict.comparison.differences.first().map(|d| format!("{} came out different", d.object));
    let why = refused.or_else(differs).unwrap_or_else(|| "not proven".into());
    (form != Form::Untouched).then(|| gave_way(form, why))
}

fn gave_way(form: Form, why: String) -> Lowered {
    Lowered { object: told(form).into(), how: How::Happened, why, statement: None, unit: None }
}

impl<'a> Part<'a> {
    fn new(history: &'a History, first_file: usize, config: &'a Config, before: Vec<ReplayFile>) -> Part<'a> {
        let cut = history.files.get(first_file).map(|f| f.statements.start);
        let model = replay_from(history, cut);
        let relied_on = model.relied_on.clone();
        let mut moving = moving(&model, cut.unwrap_or(0));
        moving.extend(&relied_on);
        let living = living(&model);
        let is_netted = nets_around(history, &model, &moving);
        // A whole history's own statements are told by the model of all of them.
        let is_around = first_file > 0 && is_netted && !moving.is_empty();
        let model = if is_around { replay_around(history, cut, &moving) } else { model };
        let apart = cut.map(|_| online::apart(history, &model)).unwrap_or_default();
        Part { history, model, config, first_file, before, moving, relied_on, living, is_netted, apart }
    }

    /// The files before the part, and a set after them.
    fn on_top(&self, set: &NewSet) -> Vec<ReplayFile> {
        self.before.iter().cloned().chain(set_files(set)).collect()
    }

    fn statements(&self) -> usize {
        self.history.statements.len() - self.history.files[self.first_file].statements.start
    }

    fn candidate(&self, form: Form, choices: &Choices) -> crate::error::Result<NewSet> {
        let kept = |id: StatementId| self.is_kept(id, choices);
        let net = |grouping: &Grouping| {
            let mut set = render(self.history, &self.model, grouping, choices);
            online::mark_bare(&mut set, self.history.layout);
            set
        };
        Ok(match form {
            Form::Net if !self.apart.is_empty() => {
                net(&Grouping::in_runs(self.config, self.history, self.first_file, &self.apart))
            }
            Form::Net => net(&Grouping::of_part(self.config, self.history, &self.model, self.first_file)?),
            Form::NetByFile => net(&Grouping::by_birth(self.history)),
            Form::Happened => {
                let name = Grouping::one_name(self.config, self.history, self.first_file);
                as_happened(self.history, &self.model, self.first_file, Some(&name), choices, &kept)
            }
            Form::HappenedByFile => as_happened(self.history, &self.model, self.first_file, None, choices, &kept),
            Form::Untouched => self.untouched(),
        })
    }

    /// The part as it is.
    fn untouched(&self) -> NewSet {
        let own = Grouping::by_birth(self.history);
        let may_be_bare = may_be_bare(self.history.layout);
        let statement = |id: StatementId, file: &crate::history::File| NewStatement {
            line: self.history.statements[id].line,
            text: self.history.text(id).to_string(),
            copy_data: self.history.statements[id].piece.copy_data.clone().map(|range| file.text[range].to_string()),
            owner: Some(Owner::Step(0, id)),
        };
        let files = (self.first_file..self.history.files.len()).map(|number| {
            let file = &self.history.files[number];
            let name = format!("{}.sql", own.name(number, number).stem);
            let statements = file.statements.clone().map(|id| statement(id, file)).collect();
            let bare = !file.in_transaction && may_be_bare;
            NewFile { name, text: unmasked(&file.text), statements, down: None, bare }
        });
        NewSet { files: files.collect(), before: before_each(self.history) }
    }

    fn is_kept(&self, id: StatementId, choices: &Choices) -> bool {
        let schema = &self.model.schema;
        let left_out = choices.left_out.iter().any(|o| schema.objects[*o].source == id);
        self.moving.contains(&id) || (!left_out && self.living.contains(&id))
    }

    /// Statements that touched no row of a fresh database are left out of a whole history. The databases that run a part of
    /// one hold more rows, and they may have come anywhere.
    fn leave_backfills(&self, old: &Snapshot, choices: &mut Choices) -> Vec<StatementId> {
        match self.first_file {
            0 => leave_backfills(&self.model, &old.touched, self.history, choices),
            _ => Vec::new(),
        }
    }

    /// What stays as it was, and why, a line for each reason.
    fn moving_told(&self) -> Vec<Lowered> {
        let (spared, moved): (Vec<StatementId>, Vec<StatementId>) =
            self.moving.iter().partition(|id| self.relied_on.contains(id));
        let moved = (moved, "rows move through what the part makes and drops; these statements stay as they were");
        let spared = (spared, "tables in use would be locked for longer without these; they stay as they were");
        [moved, spared].into_iter().filter_map(|(statements, why)| self.stay(&statements, why)).collect()
    }

    fn stay(&self, statements: &[StatementId], why: &str) -> Option<Lowered> {
        let first = statements.iter().min()?;
        let more = match statements.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let object = format!("{}{more}", self.history.at(*first));
        Some(Lowered { object, how: How::Happened, why: why.to_string(), statement: Some(*first), unit: None })
    }

    fn proven(&self, form: Form, choices: &Choices, set: NewSet, verdict: Verdict) -> Proven {
        let (rungs, rows, standings) = self.rungs(form, choices, &set);
        // Those that rows move through are understood, and stay all the same.
        let moving = if self.first_file > 0 && self.is_netted { self.moving.len() } else { 0 };
        let kept_opaque = kept_opaque(&self.model, choices).saturating_sub(moving);
        let untouched = form == Form::Untouched;
        let (lowered, backfills) = (Vec::new(), Vec::new());
        Proven { set, verdict, rungs, rows, standings, lowered, backfills, kept_opaque, rounds: 0, untouched }
    }

    fn rungs(&self, form: Form, choices: &Choices, set: &NewSet) -> (Rungs, RowRungs, Standings) {
        if matches!(form, Form::Net | Form::NetByFile) {
            let standings = standings(self.history, &self.model, choices, set);
            let (rungs, rows) = counted(&standings);
            return (rungs, rows, standings);
        }
        let as_happened = set.files.iter().flat_map(|f| &f.statements).filter(|s| s.owner.is_some()).count();
        (Rungs { as_happened, ..Rungs::default() }, RowRungs::default(), Standings::new())
    }

    /// Consolidates the set itself on top of what comes before, until that changes nothing.
    fn settle(
        &self,
        mut proven: Proven,
        at_end: &BTreeMap<String, String>,
        prove: &dyn Fn(&NewSet) -> Option<Verdict>,
    ) -> Proven {
        let choices = Choices { at_end: at_end.clone(), ..Choices::default() };
        let first = self.history.files[self.first_file].statements.start;
        let at = |id: StatementId| {
            let at = self.history.at(id);
            vec![format!("{}:{}", at.file, at.line)]
        };
        let before_places: Vec<Vec<String>> = (0..first).map(at).collect();
        let own_places = origins(self.history, &self.model, &proven.set, self.config.emit.annotate);
        let mut places: Vec<Vec<String>> = before_places.iter().cloned().chain(own_places).collect();
        for _ in 0..3 {
            let before =
                self.history.files[..self.first_file].iter().map(|f| (format!("{}.sql", f.stem), f.text.clone()));
            let texts: Vec<(String, String)> =
                before.chain(proven.set.files.iter().map(|f| (f.name.clone(), f.text.clone()))).collect();
            let Ok(mut history) = crate::history::from_texts(std::path::Path::new(""), &texts) else { return proven };
            if places.len() == history.statements.len() {
                history.origins = places;
            }
            let part = Part::new(&history, self.first_file, self.config, Vec::new());
            let form = if proven.set.files.len() > 1 { Form::NetByFile } else { Form::Net };
            let Ok(next) = part.candidate(form, &choices) else { return proven };
            if next.is_as(&proven.set) || !part.is_netted {
                return proven;
            }
            let Some(verdict) = prove(&next) else { return proven };
            let stand = standings(&history, &part.model, &Choices::default(), &next);
            let own = StatementsOf { set: &proven.set, first: history.files[self.first_file].statements.start };
            proven.standings = settled(own, &proven.standings, &part.model, &stand).standings;
            (proven.rungs, proven.rows) = counted(&proven.standings);
            places = before_places
                .iter()
                .cloned()
                .chain(origins(&history, &part.model, &next, self.config.emit.annotate))
                .collect();
            (proven.set, proven.verdict) = (next, verdict);
            proven.rounds += 1;
        }
        proven
    }
}

/// The statements that made, or changed, something that lives, as far as no later statement wrote it anew.
fn living(model: &Model) -> HashSet<StatementId> {
    let schema = &model.schema;
    let mut living: HashSet<StatementId> =
        schema.live().filter(|id| !schema.is_fixed(*id)).map(|id| schema.objects[id].source).collect();
    for event in model.ledger.events.iter().filter(|e| schema.lives(e.object)) {
        let object = &schema.objects[event.object];
        let anew = schema.is_unit(event.object) && object.source > event.statement;
        // What was made in between may need a first version: a trigger its function.
        let first = event.what == What::Born && !matches!(object.kind, Kind::Setting | Kind::Comment);
        if matches!(event.what, What::Born | What::Folded(_)) && (first || !anew) {
            living.insert(event.statement);
        }
    }
    living
}

/// The statements of the part about objects that it makes and drops, and through which rows moved that are still there; and
/// those about what they fill, read or make in the part itself.
fn moving(model: &Model, cut: StatementId) -> HashSet<StatementId> {
    let schema = &model.schema;
    let is_own = |id: ObjectId| schema.objects[id].born >= cut;
    let mut passing: HashSet<ObjectId> = HashSet::new();
    for id in schema.live().filter(|id| !schema.is_fixed(*id)) {
        let object = &schema.objects[id];
        if moves_rows(object) {
            let on = object.needs.iter().map(|n| n.on).chain(fired(schema, id));
            passing.extend(on.filter(|on| is_own(*on) && schema.objects[*on].died.is_some()));
        }
    }
    let mut found = HashSet::new();
    while !passing.is_empty() {
        let touches = |id: ObjectId| {
            let object = &schema.objects[id];
            passing.contains(&id)
                || passing.contains(&schema.root(id))
                || object.needs.iter().any(|n| passing.contains(&n.on))
        };
        let before = found.len();
        let events = || model.ledger.events.iter().filter(|e| e.statement >= cut);
        found.extend(events().filter(|e| touches(e.object)).map(|e| e.statement));
        if found.len() == before {
            break;
        }
        for event in events().filter(|e| found.contains(&e.statement)) {
            let object = &schema.objects[event.object];
            // Rows depend on what all of it was at the time; the rest only has to be there.
            let by_rows = moves_rows(object);
            let is_wanted = |on: &ObjectId| is_own(*on) && (by_rows || schema.objects[*on].died.is_some());
            passing.extend(object.needs.iter().map(|n| n.on).filter(is_wanted));
            passing.extend(called(schema, event.object).filter(is_wanted));
            if !by_rows && found.contains(&object.born) {
                passing.insert(event.object);
            }
        }
    }
    found
}

/// Whether an object moves rows, or may change the values of those that are there.
fn moves_rows(object: &Object) -> bool {
    object.kind.is_act() || object.property.as_ref().is_some_and(Property::may_change_rows)
}

/// The functions that a function's body names: they are looked up when it runs.
fn called(schema: &Schema, id: ObjectId) -> impl Iterator<Item = ObjectId> + '_ {
    let is_code = |id: ObjectId| schema.objects[id].kind.is_code();
    let said = match &schema.objects[id].body {
        Body::Text(text) if is_code(id) => words(text),
        _ => HashSet::new(),
    };
    (0..schema.objects.len()).filter(move |on| *on != id && is_code(*on) && said.contains(&schema.objects[*on].name))
}

/// The triggers and rules that were there when a statement moved rows, and went later.
fn fired(schema: &Schema, rows: ObjectId) -> impl Iterator<Item = ObjectId> + '_ {
    let at = schema.objects[rows].source;
    let targets = match &schema.objects[rows].body {
        Body::Rows { targets, .. } => targets.as_slice(),
        _ => &[],
    };
    (0..schema.objects.len()).filter(move |id| {
        let object = &schema.objects[*id];
        matches!(object.kind, Kind::Trigger | Kind::Rule)
            && object.parent.is_some_and(|table| targets.contains(&table))
            && object.born < at
            && object.died.is_some_and(|died| died > at)
    })
}

/// Whether the rest of a part can be netted around statements that stay as they are: they speak of things by the names of
/// their time, so nothing later may give or take a name that they say.
fn nets_around(history: &History, model: &Model, moving: &HashSet<StatementId>) -> bool {
    let Some(first) = moving.iter().min() else { return true };
    let mut said: HashSet<String> = moving.iter().flat_map(|id| words(history.text(*id))).collect();
    // Whatever fires or is called says names, too.
    let code = model.schema.objects.iter().filter(|o| o.kind.is_code());
    for object in code {
        if let Body::Text(text) = &object.body {
            said.extend(words(text));
        }
    }
    let is_said = |name: &str| words(name).is_subset(&said);
    let mixes_up = |event: &Event| match &event.what {
        What::Folded(Fold::Renamed(from)) => is_said(from) || is_said(&model.schema.objects[event.object].name),
        What::Folded(Fold::RenamedAgain(_) | Fold::RenamedWith(_) | Fold::ValueRenamed(..) | Fold::Moved(_)) => true,
        _ => false,
    };
    let later = |e: &&Event| e.statement > *first && !moving.contains(&e.statement);
    !model.ledger.events.iter().filter(later).any(mixes_up)
}
