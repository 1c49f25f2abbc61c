//! The migration tools themselves confirm hand-overs, and what HANDOVER.md says of new folders without one: `make real-tools`.
//! Each tool runs the old set on one database, which is then handed over; it must have nothing to run there, and then run a
//! further migration. The new set is run on another database. Both databases must be the same to `pg_dump`. A database that
//! is behind is refused.
//!
//! It needs PostgreSQL's programs, and cargo, npm, pip or apt-get with a registry to take the tools from; what isn't there
//! is skipped with a line. Nothing that is fetched stays, unless `REAL_TOOLS` names a folder to keep it in. `ONLY=diesel`
//! looks at that tool alone.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod alembic;
#[path = "../cli_support/mod.rs"]
mod cli_support;
mod liquibase;
mod tools;

use cli_support::{Project, ran};
use consolidate::history::layout;
use consolidate::history::layout::write::{Linked, Outgoing, Output, REFUSES};
use consolidate::scratch::{Database, Needs, Scratch};
use sqlx::{Connection, Executor, PgConnection};
use std::path::PathBuf;
use std::process::Command;
use tools::{Tool, Unaided, skip};

/// Runs SQL on a database of the cluster.
fn sql(url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap_or_else(|e| panic!("{url}: {e}"));
        connection.execute(sqlx::raw_sql(sql)).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
    });
}

fn dump(url: &str, arguments: &[&str]) -> String {
    let (database, socket) = database_and_socket(url);
    let mut command = Command::new("pg_dump");
    command.args(["-U", "postgres", "-p", "5432", "-h", &socket, "-d", &database]).args(arguments);
    let said = ran(&mut command);
    assert_eq!(said.code, 0, "{said:?}");
    // psql's own guard is another in each dump; where the sequence of a tool's table stands is the table's own affair.
    let is_noise = |l: &&str| l.starts_with('\\') || (l.contains("setval(") && l.contains("migrations_id_seq'"));
    said.out.lines().filter(|l| !is_noise(l)).map(|l| format!("{l}\n")).collect()
}

const OLD: &[(&str, &str)] = &[
    ("shop", "CREATE TABLE shop (id int PRIMARY KEY);\n\nCREATE TABLE draft (id int);\n"),
    ("say", "CREATE FUNCTION say() RETURNS text LANGUAGE sql AS $$\n    SELECT 'a;';\n$$;\n"),
    ("no_draft", "DROP TABLE draft;\n\nALTER TABLE shop ADD name text;\n"),
];

/// A migration as the tool lays it out, numbered by its place.
fn migration(name: &str, number: usize, words: &str, text: &str) -> (Outgoing, Vec<(String, String)>) {
    let version = match name {
        "refinery" => number.to_string(),
        "graphile-migrate" => format!("{number:06}"),
        "drizzle" => format!("{:04}", number - 1),
        "drizzle-1" => (20_240_101_000_000 + number as u64).to_string(),
        "node-pg-migrate" => (1_700_000_000_000 + number as u64).to_string(),
        _ => (20_240_101_000_000 + number as u64).to_string(),
    };
    let in_folders = name == "drizzle-1";
    let layout = layout::by_name(if in_folders { "drizzle" } else { name }).expect("a layout");
    let down = (layout.wants_down() == layout::Down::Always).then(|| REFUSES.to_string());
    let (words, stem, text) = (words.to_string(), format!("{number}_{words}"), text.to_string());
    // Only a further migration of Alembic's is written so.
    let before = (name == "alembic").then(|| alembic::revision(OLD.len(), "").0.version);
    let m = Outgoing { version, before, words, stem, text, down, in_folders, ..Outgoing::default() };
    let files = match name {
        // As an author would write it.
        "liquibase" => vec![(format!("{}.sql", m.stem), by_an_author(number, &m.text))],
        _ => layout.write(&m),
    };
    (m, files)
}

fn by_an_author(number: usize, text: &str) -> String {
    format!("--liquibase formatted sql\n\n--changeset ann:{number} splitStatements:false\n{text}")
}

