//! The tools that can be had from package registries: how each is installed, run and asked, and what HANDOVER.md says that
//! it does with a new folder where nothing was handed over.

use crate::cli_support::ran;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a command for a folder of migrations and the URL of a database.
type Make = dyn Fn(&Path, &str) -> Command;

/// A tool that can be run.
pub struct Tool {
    /// Its name here: that of the layout, unless two tools share that.
    pub name: &'static str,
    pub layout: &'static str,
    pub table: &'static str,
    pub version: String,
    /// Runs a folder of migrations on a database.
    pub run: Box<Make>,
    /// Asks whether something is pending, and the words by which the tool says no; none where it has no such question.
    pub ask: Option<(Box<Make>, &'static str)>,
    /// Whether the new set ends where the history does, so that there is nothing to hand over.
    pub stays: bool,
    /// The folder in which migrations must lie, and what else the project needs.
    pub within: &'static str,
    pub files: Vec<(String, String)>,
    /// The Python with which consolidate reads its migrations.
    pub python: Option<PathBuf>,
    /// What it does with the new set on a database at the history's last version, and on one that is behind.
    pub unaided: [Unaided; 2],
}

impl Tool {
    /// A tool that has no question to ask and no project around the migrations.
    pub fn new(
        layout: &'static str,
        table: &'static str,
        version: String,
        run: impl Fn(&Path, &str) -> Command + 'static,
        unaided: [Unaided; 2],
    ) -> Tool {
        let run = Box::new(run);
        let (ask, stays, within, files, python) = (None, false, "", Vec::new(), None);
        Tool { name: layout, layout, table, version, run, ask, stays, within, files, python, unaided }
    }
}

/// What a tool does with the new set on a database that wasn't handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unaided {
    /// It is content, and changes nothing.
    Rests,
    /// It ends with an error, and the schema stays as it is.
    Stops,
}

use Unaided::{Rests, Stops};

/// A line for what can't be confirmed here.
pub fn skip(what: &str, why: &str) {
    eprintln!("SKIP: {what}: {why}");
}

/// Installs a tool in a folder, if that can be.
type Install = fn(&Path) -> Option<Tool>;

/// The tools that are asked for and can be installed; each of the others has its line.
pub fn install(folder: &Path, is_asked: &dyn Fn(&str) -> bool) -> Vec<Tool> {
    let mut tools = if is_asked("sqlx") || is_asked("refinery") { crates(&folder.join("crates")) } else { Vec::new() };
    let others: [(&str, Install); 12] = [
        ("diesel", diesel),
        ("dbmate", dbmate),
        ("drizzle", drizzle),
        ("node-pg-migrate", node_pg_migrate),
        ("graphile-migrate", graphile_migrate),
        ("postgrator", postgrator),
        ("liquibase", crate::liquibase::liquibase),
        ("drizzle-1", drizzle_1),
        ("prisma", prisma),
        ("supabase", supabase),
        ("sql-migrate", sql_migrate),
        ("alembic", crate::alembic::install),
    ];
    let asked = others.iter().filter(|(name, _)| is_asked(name));
    tools.extend(asked.filter_map(|(name, install)| install(&folder.join(name))));
    skip(
        "golang-migrate, goose, tern, hasura",
        "their programs are on GitHub only; what npm has of them fetches them there",
    );
    skip("flyway, play", "their jars are Maven's only; what npm has of flyway fetches them there");
    skip("atlas, pop", "their programs are on GitHub or in Go's modules; what npm has of atlas fetches it elsewhere");
    tools.retain(|tool| is_asked(tool.name));
    tools
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

pub fn is_fine(command: &mut Command) -> bool {
    command.status().is_ok_and(|s| s.success())
}

/// The first number of what a program says about itself.
pub fn version_of(command: &mut Command) -> String {
    let said = ran(command);
    let words: Vec<&str> = said.out.split_whitespace().chain(said.err.split_whitespace()).collect();
    let is_version = |w: &&&str| w.contains('.') && w.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
    words.iter().find(is_version).map_or("?", |w| w).to_string()
}

/// sqlx and refinery are libraries: a little program of ours calls them.
fn crates(folder: &Path) -> Vec<Tool> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_tools/rust");
    if !is_fine(cargo().args(["build", "--quiet", "--locked"]).current_dir(&package).env("CARGO_TARGET_DIR", folder)) {
        skip("sqlx, refinery", "tests/real_tools/rust doesn't build");
        return Vec::new();
    }
    let program = folder.join("debug/real-tools");
    let lock = std::fs::read_to_string(package.join("Cargo.lock")).expect("a lock file");
    let tool = |layout: &'static str, table: &'static str, package: &str| {
        let program = program.clone();
        let run = move |migrations: &Path, url: &str| {
            let mut command = Command::new(&program);
            command.arg(layout).arg(migrations).arg(url);
            command
        };
        let entry = lock.split(&format!("name = \"{package}\"\nversion = \"")).nth(1).and_then(|r| r.split('"').next());
        let version = entry.unwrap_or("?").to_string();
        Tool::new(layout, table, version, run, [Stops, Stops])
    };
    vec![tool("sqlx", "_sqlx_migrations", "sqlx-core"), tool("refinery", "refinery_schema_history", "refinery-core")]
}

