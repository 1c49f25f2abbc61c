//! Choices of which each has a name, by which settings and flags call it.

/// A choice among a few.
pub trait Named: Copy + Send + Sync + 'static {
    /// All that there are.
    const ALL: &'static [Self];

    /// Its name: a word in lower case.
    fn name(self) -> &'static str;

    /// What it is, in a line of help.
    fn about(self) -> &'static str;

    /// The one that a word names.
    fn by_name(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Files, Numbers};
    use crate::proof::Class;
    use crate::trust::Trust;

    /// Names are words of one kind, each names one choice, and help ends as a phrase does.
    fn are_told_apart<T: Named + PartialEq + std::fmt::Debug>() {
        for one in T::ALL {
            assert_eq!(T::by_name(one.name()), Some(*one));
            assert!(one.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{one:?}");
            assert!(!one.about().is_empty() && !one.about().ends_with('.'), "{one:?}");
        }
        assert_eq!(T::by_name("nonsense"), None);
    }

    #[test]
    fn each_choice_has_a_name_of_its_own() {
        are_told_apart::<Class>();
        are_told_apart::<Files>();
        are_told_apart::<Numbers>();
        are_told_apart::<Trust>();
    }

    #[test]
    fn settings_and_reports_say_the_same_names() {
        let emit = |text: String| Config::parse(&format!("[emit]\n{text}\n"), "consolidate.toml").unwrap().emit;
        for files in Files::ALL {
            assert_eq!(emit(format!("files = \"{}\"", files.name())).files, Some(*files));
        }
        for numbers in Numbers::ALL {
            assert_eq!(emit(format!("numbers = \"{}\"", numbers.name())).numbers, Some(*numbers));
        }
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
    }
}
