//! `consolidate emit`.

use super::progress::Bars;
use super::project::Project;
use super::verify::could_not_replay;
use super::{Common, FINE, FOUND, Format, Outcome, print, print_json, style};
use crate::emit::{Unproven, prove, write};
use crate::error::Error;
use crate::replay::replay;
use crate::report::emit::{Written, json, text};
use crate::report::verdict;
use clap::Args;

#[derive(Args)]
pub struct EmitArgs {
    #[command(flatten)]
    common: Common,
    /// Prove and report, but write nothing
    #[arg(long)]
    dry_run: bool,
    /// Replace files in the target folder that this program didn't write, or that were changed since
    #[arg(long)]
    force: bool,
}

/// Proves, then writes.
pub fn run(args: &EmitArgs) -> Outcome {
    let project = Project::open(&args.common)?;
    let history = project.history()?;
    if project.is_one_folder() && !args.dry_run {
        return Err(vec![
            Error::new(format!("the history is in {}, where the new set would go", project.old.display())).hint(
                "move it aside first (git mv migrations migrations.old), name another folder with --new, \
                 or look at what would come with --dry-run",
            ),
        ]);
    }
    if !args.dry_run {
        write::check(&project.new, args.force).map_err(|e| vec![e])?;
    }
    let model = replay(&history);
    let bars = Bars::new();
    let result = prove(&history, &model, &project.config, &project.settings, &bars);
    drop(bars);
    let proven = match result {
        Ok(proven) => proven,
        Err(Unproven::History(error)) => return Err(vec![could_not_replay(&project.old, error)]),
        Err(Unproven::Candidate(error)) => {
            let error = could_not_replay(std::path::Path::new(""), error);
            super::complain(&[Error::new(format!("no set could be proven; nothing was written: {error}"))
                .hint("please report this history: the set must always be right, or refused")]);
            return Ok(FOUND);
        }
        Err(Unproven::Different(found)) => {
            print(&verdict::text(&found, style()));
            super::complain(&[Error::new("no set could be proven identical; nothing was written")
                .hint("please report this history: the set must always be right, or refused")]);
            return Ok(FOUND);
        }
    };
    let written = if args.dry_run {
        Written::Nothing
    } else {
        let changes = write::write(&project.new, &proven.set, args.force).map_err(|e| vec![e])?;
        if changes.is_empty() { Written::Unchanged } else { Written::Files(changes) }
    };
    match args.common.format {
        Format::Text => {
            let folder = project.new.display().to_string();
            print(&text(&proven, &history, &written, &folder, style()));
        }
        Format::Json => print_json(&json(&proven, &history, &written)),
    }
    Ok(FINE)
}
