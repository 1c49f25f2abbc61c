//! Nothing that a history says reaches a terminal, a log or a report but as a text to read; nothing of a folder is passed over
//! in silence or waited for; and what can't be written is said.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]
#![cfg(unix)]

mod cli_support;

use cli_support::{Project, Ran, ran};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What names and texts hold here: commands to GitHub's runner on lines of their own, and what steers a terminal or a format.
const LINES: &str = "\n::error::x\r\n  ::stop-commands::t\rend";
const MARKS: &str = "\u{1b}[31m\u{202e}\u{2066}\u{85}]]>`|##[error]@me";

const FORMATS: &[&str] = &["text", "json", "markdown", "junit", "github"];

/// What must not be in a line that leaves.
fn is_hidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Checks one stream of one run.
#[track_caller]
fn harmless(text: &str, format: &str, what: &str) {
    if format == "json" {
        // JSON has escapes of its own, and no line of it begins with a text.
        serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|e| panic!("{what}: {e}: {text}"));
        assert!(!text.contains(['\u{1b}', '\r']), "{what}: {text:?}");
    } else {
        // A return before a line's end does nothing; alone it would begin a line of its own.
        let text = text.replace("\r\n", "\n");
        let found = text.chars().find(|c| is_hidden(*c));
        assert_eq!(found, None, "{what}: {text:?}");
        assert!(!text.contains("##["), "{what}: {text}");
    }
    for line in text.lines().map(str::trim_start).filter(|line| line.starts_with("::")) {
        let ours = ["::error ", "::warning ", "::notice "].iter().any(|begin| line.starts_with(begin));
        assert!(format == "github" && ours && line.contains("title=consolidate%3A "), "{what}: a command: {line}");
    }
    if format == "junit" {
        assert!(!text.contains("]]>") && text.ends_with("</testsuites>\n"), "{what}: {text}");
    }
    if format == "markdown" {
        let fenced = text.split("```").step_by(2).collect::<String>();
        assert!(!fenced.contains("@me"), "{what}: a mention: {text}");
    }
}

#[track_caller]
fn checked(project: &Project, arguments: &str, format: &str, code: i32) -> Ran {
    let full = if format == "text" { arguments.to_string() } else { format!("{arguments} --format {format}") };
    let ran = project.run(&full);
    assert_eq!(ran.code, code, "{full}: {ran:#?}");
    if !ran.out.is_empty() {
        harmless(&ran.out, format, &full);
    }
    harmless(&ran.err, "text", &full);
    ran
}

/// A history whose names and texts all are hostile, and a set that differs in each kind of thing.
fn hostile() -> Project {
    let project = Project::empty();
    let [l, m] = [LINES, MARKS].map(|text| text.replace('"', "\"\""));
    let common = format!(
        "CREATE ROLE \"r{l}\";\nCREATE TABLE \"t{l}\" (\"c{l}\" text, \"k{m}\" int PRIMARY KEY);\n\
         CREATE TABLE \"u{m}\" (id int);\nGRANT SELECT ON \"t{l}\" TO \"r{l}\";\n\
         CREATE FUNCTION \"f{m}\"() RETURNS int LANGUAGE sql AS $$ SELECT 1 /* {l} */\n  ::int $$;\n"
    );
    let rest = |word: &str| {
        format!(
            "COMMENT ON TABLE \"t{l}\" IS '{word}{l}{m}';\nINSERT INTO \"t{l}\" VALUES ('{word}{l}{m}', 1);\n\
             CREATE VIEW \"v{m}\" AS SELECT '{word}{l}'::text AS \"w{m}\";\n\
             ALTER ROLE \"r{l}\" SET search_path = '{word}{m}';\n"
        )
    };
    let dead = format!("CREATE TABLE \"d{l}\" (\"e{m}\" int);\nDROP TABLE \"d{l}\";\n");
    project.write("migrations.old/1_a.sql", &common);
    // The name of a file can hold no line break that a log would see; all else can stand in it.
    let name = format!("2_{}.sql", MARKS.replace('/', ""));
    project.write(&format!("migrations.old/{name}"), rest("old") + &dead);
    project.write("other/1_a.sql", &common);
    project.write(
        &format!("other/{name}"),
        rest("new") + &format!("CREATE TABLE \"x{l}\" ();\nCREATE TABLE \"y{m}\" ();\n"),
    );
    project
}

#[test]
fn a_plan_of_a_hostile_history_is_a_text_in_every_format() {
    let project = hostile();
    for format in FORMATS {
        checked(&project, "plan", format, 0);
    }
    let text = checked(&project, "plan", "text", 0).out;
    assert!(text.contains("\\n::error::x"), "the name is shown in one line: {text}");
    checked(&project, "plan --explain 1_a.sql:2", "text", 0);
    checked(&project, "plan --check", "text", 1);
}

