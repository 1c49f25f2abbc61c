//! Says in words what differs: names for objects, columns of tables, rows, positions.

use super::{EntryKind, SequencePosition, TableRows};

/// How many rows of a table a difference shows.
const SHOWN_ROWS: usize = 20;

/// What one would call an object: `index public.idx_a`, `trigger touch on public.t`.
pub(super) fn object(kind: &EntryKind, schema: &str, name: &str) -> String {
    let within =
        |name: &str| if schema == "-" || schema.is_empty() { name.to_string() } else { format!("{schema}.{name}") };
    use EntryKind as K;
    let words = kind.as_str().to_lowercase();
    match kind {
        // The table of contents says `table object` here. With more blanks in it, it can't be told where to cut.
        K::Constraint | K::FkConstraint | K::CheckConstraint | K::Trigger | K::Policy | K::Rule => {
            match name.split_once(' ') {
                Some((table, own)) if !own.contains(' ') => format!("{words} {own} on {}", within(table)),
                _ => format!("{words} {}", within(name)),
            }
        }
        K::Default => format!("default of {}", within(&name.replacen(' ', ".", 1))),
        K::Acl | K::Comment | K::SecurityLabel => {
            let what = match kind {
                K::Acl => "privileges",
                K::Comment => "comment",
                _ => "security label",
            };
            let kinds = name.chars().take_while(|c| c.is_ascii_uppercase() || *c == ' ').collect::<String>();
            let of = name[kinds.len()..].trim_start();
            if of.is_empty() || kinds.trim().is_empty() {
                return format!("{what} on {}", within(name));
            }
            let kind = kinds.trim().to_lowercase();
            // The schema is that of what comes last: `POLICY a ON t`.
            match of.rsplit_once(" ON ") {
                Some((own, of)) => format!("{what} on {kind} {own} on {}", within(of.trim_start_matches("DOMAIN "))),
                None => format!("{what} on {kind} {}", within(of)),
            }
        }
        K::DefaultAcl => format!(
            "{}{}",
            name.to_lowercase(),
            if schema == "-" { String::new() } else { format!(" in schema {schema}") }
        ),
        K::SequenceOwnedBy => format!("owner of sequence {}", within(name)),
        // The table of contents says `publication object`.
        K::PublicationTable | K::PublicationTablesInSchema => {
            let (publication, of) = name.split_once(' ').unwrap_or((name, ""));
            let (what, of) =
                if *kind == K::PublicationTable { ("table", within(of)) } else { ("schema", of.to_string()) };
            format!("{what} {of} of publication {publication}")
        }
        K::Rows => format!("rows of {}", within(name)),
        K::SequencePosition => format!("position of sequence {}", within(name)),
        _ => format!("{words} {}", within(name)),
    }
}

