//! `consolidate emit`.

use super::progress::Bars;
use super::project::Project;
use super::verify::could_not_replay;
use super::{Common, FINE, FOUND, Filing, Format, Outcome, Part, Replaying, print, print_json, style};
use crate::config::Config;
use crate::emit::whole::WholeFile;
use crate::emit::{NewFile, Proven, Unproven, file_cycles, prove, prove_part, replay_files, whole, write};
use crate::error::Error;
use crate::history::History;
use crate::history::cut::Cut;
use crate::plan::{plan, plan_part};
use crate::proof::{ReplayError, Settings, VerdictKind, verify};
use crate::replay::{replay, replay_from};
use crate::report::emit::{About, Written, json, text};
use crate::report::summary;
use crate::report::verdict::Sides;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct EmitArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    replaying: Replaying,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    filing: Filing,
    /// Write a comment above each object that says where in the history it comes from
    #[arg(long)]
    annotate: bool,
    /// Write a summary in Markdown into this file, for the pull request
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Prove and report, but write nothing
    #[arg(long)]
    dry_run: bool,
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
    let mut project = Project::open(&args.common)?;
    args.filing.over(&mut project.config);
    project.config.emit.annotate |= args.annotate;
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
    super::warn(&history);
    let cut = project.cut(&args.part, &history)?;
    let consolidated = match cut {
        Some(Cut::Through(files)) => history.first(files),
        _ => history.clone(),
    };
    let work = |settings: &Settings| work(&history, &consolidated, cut, &project.config, settings);
    let result = project.on_scratch(&args.replaying, &[&replay_files(&history)], work, not_replayed)?;
    let proven = match result {
        Ok(proven) => proven,
        Err(Unproven::History(error)) => return Err(vec![could_not_replay(&history.folder, false, error)]),
        Err(Unproven::Candidate(error, blocked)) => {
            let error = could_not_replay(std::path::Path::new(""), false, error);
            return Ok(refuse(&format!("the last one tried failed at {error}"), &blocked));
        }
        Err(Unproven::Different(found, blocked)) => {
            super::verify::show(&found, &Sides::sets(), args.common.format);
            return Ok(refuse("the best one found differs as shown", &blocked));
        }
    };
    if cut.is_none() {
        let cycles = file_cycles(&history, &replay(&history), &project.config).map_err(|e| vec![e])?;
        cycles.iter().for_each(|cycle| super::tell(&format!("{}: {}", history.at(cycle.at), cycle.message)));
    }
    let (proven, files) = proven;
    let sum = write::sum_of(&history);
    let written = if args.dry_run {
        Written::Nothing
    } else {
        let changes = write::write_files(&project.new, &files, &sum, args.force).map_err(|e| vec![e])?;
        if changes.is_empty() { Written::Unchanged } else { Written::Files(changes) }
    };
    let about = About::of(&consolidated, cut, &proven);
    if let Some(path) = &args.summary {
        let cut_at = cut.and_then(|cut| cut.first_statement(&consolidated));
        let model = replay_from(&consolidated, cut_at);
        let plan = match cut {
            Some(Cut::From(start)) => plan_part(&consolidated, &model, &project.config, start),
            _ => plan(&consolidated, &model, &project.config),
        };
        let text = summary::markdown(&proven, &consolidated, &about, &plan.map_err(|e| vec![e])?);
        std::fs::write(path, text).map_err(|e| vec![Error::new(format!("can't write {}: {e}", path.display()))])?;
    }
    match args.common.format {
        Format::Text => {
            let folder = project.new.display().to_string();
            print(&text(&proven, &consolidated, &about, &written, &folder, style()));
        }
        Format::Json => print_json(&json(&proven, &consolidated, &about, &written)),
        format => drop(super::verify::show(&proven.verdict, &Sides::sets(), format)),
    }
    Ok(FINE)
}

/// Proves a set; where a part of the history stays as it is, the whole new folder too, as it will be read.
fn work(
    history: &History,
    consolidated: &History,
    cut: Option<Cut>,
    config: &Config,
    settings: &Settings,
) -> Result<(Proven, Vec<WholeFile>), Unproven> {
    let unable = |e: Error| Unproven::History(ReplayError::Unable(e));
    let proven = match cut {
        None => {
            let proven = prove(history, &replay(history), config, settings, &Bars::new())?;
            let of = |f: &NewFile| WholeFile { path: f.name.clone(), bytes: f.text.clone().into_bytes(), is_new: true };
            let files = proven.set.files.iter().map(of).collect();
            return Ok((proven, files));
        }
        Some(Cut::From(start)) => prove_part(history, start, config, settings, &Bars::new())?,
        Some(Cut::Through(_)) => {
            // What comes later may count on where a sequence stands.
            let exact = Settings { exact_sequences: true, ..settings.clone() };
            prove(consolidated, &replay(consolidated), config, &exact, &Bars::new())?
        }
    };
    let Some(cut) = cut.filter(|_| !proven.untouched) else {
        let files = whole::files_of(history).map_err(unable)?;
        return Ok((proven, files));
    };
    let files = whole::whole(history, cut, &proven.set).map_err(unable)?;
    let read = whole::read_back(history, &files).map_err(unable)?;
    whole::in_order(history, cut, &read).map_err(unable)?;
    let verdict = verify(&replay_files(history), &replay_files(&read), settings, &Bars::new());
    match verdict {
        Ok(verdict) if verdict.kind == VerdictKind::Identical => Ok((Proven { verdict, ..proven }, files)),
        Ok(verdict) => Err(Unproven::Different(Box::new(verdict), Vec::new())),
        Err((_, error)) => Err(Unproven::Candidate(error, Vec::new())),
    }
}
