//! From arguments and `consolidate.toml` to folders and settings.

use super::{Common, Part, Replaying, tell};
use crate::config::Config;
use crate::emit::aside::aside_of;
use crate::emit::swap::{self, Healed};
use crate::emit::write::was_written;
use crate::engine::Engine;
use crate::error::{At, Error, Result};
use crate::history::cut::Cut;
use crate::history::layout::{self, Layout};
use crate::history::{self, History, Reading};
use crate::plan::{rollbacks, undone};
use crate::proof::{Choice, Limits, Prelude, ReplayError, ReplayFile, ReplayStatement, Settings, Wish, on_chosen};
use crate::scratch::limits::Time;
use crate::scratch::preludes;
use crate::scratch::server::Address;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// A project, ready to use.
pub struct Project {
    /// Its configuration.
    pub config: Config,
    /// The folder of the history.
    pub old: PathBuf,
    /// The layout of the history, if it is said.
    pub layout: Option<&'static dyn Layout>,
    /// Whose SQL the history is, if it is said.
    engine: Option<Engine>,
    /// Whether rollback scripts among the migrations are left out.
    without_rollbacks: bool,
    /// The folder of the consolidated set.
    pub new: PathBuf,
    /// How to replay and compare.
    pub settings: Settings,
    /// The folder of `consolidate.toml`.
    base: PathBuf,
    /// The configuration file, if there is one.
    configuration: Option<PathBuf>,
}

impl Project {
    /// Reads the configuration, and fills in what it doesn't say.
    pub fn open(common: &Common) -> Result<Project, Vec<Error>> {
        let default = Path::new("consolidate.toml");
        let path = common.config.clone().or_else(|| default.exists().then(|| default.to_path_buf()));
        let config = match &path {
            Some(path) => Config::read(path).map_err(|e| vec![e])?,
            None => Config::default(),
        };
        let base = path.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
        let folder = |given: &Option<PathBuf>, set: &Option<PathBuf>, name: &str| {
            given.clone().unwrap_or_else(|| base.join(set.clone().unwrap_or_else(|| PathBuf::from(name))))
        };
        let new = folder(&common.new, &config.new, "migrations");
        heal(&new).map_err(|e| vec![e])?;
        let aside = folder(&common.old, &config.old, "migrations.old");
        let old = match common.old.is_none() && !aside.exists() {
            true => not_aside(&base, &config).unwrap_or(aside),
            false => aside,
        };
        let (platforms, prelude) = preludes(&config.scratch.prelude, &base, &common.prelude).map_err(|e| vec![e])?;
        let settings = Settings {
            platforms,
            prelude,
            // All tools whose layouts are known run all files in one session; some give back what a file set.
            one_session: true,
            exact_sequences: config.scratch.exact_sequences,
            ..Settings::default()
        };
        let layout = common.layout.as_ref().or(config.layout.as_ref().map(|l| &l.0));
        let layout = layout.and_then(|name| layout::by_name(name).ok());
        let without_rollbacks = common.without_rollbacks || config.without_rollbacks;
        let engine = common.engine.or(config.engine.map(|e| e.0));
        Ok(Project { config, old, layout, engine, without_rollbacks, new, settings, base, configuration: path })
    }

    /// Whether history and consolidated set are one folder, however it is written (`m`, `./m/`, by a link).
    pub fn is_one_folder(&self) -> bool {
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        real(&self.old) == real(&self.new)
    }

    /// Refuses to replace a folder that holds more than migrations: it is replaced as a whole.
    pub fn refuse_to_replace(&self, folder: &Path) -> Result<()> {
        let Ok(real) = std::fs::canonicalize(folder) else { return Ok(()) };
        let is_in = |path: &Path| std::fs::canonicalize(path).is_ok_and(|path| path.starts_with(&real));
        let below = |path: &Path| is_in(path) && std::fs::canonicalize(path).is_ok_and(|path| path != real);
        let what = match &self.configuration {
            _ if std::fs::symlink_metadata(real.join(".git")).is_ok() => "holds a .git",
            _ if is_in(Path::new(".")) => "is the folder in which this runs, or holds it",
            Some(file) if is_in(file) => "holds the configuration",
            _ if below(&self.old) => "holds the history",
            _ => return Ok(()),
        };
        Err(Error::new(format!("{} {what}, and would be replaced as a whole", folder.display()))
            .hint("name a folder for the set alone with --new; it is named from the folder above"))
    }

