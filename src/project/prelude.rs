//! What runs before a history: preludes of the library, and files of SQL.

use crate::error::{Error, Result};
use crate::history;
use crate::proof::{Prelude, ReplayFile, ReplayStatement};
use crate::scratch::preludes;
use std::path::{Path, PathBuf};

/// The preludes that settings and arguments name, those that come with the library apart: a name of theirs is no file.
pub(super) fn preludes(
    set: &[PathBuf],
    base: &Path,
    given: &[PathBuf],
) -> Result<(Vec<&'static Prelude>, Vec<ReplayFile>)> {
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
