//! `consolidate verify`.

use super::progress::Bars;
use super::project::Project;
use super::sessions;
use super::{
    Common, Comparing, FINE, FOUND, Format, Outcome, Part, Replaying, print, print_as_it_is, print_json, style,
};
use crate::diff::Side;
use crate::emit::{inner_folder, replay_files, whole};
use crate::error::{At, Error};
use crate::history::History;
use crate::plan::missing;
use crate::proof::{ReplayError, Settings, Verdict, VerdictKind, verify};
use crate::report::ci;
use crate::report::verdict::{self as report, Sides};
use clap::Args;
use std::path::Path;

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
    let mut project = Project::open(&args.common)?;
    project.settings.ignore = args.comparing.ignore.clone();
    if let Some(url) = &args.against {
        let sides = [Side::parse(url).map_err(|e| vec![e])?, Side::Folder(project.new.clone())];
        if !matches!(sides[0], Side::Database(_)) {
            let hint =
                "two folders are compared by `consolidate verify --old A --new B`, anything else by `consolidate diff`";
            return Err(vec![Error::new("--against wants a URL, postgres://…").hint(hint)]);
        }
        return super::diff::compare(&project, &sides, &args.replaying, args.common.format);
    }
    if project.is_one_folder() {
        return Err(vec![
            Error::new(format!("history and consolidated set are both {}", project.old.display()))
                .hint("name them with --old and --new; by default they are migrations.old/ and migrations/"),
        ]);
    }
    let (old, new) = match (project.history(), project.new_set(&args.part)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let mut errors = old.err().unwrap_or_default();
            errors.extend(new.err().unwrap_or_default());
            return Err(errors);
        }
    };
    super::warn(&old);
    let cut = project.cut(&args.part, &old)?;
    let new_folder = project.new.join(inner_folder(&old.folder, &project.old));
    let untouched = cut.map(|cut| whole::untouched(&old, cut, &new_folder)).transpose().map_err(|e| vec![e])?;
    let judged = |old: &History| {
        let (one, other) = (replay_files(old), replay_files(&new));
        let judge = |settings: &Settings| verify(&one, &other, settings, &Bars::new());
        project.on_scratch(&args.replaying, &[&one, &other], judge, |(_, error)| Some(error))
    };
    let mut result = judged(&old)?;
    if let Err(("old", error)) = &result
        && let Some((apart, note)) = sessions::apart(&old, error)
    {
        let mut second = judged(&apart)?;
        if let Ok(verdict) = &mut second {
            verdict.comparison.notes.push(note);
        }
        if !matches!(second, Err(("old", _))) {
            result = second;
        }
    }
    let verdict = result.map_err(|(side, error)| {
        let of = if side == "old" { Replayed::History(&old) } else { Replayed::Set(&new) };
        vec![could_not_replay(of, error)]
    })?;
    let found = show(&verdict, &Sides::sets().without(&old.left_out), args.common.format)?;
    match untouched {
        Some(Ok(count)) => super::tell(&format!("{count} files stay as they were, byte for byte")),
        Some(Err(name)) => {
            let what = format!("{name} should have stayed as it was, and isn't the same byte for byte");
            super::complain(&[Error::new(what).hint("copy it from the history again, or emit with the same cut")]);
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

/// What was replayed.
#[derive(Clone, Copy)]
pub enum Replayed<'a> {
    /// A history.
    History(&'a History),
    /// A consolidated set.
    Set(&'a History),
    /// What is in no folder.
    Other,
}

impl<'a> Replayed<'a> {
    fn history(self) -> Option<&'a History> {
        match self {
            Replayed::History(history) | Replayed::Set(history) => Some(history),
            Replayed::Other => None,
        }
    }

    fn folder(self) -> &'a Path {
        self.history().map_or(Path::new(""), |history| history.folder.as_path())
    }
}

/// A replay that failed, as an error with its place and a hint.
pub fn could_not_replay(of: Replayed, error: ReplayError) -> Error {
    let (folder, is_set) = (of.folder(), matches!(of, Replayed::Set(_)));
    match error {
        ReplayError::Unable(mut error) | ReplayError::Missing(mut error) => {
            if let Some(at) = &mut error.at
                && folder.join(&at.file).exists()
            {
                at.file = folder.join(&at.file).display().to_string();
            }
            error.hint = error.hint.or_else(|| no_room(&error.message));
            error
        }
        ReplayError::Failed(failure) => {
            let file = if failure.in_prelude {
                failure.file.clone()
            } else {
                folder.join(&failure.file).display().to_string()
            };
            let mut message = failure.message.clone();
            if let Some(detail) = &failure.detail {
                message.push_str(&format!(" ({detail})"));
            }
            let own = tools_own(&failure.message).filter(|_| failure.sqlstate == "42P01");
            let later = of.history().and_then(|history| missing::hint(history, &failure));
            let hint = no_room(&failure.message).or(own).or(later).or(failure.hint.clone());
            let hint = hint.unwrap_or_else(|| hint_for(&failure.sqlstate, is_set).to_string());
            Error::new(message).at(At::new(file, failure.line)).hint(hint)
        }
    }
}

/// What helps where the embedded PostgreSQL can't write its files: it calls a full disk so. Others say "Input/output error".
fn no_room(message: &str) -> Option<String> {
    message.ends_with(": I/O error").then(crate::scratch::room::hint)
}

/// What helps where a history speaks of the table in which its migration tool keeps its versions.
fn tools_own(message: &str) -> Option<String> {
    let missing = message.strip_prefix("relation \"")?.strip_suffix("\" does not exist")?;
    let is_it = |table: &str| table == missing || table.rsplit('.').next() == missing.rsplit('.').next();
    crate::handover::TOOLS.iter().find(|tool| is_it(tool.table)).map(|_| {
        format!(
            "{missing} is where a migration tool keeps its versions, and there is no such tool on a scratch database; \
             make it in a prelude as the tool does: [scratch] prelude, or --prelude FILE"
        )
    })
}

/// What to do next, by PostgreSQL's SQLSTATE.
fn hint_for(sqlstate: &str, is_set: bool) -> &'static str {
    match sqlstate {
        _ if is_set => "the consolidated set must replay on an empty database; `consolidate emit` writes it anew",
        "42704" | "28000" => {
            "what the history takes for granted (roles, types) goes into a prelude: [scratch] prelude, or --prelude FILE"
        }
        "42P01" | "3F000" | "42883" => {
            "if something outside the migrations makes it, create it in a prelude: [scratch] prelude, or --prelude FILE"
        }
        _ => "the set must replay on an empty database before it can be consolidated",
    }
}
