//! What a file of a repository may bring about, and what only the command line and the environment may.
//!
//! A pull request brings its own `consolidate.toml`. Nothing in that may start a program, send anything to another machine,
//! read a variable of the environment, or reach a file outside of the repository. Who trusts a repository says so by name,
//! with `--trusted WHAT` or `CONSOLIDATE_TRUSTED`.

use crate::error::{At, Error, Result};
use crate::named::Named;
use std::path::{Component, Path, PathBuf};
use url::Url;

/// The environment variable that names what is trusted.
pub const VARIABLE: &str = "CONSOLIDATE_TRUSTED";

/// What a repository's own files can ask for and don't get, unless it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// `[scratch] programs`: running the PostgreSQL programs of a folder that it names
    Programs,
    /// A layout whose migrations are code of the project (alembic): running that code
    Layout,
    /// A `[scratch] url` of another machine, or one with values of environment variables
    Url,
    /// Files and folders outside of the repository
    Paths,
    /// What a history reaches for where it is replayed: programs, files, other servers, code that nothing holds back
    Reach,
}

impl Named for Trust {
    const ALL: &'static [Trust] = &[Trust::Programs, Trust::Layout, Trust::Url, Trust::Paths, Trust::Reach];

    fn name(self) -> &'static str {
        match self {
            Trust::Programs => "programs",
            Trust::Layout => "layout",
            Trust::Url => "url",
            Trust::Paths => "paths",
            Trust::Reach => "reach",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Trust::Programs => "[scratch] programs: running the PostgreSQL programs of a folder that it names",
            Trust::Layout => "A layout whose migrations are code of the project (alembic): running that code",
            Trust::Url => "A [scratch] url of another machine, or one with values of environment variables",
            Trust::Paths => "Files and folders outside of the repository",
            Trust::Reach => {
                "What a history reaches for where it is replayed: programs, files, other servers, code that nothing holds \
                 back"
            }
        }
    }
}

impl Trust {
    /// How a refusal ends: by which words the user can have it all the same.
    pub fn hint(self, instead: &str) -> String {
        let name = self.name();
        format!(
            "a file of a repository can't ask for that by itself, since a pull request may bring it: {instead}; or, if you \
             trust all that this repository may hold, --trusted {name} or {VARIABLE}={name}"
        )
    }
}

/// What is trusted.
#[derive(Debug, Clone, Default)]
pub struct Trusted(Vec<Trust>);

impl Trusted {
    /// What the command line says, and the variable, with commas between its words.
    ///
    /// # Errors
    /// When the variable holds a word that names nothing.
    pub fn read(said: &[Trust], variable: Option<&str>) -> Result<Trusted> {
        let mut all = said.to_vec();
        for word in variable.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty()) {
            all.push(Trust::by_name(word).ok_or_else(|| {
                let names = Trust::ALL.iter().map(|trust| trust.name()).collect::<Vec<_>>().join(", ");
                Error::new(format!("{VARIABLE} says {word:?}, which names nothing that can be trusted"))
                    .hint(format!("it takes these, with commas between them: {names}"))
            })?);
        }
        Ok(Trusted(all))
    }

    /// Whether something is trusted.
    pub fn has(&self, trust: Trust) -> bool {
        self.0.contains(&trust)
    }

    /// Refuses what a setting asks for, unless it is trusted.
    ///
    /// # Errors
    /// Then, with the setting's place.
    pub fn allow(&self, trust: Trust, at: Option<At>, what: &str, instead: &str) -> Result<()> {
        if self.has(trust) {
            return Ok(());
        }
        let error = Error::new(what).hint(trust.hint(instead));
        Err(Error { at, ..error })
    }
}

/// Why an address in a file of the repository isn't used as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// It takes values of environment variables.
    Variables,
    /// It is of another machine.
    Machine,
}

