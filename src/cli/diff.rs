//! `consolidate diff`, and `consolidate verify --against`.

use super::progress::Bars;
use super::project::Project;
use super::verify::{Replayed, could_not_replay, show};
use super::{Common, Comparing, Format, Outcome, Replaying, Trusting, layouts};
use crate::diff::{Ready, Side};
use crate::emit::write::was_written;
use crate::engine::Engine;
use crate::error::Error;
use crate::handover::{Tool, live, migrations, script, tool_of};
use crate::history::{History, Reading};
use crate::plan::undone;
use crate::proof::{ReplayFile, Settings, Source, VerdictKind, compare_sources};
use crate::report::verdict::Sides;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct DiffArgs {
    /// The old side: a folder of migrations, a dump of pg_dump, postgres://…, or REV:folder of a git repository
    #[arg(value_name = "A")]
    old: String,
    /// The new side, of any of these kinds
    #[arg(value_name = "B")]
    new: String,
    /// The configuration file [default: consolidate.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How folders of migrations are laid out [default: found by itself]
    #[arg(long, value_name = "NAME", value_parser = layouts())]
    layout: Option<String>,
    /// Whose SQL they are, in spite of what names, words and surroundings say [default: found by itself]
    #[arg(long, value_name = "NAME", value_parser = Engine::asked)]
    engine: Option<Engine>,
    /// SQL that folders of migrations take for granted, run first: a file, or supabase; may be given again
    #[arg(long, value_name = "FILE|supabase")]
    prelude: Vec<PathBuf>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    replaying: Replaying,
    #[command(flatten)]
    comparing: Comparing,
    #[command(flatten)]
    trusting: Trusting,
}

/// Compares the two sides that are named.
pub fn run(args: &DiffArgs) -> Outcome {
    let common = Common {
        config: args.config.clone(),
        old: None,
        layout: args.layout.clone(),
        engine: args.engine,
        without_rollbacks: false,
        new: None,
        prelude: args.prelude.clone(),
        format: args.format,
        trusting: args.trusting.clone(),
    };
    let mut project = Project::open(&common)?;
    project.settings.ignore = args.comparing.ignore.clone();
    let (old, new) = (Side::parse(&args.old), Side::parse(&args.new));
    let sides = match (old, new) {
        (Ok(old), Ok(new)) => [old, new],
        (old, new) => return Err([old.err(), new.err()].into_iter().flatten().collect()),
    };
    compare(&project, &sides, &args.replaying, args.format)
}

/// Compares two sides and prints what came of it.
pub fn compare(project: &Project, sides: &[Side; 2], replaying: &Replaying, format: Format) -> Outcome {
    // Only a database is read with a program.
    let is_live = sides.iter().any(|side| matches!(side, Side::Database(_)));
    let programs = if is_live { project.programs().map_err(|e| vec![e])? } else { None };
    let preludes = project.settings.prelude_texts();
    let reading = project.reading(&preludes);
    let ready = |side: &Side| -> Result<Ready, Vec<Error>> {
        // The layout that is said is that of a history; a consolidated set is found to be what it is.
        let layout = if *side == Side::Folder(project.new.clone()) { None } else { project.layout };
        let ready = side.ready(&Reading { layout, ..reading }, programs.as_deref())?;
        ready.history.as_ref().and_then(undone::refuse).map_or(Ok(()), |error| Err(vec![error]))?;
        Ok(ready)
    };
    let (old, new) = match (ready(&sides[0]), ready(&sides[1])) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => return Err([old.err(), new.err()].into_iter().flatten().flatten().collect()),
    };
    for history in [&old, &new].into_iter().filter_map(|ready| ready.history.as_ref()) {
        super::warn(history);
    }
    let sets: Vec<&[ReplayFile]> = [&old, &new].into_iter().filter_map(files).collect();
    let judge = |settings: &Settings| compare_sources(&old.source, &new.source, settings, &Bars::new());
    let result = project.on_scratch(replaying, &sets, judge, |(_, error)| Some(error))?;
    let verdict = result.map_err(|(side, error)| {
        let which = if side == "old" { &old } else { &new };
        let of = which.history.as_ref().map_or(Replayed::Other, Replayed::History);
        vec![hinted(could_not_replay(of, error), which)]
    })?;
    if verdict.kind == VerdictKind::Different {
        let of = [(&sides[0], &new), (&sides[1], &old)];
        of.into_iter().filter_map(|(side, other)| by_the_tool(side, other)).for_each(|note| super::tell(&note));
    }
    let [old, new] = sides;
    show(&verdict, &Sides::named(old.name(), new.name()), format)
}

/// What the migration tool's own table says of a database that isn't what a history makes: it may only be behind. A set that was
/// written here is no history that such a table knows.
fn by_the_tool(side: &Side, other: &Ready) -> Option<String> {
    let (Side::Database(url), Some(history)) = (side, &other.history) else { return None };
    if was_written(&history.folder) {
        return None;
    }
    let (tool, own) = (tool_in(history)?, migrations(history).ok()?);
    let script = script(tool, None, &own, &own, true).ok().filter(|script| !script.sql.is_empty())?;
    let why = live::refusal(url, &script)?;
    Some(format!("by {}, the table of {}, the database is {}", script.table, tool.name, why.message))
}

/// The tool of a history.
fn tool_in(history: &History) -> Option<&'static Tool> {
    tool_of(history.layout.name(), history.files.iter().any(|f| f.name.contains('/'))).ok()
}

/// What of a side is replayed.
fn files(ready: &Ready) -> Option<&[ReplayFile]> {
    match &ready.source {
        Source::Set(files) | Source::Dump(files, _) => Some(files),
        Source::Database(..) => None,
    }
}

/// A dump that doesn't load wants another hint than a history.
fn hinted(error: Error, which: &Ready) -> Error {
    match which.source {
        Source::Dump(..) => error
            .hint("a dump is loaded as it stands, without preludes: what it needs must be in it, or be an extension"),
        _ => error,
    }
}
