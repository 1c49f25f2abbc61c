//! `consolidate init`.

use super::{FINE, Outcome, after, print};
use crate::emit::aside::aside_of;
use crate::engine::Engine;
use crate::error::Error;
use crate::history::contents::Contents;
use crate::history::search::{self, Candidate, Search};
use crate::history::{self, Code, Reading, layout};
use crate::plan::undone;
use crate::replay::replay;
use crate::report::escape::line;
use crate::schema::Kind;
use crate::scratch::preludes;
use clap::Args;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

#[derive(Args)]
pub struct InitArgs {
    /// The folder of the history [default: migrations.old, or migrations, or the only one below that holds migrations]
    #[arg(long, value_name = "DIR")]
    old: Option<PathBuf>,
    /// How the history is laid out [default: found by itself]
    #[arg(long, value_name = "NAME", value_parser = super::layouts())]
    layout: Option<String>,
    /// Whose SQL it is, in spite of what its names, words and surroundings say [default: found by itself]
    #[arg(long, value_name = "NAME", value_parser = Engine::asked)]
    engine: Option<Engine>,
}

/// Looks at the history and writes `consolidate.toml`, unless there is one.
pub fn run(args: &InitArgs) -> Outcome {
    let target = Path::new("consolidate.toml");
    let old = match &args.old {
        // Without `./` and a slash at the end.
        Some(old) => old.components().filter(|c| *c != Component::CurDir).collect(),
        None => found(args.engine).map_err(|e| vec![e])?,
    };
    let old = if old.as_os_str().is_empty() { PathBuf::from(".") } else { old };
    let given = args.layout.as_deref().and_then(|name| layout::by_name(name).ok());
    let code = if given.is_some() { Code::Runs } else { Code::Unasked };
    let reading = Reading { layout: given, code: &code, engine: args.engine, ..Reading::default() };
    let history = history::read_by(&old, &reading)?;
    undone::refuse(&history).map_or(Ok(()), |error| Err(vec![error]))?;
    super::warn(&history);
    let model = replay(&history);
    let schema = &model.schema;
    let tables: Vec<String> =
        schema.live().filter(|id| schema.objects[*id].kind == Kind::Table).map(|id| schema.display(id)).collect();
    let first = crate::emit::first_version(&history);
    let (aside, new) = places(&old);
    let layout = layout_setting(&history, args.layout.is_some()) + &engine_setting(args.engine);
    let platform = if is_supabase(&old, &history, schema) { preludes::named("supabase") } else { None };
    let mut roles = roles_taken_for_granted(&history, schema);
    roles.retain(|role| !platform.is_some_and(|platform| platform.makes_role(role)));
    let text = template([&aside, &new], &layout, &first, &tables, &prelude(platform, &roles));
    let mut file = std::fs::File::create_new(target).map_err(|e| {
        vec![
            Error::new(format!("can't write consolidate.toml: {e}"))
                .hint("an existing one is never replaced: move it away first"),
        ]
    })?;
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // A half of it would be worse than none.
        let _ = std::fs::remove_file(target);
        return Err(vec![
            Error::new(format!("can't write consolidate.toml: {error}"))
                .hint("is there room on the disk? nothing was kept"),
        ]);
    }
    let move_aside = format!(
        "; then consolidate emit --in-place, which moves {} to {} and writes the set to {0}",
        new.display(),
        aside.display()
    );
    let said = format!(
        "consolidate.toml written: {} files, {} statements in {} (layout: {}), {} tables at the end\nnext: consolidate plan{}\n",
        history.files.len(),
        history.statements.len(),
        history.folder.display(),
        history.layout.name(),
        tables.len(),
        if old == new && aside != new { &move_aside } else { "" }
    );
    after("consolidate.toml is written all the same", print(&said))?;
    Ok(FINE)
}

