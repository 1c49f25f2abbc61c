//! `consolidate restore`.

use super::progress::Bars;
use super::{Common, FINE, Outcome, after, print};
use clap::Args;
use consolidate::Project;

#[derive(Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    common: Common,
    /// Also if migrations were added or changed since, which are then lost
    #[arg(long)]
    force: bool,
}

/// Puts the history back to where it was before `emit --in-place`.
pub fn run(args: &RestoreArgs) -> Outcome {
    let project = Project::open(&args.common.asked(), &Bars::new())?;
    let was = consolidate::restore(&project, args.force)?;
    let said = format!("{} is the history again, which was in {}\n", project.new.display(), was.display());
    after("the history is back all the same", print(&said))?;
    Ok(FINE)
}
