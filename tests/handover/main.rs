//! Hand-overs: for each tool, a database that ran the old set counts as having run the new one, and any other is refused.
//!
//! The tools' tables are made here as their documents and sources have them (src/handover/tools.rs names those); tests/real_tools runs
//! the tools themselves.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

#[path = "../cli_support/mod.rs"]
mod cli_support;
mod families;

use cli_support::Project;
use consolidate::history::layout::{self, Layout, write::Form, write::Outgoing};
use consolidate::scratch::{Database, Needs, Scratch};
use families::{FAMILIES, Family, Ran};
use sqlx::{Connection, Executor, PgConnection, Row};

/// Writes a set as its tool lays it out, and says what the tool would note of it.
fn write_set(
    project: &Project,
    folder: &str,
    layout: &dyn Layout,
    files: &[(&str, &str, &str)],
    last: Option<&str>,
) -> Vec<Ran> {
    let in_form = |v: &str| match layout.versions().form {
        Form::Digits(_, first) => (first + v.parse::<u128>().expect("a number")).to_string(),
        _ => v.to_string(),
    };
    let planned: Vec<String> = files.iter().map(|f| in_form(f.0)).collect();
    let versions = layout.versions().of(&planned, last);
    let before = std::iter::once(None).chain(versions.clone().into_iter().map(Some));
    let set: Vec<Outgoing> = files
        .iter()
        .zip(versions.into_iter().zip(before))
        .map(|((_, words, text), (version, before))| Outgoing {
            before,
            version: version.clone(),
            words: (*words).into(),
            stem: format!("{version}_{words}"),
            text: (*text).into(),
            ..Outgoing::default()
        })
        .collect();
    let old = |path: &str| std::fs::read_to_string(project.path(&format!("migrations.old/{path}"))).ok();
    let companions = layout.companions(&set, &[], &old).expect("companions");
    companions.files.iter().for_each(|(path, text)| project.write(&format!("{folder}/{path}"), text));
    let journal = companions.files.first().and_then(|(_, text)| serde_json::from_str(text).ok());
    let journal: serde_json::Value = journal.unwrap_or_default();
    let written = layout::write::written(layout, &set).expect("files");
    written.iter().for_each(|(path, text)| project.write(&format!("{folder}/{path}"), text));
    let listed = companions.files.first().map(|(_, text)| text.clone()).unwrap_or_default();
    let mut ran = Vec::new();
    for (number, m) in set.into_iter().enumerate() {
        let first = &layout.write(&m)[0].0;
        let (path, text) = written.iter().find(|(path, _)| path == first).expect("it was written").clone();
        let when = journal["entries"][number]["when"].as_i64().unwrap_or(0);
        let listed = layout::atlas::sum_of(&listed, &path).unwrap_or_default().to_string();
        ran.push(Ran { version: m.version, path, words: m.words, text, when, listed, number: number + 1 });
    }
    ran
}

/// A database in which scripts run, and the thread's runtime.
struct Live {
    scratch: Box<dyn Scratch>,
    runtime: tokio::runtime::Runtime,
}

impl Live {
    fn start() -> Live {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Live { scratch: Database::Embedded.open(&Needs::default()).expect("the embedded database"), runtime }
    }

    /// Runs SQL in a connection of its own, and gives the outcome that a hand-over left, or PostgreSQL's message.
    fn run(&self, sql: &str) -> Result<String, String> {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.scratch.url()).await.expect("a connection");
            let ran = connection.execute(sqlx::raw_sql(sql)).await.map_err(|e| match e.as_database_error() {
                Some(error) => error.message().to_string(),
                None => e.to_string(),
            });
            let asked = "SELECT coalesce(current_setting('consolidate.outcome', true), '')";
            let outcome = match ran {
                Ok(_) => Ok(connection.fetch_one(sqlx::raw_sql(asked)).await.expect("a row").get::<String, _>(0)),
                Err(message) => Err(message),
            };
            connection.close().await.expect("closed");
            outcome
        })
    }

    fn fine(&self, sql: &str) -> String {
        self.run(sql).unwrap_or_else(|e| panic!("{e}: {sql}"))
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.scratch.url()).await.expect("a connection");
            let rows = connection.fetch_all(sqlx::raw_sql(sql)).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
            connection.close().await.expect("closed");
            rows.iter().map(|r| r.get::<String, _>(0)).collect()
        })
    }
}

