//! The plan as text of at most 100 columns, and as JSON.

use super::add;
use super::style::Style;
use crate::error::At;
use crate::escape::{Medium, escaped, line};
use crate::history::History;
use crate::plan::{Fate, FateKind, Finding, Plan, Rule};
use crate::project::Stale;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The widest line of a report.
const COLUMNS: u16 = 100;

/// The plan for people.
pub fn text(plan: &Plan, history: &History, style: Style) -> String {
    let labels = Labels::new(history);
    let mut out = String::new();
    for warning in &plan.warnings {
        out.push_str(&wrap(&format!("{} {}: {}", style.yellow("warning:"), warning.at, warning.message)));
    }
    if !plan.warnings.is_empty() {
        out.push('\n');
    }
    for rule in Rule::ALL {
        let findings: Vec<&Finding> = plan.findings.iter().filter(|f| f.rule == *rule).collect();
        if findings.is_empty() {
            continue;
        }
        let (title, about) = heading(*rule);
        out.push_str(&format!("{} ({})  {}\n", style.bold(title), findings.len(), style.dim(about)));
        out.push_str(&group(&findings, *rule, &labels));
        out.push('\n');
    }
    out.push_str(&totals(plan, style));
    out.push_str(&labels.legend(style));
    out
}

/// The title of a rule's group, and what it is about.
pub(super) fn heading(rule: Rule) -> (&'static str, &'static str) {
    match rule {
        Rule::Dead => ("Created, then dropped", "nothing of these is in the new set"),
        Rule::Folded => ("Folded", "worked into the statement that makes the object"),
        Rule::Superseded => ("Superseded", "written again later; only the last version stays"),
        Rule::DeadRows => ("Rows that don't survive", "inserted, then truncated, deleted or dropped"),
        Rule::Backfill => ("Backfills", "a fresh database has no such rows to change"),
        Rule::Noop => ("Without effect", "what they make is there, what they drop isn't"),
        Rule::Session => ("Session", "locks, settings, checks: they make no object"),
        Rule::Opaque => ("Kept as written", "not understood, so not touched"),
    }
}

/// A table: the object, its places, and a note where the rule has one. What went along with another stands indented under
/// it and says so by that.
fn group(findings: &[&Finding], rule: Rule, labels: &Labels) -> String {
    let has_died = findings.iter().any(|f| f.died.is_some());
    let has_note = rule != Rule::Dead;
    let (born, died) = match rule {
        Rule::Dead => ("born", "dropped"),
        Rule::Superseded => ("was", "replaced"),
        Rule::DeadRows => ("inserted", "gone"),
        _ => ("at", ""),
    };
    let mut header = vec![String::new(), born.to_string()];
    header.extend(has_died.then(|| died.to_string()));
    header.extend(has_note.then(String::new));
    let places = findings.iter().flat_map(|f| [Some(&f.born), f.died.as_ref()]).flatten();
    let place = places.map(|p| labels.place(p).chars().count()).max().unwrap_or(0) as u16 + 2;
    // The widest heading, and a blank on both sides.
    let place = place.clamp(10, 30);
    let left = COLUMNS - place * (1 + u16::from(has_died));
    let note = if has_note { (left / 2).min(40) } else { 0 };
    let mut widths = vec![left - note, place];
    widths.extend(has_died.then_some(place));
    widths.extend(has_note.then_some(note));
    let mut out = row(header, &widths);
    let mut root = "";
    // Where everything is in public, saying so on every line only takes room.
    let one_schema = findings.iter().all(|f| f.object.matches('.').count() == 0 || f.object.contains("public."));
    for finding in findings {
        if !finding.is_along {
            root = &finding.object;
        }
        let name = name(finding, finding.is_along.then_some(root));
        let mut cells = vec![if one_schema { name.replace("public.", "") } else { name }, labels.place(&finding.born)];
        cells.extend(has_died.then(|| finding.died.as_ref().map_or_else(String::new, |d| labels.place(d))));
        cells.extend(has_note.then(|| finding.note.clone()));
        out.push_str(&row(cells, &widths));
    }
    out
}

