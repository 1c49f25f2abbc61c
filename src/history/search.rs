//! Where migrations lie in a project: the folders below one that a layout explains.

use super::Code;
use super::contents::Contents;
use super::engine::names::is_of_another;
use super::layout::{self, Found};
use crate::engine::Engine;
use crate::error::Error;
use std::path::{Path, PathBuf};

/// How deep a project is looked into: `apps/api/src/main/resources/db/migration` is a usual place.
const DEPTH: usize = 8;

/// Folders of other people's files, or of copies that a build made.
const OF_OTHERS: &[&str] = &["node_modules", "target", "vendor", "dist", "build", "venv", "__pycache__"];

/// Folders whose migrations are hardly the project's own.
const EXAMPLES: &[&str] = &[
    "test",
    "tests",
    "testdata",
    "__tests__",
    "spec",
    "e2e",
    "fixture",
    "fixtures",
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "docs",
    "bench",
    "benches",
];

/// Files of tools that aren't read, without SQL beside them.
const STRANGERS: &[&str] = &["env.py", "sqitch.plan"];

/// A folder that holds migrations.
#[derive(Debug)]
pub struct Candidate {
    /// The folder, relative to the one that was searched.
    pub folder: PathBuf,
    /// The name of its layout; none if it can't be read as it is.
    pub layout: Option<&'static str>,
    /// How many migrations it holds, or files of SQL.
    pub files: usize,
    rank: Rank,
}

/// How sure it is that these are the project's migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Named so, or marked by a tool.
    Sure,
    /// SQL in a folder of that name, or numbered in another.
    Likely,
    /// In tests or examples.
    Example,
}

/// What a folder is.
enum Seen {
    /// One of migrations.
    Taken(Rank),
    /// One migration of several files.
    Migration,
    /// One of migrations, by its name, with so many files; it can't be read as it is.
    Unread(usize),
    /// Anything else.
    Nothing,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Search {
    /// The most likely ones, those with the most files first.
    pub likely: Vec<Candidate>,
    /// All others, in the same order.
    pub others: Vec<Candidate>,
    /// Whose migrations lie here that can't be read.
    pub refused: Option<Error>,
}

/// Looks for folders of migrations below a folder; those of another engine than the one that is asked for, or that is read,
/// are none.
pub fn below(base: &Path, engine: Option<Engine>) -> Search {
    let mut walk = Walk { base, engine, found: Vec::new(), refused: None };
    walk.is_strange(Path::new(""));
    walk.folder(Path::new(""), 1, false);
    let mut found = walk.found;
    // Beside a history that was moved aside lies its consolidated set.
    let aside: Vec<PathBuf> =
        found.iter().filter_map(|c| Some(c.folder.to_str()?.strip_suffix(".old")?.into())).collect();
    found.retain(|c| !aside.contains(&c.folder));
    found.sort_by(|a, b| a.rank.cmp(&b.rank).then(b.files.cmp(&a.files)).then(a.folder.cmp(&b.folder)));
    let best = found.first().map(|c| c.rank).filter(|rank| *rank != Rank::Example);
    let (likely, others) = found.into_iter().partition(|c| Some(c.rank) == best);
    Search { likely, others, refused: walk.refused }
}

struct Walk<'a> {
    base: &'a Path,
    engine: Option<Engine>,
    found: Vec<Candidate>,
    refused: Option<Error>,
}

impl Walk<'_> {
    /// Looks at the folders of a folder; `is_named` says whether one above is called migrations.
    fn folder(&mut self, folder: &Path, depth: usize, is_named: bool) {
        let Ok(entries) = std::fs::read_dir(self.base.join(folder)) else { return };
        // A link may lead round in a circle, and what it leads to is found by itself.
        let folders = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
        let mut names: Vec<String> = folders.filter_map(|e| e.file_name().into_string().ok()).collect();
        names.sort();
        for name in names {
            let passes = name.starts_with('.') || OF_OTHERS.contains(&name.as_str()) || is_of_another(&name);
            if passes {
                continue;
            }
            let is_named = is_named || says_migrations(&name);
            let path = folder.join(&name);
            let before = self.found.len();
            let seen = self.look(&path, is_named);
            if depth < DEPTH && !matches!(seen, Seen::Taken(Rank::Sure) | Seen::Migration) {
                self.folder(&path, depth + 1, is_named);
            }
            // Why it can't be read is said when it is taken, or named.
            if let Seen::Unread(files) = seen
                && self.found.len() == before
            {
                self.add(path, None, files, Rank::Likely);
            }
        }
    }

    /// What a folder itself is.
    fn look(&mut self, folder: &Path, is_named: bool) -> Seen {
        let root = self.base.join(folder);
        if root.join("up.sql").is_file() || root.join("migration.sql").is_file() {
            return Seen::Migration;
        }
        let has_own = holds_some(&root);
        if self.is_strange(folder) || (!is_named && !has_own) {
            return Seen::Nothing;
        }
        let contents = match Contents::read(&root) {
            Ok(contents) => contents,
            Err(_) => return if is_named && has_own { Seen::Unread(0) } else { Seen::Nothing },
        };
        let files = contents.sql().count();
        let found = match layout::find(contents, None, self.engine, &Code::Unasked) {
            Ok(found) => found,
            Err(_) if is_named && has_own => return Seen::Unread(files),
            Err(_) if is_named && files == 0 => {
                if let Some(Err(error)) = Contents::read(&root).ok().map(|contents| layout::refuse(&contents)) {
                    self.refused.get_or_insert(super::in_folder(folder, error));
                }
                return Seen::Nothing;
            }
            Err(_) => return Seen::Nothing,
        };
        let Some(rank) = rank(&found, is_named) else { return Seen::Nothing };
        self.add(folder.to_path_buf(), Some(found.layout.name()), found.entries.len(), rank);
        Seen::Taken(rank)
    }

    /// Whether a folder is of a tool that isn't read.
    fn is_strange(&mut self, folder: &Path) -> bool {
        let root = self.base.join(folder);
        if !STRANGERS.iter().any(|name| root.join(name).is_file()) {
            return false;
        }
        let refused = Contents::read(&root).and_then(|contents| layout::refuse(&contents));
        let Err(error) = refused else { return false };
        self.refused.get_or_insert(super::in_folder(folder, error));
        true
    }

    fn add(&mut self, folder: PathBuf, layout: Option<&'static str>, files: usize, rank: Rank) {
        let is_example = folder.components().any(|c| EXAMPLES.iter().any(|e| c.as_os_str() == *e));
        self.found.push(Candidate { folder, layout, files, rank: if is_example { Rank::Example } else { rank } });
    }
}

