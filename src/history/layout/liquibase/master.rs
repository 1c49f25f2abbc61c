//! Changelogs in XML, YAML and JSON: which files they include, in which order.

use crate::error::{At, Error, Result};
use serde_json::Value;

/// What an entry of a changelog says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// One file.
    Include {
        /// Its path.
        file: String,
        /// Whether that begins in the changelog's folder.
        is_relative: bool,
        /// The line of the entry.
        line: usize,
    },
    /// All files of a folder.
    IncludeAll {
        /// Its path.
        path: String,
        /// Whether that begins in the changelog's folder.
        is_relative: bool,
        /// The line of the entry.
        line: usize,
    },
    /// What stands for a placeholder.
    Property(String, String),
    /// Preconditions of all.
    Preconditions(usize),
    /// What isn't read, in a few words.
    Unread(String, usize),
}

/// An entry, whatever the changelog's format: its name, its attributes, and its line.
struct Item {
    name: String,
    attributes: Vec<(String, String)>,
    line: usize,
}

const ENDINGS: [&str; 4] = ["xml", "yaml", "yml", "json"];

/// Whether a file may be a changelog, by its ending.
pub fn is_named(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// The entries of a changelog; none if the file is something else.
///
/// # Errors
/// When it can't be read.
pub fn read(path: &str, text: &str) -> Result<Option<Vec<Step>>> {
    if !text.contains("databaseChangeLog") {
        return Ok(None);
    }
    let wrong = |line: usize, why: String| {
        let hint = "Liquibase would refuse this too";
        Error::new(format!("the changelog can't be read: {why}")).at(At::new(path, line.max(1))).hint(hint)
    };
    let items = if path.ends_with(".xml") {
        xml(text).map_err(|(line, why)| wrong(line, why))?
    } else {
        let value: Value =
            serde_yaml_ng::from_str(text).map_err(|e| wrong(e.location().map_or(1, |at| at.line()), e.to_string()))?;
        let Some(entries) = value["databaseChangeLog"].as_array() else { return Ok(None) };
        entries.iter().flat_map(|entry| of_value(entry, text)).collect()
    };
    Ok(Some(items.into_iter().filter_map(step).collect()))
}

/// An entry of YAML or JSON.
fn of_value(entry: &Value, text: &str) -> Vec<Item> {
    let scalar = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let of = |(name, value): (&String, &Value)| {
        let attributes: Vec<(String, String)> = match value {
            Value::Object(all) => all.iter().map(|(name, value)| (name.clone(), scalar(value))).collect(),
            other => vec![(String::new(), scalar(other))],
        };
        // Parsed values don't say where they stood.
        let path = attributes.iter().find(|(name, _)| matches!(name.as_str(), "file" | "path" | "id"));
        let said = path.map_or(name.as_str(), |(_, value)| value.as_str());
        let line = text.lines().position(|line| line.contains(said)).map_or(1, |line| line + 1);
        Item { name: name.clone(), attributes, line }
    };
    entry.as_object().map(|all| all.iter().map(of).collect()).unwrap_or_default()
}

fn step(item: Item) -> Option<Step> {
    let value = |name: &str| item.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let is_relative = value("relativeToChangelogFile").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let known = ["file", "path", "relativeToChangelogFile", "errorIfMissing", "errorIfMissingOrEmpty"];
    let odd = item.attributes.iter().find(|(name, _)| !known.contains(&name.as_str())).map(|(name, _)| name.clone());
    let line = item.line;
    let unread = |what: String| Some(Step::Unread(what, line));
    match (item.name.as_str(), odd) {
        ("include" | "includeAll", Some(odd)) => unread(format!("{} with {odd}", item.name)),
        ("include", None) => match value("file") {
            Some(file) => Some(Step::Include { file, is_relative, line }),
            None => unread("an include without a file".into()),
        },
        ("includeAll", None) => match value("path") {
            Some(path) => Some(Step::IncludeAll { path, is_relative, line }),
            None => unread("an includeAll without a path".into()),
        },
        ("property", _) => {
            let (name, text, dbms) = (value("name"), value("value"), value("dbms"));
            let runs = dbms.is_none_or(|d| d.split(',').any(|word| word.trim() == "postgresql"));
            name.zip(text).filter(|_| runs).map(|(name, text)| Step::Property(name, text))
        }
        ("preConditions", _) => Some(Step::Preconditions(line)),
        ("logicalFilePath" | "objectQuotingStrategy", _) => None,
        ("changeSet", _) => unread("a changeset that isn't in SQL".into()),
        (name, _) => unread(name.to_string()),
    }
}

/// The elements below the outermost one of an XML text, with their attributes; or the line where it can't be read, and why.
fn xml(text: &str) -> std::result::Result<Vec<Item>, (usize, String)> {
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let (mut items, mut depth, mut at) = (Vec::new(), 0usize, 0usize);
    while let Some(open) = text[at..].find('<').map(|n| at + n) {
        let rest = &text[open..];
        let end = |mark: &str| rest.find(mark).map(|n| open + n + mark.len());
        let unended = |what: &str| (line(open), format!("{what} isn't ended"));
        if rest.starts_with("<!--") {
            at = end("-->").ok_or_else(|| unended("a comment"))?;
        } else if rest.starts_with("<![CDATA[") {
            at = end("]]>").ok_or_else(|| unended("a section of text"))?;
        } else if rest.starts_with("<?") || rest.starts_with("<!") {
            at = end(">").ok_or_else(|| unended("a declaration"))?;
        } else if rest.starts_with("</") {
            at = end(">").ok_or_else(|| unended("a tag"))?;
            depth = depth.checked_sub(1).ok_or_else(|| (line(open), "it ends what didn't begin".to_string()))?;
        } else {
            let (name, attributes, close) = tag(text, open + 1).ok_or_else(|| unended("a tag"))?;
            if depth == 1 {
                items.push(Item { name, attributes, line: line(open) });
            }
            depth += usize::from(!text[..close].ends_with("/>"));
            at = close;
        }
    }
    Ok(items)
}

/// The name and the attributes of a tag, and where it ends.
type Tag = (String, Vec<(String, String)>, usize);

/// The tag that begins at a byte.
fn tag(text: &str, from: usize) -> Option<Tag> {
    let is_end = |c: char| c.is_whitespace() || c == '>' || c == '/';
    let end = from + text[from..].find(is_end)?;
    let name = text[from..end].rsplit(':').next().unwrap_or_default().to_string();
    let (mut attributes, mut at) = (Vec::new(), end);
    loop {
        at += text[at..].find(|c: char| !c.is_whitespace() && c != '/')?;
        if text[at..].starts_with('>') {
            return Some((name, attributes, at + 1));
        }
        let equals = at + text[at..].find('=')?;
        let quote = equals + 1 + text[equals + 1..].find(['"', '\''])?;
        let close = quote + 1 + text[quote + 1..].find(&text[quote..=quote])?;
        attributes.push((text[at..equals].trim().to_string(), unescaped(&text[quote + 1..close])));
        at = close + 1;
    }
}

fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

/// A changelog that includes these files beside it, in this order.
pub fn written(path: &str, files: &[String]) -> String {
    if path.ends_with(".xml") {
        let lines: String = files
            .iter()
            .map(|file| format!("    <include file=\"{}\" relativeToChangelogFile=\"true\"/>\n", escaped(file)))
            .collect();
        let space = "http://www.liquibase.org/xml/ns/dbchangelog";
        return format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<databaseChangeLog xmlns=\"{space}\"\n    \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n    \
             xsi:schemaLocation=\"{space} {space}/dbchangelog-latest.xsd\">\n{lines}</databaseChangeLog>\n"
        );
    }
    let include = |file: &String| serde_json::json!({ "include": { "file": file, "relativeToChangelogFile": true } });
    let entries: Vec<Value> = files.iter().map(include).collect();
    if path.ends_with(".json") {
        return format!("{:#}\n", serde_json::json!({ "databaseChangeLog": entries }));
    }
    let lines = |file: &String| {
        let file = Value::String(file.clone());
        format!("  - include:\n      file: {file}\n      relativeToChangelogFile: true\n")
    };
    match files {
        [] => "databaseChangeLog: []\n".to_string(),
        files => format!("databaseChangeLog:\n{}", files.iter().map(lines).collect::<String>()),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn include(file: &str, is_relative: bool, line: usize) -> Step {
        Step::Include { file: file.into(), is_relative, line }
    }

    #[test]
    fn the_same_is_read_of_each_format() {
        let yaml = "databaseChangeLog:\n- property:\n    name: a\n    value: b\n- include:\n    file: a.sql\n    relativeToChangelogFile: true\n- includeAll:\n    path: sql/\n";
        let all = Step::IncludeAll { path: "sql/".into(), is_relative: false, line: 9 };
        let wanted = [Step::Property("a".into(), "b".into()), include("a.sql", true, 6), all.clone()];
        assert_eq!(read("m.yaml", yaml).unwrap().unwrap(), wanted);
        let xml = "<?xml version=\"1.0\"?>\n<databaseChangeLog\n  xmlns=\"x\">\n<!-- <include file=\"no.sql\"/> -->\n\
                   <preConditions><dbms type=\"postgresql\"/></preConditions>\n\
                   <property name=\"a\" value=\"b\"/>\n<include file='a.sql'\n relativeToChangelogFile=\"true\" />\n\
                   <includeAll path=\"sql/\"/>\n</databaseChangeLog>\n";
        let steps = read("m.xml", xml).unwrap().unwrap();
        assert_eq!(steps[0], Step::Preconditions(5));
        assert_eq!(steps[1..3], [wanted[0].clone(), include("a.sql", true, 7)]);
        let json =
            "{\"databaseChangeLog\": [\n {\"include\": {\"file\": \"a.sql\"}},\n {\"changeSet\": {\"id\": \"7\"}}]}";
        let steps = read("m.json", json).unwrap().unwrap();
        assert_eq!(steps, [include("a.sql", false, 2), Step::Unread("a changeset that isn't in SQL".into(), 3)]);
        assert_eq!(read("other.json", "{}").unwrap(), None);
    }

    #[test]
    fn what_is_not_plain_is_named() {
        let xml = "<databaseChangeLog>\n<include file=\"a.sql\" context=\"test\"/>\n<changeSet id=\"1\"><sql>x</sql></changeSet>\n</databaseChangeLog>";
        let steps = read("m.xml", xml).unwrap().unwrap();
        let wanted = [("include with context", 2), ("a changeset that isn't in SQL", 3)];
        assert_eq!(steps, wanted.map(|(what, line)| Step::Unread(what.into(), line)));
        let error = read("m.xml", "<databaseChangeLog>\n<include file=\"a").unwrap_err();
        assert_eq!(error.at, Some(At::new("m.xml", 2)));
        assert!(read("m.yaml", "databaseChangeLog:\n- {").is_err());
    }

    #[test]
    fn what_is_written_is_read_so() {
        let files = ["a.sql".to_string(), "b & c.sql".to_string()];
        for path in ["m.xml", "m.yaml", "m.json"] {
            let steps = read(path, &written(path, &files)).unwrap().unwrap();
            let names: Vec<&str> = steps
                .iter()
                .map(|s| match s {
                    Step::Include { file, is_relative: true, .. } => file.as_str(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(names, ["a.sql", "b & c.sql"], "{path}");
        }
    }
}
