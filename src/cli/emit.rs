//! `consolidate emit`.

use super::progress::Bars;
use super::project::Project;
use super::verify::{Replayed, could_not_replay};
use super::{Common, FINE, FOUND, Filing, Format, Outcome, Part, Replaying, after, print, print_json, style};
use crate::config::Numbers;
use crate::emit::whole::WholeFile;
use crate::emit::write::{Changes, Origin};
use crate::emit::{
    Laid, Proven, Unproven, add_downs, aside, file_cycles, lay_out, name_in_part, prove, prove_part, replay_files,
    wants_downs, whole, write,
};
use crate::error::Error;
use crate::history::contents::Contents;
use crate::history::cut::Cut;
use crate::history::layout::Layout;
use crate::history::{self, History};
use crate::plan::{empty_set, plan, plan_part, secrets_that_stay};
use crate::proof::{ReplayError, Settings, Verdict, VerdictKind, verify};
use crate::replay::{Model, replay, replay_from};
use crate::report::emit::{About, Written, json, text};
use crate::report::summary;
use crate::report::verdict::Sides;
use clap::Args;
use std::path::PathBuf;

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
    #[arg(long, value_name = "NAME", value_parser = super::layouts())]
    write_layout: Option<String>,
    /// Where the history is in migrations/ itself: move it to migrations.old/, and write the set in its place
    #[arg(long, conflicts_with = "dry_run")]
    in_place: bool,
    /// Replace or remove .sql files in the target folder that this program didn't write, or that were changed since
    #[arg(long)]
    force: bool,
}

/// Nothing is written that isn't proven: says so, and what stands in the way.
fn refuse(what: &str, blocked: &[String]) -> u8 {
    let mut errors: Vec<Error> = blocked.iter().map(Error::new).collect();
    errors.push(
        Error::new(format!("no set could be proven identical, so nothing was written; {what}")).hint(
            "this is a limit of consolidate: please report the history, or the smallest part of it that shows this",
        ),
    );
    super::complain(&errors);
    FOUND
}

/// Whether it may be for the PostgreSQL in use that there is no set: the history didn't replay, or the set broke it.
fn not_replayed(why: &Unproven) -> Option<&ReplayError> {
    match why {
        Unproven::History(error) => Some(error),
        Unproven::Candidate(error, _) => Some(&**error).filter(|error| !matches!(error, ReplayError::Failed(_))),
        _ => None,
    }
}

/// Where the history goes with `--in-place`, once it is seen that something may be written.
fn ready(args: &EmitArgs, project: &Project) -> Result<Option<PathBuf>, Error> {
    let old = project.old.display();
    if args.in_place {
        if !project.is_one_folder() {
            let message = format!("the history is in {old} already, apart from the set");
            return Err(Error::new(message).hint("leave out --in-place"));
        }
        if args.part.wish().is_some() {
            let message = "--in-place moves a whole history aside, and a part of this one stays as it is";
            return Err(Error::new(message).hint("name a folder for the whole new set with --new"));
        }
        project.refuse_to_replace(&project.old)?;
        let aside = aside::aside_of(&project.old);
        aside::check(&project.old, &aside)?;
        return Ok(Some(aside));
    }
    if args.dry_run {
        return Ok(None);
    }
    if project.is_one_folder() {
        let hint = match args.part.wish() {
            None => {
                "move it aside with --in-place, or by yourself (git mv migrations migrations.old), name another folder with \
                 --new, or look at what would come with --dry-run"
            }
            Some(_) => "name a folder for the whole new set with --new, or look at what would come with --dry-run",
        };
        return Err(Error::new(format!("the history is in {old}, where the new set would go")).hint(hint));
    }
    project.refuse_to_replace(&project.new)?;
    write::check(&project.new, args.force).map(|()| None)
}

/// The layout in which the set is written.
fn layout(args: &EmitArgs, project: &Project, history: &History) -> Result<&'static dyn Layout, Error> {
    let layout = project.written_layout(args.write_layout.as_deref(), history);
    if args.part.wish().is_some() && layout != history.layout {
        let message = format!(
            "a part of the history stays as {} wants it, so the rest can't become {}",
            history.layout,
            layout.name()
        );
        return Err(Error::new(message).hint("leave out --write-layout and [emit] layout, or consolidate all of it"));
    }
    Ok(layout)
}

/// What is to be written.
enum Files {
    /// All of a history's set.
    Set(Laid),
    /// A whole folder, of which a part stays as it is.
    Whole(Vec<WholeFile>),
}

impl Files {
    /// The paths of the set's files.
    fn names(&self, proven: &Proven, history: &History) -> Vec<String> {
        match self {
            Files::Set(laid) => laid.names.clone(),
            Files::Whole(_) => proven.set.files.iter().map(|file| name_in_part(file, history)).collect(),
        }
    }
}