/// A row of a table without lines. A name is never broken: one that is too wide has a line of its own.
fn row(mut cells: Vec<String>, widths: &[u16]) -> String {
    let mut out = String::new();
    cells.iter_mut().for_each(|cell| *cell = line(cell));
    if cells[0].chars().count() + 2 > usize::from(widths[0]) {
        out.push_str(&format!(" {}\n", std::mem::take(&mut cells[0])));
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS);
    table.add_row(cells);
    table.set_constraints(widths.iter().map(|w| ColumnConstraint::Absolute(Width::Fixed(*w))));
    out.extend(table.lines().map(|l| format!("{}\n", l.trim_end())));
    out
}

/// What a line is about; under another object, only what sets it apart from that.
pub(super) fn name(finding: &Finding, under: Option<&str>) -> String {
    let own = matches!(finding.kind.as_str(), "grant" | "default privileges" | "statement");
    match under {
        None if own => finding.object.clone(),
        None => format!("{} {}", finding.kind, finding.object),
        Some(root) => {
            let dotted = finding.object.strip_prefix(root).and_then(|r| r.strip_prefix('.'));
            let object = dotted.unwrap_or(finding.object.as_str());
            let object = object.replace(&format!(" {root}."), " ");
            // A mark rather than spaces: the table would take spaces away where it breaks a line.
            if own { format!("- {object}") } else { format!("- {} {object}", finding.kind) }
        }
    }
}

fn totals(plan: &Plan, style: Style) -> String {
    let mut counts: BTreeMap<FateKind, usize> = BTreeMap::new();
    for fate in &plan.fates {
        *counts.entry(fate.kind).or_default() += 1;
    }
    let mut out = format!("{}\n", style.bold("Fates of the statements"));
    let sum: Vec<String> =
        FateKind::ALL.iter().filter_map(|k| counts.get(k).map(|n| format!("{n} {}", fate_word(*k)))).collect();
    out.push_str(&wrap(&format!("  {} = {}", sum.join(" + "), plan.fates.len())));
    out.push('\n');
    out.push_str(&format!("{}                 before     after\n", style.bold("Totals")));
    for (word, before, after) in [
        ("files", plan.before.files, plan.after.files),
        ("statements", plan.before.statements, plan.after.statements),
        ("lines", plan.before.lines, plan.after.lines),
    ] {
        out.push_str(&format!("  {word:<16} {before:>10} {after:>9}\n"));
    }
    out.push_str(&format!("  {}\n", style.dim("after: before any proof; `consolidate emit` proves it")));
    out.push_str(&format!("  {}\n", style.dim(&format!("layout: {}", plan.layout))));
    out
}

/// The word for a kind of fate.
pub fn fate_word(kind: FateKind) -> &'static str {
    match kind {
        FateKind::Kept => "kept",
        FateKind::Folded => "folded",
        FateKind::Superseded => "superseded",
        FateKind::Dead => "dead",
        FateKind::Backfill => "backfill",
        FateKind::Session => "session",
        FateKind::Noop => "without effect",
        FateKind::Opaque => "opaque",
    }
}

/// One statement's fate for people.
pub fn explain(history: &History, statement: usize, fate: &Fate, findings: &[Finding], style: Style) -> String {
    let at = history.at(statement);
    let mut out = String::new();
    let words = crate::replay::first_words(history.text(statement), 10);
    add(&mut out, &format!("{}  {words}", style.bold(&at.to_string())));
    add(&mut out, &format!("{}: {}", fate_word(fate.kind), fate.why));
    for finding in findings.iter().filter(|f| f.born == at || f.died.as_ref() == Some(&at)) {
        let died = finding.died.as_ref().map_or_else(String::new, |d| format!(" → {d}"));
        let note = if finding.note.is_empty() { String::new() } else { format!("  ({})", finding.note) };
        add(&mut out, &format!("  {} {}  {}{died}{note}", finding.kind, finding.object, finding.born));
    }
    out
}

/// Why a check fails: what could go from the history, or that the set no longer fits it.
pub fn stale(why: &Stale) -> String {
    match why {
        Stale::Idle(count, folder) => {
            let word = if *count == 1 { "statement" } else { "statements" };
            let folder = folder.display();
            format!("{count} {word} of {folder} could go: dead, superseded, backfill or without effect")
        }
        Stale::Changed(set, folder) => {
            let (set, folder) = (set.display(), folder.display());
            format!("{set} is stale: {folder} has changed since `consolidate emit` wrote it")
        }
    }
}

