//! `consolidate emit`.

use super::progress::Bars;
use super::verify::show;
use super::{
    Common, FINE, FOUND, Filing, Format, Outcome, Part, Replaying, after, complain, print, print_json, style, tell,
    words,
};
use clap::Args;
use consolidate::history::layout::Layout;
use consolidate::report::emit::{json, text};
use consolidate::report::summary;
use consolidate::report::verdict::Sides;
use consolidate::store::write;
use consolidate::{Asked, Consolidated, Emitting, Error, Project, Target, Unproven};
use std::path::{Path, PathBuf};

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
    /// The layout of the new set [default: the history's]
    #[arg(long, value_name = "NAME", value_parser = words::layout())]
    write_layout: Option<&'static dyn Layout>,
    /// Where the history is in migrations/ itself: move it to migrations.old/, and write the set in its place
    #[arg(long, conflicts_with = "dry_run")]
    in_place: bool,
    /// Replace or remove .sql files in the target folder that this program didn't write, or that were changed since
    #[arg(long)]
    force: bool,
}

impl EmitArgs {
    fn asked(&self) -> Asked {
        let asked = self.replaying.over(self.filing.over(self.common.asked()));
        Asked { part: self.part.wish(), annotate: self.annotate, ..asked }
    }

    fn how(&self) -> Emitting {
        let target = match (self.in_place, self.dry_run) {
            (true, _) => Target::InPlace,
            (_, true) => Target::Nowhere,
            _ => Target::Folder,
        };
        Emitting { target, force: self.force, layout: self.write_layout }
    }
}

/// Proves, then writes.
pub fn run(args: &EmitArgs) -> Outcome {
    let bars = Bars::new();
    let project = Project::open(&args.asked(), &bars)?;
    let result = consolidate::consolidate(&project, &args.how(), &bars);
    drop(bars);
    let set = match result {
        Ok(set) => set,
        Err(why) => return refuse(why, args.common.format),
    };
    if let Some(path) = &args.summary {
        summarize(path, &project, &set)?;
    }
    let written = set.write()?;
    if let Some(aside) = &set.aside {
        tell(&format!("the history is now in {}; consolidate restore puts it back", aside.display()));
    }
    let printed = match args.common.format {
        Format::Text => {
            let folder = project.new.display().to_string();
            print(&text(&set.proven, &set.history, &set.about, &written, &folder, style()))
        }
        Format::Json => print_json(&json(&set.proven, &set.history, &set.about, &written)),
        format => {
            let sides = Sides::sets().without(&set.whole.left_out);
            show(&set.proven.verdict, &sides, format).map(drop)
        }
    };
    let done = if args.dry_run { "nothing was to be written" } else { "the set is proven, and written all the same" };
    after(done, printed).map(|()| FINE)
}

/// Nothing is written that isn't proven: says so, and what stands in the way.
fn refuse(why: Unproven, format: Format) -> Outcome {
    let (what, blocked) = match why {
        Unproven::Unable(errors) => return Err(errors),
        Unproven::Failed { error, blocked } => (format!("the last one tried failed at {error}"), blocked),
        Unproven::Different { verdict, left_out, blocked } => {
            show(&verdict, &Sides::sets().without(&left_out), format)?;
            ("the best one found differs as shown".to_string(), blocked)
        }
    };
    let mut errors: Vec<Error> = blocked.iter().map(Error::new).collect();
    errors.push(
        Error::new(format!("no set could be proven identical, so nothing was written; {what}")).hint(
            "this is a limit of consolidate: please report the history, or the smallest part of it that shows this",
        ),
    );
    complain(&errors);
    Ok(FOUND)
}

/// Writes what a pull request says.
fn summarize(path: &Path, project: &Project, set: &Consolidated) -> Result<(), Error> {
    let text = summary::markdown(&set.proven, &set.names(), &set.history, &set.about, &set.plan(project)?);
    write::file(path, text.as_bytes()).map_err(|e| {
        Error::new(format!("can't write the summary {}: {e}; nothing was written", path.display()))
            .hint("is there room on the disk, and may this user write there?")
    })
}
