//! A part of a history: `--through` and `--from`. Each folder of `fixtures/cuts` is a history whose later part is
//! consolidated on top of what comes before; `from.txt` says from where, `expected/` holds the new files. To write those anew:
//! `CONSOLIDATE_UPDATE=1 cargo test --release --test cuts`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod cli_support;

use cli_support::Project;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    entries
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .map(|p| (p.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&p).expect("a file")))
        .collect()
}

fn with(folder: &Path) -> Project {
    let project = Project::empty();
    for (name, bytes) in files(folder) {
        project.write(&format!("migrations.old/{name}"), bytes);
    }
    project
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cuts");
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).expect("fixtures").map(|e| e.expect("an entry").path()).collect();
    found.sort();
    found
}

/// The files of the new folder that stay as they were; panics if one of them isn't the same.
fn untouched(project: &Project, stays: impl Fn(&str) -> bool) -> usize {
    let old = files(&project.path("migrations.old"));
    let new = files(&project.path("migrations"));
    let kept: Vec<_> = old.iter().filter(|(name, _)| stays(name)).collect();
    for (name, bytes) in &kept {
        assert!(new.get(*name) == Some(bytes), "{name} isn't the same byte for byte");
    }
    kept.len()
}

/// Hasura looks for a folder of the database's name.
#[test]
fn a_part_stays_in_the_folder_of_its_database() {
    let project = Project::empty();
    for (version, sql) in [
        (1_654_696_186_001_u64, "CREATE TABLE a (id int PRIMARY KEY, draft int);\n"),
        (1_654_696_186_002, "ALTER TABLE a ADD b int;\n"),
        (1_654_696_186_003, "ALTER TABLE a DROP draft;\nALTER TABLE a ADD c int;\n"),
    ] {
        project.write(&format!("migrations.old/default/{version}_x/up.sql"), sql);
    }
    project.write("migrations.old/README.md", "ours\n");
    for part in ["--from 1654696186002", "--through 1654696186002"] {
        project.fine(&format!("emit --force {part}"));
        project.fine(&format!("verify {part}"));
        let tree = project.tree("migrations");
        let paths: Vec<String> =
            tree.iter().filter(|(_, bytes)| bytes.is_some()).map(|(p, _)| p.display().to_string()).collect();
        let is_inside = |p: &String| p.starts_with("default/") || p == "README.md" || p == ".consolidate";
        assert!(paths.iter().all(is_inside) && paths.len() == 4, "{part}: {paths:?}");
    }
}

/// The databases that run a part hold rows that no scratch database has.
#[test]
fn a_part_keeps_what_moves_rows() {
    let base = "CREATE TABLE a (id int PRIMARY KEY, name text);\nCREATE TABLE c (id int);\nCREATE TABLE t (id int);\n\
                CREATE TABLE legacy (email text);\nCREATE TABLE users (email text);\nALTER TABLE a ADD COLUMN s text;\n";
    let moves = [
        "CREATE TABLE b (id int, name text, flag boolean)",
        "MERGE INTO b USING a ON a.id = b.id WHEN NOT MATCHED THEN INSERT VALUES (a.id, a.name, false)",
        "UPDATE b SET flag = true",
        "INSERT INTO t SELECT a.id FROM a LEFT JOIN b ON b.id = a.id JOIN c ON c.id = a.id",
        "UPDATE legacy SET email = lower(email)",
        "INSERT INTO users SELECT email FROM legacy",
        "TRUNCATE legacy",
        "ALTER TABLE a ALTER s TYPE varchar USING upper(s)",
        "ALTER TABLE a ALTER s TYPE varchar(100)",
    ];
    let rest = "ALTER TABLE users ADD COLUMN x int;\nALTER TABLE users DROP COLUMN x;\n";
    let part = format!("{};\n{rest}", moves.join(";\n"));
    let project = Project::history(&[("0001_base.sql", base), ("0002_moves.sql", &part)]);
    project.fine("emit --from 0002");
    let new = project.read("migrations/0002_moves.sql").split_whitespace().collect::<Vec<_>>().join(" ");
    for statement in moves {
        // What follows in the same command of one table may be joined to it.
        let words = statement.rsplit(" ALTER s ").next().unwrap_or(statement);
        assert!(new.contains(words), "{statement} is gone: {new}");
    }
    assert!(!new.contains("COLUMN x"), "{new}");
}

