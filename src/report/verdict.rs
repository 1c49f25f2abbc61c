//! The verdict of the judge as text and as JSON.

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::style::Style;
use crate::proof::{Change, Difference, ReplayError, Verdict, VerdictKind};

/// The widest line.
const WIDTH: usize = 100;

/// What no comparison of this kind sees.
const BLIND: &[&str] = &[
    "what statements do outside the database, or in other databases of the cluster",
    "other versions of PostgreSQL than the one named above",
    "values of passwords, and values that differ from run to run",
];

/// The verdict for people.
pub fn text(verdict: &Verdict, style: Style) -> String {
    let mut out = Vec::new();
    out.push(headline(verdict, style));
    out.extend(summary(verdict).lines().map(|line| style.dim(line)));
    for difference in &verdict.comparison.differences {
        out.push(String::new());
        out.extend(one_difference(difference, style));
    }
    let comparison = &verdict.comparison;
    section(&mut out, style, "not understood, so nothing is proven:", &comparison.unread);
    section(&mut out, style, "notes:", &notes(verdict));
    section(&mut out, style, "not compared in these databases:", &comparison.not_compared);
    let blind: Vec<String> = BLIND.iter().map(ToString::to_string).collect();
    section(&mut out, style, "what this comparison can't see:", &blind);
    out.join("\n") + "\n"
}

fn headline(verdict: &Verdict, style: Style) -> String {
    let count = verdict.comparison.differences.len();
    let (word, rest) = match verdict.kind {
        VerdictKind::Identical => {
            (style.green("identical"), "the new set gives the same database as the old".to_string())
        }
        VerdictKind::Different => (style.red("different"), format!("{} between the sets", plural(count, "difference"))),
        VerdictKind::NotProven => {
            (style.yellow("not proven"), "nothing differs, but not all could be read".to_string())
        }
    };
    format!("{}: {rest}", style.bold(&word))
}

/// What was replayed and compared, where, and for how long.
fn summary(verdict: &Verdict) -> String {
    let set = |files, statements| format!("{}, {}", plural(files, "file"), plural(statements, "statement"));
    let compared = &verdict.comparison.compared;
    let memory = verdict.peak_mb.map_or_else(String::new, |mb| format!(", at most {mb} MB of memory"));
    [
        format!("old set:  {}", set(verdict.old_files, verdict.old_statements)),
        format!("new set:  {}", set(verdict.new_files, verdict.new_statements)),
        format!(
            "compared: {}, {} in {}, {}, {} (roles, memberships, versions)",
            plural(compared.objects, "object"),
            plural(compared.rows, "row"),
            plural(compared.tables, "table"),
            plural(compared.sequences, "sequence"),
            plural(compared.settings, "setting"),
        ),
        format!("on:       {}, {:.1} s{memory}", server(verdict), verdict.seconds),
    ]
    .join("\n")
}

/// The PostgreSQL on which a verdict was found, for people.
pub(super) fn server(verdict: &Verdict) -> String {
    let whose = if verdict.scratch == "local" { " of this machine" } else { "" };
    format!("PostgreSQL {}{whose}", verdict.postgres)
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn notes(verdict: &Verdict) -> Vec<String> {
    let mut notes = verdict.comparison.notes.clone();
    let cells = verdict.comparison.volatile_cells;
    if cells > 0 {
        let cells = plural(cells, "value");
        notes.push(format!("{cells} differ between two replays of the old set, and were compared by kind only"));
    }
    notes.extend(verdict.stand_ins.iter().map(|call| {
        format!("{}() of {} was computed by a stand-in, not by the extension itself", call.function, call.extension)
    }));
    notes
}

fn section(out: &mut Vec<String>, style: Style, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    out.push(String::new());
    out.push(style.bold(title));
    out.extend(items.iter().flat_map(|item| wrapped("  ", item)));
}

fn one_difference(difference: &Difference, style: Style) -> Vec<String> {
    let property = difference.property.as_ref().map_or_else(String::new, |property| format!(" ({property})"));
    let (sign, word) = match difference.change {
        Change::Added => (style.green("+"), "only in the new set"),
        Change::Removed => (style.red("-"), "only in the old set"),
        Change::Changed => (style.yellow("~"), "changed"),
    };
    let mut lines = wrapped("  ", &format!("{} {word}{property}", difference.object));
    if let Some(first) = lines.first_mut() {
        *first = format!("{sign} {}", style.bold(first.trim_start()));
    }
    match (&difference.old, &difference.new) {
        (Some(old), Some(new)) => lines.extend(diff(old, new, style)),
        (Some(old), None) => lines.extend(old.lines().map(|line| style.red(&format!("    - {line}")))),
        (None, Some(new)) => lines.extend(new.lines().map(|line| style.green(&format!("    + {line}")))),
        (None, None) => {}
    }
    lines
}

/// A unified diff with two lines around each change.
fn diff(old: &str, new: &str, style: Style) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for (i, group) in diff.grouped_ops(2).iter().enumerate() {
        if i > 0 {
            lines.push(style.dim("      …"));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches('\n');
            lines.push(match change.tag() {
                ChangeTag::Delete => style.red(&format!("    - {line}")),
                ChangeTag::Insert => style.green(&format!("    + {line}")),
                ChangeTag::Equal => format!("      {line}").trim_end().to_string(),
            });
        }
    }
    lines
}