/// The folder of the history, if it isn't named: here, or the only one below that holds migrations.
fn found(engine: Option<Engine>) -> Result<PathBuf, Error> {
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
            super::tell(&listed(&message, &others));
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
fn roles_taken_for_granted(history: &history::History, schema: &crate::schema::Schema) -> Vec<String> {
    let made: Vec<&str> = schema.objects.iter().filter(|o| o.kind == Kind::Role).map(|o| o.name.as_str()).collect();
    let mut roles: Vec<String> = history
        .statements
        .iter()
        .flat_map(|s| crate::sql::walk::references(&s.node).roles)
        .filter(|r| !r.is_empty() && r != "postgres" && !r.starts_with("pg_") && !made.contains(&r.as_str()))
        .collect();
    roles.sort();
    roles.dedup();
    roles
}

/// The layout, as a setting if it was said, else as a comment: it is found again.
fn layout_setting(history: &history::History, is_given: bool) -> String {
    let names: Vec<&str> = layout::ALL.iter().map(|l| l.name()).collect();
    let mut known = vec![String::from("# One of")];
    for name in names {
        let last = known.last_mut().filter(|l| l.len() + name.len() < 110);
        match last {
            Some(line) => line.push_str(&format!(" {name},")),
            None => known.push(format!("# {name},")),
        }
    }
    let known = known.join("\n");
    let mark = if is_given { "" } else { "# " };
    format!("{}.\n{mark}layout = \"{}\"", known.trim_end_matches(','), history.layout)
}

/// Whose SQL it is, as a setting if it was said, else as a comment.
fn engine_setting(asked: Option<Engine>) -> String {
    let word = asked.unwrap_or(Engine::Postgres).words().first().copied().unwrap_or_default();
    let mark = if asked.is_some() { "" } else { "# " };
    format!(
        "\n# Whose SQL it is, where names, words or the project around say something else.\n{mark}engine = \"{word}\""
    )
}

/// Whether the history is one of a Supabase project: by its folder, or by what it uses and doesn't make.
fn is_supabase(folder: &Path, history: &history::History, schema: &crate::schema::Schema) -> bool {
    let makes = |name: &str| schema.objects.iter().any(|o| o.kind == Kind::Schema && o.name == name);
    let names = |words: &str| history.files.iter().any(|file| file.text.contains(words));
    folder.ends_with("supabase/migrations")
        || (!makes("auth") && names("auth.uid()"))
        || (!makes("storage") && names("storage.buckets"))
}

/// The setting `prelude`, with what there is to say about it.
fn prelude(platform: Option<&preludes::Prelude>, roles: &[String]) -> String {
    let create: String =
        roles.iter().map(|r| format!("#   CREATE ROLE {};\n", line(&crate::sql::names::quote(r)))).collect();
    let missing =
        format!("# This history names roles that it doesn't make; put these lines into prelude.sql:\n{create}");
    match platform {
        Some(platform) => {
            let what = "# What a fresh project has before the first migration comes with this program.\n";
            let name = platform.name;
            let also = format!("{missing}# prelude = [\"{name}\", \"prelude.sql\"]\n");
            format!("{what}prelude = [\"{name}\"]\n{}", if roles.is_empty() { "" } else { &also })
        }
        None if roles.is_empty() => "# prelude = [\"prelude.sql\"]\n".to_string(),
        None => format!("{missing}# prelude = [\"prelude.sql\"]\n"),
    }
}

fn template(folders: [&Path; 2], layout: &str, first: &str, tables: &[String], prelude: &str) -> String {
    // TOML's own quotes: a name may hold quotes or backslashes.
    let [old, new] = folders.map(|folder| toml::Value::from(folder.display().to_string()));
    let first = toml::Value::from(first);
    let shown: String = tables.iter().take(60).map(|t| format!("#   {}\n", line(t))).collect();
    format!(
        r#"# consolidate: how the history is read and the consolidated set is written.

# The folder of the history, once it is moved aside, and that of the consolidated set. Until then it is read from there.
old = {old}
new = {new}
# Whether files that only undo an earlier one are left out.
# without_rollbacks = true

# The layout of the history: which files run, in which order. It is found by itself; say it if that goes wrong.
{layout}

[scratch]
# SQL that the history takes for granted (roles, schemas of a platform), run first on both sides of every proof: files, or
# "supabase" for what a fresh project of Supabase has.
{prelude}
# A sequence that only rows moved may start afresh if its table is empty at the end; true demands the same position.
# exact_sequences = false
# The PostgreSQL for the proofs: "embedded" (compiled into consolidate), "local" (the programs on this machine, in a
# throw-away cluster), or "auto": embedded, and local where the embedded one can't.
# database = "auto"
# The folder of those programs (initdb, postgres, pg_dump), where they can't be found otherwise. It counts with --trusted programs
# only, since a pull request may change it; CONSOLIDATE_PG_BIN does the same.
# programs = "/usr/lib/postgresql/17/bin"
# In place of database: a server to replay on, in databases of our own that are dropped again. One of another machine, or from a
# variable (env:SCRATCH_URL), counts with --trusted url only; or is given with --scratch.
# url = "postgres://postgres@localhost:5432/"
# How long a statement may take, how long all replays together, how much a statement may give; "none" lifts a limit.
# statement_timeout = "60s"
# timeout = "10min"
# result_size = "256MB"

[emit]
# The version of the first file, when there are [[file]] rules; the others count up with as many digits.
# first_version = {first}
#
# files = "birth"           # what decides on an object's file: birth, rules, schema, one
# numbers = "originals"     # the versions of the files: sequential, timestamps, originals
# name = "schema"           # the name of the file, where there is only one
# layout = "sqlx"           # how the set is laid out, if not as the history is
# annotate = true           # a comment above each object says where it comes from

# The files of the new set, in order. The first rule that fits takes an object: by kinds, by names (patterns with * and ?),
# or both. What belongs to a table (indexes, comments, grants, triggers, policies) follows it, unless a rule names its kind.
# Without rules, each object goes to the file in which it was born.
#
# [[file]]
# name = "initial_setup"
# kinds = ["extension", "role", "type", "domain"]
#
# [[file]]
# name = "core_tables"
# names = ["users", "team*"]
#
# [[file]]
# name = "the_rest"
#
# The tables that live at the end of this history:
{shown}"#
    )
}
