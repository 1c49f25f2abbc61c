//! Walls around the servers of scratch clusters, where Linux lets us build them: no network, and no view of the home or of
//! what other programs are told (`/proc`). What a history starts is inside of them, too.
//!
//! They are built by `unshare` of util-linux, which then becomes the server itself. Where it is missing, or where the system
//! forbids it, there are none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::child;
use super::programs::User;

/// Hides a folder and `/proc` behind empty ones, and becomes the program that comes next.
const HIDE: &str = r#"
for place in "$1" /proc; do mount -t tmpfs -o ro,mode=0,size=4k none "$place" || exit 1; done
shift
exec "$@"
"#;

/// What comes before a program and its arguments so that it runs behind walls.
#[derive(Debug, Default)]
pub struct Walls {
    before: Vec<OsString>,
}

impl Walls {
    /// The thickest that this machine lets us build around a program that runs as `user`, or as we do. What lies at `seen` must
    /// still be seen.
    pub fn build(user: Option<&User>, seen: &[&Path]) -> Walls {
        if !cfg!(target_os = "linux") {
            return Walls::default();
        }
        let thick = home(seen).map(|home| Walls { before: thick(user, &home) });
        let all = thick.into_iter().chain([Walls { before: thin(user) }]);
        all.into_iter().find(|walls| walls.stand(user)).unwrap_or_default()
    }

    /// A program behind them, that runs as `user`, or as we do.
    pub fn command(&self, program: &Path, user: Option<&User>) -> Command {
        match self.before.split_first() {
            Some((first, rest)) => {
                let mut command = child::command(first);
                command.args(rest).arg(program);
                command
            }
            None => {
                let mut command = child::command(program);
                #[cfg(unix)]
                if let Some(user) = user {
                    use std::os::unix::process::CommandExt;
                    command.uid(user.uid).gid(user.gid);
                }
                command
            }
        }
    }

    /// Whether there are any.
    #[cfg(test)]
    fn are_there(&self) -> bool {
        !self.before.is_empty()
    }

    fn stand(&self, user: Option<&User>) -> bool {
        let mut command = self.command(Path::new("true"), user);
        let ended = command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null()).status();
        ended.is_ok_and(|status| status.success())
    }
}

/// Our home, unless it holds what must be seen.
fn home(seen: &[&Path]) -> Option<PathBuf> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let home = real(&PathBuf::from(std::env::var_os("HOME")?))?;
    let is_apart = |path: &&Path| real(path).is_some_and(|path| !path.starts_with(&home));
    (home.parent().is_some() && seen.iter().all(is_apart)).then_some(home)
}

fn thick(user: Option<&User>, home: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = match user {
        Some(_) => told(&["unshare", "--net", "--mount"]),
        None => told(&["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "--mount"]),
    };
    words.extend(told(&["--", "sh", "-c", HIDE, "sh"]));
    words.push(home.into());
    words.extend(match user {
        Some(user) => become_user(user),
        // What it took to hide them.
        None => told(&["setpriv", "--ambient-caps=-all", "--inh-caps=-all", "--"]),
    });
    words
}

fn thin(user: Option<&User>) -> Vec<OsString> {
    match user {
        Some(user) => told(&["unshare", "--net", "--"]).into_iter().chain(become_user(user)).collect(),
        None => told(&["unshare", "--user", "--map-current-user", "--net", "--"]),
    }
}

fn become_user(user: &User) -> Vec<OsString> {
    let (uid, gid) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
    told(&["setpriv", &uid, &gid, "--clear-groups", "--"])
}

fn told(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_holds_what_must_be_seen_is_not_hidden() {
        let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else { return };
        assert_eq!(super::home(&[&home]), None);
        assert_eq!(super::home(&[Path::new("/no/such/place")]), None);
    }

    #[test]
    fn behind_walls_there_is_no_network() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = format!("echo > /dev/tcp/127.0.0.1/{}", listener.local_addr().unwrap().port());
        let connects = |mut command: Command| {
            command.args(["-c", &connect]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let walls = Walls::build(None, &[]);
        if !walls.are_there() || !connects(child::command("bash")) {
            eprintln!("skipped: this machine lets us build no walls (unshare), or has no bash");
            return;
        }
        assert!(!connects(walls.command(Path::new("bash"), None)));
    }
}
