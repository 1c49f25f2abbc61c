//! A folder as it was in a revision, by the git program. Nothing in the repository or its checkout is changed.

use crate::error::{Error, Result};
use crate::scratch::room;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

/// A copy of a folder; it goes when it is dropped.
pub struct Copy {
    /// The copy, under its own path in the repository.
    pub folder: PathBuf,
    _held: TempDir,
}

/// Copies a folder of a revision. The blobs are read as they are: no attribute of the repository changes or hides any.
///
/// # Errors
/// When git isn't there, or knows no such revision or folder.
pub fn copy(revision: &str, folder: &str) -> Result<Copy> {
    let hint = "REV is a commit, branch or tag; the folder is relative to the current one, as in HEAD~3:migrations";
    let wrong = |why: String| Error::new(format!("{revision}:{folder}: {why}")).hint(hint);
    if revision.starts_with('-') {
        return Err(wrong("no revision begins with a dash".into()));
    }
    let path = folder.trim_end_matches('/').trim_start_matches("./");
    let tree = if path.is_empty() || path == "." { "./".to_string() } else { format!("./{path}") };
    let listed = git(&["ls-tree", "-r", "-z", &format!("{revision}:{tree}")], "").map_err(wrong)?;
    let listed = String::from_utf8(listed).map_err(|_| wrong("a file's name isn't UTF-8".into()))?;
    let mut files = Vec::new();
    for line in listed.split('\0').filter(|line| !line.is_empty()) {
        // MODE blob HASH<tab>PATH
        let (head, name) = line.split_once('\t').ok_or_else(|| wrong(format!("git said {line}")))?;
        let words: Vec<&str> = head.split(' ').collect();
        // A tree that was made by hand may hold any name.
        if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(wrong(format!("a file's name leads out of the folder: {name}")));
        }
        if let [mode, "blob", hash] = words[..]
            && mode != "120000"
        {
            files.push((hash.to_string(), name.to_string()));
        }
    }
    if files.is_empty() {
        return Err(wrong("there are no files".into()));
    }
    let unable = |e: std::io::Error| Error::new(format!("can't copy {revision}:{folder}: {e}"));
    let held = room::private("consolidate-rev-", &std::env::temp_dir()).map_err(unable)?;
    let inner = path.split('/').filter(|part| !["", ".", ".."].contains(part));
    let folder_of_copy = inner.fold(held.path().to_path_buf(), |at, part| at.join(part));
    let asked: String = files.iter().map(|(hash, _)| format!("{hash}\n")).collect();
    let blobs = git(&["cat-file", "--batch"], &asked).map_err(wrong)?;
    let mut rest = blobs.as_slice();
    for (_, name) in &files {
        let (content, behind) = blob(rest).ok_or_else(|| wrong(format!("git doesn't give {name}")))?;
        rest = behind;
        let file = folder_of_copy.join(name);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).map_err(unable)?;
        }
        std::fs::write(&file, content).map_err(unable)?;
    }
    Ok(Copy { folder: folder_of_copy, _held: held })
}

/// The next object of `cat-file --batch`: `HASH blob SIZE`, a line end, the bytes, a line end.
fn blob(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let size: usize = head.rsplit(' ').next()?.parse().ok()?;
    let from = end + 1;
    Some((bytes.get(from..from + size)?, bytes.get(from + size + 1..)?))
}

/// What git says. The error is what it complained about.
fn git(arguments: &[&str], input: &str) -> Result<Vec<u8>, String> {
    let mut command = crate::history::git::git();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("can't run git: {e}"))?;
    let mut stdin = child.stdin.take();
    let input = input.to_string();
    // Apart from the reading, so that neither waits for the other.
    let writer = std::thread::spawn(move || stdin.as_mut().map(|pipe| pipe.write_all(input.as_bytes())));
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let _ = writer.join();
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(said.lines().next().unwrap_or("git failed").trim_start_matches("fatal: ").to_string())
}