/// Between one file and the next others may write: a fresh database doesn't show it, and a live one stands still without it.
#[test]
fn a_part_keeps_what_spares_tables_in_use_a_lock() {
    let base = "CREATE TABLE big (id int, v int);\nCREATE INDEX big_id ON big (id);\n";
    let project = Project::history(&[
        ("0001_base.sql", base),
        ("0002_index.sql", "CREATE INDEX CONCURRENTLY big_v ON big (v);\n"),
        ("0003_check.sql", "ALTER TABLE big ADD CONSTRAINT positive CHECK (v > 0) NOT VALID;\n"),
        ("0004_valid.sql", "ALTER TABLE big VALIDATE CONSTRAINT positive;\n"),
        ("0005_own.sql", "CREATE TABLE own (a int);\nALTER TABLE own ADD COLUMN b int;\n"),
        ("0006_own.sql", "CREATE INDEX CONCURRENTLY own_a ON own (a);\n"),
        ("0007_less.sql", "DROP INDEX CONCURRENTLY big_id;\n"),
    ]);
    let said = project.json("emit --from 0002", 0);
    let text = |name: &str| project.read(&format!("migrations/{name}"));
    assert!(text("0002_index.sql").contains("CREATE INDEX CONCURRENTLY big_v"));
    assert!(text("0003_check.sql").contains("NOT VALID"));
    assert!(text("0004_valid.sql").contains("VALIDATE CONSTRAINT positive"));
    assert!(text("0007_less.sql").contains("DROP INDEX CONCURRENTLY big_id"));
    let own = text("0005_own.sql");
    assert!(own.contains("CREATE INDEX own_a") && !own.contains("ADD COLUMN"), "nobody uses it yet: {own}");
    let locks: Vec<(&str, &str)> = said["locks"]
        .as_array()
        .expect("locks")
        .iter()
        .map(|held| (held["table"].as_str().expect("a table"), held["lock"].as_str().expect("a lock")))
        .collect();
    let wanted = [
        ("big", "share_update_exclusive"),
        ("big", "access_exclusive"),
        ("big", "share_update_exclusive"),
        ("big_id", "share_update_exclusive"),
    ];
    assert_eq!(locks, wanted);
}

#[test]
fn a_part_keeps_what_fires_while_rows_move() {
    let base = "CREATE TABLE users (id int, name text, seen int);\n";
    let fires = "CREATE FUNCTION upper_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := upper(NEW.name); \
                 RETURN NEW; END $$;\nCREATE TRIGGER up BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION upper_name();\n\
                 UPDATE users SET seen = 0;\nDROP TRIGGER up ON users;\nDROP FUNCTION upper_name();\n";
    let rest = "CREATE TABLE t (a int);\nALTER TABLE t ADD COLUMN b int;\nCREATE TRIGGER quiet BEFORE UPDATE ON users \
                FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();\n";
    let project = Project::history(&[("0001_base.sql", base), ("0002_names.sql", &format!("{fires}{rest}"))]);
    project.fine("emit --from 0002");
    let new = project.read("migrations/0002_names.sql");
    let places: Vec<Option<usize>> =
        ["CREATE TRIGGER up", "UPDATE users", "DROP TRIGGER up", "DROP FUNCTION", "CREATE TRIGGER quiet"]
            .map(|words| new.find(words))
            .to_vec();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{new}");
    assert!(!new.contains("ALTER TABLE t"), "what no row moves through is netted: {new}");
}

#[test]
fn a_part_that_renames_afterwards_stays() {
    let base = "CREATE TABLE users (id int, word text);\n";
    let part = "CREATE TABLE words (word text, better text);\nINSERT INTO words VALUES ('root', 'admin');\n\
                UPDATE users SET word = better FROM words WHERE words.word = users.word;\nDROP TABLE words;\n\
                ALTER TABLE users RENAME TO people;\nCREATE TABLE users (id int, word text);\n\
                ALTER TABLE users ADD COLUMN x int;\n";
    let project = Project::history(&[("0001_base.sql", base), ("0002_words.sql", part)]);
    project.fine("emit --from 0002");
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(&project.read("migrations/0002_words.sql")), format!("-- Words {}", squeezed(part)));
}

