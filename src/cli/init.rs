//! `consolidate init`.

use super::progress::Bars;
use super::{FINE, Outcome, after, print, words};
use clap::Args;
use consolidate::Engine;
use consolidate::history::layout::Layout;
use consolidate::report::draft as report;
use consolidate::{DraftOf, Error};
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct InitArgs {
    /// The folder of the history [default: migrations.old, or migrations, or the only one below that holds migrations]
    #[arg(long, value_name = "DIR")]
    old: Option<PathBuf>,
    /// How the history is laid out [default: found by itself]
    #[arg(long, value_name = "NAME", value_parser = words::layout())]
    layout: Option<&'static dyn Layout>,
    /// Whose SQL it is, in spite of what its names, words and surroundings say [default: found by itself]
    #[arg(long, value_name = "NAME", value_parser = Engine::asked)]
    engine: Option<Engine>,
}

/// Looks at the history and writes `consolidate.toml`, unless there is one.
pub fn run(args: &InitArgs) -> Outcome {
    let said = DraftOf { old: args.old.clone(), layout: args.layout, engine: args.engine };
    let draft = consolidate::draft(&said, &Bars::new())?;
    write(&report::text(&draft))?;
    after("consolidate.toml is written all the same", print(&report::said(&draft)))?;
    Ok(FINE)
}

/// Writes the configuration, unless there is one.
fn write(text: &str) -> Result<(), Error> {
    let target = Path::new("consolidate.toml");
    let mut file = std::fs::File::create_new(target).map_err(|e| {
        Error::new(format!("can't write consolidate.toml: {e}"))
            .hint("an existing one is never replaced: move it away first")
    })?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
        // A half of it would be worse than none.
        let _ = std::fs::remove_file(target);
        Error::new(format!("can't write consolidate.toml: {error}")).hint("is there room on the disk? nothing was kept")
    })
}
