//! `consolidate verify`.

use super::progress::Bars;
use super::{
    Common, Comparing, FINE, FOUND, Format, Outcome, Part, Replaying, complain, print, print_as_it_is, print_json,
    style, tell,
};
use clap::Args;
use consolidate::diff::Side;
use consolidate::proof::{Verdict, VerdictKind};
use consolidate::report::ci;
use consolidate::report::verdict::{self as report, Sides};
use consolidate::{Asked, Error, Project, Verified};

#[derive(Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    replaying: Replaying,
    #[command(flatten)]
    comparing: Comparing,
    #[command(flatten)]
    part: Part,
    /// Compare the consolidated set with a database that exists, not with the history; it is only read
    #[arg(long, value_name = "URL")]
    against: Option<String>,
}

/// Replays both sets, compares, prints the verdict.
pub fn run(args: &VerifyArgs) -> Outcome {
    let asked = Asked {
        part: args.part.wish(),
        ignore: args.comparing.ignore.clone(),
        ..args.replaying.over(args.common.asked())
    };
    let bars = Bars::new();
    let project = Project::open(&asked, &bars)?;
    if let Some(url) = &args.against {
        let sides = [Side::parse(url)?, Side::Folder(project.new.clone())];
        if !matches!(sides[0], Side::Database(_)) {
            let hint =
                "two folders are compared by `consolidate verify --old A --new B`, anything else by `consolidate diff`";
            return Err(Error::new("--against wants a URL, postgres://…").hint(hint).into());
        }
        drop(bars);
        return super::diff::compare(&project, &sides, args.common.format);
    }
    let Verified { verdict, left_out, untouched } = consolidate::verify(&project, &bars)?;
    drop(bars);
    let found = show(&verdict, &Sides::sets().without(&left_out), args.common.format)?;
    match untouched {
        Some(Ok(count)) => tell(&format!("{count} files stay as they were, byte for byte")),
        Some(Err(name)) => {
            let what = format!("{name} should have stayed as it was, and isn't the same byte for byte");
            complain(&[Error::new(what).hint("copy it from the history again, or emit with the same cut")]);
            return Ok(FOUND);
        }
        None => {}
    }
    Ok(found)
}

/// Prints a verdict, and gives the exit code.
pub fn show(verdict: &Verdict, sides: &Sides, format: Format) -> Outcome {
    match format {
        Format::Text => print(&report::text(verdict, sides, style()))?,
        Format::Json => print_json(&report::json(verdict, sides))?,
        Format::Markdown => print(&report::markdown(verdict, sides))?,
        Format::Junit => print(&ci::junit("consolidate", &ci::of_verdict(verdict, sides)))?,
        Format::Github => print_as_it_is(&ci::github(&ci::of_verdict(verdict, sides)))?,
    }
    Ok(if verdict.kind == VerdictKind::Identical { FINE } else { FOUND })
}