/// Writes it.
fn write_all(
    args: &EmitArgs,
    project: &Project,
    history: &History,
    aside: Option<&PathBuf>,
    files: &Files,
) -> Result<Written, Error> {
    let sum = write::sum_of(history);
    let changes = match (files, aside) {
        _ if args.dry_run => return Ok(Written::Nothing),
        (Files::Set(laid), Some(aside)) => {
            let written = aside::in_place(&project.old, aside, laid, history, &sum)?;
            super::tell(&format!("the history is now in {}; consolidate restore puts it back", aside.display()));
            return Ok(Written::Files(Changes { written, removed: Vec::new(), noted: true }));
        }
        (Files::Set(laid), None) => write::write(&project.new, laid, &sum, args.force)?,
        (Files::Whole(files), _) => {
            let origin = Origin { history: &sum, layout: history.layout.name() };
            write::write_files(&project.new, files, origin, args.force)?
        }
    };
    Ok(if changes.is_empty() { Written::Unchanged } else { Written::Files(changes) })
}

/// What a proof gives with what else was made of it; or why there is none.
type Worked<T> = Result<(Proven, T), Unproven>;

/// Proves on a history as its tool runs it; if only that doesn't replay, with a session for each of its files.
fn in_its_sessions<T>(
    history: History,
    proven: impl Fn(&History) -> Result<Worked<T>, Vec<Error>>,
) -> Result<(History, Worked<T>), Vec<Error>> {
    let first = proven(&history)?;
    let Err(Unproven::History(error)) = &first else { return Ok((history, first)) };
    let Some((apart, note)) = super::sessions::apart(&history, error) else { return Ok((history, first)) };
    Ok(match proven(&apart)? {
        Err(Unproven::History(_)) => (history, first),
        Ok((mut proven, files)) => {
            proven.verdict.comparison.notes.push(note);
            (apart, Ok((proven, files)))
        }
        second => (apart, second),
    })
}

/// Proves, then writes.
pub fn run(args: &EmitArgs) -> Outcome {
    let mut project = Project::open(&args.common)?;
    args.filing.over(&mut project.config);
    project.config.emit.annotate |= args.annotate;
    let history = project.history()?;
    let aside = ready(args, &project).map_err(|e| vec![e])?;
    let layout = layout(args, &project, &history).map_err(|e| vec![e])?;
    super::warn(&history);
    let cut = project.cut(&args.part, &history)?;
    let consolidated = |history: &History| match cut {
        Some(Cut::Through(files)) => history.first(files),
        _ => history.clone(),
    };
    let proven = |history: &History| {
        let work = |settings: &Settings| work(&project, history, &consolidated(history), cut, layout, settings);
        project.on_scratch(&args.replaying, &[&replay_files(history)], work, not_replayed)
    };
    let (history, result) = in_its_sessions(history, proven)?;
    let consolidated = consolidated(&history);
    let proven = match result {
        Ok(proven) => proven,
        Err(Unproven::Unwritable(error)) => return Err(vec![error]),
        Err(Unproven::History(error)) => return Err(vec![could_not_replay(Replayed::History(&history), error)]),
        Err(Unproven::Candidate(error, blocked)) => {
            let error = could_not_replay(Replayed::Other, *error);
            return Ok(refuse(&format!("the last one tried failed at {error}"), &blocked));
        }
        Err(Unproven::Different(found, blocked)) => {
            super::verify::show(&found, &Sides::sets().without(&history.left_out), args.common.format)?;
            return Ok(refuse("the best one found differs as shown", &blocked));
        }
    };
    if cut.is_none() {
        let cycles = file_cycles(&history, &replay(&history), &project.config).map_err(|e| vec![e])?;
        cycles.iter().for_each(|cycle| super::tell(&format!("{}: {}", history.at(cycle.at), cycle.message)));
    }
    let (proven, files) = proven;
    if let Some(empty) = empty_set(&history, proven.set.statements()).filter(|_| cut.is_none()) {
        super::warn_of(&empty.at, &empty.message);
    }
    for secret in secrets_that_stay(&consolidated, &proven.set) {
        super::warn_of(&secret.at, &secret.message);
    }
    if let Files::Set(laid) = &files {
        laid.notes.iter().for_each(|note| super::tell(note));
    }
    let model = replay_from(&consolidated, cut.and_then(|cut| cut.first_statement(&consolidated)));
    let about = About::of(&consolidated, &model, cut, &proven);
    if let Some(path) = &args.summary {
        let names = files.names(&proven, &history);
        summarize(path, &project, (&consolidated, &model), cut, (&proven, &names), &about).map_err(|e| vec![e])?;
    }
    let written = write_all(args, &project, &history, aside.as_ref(), &files).map_err(|e| vec![e])?;
    let printed = match args.common.format {
        Format::Text => {
            let folder = project.new.display().to_string();
            print(&text(&proven, &consolidated, &about, &written, &folder, style()))
        }
        Format::Json => print_json(&json(&proven, &consolidated, &about, &written)),
        format => {
            let sides = Sides::sets().without(&history.left_out);
            super::verify::show(&proven.verdict, &sides, format).map(drop)
        }
    };
    let done = if args.dry_run { "nothing was to be written" } else { "the set is proven, and written all the same" };
    after(done, printed).map(|()| FINE)
}

