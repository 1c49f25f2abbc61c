//! What lies around a folder of migrations and says whose it is, where names alone don't.

use super::names::base;
use crate::history::contents::Contents;

/// Whether a Cargo.toml above depends on a crate.
pub fn depends_on(contents: &Contents, krate: &str) -> bool {
    let is_it = |line: &str| match line.trim().strip_prefix(krate) {
        Some(rest) => rest.trim_start().starts_with(['=', '.']),
        None => line.trim().ends_with(&format!("dependencies.{krate}]")),
    };
    contents.above("Cargo.toml").iter().any(|text| text.lines().any(is_it))
}

/// Whether the folder lies in a project of Hasura: below its `config.yaml`, or as `migrations/default/`.
pub fn is_hasura(contents: &Contents) -> bool {
    let says_version =
        |line: &str| line.trim_end().strip_prefix("version: ").is_some_and(|v| matches!(v, "1" | "2" | "3"));
    let mut names = contents.root().components().rev().filter_map(|c| c.as_os_str().to_str());
    let is_default = names.next() == Some("default") && names.next().is_some_and(|n| n.starts_with("migrations"));
    is_default || contents.above("config.yaml").iter().any(|text| text.lines().any(says_version))
}

/// Whether the folder lies in a project of diesel, or holds what diesel alone writes.
pub fn is_diesel(contents: &Contents) -> bool {
    let is_its = |path: &str| base(path) == "metadata.toml" || path.contains("_diesel_initial_setup/");
    contents.paths().any(is_its) || !contents.above("diesel.toml").is_empty() || depends_on(contents, "diesel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_named_among_the_dependencies() {
        let depends = |text: &str| depends_on(&Contents::of(&[]).below(&[("Cargo.toml", text)]), "sqlx");
        assert!(depends("[dependencies]\nsqlx = \"0.8\"\n"));
        assert!(depends("[dependencies]\nsqlx.workspace = true\n"));
        assert!(depends("[dev-dependencies.sqlx]\nversion = \"0.8\"\n"));
        assert!(!depends("[dependencies]\nsqlx-cli = \"0.8\"\n# sqlx\n"));
    }
}
