//! `consolidate plan`.

use super::progress::Bars;
use super::{Common, FINE, FOUND, Filing, Format, Outcome, Part, print, print_as_it_is, print_json, style, tell};
use clap::Args;
use consolidate::report::{ci, plan as report};
use consolidate::{Asked, Project};

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
    let asked = Asked { part: args.part.wish(), ..args.filing.over(args.common.asked()) };
    let project = Project::open(&asked, &Bars::new())?;
    let planned = consolidate::plan(&project)?;
    let (plan, history) = (&planned.plan, &planned.history);
    if let Some(place) = &args.explain {
        let (statement, fate) = planned.fate_at(place)?;
        print(&report::explain(history, statement, fate, &plan.findings, style()))?;
        return Ok(FINE);
    }
    match args.common.format {
        Format::Text => print(&report::text(plan, history, style()))?,
        Format::Json => print_json(&report::json(plan))?,
        Format::Markdown => print(&report::markdown(plan))?,
        Format::Junit => print(&ci::junit("consolidate plan", &ci::of_plan(plan, history)))?,
        Format::Github => print_as_it_is(&ci::github(&ci::of_plan(plan, history)))?,
    }
    let Some(stale) = args.check.then(|| planned.stale(&project)).flatten() else { return Ok(FINE) };
    tell(&report::stale(&stale));
    Ok(FOUND)
}