const OLD: &[(&str, &str, &str)] = &[
    ("1", "shop", "CREATE TABLE shop (id int);\n"),
    ("2", "draft", "CREATE TABLE draft (id int);\n"),
    ("3", "no_draft", "DROP TABLE draft;\n\nALTER TABLE shop ADD name text;\n"),
];
const NEW: &[(&str, &str, &str)] = &[
    ("1", "shop", "CREATE TABLE shop (id int, name text);\n"),
    ("2", "more", "CREATE INDEX shop_name ON shop (name);\n"),
];

#[test]
fn each_tool_is_handed_over_once_and_everything_else_is_refused() {
    let live = Live::start();
    let mut wrong = Vec::new();
    for family in FAMILIES {
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check_family(&live, family)));
        live.fine("DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS drizzle, supabase_migrations, graphile_migrate, atlas_schema_revisions CASCADE");
        if let Err(panic) = found {
            let said = panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|s| s.to_string()));
            wrong.push(format!("{}: {}", family.layout, said.unwrap_or_default()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let tested: Vec<&str> = FAMILIES.iter().map(|f| f.layout).collect();
    for tool in consolidate::handover::TOOLS.iter().filter(|t| t.name != "hasura") {
        assert!(tested.contains(&tool.name), "no test for {}", tool.name);
    }
}

fn check_family(live: &Live, family: &Family) {
    let name = family.layout;
    let layout = layout::by_name(name).expect("a layout");
    let project = Project::empty();
    let old = write_set(&project, "migrations.old", layout, OLD, None);
    let last = old.last().map(|m| m.version.clone());
    let new = write_set(&project, "migrations", layout, NEW, last.as_deref());
    project.write("consolidate.toml", format!("layout = \"{name}\"\n"));
    let script = project.fine("handover").out;
    let look = format!("SELECT {} FROM {} ORDER BY 1", family.look, family.table);
    let refused = |word: &str| {
        let before = live.rows(&look);
        let said = live.run(&script).expect_err("it must refuse");
        assert!(said.starts_with(&format!("{word}:")), "{word} expected: {said}");
        assert_eq!(live.rows(&look), before, "refused, and yet changed");
    };
    let said = live.run(&script).expect_err("no table");
    assert!(said.starts_with("behind: there is no table"), "{said}");
    live.fine(family.make);
    old[..2].iter().for_each(|m| drop(live.fine(&(family.note)(m))));
    refused("behind");
    live.fine(&(family.note)(&old[2]));
    let spoiled = |spoil: &str, check: &dyn Fn()| {
        live.fine(&format!("CREATE TABLE kept AS TABLE {}; {spoil}", family.table));
        check();
        live.fine(&format!("DELETE FROM {t}; INSERT INTO {t} TABLE kept; DROP TABLE kept", t = family.table));
    };
    if let Some((spoil, word)) = family.spoil {
        spoiled(spoil, &|| refused(word));
    }
    if let Some(change) = family.change {
        let lenient = project.fine("handover --allow-drift").out;
        spoiled(change, &|| {
            refused("changed");
            assert_eq!(live.fine(&lenient), "done", "told to let another text through");
        });
    }
    drifted(live, family, &project, &look);
    let further = further(layout, &old);
    let at_end = live.rows(&look);
    live.fine(&(family.note)(&further));
    refused("ahead");
    undo(live, family, &further, &old);
    assert_eq!(live.rows(&look), at_end, "the test puts things back");
    handed_over(live, family, &script, &look, &new, &further);
}

/// The history's tables aren't there, only the tool's notes of them: that is drift, and the tool's own table is none.
fn drifted(live: &Live, family: &Family, project: &Project, look: &str) {
    let before = live.rows(look);
    let said = project.run(&format!("handover --url {}", live.scratch.url()));
    assert!(said.code == 1 && said.err.contains("drifted:"), "{said:#?}");
    assert!(said.out.contains("relation public.shop: the live database lacks it"), "{said:#?}");
    let table = family.table.rsplit('.').next().expect("a name");
    assert!(!said.out.contains(table), "its own table is taken for drift: {said:#?}");
    assert_eq!(live.rows(look), before, "refused, and yet changed");
}

/// A migration after the last.
fn further(layout: &dyn Layout, old: &[Ran]) -> Ran {
    let last = old.last().expect("a last one");
    let number = last.version.parse::<u128>().expect("a number") + 1;
    let version = format!("{number:0width$}", width = last.version.len());
    let m = Outgoing {
        version,
        words: "further".into(),
        stem: format!("{number}_further"),
        text: "SELECT 1;\n".into(),
        before: Some(last.version.clone()),
        ..Outgoing::default()
    };
    let (path, text) = layout.write(&m)[0].clone();
    Ran {
        version: m.version,
        path,
        words: m.words,
        text,
        when: last.when + 1,
        listed: String::new(),
        number: last.number + 1,
    }
}

/// Takes the note of a migration back.
fn undo(live: &Live, family: &Family, further: &Ran, old: &[Ran]) {
    let table = family.table;
    match family.layout {
        "golang-migrate" | "tern" | "alembic" => drop(live.fine(&(family.note)(old.last().expect("a last one")))),
        "liquibase" => drop(live.fine(&format!("DELETE FROM {table} WHERE filename = '{}'", further.path))),
        "play" => drop(live.fine(&format!("DELETE FROM {table} WHERE id = {}", further.version))),
        "goose" => drop(live.fine(&format!("DELETE FROM {table} WHERE version_id = {}", further.version))),
        "drizzle" => drop(live.fine(&format!("DELETE FROM {table} WHERE created_at = {}", further.when))),
        "prisma" => drop(live.fine(&format!("DELETE FROM {table} WHERE migration_name = '{}'", further.name()))),
        "graphile-migrate" => {
            drop(live.fine(&format!("DELETE FROM {table} WHERE filename = '{}.sql'", further.version)))
        }
        "sql-migrate" => drop(live.fine(&format!("DELETE FROM {table} WHERE id = '{}'", further.path))),
        "node-pg-migrate" => drop(live.fine(&format!("DELETE FROM {table} WHERE name = '{}'", further.name()))),
        _ => drop(live.fine(&format!("DELETE FROM {table} WHERE version::text = '{}'", further.version))),
    }
}

fn handed_over(live: &Live, family: &Family, script: &str, look: &str, new: &[Ran], further: &Ran) {
    // The last version stays the same, so there is nothing to hand over.
    let stays = ["golang-migrate", "alembic"].contains(&family.layout);
    let outcome = live.fine(script);
    assert_eq!(outcome, if stays { "unchanged" } else { "done" });
    let after = live.rows(look);
    assert_eq!(live.fine(script), "unchanged");
    assert_eq!(live.rows(look), after, "run twice, it changed something");
    // What the tool runs later doesn't make a handed-over database another one.
    if !stays {
        live.fine(&(family.note)(further));
        assert_eq!(live.fine(script), "unchanged", "after a further migration");
    }
    // A database that the new set made is noted just so.
    let schema = family.table.split_once('.').map_or("", |(schema, _)| schema);
    let clear = if !["", "public"].contains(&schema) {
        format!("DROP SCHEMA {schema} CASCADE")
    } else {
        format!("DROP TABLE {}", family.table)
    };
    live.fine(&clear);
    live.fine(family.make);
    new.iter().for_each(|m| drop(live.fine(&(family.note)(m))));
    assert_eq!(live.rows(look), after, "the tool would note it otherwise");
    match family.layout {
        // Version 2 is the new set's end, and was the history's middle: the number alone can't tell.
        "tern" => assert!(live.run(script).expect_err("it can't tell").starts_with("behind:")),
        _ => assert_eq!(live.fine(script), "unchanged", "made by the new set"),
    }
}

/// Where `first_version` or `numbers` says so, a chain of revisions ends elsewhere than the history.
#[test]
fn a_chain_that_ends_elsewhere_is_noted_and_never_taken_for_one_that_is_behind() {
    let live = Live::start();
    let layout = layout::by_name("alembic").expect("alembic");
    let alembic = FAMILIES.iter().find(|f| f.layout == "alembic").expect("alembic");
    live.fine(alembic.make);
    let at = |revision: &str| {
        live.fine(&format!("DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('{revision}')"))
    };
    let script = |end: &str| {
        let project = Project::empty();
        write_set(&project, "migrations.old", layout, OLD, None);
        write_set(&project, "migrations", layout, NEW, Some(end));
        project.fine("handover").out
    };
    at("0003");
    assert_eq!(live.fine(&script("new")), "done");
    assert_eq!(live.rows("SELECT version_num FROM alembic_version"), ["new"]);
    assert_eq!(live.fine(&script("new")), "unchanged");
    at("0002");
    let said = live.run(&script("0002")).expect_err("it ran two of three");
    assert!(said.starts_with("behind: this database is at 0002"), "{said}");
}

#[test]
fn a_database_by_its_url_is_compared_first_and_only_the_tools_table_changes() {
    let project = Project::empty();
    let layout = layout::by_name("dbmate").expect("dbmate");
    let old = write_set(&project, "migrations.old", layout, OLD, None);
    write_set(&project, "migrations", layout, NEW, Some("3"));
    let live = Live::start();
    live.fine("CREATE TABLE shop (id int, name text); INSERT INTO shop VALUES (1, 'first')");
    let dbmate = FAMILIES.iter().find(|f| f.layout == "dbmate").expect("dbmate");
    live.fine(dbmate.make);
    old.iter().for_each(|m| drop(live.fine(&(dbmate.note)(m))));
    let url = live.scratch.url();
    let everything = || (live.scratch.dump().expect("a dump"), live.rows("SELECT shop::text FROM shop"));
    let before = everything();
    live.fine("CREATE INDEX by_hand ON shop (id); ALTER TABLE shop ALTER name SET DEFAULT 'x'");
    let ran = project.run(&format!("handover --url {url}"));
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.out.contains("index public.by_hand: only in the live database"), "{ran:#?}");
    assert!(ran.out.contains("column public.shop.name: otherwise in the live database"), "{ran:#?}");
    assert!(ran.err.contains("drifted:") && ran.err.contains("--allow-drift"), "{ran:#?}");
    live.fine("DROP INDEX by_hand; ALTER TABLE shop ALTER name DROP DEFAULT");
    let said = project.json(&format!("handover --url {url}"), 0);
    assert_eq!((said["outcome"].as_str(), said["table"].as_str()), (Some("done"), Some("schema_migrations")));
    assert_eq!(live.rows("SELECT version FROM schema_migrations ORDER BY 1"), ["1", "3"]);
    assert_eq!(project.json(&format!("handover --allow-drift --url {url}"), 0)["outcome"], "unchanged");
    assert!(everything() == before, "more than the tool's table was changed");
    live.fine("DELETE FROM schema_migrations; INSERT INTO schema_migrations VALUES ('1'), ('2')");
    let ran = project.run(&format!("handover --allow-drift --url {url}"));
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.err.contains("behind: this database lacks 1 of 3 migrations: 3; nothing was changed"), "{}", ran.err);
}

