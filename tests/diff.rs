//! `consolidate diff` on all kinds of sides, `verify --against`, the classes to ignore, and the forms of reports.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod cli_support;

use cli_support::{Project, ran};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const OLD: &str =
    "CREATE TABLE t (a int NOT NULL, b text);\nCREATE INDEX i ON t (a);\nINSERT INTO t VALUES (1, 'x');\n";
const NEW: &str =
    "CREATE TABLE t (b text, a bigint);\nCREATE UNIQUE INDEX i ON t (a);\nINSERT INTO t VALUES ('x', 1);\n";

fn two() -> Project {
    let project = Project::empty();
    project.write("a/1_a.sql", OLD);
    project.write("b/1_b.sql", NEW);
    project
}

fn objects(value: &Value) -> Vec<&str> {
    value["differences"].as_array().unwrap().iter().map(|d| d["object"].as_str().unwrap()).collect()
}

/// Whether a report has the shape that is promised.
fn fits(value: &Value) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/consolidate.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    if let Err(why) = fits_to(value, &schema, &schema) {
        panic!("{why} in {value:#}");
    }
}

/// The part of JSON Schema that our file uses. A keyword that it doesn't know fails, so that none goes unchecked.
fn fits_to(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{value} isn't {what}"));
    for (keyword, wanted) in schema.as_object().ok_or("a schema is an object")? {
        match keyword.as_str() {
            "$schema" | "$id" | "title" | "$defs" => {}
            "$ref" => {
                let path = wanted.as_str().and_then(|path| path.strip_prefix('#')).ok_or("a reference")?;
                fits_to(value, root.pointer(path).ok_or_else(|| format!("no {path}"))?, root)?;
            }
            "oneOf" => {
                let all = wanted.as_array().ok_or("a list")?;
                let tried: Vec<_> = all.iter().map(|one| fits_to(value, one, root)).collect();
                if tried.iter().filter(|one| one.is_ok()).count() != 1 {
                    return Err(format!("not just one of {tried:?}"));
                }
            }
            "type" => {
                let name = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
                    Value::Number(_) => "number",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                let is = |one: &Value| one == name || (one == "number" && name == "integer");
                if !wanted.as_array().map_or_else(|| is(wanted), |all| all.iter().any(is)) {
                    return wrong(&wanted.to_string());
                }
            }
            "const" if value != wanted => return wrong(&wanted.to_string()),
            "enum" if !wanted.as_array().is_some_and(|all| all.contains(value)) => return wrong(&wanted.to_string()),
            "minimum" if value.as_f64() < wanted.as_f64() => return wrong("so large"),
            "const" | "enum" | "minimum" => {}
            "required" => {
                for name in wanted.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    value.get(name).ok_or_else(|| format!("no {name}"))?;
                }
            }
            "properties" => {
                for (name, schema) in wanted.as_object().into_iter().flatten() {
                    value.get(name).map_or(Ok(()), |field| fits_to(field, schema, root))?;
                }
                // A field that is printed and not described would be a promise that nobody finds.
                let known = |name: &String| wanted.get(name).is_some() || schema.get("additionalProperties").is_some();
                if let Some(name) = value.as_object().into_iter().flatten().map(|(name, _)| name).find(|n| !known(n)) {
                    return Err(format!("{name} isn't described"));
                }
            }
            "additionalProperties" => {
                for field in value.as_object().into_iter().flatten().map(|(_, field)| field) {
                    fits_to(field, wanted, root)?;
                }
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    fits_to(item, wanted, root)?;
                }
            }
            other => return Err(format!("the schema says {other}, which this test doesn't know")),
        }
    }
    Ok(())
}

#[test]
fn properties_are_told_in_words_and_the_json_has_its_shape() {
    let project = two();
    let value = project.json("diff a b", 1);
    fits(&value);
    assert_eq!(objects(&value), ["index public.i", "table public.t"]);
    let said = ["column a: NOT NULL → nullable", "column a: type integer → bigint", "order of columns: a, b → b, a"];
    assert_eq!(value["differences"][1]["properties"], serde_json::json!(said));
    let mut odd = value.clone();
    odd["differences"][0]["class"] = "other".into();
    assert!(std::panic::catch_unwind(|| fits(&odd)).is_err(), "a wrong shape must be seen");
    fits(&project.json("plan --old a", 0));
    fits(&project.json("emit --old a --new c", 0));
    fits(&project.json("verify --old a --new c", 0));
}

#[test]
fn every_form_says_it_and_column_order_can_be_ignored() {
    let project = two();
    for (form, text) in [
        ("text", "not UNIQUE → UNIQUE"),
        ("markdown", "**index public.i** changed"),
        ("junit", "<testcase classname=\"consolidate\" name=\"index public.i\">"),
        ("github", "::error title=consolidate%3A index public.i::"),
    ] {
        let ran = project.run(&format!("diff a b --format {form}"));
        assert!(ran.code == 1 && ran.out.contains(text), "{form}: {ran:#?}");
        let plan = project.run(&format!("plan --old a --format {form}"));
        assert_eq!(plan.code, 0, "{plan:#?}");
    }
    project.write(
        "c/1_c.sql",
        OLD.replace("a int NOT NULL, b text", "b text, a int NOT NULL").replace("1, 'x'", "'x', 1"),
    );
    let value = project.json("diff a c", 1);
    assert_eq!((objects(&value), &value["differences"][0]["class"]), (vec!["table public.t"], &"column-order".into()));
    let value = project.json("diff a c --ignore column-order", 0);
    assert!(value["notes"][0].as_str().unwrap().contains("column-order left out"), "{value:#}");
}