/// Puts a further migration behind a set, with its entry in drizzle's journal.
fn add_further(case: &Case) {
    let (project, layout) = (&case.project, case.tool.name);
    let count = project.tree("migrations").keys().filter(|p| p.extension().is_some_and(|e| e == "sql")).count();
    let number = if layout == "drizzle" { count + 1 } else { 9 };
    let (m, files) = migration(layout, number, "further", "CREATE TABLE further (id int);\n");
    case.write("migrations", files);
    if layout == "drizzle" {
        let journal = "migrations/meta/_journal.json";
        let mut value: serde_json::Value = serde_json::from_str(&project.read(journal)).expect("a journal");
        let entries = value["entries"].as_array_mut().expect("entries");
        let tag = format!("{}_{}", m.version, m.words);
        let step = serde_json::json!({ "idx": count, "version": "7", "when": 1_800_000_000_000_u64, "tag": tag, "breakpoints": true });
        entries.push(step);
        project.write(journal, value.to_string());
    }
}

/// The name of the database in a URL, and the folder of its socket.
fn database_and_socket(url: &str) -> (String, String) {
    let (address, settings) = url.split_once('?').expect("settings");
    let socket = settings.split('&').find_map(|s| s.strip_prefix("host=")).expect("a socket");
    let database = address.rsplit('/').next().expect("a database");
    (database.to_string(), socket.replace("%2F", "/"))
}

/// A tool, and a project whose old set was consolidated.
struct Case<'a> {
    tool: &'a Tool,
    project: Project,
    /// The database in which databases are made.
    url: &'a str,
}

impl Case<'_> {
    /// Where a folder of migrations lies in the project.
    fn at(&self, folder: &str) -> String {
        format!("{}{folder}", self.tool.within)
    }

    fn consolidate(&self, words: &str) -> cli_support::Ran {
        let (name, old, new) = (self.tool.layout, self.at("migrations.old"), self.at("migrations"));
        let mut command = self.project.command(&format!("{words} --layout {name} --old {old} --new {new}"));
        ran(command.envs(self.tool.python.iter().map(|python| ("CONSOLIDATE_PYTHON", python))))
    }

    /// Writes files of the tool behind those that a folder holds.
    fn write(&self, folder: &str, files: Vec<Output>) {
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes?).ok();
        let there = self.project.path(&self.at(folder)).exists().then(|| self.project.tree(&self.at(folder)));
        let there = there.into_iter().flatten().filter_map(|(path, bytes)| {
            Some(Linked { path: path.to_str()?.to_string(), text: text(bytes)?, is_new: false })
        });
        let new = files.into_iter().map(|(path, text)| Linked { path, text, is_new: true });
        let mut linked: Vec<Linked> = there.chain(new).collect();
        layout::by_name(self.tool.layout).expect("a layout").link(&mut linked).expect("they follow each other");
        for file in linked.iter().filter(|file| file.is_new) {
            self.project.write(&format!("{}/{}", self.at(folder), file.path), &file.text);
        }
    }

    /// Writes the first so many migrations of the old set.
    fn write_old(&self, folder: &str, count: usize) {
        let layout = layout::by_name(self.tool.layout).expect("a layout");
        let mut set = Vec::new();
        for (number, (words, text)) in OLD[..count].iter().enumerate() {
            let (m, files) = match self.tool.layout {
                "alembic" => alembic::revision(number + 1, words),
                _ => migration(self.tool.name, number + 1, words, text),
            };
            self.write(folder, files);
            set.push(m);
        }
        let companions = layout.companions(&set, &[], &|_| None).expect("companions");
        companions
            .files
            .iter()
            .for_each(|(path, text)| self.project.write(&format!("{}/{path}", self.at(folder)), text));
    }

    /// Makes a database, and gives its URL.
    fn database(&self, name: &str) -> String {
        let database = format!("{}_{name}", self.tool.name.replace('-', "_"));
        sql(self.url, &format!("CREATE DATABASE {database}"));
        self.url.replace("/postgres?", &format!("/{database}?"))
    }

    /// Runs a folder that must run.
    fn run(&self, folder: &str, url: &str) {
        let said = ran(&mut (self.tool.run)(&self.project.path(&self.at(folder)), url));
        assert_eq!(said.code, 0, "{}: {said:#?}", self.tool.layout);
    }

    /// Whether the tool says that nothing is pending; none if it can't be asked.
    fn is_done(&self, url: &str) -> Option<bool> {
        let (ask, words) = self.tool.ask.as_ref()?;
        let said = ran(&mut ask(&self.project.path(&self.at("migrations")), url));
        Some(said.out.contains(words) || said.err.contains(words))
    }

    /// Everything but the rows of the tool's table, and these.
    fn look(&self, url: &str) -> (String, String) {
        let table = self.tool.table;
        let others = dump(url, &[&format!("--exclude-table-data={table}")]);
        (others, dump(url, &["--data-only", "-t", table]))
    }

    fn hand_over(&self, url: &str, flags: &str) -> cli_support::Ran {
        self.consolidate(&format!("handover --url {url} {flags}"))
    }
}

