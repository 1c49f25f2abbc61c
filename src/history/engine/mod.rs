//! Whose SQL a history is: by the names of files and folders, by the configuration around, and by words of the SQL.
//!
//! Only PostgreSQL's is read. To read another engine's as if it were PostgreSQL's would prove something, and not what runs.
//! So a history that speaks for another one is refused with the place where it does; `--engine postgres` overrules that.
//!
//! Signs have a strength. The strongest ones that there are decide; one for PostgreSQL among them clears all. Weak ones
//! count only if two files say the same. Whatever a sign says, SQL that PostgreSQL alone has is PostgreSQL's.

mod around;
pub mod names;
mod words;

use super::contents::Contents;
use crate::engine::Engine;
use crate::error::{At, Error, Result};
use crate::sql::parse::{NodeEnum, parse_all};
pub use words::{Word, in_columns, in_comments, in_refused, in_tree, is_postgres, may_hold_any};

/// How sure a sign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// It may be about something else in the project.
    Weak,
    /// It says which engines the project knows.
    Sure,
    /// It is about just this folder.
    Own,
}

/// What speaks for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// The engine.
    pub engine: Engine,
    /// How sure it is.
    pub strength: Strength,
    /// Where it stands; none for the folder's own name.
    pub at: Option<At>,
    /// What it is, as it goes on after "as".
    pub what: String,
}

/// What helps against any refusal of this kind.
const OVERRULE: &str =
    "if they are PostgreSQL's all the same, say --engine postgres, or engine = \"postgres\" in consolidate.toml";

/// Refuses a folder whose names or surroundings say that its migrations are another engine's. `read` are the files that
/// would run; places are relative to the folder.
///
/// # Errors
/// When they do, or files of several engines lie there.
pub fn refuse(contents: &Contents, read: &[&str], layout: Option<&str>) -> Result<()> {
    let groups = names::groups(read);
    let named: usize = groups.iter().map(|g| g.files.len()).sum();
    let first = groups.first().map(|g| (g.engine, g.files[0].clone()));
    match (groups.len(), first) {
        (0, _) => {}
        (1, Some((engine, _))) if engine.is_read() && named == read.len() => return Ok(()),
        (1, Some((Engine::Postgres, _))) => return Ok(()),
        (1, Some((engine, path))) if named == read.len() => {
            return match read.iter().any(|path| is_postgres(&contents.text(path))) {
                true => Ok(()),
                false => Err(others(engine.name(), "the names of the files say", Some(At::new(path, 1)))),
            };
        }
        _ => return Err(which(contents, &groups, read.len() - named)),
    }
    let mut signs = around::signs(contents, layout);
    signs.extend(names::of_root(contents).map(|(engine, name)| Sign {
        engine,
        strength: Strength::Own,
        at: None,
        what: format!("the name of the folder {name}/ says"),
    }));
    signs.extend(names::hinted(contents).map(|(engine, name)| Sign {
        engine,
        strength: Strength::Weak,
        at: None,
        what: format!("the name of the folder {name}/ says"),
    }));
    match decisive(&signs) {
        Some(sign) if !read.iter().any(|path| is_postgres(&contents.text(path))) => {
            Err(others(sign.engine.name(), &sign.what, sign.at.clone()))
        }
        _ => Ok(()),
    }
}

/// The sign by which a history is another engine's, if it is.
fn decisive(signs: &[Sign]) -> Option<&Sign> {
    let strength = signs.iter().map(|s| s.strength).max()?;
    let strongest: Vec<&Sign> = signs.iter().filter(|s| s.strength == strength).collect();
    if strongest.iter().any(|s| s.engine.is_read()) {
        return None;
    }
    if strength > Strength::Weak {
        return strongest.first().copied();
    }
    let file = |sign: &Sign| sign.at.as_ref().map(|at| at.file.clone());
    strongest.iter().find(|one| strongest.iter().any(|two| two.engine == one.engine && file(two) != file(one))).copied()
}

