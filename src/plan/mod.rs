//! What a history says, without a database: what is dead, folded, superseded, kept, and why; the fate of every statement.

mod dead;
mod fates;
mod folded;
pub(crate) mod missing;
mod noise;
pub(crate) mod rollbacks;
mod rows;
mod secrets;
mod superseded;
pub(crate) mod undone;
mod warnings;

pub use fates::{Fate, FateKind};
pub(crate) use secrets::secrets_that_stay;
pub(crate) use warnings::empty_set;

use crate::config::Config;
use crate::emit::{Choices, Grouping, render, wants_downs};
use crate::error::{At, Result};
use crate::history::{History, StatementId, layout};
use crate::ledger::Event;
use crate::replay::Model;
use crate::schema::{Body, Kind, ObjectId};
use serde::Serialize;
use std::collections::HashSet;

/// One thing that the plan has to say about one object or statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that found it.
    pub rule: Rule,
    /// The kind of object, in PostgreSQL's words.
    pub kind: String,
    /// The object.
    pub object: String,
    /// Where it was born: made, added, changed, inserted.
    pub born: At,
    /// Where it died: dropped, replaced, emptied.
    pub died: Option<At>,
    /// Why, or along with what.
    pub note: String,
    /// Whether it died along with the object of a finding before it.
    #[serde(skip)]
    pub is_along: bool,
}

/// The rules, in the order in which a report shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Created, then dropped.
    Dead,
    /// Worked into another statement.
    Folded,
    /// Written again later.
    Superseded,
    /// Rows that don't survive.
    DeadRows,
    /// Changes of rows that a fresh database doesn't have.
    Backfill,
    /// Does nothing.
    Noop,
    /// Speaks to the session only.
    Session,
    /// Kept as written because not understood.
    Opaque,
}

impl Rule {
    /// All rules.
    pub const ALL: &'static [Rule] = &[
        Rule::Dead,
        Rule::Folded,
        Rule::Superseded,
        Rule::DeadRows,
        Rule::Backfill,
        Rule::Noop,
        Rule::Session,
        Rule::Opaque,
    ];
}

/// Files, statements and lines of a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Its files.
    pub files: usize,
    /// Its statements.
    pub statements: usize,
    /// Its lines.
    pub lines: usize,
}

/// A warning: where, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Where.
    pub at: At,
    /// What.
    pub message: String,
}

/// The plan of a history.
#[derive(Debug)]
pub struct Plan {
    /// The findings, by rule and then in the order of the history.
    pub findings: Vec<Finding>,
    /// The fate of every statement, in the order of the history.
    pub fates: Vec<Fate>,
    /// Warnings.
    pub warnings: Vec<Warning>,
    /// The layout by which the history was read.
    pub layout: &'static str,
    /// The size of the history.
    pub before: Size,
    /// The size of the new set, before any proof.
    pub after: Size,
}

/// Makes the plan of a history.
///
/// # Errors
/// When the configuration's rules can't be read.
pub fn plan(history: &History, model: &Model, config: &Config) -> Result<Plan> {
    let cx = Cx { history, model };
    let mut findings = Vec::new();
    findings.extend(dead::find(&cx));
    findings.extend(folded::find(&cx));
    findings.extend(superseded::find(&cx));
    findings.extend(rows::find(&cx));
    findings.extend(noise::find(&cx));
    let fates = fates::fates(&cx);
    findings.extend(silent(&cx, &fates, &findings));
    findings.sort_by_key(|f| f.rule);
    let grouping = Grouping::new(config, history, model)?;
    let set = render(history, model, &grouping, &Choices::default());
    let named = config.emit.layout.as_ref().and_then(|l| layout::by_name(&l.0).ok());
    let writes_downs = wants_downs(history, named.unwrap_or(history.layout));
    let mut warnings = warnings::find(&cx, &set, writes_downs);
    warnings.extend(empty_set(history, set.statements()));
    let cycles = crate::emit::file_cycles(history, model, config)?;
    warnings.extend(cycles.into_iter().map(|c| Warning { at: history.at(c.at), message: c.message }));
    Ok(Plan {
        findings,
        fates,
        warnings,
        layout: history.layout.name(),
        before: Size { files: history.files.len(), statements: history.statements.len(), lines: history.lines() },
        after: Size { files: set.files.len(), statements: set.statements(), lines: set.lines() },
    })
}