#[test]
fn a_revision_is_compared_with_what_is_there() {
    let project = Project::empty();
    project.write("db/migrations/1_a.sql", OLD);
    let git = |words: &str| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=me", "-c", "user.email=me@example.org"]).args(words.split(' '));
        let ran = ran(command.current_dir(project.path("")));
        assert_eq!(ran.code, 0, "{ran:#?}");
    };
    git("init -q");
    git("add -A");
    git("commit -q -m first");
    project.write("db/migrations/2_b.sql", "ALTER TABLE t ADD COLUMN c int;");
    let value = project.json("diff HEAD:db/migrations db/migrations", 1);
    // The rows have another column, so they differ too.
    assert_eq!(objects(&value), ["table public.t", "rows of public.t"]);
    assert_eq!(value["differences"][0]["properties"][0], "column c: added (integer)");
    project.refused("diff nothing:db/migrations db/migrations", &["nothing:db/migrations"]);
    project.refused("diff nowhere db/migrations", &["there is no nowhere"]);
    project.refused("diff HEAD:db/elsewhere db/migrations", &["HEAD:db/elsewhere"]);
}

#[test]
fn a_dump_is_loaded_and_says_what_it_does_not_hold() {
    let project = two();
    let dump = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET transaction_timeout = 0;\n\
        SELECT pg_catalog.set_config('search_path', '', false);\n\
        CREATE TABLE public.t (\n    a integer NOT NULL,\n    b text\n);\nALTER TABLE public.t OWNER TO postgres;\n\
        COPY public.t (a, b) FROM stdin;\n1\tit's\n\\.\n\nCREATE INDEX i ON public.t USING btree (a);\n\
        GRANT SELECT ON TABLE public.t TO web;\n\\unrestrict abc\n";
    project.write("dump.sql", dump);
    let value = project.json("diff a dump.sql", 1);
    assert_eq!(objects(&value), ["privileges on table public.t", "rows of public.t"]);
    assert!(value["not_compared"][0].as_str().unwrap().starts_with("roles"), "{value:#}");
    project.write("dump.sql", dump.replace("GRANT SELECT ON TABLE public.t TO web;\n", "").replace("it's", "x"));
    project.json("diff a dump.sql", 0);
    project.write("dump.sql", b"PGDMP\x00");
    project.refused("diff a dump.sql", &["isn't plain SQL"]);
}

#[test]
fn a_database_that_exists_is_read_and_left_as_it_is() {
    let project = two();
    project.refused("diff postgres://me:secret@127.0.0.1:1/d a", &["there is no pg_dump"]);
    #[cfg(unix)]
    {
        use consolidate::proof::Database;
        let Ok(database) = Database::local(None) else { return eprintln!("skipped: no PostgreSQL on this machine") };
        let live = database.open(&consolidate::scratch::Needs::default()).unwrap();
        let sql = |sql: &str| {
            let mut command = Command::new("psql");
            ran(command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, "-d", &live.url()]))
        };
        if Command::new("psql").arg("--version").output().is_err() {
            return eprintln!("skipped: no psql");
        }
        assert_eq!(sql(&format!("CREATE ROLE stranger; {OLD}")).code, 0);
        let before = live.dump().unwrap();
        let run = |words: &[&str]| {
            let mut command = project.command("");
            ran(command.env_remove("CONSOLIDATE_PG_BIN").args(words))
        };
        let same = run(&["diff", &live.url(), "a", "--format", "json"]);
        assert_eq!(same.code, 0, "{same:#?}");
        assert!(same.out.contains("1 roles of the server"), "{same:#?}");
        let other = run(&["verify", "--against", &live.url(), "--new", "b", "--format", "json"]);
        let value: Value = serde_json::from_str(&other.out).unwrap_or_else(|e| panic!("{e}: {other:#?}"));
        fits(&value);
        assert_eq!(objects(&value), ["index public.i", "table public.t"], "{other:#?}");
        let plain = |text: String| text.lines().filter(|l| !l.contains("restrict")).collect::<Vec<_>>().join("\n");
        assert_eq!(plain(before), plain(live.dump().unwrap()));
        let noted =
            "CREATE TABLE schema_migrations (version varchar PRIMARY KEY); INSERT INTO schema_migrations VALUES ('1')";
        assert_eq!(sql(noted).code, 0);
        project.write("mate/1_a.sql", format!("-- migrate:up\n{OLD}\n-- migrate:down\n"));
        project.write("mate/2_b.sql", "-- migrate:up\nCREATE TABLE more ();\n-- migrate:down\nDROP TABLE more;\n");
        let behind = run(&["diff", &live.url(), "mate", "--layout", "dbmate"]);
        let note = "by schema_migrations, the table of dbmate, the database is behind: this database lacks 1 of 2 migrations: 2";
        assert!(behind.code == 1 && behind.err.contains(note), "{behind:#?}");
        let lost = run(&["diff", "postgres://me:secret@127.0.0.1:1/d", "a"]);
        assert!(lost.code == 2 && !lost.err.contains("secret"), "{lost:#?}");
    }
}

#[test]
fn a_set_is_stale_once_the_history_has_changed() {
    let project = Project::small();
    let check = |code: i32, says: &str| {
        let ran = project.run("plan --check");
        assert!(ran.code == code && ran.err.contains(says), "{ran:#?}");
    };
    check(1, "could go");
    project.fine("emit");
    check(0, "");
    project.write("migrations.old/3_more.sql", "CREATE TABLE more ();");
    check(1, "is stale");
    project.fine("emit");
    check(0, "");
}