/// What a database lacks that is behind is no drift.
#[test]
fn a_database_that_is_behind_is_not_called_drifted() {
    let project = Project::empty();
    let layout = layout::by_name("dbmate").expect("dbmate");
    let old = write_set(&project, "migrations.old", layout, OLD, None);
    write_set(&project, "migrations", layout, NEW, Some("3"));
    let live = Live::start();
    let dbmate = FAMILIES.iter().find(|f| f.layout == "dbmate").expect("dbmate");
    live.fine(dbmate.make);
    old[..2].iter().for_each(|m| drop(live.fine(&(dbmate.note)(m))));
    let url = live.scratch.url();
    let ran = project.run(&format!("handover --url {url}"));
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.err.contains("behind: this database lacks 1 of 3 migrations: 3; nothing was changed"), "{}", ran.err);
    assert!(!ran.err.contains("drifted"), "{}", ran.err);
    let said = project.json(&format!("handover --url {url}"), 1);
    assert_eq!(said["outcome"], "refused", "{said:#}");
    live.fine(&(dbmate.note)(&old[2]));
    let ran = project.run(&format!("handover --url {url}"));
    assert!(ran.err.contains("drifted:"), "{ran:#?}");
    assert_eq!(live.rows("SELECT version FROM schema_migrations ORDER BY 1"), ["1", "2", "3"]);
}

