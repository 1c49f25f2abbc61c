//! The gate's table (`fixtures/gate/forms.txt`): forms in every spelling, each with what it must be seen as; and a fuzzer that
//! spells them anew.

use super::{Found, Reach, Whose, read};

/// A form and what it reaches, by its word in the table.
struct Form {
    reaches: &'static str,
    sql: String,
}

fn forms() -> Vec<Form> {
    let lines = include_str!("../../../fixtures/gate/forms.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (reaches, sql) = line.split_once('|').unwrap_or_else(|| panic!("{line}"));
            Form { reaches: reaches.trim(), sql: sql.trim().replace("\\n", "\n") }
        })
        .collect()
}

fn word(reach: &Reach) -> &'static str {
    match reach {
        Reach::Program(_) => "program",
        Reach::File(_) => "file",
        Reach::Network(_) => "network",
        Reach::Foreign(_) => "foreign",
        Reach::Place(_) => "place",
        Reach::Code(_) | Reach::Language(_) => "code",
        Reach::Brings(_) => "brings",
        Reach::Setting(_) => "setting",
        Reach::Catalog(_) => "catalog",
        Reach::Secrets(_) => "secrets",
        Reach::Server(_) => "server",
        Reach::Others(_) => "others",
        Reach::Superuser(_) => "superuser",
        Reach::Makes(_) => "makes",
        Reach::Changes(_) => "changes",
        Reach::Members(..) => "members",
        Reach::Database(_) => "database",
    }
}

/// Why a form gets through; nothing if it doesn't.
fn gets_through(sql: &str, reaches: &str) -> Option<String> {
    match read(sql) {
        Ok(reading) if reading.found.iter().any(|found| word(&found.reach) == reaches) => None,
        Ok(reading) => Some(format!("{reaches}: {sql}: {reading:?}")),
        Err(why) => Some(format!("{reaches}: {sql}: {why}")),
    }
}

#[test]
fn every_form_is_seen() {
    let forms = forms();
    assert!(forms.len() >= 150, "{} forms", forms.len());
    let through: Vec<String> = forms.iter().filter_map(|form| gets_through(&form.sql, form.reaches)).collect();
    assert!(through.is_empty(), "{} of {} get through:\n{}", through.len(), forms.len(), through.join("\n"));
}

#[test]
fn what_is_the_databases_own_reaches_nothing() {
    for sql in [
        "CREATE TABLE t (role text, \"user\" text, http text, load text)",
        "SELECT http FROM t",
        "INSERT INTO tips VALUES ('DROP DATABASE shop'), ($$COPY t TO PROGRAM 'id'$$)",
        "COMMENT ON TABLE t IS 'after DROP ROLE victim; SELECT pg_reload_conf()'",
        "-- DROP ROLE victim\nSELECT 1 /* pg_terminate_backend(1) */",
        "CREATE USER MAPPING FOR victim SERVER s OPTIONS (password 'x')",
        "CREATE TABLE pg_terminate_backend (pg_reload_conf int)",
        "UPDATE pg_enum SET enumlabel = 'b' WHERE enumlabel = 'a'",
        "UPDATE app.pg_authid SET a = 1",
        "SELECT 1 FROM pg_roles WHERE rolname = 'victim'",
        "COPY t FROM STDIN",
        "CREATE EXTENSION IF NOT EXISTS dblink",
        "CREATE FOREIGN DATA WRAPPER w",
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h')",
        "CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p WITH (connect = false)",
        "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
        "ALTER SUBSCRIPTION s DISABLE",
        "CREATE LANGUAGE mine HANDLER plpgsql_call_handler",
        "CREATE TRUSTED LANGUAGE mine HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler",
        "CREATE FUNCTION y_in(cstring) RETURNS y LANGUAGE internal AS 'int4in'",
        "COMMENT ON FUNCTION pg_ls_waldir() IS 'x'",
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO victim",
        "GRANT SELECT ON t TO victim",
        "ALTER TABLE t OWNER TO victim",
        "SET search_path = a, b",
        "SET client_encoding = 'UTF8'",
        "SET standard_conforming_strings = on",
        "SET standard_conforming_strings TO true",
        "SET NAMES 'utf-8'",
        "RESET client_encoding",
        "SELECT set_config('search_path', '', false)",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'a') THEN CREATE TYPE a AS ENUM ('b'); END IF; END $$",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := now(); RETURN NEW; END $$",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET a.b = 1', current_database()); END $$",
    ] {
        let found = read(sql).unwrap_or_else(|why| panic!("{sql}: {why}")).found;
        // Options of a wrapper without a handler lead nowhere.
        let own = |found: &Found| match &found.reach {
            Reach::Database(name) => name.trim() == "consolidate_unknown",
            reach => matches!(reach, Reach::Place(_)),
        };
        assert!(found.iter().all(own), "{sql}: {found:?}");
    }
}