/// Makes the plan of the part of a history from `first_file` on: `model` was replayed from there.
///
/// # Errors
/// As [`plan`].
pub fn plan_part(history: &History, model: &Model, config: &Config, first_file: usize) -> Result<Plan> {
    let mut plan = plan(history, model, config)?;
    let files = history.files.get(first_file..).unwrap_or_default();
    let first = files.first().map_or(history.statements.len(), |f| f.statements.start);
    let later: HashSet<&str> = files.iter().map(|f| f.name.as_str()).collect();
    let is_later = |at: &At| later.contains(at.file.as_str());
    plan.findings.retain(|f| is_later(f.died.as_ref().unwrap_or(&f.born)));
    plan.warnings.retain(|w| is_later(&w.at));
    plan.fates.drain(..first);
    let grouping = Grouping::of_part(config, history, model, first_file)?;
    let set = render(history, model, &grouping, &Choices::default());
    let lines = files.iter().map(crate::history::File::lines).sum();
    plan.before = Size { files: files.len(), statements: history.statements.len() - first, lines };
    plan.after = Size { files: set.files.len(), statements: set.statements(), lines: set.lines() };
    Ok(plan)
}

/// Statements that leave nothing and that no rule spoke of: none goes without a line.
fn silent(cx: &Cx, fates: &[Fate], findings: &[Finding]) -> Vec<Finding> {
    let told: HashSet<(&str, usize)> =
        findings.iter().filter(|f| f.rule == Rule::Noop).map(|f| (f.born.file.as_str(), f.born.line)).collect();
    let is_told = |at: At| told.contains(&(at.file.as_str(), at.line));
    (0..fates.len())
        .filter(|id| fates[*id].kind == FateKind::Noop)
        .filter(|id| !is_told(cx.history.at(*id)))
        .map(|id| cx.statement(Rule::Noop, id, &fates[id].why))
        .collect()
}

/// What every rule looks at.
pub(crate) struct Cx<'a> {
    pub history: &'a History,
    pub model: &'a Model,
}

impl Cx<'_> {
    /// A finding about an object.
    fn about(&self, rule: Rule, id: ObjectId, born: At, died: Option<At>, note: String) -> Finding {
        let object = &self.model.schema.objects[id];
        Finding {
            rule,
            kind: object.kind.word().to_string(),
            object: self.model.schema.display(id),
            born,
            died,
            note,
            is_along: false,
        }
    }

    /// Where an object was born.
    fn birth(&self, id: ObjectId) -> At {
        let object = &self.model.schema.objects[id];
        self.history.at_offset(object.born, object.born_offset)
    }

    /// Where an event took place.
    fn place(&self, event: &Event) -> At {
        self.history.at_offset(event.statement, event.offset)
    }

    /// A finding about a statement as such.
    fn statement(&self, rule: Rule, id: StatementId, note: &str) -> Finding {
        Finding {
            rule,
            kind: "statement".into(),
            object: crate::replay::first_words(self.history.text(id), 6),
            born: self.history.at(id),
            died: None,
            note: note.to_string(),
            is_along: false,
        }
    }

    /// Whether a report speaks of the object: not of an index that only serves a constraint, nor of a default apart from
    /// its column.
    fn is_told(&self, id: ObjectId) -> bool {
        let object = &self.model.schema.objects[id];
        let serves = object.kind == Kind::Index && matches!(object.body, Body::Inside);
        // What each new database has was born nowhere in the history.
        let given = matches!(object.kind, Kind::Schema | Kind::Extension) && matches!(object.body, Body::Inside);
        !serves && !given && object.kind != Kind::Default && object.schema != "pg_temp"
    }
}
