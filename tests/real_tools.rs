//! The migration tools themselves confirm hand-overs: `make real-tools`. Each runs the old set on one database, which is then
//! handed over; it must have nothing to run there, and then run a further migration. The new set is run on another database.
//! Both databases must be the same to `pg_dump`.
//!
//! It needs PostgreSQL's programs, and cargo or npm with a registry to take the tools from; what isn't there is skipped with
//! a line. Nothing that is fetched stays, unless `REAL_TOOLS` names a folder to keep it in.

mod cli_support;

use cli_support::{Project, ran};
use consolidate::history::layout::{self, write::Outgoing, write::REFUSES};
use consolidate::scratch::{Database, Needs, Scratch};
use sqlx::{Connection, Executor, PgConnection};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages of npm that hold tools.
const PACKAGES: &[&str] = &["dbmate", "drizzle-orm", "node-pg-migrate", "pg"];

/// drizzle has no command that runs migrations without a project's configuration: this is what its documents show.
const DRIZZLE: &str = "const { drizzle } = require('drizzle-orm/node-postgres');
const { migrate } = require('drizzle-orm/node-postgres/migrator');
const { Client } = require('pg');
(async () => {
    const client = new Client({ connectionString: process.argv[3] });
    await client.connect();
    await migrate(drizzle(client), { migrationsFolder: process.argv[2] });
    await client.end();
})().catch((error) => { console.error(error); process.exit(1); });
";

/// A tool that can be run.
struct Tool {
    layout: &'static str,
    table: &'static str,
    /// Runs a folder of migrations on a database.
    command: Box<Run>,
}

/// Makes the command that runs a folder of migrations on the database of a URL.
type Run = dyn Fn(&Path, &str) -> Command;

fn skip(what: &str, why: &str) {
    eprintln!("skipped: {what}: {why}");
}

/// The tools of cargo, built once.
fn rust_tools(folder: &Path) -> Vec<Tool> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_tools");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet"])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", folder)
        .status();
    if !built.is_ok_and(|s| s.success()) {
        skip("sqlx, refinery", "tests/real_tools doesn't build");
        return Vec::new();
    }
    let program = folder.join("debug/real-tools");
    let tool = |layout: &'static str, table: &'static str| {
        let program = program.clone();
        let command = move |migrations: &Path, url: &str| {
            let mut command = Command::new(&program);
            command.arg(layout).arg(migrations).arg(url);
            command
        };
        Tool { layout, table, command: Box::new(command) }
    };
    vec![tool("sqlx", "_sqlx_migrations"), tool("refinery", "refinery_schema_history")]
}

/// The tools of npm.
fn node_tools(folder: &Path) -> Vec<Tool> {
    let modules = folder.join("node_modules");
    if !modules.is_dir() {
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(folder).args(PACKAGES);
        if !install.status().is_ok_and(|s| s.success()) {
            skip("dbmate, drizzle, node-pg-migrate", "npm can't install them");
            return Vec::new();
        }
    }
    let script = folder.join("drizzle.cjs");
    std::fs::write(&script, DRIZZLE).expect("a script");
    let bin = modules.join(".bin");
    let (dbmate, pg_migrate) = (bin.join("dbmate"), bin.join("node-pg-migrate"));
    vec![
        Tool {
            layout: "dbmate",
            table: "schema_migrations",
            command: Box::new(move |migrations, url| {
                let mut command = Command::new(&dbmate);
                let url = url.replace("?host=", "?socket=");
                command
                    .arg("--url")
                    .arg(url)
                    .arg("--migrations-dir")
                    .arg(migrations)
                    .args(["--no-dump-schema", "migrate"]);
                command
            }),
        },
        Tool {
            layout: "drizzle",
            table: "drizzle.__drizzle_migrations",
            command: Box::new(move |migrations, url| {
                let mut command = Command::new("node");
                command.arg(&script).arg(migrations).arg(url);
                command
            }),
        },
        Tool {
            layout: "node-pg-migrate",
            table: "pgmigrations",
            command: Box::new(move |migrations, url| {
                let mut command = Command::new(&pg_migrate);
                command.args(["up", "--ignore-pattern", "\\..*", "--migration-file-language", "sql", "-m"]);
                command.arg(migrations).env("DATABASE_URL", url);
                command
            }),
        },
    ]
}

/// Runs SQL on a database of the cluster.
fn sql(url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap_or_else(|e| panic!("{url}: {e}"));
        connection.execute(sqlx::raw_sql(sql)).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
    });
}

fn dump(cluster: &Path, database: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("pg_dump");
    command.args(["-U", "postgres", "-p", "5432", "-h"]).arg(cluster).args(["-d", database]).args(arguments);
    let said = ran(&mut command);
    assert_eq!(said.code, 0, "{said:?}");
    // psql's own guard is another in each dump; where the sequence of a tool's table stands is the table's own affair.
    let is_noise = |l: &&str| l.starts_with('\\') || (l.contains("setval(") && l.contains("migrations_id_seq'"));
    said.out.lines().filter(|l| !is_noise(l)).map(|l| format!("{l}\n")).collect()
}

