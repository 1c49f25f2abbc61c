//! tern: `001_description.sql`, where `---- create above / drop below ----` parts up from down.
//!
//! As in jackc/tern's migrate/migrate.go: files are numbered without a gap, one connection runs each in a transaction and
//! says `reset all` after it. The line `---- tern: disable-tx ----` takes the transaction away. Files in folders below are
//! templates that others put in, which can't be read here.

use super::write::{Form, Outgoing, Output, Versions};
use super::{Between, Entry, Layout, Listing, Mask, Wrap};
use crate::error::Result;
use crate::history::contents::Contents;

/// The layout of tern.
pub struct Tern;

const CUT: &str = "---- create above / drop below ----";
const BARE: &str = "---- tern: disable-tx ----";

impl Layout for Tern {
    fn name(&self) -> &'static str {
        "tern"
    }

    fn about(&self) -> &'static str {
        "001_description.sql with ---- create above / drop below ----"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.flat_sql().any(|p| contents.text(p).contains(CUT))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let mut entries = super::flat(contents, super::numbered);
        super::by_number(&mut entries);
        Ok(Listing { entries, ..Listing::default() })
    }

    fn mask(&self, _entry: &Entry, text: &str) -> Result<Mask> {
        let mut mask = Mask::default();
        if let Some(at) = text.find(CUT) {
            mask.blanks.push(at..text.len());
            mask.has_down = !text[at + CUT.len()..].trim().is_empty();
        }
        if let Some(at) = text.find(BARE) {
            mask.blanks.push(at..at + BARE.len());
            mask.wrap = Some(Wrap::OneQuery);
        }
        Ok(mask)
    }

    fn between(&self) -> Between {
        Between::ResetAll
    }

    fn versions(&self) -> Versions {
        Versions { form: Form::Counted(1, 3), ..Versions::KEPT }
    }

    /// With nothing below the line, tern says that the migration can't be undone.
    fn write(&self, m: &Outgoing) -> Vec<Output> {
        let mark = if m.bare { format!("{BARE}\n") } else { String::new() };
        let down = m.down.as_deref().unwrap_or_default();
        vec![(format!("{}_{}.sql", m.version, m.words), format!("{mark}{}\n{CUT}\n{down}", m.text))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_is_not_run() {
        let text =
            "---- tern: disable-tx ----\nCREATE TABLE a ();\n---- create above / drop below ----\nDROP TABLE a; -- ä\n";
        assert!(Tern.fits(&Contents::of(&[("001_a.sql", text)])));
        let mask = Tern.mask(&Entry::numbered("001_a.sql", "001", "a"), text).unwrap();
        assert!(mask.has_down);
        assert_eq!(mask.wrap, Some(Wrap::OneQuery));
        assert_eq!(mask.apply(text.to_string()).trim(), "CREATE TABLE a ();");
    }
}
