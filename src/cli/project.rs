//! From arguments and `consolidate.toml` to folders and settings.

use super::{Common, Part, Replaying, tell};
use crate::config::{Config, ScratchConfig};
use crate::emit::aside::aside_of;
use crate::emit::swap::{self, Healed};
use crate::emit::write::was_written;
use crate::engine::Engine;
use crate::error::{At, Error, Result};
use crate::history::cut::Cut;
use crate::history::layout::{self, Layout};
use crate::history::{self, Code, History, Reading};
use crate::plan::{rollbacks, undone};
use crate::proof::{Choice, Limits, Prelude, ReplayError, ReplayFile, ReplayStatement, Settings, Wish, on_chosen};
use crate::scratch::limits::{RESULT, STATEMENT, TOTAL, Time};
use crate::scratch::preludes;
use crate::scratch::programs::Programs;
use crate::scratch::server::Address;
use crate::trust::{self, Leaves, Trust, Trusted};
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
    /// What that file may ask for.
    trusted: Trusted,
    /// Whether the history's layout may run code of the project.
    code: Code,
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
        let trusted = trusted(common).map_err(|e| vec![e])?;
        stay_inside(&config, &base, common, &trusted).map_err(|e| vec![e])?;
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
        let code = match (&common.layout, &config.layout) {
            _ if trusted.has(Trust::Layout) => Code::Runs,
            (Some(_), _) => Code::Runs,
            (None, Some(_)) => Code::Set(config.at(&["layout"])),
            (None, None) => Code::Unasked,
        };
        Ok(Project {
            config,
            old,
            layout,
            engine,
            without_rollbacks,
            new,
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
        let limits = limits(args, set);
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
        let is_embedded = match &args.scratch {
            Some(said) => said == "embedded",
            None => set.database == Some(Choice::Embedded),
        };
        let programs = if is_embedded { None } else { self.programs()? };
        let may_reach = self.trusted.has(Trust::Reach);
        let on = |choice: Choice| Ok(Wish { choice, programs: programs.clone(), server: None, may_reach });
        let at = |url: &str| {
            let server = Some(Address::read(url)?);
            Ok(Wish { choice: Choice::Server, programs: programs.clone(), server, may_reach })
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
            (None, Some(url), None) => {
                self.allow_url(url)?;
                at(url)
            }
            (None, None, choice) => on(choice.unwrap_or_default()),
        }
    }

    /// Refuses an address of the configuration that leaves this machine, unless that is trusted.
    fn allow_url(&self, url: &str) -> Result<()> {
        let Some(leaves) = trust::leaves(url) else { return Ok(()) };
        let what = match leaves {
            Leaves::Variables => "the setting url takes values of environment variables",
            Leaves::Machine => "the setting url is of another machine",
        };
        let at = self.config.at(&["scratch", "url"]);
        self.trusted.allow(Trust::Url, at, what, "give the address with --scratch")
    }

    /// The folder of the PostgreSQL programs, if the configuration says it.
    ///
    /// # Errors
    /// When it isn't trusted to do so: what lies there is run.
    pub fn programs(&self) -> Result<Option<PathBuf>> {
        let Some(folder) = &self.config.scratch.programs else { return Ok(None) };
        // The variable wins over the setting, which then runs nothing.
        if Programs::are_named(None) {
            return Ok(None);
        }
        let at = self.config.at(&["scratch", "programs"]);
        let what = "the setting programs names a folder of programs to run";
        self.trusted.allow(Trust::Programs, at, what, "name the folder with CONSOLIDATE_PG_BIN")?;
        Ok(Some(self.base.join(folder)))
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
    pub fn reading<'a>(&'a self, prelude: &'a [String]) -> Reading<'a> {
        Reading { layout: self.layout, code: &self.code, engine: self.engine, prelude, ..Reading::default() }
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

/// What the command line and the environment trust the configuration to ask for.
fn trusted(common: &Common) -> Result<Trusted> {
    let variable = std::env::var_os(trust::VARIABLE).map(|value| value.to_string_lossy().into_owned());
    Trusted::read(&common.trusting.trusted, variable.as_deref())
}

/// Refuses folders and files of the configuration that are outside of the repository, unless that is trusted.
fn stay_inside(config: &Config, base: &Path, common: &Common, trusted: &Trusted) -> Result<()> {
    let of = |given: &Option<PathBuf>, set: &Option<PathBuf>| if given.is_some() { None } else { set.clone() };
    let (old, new) = (of(&common.old, &config.old), of(&common.new, &config.new));
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

/// The limits that flags and settings say, or else the usual ones, from now on.
fn limits(args: &Replaying, set: &ScratchConfig) -> Limits {
    let limit = |said: Option<Time>, set: Option<Time>, usual| said.or(set).map_or(Some(usual), |time| time.0);
    let statement = limit(args.statement_timeout, set.statement_timeout, STATEMENT);
    let result = args.result_size.or(set.result_size).map_or(Some(RESULT), |size| size.0);
    Limits { result, ..Limits::from_now(statement, limit(args.timeout, set.timeout, TOTAL)) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn there_are_limits_unless_somebody_lifts_them() {
        let none = Replaying { scratch: None, statement_timeout: None, timeout: None, result_size: None };
        let read = |limits: Limits| (limits.statement, limits.total.map(|(total, _)| total), limits.result);
        let minutes = |count: u64| Some(Duration::from_secs(60 * count));
        let usual = limits(&none, &ScratchConfig::default());
        assert_eq!(read(usual), (minutes(1), minutes(10), Some(256 << 20)));
        let text = "[scratch]\nstatement_timeout = \"none\"\ntimeout = \"2min\"\nresult_size = \"none\"\n";
        let set = Config::parse(text, "consolidate.toml").unwrap().scratch;
        assert_eq!(read(limits(&none, &set)), (None, minutes(2), None));
        let said = Replaying { timeout: "none".parse().ok(), statement_timeout: "3min".parse().ok(), ..none };
        assert_eq!(read(limits(&said, &set)), (minutes(3), None, None));
    }
}