#[test]
fn a_verdict_on_hostile_sets_is_a_text_in_every_format() {
    let project = hostile();
    for format in FORMATS {
        let ran = checked(&project, "verify --new other", format, 1);
        assert!(ran.out.contains("stop-commands"), "the difference is told: {}", ran.out);
    }
    checked(&project, "diff migrations.old other", "text", 1);
}

#[test]
fn what_is_written_and_said_of_a_hostile_history_is_harmless() {
    let project = hostile();
    fs::remove_dir_all(project.path("other")).expect("removed");
    checked(&project, "emit --annotate --summary summary.md", "text", 0);
    harmless(&project.read("summary.md"), "text", "the summary");
    checked(&project, "handover", "text", 0);
    fs::remove_dir_all(project.path("migrations")).expect("removed");
    fs::rename(project.path("migrations.old"), project.path("migrations")).expect("moved");
    checked(&project, "emit --in-place", "text", 0);
    checked(&project, "restore", "text", 0);
    checked(&project, "init", "text", 0);
    let toml = project.read("consolidate.toml");
    harmless(&toml, "text", "the configuration");
    let parsed: toml::Table = toml.parse().expect("it is TOML");
    assert!(parsed.keys().all(|key| ["old", "new", "scratch", "emit"].contains(&key.as_str())), "{toml}");
}

#[test]
fn errors_of_a_hostile_history_are_texts() {
    let raised =
        format!("DO $$ BEGIN RAISE EXCEPTION '{LINES}{MARKS}' USING HINT = '{LINES}', DETAIL = '{MARKS}'; END $$;\n");
    let project = Project::history(&[("1_a.sql", &raised)]);
    let ran = checked(&project, "emit --dry-run", "text", 2);
    assert!(ran.err.contains("stop-commands"), "{}", ran.err);
    // Syntax errors say what stands there; arguments, settings and folders too.
    let project = Project::history(&[("1_a.sql", &format!("CREATE TABLE \"a{LINES}\" (nott \"b{MARKS}\" nott);\n"))]);
    checked(&project, "plan", "text", 2);
    let wrong = |arguments: &[&str]| {
        let ran = cli_support::ran(project.command("plan").args(arguments));
        assert_eq!(ran.code, 2, "{ran:#?}");
        harmless(&ran.err, "text", &format!("{arguments:?}"));
    };
    let [lines, marks] = [format!("x{LINES}"), format!("x{MARKS}")];
    wrong(&["--old", &lines]);
    wrong(&["--ignore", &lines]);
    wrong(&["--format", &marks]);
    wrong(&[&lines]);
    project.write("consolidate.toml", format!("\"{}\" = 1\n", MARKS.replace(['\u{1b}', '\u{85}'], "")));
    checked(&project, "plan", "text", 2);
    fs::remove_file(project.path("consolidate.toml")).expect("removed");
    project.write("migrations.old/2_b.sql", "");
    fs::rename(project.path("migrations.old/2_b.sql"), project.path(&format!("migrations.old/2_{LINES}.sql")))
        .expect("moved");
    let ran = checked(&project, "plan", "text", 2);
    assert!(ran.err.contains("line break"), "{}", ran.err);
}

/// Runs a program in a shell with limits or mounts of its own.
fn sh(project: &Project, script: &str) -> Ran {
    let program = Path::new(env!("CARGO_BIN_EXE_consolidate"));
    let mut command = Command::new("sh");
    command.args([OsStr::new("-c"), OsStr::new(script), program.as_os_str()]).current_dir(project.path(""));
    ran(command.env("CONSOLIDATE_PG_BIN", "/nowhere").stdin(Stdio::null()))
}

