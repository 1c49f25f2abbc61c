//! The call that looks at a project which has no configuration yet: what a first `consolidate.toml` should say.

use crate::emit::first_version;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::history::contents::Contents;
use crate::history::layout::Layout;
use crate::history::search::{self, Candidate, Search};
use crate::history::{self, Code, History, Reading};
use crate::plan::undone;
use crate::progress::Progress;
use crate::replay::replay;
use crate::schema::{Kind, Schema};
use crate::scratch::preludes::{self, Prelude};
use crate::sql::walk::references;
use crate::store::aside::aside_of;
use std::path::{Component, Path, PathBuf};

/// What is known of a project before there is a configuration.
#[derive(Debug, Clone, Default)]
pub struct DraftOf {
    /// The folder of the history; found, if it isn't said.
    pub old: Option<PathBuf>,
    /// How the history is laid out; found by itself.
    pub layout: Option<&'static dyn Layout>,
    /// Whose SQL it is; found by itself.
    pub engine: Option<Engine>,
}

/// What a first configuration says.
#[derive(Debug)]
pub struct Draft {
    /// What was said.
    pub said: DraftOf,
    /// The history.
    pub history: History,
    /// The folder in which it is.
    pub folder: PathBuf,
    /// The folder in which it will be, once it is moved aside.
    pub old: PathBuf,
    /// The folder of the consolidated set.
    pub new: PathBuf,
    /// The version of the first file.
    pub first_version: String,
    /// The tables that live at the end.
    pub tables: Vec<String>,
    /// What the history takes for granted of a platform.
    pub platform: Option<&'static Prelude>,
    /// The roles that it names, and that neither it nor the platform makes.
    pub roles: Vec<String>,
}

/// Looks at a project in the current folder for what its configuration should say. Nothing is written.
///
/// # Errors
/// When no history is found, or it can't be read.
///
/// # Examples
/// ```
/// use consolidate::{DraftOf, Silent};
///
/// let draft = consolidate::draft(&DraftOf::default(), &Silent)?;
/// assert!(draft.folder.ends_with("migrations.old") && !draft.tables.is_empty());
/// # Ok::<(), Vec<consolidate::Error>>(())
/// ```
pub fn draft(said: &DraftOf, progress: &dyn Progress) -> Result<Draft, Vec<Error>> {
    let folder = match &said.old {
        // Without `./` and a slash at the end.
        Some(old) => old.components().filter(|c| *c != Component::CurDir).collect(),
        None => found(said.engine, progress)?,
    };
    let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
    let code = if said.layout.is_some() { Code::Runs } else { Code::Unasked };
    let reading = Reading { layout: said.layout, code: &code, engine: said.engine, ..Reading::default() };
    let history = history::read_by(&folder, &reading)?;
    undone::refuse(&history).map_or(Ok(()), Err)?;
    super::warn(&history, progress);
    let model = replay(&history);
    let schema = &model.schema;
    let tables: Vec<String> =
        schema.live().filter(|id| schema.objects[*id].kind == Kind::Table).map(|id| schema.display(id)).collect();
    let first_version = first_version(&history);
    let (old, new) = places(&folder);
    let platform = if is_supabase(&folder, &history, schema) { preludes::named("supabase") } else { None };
    let mut roles = roles_taken_for_granted(&history, schema);
    roles.retain(|role| !platform.is_some_and(|platform| platform.makes_role(role)));
    let said = said.clone();
    Ok(Draft { said, history, folder, old, new, first_version, tables, platform, roles })
}

/// The folder of the history, if it isn't named: here, or the only one below that holds migrations.
fn found(engine: Option<Engine>, progress: &dyn Progress) -> Result<PathBuf> {
    let here = ["migrations.old", "migrations"].map(PathBuf::from).into_iter().find(|p| p.is_dir());
    let holds_sql = |folder: &PathBuf| Contents::read(folder).is_ok_and(|c| c.sql().next().is_some());
    if let Some(here) = here.clone().filter(holds_sql) {
        return Ok(here);
    }
    let Search { mut likely, others, refused } = search::below(Path::new("."), engine);
    if likely.len() == 1 {
        let folder = likely.remove(0).folder;
        if !others.is_empty() {
            let message = format!("{} is taken for the history; these hold migrations too:", folder.display());
            progress.note(&listed(&message, &others));
        }
        return Ok(folder);
    }
    if let Some(here) = here {
        return Ok(here);
    }
    let (message, shown) = match likely.is_empty() {
        false => ("several folders here hold migrations:", likely),
        true => ("only folders of tests and examples here hold migrations:", others),
    };
    let Some(first) = shown.first() else {
        return Err(refused.unwrap_or_else(|| {
            Error::new("no folder migrations.old or migrations here, and none below that holds migrations")
                .hint("name the folder of your migrations with --old")
        }));
    };
    let hint = format!("name one of them: consolidate init --old {}", first.folder.display());
    Err(Error::new(listed(message, &shown)).hint(hint))
}

/// Folders below a message, with their layouts and sizes.
fn listed(message: &str, folders: &[Candidate]) -> String {
    const SHOWN: usize = 20;
    let name = |c: &Candidate| c.folder.display().to_string();
    let shown = &folders[..folders.len().min(SHOWN)];
    let width = shown.iter().map(|c| name(c).chars().count()).max().unwrap_or(0);
    let one = |c: &Candidate| {
        let s = if c.files == 1 { "" } else { "s" };
        let layout = c.layout.unwrap_or("which can't be read as they are");
        format!("\n    {:width$}  {} file{s}, {layout}", name(c), c.files)
    };
    let lines: String = shown.iter().map(one).collect();
    let more = folders.len() - shown.len();
    let more = if more > 0 { format!("\n    and {more} more") } else { String::new() };
    format!("{message}{lines}{more}")
}

/// Where the history is once it is moved aside, and where the set goes: the tool looks for it where the history was.
fn places(folder: &Path) -> (PathBuf, PathBuf) {
    let Some(name) = folder.file_name().and_then(|n| n.to_str()) else {
        return (folder.to_path_buf(), PathBuf::from("migrations"));
    };
    match name.strip_suffix(".old") {
        Some(set) => (folder.to_path_buf(), folder.with_file_name(set)),
        None => match aside_of(folder) {
            // Something else is there already, so the history stays where it is.
            aside if aside.exists() => (folder.to_path_buf(), folder.to_path_buf()),
            aside => (aside, folder.to_path_buf()),
        },
    }
}

/// Roles that statements name and no statement makes.
fn roles_taken_for_granted(history: &History, schema: &Schema) -> Vec<String> {
    let made: Vec<&str> = schema.objects.iter().filter(|o| o.kind == Kind::Role).map(|o| o.name.as_str()).collect();
    let mut roles: Vec<String> = history
        .statements
        .iter()
        .flat_map(|s| references(&s.node).roles)
        .filter(|r| !r.is_empty() && r != "postgres" && !r.starts_with("pg_") && !made.contains(&r.as_str()))
        .collect();
    roles.sort();
    roles.dedup();
    roles
}

/// Whether the history is one of a Supabase project: by its folder, or by what it uses and doesn't make.
fn is_supabase(folder: &Path, history: &History, schema: &Schema) -> bool {
    let makes = |name: &str| schema.objects.iter().any(|o| o.kind == Kind::Schema && o.name == name);
    let names = |words: &str| history.files.iter().any(|file| file.text.contains(words));
    folder.ends_with("supabase/migrations")
        || (!makes("auth") && names("auth.uid()"))
        || (!makes("storage") && names("storage.buckets"))
}
