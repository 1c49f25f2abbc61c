//! The numbers behind the names that PostgreSQL chooses: which of `t_a_check`, `t_a_check1`, `t_a_check2`, … is the first that
//! is free, without a look at all that are taken.

use std::collections::{BTreeSet, HashMap};

/// What the names of one row are made of: the schema, and what stands before the number.
pub type Stem = (String, String);

/// Which numbers of which names are taken.
#[derive(Debug, Default, Clone)]
pub(super) struct Numbers {
    stems: HashMap<Stem, Taken>,
    /// The numbers that a name was found taken as, by schema and name.
    found: HashMap<(String, String), Vec<(Stem, usize)>>,
}

/// The numbers of one row of names.
#[derive(Debug, Default, Clone)]
struct Taken {
    /// All below are taken, but for those that went since.
    below: usize,
    went: BTreeSet<usize>,
}

impl Numbers {
    /// The first free name of a row, in a schema: `name` makes the name of a number, `is_taken` says whether something has it.
    pub(super) fn first_free(
        &mut self,
        stem: &Stem,
        name: impl Fn(usize) -> String,
        is_taken: impl Fn(&str) -> bool,
    ) -> String {
        let taken = self.stems.entry(stem.clone()).or_default();
        loop {
            let went = taken.went.first().copied();
            let number = went.unwrap_or(taken.below);
            let name = name(number);
            if !is_taken(&name) {
                return name;
            }
            match went {
                Some(number) => drop(taken.went.remove(&number)),
                None => taken.below += 1,
            }
            self.found.entry((stem.0.clone(), name)).or_default().push((stem.clone(), number));
        }
    }

    /// Nothing has this name any more.
    pub(super) fn freed(&mut self, schema: &str, name: &str) {
        if self.found.is_empty() {
            return;
        }
        for (stem, number) in self.found.remove(&(schema.to_string(), name.to_string())).into_iter().flatten() {
            if let Some(taken) = self.stems.get_mut(&stem) {
                taken.went.insert(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn what_went_is_free_again_the_lowest_first() {
        let mut numbers = Numbers::default();
        let mut there: HashSet<String> = HashSet::new();
        let stem = ("public".to_string(), "t_check".to_string());
        let mut next = |there: &HashSet<String>, freed: &[&str]| {
            freed.iter().for_each(|name| numbers.freed("public", name));
            numbers.first_free(&stem, |n| format!("t_check{n}"), |name| there.contains(name))
        };
        for number in 0..5 {
            let name = next(&there, &[]);
            assert_eq!(name, format!("t_check{number}"));
            there.insert(name);
        }
        there.remove("t_check3");
        there.remove("t_check1");
        assert_eq!(next(&there, &["t_check3", "t_check1"]), "t_check1");
        there.insert("t_check1".into());
        assert_eq!(next(&there, &[]), "t_check3");
        there.insert("t_check3".into());
        assert_eq!(next(&there, &[]), "t_check5");
    }
}