#[test]
fn a_full_disk_behind_the_output_is_told() {
    let project = Project::small();
    project.write("same/1.sql", "CREATE TABLE a (id int);\n");
    let mut commands: Vec<String> = FORMATS.iter().map(|format| format!("plan --format {format}")).collect();
    let others = [
        "plan --explain 1_shops.sql:2",
        "emit --dry-run",
        "emit --in-place --old same --new same",
        "restore --new same",
    ];
    commands.extend(others.map(String::from));
    commands.extend(
        [
            "init",
            "emit",
            "verify --format markdown",
            "handover",
            "diff same same",
            "--help",
            "--version",
            "plan --help",
        ]
        .map(String::from),
    );
    for arguments in commands {
        let ran = sh(&project, &format!("exec \"$0\" {arguments} > /dev/full"));
        assert_eq!(ran.code, 2, "{arguments}: {ran:#?}");
        assert!(ran.err.contains("No space left on device"), "{arguments}: {}", ran.err);
    }
    // What was to be done is done, and said to be.
    assert!(project.path("migrations/1_shops.sql").exists() && project.path("consolidate.toml").exists());
    // What is said must arrive as well; a reader that goes away is no error, as ever.
    assert_eq!(sh(&project, "exec \"$0\" plan --check --old same --new nowhere 2> /dev/full").code, 0);
    assert_eq!(sh(&project, "exec \"$0\" plan --old nowhere 2> /dev/full").code, 2);
    project.write("dead/1.sql", "CREATE TABLE a ();\nDROP TABLE a;\n");
    assert_eq!(sh(&project, "exec \"$0\" plan --check --old dead --new nowhere 2> /dev/full").code, 2);
    for format in FORMATS {
        let ran = sh(&project, &format!("{{ \"$0\" plan --format {format}; echo $? > code; }} | true"));
        assert_eq!((project.read("code").trim(), ran.err.as_str()), ("0", ""), "{format}");
    }
}

#[test]
fn a_full_memory_disk_is_told() {
    let project = Project::small();
    if !sh(&project, "unshare -rm true").err.is_empty() {
        eprintln!("skipped: this user can't mount a small disk (unshare -rm)");
        return;
    }
    let before = project.tree("");
    let mounted =
        "exec unshare -rm sh -c 'mount -t tmpfs -o size=3g,nr_inodes=200 tmpfs /dev/shm && exec \"$0\" emit' \"$0\"";
    let ran = sh(&project, mounted);
    // A machine with little memory doesn't use that disk, and has nothing to tell.
    if ran.code != 0 {
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:#?}");
        assert!(ran.err.contains("is there room for it in /dev/shm?"), "{}", ran.err);
        assert!(project.tree("") == before, "something was written");
    }
    // A file may grow no longer than nothing: a signal, or an error, and nothing half-written.
    let _ = sh(&project, "ulimit -f 0; trap '' XFSZ; \"$0\" plan > /dev/null; \"$0\" init; true");
    assert!(project.tree("") == before, "{:?}", project.tree("").keys());
}

/// What a folder of migrations may hold in the place of a file.
fn place(what: &str, at: &Path) {
    let made = |mut command: Command| assert!(command.status().expect("it runs").success(), "{what}");
    match what {
        "a link" => std::os::unix::fs::symlink("nowhere", at).expect("a link"),
        "a link in a circle" => std::os::unix::fs::symlink(at, at).expect("a link"),
        "a pipe" => {
            let mut command = Command::new("mkfifo");
            command.arg(at);
            made(command);
        }
        "a link to a device" => std::os::unix::fs::symlink("/dev/zero", at).expect("a link"),
        "a socket" => drop(std::os::unix::net::UnixListener::bind(at).expect("a socket")),
        "a folder" => fs::create_dir(at).expect("a folder"),
        _ => panic!("{what}"),
    }
}

