//! The manifest in the folder of a written set: the files that were written, a sum of each, and where they come from.

use crate::files;
use crate::history::{History, LAYOUT_LINE, MANIFEST};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The line of the manifest that tells the history.
const HISTORY: &str = "# of the history ";
/// How its line about the history's new place begins.
const ASIDE_LINE: &str = "# in place of ";

/// Whether a folder holds a set of this program's.
pub fn was_written(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file()
}

/// The sum of the history from which a set was made, if its manifest has one.
pub fn history_of(folder: &Path) -> Option<String> {
    manifest_text(folder).lines().find_map(|line| line.strip_prefix(HISTORY)).map(|sum| sum.trim().to_string())
}

/// The sum of a history: its files, in the order in which they run.
pub fn sum_of(history: &History) -> String {
    let files = history.files.iter().map(|file| format!("{}\n{}\n", file.name, file.text));
    sum(files.collect::<String>().as_bytes())
}

/// What a manifest says of a set beside its files; what is empty isn't said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// The sum of the history that it stands for.
    pub history: &'a str,
    /// The name of the layout in which it is written.
    pub layout: &'a str,
}

impl Origin<'_> {
    pub(super) fn lines(self) -> String {
        let line = |begin: &str, what: &str| if what.is_empty() { String::new() } else { format!("{begin}{what}\n") };
        line(HISTORY, self.history) + &line(LAYOUT_LINE, self.layout)
    }

    /// The lines of a set that took its history's place, which has this name beside it now.
    pub(super) fn in_place_of(self, aside: &str) -> String {
        format!("{}{ASIDE_LINE}{aside}\n", self.lines())
    }

    /// Whether a manifest says just this.
    pub(super) fn is_in(self, manifest: &str) -> bool {
        let is_ours = |line: &&str| line.starts_with(HISTORY) || line.starts_with(LAYOUT_LINE);
        manifest.lines().filter(is_ours).eq(self.lines().lines())
    }
}

/// Where the history of a set is, as its manifest says: beside it, and nowhere else.
pub(super) fn said_in(folder: &Path) -> Option<PathBuf> {
    let manifest = manifest_text(folder);
    let name = manifest.lines().find_map(|line| line.strip_prefix(ASIDE_LINE))?;
    let parts: Vec<Component> = Path::new(name).components().collect();
    matches!(parts[..], [Component::Normal(part)] if part == name).then(|| folder.with_file_name(name))
}

pub(super) fn manifest_text(folder: &Path) -> String {
    files::read_to_string(&folder.join(MANIFEST)).unwrap_or_default()
}

/// The files that a set was written with, and their sums.
pub fn manifest(folder: &Path) -> BTreeMap<String, String> {
    manifest_text(folder)
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(' ').map(|(sum, name)| (name.to_string(), sum.to_string())))
        .collect()
}

/// FNV-1a: enough to see that a file was changed by hand.
pub fn sum(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |s, b| (s ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{sum:016x}")
}