#[test]
fn what_cannot_be_handed_over_is_said() {
    let project = Project::small();
    project.write("migrations/1_shops.sql", "CREATE TABLE shop (id int);\n");
    project.refused("handover --layout plain", &["the layout plain belongs to no tool"]);
    project.write("migrations/.consolidate", "# layout sqlx\n0000000000000000 1_shops.sql\n");
    project.refused("handover", &["1_shops.sql isn't as it was proven"]);
    let nowhere = "postgres://nobody:secret@127.0.0.1:1/none";
    std::fs::remove_file(project.path("migrations/.consolidate")).expect("removed");
    let said =
        project.refused(&format!("handover --allow-drift --url {nowhere}"), &["postgres://nobody@127.0.0.1:1/none"]);
    assert!(!said.contains("secret"), "a password is shown: {said}");
    let hasura = layout::by_name("hasura").expect("hasura");
    let project = Project::empty();
    write_set(&project, "migrations.old", hasura, OLD, None);
    write_set(&project, "migrations", hasura, NEW, Some("1000000000003"));
    let said = project.fine("handover").out;
    assert!(said.contains("hasura migrate delete --database-name DATABASE --version 1000000000001 --server"), "{said}");
    assert!(said.contains("--version 1000000000003 --skip-execution"), "{said}");
}

