//! The git program, asked about a repository that may be hostile: its configuration must not start a program, and no object
//! is fetched from anywhere.

use std::process::{Command, Stdio};

/// Settings that win over those of the repository. A folder inside a checkout that looks like a repository is none.
const SETTINGS: [&str; 6] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.sshCommand=false",
    "protocol.allow=never",
    "safe.bareRepository=explicit",
];

/// Git, ready for a command. What it asks for it asks nobody.
pub fn git() -> Command {
    let mut command = Command::new("git");
    command.arg("--no-pager").args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
    command.env("GIT_ALLOW_PROTOCOL", "none").env("GIT_NO_LAZY_FETCH", "1").env("GIT_TERMINAL_PROMPT", "0");
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_ASKPASS", "false").env_remove("GIT_EXTERNAL_DIFF");
    command.stdin(Stdio::null());
    command
}