/// Which columns of a CREATE TABLE differ, where each stands on a line of its own.
pub(super) fn columns_changed(old: &str, new: &str) -> Option<String> {
    let (one, other) = (columns(old), columns(new));
    let find = |list: &[(String, String)], name: &str| list.iter().find(|(n, _)| n == name).map(|(_, d)| d.clone());
    let mut words = Vec::new();
    for (name, definition) in &one {
        match find(&other, name) {
            None => words.push(format!("{name}: removed")),
            Some(now) if now != *definition => words.push(format!("{name}: changed")),
            Some(_) => {}
        }
    }
    words.extend(other.iter().filter(|(name, _)| find(&one, name).is_none()).map(|(name, _)| format!("{name}: added")));
    let order = |list: &[(String, String)], than: &[(String, String)]| -> Vec<String> {
        list.iter().filter(|(name, _)| find(than, name).is_some()).map(|(name, _)| name.clone()).collect()
    };
    if order(&one, &other) != order(&other, &one) {
        words.push("order of columns".into());
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// Whether two statements of a table hold the same lines between their parentheses, in another order, and else nothing differs.
pub(super) fn same_but_for_order(old: &str, new: &str) -> bool {
    let parts = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(ToString::to_string).collect();
        let begin = lines.iter().position(|line| line.ends_with('(')).map_or(0, |at| at + 1);
        let end = lines.iter().position(|line| line.starts_with(')')).unwrap_or(lines.len()).max(begin);
        for line in &mut lines[begin..end] {
            *line = line.trim_end_matches(',').to_string();
        }
        lines[begin..end].sort_unstable();
        lines
    };
    parts(old) == parts(new)
}

/// Names and definitions of the lines between the parentheses of a CREATE TABLE.
fn columns(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().skip_while(|line| !line.ends_with('(')).skip(1);
    let lines = lines.take_while(|line| !line.starts_with(')')).map(|line| line.trim().trim_end_matches(','));
    let named = lines.filter_map(|line| {
        let (kind, rest) = match line.strip_prefix("CONSTRAINT ") {
            Some(rest) => ("constraint", rest),
            None => ("column", line),
        };
        let end = match rest.strip_prefix('"') {
            Some(inner) => inner.find("\" ")? + 2,
            None => rest.find(' ')?,
        };
        Some((format!("{kind} {}", &rest[..end]), rest[end..].to_string()))
    });
    named.collect()
}

/// Some rows of a table, one a line.
pub(super) fn rows(table: &TableRows, which: &[usize]) -> String {
    let mut lines: Vec<String> =
        which.iter().take(SHOWN_ROWS).filter_map(|&i| Some(row(table, table.rows.get(i)?))).collect();
    if which.len() > SHOWN_ROWS {
        lines.push(format!("… and {} more", which.len() - SHOWN_ROWS));
    }
    lines.join("\n")
}

fn row(table: &TableRows, cells: &[Option<String>]) -> String {
    let pairs = table.columns.iter().zip(cells).map(|((name, _), cell)| match cell {
        None => format!("{name}: NULL"),
        Some(value) => format!("{name}: {}", value.replace('\n', "\\n")),
    });
    pairs.collect::<Vec<_>>().join(", ")
}

/// Where a sequence stands.
pub(super) fn position(sequence: &SequencePosition) -> String {
    let value = sequence.last_value.map_or_else(|| "nothing".to_string(), |value| value.to_string());
    if sequence.is_called { format!("last gave {value}") } else { format!("will start with {value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_names_that_one_would_say() {
        assert_eq!(object(&"INDEX".into(), "public", "idx_a"), "index public.idx_a");
        assert_eq!(object(&"FK CONSTRAINT".into(), "public", "t t_fk"), "fk constraint t_fk on public.t");
        assert_eq!(object(&"ACL".into(), "public", "TABLE t"), "privileges on table public.t");
        assert_eq!(object(&"COMMENT".into(), "public", "POLICY a ON t"), "comment on policy a on public.t");
        assert_eq!(object(&"COMMENT".into(), "-", "EXTENSION citext"), "comment on extension citext");
        assert_eq!(object(&"DEFAULT".into(), "public", "t id"), "default of public.t.id");
        assert_eq!(object(&"PUBLICATION TABLE".into(), "public", "p t"), "table public.t of publication p");
    }

    #[test]
    fn changed_columns_are_named() {
        let old = "CREATE TABLE public.t (\n    a integer,\n    \"b c\" text NOT NULL\n);";
        let new = "CREATE TABLE public.t (\n    \"b c\" text,\n    a integer,\n    d text\n);";
        assert_eq!(
            columns_changed(old, new).as_deref(),
            Some("column \"b c\": changed; column d: added; order of columns")
        );
        assert_eq!(columns_changed(old, old), None);
        assert!(same_but_for_order(
            "CREATE TABLE t (\n    a integer,\n    b text\n);",
            "CREATE TABLE t (\n    b text,\n    a integer\n);"
        ));
        assert!(!same_but_for_order(old, new));
    }
}
