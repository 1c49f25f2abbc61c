//! goose: `VERSION_description.sql` with sections `-- +goose Up` and `-- +goose Down`; steps may also be Go.
//!
//! Marks are those of pressly/goose's internal/sqlparser/parser.go: they begin a line, and case doesn't matter in newer
//! versions. Files are those of provider_collect.go: the folder's own, by version. Each runs in a transaction unless it
//! says `NO TRANSACTION`; all use one pool, and so in effect one connection.

use super::names::leading_digits;
use super::sections::{self, Mark, Marks};
use super::write::{Outgoing, Output, Versions, with_statement_marks};
use super::{Down, Entry, Layout, Listing, Mask, Wrap};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of goose.
pub struct Goose;

impl Layout for Goose {
    fn name(&self) -> &'static str {
        "goose"
    }

    fn about(&self) -> &'static str {
        "VERSION_description.sql with -- +goose Up"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.flat_sql().any(|p| sections::has_up(&contents.text(p), &mark))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut entries = super::flat(contents, entry);
        super::by_number(&mut entries);
        Ok(Listing { entries, ..Listing::default() })
    }

    fn mask(&self, entry: &Entry, text: &str) -> Result<Mask> {
        let marks = Marks { tool: "goose", up: "-- +goose Up", read: &mark, strict_head: true };
        let mut mask = sections::read(&entry.path, text, &marks)?;
        let substitutes = |(_, line): &(_, &str)| command(line).is_some_and(|c| c.eq_ignore_ascii_case("envsub on"));
        if let Some(line) = sections::lines(text).position(|l| substitutes(&l)) {
            let why = "goose puts environment variables into this file; it was read as it stands";
            mask.warnings.push((line + 1, why.to_string()));
        }
        Ok(mask)
    }

    fn versions(&self) -> Versions {
        Versions { takes_last: true, ..Versions::KEPT }
    }

    fn wants_down(&self) -> Down {
        Down::AsHistory
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let mark = if m.bare { "-- +goose NO TRANSACTION\n" } else { "" };
        let cut = |sql: &str| with_statement_marks(sql, "-- +goose StatementBegin", "-- +goose StatementEnd");
        let down = m.down.as_ref().map(|down| format!("\n-- +goose Down\n{}", cut(down))).unwrap_or_default();
        let text = format!("{mark}-- +goose Up\n{}{down}", cut(&m.text));
        vec![(format!("{}_{}.sql", m.version, m.words), text)]
    }
}

fn entry(path: &str) -> Option<Entry> {
    let (version, rest) = leading_digits(path.strip_suffix(".sql")?)?;
    Some(Entry::numbered(path, version, rest.strip_prefix('_')?))
}

/// What stands behind `-- +goose`.
fn command(line: &str) -> Option<&str> {
    line.strip_prefix("--")?.trim().strip_prefix("+goose").filter(|c| c.starts_with([' ', '\t'])).map(str::trim)
}

fn mark(line: &str) -> Option<Mark> {
    Some(match command(line)?.to_ascii_lowercase().as_str() {
        "up" => Mark::Up(None),
        "down" => Mark::Down,
        "statementbegin" => Mark::Begin,
        "statementend" => Mark::End,
        "no transaction" => Mark::Whole(Wrap::Bare),
        _ => Mark::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::At;

    const FILE: &str = "-- The shop's items
-- +goose NO TRANSACTION
-- +goose Up
-- An item
CREATE TABLE item (id int);
-- +goose StatementBegin
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$
-- +goose StatementEnd
SELECT 1;

-- +goose Down
DROP TABLE item;
";

    #[test]
    fn only_the_up_part_is_run() {
        assert!(Goose.fits(&Contents::of(&[("1_a.sql", "SELECT 1;"), ("2_b.sql", FILE)])));
        let mask = Goose.mask(&entry("00001_a.sql").unwrap(), FILE).unwrap();
        assert!(mask.has_down);
        assert_eq!(mask.wrap, Some(Wrap::Bare));
        let text = mask.apply(FILE.to_string());
        assert_eq!(text.len(), FILE.len());
        assert!(!text.contains("goose") && !text.contains("DROP") && text.contains("-- An item"));
        let pieces = crate::sql::split::split(&text);
        assert_eq!(pieces.len(), 3);
        assert_eq!(&text[pieces[1].body.clone()][..6], "CREATE");
        assert!(!text[pieces[1].lead.clone()].contains("\n\n"));
    }

    #[test]
    fn what_goose_refuses_has_its_place() {
        let wrong = |text: &str| Goose.mask(&entry("1_a.sql").unwrap(), text).unwrap_err();
        assert_eq!(wrong("CREATE TABLE a ();\n").at, Some(At::new("1_a.sql", 1)));
        assert_eq!(wrong("-- a\nSELECT 1;\n-- +goose Up\n").at, Some(At::new("1_a.sql", 2)));
        assert_eq!(wrong("-- +goose Up\n-- +goose StatementBegin\n").at, Some(At::new("1_a.sql", 2)));
        assert!(wrong("-- only a comment\n").hint.is_some());
    }

    #[test]
    fn variables_of_the_environment_are_named() {
        let mask = Goose.mask(&entry("1_a.sql").unwrap(), "-- +goose Up\n-- +goose ENVSUB ON\nSELECT 1;\n").unwrap();
        assert_eq!(mask.warnings[0].0, 2);
    }
}