fn run(tool: &Tool, folder: &Path, url: &str) {
    let said = ran(&mut (tool.command)(folder, url));
    assert_eq!(said.code, 0, "{}: {said:#?}", tool.layout);
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
        "drizzle" => format!("{:04}", number - 1),
        "node-pg-migrate" => (1_700_000_000_000 + number as u64).to_string(),
        _ => (20_240_101_000_000 + number as u64).to_string(),
    };
    let layout = layout::by_name(name).expect("a layout");
    let down = (layout.wants_down() == layout::Down::Always).then(|| REFUSES.to_string());
    let m =
        Outgoing { version, words: words.into(), stem: words.into(), text: text.into(), down, ..Outgoing::default() };
    let files = layout.write(&m);
    (m, files)
}

/// Puts a further migration behind a set, with its entry in drizzle's journal.
fn add_further(project: &Project, layout: &str) {
    let count = project.tree("migrations").keys().filter(|p| p.extension().is_some_and(|e| e == "sql")).count();
    let number = if layout == "drizzle" { count + 1 } else { 9 };
    let (m, files) = migration(layout, number, "further", "CREATE TABLE further (id int);\n");
    files.iter().for_each(|(path, text)| project.write(&format!("migrations/{path}"), text));
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

fn confirm(tool: &Tool, cluster: &Path, url: &str) {
    let name = tool.layout;
    let project = Project::empty();
    let mut set = Vec::new();
    for (number, (words, text)) in OLD.iter().enumerate() {
        let (m, files) = migration(name, number + 1, words, text);
        files.iter().for_each(|(path, text)| project.write(&format!("migrations.old/{path}"), text));
        set.push(m);
    }
    let companions = layout::by_name(name).expect("a layout").companions(&set, &|_| None).expect("companions");
    companions.files.iter().for_each(|(path, text)| project.write(&format!("migrations.old/{path}"), text));
    project.fine(&format!("emit --layout {name}"));
    let (one, two) = (format!("{}_one", name.replace('-', "_")), format!("{}_two", name.replace('-', "_")));
    let at = |database: &str| url.replace("/postgres?", &format!("/{database}?"));
    for database in [&one, &two] {
        sql(url, &format!("CREATE DATABASE {database}"));
    }
    let (old, new) = (project.path("migrations.old"), project.path("migrations"));
    run(tool, &old, &at(&one));
    let table = format!("--exclude-table-data={}", tool.table);
    let before = dump(cluster, &one, &[&table]);
    let said = project.fine(&format!("handover --layout {name} --url {}", at(&one)));
    assert!(said.out.contains("handed over; only"), "{said:#?}");
    assert_eq!(dump(cluster, &one, &[&table]), before, "{name}: more than its table was changed");
    let noted = dump(cluster, &one, &["--data-only", "-t", tool.table]);
    run(tool, &new, &at(&one));
    assert_eq!(dump(cluster, &one, &["--data-only", "-t", tool.table]), noted, "{name}: something was pending");
    assert_eq!(dump(cluster, &one, &[&table]), before, "{name}: something ran");
    add_further(&project, name);
    run(tool, &new, &at(&one));
    run(tool, &new, &at(&two));
    let (one, two) = (dump(cluster, &one, &["--schema-only"]), dump(cluster, &two, &["--schema-only"]));
    assert!(one.contains("CREATE TABLE public.further"), "{name}: the further migration didn't run");
    assert_eq!(one, two, "{name}");
    eprintln!("confirmed: {name}");
}

#[test]
#[ignore = "installs and runs migration tools: make real-tools"]
fn real_tools_confirm_a_hand_over() {
    let Ok(database) = Database::local(None) else {
        return skip("all tools", "no programs of PostgreSQL on this machine");
    };
    let cluster = database.open(&Needs::default()).expect("a cluster");
    let scratch: &dyn Scratch = &*cluster;
    let url = scratch.url();
    let socket =
        url.split("host=").nth(1).and_then(|rest| rest.split('&').next()).expect("a socket").replace("%2F", "/");
    let kept = std::env::var_os("REAL_TOOLS").map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = kept.unwrap_or_else(|| temporary.path().to_path_buf());
    let mut tools = rust_tools(&folder.join("rust"));
    tools.extend(node_tools(&folder));
    let mut wrong = Vec::new();
    for tool in &tools {
        let check = || confirm(tool, Path::new(&socket), &url);
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err() {
            wrong.push(tool.layout);
        }
    }
    assert!(wrong.is_empty(), "not confirmed: {wrong:?}");
}