/// Writes what a pull request says.
fn summarize(
    path: &std::path::Path,
    project: &Project,
    (consolidated, model): (&History, &Model),
    cut: Option<Cut>,
    (proven, names): (&Proven, &[String]),
    about: &About,
) -> Result<(), Error> {
    let plan = match cut {
        Some(Cut::From(start)) => plan_part(consolidated, model, &project.config, start),
        _ => plan(consolidated, model, &project.config),
    };
    let text = summary::markdown(proven, names, consolidated, about, &plan?);
    write::file(path, text.as_bytes()).map_err(|e| {
        Error::new(format!("can't write the summary {}: {e}; nothing was written", path.display()))
            .hint("is there room on the disk, and may this user write there?")
    })
}

/// A whole history's set, laid out for its tool.
fn laid(project: &Project, proven: &Proven, history: &History, layout: &'static dyn Layout) -> Result<Laid, Error> {
    let emit = &project.config.emit;
    let keeps_versions = emit.first_version.is_none() && matches!(emit.numbers, None | Some(Numbers::Originals));
    lay_out(&proven.set, history, &project.old, layout, keeps_versions)
}

/// Proves a set once more as another tool than the history's will run it: its sessions and transactions are its own.
fn as_read(history: &History, laid: &Laid, layout: &'static dyn Layout, settings: &Settings) -> Result<(), Unproven> {
    if laid.files.is_empty() {
        return Ok(());
    }
    let texts = laid.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let contents = Contents::in_memory(std::path::Path::new(""), texts);
    let read = history::read_contents(contents, Some(layout)).map_err(|mut errors| {
        let first = if errors.is_empty() { Error::new("it can't be read") } else { errors.remove(0) };
        Unproven::Unwritable(Error::new(format!("the set can't be read as {}: {first}", layout.name())))
    })?;
    judged(verify(&replay_files(history), &replay_files(&read), settings, &Bars::new())).map(drop)
}

/// A verdict that proves something.
fn judged(verdict: Result<Verdict, (&'static str, ReplayError)>) -> Result<Verdict, Unproven> {
    match verdict {
        Ok(verdict) if verdict.kind == VerdictKind::Identical => Ok(verdict),
        Ok(verdict) => Err(Unproven::Different(Box::new(verdict), Vec::new())),
        Err((_, error)) => Err(Unproven::Candidate(Box::new(error), Vec::new())),
    }
}

/// Proves a set, and lays it out; where a part of the history stays as it is, the whole new folder too, as it will be read.
fn work(
    project: &Project,
    history: &History,
    consolidated: &History,
    cut: Option<Cut>,
    layout: &'static dyn Layout,
    settings: &Settings,
) -> Result<(Proven, Files), Unproven> {
    let config = &project.config;
    let proven = match cut {
        None => {
            let mut proven = prove(history, &replay(history), config, settings, &Bars::new())?;
            if wants_downs(history, layout)
                && let Err(why) = add_downs(&mut proven.set, history, settings, &Bars::new())
            {
                super::tell(&format!("no way back is proven: {why}"));
            }
            let laid = laid(project, &proven, history, layout).map_err(Unproven::Unwritable)?;
            if layout != history.layout {
                as_read(history, &laid, layout, settings)?;
            }
            return Ok((proven, Files::Set(laid)));
        }
        Some(Cut::From(start)) => prove_part(history, start, config, settings, &Bars::new())?,
        Some(Cut::Through(_)) => {
            // What comes later may count on where a sequence stands.
            let exact = Settings { exact_sequences: true, ..settings.clone() };
            prove(consolidated, &replay(consolidated), config, &exact, &Bars::new())?
        }
    };
    let Some(cut) = cut.filter(|_| !proven.untouched) else {
        let files = whole::files_of(history).and_then(|files| whole::within(history, &project.old, files));
        return Ok((proven, Files::Whole(files.map_err(Unproven::Unwritable)?)));
    };
    let (files, notes) = whole::whole(history, cut, &proven.set).map_err(Unproven::Unwritable)?;
    notes.iter().for_each(|note| super::tell(note));
    let mut read = whole::read_back(history, &files).map_err(Unproven::Unwritable)?;
    read.between = history.between;
    whole::in_order(history, cut, &read).map_err(Unproven::Unwritable)?;
    let verdict = judged(verify(&replay_files(history), &replay_files(&read), settings, &Bars::new()))?;
    let files = whole::within(history, &project.old, files).map_err(Unproven::Unwritable)?;
    Ok((Proven { verdict, ..proven }, Files::Whole(files)))
}
