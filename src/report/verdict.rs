//! The verdict of the judge as text and as JSON.

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::style::Style;
use super::words;
use crate::escape::{Medium, escaped, line, longest_ticks};
use crate::proof::{Change, Difference, ReplayError, Verdict, VerdictKind};

/// The widest line.
const WIDTH: usize = 100;

/// What no comparison of this kind sees.
const BLIND: &[&str] = &[
    "what statements do outside the database, or in other databases of the cluster",
    "other versions of PostgreSQL than the one named above",
    "values of passwords, and values that differ from run to run",
];

/// What the two sides are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    /// The old one, as in "only in the old set".
    pub old: String,
    /// The new one.
    pub new: String,
    /// Whether these are the names that the user gave them.
    named: bool,
    /// Files of the history that were left out, as was asked for.
    left_out: Vec<String>,
}

impl Sides {
    /// Those of a verify.
    pub fn sets() -> Sides {
        Sides { old: "the old set".into(), new: "the new set".into(), named: false, left_out: Vec::new() }
    }

    /// The same, where the old one is a history that was read without some of its files.
    pub fn without(self, left_out: &[String]) -> Sides {
        Sides { left_out: left_out.to_vec(), ..self }
    }

    /// Whether files of the history were left out.
    pub(super) fn is_partial(&self) -> bool {
        !self.left_out.is_empty()
    }

    /// Those that the user named.
    pub fn named(old: String, new: String) -> Sides {
        Sides { old, new, named: true, left_out: Vec::new() }
    }
}

/// The verdict for people.
pub fn text(verdict: &Verdict, sides: &Sides, style: Style) -> String {
    let mut out = Vec::new();
    out.push(headline(verdict, sides, style));
    out.extend(summary(verdict, sides).iter().map(|text| style.dim(&line(text))));
    for difference in &verdict.comparison.differences {
        out.push(String::new());
        out.extend(one_difference(difference, sides, style));
    }
    let comparison = &verdict.comparison;
    section(&mut out, style, "not understood, so nothing is proven:", &comparison.unread);
    section(&mut out, style, "notes:", &notes(verdict));
    section(&mut out, style, "not compared in these databases:", &comparison.not_compared);
    let blind: Vec<String> = BLIND.iter().map(ToString::to_string).collect();
    section(&mut out, style, "what this comparison can't see:", &blind);
    out.join("\n") + "\n"
}

fn headline(verdict: &Verdict, sides: &Sides, style: Style) -> String {
    let (word, rest) = said(verdict, sides);
    let word = match verdict.kind {
        VerdictKind::Identical => style.green(&word),
        VerdictKind::Different => style.red(&word),
        VerdictKind::NotProven => style.yellow(&word),
    };
    line(&format!("{}: {rest}", style.bold(&word)))
}

/// The verdict in a word, and in a few more. Where files were left out, the word says it: it is about the rest.
pub(super) fn said(verdict: &Verdict, sides: &Sides) -> (String, String) {
    let (word, rest) = about_all(verdict, sides);
    let without = without(&sides.left_out);
    match (verdict.kind, without.is_empty()) {
        (_, true) => (word.to_string(), rest),
        (VerdictKind::Identical, _) => (format!("{word}{without}"), sides.left_out.join(", ")),
        (_, false) => (word.to_string(), format!("{rest}; compared{without}: {}", sides.left_out.join(", "))),
    }
}

/// ` to the history without 2 files`, if any were left out.
pub(super) fn without(left_out: &[String]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    format!(" to the history without {}", plural(left_out.len(), "file"))
}

fn about_all(verdict: &Verdict, sides: &Sides) -> (&'static str, String) {
    let count = verdict.comparison.differences.len();
    let between = if sides.named { format!("{} and {}", sides.old, sides.new) } else { "the sets".to_string() };
    match verdict.kind {
        VerdictKind::Identical if sides.named => ("identical", format!("nothing differs between {between}")),
        VerdictKind::Identical => ("identical", "the new set gives the same database as the old".to_string()),
        VerdictKind::Different => ("different", format!("{} between {between}", plural(count, "difference"))),
        VerdictKind::NotProven => ("not proven", "nothing differs, but not all could be read".to_string()),
    }
}