/// What a history must not do outside of the sandbox unasked, and the byte at which it stands.
fn stays_inside(sql: &str) -> Option<(Reach, usize)> {
    let found = read(sql).unwrap_or_else(|why| panic!("{sql}: {why}")).found;
    found.into_iter().find(|found| found.reach.stays_inside()).map(|found| (found.reach, found.at))
}

#[test]
fn what_is_for_the_sandbox_stays_there() {
    for sql in [
        "COPY t TO PROGRAM 'curl x'",
        "copy/* */t from/**/program 'x'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT pg_catalog.\"pg_read_file\"('/etc/passwd')",
        "SELECT pg_read_binary_file('x'), pg_ls_dir('.')",
        "LOAD 'auto_explain'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'f'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS 'return 1'",
        "DO LANGUAGE plperlu 'x'",
        "CREATE EXTENSION plpython3u",
        "CREATE EXTENSION plsh",
        "SELECT dblink_connect('host=x')",
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'db.example')",
        "ALTER SERVER s OPTIONS (ADD hostaddr '10.0.0.1')",
        "CREATE FOREIGN TABLE t (a text) SERVER f OPTIONS (program 'id')",
        "CREATE FOREIGN TABLE t (a text) SERVER f OPTIONS (filename '/etc/passwd')",
        "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b",
        "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "DO $$ BEGIN COPY t TO PROGRAM 'x'; EXCEPTION WHEN others THEN NULL; END $$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'COPY t TO PROGRAM ''x'''",
        "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN pg_read_file('x'); END $$",
    ] {
        assert!(stays_inside(sql).is_some(), "{sql}");
    }
    for sql in [
        "COPY t FROM stdin",
        "INSERT INTO t VALUES ('COPY of the program')",
        "COMMENT ON TABLE t IS 'see pg_read_file'",
        "CREATE EXTENSION postgis",
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
        "CREATE EXTENSION plv8",
        "CREATE EXTENSION IF NOT EXISTS dblink",
        "CREATE DATABASE other",
        "CREATE ROLE a",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
        "DO $$ BEGIN CREATE TABLE program (host text); END $$",
    ] {
        assert_eq!(stays_inside(sql), None, "{sql}");
    }
}

#[test]
fn what_is_found_has_its_place() {
    for sql in [
        "CREATE TABLE t (a int); SELECT @pg_read_file('x')",
        "SELECT 1,\n  coalesce(@pg_read_file('x'), 'y')",
        "DO $$ BEGIN\n  PERFORM 1;\n  PERFORM @pg_read_file('x');\nEND $$",
        "DO $$ BEGIN\n  EXECUTE @'SELECT pg_read_file(''x'')';\nEND $$",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$\n  SELECT @pg_read_file('x') $$",
        "SELECT 1;\n@COPY t TO PROGRAM 'id'",
    ] {
        let (at, sql) = (sql.find('@').unwrap(), sql.replace('@', ""));
        let line = |at: usize| sql[..at].matches('\n').count() + 1;
        let found = stays_inside(&sql).unwrap_or_else(|| panic!("{sql}")).1;
        assert_eq!(line(found), line(at), "{sql}");
    }
}

#[test]
fn what_is_put_together_later_is_unseen() {
    let is_unseen = |sql: &str| read(sql).unwrap_or_else(|why| panic!("{sql}: {why}")).is_unseen;
    for sql in [
        "DO $$ DECLARE a text; BEGIN EXECUTE a; END $$",
        "DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE 'SELECT ' || current_user LOOP NULL; END LOOP; END $$",
        "DO $$ DECLARE c refcursor; a text; BEGIN OPEN c FOR EXECUTE a; END $$",
        "CREATE FUNCTION f(a text) RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE a; END $$",
        "DO $$ BEGIN EXECUTE format('ALTER ROLE %I NOLOGIN', current_user); END $$",
        "SELECT query_to_xml(a, true, true, '') FROM t",
        "SELECT set_config(a, 'x', false) FROM t",
        "DO LANGUAGE plperl 'spi_exec_query($a)'",
    ] {
        assert!(is_unseen(sql), "{sql}");
    }
    for sql in [
        "SELECT 1",
        "DO $$ BEGIN EXECUTE 'CREATE TABLE ' || 't (id int)'; END $$",
        "DO $$ BEGIN EXECUTE format('CREATE TABLE t (id int)'); END $$",
    ] {
        assert!(!is_unseen(sql), "{sql}");
    }
}