/// Needs libpq to build.
fn diesel(folder: &Path) -> Option<Tool> {
    let program = folder.join("bin/diesel");
    if !program.exists() {
        let mut install = cargo();
        install.args([
            "install",
            "diesel_cli",
            "--quiet",
            "--locked",
            "--no-default-features",
            "--features",
            "postgres",
        ]);
        if !is_fine(install.arg("--root").arg(folder).env("CARGO_TARGET_DIR", folder.join("target"))) {
            skip(
                "diesel",
                "cargo can't install diesel_cli with the feature postgres; it needs libpq (Debian: libpq-dev)",
            );
            return None;
        }
    }
    let version = version_of(Command::new(&program).arg("--version"));
    let make = |word: &'static str| {
        let (program, folder) = (program.clone(), folder.to_path_buf());
        move |migrations: &Path, url: &str| {
            let mut command = Command::new(&program);
            command.args(["migration", word, "--migration-dir"]).arg(migrations).arg("--database-url").arg(url);
            command.current_dir(&folder);
            command
        }
    };
    Some(Tool {
        ask: Some((Box::new(make("pending")), "false")),
        ..Tool::new("diesel", "__diesel_schema_migrations", version, make("run"), [Rests, Stops])
    })
}

/// Packages of npm in a folder of their own; their scripts don't run, as these fetch programs from elsewhere.
pub fn npm(folder: &Path, what: &str, packages: &[&str]) -> Option<PathBuf> {
    let modules = folder.join("node_modules");
    if !modules.is_dir() {
        std::fs::create_dir_all(folder).expect("a folder");
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--silent", "--ignore-scripts", "--prefix"]);
        if !is_fine(install.arg(folder).args(packages)) {
            skip(what, "npm can't install it");
            return None;
        }
    }
    Some(modules)
}

pub fn version_of_package(modules: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(modules.join(name).join("package.json")).expect("a package");
    let package: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    package["version"].as_str().expect("a version").to_string()
}

fn dbmate(folder: &Path) -> Option<Tool> {
    let modules = npm(folder, "dbmate", &["dbmate"])?;
    let make = |words: &'static [&'static str]| {
        let program = modules.join(".bin/dbmate");
        move |migrations: &Path, url: &str| {
            let mut command = Command::new(&program);
            command.arg("--url").arg(url.replace("?host=", "?socket=")).arg("--migrations-dir").arg(migrations);
            command.arg("--no-dump-schema").args(words);
            command
        }
    };
    Some(Tool {
        ask: Some((Box::new(make(&["status"])), "Pending: 0")),
        ..Tool::new(
            "dbmate",
            "schema_migrations",
            version_of_package(&modules, "dbmate"),
            make(&["migrate"]),
            [Rests, Stops],
        )
    })
}

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

fn drizzle(folder: &Path) -> Option<Tool> {
    let modules = npm(folder, "drizzle", &["drizzle-orm", "pg"])?;
    let script = folder.join("drizzle.cjs");
    std::fs::write(&script, DRIZZLE).expect("a script");
    let run = move |migrations: &Path, url: &str| {
        let mut command = Command::new("node");
        command.arg(&script).arg(migrations).arg(url);
        command
    };
    Some(Tool::new(
        "drizzle",
        "drizzle.__drizzle_migrations",
        version_of_package(&modules, "drizzle-orm"),
        run,
        [Rests, Stops],
    ))
}

fn node_pg_migrate(folder: &Path) -> Option<Tool> {
    let modules = npm(folder, "node-pg-migrate", &["node-pg-migrate", "pg"])?;
    let make = |word: &'static [&'static str]| {
        let program = modules.join(".bin/node-pg-migrate");
        move |migrations: &Path, url: &str| {
            let mut command = Command::new(&program);
            command.args(["up", "--ignore-pattern", "\\..*", "--migration-file-language", "sql"]).args(word).arg("-m");
            command.arg(migrations).env("DATABASE_URL", url);
            command
        }
    };
    Some(Tool {
        ask: Some((Box::new(make(&["--dry-run"])), "No migrations to run!")),
        ..Tool::new(
            "node-pg-migrate",
            "pgmigrations",
            version_of_package(&modules, "node-pg-migrate"),
            make(&[]),
            [Stops, Stops],
        )
    })
}