/// What was replayed and compared, where, and for how long.
fn summary(verdict: &Verdict, sides: &Sides) -> [String; 4] {
    let set = |name: &str, files, statements| {
        let size = format!("{}, {}", plural(files, "file"), plural(statements, "statement"));
        match (sides.named, files) {
            (true, 0) => name.to_string(),
            (true, _) => format!("{name} ({size})"),
            (false, _) => size,
        }
    };
    let (old, new) = if sides.named { ("old:     ", "new:     ") } else { ("old set: ", "new set: ") };
    let compared = &verdict.comparison.compared;
    let memory = verdict.peak_mb.map_or_else(String::new, |mb| format!(", at most {mb} MB of memory"));
    [
        format!("{old} {}", set(&sides.old, verdict.old_files, verdict.old_statements)),
        format!("{new} {}", set(&sides.new, verdict.new_files, verdict.new_statements)),
        format!(
            "compared: {}, {} in {}, {}, {} (roles, memberships, versions)",
            plural(compared.objects, "object"),
            plural(compared.rows, "row"),
            plural(compared.tables, "table"),
            plural(compared.sequences, "sequence"),
            plural(compared.settings, "setting"),
        ) + &beside(verdict),
        format!("on:       {}, {:.1} s{memory}", server(verdict), verdict.seconds),
    ]
}

/// What a prelude gives besides.
pub(super) fn beside(verdict: &Verdict) -> String {
    match verdict.comparison.compared.given {
        0 => String::new(),
        given => format!("; beside {} of the prelude", plural(given, "object")),
    }
}

/// The PostgreSQL on which a verdict was found, for people.
pub(super) fn server(verdict: &Verdict) -> String {
    let whose = match verdict.scratch {
        "local" => " of this machine",
        "server" => " of the scratch server",
        _ => "",
    };
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
        let places = super::first_places(&call.places);
        let (function, extension) = (&call.function, &call.extension);
        format!("{function}() of {extension} was computed by a stand-in, not by the extension itself: {places}")
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

fn one_difference(difference: &Difference, sides: &Sides, style: Style) -> Vec<String> {
    let words = words::of(difference);
    let property = match &words[..] {
        [one] => format!(" ({one})"),
        _ => String::new(),
    };
    let sign = match difference.change {
        Change::Added => style.green("+"),
        Change::Removed => style.red("-"),
        Change::Changed => style.yellow("~"),
    };
    let word = became(difference.change, sides);
    let mut lines = wrapped("  ", &line(&format!("{} {word}{property}", difference.object)));
    if let Some(first) = lines.first_mut() {
        *first = format!("{sign} {}", style.bold(first.trim_start()));
    }
    if words.len() > 1 {
        lines.extend(words.iter().flat_map(|word| wrapped("    ", word)));
    }
    lines.extend(texts(difference, style));
    lines
}

/// What became of an object, in words.
pub(super) fn became(change: Change, sides: &Sides) -> String {
    match change {
        Change::Added => format!("only in {}", sides.new),
        Change::Removed => format!("only in {}", sides.old),
        Change::Changed => "changed".to_string(),
    }
}

/// The verdict for a comment on a pull request.
pub fn markdown(verdict: &Verdict, sides: &Sides) -> String {
    let (word, rest) = said(verdict, sides);
    let words = |text: &str| escaped(text, Medium::Markdown);
    let mut out = format!("### consolidate: {word}\n\n{}\n\n", words(&rest));
    out.push_str(&summary(verdict, sides).iter().map(|line| format!("- {}\n", words(line))).collect::<String>());
    for difference in &verdict.comparison.differences {
        let became = words(&became(difference.change, sides));
        out.push_str(&format!("\n**{}** {became}\n\n", words(&difference.object)));
        out.extend(words::of(difference).iter().map(|word| format!("- {}\n", words(word))));
        let lines = texts(difference, Style::default());
        if !lines.is_empty() {
            // A fence that no line of it can close.
            let fence = "`".repeat(3.max(1 + lines.iter().map(|line| longest_ticks(line)).max().unwrap_or(0)));
            let lines: Vec<&str> = lines.iter().map(|line| line.get(4..).unwrap_or_default()).collect();
            let lines = escaped(&lines.join("\n"), Medium::Lines);
            out.push_str(&format!("\n{fence}diff\n{lines}\n{fence}\n"));
        }
    }
    let comparison = &verdict.comparison;
    for (title, items) in [
        ("Not understood, so nothing is proven", &comparison.unread),
        ("Notes", &notes(verdict)),
        ("Not compared", &comparison.not_compared),
    ] {
        if !items.is_empty() {
            out.push_str(&format!("\n{title}:\n\n"));
            out.extend(items.iter().map(|item| format!("- {}\n", words(item))));
        }
    }
    out
}

/// The texts of both sides as a diff.
pub(super) fn texts(difference: &Difference, style: Style) -> Vec<String> {
    match (&difference.old, &difference.new) {
        (Some(old), Some(new)) => diff(old, new, style),
        (Some(old), None) => old.lines().map(|line| style.red(&format!("    - {line}"))).collect(),
        (None, Some(new)) => new.lines().map(|line| style.green(&format!("    + {line}"))).collect(),
        (None, None) => Vec::new(),
    }
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
            let text = change.value().trim_end_matches('\n');
            lines.push(match change.tag() {
                ChangeTag::Delete => style.red(&format!("    - {text}")),
                ChangeTag::Insert => style.green(&format!("    + {text}")),
                ChangeTag::Equal => format!("      {text}").trim_end().to_string(),
            });
        }
    }
    lines
}