#[test]
fn each_entry_of_a_folder_is_read_or_refused_by_its_name() {
    for what in ["a link", "a link in a circle", "a pipe", "a link to a device", "a socket", "a folder"] {
        for name in ["2_s.sql", "2_S.SQL"] {
            let project = Project::small();
            place(what, &project.path("migrations.old").join(name));
            for command in
                ["plan", "emit --dry-run", "verify", "init --old migrations.old", "diff migrations.old migrations.old"]
            {
                let ran = project.run(command);
                assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{what}, {command}: {ran:#?}");
                assert!(ran.err.contains(&format!("migrations.old/{name} is ")), "{what}, {command}: {}", ran.err);
            }
        }
    }
    // A link that leads nowhere and is no SQL is named; a pipe is never taken for something to pass over.
    let project = Project::small();
    place("a link", &project.path("migrations.old/notes.md"));
    assert!(project.fine("plan").out.contains("notes.md:1: a link that leads nowhere: not read"));
    place("a pipe", &project.path("migrations.old/notes"));
    assert!(project.run("plan").err.contains("migrations.old/notes is a pipe (FIFO), not a file"));
    let project = Project::empty();
    place("a pipe", &project.path("consolidate.toml"));
    assert!(project.run("plan").err.contains("it is a pipe (FIFO)"));
    // A name that nobody could print.
    let project = Project::small();
    fs::write(project.path("migrations.old").join(OsStr::from_bytes(b"3_\xff.sql")), "").expect("a file");
    assert_eq!(project.run("plan").code, 2);
}

#[test]
fn nothing_in_the_target_is_waited_for() {
    for what in ["a pipe", "a socket"] {
        for name in ["9_x.sql", "notes.txt", ".hidden", "deep/9_x"] {
            let project = Project::small();
            fs::create_dir_all(project.path("migrations/deep")).expect("folders");
            place(what, &project.path("migrations").join(name));
            for command in ["emit", "emit --force"] {
                project.refused(command, &[&format!("migrations/{name} is "), "move it out"]);
            }
        }
    }
    let project = Project::empty();
    project.write("migrations/1_a.sql", "CREATE TABLE a (id int);\n");
    place("a pipe", &project.path("migrations/.pipe"));
    project.refused("emit --in-place", &["migrations/.pipe is a pipe (FIFO)"]);
    fs::remove_file(project.path("migrations/.pipe")).expect("removed");
    project.fine("emit --in-place");
    place("a pipe", &project.path("migrations/.pipe"));
    project.refused("restore", &["holds what would be lost: .pipe"]);
    project.fine("restore --force");
}

#[test]
fn text_that_postgresql_would_refuse_is_refused_with_its_place() {
    let refused = |text: &[u8], words: &[&str]| {
        let project = Project::empty();
        project.write("migrations.old/1_a.sql", "CREATE TABLE a (id int);\n");
        project.write("migrations.old/2_b.sql", text);
        project.refused("plan", words);
        project.refused("emit --dry-run", words);
        project.write("prelude.sql", text);
        fs::remove_file(project.path("migrations.old/2_b.sql")).expect("removed");
        project.refused("emit --dry-run --prelude prelude.sql", &["prelude.sql:"]);
    };
    let comment = "migrations.old/2_b.sql:2:3: unterminated /* comment";
    refused(b"SELECT 1;\n  /* and CREATE TABLE b ();\n", &[comment, "end it with */"]);
    refused(b"SELECT 1\n  /* a /* b */ ; CREATE TABLE b ();\n", &[comment]);
    refused(b"CREATE TABLE b ();\n-- \xc3\xa9\0x\n", &["2_b.sql:2:5: a NUL byte"]);
    refused(b"CREATE TABLE b ();\nSELECT 'a\0b';\n", &["2_b.sql:2:10: a NUL byte"]);
    let project = Project::empty();
    for (number, text) in ["SELECT 'a;\n", "SELECT \"a;\n", "SELECT $x$a;\n", "SELECT E'a\\';\n"].iter().enumerate() {
        project.write(&format!("migrations.old/{number}_a.sql"), text);
    }
    project.refused("plan", &["0_a.sql:1", "1_a.sql:1", "2_a.sql:1", "3_a.sql:1", "unterminated"]);
}

#[test]
fn a_folder_of_more_than_migrations_is_never_replaced() {
    let project = Project::small();
    project.refused("emit --new . --force", &["is the folder in which this runs"]);
    project.refused("emit --new ../ --force", &["is the folder in which this runs, or holds it"]);
    project.write("sub/consolidate.toml", "old = \"../migrations.old\"\n");
    project.refused("emit --trusted paths --config sub/consolidate.toml --new sub", &["sub holds the configuration"]);
    project.write("repository/.git/HEAD", "ref: refs/heads/main\n");
    project.refused("emit --new repository", &["repository holds a .git"]);
    project.write("db/history/1_a.sql", "CREATE TABLE a (id int);\n");
    project.refused("emit --old db/history --new db", &["db holds the history"]);
    let mut inside = project.command("emit --old . --new . --in-place");
    assert!(ran(inside.current_dir(project.path("db/history"))).err.contains("is the folder in which this runs"));
    // The place of a history is beside its set, whatever a manifest says.
    project.write("elsewhere/1_a.sql", "");
    project.write("sets/migrations/.consolidate", "# in place of ../elsewhere\n");
    project.refused("restore --new sets/migrations", &["holds no set that was written in place"]);
}

/// Where each migration has a folder, people name some of them as files; elsewhere such a folder is named as not read.
#[test]
fn a_folder_of_a_migration_may_be_named_as_a_file() {
    let project = Project::empty();
    project.write("migrations.old/migration_lock.toml", "provider = \"postgresql\"\n");
    project.write("migrations.old/20230101000000_a.sql/migration.sql", "CREATE TABLE a (id int);\n");
    project.write("migrations.old/20230102000000_b/migration.sql", "ALTER TABLE a ADD b int;\n");
    let plan = project.json("plan", 0);
    assert_eq!((&plan["layout"], &plan["totals"]["files"]["before"]), (&"prisma".into(), &2.into()), "{plan:#}");
    let project = Project::small();
    project.write("migrations.old/2_s.sql/x.sql", "CREATE TABLE hidden (id int);\n");
    assert!(project.run("plan").out.contains("2_s.sql/x.sql") || project.run("plan").code == 2);
}
