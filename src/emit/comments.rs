//! Counts comments: the lines that stand above or beside a statement, or a column, that lives at the end.

use crate::history::History;
use crate::ledger::What;
use crate::replay::Model;
use crate::schema::Kind;
use crate::sql::lex::{TokenKind, lex};

/// The comment lines of the history that stand right above a statement of which something lives, beside it, or inside it where
/// it is as it was; and those above and beside the columns that live of a table. A comment of a statement that was written
/// anew later isn't among them, nor is one set off by an empty line.
pub fn comments_of_what_lives(history: &History, model: &Model) -> Vec<String> {
    let schema = &model.schema;
    let mut found = Vec::new();
    for id in schema.live().filter(|id| schema.is_unit(*id)) {
        let object = &schema.objects[id];
        let source = &history.statements[object.source];
        let file = &history.files[source.file].text;
        let lead = &file[source.piece.lead.clone()];
        let above = lead.rsplit_once("\n\n").map_or(lead, |(_, near)| near);
        found.extend(comment_lines(above));
        found.extend(comment_lines(&file[source.piece.trail.clone()]));
        if object.kind != Kind::Table {
            found.extend(comment_lines(&file[source.piece.body.clone()]));
        }
    }
    for event in model.ledger.events.iter().filter(|e| e.what == What::Born && schema.lives(e.object)) {
        let object = &schema.objects[event.object];
        let table = object.parent.filter(|_| object.kind == Kind::Column && !object.edited);
        if table.is_none_or(|table| schema.objects[table].born != object.born) {
            continue;
        }
        let body = history.text(object.born);
        let line_end = body[object.born_offset..].find('\n').map_or(body.len(), |at| object.born_offset + at);
        found.extend(comment_lines(&body[object.born_offset..line_end]));
    }
    found.sort();
    found.dedup();
    found
}

fn comment_lines(text: &str) -> Vec<String> {
    let comments = lex(text).into_iter().filter(|t| t.kind == TokenKind::Comment);
    let lines = comments.flat_map(|t| text[t.start..t.end].lines().map(|l| l.trim().to_string()).collect::<Vec<_>>());
    lines.filter(|line| line.chars().any(char::is_alphanumeric)).collect()
}
