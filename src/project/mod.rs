//! A project, and what can be done with it: the calls of the library. Each gives data; nothing is printed, and nothing is
//! written but by a call that says so.

mod about;
mod asked;
mod compared;
mod consolidated;
mod handed_over;
mod init;
mod planned;
mod prelude;
mod restored;
mod scratch;
mod trouble;
mod verified;

pub use about::About;
pub use asked::Asked;
pub use compared::diff;
pub use consolidated::{Consolidated, Emitting, Target, Unproven, Written, consolidate};
pub use handed_over::{HandedOver, HandingOver, Handover, handover};
pub use init::{Draft, DraftOf, draft};
pub use planned::{Planned, Stale, plan};
pub use restored::restore;
pub use verified::{Verified, verify};

use crate::config::Config;
use crate::engine::Engine;
use crate::error::{At, Error, Result};
use crate::history::cut::Cut;
use crate::history::layout::{self, Layout};
use crate::history::{self, Code, History, Reading};
use crate::plan::{rollbacks, undone};
use crate::progress::Progress;
use crate::proof::Settings;
use crate::scratch::preludes;
use crate::store::aside::aside_of;
use crate::store::manifest::was_written;
use crate::store::swap::{self, Healed};
use crate::trust::{self, Trust, Trusted};
use prelude::preludes;
use std::path::{Path, PathBuf};

/// A project, ready to use.
#[derive(Debug)]
pub struct Project {
    /// The folder of the history.
    pub old: PathBuf,
    /// The folder of the consolidated set.
    pub new: PathBuf,
    /// What was asked for.
    asked: Asked,
    /// Its configuration.
    config: Config,
    /// The layout of the history, if it is said.
    layout: Option<&'static dyn Layout>,
    /// Whose SQL the history is, if it is said.
    engine: Option<Engine>,
    /// Whether rollback scripts among the migrations are left out.
    without_rollbacks: bool,
    /// How to replay and compare.
    settings: Settings,
    /// The folder of `consolidate.toml`.
    base: PathBuf,
    /// What that file may ask for.
    trusted: Trusted,
    /// Whether the history's layout may run code of the project.
    code: Code,
    /// The configuration file, if there is one.
    configuration: Option<PathBuf>,
}

impl Project {
    /// Reads the configuration, and fills in what isn't asked for. A set that a run was killed over is made whole first, and
    /// `progress` is told.
    ///
    /// # Errors
    /// When the configuration can't be read, asks for what it may not, or names a prelude that can't be read.
    ///
    /// # Examples
    /// ```
    /// use consolidate::{Asked, Project, Silent};
    ///
    /// // The example of the repository, with its consolidate.toml.
    /// let project = Project::open(&Asked::default(), &Silent)?;
    /// assert!(project.old.ends_with("migrations.old") && project.new.ends_with("migrations"));
    /// # Ok::<(), Vec<consolidate::Error>>(())
    /// ```
    pub fn open(asked: &Asked, progress: &dyn Progress) -> Result<Project, Vec<Error>> {
        let default = Path::new("consolidate.toml");
        let path = asked.config.clone().or_else(|| default.exists().then(|| default.to_path_buf()));
        let mut config = path.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let base = path.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
        let trusted = trusted(asked)?;
        stay_inside(&config, &base, asked, &trusted)?;
        let folder = |given: &Option<PathBuf>, set: &Option<PathBuf>, name: &str| {
            given.clone().unwrap_or_else(|| base.join(set.clone().unwrap_or_else(|| PathBuf::from(name))))
        };
        let new = folder(&asked.new, &config.new, "migrations");
        heal(&new, progress)?;
        let aside = folder(&asked.old, &config.old, "migrations.old");
        let old = match asked.old.is_none() && !aside.exists() {
            true => not_aside(&base, &config).unwrap_or(aside),
            false => aside,
        };
        let (platforms, prelude) = preludes(&config.scratch.prelude, &base, &asked.prelude)?;
        let settings = Settings {
            platforms,
            prelude,
            // All tools whose layouts are known run all files in one session; some give back what a file set.
            one_session: true,
            exact_sequences: config.scratch.exact_sequences,
            ignore: asked.ignore.clone(),
            ..Settings::default()
        };
        let set = config.layout.as_ref().and_then(|set| layout::by_name(&set.0).ok());
        let code = match (&asked.layout, &config.layout) {
            _ if trusted.has(Trust::Layout) => Code::Runs,
            (Some(_), _) => Code::Runs,
            (None, Some(_)) => Code::Set(config.at(&["layout"])),
            (None, None) => Code::Unasked,
        };
        asked.over(&mut config);
        Ok(Project {
            old,
            new,
            layout: asked.layout.or(set),
            engine: asked.engine.or(config.engine.map(|e| e.0)),
            without_rollbacks: asked.without_rollbacks || config.without_rollbacks,
            asked: asked.clone(),
            config,
            settings,
            base,
            trusted,
            code,
            configuration: path,
        })
    }

