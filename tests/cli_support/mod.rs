//! Projects in temporary folders, and the built program run in them.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A project of its own; it goes when the test ends.
pub struct Project {
    folder: TempDir,
}

/// What a run of the program said.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Everything in a folder, by path; a folder's content is `None`.
pub type Tree = BTreeMap<PathBuf, Option<Vec<u8>>>;

impl Project {
    /// An empty folder.
    pub fn empty() -> Project {
        let folder = tempfile::Builder::new().prefix("cli-test-").tempdir().expect("a temporary folder");
        Project { folder }
    }

    /// A history of these files in `migrations.old`.
    pub fn history(files: &[(&str, &str)]) -> Project {
        let project = Project::empty();
        for (name, text) in files {
            project.write(&format!("migrations.old/{name}"), text);
        }
        project
    }

    /// A history with something dead in it, and two files that stay.
    pub fn small() -> Project {
        Project::history(&[
            (
                "1_shops.sql",
                "-- Where things are sold\nCREATE TABLE shop (id int PRIMARY KEY);\nCREATE TABLE draft (id int);\n",
            ),
            ("2_items.sql", "CREATE TABLE item (id int);\nDROP TABLE draft;\nALTER TABLE shop ADD COLUMN name text;\n"),
        ])
    }

    /// This repository's own example.
    pub fn example() -> Project {
        let project = Project::empty();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["migrations.old", "migrations"] {
            for (path, content) in tree(&root.join(folder)) {
                project.write(
                    Path::new(folder).join(path).to_str().expect("names are UTF-8"),
                    content.unwrap_or_default(),
                );
            }
        }
        fs::copy(root.join("consolidate.toml"), project.path("consolidate.toml")).expect("consolidate.toml");
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and makes its folders.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Everything in a folder of the project; nothing if it isn't there.
    pub fn tree(&self, folder: &str) -> Tree {
        tree(&self.path(folder))
    }

    /// Runs `consolidate` with arguments that hold no spaces.
    pub fn run(&self, arguments: &str) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// The program, ready to run.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consolidate"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path());
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
        // The same on machines with and without PostgreSQL; tests/scratch_local.rs takes it back.
        command.env("CONSOLIDATE_PG_BIN", "/nowhere");
        command
    }

    /// Runs, and gives the JSON on standard output; the exit code must be the wanted one.
    pub fn json(&self, arguments: &str, code: i32) -> serde_json::Value {
        let ran = self.run(&format!("{arguments} --format json"));
        assert_eq!(ran.code, code, "{ran:#?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.out))
    }

    /// Runs what must fail with exit code 2: nothing may be printed as data, nothing in the whole project may change, every
    /// error must have a hint, and the texts must be in the message.
    #[track_caller]
    pub fn refused(&self, arguments: &str, texts: &[&str]) -> String {
        let before = self.tree("");
        let ran = self.run(arguments);
        assert_eq!(ran.code, 2, "{ran:#?}");
        assert_eq!(ran.out, "", "standard output is for data");
        assert!(self.tree("") == before, "something was written: {:?}", self.tree("").keys());
        // Errors of one hint stand before it, and each hint is said once.
        let said: Vec<&str> = ran.err.lines().filter(|l| l.starts_with("error:") || l.starts_with("hint:")).collect();
        let hints: Vec<&&str> = said.iter().filter(|l| l.starts_with("hint:")).collect();
        let begins = said.first().is_some_and(|l| l.starts_with("error:"));
        assert!(begins && said.last().is_some_and(|l| l.starts_with("hint:")), "an error without a hint: {}", ran.err);
        assert!(hints.windows(2).all(|two| two[0] != two[1]), "a hint twice: {}", ran.err);
        for text in texts {
            assert!(ran.err.contains(text), "no {text:?} in: {}", ran.err);
        }
        ran.err
    }

    /// Runs what must succeed.
    #[track_caller]
    pub fn fine(&self, arguments: &str) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{ran:#?}");
        ran
    }
}

/// Whether a signal ends what the tests start. Not if whoever started the tests wants it ignored, as nohup does with HUP, and
/// shells with INT for what runs in the background: the program keeps to that.
pub fn heeds(signal: &str) -> bool {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let number = [("HUP", SIGHUP), ("INT", SIGINT), ("TERM", SIGTERM)].into_iter().find(|(name, _)| *name == signal);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    number.is_none_or(|(_, number)| ignored >> (number - 1) & 1 == 0)
}

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    let code = output.status.code().unwrap_or_else(|| panic!("ended by a signal: {:?}", output.status));
    Ran { code, out: text(output.stdout), err: text(output.stderr) }
}

fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        let Ok(entries) = fs::read_dir(&next) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder).expect("it lies in the folder").to_path_buf();
            if path.is_dir() {
                found.insert(name, None);
                open.push(path);
            } else {
                // What is no file, a pipe, say, has nothing to read.
                let content = if path.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
                found.insert(name, Some(content));
            }
        }
    }
    found
}