#[test]
fn the_files_that_undo_what_stays_stay() {
    let project = Project::empty();
    for number in 1..=4 {
        project.write(&format!("migrations.old/00000{number}_t.up.sql"), format!("CREATE TABLE t{number} (a int);\n"));
        project.write(&format!("migrations.old/00000{number}_t.down.sql"), format!("DROP TABLE t{number};\n"));
    }
    project.fine("emit --from 000003");
    for number in 1..=2 {
        let down = project.read(&format!("migrations/00000{number}_t.down.sql"));
        assert_eq!(down, format!("DROP TABLE t{number};\n"));
    }
    project.fine("verify --from 000003");
    std::fs::remove_file(project.path("migrations/000001_t.down.sql")).expect("it is there");
    let said = project.run("verify --from 000003");
    assert_ne!(said.code, 0, "a file that should have stayed is gone: {}", said.out);
}

#[test]
fn a_branch_becomes_its_net_change() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let project = with(&fixture.join("migrations"));
        let from = fs::read_to_string(fixture.join("from.txt")).expect("from.txt").trim().to_string();
        let said = project.json(&format!("emit --from {from}"), 0);
        assert_eq!(said["verdict"], "identical");
        let (before, after) = (&said["statements"]["history"], &said["statements"]["set"]);
        assert!(after.as_u64() < before.as_u64(), "{}: {before} became {after}", fixture.display());
        assert!(untouched(&project, |name| name < from.as_str()) > 0);
        let verified = project.fine(&format!("verify --from {from}"));
        assert!(verified.err.contains("byte for byte"), "{}", verified.err);
        let new: BTreeMap<_, _> =
            files(&project.path("migrations")).into_iter().filter(|(n, _)| n.as_str() >= from.as_str()).collect();
        let expected = fixture.join("expected");
        if std::env::var_os("CONSOLIDATE_UPDATE").is_some() {
            let _ = fs::remove_dir_all(&expected);
            fs::create_dir_all(&expected).expect("expected");
            new.iter().for_each(|(name, bytes)| fs::write(expected.join(name), bytes).expect("a file"));
        } else if files(&expected) != new {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let all: String = new.iter().map(|(name, bytes)| format!("-- == {name}\n{}", text(bytes))).collect();
            wrong.push(format!("{} gives\n{all}", fixture.display()));
        }
        // Once more, from the consolidated folder: nothing changes.
        fs::rename(project.path("migrations"), project.path("again")).expect("moved");
        project.fine(&format!("emit --old again --from {from}"));
        assert_eq!(files(&project.path("again")), files(&project.path("migrations")), "{}", fixture.display());
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

#[test]
fn the_example_is_cut_at_three_points_in_both_ways() {
    let history = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations.old");
    for cut in [
        "20250101000005_supporting_tables.sql",
        "20260122000001_pack_installation_metadata.sql",
        "20260202000001_add_sensor_runtimes.sql",
    ] {
        let version = cut.split('_').next().expect("a version");
        for way in ["through", "from"] {
            let project = with(&history);
            let said = project.json(&format!("emit --{way} {version}"), 0);
            assert_eq!(said["verdict"], "identical", "{way} {cut}");
            let (before, after) = (said["statements"]["history"].as_u64(), said["statements"]["set"].as_u64());
            assert!(after <= before, "{way} {cut}: {before:?} became {after:?}");
            let kept = untouched(&project, |name| if way == "through" { name > cut } else { name < cut });
            assert!(kept > 3, "{way} {cut}: {kept} files stay");
        }
    }
}

