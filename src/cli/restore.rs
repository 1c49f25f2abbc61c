//! `consolidate restore`.

use super::project::Project;
use super::{Common, FINE, Outcome, after, print};
use crate::emit::aside;
use clap::Args;

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
    let project = Project::open(&args.common)?;
    project.refuse_to_replace(&project.new).map_err(|e| vec![e])?;
    let was = aside::restore(&project.new, args.force).map_err(|e| vec![e])?;
    let said = format!("{} is the history again, which was in {}\n", project.new.display(), was.display());
    after("the history is back all the same", print(&said))?;
    Ok(FINE)
}
