//! A summary in Markdown of what was consolidated, for the pull request.

use crate::emit::Proven;
use crate::escape::{Medium, escaped};
use crate::history::History;
use crate::plan::{Finding, Plan, Rule};
use crate::project::About;

/// The summary. The files of the set have these names where they are written.
pub fn markdown(proven: &Proven, names: &[String], history: &History, about: &About, plan: &Plan) -> String {
    let verdict = &proven.verdict;
    let compared = &verdict.comparison.compared;
    let part = about.part.as_ref().map_or(String::new(), |part| format!(" ({})", words(part)));
    let without = match history.left_out.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ") {
        names if names.is_empty() => names,
        names => format!("{} ({names})", super::verdict::without(&history.left_out)),
    };
    let mut out = format!("## Consolidated migrations{part}\n\n");
    out.push_str(&format!(
        "**{}{}**: replayed on two databases (PostgreSQL {}), the history and the new set gave the same {} objects, {} rows \
         in {} tables and {} sequences.\n\n",
        match verdict.kind {
            crate::proof::VerdictKind::Identical => "identical",
            crate::proof::VerdictKind::Different => "different",
            crate::proof::VerdictKind::NotProven => "not proven",
        },
        without,
        verdict.postgres,
        compared.objects,
        compared.rows,
        compared.tables,
        compared.sequences
    ));
    out.push_str("| | before | after |\n| --- | ---: | ---: |\n");
    let (b, a) = (&about.before, &about.after);
    for (what, before, after) in
        [("files", b.files, a.files), ("statements", b.statements, a.statements), ("lines", b.lines, a.lines)]
    {
        out.push_str(&format!("| {what} | {before} | {after} |\n"));
    }
    if about.untouched > 0 {
        out.push_str(&format!("\n{} files stay as they are, byte for byte.\n", about.untouched));
    }
    out.push_str("\n### Files\n\n");
    for (file, name) in proven.set.files.iter().zip(names) {
        let count = file.statements.len();
        out.push_str(&format!("- {}: {count} statements, {} lines\n", code(name), file.text.lines().count()));
    }
    let r = &proven.rungs;
    out.push_str(&format!(
        "\n### How the objects are written\n\n| | |\n| --- | ---: |\n| as their author wrote them | {} |\n| with later \
         changes folded in | {} |\n| as PostgreSQL states them | {} |\n| as it happened | {} |\n",
        r.as_written, r.folded, r.as_stated, r.as_happened
    ));
    for lowered in &proven.lowered {
        out.push_str(&format!("\n- {}: {}", code(&lowered.object), words(&one_line(&lowered.why))));
    }
    if !proven.lowered.is_empty() {
        out.push('\n');
    }
    if !about.comments.is_empty() {
        out.push_str(&format!("\n### Comments of what lives that were left out ({})\n\n", about.comments.len()));
        out.extend(
            about.comments.iter().map(|line| format!("- {}: {}\n", code(&line.at.to_string()), words(&line.text))),
        );
    }
    section(&mut out, "Dropped: created, then dropped", plan, &[Rule::Dead, Rule::DeadRows]);
    section(&mut out, "Folded into the statement that makes the object", plan, &[Rule::Folded]);
    section(&mut out, "Superseded by a later version", plan, &[Rule::Superseded]);
    section(&mut out, "Without effect on an empty database", plan, &[Rule::Backfill, Rule::Noop]);
    if !proven.backfills.is_empty() {
        out.push_str("\n### Left out, since they touched no row\n\n");
        for statement in &proven.backfills {
            out.push_str(&format!("- {}\n", code(&history.at(*statement).to_string())));
        }
    }
    out
}

/// The findings of some rules, folded up: a reader of a pull request opens what they want to see.
fn section(out: &mut String, title: &str, plan: &Plan, rules: &[Rule]) {
    let found: Vec<&Finding> = plan.findings.iter().filter(|f| rules.contains(&f.rule)).collect();
    if found.is_empty() {
        return;
    }
    out.push_str(&format!("\n<details><summary>{title} ({})</summary>\n\n", found.len()));
    for finding in found {
        let died = finding.died.as_ref().map_or(String::new(), |at| format!(" → {}", code(&at.to_string())));
        let note =
            if finding.note.is_empty() { String::new() } else { format!(": {}", words(&one_line(&finding.note))) };
        let (object, born) = (code(&finding.object), code(&finding.born.to_string()));
        out.push_str(&format!("- {} {object} {born}{died}{note}\n", finding.kind));
    }
    out.push_str("\n</details>\n");
}

fn words(text: &str) -> String {
    escaped(text, Medium::Markdown)
}

fn code(text: &str) -> String {
    escaped(text, Medium::Code)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
