//! Makes a history that shows trouble as small as it gets while it still shows the same trouble: statements go, then
//! elements within statements.

use crate::check::{Depth, Trouble, check};
use crate::database::Database;
use crate::grow::{Part, files, statements};

/// How many proofs a shrink may take.
const PROOFS: usize = 100;

/// The work of one shrink.
pub struct Shrink<'a> {
    pub database: &'a mut Database,
    pub depth: Depth,
    /// What must still be seen.
    pub kind: String,
    pub left: usize,
}

/// The kind of a trouble, by which two of them count as the same.
pub fn kind(trouble: &Trouble) -> String {
    format!("{:?}: {}", trouble.class, plain(trouble.words.lines().next().unwrap_or_default()))
}

/// Words without places and names, which differ from one history to the next.
pub fn plain(words: &str) -> String {
    let mut plain = String::new();
    let mut quoted = false;
    for word in words.split_inclusive(' ') {
        if !quoted && word.contains('.') && !word.contains('"') {
            plain.push_str("… ");
            continue;
        }
        for c in word.chars() {
            match c {
                '"' => quoted = !quoted,
                _ if quoted || c.is_ascii_digit() => continue,
                _ => {}
            }
            plain.push(c);
        }
    }
    plain
}

/// The smallest history found that shows the same trouble.
pub fn shrink(parts: &[Part], trouble: &Trouble, depth: Depth, database: &mut Database) -> Vec<Part> {
    let mut work = Shrink { database, depth, kind: kind(trouble), left: PROOFS };
    let mut small = parts.to_vec();
    // The lines of the history count in no trouble; its comments seldom.
    let bare: Vec<Part> = small.iter().map(bare).collect();
    work.keep(&mut small, bare);
    loop {
        let before = small.clone();
        work.statements(&mut small);
        work.elements(&mut small);
        if small == before || work.left == 0 {
            return small;
        }
    }
}

fn bare(part: &Part) -> Part {
    match part {
        Part::Statement(text, _) => Part::Statement(text.clone(), None),
        Part::Break => Part::Break,
    }
}

impl Shrink<'_> {
    /// Takes a smaller history if it is valid and shows the trouble.
    fn keep(&mut self, small: &mut Vec<Part>, candidate: Vec<Part>) -> bool {
        if self.left == 0 || candidate == *small || statements(&candidate).next().is_none() {
            return false;
        }
        if !self.database.takes(statements(&candidate)) {
            return false;
        }
        self.left -= 1;
        let found = check(&files(&candidate), self.depth).trouble;
        let same = found.is_some_and(|t| kind(&t) == self.kind);
        if same {
            *small = candidate;
        }
        same
    }

    /// Leaves out runs of statements, long ones first; the last ones first, since nothing needs those.
    fn statements(&mut self, small: &mut Vec<Part>) {
        let mut size = (small.len() / 2).max(1);
        loop {
            let mut end = small.len();
            while end > 0 {
                let begin = end.saturating_sub(size);
                let mut candidate = small.clone();
                candidate.drain(begin..end.min(candidate.len()));
                self.keep(small, candidate);
                end = begin.min(small.len());
            }
            if size == 1 {
                return;
            }
            size /= 2;
        }
    }

    /// Leaves out what stands between commas, and options at the end of elements.
    fn elements(&mut self, small: &mut Vec<Part>) {
        for at in 0..small.len() {
            let mut number = 0;
            while let Some(Part::Statement(text, _)) = small.get(at) {
                let Some(shorter) = without(text, number) else { break };
                let mut candidate = small.clone();
                candidate[at] = Part::Statement(shorter, None);
                if !self.keep(small, candidate) {
                    number += 1;
                }
            }
        }
    }
}

/// The statement without the so-manieth element of its lists.
fn without(text: &str, number: usize) -> Option<String> {
    let cut = pieces(text).into_iter().nth(number)?;
    let mut shorter = text.to_string();
    shorter.replace_range(cut, "");
    Some(shorter)
}

/// The elements of lists, each with the comma before or after it; and single trailing clauses.
fn pieces(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let (mut depth, mut quote) = (0_i32, None);
    let mut begins: Vec<usize> = vec![0];
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => {
                depth += 1;
                begins.push(at + 1);
            }
            (None, ')') => {
                depth -= 1;
                if let Some(begin) = begins.pop()
                    && begin > 0
                    && text[..begin].ends_with(',')
                {
                    found.push(begin - 1..at);
                }
                if begins.is_empty() {
                    begins.push(0);
                }
            }
            (None, ',') if depth >= 0 => {
                let begin = begins.last().copied().unwrap_or(0);
                if begin > 0 {
                    let from = if text[..begin].ends_with(',') { begin - 1..at } else { begin..at + 1 };
                    found.push(from);
                }
                begins.last_mut().into_iter().for_each(|b| *b = at + 1);
            }
            _ => {}
        }
    }
    for clause in CLAUSES {
        found.extend(text.match_indices(clause).map(|(at, _)| at..at + clause.len()));
    }
    found
}

/// Words that can often go.
const CLAUSES: &[&str] = &[
    " PRIMARY KEY",
    " NOT NULL",
    " UNIQUE",
    " CASCADE",
    " IF NOT EXISTS",
    " IF EXISTS",
    " OR REPLACE",
    " STABLE",
    " SECURITY DEFINER",
    " IMMUTABLE",
    " SET search_path = public",
    " COLLATE \"C\"",
    " DEFERRABLE INITIALLY DEFERRED",
    " ON DELETE CASCADE",
    " ON DELETE SET NULL",
    " ON UPDATE CASCADE",
    " UNLOGGED",
    " DESC NULLS LAST",
    " DEFAULT gen_random_uuid()",
    " NOT VALID",
    " ON CONFLICT DO NOTHING",
    " SET DATA",
];
