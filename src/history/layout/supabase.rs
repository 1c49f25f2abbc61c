//! Supabase: `VERSION_description.sql`, in a folder `supabase/migrations`.
//!
//! Names and the one file that is skipped are those of supabase/cli's pkg/migration/list.go. The CLI holds one
//! connection, says `RESET ALL` before each file (pkg/migration/apply.go), and sends a file and the note that it ran as
//! one batch, which is a transaction (pkg/migration/file.go, `ExecBatch`). Roles and temporary tables outlive the reset.

use super::write::{Form, Outgoing, Output, Versions};
use super::{Between, Entry, Layout, Listing, names, pairs};
use crate::error::Result;
use crate::history::contents::Contents;
use std::path::Path;

/// The layout of the Supabase CLI.
pub struct Supabase;

impl Layout for Supabase {
    fn name(&self) -> &'static str {
        "supabase"
    }

    fn about(&self) -> &'static str {
        "VERSION_description.sql in supabase/migrations"
    }

    /// The names are sqlx's; what tells them apart is where they lie, or that they speak of `auth.uid()`.
    fn fits(&self, contents: &Contents) -> bool {
        let is_named = |p: &str| super::numbered(p).is_some() && !p.ends_with(".up.sql") && !p.ends_with(".down.sql");
        if contents.flat_sql().next().is_none() || !contents.flat_sql().any(is_named) {
            return false;
        }
        let is_timed = |p: &str| super::numbered(p).is_some_and(|e| e.version.is_some_and(|v| v.len() == 14));
        lies_in_project(contents.root())
            || (contents.flat_sql().all(|p| is_named(p) && is_timed(p))
                && contents.flat_sql().any(|p| contents.text(p).contains("auth.uid()")))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let undoing = pairs::undoing(contents);
        let (mut entries, undo): (Vec<Entry>, Vec<Entry>) =
            super::flat(contents, super::numbered).into_iter().partition(|e| !undoing.contains(&e.path));
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let set_aside = undo.into_iter().map(|e| e.path).collect();
        let mut passed_over = Vec::new();
        if entries.first().is_some_and(is_old_init) {
            let why = "the supabase CLI skips a first file of this name from before December 2021: not read";
            passed_over.push((entries.remove(0).path, why.to_string()));
        }
        Ok(Listing { entries, set_aside, passed_over, ..Listing::default() })
    }

    fn between(&self) -> Between {
        Between::ResetAll
    }

    fn versions(&self) -> Versions {
        Versions { form: Form::Digits(14, 20_220_101_000_000), as_text: true, takes_last: true, ..Versions::KEPT }
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        vec![(format!("{}_{}.sql", m.version, m.words), m.text.clone())]
    }
}

/// Whether the folder, wherever it has been moved to in the project, belongs to the CLI's project folder.
fn lies_in_project(root: &Path) -> bool {
    let Some(parent) = std::fs::canonicalize(root).ok().and_then(|r| r.parent().map(Path::to_path_buf)) else {
        return false;
    };
    let config = crate::files::read_to_string(&parent.join("config.toml")).unwrap_or_default();
    parent.file_name().is_some_and(|n| n == "supabase") || config.lines().any(|l| l.starts_with("project_id"))
}

fn is_old_init(entry: &Entry) -> bool {
    entry.description == "init"
        && entry.version.as_deref().is_some_and(|v| v.len() == 14 && names::number(v) < names::number("20211209000000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_platform_tells_it_from_sqlx() {
        let policy = "CREATE POLICY p ON t USING (auth.uid() = owner);";
        assert!(Supabase.fits(&Contents::of(&[("20240101000000_a.sql", policy), ("20240102000000_b.sql", "")])));
        assert!(!Supabase.fits(&Contents::of(&[("20240101000000_a.sql", "SELECT 1;")])));
        assert!(!Supabase.fits(&Contents::of(&[("1_a.sql", policy)])));
    }

    #[test]
    fn a_first_init_of_old_times_is_skipped() {
        let files = [("20211101000000_init.sql", ""), ("20211201000000_init.sql", ""), ("notes.sql", "")];
        let listing = Supabase.list(&Contents::of(&files)).unwrap();
        assert_eq!(listing.entries.len(), 1);
        assert_eq!(listing.passed_over[0].0, "20211101000000_init.sql");
    }
}