/// Whether an address reaches out of this machine or its own text. One that can't be read leads nowhere.
pub fn leaves(address: &str) -> Option<Leaves> {
    if address.starts_with("env:") || address.contains("${") {
        return Some(Leaves::Variables);
    }
    let url = Url::parse(address).ok()?;
    let queried = url.query_pairs().filter(|(key, _)| key == "host" || key == "hostaddr");
    let hosts = url.host_str().map(ToString::to_string).into_iter().chain(queried.map(|(_, value)| value.into_owned()));
    hosts.into_iter().any(|host| !is_here(&host)).then_some(Leaves::Machine)
}

/// Whether a host is this machine, or the folder of a socket.
fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let is_loopback = bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_socket = (bare.starts_with('/') || bare.starts_with("%2f")) && !bare.contains(',');
    bare.is_empty() || bare == "localhost" || is_loopback || is_socket
}

/// Whether a path that a file of a repository names leads out of it, by its text or by a link. `base` is the folder of
/// that file; the repository is the folder above that holds `.git`, if there is one.
pub fn leads_out(base: &Path, named: &Path) -> bool {
    let start = if base.as_os_str().is_empty() { Path::new(".") } else { base };
    let Ok(base) = std::fs::canonicalize(start) else { return true };
    let root = base.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&base);
    !real(&base.join(named)).starts_with(root)
}

/// A path without links and dots, as far as it exists; what doesn't exist yet is taken by its text.
fn real(path: &Path) -> PathBuf {
    let mut seen = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(seen.pop()),
            Component::CurDir => {}
            part => {
                seen.push(part);
                seen = std::fs::canonicalize(&seen).unwrap_or(seen);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_holds_words() {
        let read = |text: &str| Trusted::read(&[], Some(text));
        let two = read("url, layout,").unwrap();
        assert!(two.has(Trust::Url) && two.has(Trust::Layout) && !two.has(Trust::Programs));
        let error = read("all").unwrap_err();
        assert!(
            error.message.contains("\"all\"") && error.hint.unwrap().contains("programs, layout, url, paths, reach")
        );
        assert!(!Trusted::read(&[], None).unwrap().has(Trust::Paths));
        assert!(Trusted::read(&[Trust::Paths], None).unwrap().has(Trust::Paths));
    }

    #[test]
    fn an_address_of_this_machine_stays_here() {
        for address in [
            "postgres://localhost/",
            "postgres://me:word@LOCALHOST:5433/",
            "postgresql://127.0.0.1",
            "postgres://[::1]:5432/",
            "postgres:///?host=/var/run/postgresql",
            "postgres://%2Fvar%2Frun/",
            "postgres://me@/",
            "nonsense",
        ] {
            assert_eq!(leaves(address), None, "{address}");
        }
    }

    #[test]
    fn any_other_leaves() {
        for address in [
            "postgres://db.example/",
            "postgres://localhost.example/",
            "postgres://localhost@10.0.0.1/",
            "postgres://localhost,db.example/",
            "postgres://localhost/?host=db.example",
            "postgres://localhost/?hostaddr=10.0.0.1",
            "postgres://localhost/?host=/tmp,db.example",
            "postgres://0.0.0.0/",
        ] {
            assert_eq!(leaves(address), Some(Leaves::Machine), "{address}");
        }
        for address in ["env:URL", "postgres://${TOKEN}@localhost/", "postgres://localhost/?password=${TOKEN}"] {
            assert_eq!(leaves(address), Some(Leaves::Variables), "{address}");
        }
    }

    #[test]
    fn a_path_may_lead_out_by_its_text_and_by_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repository");
        std::fs::create_dir_all(root.join("app")).unwrap();
        let out = |base: &str, path: &str| leads_out(&root.join(base), Path::new(path));
        assert!(out("app", "../db") && out("", "..") && out("", "/etc") && out("", "app/../../x"));
        assert!(!out("", "app/new") && !out("", "app/../db") && !out("", "."));
        std::fs::create_dir(root.join(".git")).unwrap();
        assert!(!out("app", "../db") && out("app", "../../db"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
            assert!(out("", "link") && out("", "link/passwd"));
        }
    }
}