/// postgrator is a library; this is what its documents show.
const POSTGRATOR: &str = "import Postgrator from 'postgrator';
import pg from 'pg';
const [migrations, connectionString] = process.argv.slice(2);
const client = new pg.Client({ connectionString });
try {
    await client.connect();
    const migrationPattern = `${migrations}/*`;
    const postgrator = new Postgrator({ migrationPattern, driver: 'pg', execQuery: (query) => client.query(query) });
    const done = await postgrator.migrate();
    console.log(`migrations run: ${done.length}`);
} catch (error) {
    console.error(error);
    process.exitCode = 1;
} finally {
    await client.end();
}
";

fn postgrator(folder: &Path) -> Option<Tool> {
    let modules = npm(folder, "postgrator", &["postgrator", "pg"])?;
    let script = folder.join("postgrator.mjs");
    std::fs::write(&script, POSTGRATOR).expect("a script");
    let run = move |migrations: &Path, url: &str| {
        let mut command = Command::new("node");
        command.arg(&script).arg(migrations).arg(url);
        command
    };
    let version = version_of_package(&modules, "postgrator");
    Some(Tool::new("postgrator", "schemaversion", version, run, [Stops, Stops]))
}

/// Its version 1 isn't the latest one yet.
fn drizzle_1(folder: &Path) -> Option<Tool> {
    let modules = npm(folder, "drizzle 1", &["drizzle-orm@1.0.0-rc.5", "pg"])?;
    let script = folder.join("drizzle.cjs");
    std::fs::write(&script, DRIZZLE.replace("drizzle(client)", "drizzle({ client })")).expect("a script");
    let run = move |migrations: &Path, url: &str| {
        let mut command = Command::new("node");
        command.arg(&script).arg(migrations).arg(url);
        command
    };
    let version = version_of_package(&modules, "drizzle-orm");
    let tool = Tool::new("drizzle", "drizzle.__drizzle_migrations", version, run, [Stops, Stops]);
    Some(Tool { name: "drizzle-1", ..tool })
}

/// Its databases for trying things out are named, and not used.
fn graphile_migrate(folder: &Path) -> Option<Tool> {
    let modules = npm(folder, "graphile-migrate", &["graphile-migrate"])?;
    let make = |word: &'static str| {
        let (program, config) = (modules.join(".bin/graphile-migrate"), folder.join("gmrc"));
        move |migrations: &Path, url: &str| {
            let settings = serde_json::json!({ "connectionString": url, "migrationsFolder": migrations });
            std::fs::write(&config, settings.to_string()).expect("a configuration");
            let mut command = Command::new(&program);
            command.args([word, "--config"]).arg(&config);
            command.env("SHADOW_DATABASE_URL", "postgres:///shadow").env("ROOT_DATABASE_URL", "postgres:///root");
            command
        }
    };
    Some(Tool {
        ask: Some((Box::new(make("status")), "Up to date")),
        ..Tool::new(
            "graphile-migrate",
            "graphile_migrate.migrations",
            version_of_package(&modules, "graphile-migrate"),
            make("migrate"),
            [Rests, Stops],
        )
    })
}

/// With a driver adapter, Prisma's command takes the schema engine that its package holds as WebAssembly. Version 7 of the
/// command dropped that; version 6 of the adapter can't read the type `name`. The adapter cuts scripts at every semicolon,
/// also in the body of a function; the engine that is a program sends a file as it is, and so it is done here.
const PRISMA: &str = "import { PrismaPg } from \"@prisma/adapter-pg\";
class Whole extends PrismaPg {
  async connect() {
    const adapter = await super.connect();
    adapter.executeScript = async (script) => { await adapter.client.query(script); };
    return adapter;
  }
}
export default {
  experimental: { adapter: true },
  engine: \"js\",
  schema: \"schema.prisma\",
  migrations: { path: process.env.MIGRATIONS },
  adapter: async () => new Whole({ connectionString: process.env.DATABASE_URL }),
};
";

/// The address is wanted, and not used.
const SCHEMA: &str = "datasource db {\n  provider = \"postgresql\"\n  url = env(\"DATABASE_URL\")\n}\n";