/// The plan as data. Its shape is described in GUIDE.md and grows without renaming.
pub fn json(plan: &Plan) -> Value {
    let mut fates: serde_json::Map<String, Value> = serde_json::Map::new();
    for kind in FateKind::ALL {
        let count = plan.fates.iter().filter(|f| f.kind == *kind).count();
        fates.insert(
            serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default(),
            json!(count),
        );
    }
    json!({
        "format": super::FORMAT,
        "layout": plan.layout,
        "totals": {
            "files": { "before": plan.before.files, "after": plan.after.files },
            "statements": { "before": plan.before.statements, "after": plan.after.statements },
            "lines": { "before": plan.before.lines, "after": plan.after.lines },
        },
        "fates": fates,
        "findings": plan.findings,
        "warnings": plan.warnings,
    })
}

/// The plan for a comment on a pull request.
pub fn markdown(plan: &Plan) -> String {
    let mut out = String::from("### consolidate plan\n\n| | before | after |\n| --- | --: | --: |\n");
    for (word, before, after) in [
        ("files", plan.before.files, plan.after.files),
        ("statements", plan.before.statements, plan.after.statements),
        ("lines", plan.before.lines, plan.after.lines),
    ] {
        out.push_str(&format!("| {word} | {before} | {after} |\n"));
    }
    for rule in Rule::ALL {
        let findings: Vec<&Finding> = plan.findings.iter().filter(|f| f.rule == *rule).collect();
        if findings.is_empty() {
            continue;
        }
        let (title, about) = heading(*rule);
        out.push_str(&format!("\n**{title}** ({}): {about}\n\n", findings.len()));
        for finding in findings {
            let died = finding.died.as_ref().map_or_else(String::new, |at| format!(" → {at}"));
            let note = if finding.note.is_empty() { String::new() } else { format!(", {}", finding.note) };
            let text = format!("{}, {}{died}{note}", name(finding, None), finding.born);
            out.push_str(&format!("- {}\n", escaped(&text, Medium::Markdown)));
        }
    }
    if !plan.warnings.is_empty() {
        out.push_str("\nWarnings:\n\n");
        let words = |text: &str| escaped(text, Medium::Markdown);
        let warnings = plan.warnings.iter();
        out.extend(warnings.map(|w| format!("- {}: {}\n", words(&w.at.to_string()), words(&w.message))));
    }
    out
}

/// Breaks a paragraph at spaces; what follows is indented.
pub(super) fn wrap(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for (i, word) in line(text).split(' ').enumerate() {
        let length = word.chars().count();
        if width + length + 1 > COLUMNS as usize && width > 4 {
            out.push_str("\n    ");
            width = 4;
        } else if i > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out.push('\n');
    out
}

/// How a report names files: as they are, or, where that would be too wide, by as much of the beginning as tells them apart.
struct Labels {
    short: Vec<(String, String)>,
}

impl Labels {
    fn new(history: &History) -> Labels {
        let names: Vec<&str> = history.files.iter().map(|f| f.name.as_str()).collect();
        let wide = names.iter().any(|n| n.len() > 22);
        let short = names
            .iter()
            .map(|name| {
                let label = if wide { Self::shorten(name, &names) } else { name.to_string() };
                (name.to_string(), label)
            })
            .collect();
        Labels { short }
    }

    fn shorten(name: &str, all: &[&str]) -> String {
        let ends = name.match_indices(['_', '.', '/']).map(|(i, _)| i);
        for end in ends {
            let prefix = &name[..end];
            let alike = |n: &&&str| n.strip_prefix(prefix).is_some_and(|r| r.starts_with(['_', '.', '/']));
            if all.iter().filter(alike).count() == 1 {
                return prefix.to_string();
            }
        }
        name.to_string()
    }

    fn label<'a>(&'a self, file: &'a str) -> &'a str {
        self.short.iter().find(|(n, _)| n == file).map_or(file, |(_, l)| l)
    }

    fn place(&self, at: &At) -> String {
        format!("{}:{}", self.label(&at.file), at.line)
    }

    fn legend(&self, style: Style) -> String {
        if self.short.iter().all(|(name, label)| name == label) {
            return String::new();
        }
        let mut out = format!("\n{}\n", style.bold("Files"));
        for (name, label) in &self.short {
            add(&mut out, &format!("  {label}  {}", style.dim(name)));
        }
        out
    }
}