#[test]
fn a_layout_keeps_its_marks_and_folders() {
    let up = "-- +goose Up\n";
    let goose = Project::history(&[
        ("001_a.sql", "-- +goose Up\nCREATE TABLE a (id int);\n-- +goose Down\nDROP TABLE a;\n"),
        ("002_b.sql", "-- +goose Up\nALTER TABLE a ADD COLUMN b int;\n"),
        (
            "003_f.sql",
            "-- +goose Up\n-- +goose StatementBegin\nCREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n    RETURN 1;\nEND $$;\n-- +goose StatementEnd\n",
        ),
    ]);
    goose.fine("emit --through 2");
    let first = goose.read("migrations/001_a.sql");
    assert!(first.starts_with(up) && first.contains("id int, b int"), "{first}");
    assert_eq!(goose.read("migrations/003_f.sql"), goose.read("migrations.old/003_f.sql"));
    goose.fine("verify --through 2");
    fs::remove_dir_all(goose.path("migrations")).expect("removed");
    goose.fine("emit --from 2 --name rest");
    let rest = goose.read("migrations/002_rest.sql");
    assert!(rest.contains("StatementBegin\nCREATE FUNCTION") && rest.contains("ADD COLUMN b int;"), "{rest}");
    let prisma = Project::history(&[
        ("20200101_a/migration.sql", "CREATE TABLE \"A\" (\"id\" INTEGER NOT NULL);\n"),
        ("20200102_b/migration.sql", "ALTER TABLE \"A\" ADD COLUMN \"b\" TEXT;\n"),
        ("20200103_c/migration.sql", "ALTER TABLE \"A\" DROP COLUMN \"b\";\nCREATE TABLE \"C\" ();\n"),
        ("migration_lock.toml", "provider = \"postgresql\"\n"),
    ]);
    prisma.fine("emit --from 20200102");
    let only = prisma.read("migrations/20200102_b/migration.sql");
    assert!(only.contains("CREATE TABLE \"C\"") && !only.contains("\"b\""), "{only}");
    assert!(!prisma.path("migrations/20200103_c").exists());
    assert_eq!(prisma.read("migrations/migration_lock.toml"), "provider = \"postgresql\"\n");
}

#[test]
fn a_part_is_written_as_its_tool_wants_it() {
    let journal = "{\n  \"version\": \"7\",\n  \"dialect\": \"postgresql\",\n  \"entries\": [\n    \
                   {\"idx\": 0, \"when\": 1, \"tag\": \"0000_a\"},\n    {\"idx\": 1, \"when\": 2, \"tag\": \"0001_b\"},\n    \
                   {\"idx\": 2, \"when\": 3, \"tag\": \"0002_c\"}\n  ]\n}\n";
    let b = "CREATE TABLE b (id int);\n--> statement-breakpoint\nCREATE TABLE d (id int);\n";
    let drizzle = Project::history(&[
        ("0000_a.sql", "CREATE TABLE a (id int);\n"),
        ("0001_b.sql", b),
        ("0002_c.sql", "ALTER TABLE b ADD COLUMN c int;\n"),
        ("meta/_journal.json", journal),
    ]);
    drizzle.fine("emit --from 0001");
    assert!(drizzle.read("migrations/0001_b.sql").contains("--> statement-breakpoint"));
    let journal: serde_json::Value =
        serde_json::from_str(&drizzle.read("migrations/meta/_journal.json")).expect("a journal");
    let tags: Vec<&str> = journal["entries"].as_array().unwrap().iter().filter_map(|e| e["tag"].as_str()).collect();
    assert_eq!(tags, ["0000_a", "0001_b"]);
    drizzle.fine("verify --from 0001");
    drizzle.refused("emit --from 0001 --name rest", &["the journal doesn't list 0001_rest.sql"]);
    let folders = Project::history(&[
        ("20240101000000_a/migration.sql", "CREATE TABLE a (id int);\n"),
        ("20240101000000_a/snapshot.json", "{}\n"),
        ("20240102000000_b/migration.sql", b),
        ("20240102000000_b/snapshot.json", "{}\n"),
        ("20240103000000_c/migration.sql", "ALTER TABLE b ADD COLUMN c int;\n"),
        ("20240103000000_c/snapshot.json", "{}\n"),
    ]);
    folders.fine("emit --from 20240102000000 --layout drizzle");
    assert!(folders.read("migrations/20240102000000_b/migration.sql").contains("--> statement-breakpoint"));
    let flyway = Project::history(&[
        ("V1__a.sql", "CREATE TABLE a (id int);\n"),
        ("V1_1__b.sql", "CREATE INDEX CONCURRENTLY i ON a (id);\n"),
        ("V1_1__b.sql.conf", "executeInTransaction=false\n"),
        ("V1_2__c.sql", "CREATE TABLE c (id int);\nALTER TABLE c ADD COLUMN d int;\n"),
    ]);
    flyway.fine("emit --from 1.2");
    assert_eq!(flyway.tree("migrations").keys().filter(|p| p.extension().is_some()).count(), 4);
    assert!(flyway.read("migrations/V1_2__c.sql").contains("d int"));
    flyway.fine("verify --from 1.2");
    let diesel = Project::history(&[
        ("2017-09-23-182408_a/up.sql", "CREATE TABLE a (id int);\n"),
        ("2017-09-23-182408_a/down.sql", "DROP TABLE a;\n"),
        ("2017-09-24-182408_b/up.sql", "CREATE TABLE b (id int);\nALTER TABLE b ADD COLUMN c int;\n"),
        ("2017-09-24-182408_b/down.sql", "DROP TABLE b;\n"),
    ]);
    diesel.fine("emit --from 2017-09-24-182408");
    assert!(diesel.read("migrations/2017-09-24-182408_b/up.sql").contains("c int"));
    assert!(diesel.read("migrations/2017-09-24-182408_b/down.sql").contains("can''t be undone"));
    assert_eq!(diesel.read("migrations/2017-09-23-182408_a/down.sql"), "DROP TABLE a;\n");
}