/// Breaks talk, not SQL, into lines that aren't too long. What has lines of its own goes on further in.
fn wrapped(indent: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, paragraph) in text.lines().enumerate() {
        let mut line = if number == 0 { indent.to_string() } else { format!("{indent}  ") };
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
pub fn json(verdict: &Verdict, sides: &Sides) -> Value {
    let comparison = &verdict.comparison;
    json!({
        "format": super::FORMAT,
        "verdict": verdict.kind,
        "old": sides.old,
        "new": sides.new,
        "left_out": sides.left_out,
        "compared": comparison.compared,
        "differences": comparison.differences.iter().map(one_as_json).collect::<Vec<_>>(),
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

fn one_as_json(difference: &Difference) -> Value {
    let mut value = serde_json::to_value(difference).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("properties".into(), json!(words::of(difference)));
    }
    value
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
        ReplayError::Unable(error) | ReplayError::Missing(error) => {
            format!("{}: {side} set: {error}\n", style.red("not proven"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::{Class, Compared, Comparison, EntryKind};

    fn verdict(differences: Vec<Difference>) -> Verdict {
        let compared = Compared { objects: 12, rows: 1, tables: 3, sequences: 2, settings: 4, sessions: 0, given: 0 };
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
            kind: EntryKind::Index,
            schema: "public".into(),
            name: "idx_a".into(),
            object: "index public.idx_a".into(),
            class: Class::Schema,
            change: Change::Changed,
            property: None,
            old: Some("CREATE INDEX idx_a ON public.t USING btree (a);".into()),
            new: Some("CREATE INDEX idx_a ON public.t USING hash (a);".into()),
            file: None,
        }
    }

    #[test]
    fn text_says_what_differs_within_the_width() {
        let text = text(&verdict(vec![index()]), &Sides::sets(), Style::default());
        assert!(text.starts_with("different: 1 difference between the sets\n"), "{text}");
        assert!(text.contains("~ index public.idx_a changed (method: btree → hash)\n    - CREATE INDEX"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn markdown_shows_what_differs_and_nothing_breaks_out() {
        let mut index = index();
        index.new = Some("-- ```\nCREATE INDEX".into());
        let text = markdown(&verdict(vec![index]), &Sides::named("a_b".into(), "c".into()));
        assert!(text.contains("between a\\_b and c") && text.contains("````diff\n"), "{text}");
    }

    #[test]
    fn json_holds_the_fields_that_others_rely_on() {
        let value = json(&verdict(vec![index()]), &Sides::sets());
        assert_eq!(value["verdict"], "different");
        assert_eq!(value["compared"]["objects"], 12);
        assert_eq!(value["differences"][0]["change"], "changed");
        assert_eq!(value["seconds"], 1.25);
        assert_eq!(json(&verdict(Vec::new()), &Sides::sets())["verdict"], "identical");
    }
}
