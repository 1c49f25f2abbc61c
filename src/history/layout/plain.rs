//! Plain `.sql` files, run in the order of their names. What no other layout fits.
//!
//! Of files in pairs, such as `a-up.sql` and `a-down.sql` (db-migrate's `sqls/`, say), the first one runs ([`pairs`]).

use super::write::{Form, Outgoing, Output, Versions};
use super::{Entry, Layout, Listing, names, pairs};
use crate::error::{Error, Result};
use crate::history::contents::Contents;

/// The layout of no tool.
pub struct Plain;

impl Layout for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn about(&self) -> &'static str {
        "any .sql files, by name"
    }

    fn fits(&self, contents: &Contents) -> bool {
        contents.flat_sql().next().is_some()
    }

    /// Pairs are some tool's, and most tools run by number.
    fn doubt(&self, contents: &Contents) -> Option<Error> {
        let undoing = pairs::undoing(contents);
        let (down, up): (Vec<&str>, Vec<&str>) = contents.flat_sql().partition(|p| undoing.contains(*p));
        let digits: Option<Vec<&str>> = up.iter().map(|p| names::leading_digits(p).map(|(digits, _)| digits)).collect();
        let (later, earlier) = names::out_of_order(&digits?).filter(|_| !down.is_empty())?;
        let message =
            format!("by name {later} comes before {earlier}, by number after it, and nothing here says which");
        let hint = "give the versions one length with zeros in front, or say --layout plain: by name";
        Some(Error::new(message).hint(hint))
    }

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let undoing = pairs::undoing(contents);
        let (down, up): (Vec<&str>, Vec<&str>) =
            contents.flat_sql().partition(|p| p.ends_with(".down.sql") || undoing.contains(*p));
        let entries = up.into_iter().map(|path| super::numbered(path).unwrap_or_else(|| unnumbered(path))).collect();
        Ok(Listing { entries, set_aside: down.into_iter().map(String::from).collect(), ..Listing::default() })
    }

    fn versions(&self) -> Versions {
        Versions { form: Form::None, ..Versions::KEPT }
    }

    fn write(&self, m: &Outgoing) -> Vec<Output> {
        vec![(format!("{}.sql", m.stem), m.text.clone())]
    }
}

fn unnumbered(path: &str) -> Entry {
    Entry::unversioned(path, stem(path))
}

/// A name without its ending. `.up` is a part of the name: without it whoever reads these files wouldn't find them.
pub fn stem(path: &str) -> &str {
    path.strip_suffix(".sql").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_text() {
        let contents = Contents::of(&[("b.sql", ""), ("10_b.sql", ""), ("9_a.sql", ""), ("a.down.sql", "")]);
        let listing = Plain.list(&contents).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["10_b.sql", "9_a.sql", "b.sql"]);
        assert_eq!(listing.set_aside, ["a.down.sql"]);
    }

    #[test]
    fn what_undoes_the_file_beside_it_is_set_aside() {
        let files =
            [("1-a-down.sql", ""), ("1-a-up.sql", ""), ("2_b_down.sql", ""), ("2_b_up.sql", ""), ("3_down.sql", "")];
        let listing = Plain.list(&Contents::of(&files)).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(names, ["1-a-up.sql", "2_b_up.sql", "3_down.sql"]);
        assert_eq!(listing.set_aside, ["1-a-down.sql", "2_b_down.sql"]);
        assert!(Plain.doubt(&Contents::of(&files)).is_none());
        let files = [("10_b_down.sql", ""), ("10_b_up.sql", ""), ("2_a_up.sql", "")];
        assert!(!super::super::sqlx::Sqlx.fits(&Contents::of(&files)));
        assert!(Plain.doubt(&Contents::of(&files)).is_some());
    }
}