#[test]
fn respelled_names_are_read() {
    let found = |sql: &str| read(sql).unwrap().found.into_iter().map(|found| found.reach).collect::<Vec<_>>();
    assert_eq!(found("ALTER ROLE U&\"vict\\0069m\" NOLOGIN"), [Reach::Changes(Whose::Named("victim".into()))]);
    assert_eq!(found("GRANT a TO b, \"C\""), [Reach::Members(vec!["a".into()], vec!["b".into(), "C".into()])]);
}

#[test]
fn a_language_of_ones_own_is_held_back_as_plpgsql_is() {
    let gate = super::Gate::default();
    let made = "CREATE FUNCTION f() RETURNS int LANGUAGE mine AS $$ BEGIN RETURN 1; END $$";
    assert!(gate.inside(made).is_err());
    assert!(gate.inside("CREATE LANGUAGE mine HANDLER plpgsql_call_handler").is_ok());
    assert!(gate.inside(made).is_ok_and(|reading| reading.is_unseen));
    assert!(gate.inside("CREATE LANGUAGE plpython3u HANDLER plpgsql_call_handler").is_ok());
    assert!(gate.inside("DO LANGUAGE plpython3u 'import os'").is_err());
}

/// Numbers by chance, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// The same statement in other letters: comments and white space between tokens, words in other capitals, names quoted or by
/// their code points.
fn respelled(sql: &str, dice: &mut Dice) -> String {
    use pg_query::protobuf::{KeywordKind, Token};
    let mut out = String::new();
    let mut end = 0;
    for token in pg_query::scan(sql).unwrap().tokens {
        let (from, to) = (usize::try_from(token.start).unwrap(), usize::try_from(token.end).unwrap());
        let text = &sql[from..to];
        if from > end {
            const BETWEEN: [&str; 6] = [" ", "\t", "\n", " /* /* a */ ' */ ", " -- \" a\n", "/**/ "];
            out.push_str(BETWEEN[dice.roll(BETWEEN.len())]);
        }
        end = to;
        let is_name = token.token == Token::Ident as i32 && !text.starts_with(['"', 'U', 'u']);
        let is_word = token.keyword_kind != KeywordKind::NoKeyword as i32;
        match (is_name, is_word, dice.roll(4)) {
            (true, _, 0) => out.push_str(&format!("\"{}\"", text.to_lowercase())),
            (true, _, 1) => {
                let by_code = |c: char| format!("\\{:04x}", u32::from(c));
                let name: String = text.to_lowercase().chars().map(by_code).collect();
                out.push_str(&format!("U&\"{name}\""));
            }
            (true, ..) | (_, true, _) => {
                let any = |c: char| if dice.roll(2) == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
                out.extend(text.chars().map(any));
            }
            _ => out.push_str(text),
        }
        if token.token == Token::SqlComment as i32 {
            out.push('\n');
        }
    }
    out
}

/// The same statement inside of something that runs it.
fn wrapped(sql: &str, dice: &mut Dice) -> String {
    let half = (0..=sql.len() / 2).rev().find(|at| sql.is_char_boundary(*at)).unwrap_or(0);
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let escaped = |text: &str| format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    match dice.roll(6) {
        0 => format!("DO $q1$ BEGIN EXECUTE $q2${sql}$q2$; END $q1$"),
        1 => format!("DO $q1$ BEGIN EXECUTE {} || {}; END $q1$", literal(&sql[..half]), literal(&sql[half..])),
        2 => format!("DO $q1$ BEGIN EXECUTE concat({}, {}); END $q1$", escaped(&sql[..half]), literal(&sql[half..])),
        3 => format!("DO {}", literal(&format!("BEGIN EXECUTE {}; END", literal(sql)))),
        4 => format!(
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $q1$ BEGIN EXECUTE {}; END $q1$",
            escaped(sql)
        ),
        _ => sql.to_string(),
    }
}

#[test]
fn ten_thousand_respelled_forms_are_seen() {
    let mut dice = Dice(20_261_127);
    let forms = forms();
    let mut through = Vec::new();
    for round in 0..10_000 {
        let form = &forms[round % forms.len()];
        let mut sql = respelled(&form.sql, &mut dice);
        // What stands in a DO block already isn't put into another one as a part of a string.
        if !form.sql.starts_with("DO") {
            sql = wrapped(&sql, &mut dice);
        }
        through.extend(gets_through(&sql, form.reaches));
    }
    assert!(through.is_empty(), "{} get through:\n{}", through.len(), through[..through.len().min(20)].join("\n"));
}