    /// Runs `work` with settings that say on which PostgreSQL; `failure` finds out whether the replay itself failed.
    pub fn on_scratch<T, E>(
        &self,
        args: &Replaying,
        sets: &[&[ReplayFile]],
        work: impl Fn(&Settings) -> Result<T, E>,
        failure: impl Fn(&E) -> Option<&ReplayError>,
    ) -> Result<Result<T, E>, Vec<Error>> {
        let wish = self.wish(args).map_err(|e| vec![e])?;
        let set = &self.config.scratch;
        let limit = |said: Option<Time>, set: Option<Time>| said.or(set).map(|time| time.0);
        let limits =
            Limits::from_now(limit(args.statement_timeout, set.statement_timeout), limit(args.timeout, set.timeout));
        let settings = Settings { limits, ..self.settings.clone() };
        super::interrupt::take_back_when_told_to_end();
        let ran = on_chosen(&wish, sets, &settings, work, failure).map_err(|e| vec![e])?;
        ran.notes.iter().for_each(|note| tell(note));
        Ok(ran.outcome)
    }

    /// The layout in which the new set is written.
    pub fn written_layout(&self, given: Option<&str>, history: &History) -> &'static dyn Layout {
        let name = given.or(self.config.emit.layout.as_ref().map(|l| l.0.as_str()));
        name.and_then(|name| layout::by_name(name).ok()).unwrap_or(history.layout)
    }

    /// Which PostgreSQL flags and settings ask for.
    fn wish(&self, args: &Replaying) -> Result<Wish> {
        let set = &self.config.scratch;
        let programs = self.programs();
        let on = |choice: Choice| Ok(Wish { choice, programs: programs.clone(), server: None });
        let at = |url: &str| {
            let server = Some(Address::read(url)?);
            Ok(Wish { choice: Choice::Server, programs: programs.clone(), server })
        };
        match (&args.scratch, &set.url, set.database) {
            (Some(said), ..) => match Choice::from_str(said, false) {
                Ok(choice) => on(choice),
                Err(_) if said.contains(':') => at(said),
                Err(_) => Err(Error::new(format!("\"{said}\" isn't a PostgreSQL to replay on")).hint(
                    "--scratch takes auto, embedded, local, the address of a server (postgres://…), or env:NAME",
                )),
            },
            (None, Some(_), Some(_)) => {
                Err(Error::new("[scratch] has both database and url").hint("one of them says where to replay"))
            }
            (None, Some(url), None) => at(url),
            (None, None, choice) => on(choice.unwrap_or_default()),
        }
    }

    /// The folder of the PostgreSQL programs, if the configuration says it.
    pub fn programs(&self) -> Option<PathBuf> {
        self.config.scratch.programs.as_ref().map(|folder| self.base.join(folder))
    }

    /// Where the history is cut, if that is said.
    pub fn cut(&self, part: &Part, history: &History) -> Result<Option<Cut>, Vec<Error>> {
        let Some(wish) = part.wish() else { return Ok(None) };
        if history.layout.name() == "alembic" {
            let message =
                "each of Alembic's revisions names the one before it, so a part of them can't be consolidated";
            return Err(vec![Error::new(message).hint("leave out --from and --through")]);
        }
        wish.find(history, &[&self.old, &self.new]).map(Some).map_err(|e| vec![e])
    }

    /// How folders are read; `prelude` is what runs before them.
    pub fn reading<'a>(&self, prelude: &'a [String]) -> Reading<'a> {
        Reading { layout: self.layout, engine: self.engine, prelude, ..Reading::default() }
    }

    /// Reads the new set: where a part of the history stays as it is, it has the history's layout.
    pub fn new_set(&self, part: &Part) -> Result<History, Vec<Error>> {
        let layout = match part.wish() {
            Some(_) => Some(self.layout.map_or_else(|| self.history().map(|h| h.layout), Ok)?),
            None => None,
        };
        self.read(&self.new, layout, &[])
    }

    /// Reads the history.
    pub fn history(&self) -> Result<History, Vec<Error>> {
        let history = self.read(&self.old, self.layout, &[])?;
        if self.without_rollbacks { self.leave_out_rollbacks(history) } else { Ok(history) }
    }

    /// Reads a history anew without its rollbacks. Without one of them another may come to be one.
    fn leave_out_rollbacks(&self, mut history: History) -> Result<History, Vec<Error>> {
        let mut left_out: Vec<String> = Vec::new();
        let mut warnings: Vec<(At, String)> = Vec::new();
        loop {
            let found = rollbacks::find(&history, &crate::replay::replay(&history));
            if found.is_empty() {
                history.warnings.extend(warnings);
                return Ok(history);
            }
            let name = |file: usize| history.files[file].name.clone();
            warnings.extend(found.iter().map(|f| {
                let why = format!("only undoes {}: left out, as --without-rollbacks says", name(f.undoes));
                (At::new(name(f.file), 1), why)
            }));
            left_out.extend(found.iter().map(|f| name(f.file)));
            history = self.read(&self.old, self.layout, &left_out)?;
        }
    }

    fn read(
        &self,
        folder: &Path,
        layout: Option<&'static dyn Layout>,
        without: &[String],
    ) -> Result<History, Vec<Error>> {
        let prelude = self.settings.prelude_texts();
        let mut history = history::read_by(folder, &Reading { layout, without, ..self.reading(&prelude) })?;
        undone::refuse(&history).map_or(Ok(()), |error| Err(vec![error]))?;
        history.prelude = prelude;
        Ok(history)
    }
}