/// Files of several engines: which are meant is asked.
fn which(contents: &Contents, groups: &[names::Group], nameless: usize) -> Error {
    let own = groups.iter().find(|group| group.engine == Engine::Postgres);
    let say = |g: &names::Group| format!("{} ({}, such as {})", g.engine, g.files.len(), g.files[0]);
    let mut said = groups.iter().map(say).collect::<Vec<_>>().join(", ");
    if nameless > 0 {
        said.push_str(&format!("; {nameless} name none"));
    }
    let message = match groups.len() {
        1 => format!("some of these files are another engine's by their names: {said}"),
        _ => format!("files of several engines lie here: {said}"),
    };
    let say = "say which: --engine postgres, or engine = \"postgres\" in consolidate.toml, reads";
    let hint = match (own, nameless) {
        (Some(own), 0) => match folder_of(own) {
            Some(folder) => format!(
                "{say} PostgreSQL's files; or name their folder: --old {}",
                contents.root().join(folder).display()
            ),
            None => format!("{say} PostgreSQL's files"),
        },
        (Some(_), _) => {
            format!("{say} PostgreSQL's files, and those that name no engine and have none of PostgreSQL's beside them")
        }
        (None, 0) => {
            "none of them is PostgreSQL's, and no other engine's SQL is read: name another folder with --old".into()
        }
        (None, _) => format!("{say} those that name no engine"),
    };
    Error::new(message).at(At::new(&groups[0].files[0], 1)).hint(hint)
}

/// The folder in which all files of an engine lie.
fn folder_of(group: &names::Group) -> Option<&str> {
    let (folder, _) = group.files.first()?.split_once('/')?;
    group.files.iter().all(|f| f.split_once('/').is_some_and(|(other, _)| other == folder)).then_some(folder)
}

/// A history of another engine.
fn others(engine: &str, what: &str, at: Option<At>) -> Error {
    let message = format!("these migrations are {engine}'s, as {what}; only PostgreSQL's are read");
    Error { at, ..Error::new(message).hint(format!("name the folder of PostgreSQL's with --old; {OVERRULE}")) }
}

/// What a statement shows, with its place.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The word.
    pub word: Word,
    /// Where it stands.
    pub at: At,
}

/// Refuses a history by the words of its SQL: the word that only one engine has, or the first one.
pub fn by_words(shown: &[Shown]) -> Option<Error> {
    let refused: Vec<&Shown> = shown.iter().filter(|s| s.word.is_refused).collect();
    let words = if refused.is_empty() { shown.iter().collect() } else { refused };
    let one = words.iter().find(|s| s.word.engines.len() == 1).or(words.first())?;
    // Of the engines that a word may be of, those of which most words may be.
    let count = |engine: &Engine| words.iter().filter(|s| s.word.engines.contains(engine)).count();
    let most = one.word.engines.iter().map(count).max().unwrap_or(0);
    let engines: Vec<&str> = one.word.engines.iter().filter(|e| count(e) == most).map(|e| e.name()).collect();
    let says = if one.word.word.starts_with("a ") || one.word.word.starts_with("the ") { "shows" } else { "says" };
    Some(others(&engines.join("'s or "), &format!("{} {says}", one.word.word), Some(one.at.clone())))
}

/// The names of types, functions, tables and collations that statements make, in small letters.
pub fn made<'a>(nodes: impl Iterator<Item = &'a NodeEnum>, preludes: &[String]) -> Vec<String> {
    let before: Vec<NodeEnum> = preludes.iter().flat_map(|text| parse_all(text)).collect();
    let names = nodes.filter_map(name_of).chain(before.iter().filter_map(name_of));
    names.map(|name| name.to_lowercase()).collect()
}

