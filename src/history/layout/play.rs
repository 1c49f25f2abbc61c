//! Play's evolutions: `1.sql`, `2.sql`, … with `# --- !Ups` or `-- !Ups`, and `!Downs`.
//!
//! As in playframework's EvolutionsApi.scala and Evolutions.scala: files count from 1 without a gap, and may have zeros in
//! front. A statement ends with a semicolon that has none beside it, wherever that stands; `;;` stands for one. Each statement
//! is sent by itself on one connection, with no transaction around (`autocommit`, by default).

use super::names::is_digits;
use super::sections;
use super::write::{Form, Outgoing, Output, Versions};
use super::{Down, Entry, Layout, Listing, Mask, Wrap};
use crate::error::Result;
use crate::history::contents::Contents;
use crate::sql::split::split;

/// The layout of Play.
pub struct Play;

impl Layout for Play {
    fn name(&self) -> &'static str {
        "play"
    }

    fn about(&self) -> &'static str {
        "1.sql with # --- !Ups"
    }

    fn fits(&self, contents: &Contents) -> bool {
        let is_its = |path: &str| number(path).is_some() && contents.text(path).lines().any(|l| mark(l) == Some(true));
        contents.flat_sql().any(is_its)
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut listing = Listing::default();
        let mut files: Vec<(u64, &str)> = contents.flat_sql().filter_map(|path| Some((number(path)?, path))).collect();
        // Of one number, the one with the fewest zeros runs.
        files.sort_by_key(|(number, path)| (*number, path.len()));
        let mut last = 0;
        for (number, path) in files {
            if number == last + 1 {
                listing
                    .entries
                    .push(Entry::numbered(path, path.trim_end_matches(".sql"), "evolution").wrapped(Wrap::Bare));
                let text = contents.text(path);
                if text.contains(";;") {
                    listing.texts.push((path.to_string(), text.replace(";;", ";")));
                }
                last = number;
            } else {
                let why = match number == last && number > 0 {
                    true => "Play takes the other file of this number: not read".to_string(),
                    false => format!("Play counts without a gap, and there is no {}.sql: not read", last + 1),
                };
                listing.passed_over.push((path.to_string(), why));
            }
        }
        Ok(listing)
    }

    fn mask(&self, _entry: &Entry, text: &str) -> Result<Mask> {
        let mut mask = Mask::default();
        let mut is_up = None;
        for (number, (place, line)) in sections::lines(text).enumerate() {
            let found = mark(line);
            is_up = found.or(is_up);
            mask.has_down |= found == Some(false);
            let is_comment = line.trim_start().starts_with("--");
            if is_up.is_none() && !is_comment && !line.trim().is_empty() && !line.starts_with('#') {
                mask.warnings.push((number + 1, "above the first mark, so Play never runs it: not read".into()));
            }
            let stays = found.is_none() && (is_up == Some(true) || (is_up.is_none() && is_comment));
            if !stays {
                mask.blanks.push(sections::with_end(text, place));
            }
        }
        Ok(mask)
    }

    fn versions(&self) -> Versions {
        Versions { form: Form::Counted(1, 1), ..Versions::KEPT }
    }

    /// With nothing to undo, it takes a migration for undone.
    fn wants_down(&self) -> Down {
        Down::AsHistory
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let down = m.down.as_deref().map(|down| format!("\n-- !Downs\n{}", doubled(down))).unwrap_or_default();
        vec![(format!("{}.sql", m.version), format!("-- !Ups\n{}{down}", doubled(&m.text)))]
    }
}

fn number(path: &str) -> Option<u64> {
    let digits = path.strip_suffix(".sql").filter(|stem| is_digits(stem))?;
    digits.parse().ok()
}

/// Whether what follows a line is run, or undoes; none if it is no mark.
fn mark(line: &str) -> Option<bool> {
    let line = line.trim();
    let is_comment = line.starts_with('#') || line.starts_with("--");
    match (line.contains("!Ups"), line.contains("!Downs")) {
        (true, _) if is_comment => Some(true),
        (false, true) if is_comment => Some(false),
        _ => None,
    }
}

/// A text with each semicolon doubled that doesn't end a statement.
fn doubled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for piece in split(text) {
        let end = piece.body.end;
        out.push_str(&text[at..end].replace(';', ";;"));
        let has_end = text[end..].starts_with(';');
        out.push_str(if has_end { ";" } else { "" });
        at = end + usize::from(has_end);
    }
    out.push_str(&text[at..].replace(';', ";;"));
    out
}

/// What a file runs and what undoes it, as Play keeps them.
pub fn scripts(text: &str) -> (String, String) {
    let mut parts: [Vec<Vec<&str>>; 2] = [Vec::new(), Vec::new()];
    let mut is_up = None;
    for line in text.split('\n').map(str::trim) {
        if let Some(found) = mark(line) {
            is_up = Some(found);
            parts[usize::from(!found)].push(Vec::new());
        } else if let Some(is_up) = is_up {
            parts[usize::from(!is_up)].last_mut().into_iter().for_each(|part| part.push(line));
        }
    }
    let [up, down] = parts.map(|all| {
        let all: Vec<String> = all.into_iter().map(|lines| lines.join("\n")).collect();
        all.join("\n").trim().to_string()
    });
    (up, down)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# Books\n\n# --- !Ups\nCREATE TABLE a ();\nDO $$ BEGIN PERFORM 1;; END $$;\n\n# --- !Downs\nDROP TABLE a;\n";

    #[test]
    fn only_the_up_part_is_run_and_semicolons_are_single() {
        let contents = Contents::of(&[("1.sql", FILE), ("02.sql", FILE), ("4.sql", FILE), ("2_x.sql", "")]);
        assert!(Play.fits(&contents));
        let listing = Play.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["1.sql", "02.sql"]);
        assert!(listing.passed_over[0].1.contains("there is no 3.sql"), "{:?}", listing.passed_over);
        let text = &listing.texts[0].1;
        let mask = Play.mask(&listing.entries[0], text).unwrap();
        assert!(mask.has_down && mask.warnings.is_empty());
        let masked = mask.apply(text.clone());
        assert_eq!(masked.trim(), "CREATE TABLE a ();\nDO $$ BEGIN PERFORM 1; END $$;");
    }

    #[test]
    fn what_is_written_is_cut_where_it_ends() {
        let text = "-- one; more\nSELECT ';';\nDO $$ BEGIN PERFORM 1; END $$;\n";
        let m = Outgoing { version: "1".into(), text: text.into(), ..Outgoing::default() };
        let written = Play.write(&m).remove(0).1;
        assert_eq!(written, "-- !Ups\n-- one;; more\nSELECT ';;';\nDO $$ BEGIN PERFORM 1;; END $$;\n");
    }

    #[test]
    fn scripts_are_trimmed_line_by_line() {
        let (up, down) = scripts("x\n-- !Ups\n  a;  \n\n b;\n-- !Downs\nc;\n# !Ups\nd;\n");
        assert_eq!((up.as_str(), down.as_str()), ("a;\n\nb;\nd;", "c;"));
    }
}
