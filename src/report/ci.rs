//! Reports for the machines that build: JUnit's XML, and annotations of GitHub Actions.
//!
//! JUnit's form is that of <https://github.com/testmoapp/junitxml>, the annotations are described in
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.

use super::plan::{heading, name};
use super::style::Style;
use super::verdict::{Sides, became, said, texts};
use super::words;
use crate::escape::{Medium, escaped, line};
use crate::history::History;
use crate::plan::{Plan, Rule};
use crate::proof::{Verdict, VerdictKind};

/// How bad a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It fails.
    Error,
    /// It should be looked at.
    Warning,
    /// It is good to know.
    Notice,
}

/// One thing that a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// How bad it is.
    pub level: Level,
    /// What it is about.
    pub name: String,
    /// File and line, if it has a place.
    pub place: Option<(String, usize)>,
    /// What is to say, in a line.
    pub message: String,
    /// More of it.
    pub detail: String,
}

/// A verdict: each difference is an error. Where all is well, that is the one thing to say.
pub fn of_verdict(verdict: &Verdict, sides: &Sides) -> Vec<Item> {
    let item = |level, name: &str, message: String, detail| Item {
        level,
        name: name.to_string(),
        place: None,
        message,
        detail,
    };
    let mut items: Vec<Item> = Vec::new();
    for difference in &verdict.comparison.differences {
        let words = words::of(difference).join("; ");
        let became = became(difference.change, sides);
        let message = if words.is_empty() { became } else { format!("{became}: {words}") };
        let detail = texts(difference, Style::default()).join("\n");
        items.push(item(Level::Error, &difference.object, message, detail));
    }
    for what in &verdict.comparison.unread {
        items.push(item(Level::Error, "not understood", what.clone(), String::new()));
    }
    for note in &verdict.comparison.notes {
        items.push(item(Level::Warning, "note", note.clone(), String::new()));
    }
    let (word, rest) = said(verdict, sides);
    if verdict.kind == VerdictKind::Identical {
        items.push(item(Level::Notice, &word, rest, String::new()));
    } else if sides.is_partial() {
        items.push(item(Level::Warning, &word, rest, String::new()));
    }
    items
}

/// A plan: what could go is a warning, so are warnings; all else is good to know.
pub fn of_plan(plan: &Plan, history: &History) -> Vec<Item> {
    let place = |at: &crate::At| Some((history.folder.join(&at.file).display().to_string(), at.line));
    let mut items = Vec::new();
    for warning in &plan.warnings {
        items.push(Item {
            level: Level::Warning,
            name: "warning".into(),
            place: place(&warning.at),
            message: warning.message.clone(),
            detail: String::new(),
        });
    }
    for finding in &plan.findings {
        let goes = matches!(finding.rule, Rule::Dead | Rule::Superseded | Rule::Backfill | Rule::Noop | Rule::DeadRows);
        let (title, about) = heading(finding.rule);
        let died = finding.died.as_ref().map_or_else(String::new, |at| format!(" (until {at})"));
        items.push(Item {
            level: if goes { Level::Warning } else { Level::Notice },
            name: name(finding, None),
            place: place(&finding.born),
            message: format!("{}{died}: {about}", title.to_lowercase()),
            detail: finding.note.clone(),
        });
    }
    items
}

/// JUnit's XML: a test case for each thing; errors are failures.
pub fn junit(suite: &str, items: &[Item]) -> String {
    let xml = |text: &str| escaped(text, Medium::Xml);
    // What has a line to itself in what reads it.
    let name = |text: &str| xml(&line(text));
    let failures = items.iter().filter(|item| item.level == Level::Error).count();
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"0\"", items.len());
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n");
    out.push_str(&format!("  <testsuite name=\"{}\" {counts}>\n", xml(suite)));
    for item in items {
        let place = item
            .place
            .as_ref()
            .map_or_else(String::new, |(file, line)| format!(" file=\"{}\" line=\"{line}\"", name(file)));
        out.push_str(&format!("    <testcase classname=\"{}\" name=\"{}\"{place}>\n", xml(suite), name(&item.name)));
        let (message, detail) = (xml(&item.message), xml(&item.detail));
        match item.level {
            Level::Error => out.push_str(&format!("      <failure message=\"{message}\">{detail}</failure>\n")),
            _ => out.push_str(&format!("      <system-out>{message}\n{detail}</system-out>\n")),
        }
        out.push_str("    </testcase>\n");
    }
    out + "  </testsuite>\n</testsuites>\n"
}

/// Annotations of GitHub Actions, a line each.
pub fn github(items: &[Item]) -> String {
    let property = |text: &str| escaped(text, Medium::Property);
    let mut out = String::new();
    for item in items {
        let level = match item.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        };
        let place = item
            .place
            .as_ref()
            .map_or_else(String::new, |(file, line)| format!("file={},line={line},", property(file)));
        let detail = if item.detail.is_empty() { String::new() } else { format!("\n{}", item.detail) };
        let message = escaped(&format!("{}: {}{detail}", line(&item.name), item.message), Medium::Annotation);
        out.push_str(&format!(
            "::{level} {place}title={}::{message}\n",
            property(&format!("consolidate: {}", item.name))
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        Item {
            level: Level::Error,
            name: "table a<b".into(),
            place: Some(("m/1,2.sql".into(), 3)),
            message: "100 %".into(),
            detail: "- x\n+ y\u{1}".into(),
        }
    }

    #[test]
    fn nothing_breaks_out_of_the_xml() {
        let text = junit("s", &[item()]);
        assert!(text.contains("failures=\"1\"") && text.contains("name=\"table a&lt;b\" file=\"m/1,2.sql\""), "{text}");
        assert!(!text.contains('\u{1}'), "{text:?}");
    }

    #[test]
    fn an_annotation_is_one_line() {
        let line =
            "::error file=m/1%2C2.sql,line=3,title=consolidate%3A table a<b::table a<b: 100 %25%0A- x%0A+ y\\u{1}\n";
        assert_eq!(github(&[item()]), line);
    }
}
