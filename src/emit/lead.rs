//! The comments above a statement, as the writer puts them above it in the new set.

use super::comments::MARKS;
use super::provenance::without;
use crate::history::{History, Statement};

/// The blocks of comments above a statement. The first block of a file, set off by a blank line, is the file's own
/// heading and not the statement's, unless it is a banner.
pub(super) fn above(history: &History, source: &Statement) -> Vec<String> {
    let file = &history.files[source.file];
    let lead = without(&file.text[source.piece.lead.clone()].replace('\r', ""));
    let mut blocks: Vec<String> = Vec::new();
    let mut open = false;
    let mut depth = 0;
    for line in lead.lines() {
        let line = line.trim_end();
        // A blank line inside a block comment parts nothing.
        let inside = depth > 0;
        depth = comment_depth(line, depth);
        if line.trim().is_empty() && !inside {
            open = false;
        } else if let Some(block) = blocks.last_mut().filter(|_| open) {
            block.push_str(line);
            block.push('\n');
        } else {
            blocks.push(format!("{line}\n"));
            open = true;
        }
    }
    // Speaks to the migration tool about the old file; the new one runs in a transaction.
    for mark in MARKS {
        blocks.iter_mut().for_each(|b| *b = b.replace(&format!("{mark}\n"), ""));
    }
    blocks.retain(|b| !b.is_empty());
    let heads_file = source.piece.lead.start == 0 && !lead.starts_with('\n') && !blocks.is_empty();
    if heads_file && (!open || blocks.len() > 1) && !is_banner(&blocks[0]) {
        blocks.remove(0);
    }
    let last = blocks.len();
    blocks
        .into_iter()
        .enumerate()
        .map(|(i, block)| if i + 1 < last || !open { format!("{block}\n") } else { block })
        .collect()
}

/// How many block comments are open at the end of a line outside of statements.
fn comment_depth(line: &str, mut depth: usize) -> usize {
    let mut rest = line;
    while let Some(at) = rest.find(['/', '*', '-']) {
        rest = &rest[at..];
        let taken = match rest {
            _ if rest.starts_with("/*") => {
                depth += 1;
                2
            }
            _ if depth > 0 && rest.starts_with("*/") => {
                depth -= 1;
                2
            }
            _ if depth == 0 && rest.starts_with("--") => break,
            _ => 1,
        };
        rest = &rest[taken..];
    }
    depth
}

fn is_banner(block: &str) -> bool {
    block.lines().next().is_some_and(|l| {
        let rest = l.trim_start_matches("--").trim();
        rest.len() > 8 && rest.chars().all(|c| "=-*#~".contains(c))
    })
}
