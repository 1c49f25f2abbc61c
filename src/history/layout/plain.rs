//! Plain `.sql` files, run in the order of their names. What no other layout fits.

use super::write::{Form, Outgoing, Output, Versions};
use super::{Entry, Layout, Listing};
use crate::error::Result;
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

    fn list(&self, contents: &Contents) -> Result<Listing> {
        let (down, up): (Vec<&str>, Vec<&str>) = contents.flat_sql().partition(|p| p.ends_with(".down.sql"));
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

/// A name without its ending.
pub fn stem(path: &str) -> &str {
    let stem = path.strip_suffix(".sql").unwrap_or(path);
    stem.strip_suffix(".up").unwrap_or(stem)
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
}