#[test]
fn a_part_stays_in_its_place_and_its_layout() {
    let sqlx = Project::empty();
    sqlx.write("migrations/1_a.sql", "CREATE TABLE a (id int);\n");
    sqlx.write("migrations/2_b.sql", "CREATE TABLE b (id int);\nDROP TABLE b;\n");
    sqlx.refused("emit --from 2 --in-place", &["a part of this one stays as it is", "--new"]);
    std::fs::rename(sqlx.path("migrations"), sqlx.path("migrations.old")).expect("moved");
    sqlx.refused("emit --from 2 --write-layout goose", &["the rest can't become goose", "--write-layout"]);
    sqlx.fine("emit --through 1");
    let manifest = sqlx.read("migrations/.consolidate");
    let layout = sqlx.json("plan", 0)["layout"].as_str().expect("a layout").to_string();
    assert!(
        manifest.contains(&format!("\n# layout {layout}\n")) && manifest.contains("\n# of the history "),
        "{manifest}"
    );
    assert!(sqlx.fine("emit --through 1").out.contains("nothing changed"));
}

#[test]
fn a_revision_says_what_is_before() {
    let project = with(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cuts/moving/migrations"));
    let git = |arguments: &[&str]| {
        let ran = Command::new("git").args(arguments).current_dir(project.path("")).output();
        assert!(ran.is_ok_and(|r| r.status.success()), "git {arguments:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["config", "user.email", "nobody@example.org"]);
    git(&["config", "user.name", "nobody"]);
    git(&["add", "migrations.old/0001_orders.sql"]);
    git(&["commit", "-qm", "one"]);
    let plan = project.json("plan --from main:", 0);
    assert_eq!(plan["totals"]["files"]["before"], 2, "{plan:#}");
    project.refused("plan --from nowhere:", &["git revision nowhere", "--from VERSION"]);
    project.refused("plan --from 0009", &["no migration in", "0009", "0001_orders.sql to 0003_amount_done.sql"]);
    git(&["add", "migrations.old/0003_amount_done.sql"]);
    git(&["commit", "-qm", "three"]);
    project.refused("plan --from main:", &["0003_amount_done.sql is in revision main, but runs after 0002_amount.sql"]);
}

/// What a platform gave in former times is no reason to leave something out of a part either.
#[test]
fn a_part_is_proven_on_the_platforms_of_today_and_before() {
    let project = Project::empty();
    project.write("migrations.old/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);\n");
    let give = "ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO anon;\n";
    project.write("migrations.old/2_b.sql", format!("{give}CREATE TABLE b (id int);\n"));
    project.write("migrations.old/3_c.sql", "ALTER TABLE b ADD COLUMN note text;\n");
    let value = project.json("emit --from 2 --prelude supabase", 0);
    let notes = value["notes"].to_string();
    assert!(notes.contains("projects of Supabase from before"), "{notes}");
    let files = files(&project.path("migrations"));
    let text: String = files.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    assert!(text.contains("GRANT ALL ON TABLES TO anon") && text.contains("note text"), "{text}");
    assert_eq!(files.len(), 2, "{:?}", files.keys());
}
