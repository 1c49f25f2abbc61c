//! Programs that we start for scratch databases. They are given of our environment what they need and nothing else: what a
//! history starts has the environment of its server, and ours may hold secrets.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// What programs need to be found and to run, and to speak as they do here. Settings of the locale (`LC_…`) come to it.
const NEEDED: &[&str] = &[
    "PATH",
    "LANG",
    "TMPDIR",
    // PostgreSQL of nix, conda or a folder of one's own finds its libraries by these.
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    // Without it no program of Windows finds the network.
    "SystemRoot",
];

/// What a client is told of the server that the user names: passwords, certificates, tickets.
const OF_CLIENTS: &[&str] = &["HOME", "APPDATA", "KRB5CCNAME", "KRB5_CONFIG"];

/// A program that knows nothing of us, ready for arguments.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    let is_needed = |name: &str| NEEDED.contains(&name) || name.starts_with("LC_");
    command.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_needed)));
    command
}

/// A program of PostgreSQL that asks a server of the user's: it is told what the user's own programs would be.
pub fn client(program: impl AsRef<OsStr>) -> Command {
    let mut command = command(program);
    let is_told = |name: &str| OF_CLIENTS.contains(&name) || name.starts_with("PG");
    command.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_told)));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_told_what_it_needs_and_no_more() {
        let told = |command: &Command| -> Vec<String> {
            let all = command.get_envs().filter(|(_, value)| value.is_some());
            all.map(|(name, _)| name.to_string_lossy().into_owned()).collect()
        };
        let own = told(&command("true"));
        assert!(own.iter().any(|name| name == "PATH"), "{own:?}");
        assert!(!own.iter().any(|name| name.starts_with("CARGO") || name == "HOME"), "{own:?}");
        assert!(!told(&client("true")).iter().any(|name| name.starts_with("CARGO")));
    }
}
