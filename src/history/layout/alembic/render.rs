//! The SQL of revisions, printed by Alembic itself: its offline mode, as `alembic upgrade head --sql`, cut by revision.

use super::super::super::contents::Contents;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What Python runs.
const SCRIPT: &str = include_str!("render.py");
/// The environment variable that names another Python.
const PYTHON: &str = "CONSOLIDATE_PYTHON";
/// What helps when Alembic doesn't print the SQL.
const HINT: &str = "`alembic upgrade head --sql` must work in the project: install it with its packages, and name its Python by \
                    CONSOLIDATE_PYTHON if that isn't the one of .venv, venv or the PATH";

/// A revision as Alembic prints it.
#[derive(Deserialize)]
pub struct Revision {
    /// Its file in the folder.
    pub path: String,
    /// Its name.
    pub revision: String,
    /// What its first line says.
    pub doc: String,
    /// What it runs.
    pub sql: String,
    /// Whether it leaves the transaction.
    pub bare: bool,
}

/// All revisions of a folder, in the order in which they run.
///
/// # Errors
/// When it isn't a folder beside an `env.py`, or Alembic refuses.
pub fn revisions(contents: &Contents) -> Result<Vec<Revision>> {
    let root = contents.root();
    let folder = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
    let Some(scripts) = folder.parent().filter(|p| p.join("env.py").is_file()) else {
        let message =
            format!("{} holds Alembic's revisions, and there is no env.py beside it to run them", root.display());
        return Err(Error::new(message).hint("keep the folder where Alembic's own is, as alembic/versions.old"));
    };
    let ini = scripts.ancestors().take(4).map(|p| p.join("alembic.ini")).find(|p| p.is_file());
    let base = ini.as_deref().and_then(Path::parent).unwrap_or(scripts).to_path_buf();
    let program = python(&base);
    let mut command = Command::new(&program);
    command.args(["-c", SCRIPT]).arg(ini.unwrap_or_default()).arg(scripts).arg(&folder);
    // Nothing is to be left in the folders of others.
    command.current_dir(&base).env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = command.output().map_err(|e| Error::new(format!("can't start {}: {e}", program.display())).hint(HINT))?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr);
        let last = said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("it ended without a word");
        return Err(Error::new(format!("alembic can't print the SQL of {}: {last}", root.display())).hint(HINT));
    }
    let out = String::from_utf8_lossy(&ran.stdout);
    serde_json::from_str(out.lines().next_back().unwrap_or_default())
        .map_err(|e| Error::new(format!("alembic printed something else than revisions: {e}")).hint(HINT))
}

/// Says by its exit code whether a module sets `down_revision`. Nothing of the module runs.
const SETS: &str = "\
import ast, sys
targets = [node for part in ast.parse(sys.stdin.buffer.read()).body for node in ast.walk(part)
           if isinstance(part, (ast.Assign, ast.AnnAssign)) and isinstance(node, ast.Name)
           and isinstance(node.ctx, ast.Store)]
sys.exit(0 if any(node.id == 'down_revision' for node in targets) else 3)
";

/// Whether a module in Python sets `down_revision`. Where no Python can say that, it is taken for one that does: then the
/// trouble is told as that of Python.
pub fn sets_down_revision(module: &str) -> bool {
    let program = std::env::var_os(PYTHON).map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let mut command = Command::new(program);
    command.args(["-I", "-c", SETS]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return true };
    // A Python that doesn't read says so by its exit code.
    let _ = child.stdin.take().map(|mut input| input.write_all(module.as_bytes()));
    child.wait().map_or(true, |status| status.code() != Some(3))
}

fn python(base: &Path) -> PathBuf {
    let own = [".venv/bin/python", "venv/bin/python"].iter().map(|p| base.join(p)).find(|p| p.is_file());
    std::env::var_os(PYTHON).map(PathBuf::from).or(own).unwrap_or_else(|| "python3".into())
}
