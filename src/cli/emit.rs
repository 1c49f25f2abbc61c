//! `consolidate emit`.

use super::progress::Bars;
use super::project::Project;
use super::verify::could_not_replay;
use super::{Common, FINE, FOUND, Format, Outcome, Replaying, print, print_json, style};
use crate::emit::write::Changes;
use crate::emit::{Unproven, aside, lay_out, prove, replay_files, write};
use crate::error::Error;
use crate::proof::{ReplayError, Settings};
use crate::replay::replay;
use crate::report::emit::{Written, json, text};
use crate::report::verdict;
use clap::Args;

#[derive(Args)]
pub struct EmitArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    replaying: Replaying,
    /// Prove and report, but write nothing
    #[arg(long)]
    dry_run: bool,
    /// The layout of the new set [default: the history's]
    #[arg(long, value_name = "NAME", value_parser = super::layouts())]
    write_layout: Option<String>,
    /// Where the history is in migrations/ itself: move it to migrations.old/, and write the set in its place
    #[arg(long, conflicts_with = "dry_run")]
    in_place: bool,
    /// Replace or remove .sql files in the target folder that this program didn't write, or that were changed since
    #[arg(long)]
    force: bool,
}

/// Nothing is written that isn't proven: says so, and what stands in the way.
fn refuse(what: &str, blocked: &[String]) -> u8 {
    let mut errors: Vec<Error> = blocked.iter().map(Error::new).collect();
    errors.push(
        Error::new(format!("no set could be proven identical, so nothing was written; {what}")).hint(
            "this is a limit of consolidate: please report the history, or the smallest part of it that shows this",
        ),
    );
    super::complain(&errors);
    FOUND
}

/// Whether it may be for the PostgreSQL in use that there is no set: the history didn't replay, or the set broke it.
fn not_replayed(why: &Unproven) -> Option<&ReplayError> {
    match why {
        Unproven::History(error) | Unproven::Candidate(error @ ReplayError::Unable(_), _) => Some(error),
        _ => None,
    }
}

/// Proves, then writes.
pub fn run(args: &EmitArgs) -> Outcome {
    let project = Project::open(&args.common)?;
    let history = project.history()?;
    let aside = args.in_place.then(|| aside::aside_of(&project.old));
    if let Some(aside) = &aside {
        if !project.is_one_folder() {
            let message = format!("the history is in {} already, apart from the set", project.old.display());
            return Err(vec![Error::new(message).hint("leave out --in-place")]);
        }
        aside::check(&project.old, aside).map_err(|e| vec![e])?;
    } else if project.is_one_folder() && !args.dry_run {
        return Err(vec![
            Error::new(format!("the history is in {}, where the new set would go", project.old.display())).hint(
                "move it aside with --in-place, or by yourself (git mv migrations migrations.old), name another folder with --new, \
                 or look at what would come with --dry-run",
            ),
        ]);
    }
    if !args.dry_run && aside.is_none() {
        write::check(&project.new, args.force).map_err(|e| vec![e])?;
    }
    super::warn(&history);
    let model = replay(&history);
    let work = |settings: &Settings| prove(&history, &model, &project.config, settings, &Bars::new());
    let result = project.on_scratch(&args.replaying, &[&replay_files(&history)], work, not_replayed)?;
    let proven = match result {
        Ok(proven) => proven,
        Err(Unproven::History(error)) => return Err(vec![could_not_replay(&history.folder, false, error)]),
        Err(Unproven::Candidate(error, blocked)) => {
            let error = could_not_replay(std::path::Path::new(""), false, error);
            return Ok(refuse(&format!("the last one tried failed at {error}"), &blocked));
        }
        Err(Unproven::Different(found, blocked)) => {
            match args.common.format {
                Format::Text => print(&verdict::text(&found, style())),
                Format::Json => print_json(&verdict::json(&found)),
            }
            return Ok(refuse("the best one found differs as shown", &blocked));
        }
    };
    let layout = project.written_layout(args.write_layout.as_deref(), &history);
    let keeps_versions = project.config.emit.first_version.is_none();
    let laid = lay_out(&proven.set, &history, &project.old, layout, keeps_versions).map_err(|e| vec![e])?;
    laid.notes.iter().for_each(|note| super::tell(note));
    let written = if args.dry_run {
        Written::Nothing
    } else if let Some(aside) = &aside {
        let written = aside::in_place(&project.old, aside, &laid, &history).map_err(|e| vec![e])?;
        super::tell(&format!("the history is now in {}; consolidate restore puts it back", aside.display()));
        Written::Files(Changes { written, removed: Vec::new() })
    } else {
        let changes = write::write(&project.new, &laid, args.force).map_err(|e| vec![e])?;
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
