//! Arguments become settings, settings one library call, its result a printed report and an exit code.

mod emit;
mod handover;
mod init;
mod plan;
mod progress;
mod project;
mod restore;
mod verify;

use crate::error::Error;
use crate::history::History;
use crate::history::layout::ALL;
use crate::proof::Choice;
use crate::report::style::Style;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::IsTerminal;
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
}

/// The layouts that there are, for the help.
fn layouts() -> PossibleValuesParser {
    PossibleValuesParser::new(ALL.iter().map(|layout| PossibleValue::new(layout.name()).help(layout.about())))
}

/// What the commands take that replay.
#[derive(Args, Clone)]
struct Replaying {
    /// The PostgreSQL to replay on [default: auto]
    #[arg(long, value_enum, value_name = "WHICH")]
    scratch: Option<Choice>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs; described in GUIDE.md
    Json,
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Emit(args) => emit::run(&args),
        Command::Handover(args) => handover::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Verify(args) => verify::run(&args),
    };
    ExitCode::from(result.unwrap_or_else(|errors| {
        complain(&errors);
        UNABLE
    }))
}

/// What a command gives: its exit code, or why it couldn't run.
type Outcome = Result<u8, Vec<Error>>;

/// Colours for standard output.
fn style() -> Style {
    Style { colour: std::io::stdout().is_terminal() && !no_colour() }
}

fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

/// Errors go to standard error, each with its hint.
fn complain(errors: &[Error]) {
    let style = Style { colour: std::io::stderr().is_terminal() && !no_colour() };
    for error in errors {
        let place = error.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
        eprintln!("{} {place}{}", style.red("error:"), error.message);
        if let Some(hint) = &error.hint {
            eprintln!("{} {hint}", style.yellow("hint:"));
        }
    }
}

/// What of a history is not in what is proven, on standard error. A plan has it among its warnings.
fn warn(history: &History) {
    let style = Style { colour: std::io::stderr().is_terminal() && !no_colour() };
    for (at, why) in &history.warnings {
        eprintln!("{} {at}: {why}", style.yellow("warning:"));
    }
}

/// Something worth knowing goes to standard error.
fn tell(note: &str) {
    let style = Style { colour: std::io::stderr().is_terminal() && !no_colour() };
    eprintln!("{} {note}", style.dim("note:"));
}

/// Standard output is data. A reader that went away (`| head`) is no error.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn print_json(value: &serde_json::Value) {
    print(&format!("{value:#}\n"));
}
