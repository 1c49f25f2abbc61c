//! Folders that are known by sight and aren't read as they are: to take their files for another tool's would run what undoes.

use super::{alembic, frameworks, sections};
use crate::error::{At, Error, Result};
use crate::history::contents::Contents;

/// Refuses such a folder.
///
/// # Errors
/// When it is one; places are relative to the folder.
pub fn refuse(contents: &Contents) -> Result<()> {
    [sqitch, mybatis, alembic::of_env, frameworks::find].iter().find_map(|find| find(contents)).map_or(Ok(()), Err)
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
        let error = refused(&[("env.py", ""), ("versions/a.py", "")]);
        assert_eq!(error.at, Some(At::new("versions/a.py", 1)));
        let hint = error.hint.unwrap_or_default();
        assert!(hint.contains("--old migrations/versions --layout alembic"), "{hint}");
        assert!(hint.contains("alembic upgrade head --sql"), "{hint}");
    }

    #[test]
    fn others_are_not_refused() {
        let files = [("1_a.sql", "-- // @undo nothing\nSELECT 1;\n"), ("seed.py", "import os\n")];
        assert!(refuse(&Contents::of(&files)).is_ok());
    }
}