fn confirm(tool: &Tool, url: &str) {
    let case = Case { tool, project: Project::empty(), url };
    case.write_old("migrations.old", OLD.len());
    tool.files.iter().for_each(|(path, text)| case.project.write(path, text));
    let said = case.consolidate("emit");
    assert_eq!(said.code, 0, "{}: {said:#?}", tool.layout);
    unaided(&case);
    behind(&case);
    handed_over(&case);
    eprintln!("confirmed: {} {}", tool.name, tool.version);
}

/// What stands in HANDOVER.md of databases that nobody hands over.
fn unaided(case: &Case) {
    let name = case.tool.layout;
    case.write_old("behind", OLD.len() - 1);
    for (folder, does) in ["migrations.old", "behind"].iter().zip(case.tool.unaided) {
        let url = case.database(&format!("unaided_{}", folder.replace('.', "_")));
        case.run(folder, &url);
        let before = case.look(&url);
        let said = ran(&mut (case.tool.run)(&case.project.path(&case.at("migrations")), &url));
        let after = case.look(&url);
        assert_eq!(said.code == 0, does == Unaided::Rests, "{name}, {folder}: {said:#?}");
        assert_eq!(after.0, before.0, "{name}, {folder}: the schema was changed");
        assert!(does == Unaided::Stops || after.1 == before.1, "{name}, {folder}: its table was changed");
    }
}

/// A database that lacks the last migration is refused, and stays as it is.
fn behind(case: &Case) {
    let url = case.database("behind");
    case.run("behind", &url);
    let before = case.look(&url);
    for (flags, word) in [("", "drifted:"), ("--allow-drift", "behind:")] {
        let said = case.hand_over(&url, flags);
        assert!(said.code == 1 && said.err.contains(word), "{}: {said:#?}", case.tool.layout);
        assert_eq!(case.look(&url), before, "{}: refused, and yet changed", case.tool.layout);
    }
}

fn handed_over(case: &Case) {
    let name = case.tool.layout;
    let (one, two) = (case.database("one"), case.database("two"));
    case.run("migrations.old", &one);
    let before = case.look(&one);
    let said = case.hand_over(&one, "");
    let words = if case.tool.stays { "counts as having run the new set already" } else { "handed over; only" };
    assert!(said.code == 0 && said.out.contains(words), "{name}: {said:#?}");
    let after = case.look(&one);
    assert_eq!(after.0, before.0, "{name}: more than its table was changed");
    assert_ne!(case.is_done(&one), Some(false), "{name} says that something is pending");
    case.run("migrations", &one);
    assert_eq!(case.look(&one), after, "{name}: something was pending");
    case.run("migrations", &two);
    add_further(case);
    assert_ne!(case.is_done(&one), Some(true), "{name} says that nothing is pending, whatever there is");
    case.run("migrations", &one);
    case.run("migrations", &two);
    let (one, two) = (dump(&one, &["--schema-only"]), dump(&two, &["--schema-only"]));
    assert!(one.contains("CREATE TABLE public.further"), "{name}: the further migration didn't run");
    assert_eq!(one, two, "{name}");
}

#[test]
#[ignore = "installs and runs migration tools: make real-tools"]
fn real_tools_confirm_a_hand_over() {
    let Ok(database) = Database::local(None) else {
        return skip("all tools", "no programs of PostgreSQL on this machine");
    };
    let cluster = database.open(&Needs::default()).expect("a cluster");
    let scratch: &dyn Scratch = &*cluster;
    let kept = std::env::var_os("REAL_TOOLS").map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = kept.unwrap_or_else(|| temporary.path().to_path_buf());
    let only = std::env::var("ONLY").ok();
    let is_asked = |name: &str| only.as_deref().is_none_or(|o| o.split(',').any(|o| o == name));
    let mut wrong = Vec::new();
    for tool in tools::install(&folder, &is_asked) {
        let check = || confirm(&tool, &scratch.url());
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err() {
            wrong.push(tool.name);
        }
    }
    assert!(wrong.is_empty(), "not confirmed: {wrong:?}");
}