/// Where a history is that isn't moved aside yet: where its set will be.
fn not_aside(base: &Path, config: &Config) -> Option<PathBuf> {
    let Some(old) = &config.old else { return Some(base.join("migrations")) };
    let set = config.new.as_deref().unwrap_or(Path::new("migrations"));
    let folder = base.join(set);
    // A set that was written there is no history.
    (*old == aside_of(set) && folder.is_dir() && !was_written(&folder)).then_some(folder)
}

/// What a run left that was killed while it wrote the set.
fn heal(new: &Path) -> Result<()> {
    match swap::heal(new) {
        Ok(Healed::Nothing) => Ok(()),
        Ok(Healed::Finished) => {
            let set = new.display();
            tell(&format!(
                "a run was killed while it moved {set} aside; that is finished now: consolidate restore undoes it"
            ));
            Ok(())
        }
        Ok(Healed::Back) => {
            tell(&format!("a run was killed while it wrote {}; what stood there before is back", new.display()));
            Ok(())
        }
        Err(error) => Err(Error::new(format!(
            "a run was killed while it wrote {}, and what stood there before can't be moved back: {error}",
            new.display()
        ))
        .hint("it lies beside it, in a folder .consolidate-old-…: rename that one")),
    }
}

/// The preludes that settings and arguments name, those that come with the tool apart: a name of theirs is no file.
fn preludes(set: &[PathBuf], base: &Path, given: &[PathBuf]) -> Result<(Vec<&'static Prelude>, Vec<ReplayFile>)> {
    let (mut platforms, mut files) = (Vec::new(), Vec::new());
    let set = set.iter().map(|path| (path, base.join(path), false));
    // A pipe that is named on the command line has a writer.
    for (said, path, may_be_pipe) in set.chain(given.iter().map(|path| (path, path.clone(), true))) {
        match said.to_str().and_then(preludes::named) {
            Some(platform) if platforms.iter().any(|known: &&Prelude| known.name == platform.name) => {}
            Some(platform) => platforms.push(platform),
            None => files.push(prelude_file(&path, may_be_pipe)?),
        }
    }
    Ok((platforms, files))
}

fn prelude_file(path: &Path, may_be_pipe: bool) -> Result<ReplayFile> {
    let name = path.display().to_string();
    let read = if may_be_pipe { std::fs::read_to_string(path) } else { crate::files::read_to_string(path) };
    let text = read.map_err(|e| {
        Error::new(format!("can't read the prelude {name}: {e}")).hint(format!(
            "see [scratch] in consolidate.toml; preludes that need no file: {}",
            preludes::NAMES.join(", ")
        ))
    })?;
    if let Some(error) = history::refuse_text(&name, &text) {
        return Err(error);
    }
    let statements = crate::sql::split::split(&text)
        .into_iter()
        .map(|piece| ReplayStatement {
            line: text[..piece.body.start].matches('\n').count() + 1,
            text: text[piece.body].to_string(),
            copy_data: piece.copy_data.map(|r| text[r].to_string()),
        })
        .collect();
    Ok(ReplayFile { name, statements, ..ReplayFile::default() })
}