#[test]
fn a_set_written_in_place_can_be_taken_back() {
    let project = Project::empty();
    project.write("migrations/1_a.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n");
    project.write("migrations/2_b.sql", "DROP TABLE b;\n");
    project.write("migrations/README.md", "ours\n");
    let before = project.tree("");
    let said = project.fine("emit --in-place");
    assert!(said.err.contains("the history is now in migrations.old"), "{}", said.err);
    let aside: Vec<String> = project.tree("migrations.old").keys().map(|p| p.display().to_string()).collect();
    assert_eq!(aside, ["1_a.sql", "2_b.sql", "README.md"]);
    assert_eq!(project.read("migrations/README.md"), "ours\n");
    assert!(!project.path("migrations/2_b.sql").exists());
    project.fine("verify");
    project.refused("emit --in-place", &["migrations.old already"]);
    project.write("migrations/3_later.sql", "CREATE TABLE c (id int);\n");
    project.refused("restore", &["3_later.sql", "--force"]);
    std::fs::remove_file(project.path("migrations/3_later.sql")).expect("removed");
    project.fine("restore");
    assert!(project.tree("") == before, "not as it was: {:?}", project.tree("").keys());
    project.refused("restore", &["holds no set that was written in place"]);
}

#[test]
fn a_rollback_script_among_the_migrations_is_named_and_left_out_if_asked() {
    let project = Project::history(&[
        ("1_a.sql", "CREATE TABLE a (id int);\n"),
        ("2_b.sql", "CREATE TABLE b (id int);\nCREATE INDEX b_id ON b (id);\n"),
        ("3_b_rollback.sql", "DROP INDEX IF EXISTS b_id;\nDROP TABLE IF EXISTS b;\n"),
    ]);
    let said = project.fine("plan").out;
    assert!(said.contains("3_b_rollback.sql:1: only undoes 2_b.sql"), "{said}");
    assert_eq!(project.json("plan", 0)["totals"]["statements"]["after"], 1, "it is read unless it is said otherwise");
    let without = project.json("plan --without-rollbacks", 0);
    assert_eq!(without["totals"]["statements"]["after"], 3);
    let said = project.fine("emit --without-rollbacks");
    assert!(said.err.contains("3_b_rollback.sql:1: only undoes 2_b.sql: left out"), "{}", said.err);
    assert!(project.read("migrations/2_b.sql").contains("CREATE TABLE b"));
    project.write("consolidate.toml", "without_rollbacks = true\n");
    project.fine("verify");
}
