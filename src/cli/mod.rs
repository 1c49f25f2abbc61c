//! Arguments become settings, settings one library call, its result a printed report and an exit code.

mod diff;
mod emit;
mod handover;
mod init;
pub mod interrupt;
mod out;
mod plan;
mod progress;
mod project;
mod restore;
mod sessions;
mod verify;

use crate::config::{Config, Files, Numbers};
use crate::engine::Engine;
use crate::error::Error;
use crate::history::cut::Wish;
use crate::history::layout::ALL;
use crate::proof::Class;
use crate::report::escape::{Medium, escaped};
use crate::scratch::limits::{Size, Time};
use crate::scratch::server::redacted;
use crate::trust::Trust;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use out::{after, complain, print, print_as_it_is, print_json, style, tell, warn, warn_of};
use std::path::PathBuf;
use std::process::ExitCode;

/// Everything went well, and there is nothing to report.
const FINE: u8 = 0;
/// The command ran, and found what it looks for: a difference, something dead, a set that can't be proven.
const FOUND: u8 = 1;
/// The command couldn't run.
const UNABLE: u8 = 2;

const ABOUT: &str = "Turns a long history of PostgreSQL migrations into the short set that you would have written had you \
known the end, and proves on real databases that both give the same schema and rows.";

const STORY: &str = "\
In order:
  consolidate init      write a consolidate.toml that explains every setting
  consolidate plan      what is dead, folded and superseded in the history; needs no database
  consolidate emit      write the consolidated set, once it is proven
  consolidate verify    prove the set in migrations/ against the history in migrations.old/
  consolidate handover  make databases that ran the history count as having run the set
  consolidate diff A B  compare any two folders, dumps, databases, revisions

The history is read from migrations.old/ (or from migrations/, if there is no migrations.old/), the
consolidated set is written to migrations/. Proofs run on a PostgreSQL that is compiled into this
program: no server, no Docker. What that one can't do runs on the PostgreSQL programs of this machine,
if there are any.

Exit codes: 0 fine; 1 found something (a difference, an unproven set); 2 could not run.";

#[derive(Parser)]
#[command(name = "consolidate", version, about = ABOUT, after_help = STORY)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a commented consolidate.toml from what is found here
    Init(init::InitArgs),
    /// Show what the history says: dead, folded, superseded, kept, and why; no database needed
    Plan(plan::PlanArgs),
    /// Write the consolidated set, once both sets are replayed and found identical
    Emit(emit::EmitArgs),
    /// Make live databases that ran the history count as having run the new set
    Handover(handover::HandoverArgs),
    /// Undo emit --in-place: the history is back, the set goes
    Restore(restore::RestoreArgs),
    /// Replay both sets side by side and compare schema, rows, sequences, roles
    Verify(verify::VerifyArgs),
    /// Compare any two of: a folder of migrations, a dump, a database that exists, REV:folder of a git repository
    Diff(diff::DiffArgs),
}

/// What every command takes.
#[derive(Args, Clone)]
struct Common {
    /// The configuration file [default: consolidate.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of the history [default: migrations.old, or migrations]
    #[arg(long, value_name = "DIR")]
    old: Option<PathBuf>,
    /// How the history is laid out [default: found by itself]
    #[arg(long, value_name = "NAME", value_parser = layouts())]
    layout: Option<String>,
    /// Whose SQL it is, in spite of what its names, words and surroundings say [default: found by itself]
    #[arg(long, value_name = "NAME", value_parser = Engine::asked)]
    engine: Option<Engine>,
    /// Leave files out of the history that only undo an earlier one; the plan names them
    #[arg(long)]
    without_rollbacks: bool,
    /// The folder of the consolidated set [default: migrations]
    #[arg(long, value_name = "DIR")]
    new: Option<PathBuf>,
    /// SQL that the history takes for granted (roles, schemas), run first on both sides: a file, or supabase for a fresh
    /// project of Supabase; may be given again
    #[arg(long, value_name = "FILE|supabase")]
    prelude: Vec<PathBuf>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    trusting: Trusting,
}

/// What every command takes that reads consolidate.toml.
#[derive(Args, Clone)]
struct Trusting {
    /// Let consolidate.toml ask for what only the command line may otherwise; may be given again. CONSOLIDATE_TRUSTED does
    /// the same
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    trusted: Vec<Trust>,
}