/// Breaks talk, not SQL, into lines that aren't too long.
fn wrapped(indent: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = indent.to_string();
        for word in paragraph.split(' ') {
            if line.len() > indent.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
                lines.push(std::mem::replace(&mut line, format!("{indent}  ")));
            } else if !line.trim_start().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// The verdict for programs.
pub fn json(verdict: &Verdict) -> Value {
    let comparison = &verdict.comparison;
    json!({
        "verdict": verdict.kind,
        "compared": comparison.compared,
        "differences": comparison.differences,
        "not_compared": comparison.not_compared,
        "not_understood": comparison.unread,
        "volatile_values": comparison.volatile_cells,
        "notes": comparison.notes,
        "stand_ins": verdict.stand_ins,
        "postgres": verdict.postgres,
        "scratch": verdict.scratch,
        "seconds": (verdict.seconds * 1000.0).round() / 1000.0,
        "peak_mb": verdict.peak_mb,
        "files": { "old": verdict.old_files, "new": verdict.new_files },
        "statements": { "old": verdict.old_statements, "new": verdict.new_statements },
    })
}

/// Why a side couldn't be replayed.
pub fn failure_text(side: &str, error: &ReplayError, style: Style) -> String {
    match error {
        ReplayError::Failed(failure) => {
            let whose = if failure.in_prelude { "the prelude".to_string() } else { format!("the {side} set") };
            let mut lines = vec![
                format!("{}: {whose} doesn't replay", style.red("not proven")),
                format!("{}: {}", style.bold(&format!("{}:{}", failure.file, failure.line)), failure.message),
            ];
            lines.push(style.dim(&format!("SQLSTATE {}", failure.sqlstate)));
            lines.extend(failure.detail.iter().flat_map(|detail| wrapped("", &format!("detail: {detail}"))));
            lines.extend(failure.hint.iter().flat_map(|hint| wrapped("", &format!("hint: {hint}"))));
            lines.join("\n") + "\n"
        }
        ReplayError::Unable(error) => format!("{}: {side} set: {error}\n", style.red("not proven")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::{Class, Compared, Comparison};

    fn verdict(differences: Vec<Difference>) -> Verdict {
        let compared = Compared { objects: 12, rows: 1, tables: 3, sequences: 2, settings: 4 };
        let kind = if differences.is_empty() { VerdictKind::Identical } else { VerdictKind::Different };
        Verdict {
            kind,
            comparison: Comparison { differences, compared, ..Comparison::default() },
            postgres: "17.5".into(),
            scratch: "embedded",
            seconds: 1.25,
            stand_ins: Vec::new(),
            peak_mb: Some(430),
            old_files: 23,
            old_statements: 718,
            new_files: 14,
            new_statements: 300,
        }
    }

    fn index() -> Difference {
        Difference {
            kind: "INDEX".into(),
            schema: "public".into(),
            name: "idx_a".into(),
            object: "index public.idx_a".into(),
            class: Class::Schema,
            change: Change::Changed,
            property: None,
            old: Some("CREATE INDEX idx_a ON public.t USING btree (a);".into()),
            new: Some("CREATE INDEX idx_a ON public.t USING hash (a);".into()),
        }
    }

    #[test]
    fn text_says_what_differs_within_the_width() {
        let text = text(&verdict(vec![index()]), Style::default());
        assert!(text.starts_with("different: 1 difference between the sets\n"), "{text}");
        assert!(text.contains("~ index public.idx_a changed\n    - CREATE INDEX"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn json_holds_the_fields_that_others_rely_on() {
        let value = json(&verdict(vec![index()]));
        assert_eq!(value["verdict"], "different");
        assert_eq!(value["compared"]["objects"], 12);
        assert_eq!(value["differences"][0]["change"], "changed");
        assert_eq!(value["seconds"], 1.25);
        assert_eq!(json(&verdict(Vec::new()))["verdict"], "identical");
    }
}
