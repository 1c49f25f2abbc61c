//! What an added column brings into its table's list: the comments of its ALTER, and the table's alignment.

use super::segment::Segment;
use crate::replay::Replay;
use crate::schema::{Body, ObjectId};
use crate::sql::lex::{TokenKind, lex};

/// Words with which a comment tells of a change, and not of what is there after it.
const CHANGES: &[&str] = &[
    "add",
    "adding",
    "adds",
    "added",
    "step",
    "alter",
    "altertable",
    "addforeignkey",
    "createindex",
    "createtable",
    "drop",
    "remove",
    "rename",
    "change",
    "create",
    "update",
    "migration",
    "migrate",
    "backfill",
    "now",
    "new",
    "make",
    "set",
    "fix",
    "modify",
    "extend",
    "phase",
    "first",
    "then",
    "next",
    "finally",
    "also",
];

impl Replay<'_> {
    /// The comment lines right above an ALTER TABLE of one command, and the comment beside it: they are about what it adds,
    /// unless they tell of the change.
    pub(crate) fn own_comments(&self, segment: &Segment) -> (Vec<String>, String) {
        let nothing = (Vec::new(), String::new());
        if self.is_inner || segment.text.is_empty() {
            return nothing;
        }
        let is_last = segment.start + segment.text.len() == self.text.trim_end().len();
        if segment.alone != self.text {
            // Of several commands the last one has the comment behind the semicolon.
            return if is_last { (Vec::new(), self.beside()) } else { nothing };
        }
        let statement = &self.history.statements[self.current];
        let file = &self.history.files[statement.file].text;
        let lead = file[statement.piece.lead.clone()].replace('\r', "");
        // Comments that head the file, or a group of statements, are set off by an empty line, or have others below.
        let next = self.history.files[statement.file].statements.end > self.current + 1;
        let follows = next && {
            let below = &self.history.statements[self.current + 1].piece.lead;
            file[below.clone()].matches('\n').count() < 2 && below.start < below.end
        };
        let near = lead.rsplit_once("\n\n").map_or(lead.as_str(), |(_, near)| near);
        let above: Vec<String> = near.lines().map(str::trim).filter(|l| !l.is_empty()).map(String::from).collect();
        let plain = above.iter().all(|l| l.starts_with("--")) && near.ends_with('\n');
        let above = if plain && !follows && !above.iter().any(|l| tells_of_change(l)) { above } else { Vec::new() };
        (above, self.beside())
    }

    /// The comment behind the statement's semicolon, unless it tells of the change.
    fn beside(&self) -> String {
        let statement = &self.history.statements[self.current];
        let trail = &self.history.files[statement.file].text[statement.piece.trail.clone()];
        let is_line = lex(trail).first().is_some_and(|t| t.kind == TokenKind::Comment);
        if is_line && !tells_of_change(trail) { trail.trim_end().to_string() } else { String::new() }
    }

    /// Where the types of a table's columns stand in one column of the text, so does that of a new one; and what follows.
    pub(crate) fn align_column(&mut self, table: ObjectId, id: ObjectId) {
        let mut others = self.schema.columns(table);
        others.retain(|column| *column != id);
        for place in 1..=2 {
            let Some((at, own)) = self.offset_of_others(&others, place).zip(self.offset_of(id, place)) else {
                return;
            };
            if let Body::Column(column) = &mut self.schema.objects[id].body
                && own < at
                && let Some(piece) = column.pieces.get_mut(place)
            {
                piece.gap.push_str(&" ".repeat(at - own));
            }
        }
    }

    /// Where a piece of a column's definition begins; none for one that isn't there, or where tabs make it unsure.
    fn offset_of(&self, id: ObjectId, place: usize) -> Option<usize> {
        let Body::Column(column) = &self.schema.objects[id].body else { return None };
        let piece = column.pieces.get(place)?;
        let before = column.pieces[..place].iter().flat_map(|p| [&p.gap, &p.text]).chain([&piece.gap]);
        let plain = !before.clone().any(|text| text.bytes().any(|b| b == b'\t' || b == b'\n'));
        plain.then(|| before.map(|text| text.chars().count()).sum())
    }

    /// The one place of that piece in all other columns, if some of them are padded to reach it.
    fn offset_of_others(&self, others: &[ObjectId], place: usize) -> Option<usize> {
        let mut found = others.iter().filter_map(|c| {
            let Body::Column(column) = &self.schema.objects[*c].body else { return None };
            Some((self.offset_of(*c, place)?, column.pieces[place].gap.len() > 1))
        });
        let (first, mut is_padded) = found.next()?;
        let mut count = 1;
        for (at, padded) in found {
            if at != first {
                return None;
            }
            (count, is_padded) = (count + 1, is_padded || padded);
        }
        (count > 1 && is_padded).then_some(first)
    }
}

fn tells_of_change(comment: &str) -> bool {
    let words: String = comment.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let first = words.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    CHANGES.contains(&first) || first.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_that_tells_of_a_change_is_known() {
        assert!(tells_of_change("-- STEP 2: a priority"));
        assert!(tells_of_change("-- Add is_adhoc to action"));
        assert!(!tells_of_change("-- how many there are"));
    }
}
