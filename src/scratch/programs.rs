//! The PostgreSQL programs of this machine: where they are, which version, and as whom they run.
//!
//! PostgreSQL refuses to run as root. If we are root, its programs run as `postgres`, or as `nobody`.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::child;
use crate::{Error, Result};

/// What a scratch cluster needs.
const NEEDED: [&str; 3] = ["initdb", "postgres", "pg_dump"];
/// The oldest major version whose catalogues the judge knows.
const OLDEST: u32 = 14;
/// The environment variable that names the programs' folder.
const VARIABLE: &str = "CONSOLIDATE_PG_BIN";

/// Folders of one version each, as the packagers of PostgreSQL lay them out: before and behind the version.
const PLACES: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/local", "pgsql", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The programs of one version of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// Where they are.
    pub folder: PathBuf,
    /// Their version, as `15.18`.
    pub version: String,
}

impl Programs {
    /// Finds them: in the folder that `CONSOLIDATE_PG_BIN` names, else in `given`, and nowhere else then; else on the
    /// search path; else the newest of those at the usual places.
    ///
    /// # Errors
    /// When there are none, or only ones that are too old.
    pub fn find(given: Option<&Path>) -> Result<Programs> {
        let named = named(given);
        let folders = match &named {
            Some(folder) => vec![folder.clone(), folder.join("bin")],
            None => usual(),
        };
        let found = folders.into_iter().filter(|folder| NEEDED.iter().all(|name| folder.join(name).is_file()));
        let found: Vec<Programs> =
            found.filter_map(|folder| Some(Programs { version: version(&folder)?, folder })).collect();
        let recent = found.iter().find(|programs| major(&programs.version) >= OLDEST).cloned();
        recent.ok_or_else(|| {
            let place =
                named.map_or_else(|| "on this machine".to_string(), |folder| format!("in {}", folder.display()));
            let what = match found.first() {
                Some(old) => format!("the PostgreSQL programs {place} are of version {}, which is too old", old.version),
                None => format!("there are no PostgreSQL programs {place}"),
            };
            Error::new(what).hint(format!(
                "wanted are {}, of version {OLDEST} or later: on the PATH, in /usr/lib/postgresql/*/bin and the like, or in the \
                 folder that [scratch] programs or {VARIABLE} names",
                NEEDED.join(", ")
            ))
        })
    }

    /// Finds a `pg_dump` for a server of a major version: of the same one, else of the next later one; where as [`Programs::find`]
    /// looks.
    ///
    /// # Errors
    /// When there is none: an older `pg_dump` can't read a newer server.
    pub fn with_dump(given: Option<&Path>, server: u32) -> Result<Programs> {
        let folders = match named(given) {
            Some(folder) => vec![folder.join("bin"), folder],
            None => usual(),
        };
        let program = |folder: PathBuf| Some(Programs { version: says(&folder.join("pg_dump"))?, folder });
        let mut found: Vec<Programs> = folders.into_iter().filter_map(program).collect();
        found.sort_by_key(|programs| major(&programs.version));
        if let Some(programs) = found.iter().find(|programs| major(&programs.version) >= server) {
            return Ok(programs.clone());
        }
        let error = Error::new(match found.last() {
            Some(newest) => {
                format!("the scratch server is PostgreSQL {server}, and the newest pg_dump here is {newest}")
            }
            None => format!("the scratch server is PostgreSQL {server}, and there is no pg_dump here"),
        });
        Err(error.hint(format!(
            "install the client programs of PostgreSQL {server} or later; they are looked for on the PATH, in \
             /usr/lib/postgresql/*/bin and the like, or in the folder that [scratch] programs or {VARIABLE} names"
        )))
    }

    /// Whether the user has said where they are.
    pub fn are_named(given: Option<&Path>) -> bool {
        named(given).is_some()
    }

    /// One of them, ready for arguments. Nothing of the environment tells it where to connect, or anything else of ours.
    pub fn command(&self, name: &str) -> Command {
        child::command(self.folder.join(name))
    }
}

/// The `pg_dump` of this machine, which asks a running server: where the programs are looked for, of whatever version.
///
/// # Errors
/// When there is none.
pub fn dumper(given: Option<&Path>) -> Result<PathBuf> {
    let folders = match named(given) {
        Some(folder) => vec![folder.clone(), folder.join("bin")],
        None => usual(),
    };
    folders.into_iter().map(|folder| folder.join("pg_dump")).find(|program| program.is_file()).ok_or_else(|| {
        Error::new("there is no pg_dump on this machine, and a database is read with it").hint(format!(
            "install PostgreSQL's client programs (apt-get install postgresql-client), or name their folder by {VARIABLE} or \
             [scratch] programs; or give a file that pg_dump wrote elsewhere"
        ))
    })
}

/// What people call them.
impl std::fmt::Display for Programs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgreSQL {} in {}", self.version, self.folder.display())
    }
}

fn named(given: Option<&Path>) -> Option<PathBuf> {
    let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable.or_else(|| given.map(Path::to_path_buf))
}

/// The folders of the search path, then those at the usual places, the newest version first.
fn usual() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    let mut versions: Vec<(Reverse<u32>, PathBuf)> = Vec::new();
    for (place, before, behind) in PLACES {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(version) = name.strip_prefix(before) {
                versions.push((Reverse(major(version.trim_start_matches(['@', '-']))), entry.path().join(behind)));
            }
        }
    }
    versions.sort();
    folders.extend(versions.into_iter().map(|(_, folder)| folder));
    folders
}

/// The number before the first point; 0 if there is none.
fn major(version: &str) -> u32 {
    let digits = version.bytes().take_while(u8::is_ascii_digit).count();
    version[..digits].parse().unwrap_or(0)
}

/// What `postgres --version` says: `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version(folder: &Path) -> Option<String> {
    says(&folder.join("postgres"))
}

/// The version that a program says it is of.
fn says(program: &Path) -> Option<String> {
    let output = child::command(program).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split_once(") ")?.1.split_whitespace().next().map(ToString::to_string)
}

/// Who runs the programs if we may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// That of the user's group.
    pub gid: u32,
}

impl User {
    /// Somebody who isn't root.
    ///
    /// # Errors
    /// When the machine knows nobody else.
    pub fn other_than_root() -> Result<User> {
        let all = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "_postgres", "nobody"].iter().find_map(|name| User::named(&all, name)).ok_or_else(|| {
            Error::new("PostgreSQL programs refuse to run as root, and there is no user postgres or nobody to run them")
                .hint("run consolidate as another user")
        })
    }

    /// A line of `/etc/passwd`: `name:password:uid:gid:…`.
    fn named(all: &str, name: &str) -> Option<User> {
        let line = all.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        let (uid, gid) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        (uid != 0).then(|| User { name: name.to_string(), uid, gid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!((major("17"), major("9.6"), major("18beta1"), major("")), (17, 9, 18, 0));
    }

    #[test]
    fn users_are_read_and_root_is_none() {
        let all = "root:x:0:0::/root:/bin/sh\npostgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        let postgres = User { name: "postgres".into(), uid: 101, gid: 104 };
        assert_eq!(User::named(all, "postgres"), Some(postgres));
        assert_eq!((User::named(all, "root"), User::named(all, "nobody")), (None, None));
    }

    #[test]
    fn a_folder_without_programs_is_named() {
        let folder = tempfile::tempdir().unwrap();
        // The variable would win over what is given here.
        if std::env::var_os(VARIABLE).is_none() {
            let error = Programs::find(Some(folder.path())).unwrap_err();
            assert_eq!(error.message, format!("there are no PostgreSQL programs in {}", folder.path().display()));
        }
    }
}
