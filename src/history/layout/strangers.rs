//! Tools that are known by sight and aren't read: to take their files for another tool's would run what undoes.

use super::Layout;
use super::alembic::Alembic;
use super::names::{self, folder};
use super::sections;
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;

/// Refuses a folder of such a tool.
///
/// # Errors
/// When it is one; places are relative to the folder.
pub fn refuse(contents: &Contents) -> Result<()> {
    [sqitch, mybatis, alembic].iter().find_map(|find| find(contents)).map_or(Ok(()), Err)
}

/// sqitch: `deploy/`, `revert/` and `verify/`, in the order of `sqitch.plan`.
fn sqitch(contents: &Contents) -> Option<Error> {
    const PLAN: &str = "sqitch.plan";
    let name = contents.root().file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let is_part = matches!(name, "deploy" | "revert" | "verify") && !contents.above(PLAN).is_empty();
    (contents.has(PLAN) || is_part).then(|| {
        let at = if is_part { format!("../{PLAN}") } else { PLAN.to_string() };
        let message = "a project of sqitch, which isn't read: its plan says the order, not the names of the files";
        let hint =
            "copy the files of deploy/ to another folder, numbered in the order of the plan, and name it with --old";
        Error::new(message).at(At::new(at, 1)).hint(hint)
    })
}

/// MyBatis Migrations: `-- //@UNDO` parts a file (mybatis/migrations' MigrationReader.java).
fn mybatis(contents: &Contents) -> Option<Error> {
    let is_undo = |line: &str| {
        let mark = line.trim().strip_prefix("--").and_then(|l| l.trim_start().strip_prefix("//"));
        mark.is_some_and(|m| m.trim_start().starts_with("@UNDO"))
    };
    contents.flat_sql().find_map(|path| {
        let line = sections::lines(&contents.text(path)).position(|(_, line)| is_undo(line))?;
        let message = "a file of MyBatis Migrations, which isn't read: what follows undoes the migration";
        let hint = "copy what stands above this mark in each file to another folder, and name it with --old";
        Some(Error::new(message).at(At::new(path, line + 1)).hint(hint))
    })
}

/// alembic: Python in `versions/`, which can print what it runs.
fn alembic(contents: &Contents) -> Option<Error> {
    let is_python = |path: &&str| path.ends_with(".py");
    let is_version =
        |path: &str| names::base(folder(path)) == "versions" || contents.text(path).contains("\ndown_revision");
    let first = contents.paths().filter(is_python).find(|path| is_version(path))?;
    let is_ours = Alembic.fits(contents) && !Alembic.runs_code(contents);
    let is_its = !is_ours
        && contents.sql().next().is_none()
        && (contents.has("env.py") || contents.text(first).contains("\ndown_revision"));
    is_its.then(|| {
        let message = "migrations of alembic, which are Python, and are read from the folder of its revisions only";
        let hint = "name that folder: --old versions --layout alembic; or let alembic print them: \
                    alembic upgrade head --sql > history/0001_all.sql";
        Error::new(message).at(At::new(first, 1)).hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(files: &[(&str, &str)]) -> Error {
        refuse(&Contents::of(files)).unwrap_err()
    }

    #[test]
    fn tools_that_are_not_read_are_named() {
        let text = "-- // create a\nCREATE TABLE a ();\n\n-- //@UNDO\nDROP TABLE a;\n";
        let error = refused(&[("20200101000000_a.sql", text)]);
        assert!(error.message.contains("MyBatis Migrations"), "{}", error.message);
        assert_eq!(error.at, Some(At::new("20200101000000_a.sql", 4)));
        let error = refused(&[("deploy/a.sql", ""), ("revert/a.sql", ""), ("sqitch.plan", "%syntax-version=1.0.0\n")]);
        assert!(error.message.contains("sqitch"), "{}", error.message);
        let revision = "revision = 'a'\ndown_revision = None\n";
        for files in [&[("env.py", ""), ("versions/a.py", "")][..], &[("a.py", revision)]] {
            let error = refused(files);
            assert!(error.hint.is_some_and(|h| h.contains("alembic upgrade head --sql")));
        }
    }

    #[test]
    fn others_are_not_refused() {
        let files = [("1_a.sql", "-- // @undo nothing\nSELECT 1;\n"), ("seed.py", "import os\n")];
        assert!(refuse(&Contents::of(&files)).is_ok());
    }
}
