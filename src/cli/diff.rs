//! `consolidate diff`, and `consolidate verify --against`.

use super::progress::Bars;
use super::verify::show;
use super::{Comparing, Format, Outcome, Replaying, Trusting, words};
use clap::Args;
use consolidate::Engine;
use consolidate::diff::Side;
use consolidate::history::layout::Layout;
use consolidate::report::verdict::Sides;
use consolidate::{Asked, Project};
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
    #[arg(long, value_name = "NAME", value_parser = words::layout())]
    layout: Option<&'static dyn Layout>,
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
    let asked = args.replaying.over(Asked {
        config: args.config.clone(),
        layout: args.layout,
        engine: args.engine,
        prelude: args.prelude.clone(),
        trusted: args.trusting.trusted.clone(),
        ignore: args.comparing.ignore.clone(),
        ..Asked::default()
    });
    let project = Project::open(&asked, &Bars::new())?;
    let sides = match (Side::parse(&args.old), Side::parse(&args.new)) {
        (Ok(old), Ok(new)) => [old, new],
        (old, new) => return Err([old.err(), new.err()].into_iter().flatten().collect()),
    };
    compare(&project, &sides, args.format)
}

/// Compares two sides and prints what came of it.
pub fn compare(project: &Project, sides: &[Side; 2], format: Format) -> Outcome {
    let verdict = consolidate::diff(project, sides, &Bars::new())?;
    let [old, new] = sides;
    show(&verdict, &Sides::named(old.name(), new.name()), format)
}
