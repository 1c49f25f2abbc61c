//! Arguments become settings, settings one library call, its result a printed report and an exit code.

mod diff;
mod emit;
mod handover;
mod init;
mod interrupt;
mod out;
mod plan;
mod progress;
mod restore;
mod verify;
mod words;

use clap::{Args, Parser, Subcommand, ValueEnum};
use consolidate::Engine;
use consolidate::Trust;
use consolidate::config::{Files, Numbers};
use consolidate::escape::{Medium, escaped};
use consolidate::history::cut::Wish;
use consolidate::history::layout::Layout;
use consolidate::proof::Class;
use consolidate::scratch::limits::{Size, Time};
use consolidate::scratch::server::redacted;
use consolidate::{Asked, Error};
use out::{after, complain, print, print_as_it_is, print_json, style, tell, warn_of};
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
    #[arg(long, value_name = "NAME", value_parser = words::layout())]
    layout: Option<&'static dyn Layout>,
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

impl Common {
    fn asked(&self) -> Asked {
        Asked {
            config: self.config.clone(),
            old: self.old.clone(),
            new: self.new.clone(),
            layout: self.layout,
            engine: self.engine,
            without_rollbacks: self.without_rollbacks,
            prelude: self.prelude.clone(),
            trusted: self.trusting.trusted.clone(),
            ..Asked::default()
        }
    }
}

/// What every command takes that reads consolidate.toml.
#[derive(Args, Clone)]
struct Trusting {
    /// Let consolidate.toml ask for what only the command line may otherwise; may be given again. CONSOLIDATE_TRUSTED does
    /// the same
    #[arg(long, value_parser = words::one_of::<Trust>(), value_name = "WHAT", value_delimiter = ',')]
    trusted: Vec<Trust>,
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

impl Replaying {
    /// What is asked for, with this. From now on a signal takes back what replays make.
    fn over(&self, asked: Asked) -> Asked {
        interrupt::take_back_when_told_to_end();
        Asked {
            scratch: self.scratch.clone(),
            statement_timeout: self.statement_timeout,
            timeout: self.timeout,
            result_size: self.result_size,
            ..asked
        }
    }
}

/// What the commands take that compare.
#[derive(Args, Clone)]
struct Comparing {
    /// Leave out differences of a class; may be given again
    #[arg(long, value_parser = words::one_of::<Class>(), value_name = "CLASS")]
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
    #[arg(long, value_parser = words::one_of::<Files>(), value_name = "BY")]
    files: Option<Files>,
    /// The versions of the files [default: sequential; originals if each object stays in its file]
    #[arg(long, value_parser = words::one_of::<Numbers>(), value_name = "WHICH")]
    numbers: Option<Numbers>,
    /// The name of the file, without version and ending, where there is only one
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Filing {
    /// What is asked for, with this.
    fn over(&self, asked: Asked) -> Asked {
        Asked { files: self.files, numbers: self.numbers, name: self.name.clone(), ..asked }
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
    consolidate::scratch::embedded::leave();
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