    /// Whether history and consolidated set are one folder, however it is written (`m`, `./m/`, by a link).
    pub fn is_one_folder(&self) -> bool {
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        real(&self.old) == real(&self.new)
    }

    /// Refuses a call that needs both sets where they are one folder.
    fn refuse_one_folder(&self, hint: &str) -> Result<()> {
        if !self.is_one_folder() {
            return Ok(());
        }
        Err(Error::new(format!("history and consolidated set are both {}", self.old.display())).hint(hint))
    }

    /// Refuses to replace a folder that holds more than migrations: it is replaced as a whole.
    fn refuse_to_replace(&self, folder: &Path) -> Result<()> {
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

    /// Where the history is cut, if a part of it is asked for.
    fn cut(&self, history: &History) -> Result<Option<Cut>> {
        let Some(wish) = &self.asked.part else { return Ok(None) };
        if history.layout.name() == "alembic" {
            let message =
                "each of Alembic's revisions names the one before it, so a part of them can't be consolidated";
            return Err(Error::new(message).hint("leave out --from and --through"));
        }
        wish.find(history, &[&self.old, &self.new]).map(Some)
    }

    /// How folders are read; `prelude` is what runs before them.
    fn reading<'a>(&'a self, prelude: &'a [String]) -> Reading<'a> {
        Reading { layout: self.layout, code: &self.code, engine: self.engine, prelude, ..Reading::default() }
    }

    /// Reads the history.
    ///
    /// # Errors
    /// When it can't be read, with the place of each error; when it holds a file that undoes what it makes.
    pub fn history(&self) -> Result<History, Vec<Error>> {
        self.history_as(self.layout)
    }

    fn history_as(&self, layout: Option<&'static dyn Layout>) -> Result<History, Vec<Error>> {
        let history = self.read(&self.old, layout, &[])?;
        if self.without_rollbacks { self.leave_out_rollbacks(history, layout) } else { Ok(history) }
    }

    /// Reads a history anew without its rollbacks. Without one of them another may come to be one.
    fn leave_out_rollbacks(
        &self,
        mut history: History,
        layout: Option<&'static dyn Layout>,
    ) -> Result<History, Vec<Error>> {
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
            history = self.read(&self.old, layout, &left_out)?;
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
        undone::refuse(&history).map_or(Ok(()), Err)?;
        history.prelude = prelude;
        Ok(history)
    }
}

/// Tells what of a history is not in what is proven. A plan has it among its warnings.
fn warn(history: &History, progress: &dyn Progress) {
    history.warnings.iter().for_each(|(at, why)| progress.warning(at, why));
}

/// What the caller and the environment trust the configuration to ask for.
fn trusted(asked: &Asked) -> Result<Trusted> {
    let variable = std::env::var_os(trust::VARIABLE).map(|value| value.to_string_lossy().into_owned());
    Trusted::read(&asked.trusted, variable.as_deref())
}

/// Refuses folders and files of the configuration that are outside of the repository, unless that is trusted.
fn stay_inside(config: &Config, base: &Path, asked: &Asked, trusted: &Trusted) -> Result<()> {
    let of = |given: &Option<PathBuf>, set: &Option<PathBuf>| if given.is_some() { None } else { set.clone() };
    let (old, new) = (of(&asked.old, &config.old), of(&asked.new, &config.new));
    let preludes = config.scratch.prelude.iter().filter(|path| path.to_str().and_then(preludes::named).is_none());
    let named = [(&["old"][..], old, "--old"), (&["new"], new, "--new")]
        .into_iter()
        .filter_map(|(setting, path, flag)| Some((setting, path?, flag)))
        .chain(preludes.map(|path| (&["scratch", "prelude"][..], path.clone(), "--prelude")));
    for (setting, path, flag) in named.filter(|(_, path, _)| trust::leads_out(base, path)) {
        let name = setting.last().copied().unwrap_or_default();
        let what = format!("the setting {name} names {}, which is outside of the repository", path.display());
        trusted.allow(Trust::Paths, config.at(setting), &what, &format!("name it with {flag}"))?;
    }
    Ok(())
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
fn heal(new: &Path, progress: &dyn Progress) -> Result<()> {
    match swap::heal(new) {
        Ok(Healed::Nothing) => Ok(()),
        Ok(Healed::Finished) => {
            let set = new.display();
            progress.note(&format!(
                "a run was killed while it moved {set} aside; that is finished now: consolidate restore undoes it"
            ));
            Ok(())
        }
        Ok(Healed::Back) => {
            let set = new.display();
            progress.note(&format!("a run was killed while it wrote {set}; what stood there before is back"));
            Ok(())
        }
        Err(error) => Err(Error::new(format!(
            "a run was killed while it wrote {}, and what stood there before can't be moved back: {error}",
            new.display()
        ))
        .hint("it lies beside it, in a folder .consolidate-old-…: rename that one")),
    }
}
