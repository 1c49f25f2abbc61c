//! Versions in names, and how they compare.

use std::cmp::Ordering;

/// Digits as a number of any size: longer ones are greater, once zeros at the front are gone.
pub fn number(digits: &str) -> (usize, &str) {
    let digits = digits.trim_start_matches('0');
    (digits.len(), digits)
}

/// Whether a text is made of digits, one at least.
pub fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The digits that a name begins with, and the rest.
pub fn leading_digits(name: &str) -> Option<(&str, &str)> {
    let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    (end > 0).then(|| name.split_at(end))
}

/// `VERSION_description` with a version of digits.
pub fn version_and_description(stem: &str) -> Option<(&str, &str)> {
    stem.split_once('_').filter(|(version, _)| is_digits(version))
}

/// Two versions of digits of which the first comes first as text, and last as a number.
pub fn out_of_order<'a>(versions: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let mut sorted = versions.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| number(pair[0]) > number(pair[1])).map(|pair| (pair[0], pair[1]))
}

/// The last name of a path.
pub fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder of a path; empty for none.
pub fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Versions of several numbers, as `1.10` or `1_10`: number by number, and 1 is 1.0.
pub fn compare_parts(a: &str, b: &str) -> Ordering {
    let parts = |v: &str| v.split(['.', '_']).map(|p| p.to_string()).collect::<Vec<_>>();
    let (a, b) = (parts(a), parts(b));
    let at = |v: &[String], i: usize| v.get(i).cloned().unwrap_or_default();
    (0..a.len().max(b.len()))
        .map(|i| number(&at(&a, i)).cmp(&number(&at(&b, i))))
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_number_by_number() {
        assert!(number("9") < number("10") && number("0010") == number("10"));
        assert_eq!(out_of_order(&["9", "10", "08"]), Some(("10", "9")));
        assert_eq!(out_of_order(&["1", "10", "20200101000000"]), None);
        assert_eq!(compare_parts("1_2", "1_10"), Ordering::Less);
        assert_eq!(compare_parts("1", "1.0"), Ordering::Equal);
        assert_eq!(compare_parts("2", "1.9"), Ordering::Greater);
    }
}