fn rank(found: &Found, is_named: bool) -> Option<Rank> {
    // Any file may be named as these want it: it says nothing about a folder.
    let is_marked = !matches!(found.layout.name(), "plain" | "sqlx" | "supabase");
    let numbered = found.entries.iter().filter(|e| e.path.starts_with(|c: char| c.is_ascii_digit())).count();
    let is_numbered = numbered * 2 > found.entries.len();
    // Some layouts take files of folders far below, which are found there.
    let is_here = |path: &str| match path.split_once('/') {
        None => true,
        Some((_, name)) => matches!(name, "up.sql" | "migration.sql"),
    };
    let all_here = found.entries.iter().all(|e| is_here(&e.path));
    match (is_named, is_marked, is_numbered) {
        (true, true, _) | (true, _, true) => Some(Rank::Sure),
        (false, true, _) if all_here => Some(Rank::Sure),
        (true, false, false) => Some(Rank::Likely),
        (false, false, true) if all_here && found.entries.len() > 1 => Some(Rank::Likely),
        _ => None,
    }
}

/// `db_migrations`, `migration`, alembic's `versions`; also moved aside.
fn says_migrations(name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".old").unwrap_or(&name);
    name.ends_with("migrations") || name.ends_with("migration") || matches!(name, "migrate" | "versions")
}

/// Whether a folder has SQL of its own, or folders with a migration each: a quick look before a thorough one.
fn holds_some(folder: &Path) -> bool {
    let is_sql = |path: &Path| path.extension().is_some_and(|e| e == "sql");
    let has_one = |path: &Path| path.join("up.sql").is_file() || path.join("migration.sql").is_file();
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|e| is_sql(&e.path()) || has_one(&e.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a project of these files, as folder, layout and count; those that are less likely in brackets.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let project = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = project.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let search = below(project.path(), None);
        let say = |c: &Candidate| format!("{} {} {}", c.folder.display(), c.layout.unwrap_or("?"), c.files);
        search.likely.iter().map(say).chain(search.others.iter().map(|c| format!("({})", say(c)))).collect()
    }

    #[test]
    fn layouts_are_found_where_tools_put_them() {
        let one = |path: &str| found(&[(path, "CREATE TABLE a ();\n")]);
        assert_eq!(one("prisma/migrations/1_a/migration.sql"), ["prisma/migrations prisma 1"]);
        assert_eq!(one("supabase/migrations/1_a.sql"), ["supabase/migrations supabase 1"]);
        assert_eq!(
            one("app/src/main/resources/db/migration/x/V1__a.sql"),
            ["app/src/main/resources/db/migration flyway 1"]
        );
        assert_eq!(one("hasura/migrations/default/1654696186008_a/up.sql"), ["hasura/migrations hasura 1"]);
        let journal = "{\"dialect\": \"postgresql\", \"entries\": [{\"idx\": 0, \"tag\": \"0000_a\"}]}";
        let drizzle = [("src/drizzle/0000_a.sql", ""), ("src/drizzle/meta/_journal.json", journal)];
        assert_eq!(found(&drizzle), ["src/drizzle drizzle 1"]);
        assert_eq!(found(&[("sql/schema/001_a.sql", "-- +goose Up\n")]), ["sql/schema goose 1"]);
    }

    #[test]
    fn what_is_not_the_projects_is_passed_over_or_comes_last() {
        let files = [
            ("node_modules/a/migrations/1_a.sql", ""),
            (".git/migrations/1_a.sql", ""),
            ("crates/api/migrations/1_a.sql", ""),
            ("crates/api/migrations.old/1_a.sql", ""),
            ("tests/migrations/1_a.sql", ""),
            ("db/seed.sql", ""),
            ("store/migrations/mysql/1_a.up.sql", ""),
            ("store/migrations/postgres/1_a.up.sql", ""),
            ("store/migrations/postgres/2_b.up.sql", ""),
        ];
        let wanted = [
            "store/migrations/postgres golang-migrate 2",
            "crates/api/migrations.old sqlx 1",
            "(tests/migrations sqlx 1)",
        ];
        assert_eq!(found(&files), wanted);
    }

    #[test]
    fn what_cannot_be_read_is_no_reason_to_be_silent() {
        let unclear =
            [("a/migrations/default2/x.txt", ""), ("a/migrations/2_b/up.sql", ""), ("a/migrations/10_c/up.sql", "")];
        assert_eq!(found(&unclear), ["a/migrations ? 2"]);
        let lock = ("prisma/migrations/migration_lock.toml", "provider = \"mysql\"\n");
        assert_eq!(found(&[("prisma/migrations/1_a/migration.sql", ""), lock]), ["prisma/migrations ? 1"]);
    }
}
