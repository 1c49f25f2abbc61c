//! Whether two entries of a dump say the same, though PostgreSQL wrote what has no order in another one.

use super::entries::{Quotes, lines};
use super::{Entry, EntryKind};

/// Whether two entries of one identity say the same. The order of grants says nothing: it is the order in which they were
/// given, and `pg_dump` writes what it revokes first.
pub(super) fn same(a: &Entry, b: &Entry) -> bool {
    let privileges = matches!(a.kind, EntryKind::Acl | EntryKind::DefaultAcl);
    a.text == b.text
        || (privileges && grants(&a.text) == grants(&b.text))
        || with_sorted_options(&a.kind, &a.text) == with_sorted_options(&b.kind, &b.text)
}

/// The statement of an object with its options in the order of their names: PostgreSQL keeps them as they came. They stand in
/// a line of their own for a table, in the first one for views and indexes; a routine's settings stand one to a line.
fn with_sorted_options(kind: &EntryKind, text: &str) -> String {
    use EntryKind as K;
    let mut quotes = Quotes::default();
    let mut sorted: Vec<String> = Vec::new();
    let mut settings = 0..0;
    for line in lines(text) {
        let outside = quotes.outside();
        quotes.read(line);
        sorted.push(match kind {
            K::Table | K::MaterializedView if outside && line.starts_with("WITH (") => options_sorted(line),
            K::View | K::Index | K::MaterializedView if outside && line.starts_with("CREATE ") => options_sorted(line),
            K::Constraint if outside => options_sorted(line),
            _ => line.to_string(),
        });
        if matches!(kind, K::Function | K::Procedure) && outside && line.starts_with("    SET ") && quotes.outside() {
            let at = sorted.len() - 1;
            settings = if settings.end == at { settings.start..at + 1 } else { at..at + 1 };
        } else if !settings.is_empty() {
            sorted[std::mem::take(&mut settings)].sort_unstable();
        }
    }
    sorted.join("\n")
}

/// A line with what stands in the parentheses after WITH sorted, unless that is part of a literal.
fn options_sorted(line: &str) -> String {
    let Some(at) = line.find("WITH (").filter(|at| line[..*at].matches('\'').count().is_multiple_of(2)) else {
        return line.to_string();
    };
    let (before, options) = line.split_at(at + "WITH (".len());
    match options.split_once(')') {
        Some((options, rest)) => {
            let mut options: Vec<&str> = options.split(", ").collect();
            options.sort_unstable();
            format!("{before}{}){rest}", options.join(", "))
        }
        None => line.to_string(),
    }
}

/// The statements of an entry about privileges, each with the role that gives it, sorted.
fn grants(text: &str) -> Vec<(&str, &str)> {
    let mut giver = "";
    let mut grants = Vec::new();
    for line in lines(text).filter(|line| !line.is_empty()) {
        if let Some(role) = line.strip_prefix("SET SESSION AUTHORIZATION ") {
            giver = role;
        } else if line.starts_with("RESET SESSION AUTHORIZATION") {
            giver = "";
        } else {
            grants.push((giver, line));
        }
    }
    grants.sort_unstable();
    grants
}
