//! `consolidate handover`.

use super::progress::Bars;
use super::{Common, FINE, FOUND, Format, Outcome, Replaying, after, complain, print, print_json};
use clap::Args;
use consolidate::escape::line;
use consolidate::proof::masked;
use consolidate::report::FORMAT;
use consolidate::{Error, HandedOver, HandingOver, Handover, Project};
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
    let format = args.common.format;
    if !matches!(format, Format::Text | Format::Json) {
        return Err(Error::new("a hand-over is printed as text or json").hint("leave out --format").into());
    }
    let bars = Bars::new();
    let project = Project::open(&args.replaying.over(args.common.asked()), &bars)?;
    let how = HandingOver { table: args.table.clone(), allow_drift: args.allow_drift };
    let handover = consolidate::handover(&project, &how)?;
    let Some(url) = &args.url else {
        return printed(format, &handover);
    };
    let outcome = handover.run(&project, url, &bars)?;
    drop(bars);
    match outcome {
        HandedOver::Drifted(found) => drifted(format, url, &found),
        outcome => report(format, url, outcome, &handover.script.table),
    }
}

fn printed(format: Format, handover: &Handover) -> Outcome {
    let Handover { old, new, script, .. } = handover;
    if format == Format::Json {
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

fn drifted(format: Format, url: &str, found: &[String]) -> Outcome {
    let url = masked(url);
    match format {
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

fn report(format: Format, url: &str, outcome: HandedOver, table: &str) -> Outcome {
    let url = masked(url);
    let (word, said) = match &outcome {
        HandedOver::Done => ("done", format!("{url}: handed over; only {table} was changed\n")),
        HandedOver::Unchanged => {
            ("unchanged", format!("{url}: counts as having run the new set already; nothing was changed\n"))
        }
        HandedOver::Refused(error) => ("refused", error.message.clone()),
        HandedOver::Drifted(_) => ("drifted", String::new()),
    };
    let printed = match format {
        Format::Json => {
            print_json(&json!({ "format": FORMAT, "url": url, "outcome": word, "table": table, "message": said }))
        }
        _ if !matches!(outcome, HandedOver::Refused(_)) => print(&said),
        _ => Ok(()),
    };
    after(&format!("the hand-over itself ended: {word}"), printed)?;
    Ok(match outcome {
        HandedOver::Refused(error) => {
            complain(&[Error { message: format!("{url}: {}; nothing was changed", error.message), ..error }]);
            FOUND
        }
        _ => FINE,
    })
}