/// The layouts that there are, for the help.
fn layouts() -> PossibleValuesParser {
    PossibleValuesParser::new(ALL.iter().map(|layout| PossibleValue::new(layout.name()).help(layout.about())))
}

/// What the commands take that replay.
#[derive(Args, Clone)]
struct Replaying {
    /// The PostgreSQL to replay on: auto, embedded (compiled into this program), local (the programs on this machine),
    /// or the address of a server (postgres://user@host/), on which databases of our own are made and dropped again;
    /// env:NAME takes the address from a variable [default: auto]
    #[arg(long, value_name = "auto|embedded|local|URL|env:NAME")]
    scratch: Option<String>,
    /// Give up if a statement takes longer: 500ms, 30s, 10min …, or none [default: 60s]
    #[arg(long, value_name = "TIME")]
    statement_timeout: Option<Time>,
    /// Give up if all of it takes longer; none: never [default: 10min]
    #[arg(long, value_name = "TIME")]
    timeout: Option<Time>,
    /// Give up if a statement gives more, or a table holds more: 64MB, 2GB …, or none [default: 256MB]
    #[arg(long, value_name = "SIZE")]
    result_size: Option<Size>,
}

/// What the commands take that compare.
#[derive(Args, Clone)]
struct Comparing {
    /// Leave out differences of a class; may be given again
    #[arg(long, value_enum, value_name = "CLASS")]
    ignore: Vec<Class>,
}

/// Which part of the history is consolidated.
#[derive(Args, Clone)]
struct Part {
    /// Consolidate the history up to and with this version, and leave the files after it as they are
    #[arg(long, value_name = "VERSION", conflicts_with = "from")]
    through: Option<String>,
    /// Consolidate the history from this version on, on top of the files before it, which stay as they are; REV: (with a
    /// colon) is a git revision, and means the files that it doesn't have
    #[arg(long, value_name = "VERSION|REV:")]
    from: Option<String>,
}

impl Part {
    /// What is said about a cut, if anything.
    fn wish(&self) -> Option<Wish> {
        let from = |said: &String| match said.strip_suffix(':') {
            Some(revision) => Wish::FromRevision(revision.to_string()),
            None => Wish::From(said.clone()),
        };
        self.through.clone().map(Wish::Through).or(self.from.as_ref().map(from))
    }
}

/// How the new set is filed.
#[derive(Args, Clone)]
struct Filing {
    /// What decides on the file of an object [default: rules, if there are any, else birth; one with --from]
    #[arg(long, value_enum, value_name = "BY")]
    files: Option<Files>,
    /// The versions of the files [default: sequential; originals if each object stays in its file]
    #[arg(long, value_enum, value_name = "WHICH")]
    numbers: Option<Numbers>,
    /// The name of the file, without version and ending, where there is only one
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Filing {
    /// What is said here wins over the settings.
    fn over(&self, config: &mut Config) {
        let emit = &mut config.emit;
        emit.files = self.files.or(emit.files);
        emit.numbers = self.numbers.or(emit.numbers);
        emit.name = self.name.clone().or(emit.name.take());
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs; described in GUIDE.md and by schema/consolidate.schema.json
    Json,
    /// For a comment on a pull request
    Markdown,
    /// For the test reports of a CI
    Junit,
    /// Annotations of GitHub Actions
    Github,
}

/// Runs the program.
pub fn run() -> ExitCode {
    // Whatever it says comes from texts that others wrote, too.
    std::panic::set_hook(Box::new(|info| out::talk(&escaped(&format!("{info}\n"), Medium::Lines))));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse_arguments(&error),
    };
    let result = match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Emit(args) => emit::run(&args),
        Command::Handover(args) => handover::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Diff(args) => diff::run(&args),
    };
    crate::scratch::embedded::leave();
    ExitCode::from(out::ended(result))
}

/// Arguments that aren't understood, or a wish for help. What was typed may hold a password.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if error.use_stderr() {
        out::talk(&escaped(&redacted(&text.to_string()), Medium::Lines));
        return ExitCode::from(UNABLE);
    }
    let text = if style().colour { text.ansi().to_string() } else { text.to_string() };
    ExitCode::from(out::ended(out::print_as_it_is(&text).map(|()| FINE)))
}

/// What a command gives: its exit code, or why it couldn't run.
type Outcome = Result<u8, Vec<Error>>;