fn prisma(folder: &Path) -> Option<Tool> {
    let modules = npm(folder, "prisma", &["prisma@6.19", "@prisma/adapter-pg@7"])?;
    std::fs::write(folder.join("prisma.config.ts"), PRISMA).expect("a configuration");
    std::fs::write(folder.join("schema.prisma"), SCHEMA).expect("a schema");
    // Named by this variable, the engine for queries isn't looked for on the network; migrations don't need it.
    let engine = folder.join("no-engine");
    std::fs::write(&engine, "").expect("a file");
    let make = |words: &'static [&'static str]| {
        let (program, folder, engine) = (modules.join(".bin/prisma"), folder.to_path_buf(), engine.clone());
        move |migrations: &Path, url: &str| {
            let mut command = Command::new(&program);
            command.args(words).current_dir(&folder).env("MIGRATIONS", migrations).env("DATABASE_URL", url);
            command.env("PRISMA_QUERY_ENGINE_LIBRARY", &engine).env("CHECKPOINT_DISABLE", "1");
            command.env("PRISMA_HIDE_UPDATE_MESSAGE", "1");
            command
        }
    };
    Some(Tool {
        ask: Some((Box::new(make(&["migrate", "status"])), "Database schema is up to date!")),
        ..Tool::new(
            "prisma",
            "_prisma_migrations",
            version_of_package(&modules, "prisma"),
            make(&["migrate", "deploy"]),
            [Stops, Stops],
        )
    })
}

/// The program lies in a package of its own. It reads only `supabase/migrations` in the folder in which it works.
fn supabase(folder: &Path) -> Option<Tool> {
    let modules = npm(folder, "supabase", &["supabase"])?;
    let make = |words: &'static [&'static str]| {
        let (program, work) = (modules.join(".bin/supabase"), folder.join("work"));
        move |migrations: &Path, url: &str| {
            let inner = work.join("supabase");
            drop(std::fs::remove_dir_all(&inner));
            std::fs::create_dir_all(inner.join("migrations")).expect("a folder");
            std::fs::write(inner.join("config.toml"), "project_id = \"real-tools\"\n").expect("a configuration");
            for entry in std::fs::read_dir(migrations).expect("migrations") {
                let entry = entry.expect("a file");
                std::fs::copy(entry.path(), inner.join("migrations").join(entry.file_name())).expect("a copy");
            }
            let mut command = Command::new(&program);
            command.arg("--workdir").arg(&work).args(words).arg("--remote").arg(url);
            command.env("DO_NOT_TRACK", "1").env("SUPABASE_TELEMETRY_DISABLED", "1");
            command
        }
    };
    Some(Tool {
        // Without --yes, it asks before it runs something.
        ask: Some((Box::new(make(&["migration", "up"])), "Remote database is up to date.")),
        ..Tool::new(
            "supabase",
            "supabase_migrations.schema_migrations",
            version_of_package(&modules, "supabase"),
            make(&["migration", "up", "--yes"]),
            [Stops, Stops],
        )
    })
}

/// Debian's package, unpacked rather than installed.
fn sql_migrate(folder: &Path) -> Option<Tool> {
    let program = folder.join("usr/bin/sql-migrate");
    if !program.exists() {
        std::fs::create_dir_all(folder).expect("a folder");
        let get = "apt-get download -qq sql-migrate && dpkg-deb -x sql-migrate_*.deb .";
        if !is_fine(Command::new("sh").args(["-c", get]).current_dir(folder)) {
            skip("sql-migrate", "apt-get can't download Debian's package");
            return None;
        }
    }
    let make = |word: &'static str| {
        let (program, folder) = (program.clone(), folder.to_path_buf());
        move |migrations: &Path, url: &str| {
            let (database, socket) = crate::database_and_socket(url);
            let source = format!("host={socket} port=5432 user=postgres dbname={database} sslmode=disable");
            let dir = migrations.display();
            let text = format!("only:\n  dialect: postgres\n  datasource: {source}\n  dir: {dir}\n");
            std::fs::write(folder.join("dbconfig.yml"), text).expect("a configuration");
            let mut command = Command::new(&program);
            command.args([word, "-env=only"]).current_dir(&folder);
            command
        }
    };
    Some(Tool {
        ask: Some((Box::new(make("up")), "Applied 0 migrations")),
        ..Tool::new(
            "sql-migrate",
            "gorp_migrations",
            version_of(Command::new("dpkg-deb").args(["-f"]).arg(deb(folder)).arg("Version")),
            make("up"),
            [Stops, Stops],
        )
    })
}

fn deb(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).expect("a folder").filter_map(|entry| entry.ok().map(|e| e.path()));
    files.filter(|path| path.extension().is_some_and(|e| e == "deb")).max().expect("the package")
}
