//! The commands of one ALTER TABLE that are units of their own stand in one statement again.

use crate::objects::segments;

/// The statements of units that come from one ALTER TABLE and follow each other, as one: the author's, if all of its
/// commands are there as they were. `None` if they can't be told apart.
pub fn together(source: &str, texts: &[String]) -> Option<String> {
    let authors = segments(source);
    let first_start = authors.first()?.start;
    let mut commands = Vec::new();
    let mut head = None;
    for text in texts {
        let parts = segments(text);
        let own = text[..parts.first()?.start].trim_end().to_string();
        if *head.get_or_insert(own.clone()) != own {
            return None;
        }
        commands.extend(parts.into_iter().map(|p| p.text));
    }
    if commands.len() < 2 {
        return None;
    }
    let head = head?;
    if commands.len() == authors.len()
        && commands.iter().zip(&authors).all(|(a, b)| *a == b.text)
        && source[..first_start].trim_end() == head
    {
        return Some(source.to_string());
    }
    // Each command on a line of its own, where the author's have one.
    let before = &source[source[..first_start].trim_end().len()..first_start];
    let between = authors.get(1).map_or(before, |second| {
        let end = authors[0].start + authors[0].text.len();
        &source[end..second.start]
    });
    let indent = match between.rfind('\n') {
        Some(line) => between[line..].to_string(),
        None => " ".to_string(),
    };
    let gap = if before.contains('\n') { before[before.rfind('\n').unwrap_or(0)..].to_string() } else { " ".into() };
    let mut out = head;
    for (i, command) in commands.iter().enumerate() {
        let known = authors.iter().find(|a| a.text == *command);
        let own = if i == 0 { &gap } else { &indent };
        if own.contains('\n') {
            for comment in known.iter().flat_map(|a| &a.lead) {
                out.push_str(own);
                out.push_str(comment);
            }
        }
        out.push_str(own);
        out.push_str(command);
        if i + 1 < commands.len() {
            out.push(',');
        }
        if indent.contains('\n')
            && let Some(known) = known
        {
            out.push_str(&known.trail);
        }
    }
    Some(out)
}

/// The comment beside a command of an ALTER TABLE that has others too: what stands behind the whole statement is the last
/// command's. `None` if it is the only one.
pub fn trail(source: &str, statement_trail: &str, offset: usize) -> Option<String> {
    let authors = segments(source);
    let at = authors.iter().position(|a| a.start == offset)?;
    match authors.len() {
        0 | 1 => None,
        count if at + 1 == count => Some(statement_trail.to_string()),
        _ => Some(authors[at].trail.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(of: &[&str]) -> Vec<String> {
        of.iter().map(|t| t.to_string()).collect()
    }

    #[test]
    fn all_commands_are_the_authors_statement() {
        let source = "ALTER TABLE t\n  ADD COLUMN a int, -- one\n  ADD COLUMN b int";
        let both = texts(&["ALTER TABLE t ADD COLUMN a int", "ALTER TABLE t ADD COLUMN b int"]);
        assert_eq!(together(source, &both).as_deref(), Some(source));
    }

    #[test]
    fn some_commands_keep_their_lines_and_comments() {
        let source = "ALTER TABLE t\n  ADD COLUMN a int, -- one\n  ADD COLUMN b int,\n  -- three\n  ADD COLUMN c int";
        let some = texts(&["ALTER TABLE t ADD COLUMN a int", "ALTER TABLE t ADD COLUMN c int"]);
        let wanted = "ALTER TABLE t\n  ADD COLUMN a int, -- one\n  -- three\n  ADD COLUMN c int";
        assert_eq!(together(source, &some).as_deref(), Some(wanted));
    }
}
