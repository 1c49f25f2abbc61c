//! A first `consolidate.toml`, which explains every setting.

use crate::engine::Engine;
use crate::escape::line;
use crate::history::{History, layout};
use crate::project::Draft;
use crate::scratch::preludes::Prelude;
use crate::sql::names::quote;
use std::path::Path;

/// The text of the configuration.
pub fn text(draft: &Draft) -> String {
    let said = &draft.said;
    let layout = layout_setting(&draft.history, said.layout.is_some()) + &engine_setting(said.engine);
    template(
        [&draft.old, &draft.new],
        &layout,
        &draft.first_version,
        &draft.tables,
        &prelude(draft.platform, &draft.roles),
    )
}

/// That it is written, and what comes next.
pub fn said(draft: &Draft) -> String {
    let (old, new) = (&draft.old, &draft.new);
    let move_aside = format!(
        "; then consolidate emit --in-place, which moves {} to {} and writes the set to {0}",
        new.display(),
        old.display()
    );
    let history = &draft.history;
    format!(
        "consolidate.toml written: {} files, {} statements in {} (layout: {}), {} tables at the end\nnext: consolidate plan{}\n",
        history.files.len(),
        history.statements.len(),
        history.folder.display(),
        history.layout.name(),
        draft.tables.len(),
        if draft.folder == *new && old != new { &move_aside } else { "" }
    )
}

/// The layout, as a setting if it was said, else as a comment: it is found again.
fn layout_setting(history: &History, is_given: bool) -> String {
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

/// The setting `prelude`, with what there is to say about it.
fn prelude(platform: Option<&Prelude>, roles: &[String]) -> String {
    let create: String = roles.iter().map(|r| format!("#   CREATE ROLE {};\n", line(&quote(r)))).collect();
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
