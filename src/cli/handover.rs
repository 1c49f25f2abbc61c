//! `consolidate handover`.

use super::progress::Bars;
use super::project::Project;
use super::verify::{Replayed, could_not_replay};
use super::{Common, FINE, FOUND, Format, Outcome, Replaying, after, complain, print, print_json, tell};
use crate::emit::replay_files;
use crate::error::Error;
use crate::handover::live::{self, Outcome as Live};
use crate::handover::{Script, as_written, migrations, script, tool_of};
use crate::history::{self, History, Reading};
use crate::proof::{LIVE_NOT_COMPARED, Settings, masked};
use crate::report::FORMAT;
use crate::report::escape::line;
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub struct HandoverArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    replaying: Replaying,
    /// Hand this database over, once its schema was found to be the history's; without it, the script is printed
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The tool's table, where it was told to use another
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Hand over even if the schema isn't the history's, or other texts of the same migrations ran
    #[arg(long)]
    allow_drift: bool,
}

/// Prints the script, or runs it.
pub fn run(args: &HandoverArgs) -> Outcome {
    if !matches!(args.common.format, Format::Text | Format::Json) {
        return Err(vec![Error::new("a hand-over is printed as text or json").hint("leave out --format")]);
    }
    let mut project = Project::open(&args.common)?;
    if project.is_one_folder() {
        return Err(vec![
            Error::new(format!("history and consolidated set are both {}", project.old.display()))
                .hint("a hand-over needs both: name them with --old and --new"),
        ]);
    }
    // Where names alone can't tell, the history is of the tool that the set was written for.
    project.layout = project.layout.or_else(|| history::written_layout(&project.new));
    let old = project.history()?;
    let preludes = project.settings.prelude_texts();
    let layout = history::written_layout(&project.new).or(project.layout);
    let new = history::read_by(&project.new, &Reading { layout, ..project.reading(&preludes) })?;
    let script = make(&project, args, &old, &new).map_err(|e| vec![e])?;
    let Some(url) = &args.url else {
        return printed(args, &old, &new, &script);
    };
    if script.sql.is_empty() {
        let message = format!("{} is handed over by its own commands, not by a URL", new.layout);
        return Err(vec![Error::new(message).hint("leave out --url to see them")]);
    }
    if !args.allow_drift {
        let files = replay_files(&old);
        let look = |settings: &Settings| live::drift(url, &script, &files, settings, &Bars::new());
        let found = project.on_scratch(&args.replaying, &[&files], look, |error| Some(error))?;
        let found = found.map_err(|error| vec![could_not_replay(Replayed::History(&old), error)])?;
        if !found.is_empty() {
            // One that is behind differs too, and the tool's table says it.
            if let Some(why) = live::refusal(url, &script) {
                return report(args, url, Live::Refused(why), &script);
            }
            return drifted(args, url, &found);
        }
        tell(&format!("not compared with the live database: {}", LIVE_NOT_COMPARED.join(", ")));
    }
    let outcome = live::run(url, &script).map_err(|e| vec![e])?;
    report(args, url, outcome, &script)
}

fn make(project: &Project, args: &HandoverArgs, old: &History, new: &History) -> Result<Script, Error> {
    if old.layout != new.layout {
        let message = format!("the history is laid out for {}, the new set for {}", old.layout, new.layout);
        return Err(
            Error::new(message).hint("a hand-over stays with one tool; say by --layout how the history is read")
        );
    }
    let tool = tool_of(new.layout.name(), new.files.iter().any(|f| f.name.contains('/')))?;
    let (before, after) = (migrations(old)?, as_written(&project.new, new, migrations(new)?)?);
    script(tool, args.table.as_deref(), &before, &after, args.allow_drift)
}

fn printed(args: &HandoverArgs, old: &History, new: &History, script: &Script) -> Outcome {
    if args.common.format == Format::Json {
        print_json(&json!({
            "format": FORMAT,
            "tool": new.layout.name(),
            "table": script.table,
            "files": { "history": old.files.len(), "set": new.files.len() },
            "sql": script.sql,
            "commands": script.commands,
        }))?;
        return Ok(FINE);
    }
    if script.sql.is_empty() {
        let lines: String = script.commands.iter().map(|c| format!("{}\n", line(c))).collect();
        print(&lines)?;
        return Ok(FINE);
    }
    if !script.commands.is_empty() {
        let lines: String = script.commands.iter().map(|c| format!("--   {}\n", line(c))).collect();
        print(&format!("-- The tool's own commands for it, without the checks and without one transaction:\n{lines}"))?;
    }
    print(&script.sql)?;
    Ok(FINE)
}

fn drifted(args: &HandoverArgs, url: &str, found: &[String]) -> Outcome {
    let url = masked(url);
    match args.common.format {
        Format::Json => {
            print_json(&json!({ "format": FORMAT, "url": url, "outcome": "drifted", "differences": found }))?;
        }
        _ => print(&found.iter().map(|found| format!("{}\n", line(found))).collect::<String>())?,
    }
    let message =
        format!("drifted: {url} isn't what the history makes, in {} places; nothing was changed", found.len());
    complain(&[Error::new(message).hint(
        "put it right, add it to the history, or say --allow-drift; another version of PostgreSQL may word things \
               otherwise: --scratch local",
    )]);
    Ok(FOUND)
}

fn report(args: &HandoverArgs, url: &str, outcome: Live, script: &Script) -> Outcome {
    let url = masked(url);
    let (word, said) = match &outcome {
        Live::Done => ("done", format!("{url}: handed over; only {} was changed\n", script.table)),
        Live::Unchanged => {
            ("unchanged", format!("{url}: counts as having run the new set already; nothing was changed\n"))
        }
        Live::Refused(error) => ("refused", error.message.clone()),
    };
    let printed = match args.common.format {
        Format::Json => print_json(
            &json!({ "format": FORMAT, "url": url, "outcome": word, "table": script.table, "message": said }),
        ),
        _ if !matches!(outcome, Live::Refused(_)) => print(&said),
        _ => Ok(()),
    };
    after(&format!("the hand-over itself ended: {word}"), printed)?;
    Ok(match outcome {
        Live::Refused(error) => {
            complain(&[Error { message: format!("{url}: {}; nothing was changed", error.message), ..error }]);
            FOUND
        }
        _ => FINE,
    })
}
