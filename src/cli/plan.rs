//! `consolidate plan`.

use super::project::Project;
use super::{Common, FINE, FOUND, Filing, Format, Outcome, Part, print, print_as_it_is, print_json, style};
use crate::emit::write;
use crate::error::Error;
use crate::history::cut::Cut;
use crate::history::{File, History};
use crate::plan::{FateKind, Plan, plan, plan_part};
use crate::replay::replay_from;
use crate::report::{ci, plan as report};
use clap::Args;

#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    filing: Filing,
    /// Exit with 1 if the set that emit wrote no longer fits the history; or, where there is none, if anything in the history
    /// could go
    #[arg(long)]
    check: bool,
    /// Say what becomes of one statement, and why
    #[arg(long, value_name = "FILE:LINE")]
    explain: Option<String>,
}

/// Plans and prints.
pub fn run(args: &PlanArgs) -> Outcome {
    let mut project = Project::open(&args.common)?;
    args.filing.over(&mut project.config);
    let mut history = project.history()?;
    let sum = write::sum_of(&history);
    let cut = project.cut(&args.part, &history)?;
    let first_file = match cut {
        Some(Cut::Through(files)) => {
            history = history.first(files);
            0
        }
        Some(Cut::From(start)) => start,
        None => 0,
    };
    let model = replay_from(&history, cut.and_then(|cut| cut.first_statement(&history)));
    let plan = match cut {
        Some(Cut::From(start)) => plan_part(&history, &model, &project.config, start),
        _ => plan(&history, &model, &project.config),
    };
    let plan = plan.map_err(|e| vec![e])?;
    if let Some(place) = &args.explain {
        print(&explain(&history, &plan, first_file, place).map_err(|e| vec![e])?)?;
        return Ok(FINE);
    }
    match args.common.format {
        Format::Text => print(&report::text(&plan, &history, style()))?,
        Format::Json => print_json(&report::json(&plan))?,
        Format::Markdown => print(&report::markdown(&plan))?,
        Format::Junit => print(&ci::junit("consolidate plan", &ci::of_plan(&plan, &history)))?,
        Format::Github => print_as_it_is(&ci::github(&ci::of_plan(&plan, &history)))?,
    }
    if !args.check {
        return Ok(FINE);
    }
    let reasons = reasons(&project, &history, &sum, &plan);
    reasons.iter().for_each(|reason| super::tell(reason));
    Ok(if reasons.is_empty() { FINE } else { FOUND })
}

/// Why a check fails: what could go from the history, or that the set no longer fits it.
fn reasons(project: &Project, history: &History, sum: &str, plan: &Plan) -> Vec<String> {
    let mut reasons = Vec::new();
    let set = &project.new;
    let apart = !project.is_one_folder() && write::was_written(set);
    if !apart {
        let idle =
            |k: FateKind| matches!(k, FateKind::Dead | FateKind::Superseded | FateKind::Noop | FateKind::Backfill);
        let count = plan.fates.iter().filter(|f| idle(f.kind)).count();
        if count > 0 {
            let folder = history.folder.display();
            let word = if count == 1 { "statement" } else { "statements" };
            reasons.push(format!("{count} {word} of {folder} could go: dead, superseded, backfill or without effect"));
        }
        return reasons;
    }
    if write::history_of(set).is_some_and(|written| written != sum) {
        let folder = history.folder.display();
        reasons.push(format!("{} is stale: {folder} has changed since `consolidate emit` wrote it", set.display()));
    }
    reasons
}

/// The statement on a line, or the last one that begins above it.
fn explain(history: &History, plan: &Plan, first_file: usize, place: &str) -> Result<String, Error> {
    let (file, line) = place
        .rsplit_once(':')
        .and_then(|(f, l)| l.parse::<usize>().ok().map(|l| (f, l)))
        .ok_or_else(|| Error::new(format!("\"{place}\" isn't FILE:LINE")))?;
    // With its folder or without, with the folder of the history before it, or by its version.
    let name = file.rsplit('/').next().unwrap_or(file);
    let is_it = |f: &&File| {
        f.name == file
            || file.ends_with(&format!("/{}", f.name))
            || f.version.as_deref() == Some(name)
            || f.stem == name
    };
    let found = history.files.iter().find(is_it).or_else(|| history.files.iter().find(|f| f.name == name)).ok_or_else(
        || {
            Error::new(format!("no file {file} in {}", history.folder.display()))
                .hint("give the file's name or its version")
        },
    )?;
    let statement = found
        .statements
        .clone()
        .rfind(|id| history.statements[*id].line <= line)
        .ok_or_else(|| Error::new(format!("no statement at or above line {line} of {name}")))?;
    let first = history.files.get(first_file).map_or(0, |f| f.statements.start);
    let fate = statement
        .checked_sub(first)
        .and_then(|at| plan.fates.get(at))
        .ok_or_else(|| Error::new(format!("{name} stays as it is: it comes before the part that is consolidated")))?;
    Ok(report::explain(history, statement, fate, &plan.findings, style()))
}