fn name_of(node: &NodeEnum) -> Option<String> {
    let last = |names: &[pg_query::Node]| crate::sql::names::strings(names).pop();
    match node {
        NodeEnum::CreateDomainStmt(s) => last(&s.domainname),
        NodeEnum::CreateEnumStmt(s) => last(&s.type_name),
        NodeEnum::CreateRangeStmt(s) => last(&s.type_name),
        NodeEnum::DefineStmt(s) => last(&s.defnames),
        NodeEnum::CreateFunctionStmt(s) => last(&s.funcname),
        NodeEnum::CompositeTypeStmt(s) => s.typevar.as_ref().map(|t| t.relname.clone()),
        NodeEnum::CreateStmt(s) => s.relation.as_ref().map(|r| r.relname.clone()),
        NodeEnum::ViewStmt(s) => s.view.as_ref().map(|r| r.relname.clone()),
        NodeEnum::RenameStmt(s) => Some(s.newname.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(engine: Engine, strength: Strength, file: &str) -> Sign {
        Sign { engine, strength, at: Some(At::new(file, 1)), what: String::new() }
    }

    #[test]
    fn the_strongest_signs_decide() {
        use Engine::{Mysql, Postgres, Sqlite};
        let engine = |signs: &[Sign]| decisive(signs).map(|s| s.engine);
        let (weak, sure) = (Strength::Weak, Strength::Sure);
        assert_eq!(engine(&[sign(Sqlite, sure, "Cargo.toml")]), Some(Sqlite));
        assert_eq!(engine(&[sign(Sqlite, sure, "Cargo.toml"), sign(Postgres, sure, "Cargo.toml")]), None);
        assert_eq!(engine(&[sign(Postgres, Strength::Own, ""), sign(Sqlite, sure, "Cargo.toml")]), None);
        assert_eq!(engine(&[sign(Sqlite, sure, "go.mod"), sign(Postgres, weak, "package.json")]), Some(Sqlite));
        assert_eq!(engine(&[sign(Sqlite, weak, "package.json")]), None);
        assert_eq!(engine(&[sign(Sqlite, weak, "package.json"), sign(Sqlite, weak, "pom.xml")]), Some(Sqlite));
        assert_eq!(engine(&[sign(Sqlite, weak, "package.json"), sign(Mysql, weak, "pom.xml")]), None);
    }

    #[test]
    fn files_of_several_engines_are_asked_for() {
        let contents = Contents::of(&[("1_a.mysql.up.sql", ""), ("1_a.postgres.up.sql", ""), ("2_b.up.sql", "")]);
        let refused = |read: &[&str]| refuse(&contents, read, None).unwrap_err();
        let error = refused(&["1_a.mysql.up.sql", "1_a.postgres.up.sql", "2_b.up.sql"]);
        assert_eq!(error.at, Some(At::new("1_a.postgres.up.sql", 1)));
        assert!(error.message.contains("MySQL (1, such as 1_a.mysql.up.sql); 1 name none"), "{}", error.message);
        assert!(error.hint.unwrap_or_default().contains("--engine postgres"));
        let error = refused(&["1_a.mysql.up.sql", "2_b.up.sql"]);
        assert!(error.message.contains("another engine's by their names"), "{}", error.message);
        let error = refused(&["1_a.mysql.up.sql"]);
        assert!(error.message.starts_with("these migrations are MySQL's"), "{}", error.message);
        assert!(refuse(&contents, &["1_a.postgres.up.sql", "2_b.up.sql"], None).is_ok());
    }

    #[test]
    fn sql_that_postgresql_alone_has_clears_all() {
        let cargo = [("Cargo.toml", "[dependencies]\nsqlx = { version = \"0.8\", features = [\"sqlite\"] }\n")];
        let contents = |text: &str| Contents::of(&[("1_a.sql", text)]).below(&cargo);
        let error = refuse(&contents("CREATE TABLE a (id int);"), &["1_a.sql"], Some("sqlx")).unwrap_err();
        assert_eq!(error.at, Some(At::new("../Cargo.toml", 2)));
        assert!(error.message.contains("SQLite's"), "{}", error.message);
        assert!(refuse(&contents("SELECT '1'::int;"), &["1_a.sql"], Some("sqlx")).is_ok());
    }
}
