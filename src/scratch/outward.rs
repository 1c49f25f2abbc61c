//! What reaches out of a scratch database: programs, files, other hosts, code that PostgreSQL doesn't guard, the settings of
//! the server. Where the embedded PostgreSQL refuses such a thing, or stops before it, no other one is to run it unasked.
//!
//! It is read from trees, in bodies and strings too (`calls.rs`). What a block puts together at run time isn't seen here.

use serde_json::Value;

/// What a statement reaches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// It runs a program.
    Program,
    /// It reads or writes files of the machine.
    File,
    /// It connects to another server.
    Host,
    /// It runs code that nothing holds back: a library, an untrusted language.
    Code,
    /// It changes settings of the whole server.
    Settings,
}

impl Outside {
    /// What it does, as the end of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Outside::Program => "runs a program",
            Outside::File => "reads or writes files of the machine",
            Outside::Host => "connects to another server",
            Outside::Code => "runs code that PostgreSQL doesn't hold back",
            Outside::Settings => "changes settings of the whole server",
        }
    }
}

/// Extensions that reach out as soon as they are there.
const EXTENSIONS: &[(&str, Outside)] = &[("plsh", Outside::Program)];

/// Functions that reach out, by how their names begin.
const CALLS: &[(&str, Outside)] = &[
    ("pg_read_file", Outside::File),
    ("pg_read_binary_file", Outside::File),
    ("pg_stat_file", Outside::File),
    ("pg_ls_", Outside::File),
    ("pg_file_", Outside::File),
    ("pg_logdir_ls", Outside::File),
    ("pg_execute_server_program", Outside::Program),
    ("lo_import", Outside::File),
    ("lo_export", Outside::File),
    ("dblink", Outside::Host),
    ("pg_reload_conf", Outside::Settings),
    ("pg_rotate_logfile", Outside::Settings),
    ("pg_promote", Outside::Settings),
];

/// Options of a foreign server that say where it is.
const PLACES: &[&str] =
    &["host", "hostaddr", "service", "servicefile", "passfile", "sslkey", "sslcert", "filename", "program"];

/// Languages in which a function can do all that the server can.
const GUARDED: &[&str] = &["sql", "plpgsql", "plperl", "pltcl", "plv8", "plpgsql_check"];

/// What a node of a tree reaches for.
pub(super) fn of_node(kind: &str, node: &Value) -> Option<Outside> {
    let text = |name: &str| node.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match kind {
        "CopyStmt" if node.get("is_program").and_then(Value::as_bool) == Some(true) => Some(Outside::Program),
        "CopyStmt" => text("filename").map(|_| Outside::File),
        "LoadStmt" => Some(Outside::Code),
        "AlterSystemStmt" => Some(Outside::Settings),
        "CreateTableSpaceStmt" => Some(Outside::File),
        "CreateSubscriptionStmt" => (!is_off(node, "connect")).then_some(Outside::Host),
        "ImportForeignSchemaStmt" => Some(Outside::Host),
        "CreatePlangStmt" => text("plname").and_then(of_language),
        "CreateForeignServerStmt" | "AlterForeignServerStmt" | "CreateForeignTableStmt" => of_options(node),
        "CreateExtensionStmt" => text("extname").and_then(of_extension),
        "DoStmt" | "CreateFunctionStmt" => {
            let options = node.get(if kind == "DoStmt" { "args" } else { "options" }).and_then(Value::as_array);
            let language = options.into_iter().flatten().filter_map(|option| option.pointer("/node/DefElem"));
            let mut named = language.filter(|option| option.get("defname").and_then(Value::as_str) == Some("language"));
            named
                .find_map(|option| option.pointer("/arg/node/String/sval").and_then(Value::as_str))
                .and_then(of_language)
        }
        _ => None,
    }
}

/// What a function reaches for.
pub(super) fn of_call(name: &str) -> Option<Outside> {
    CALLS.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, outside)| *outside)
}

/// What a text reaches for that has no tree, by its words.
pub(super) fn of_words(text: &str) -> Option<Outside> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let has = |word: &str| words.contains(&word);
    match () {
        () if has("copy") && has("program") => Some(Outside::Program),
        () if has("alter") && has("system") => Some(Outside::Settings),
        () => words.iter().find_map(|word| of_call(word)),
    }
}

fn of_language(name: &str) -> Option<Outside> {
    (!GUARDED.contains(&name.to_lowercase().as_str())).then_some(Outside::Code)
}

fn of_extension(name: &str) -> Option<Outside> {
    let known = EXTENSIONS.iter().find(|(known, _)| *known == name).map(|(_, outside)| *outside);
    // By PostgreSQL's custom, an untrusted language has a name that ends with a `u`: plperlu, plpython3u.
    known.or_else(|| (name.starts_with("pl") && name.ends_with('u')).then_some(Outside::Code))
}

/// Whether an option is switched off.
fn is_off(node: &Value, name: &str) -> bool {
    let options = node.get("options").and_then(Value::as_array).into_iter().flatten();
    let mut named = options.filter_map(|option| option.pointer("/node/DefElem"));
    let found = named.find(|option| option.get("defname").and_then(Value::as_str) == Some(name));
    let value = found.and_then(|option| option.pointer("/arg/node/String/sval")).and_then(Value::as_str);
    value.is_some_and(|value| value.eq_ignore_ascii_case("false") || value.eq_ignore_ascii_case("off"))
}

fn of_options(node: &Value) -> Option<Outside> {
    let options = node.get("options").and_then(Value::as_array).into_iter().flatten();
    let mut names = options.filter_map(|option| option.pointer("/node/DefElem/defname").and_then(Value::as_str));
    names.find(|name| PLACES.contains(name)).map(|name| match name {
        "program" => Outside::Program,
        "filename" => Outside::File,
        _ => Outside::Host,
    })
}

#[cfg(test)]
mod tests {
    use super::super::calls::said;
    use super::Outside::{self, Code, File, Host, Program, Settings};

    fn outside(sql: &str) -> Option<Outside> {
        said(sql).unwrap().outside.first().map(|(outside, _)| *outside)
    }

    #[test]
    fn what_reaches_out_is_seen_in_every_spelling() {
        for (sql, what) in [
            ("COPY t TO PROGRAM 'curl x'", Program),
            ("copy/* */t from/**/program 'x'", Program),
            ("COPY t FROM '/etc/passwd'", File),
            ("COPY (SELECT 1) TO '/tmp/x'", File),
            ("SELECT pg_read_file('/etc/passwd')", File),
            ("SELECT pg_catalog.\"pg_read_file\"('/etc/passwd')", File),
            ("SELECT U&\"pg_read\\005ffile\"('x')", File),
            ("SELECT pg_read_binary_file('x'), pg_ls_dir('.')", File),
            ("SELECT lo_import('/etc/passwd')", File),
            ("LOAD 'auto_explain'", Code),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'f'", Code),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS 'return 1'", Code),
            ("DO LANGUAGE plperlu 'x'", Code),
            ("CREATE EXTENSION plpython3u", Code),
            ("SELECT dblink_connect('host=x')", Host),
            ("CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'db.example')", Host),
            ("ALTER SERVER s OPTIONS (ADD hostaddr '10.0.0.1')", Host),
            ("CREATE FOREIGN TABLE t (a text) SERVER f OPTIONS (program 'id')", Program),
            ("CREATE FOREIGN TABLE t (a text) SERVER f OPTIONS (filename '/etc/passwd')", File),
            ("IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b", Host),
            ("CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p", Host),
            ("ALTER SYSTEM SET archive_command = 'x'", Settings),
            ("DO $$ BEGIN COPY t TO PROGRAM 'x'; EXCEPTION WHEN others THEN NULL; END $$", Program),
            ("DO $$ BEGIN EXECUTE 'COPY t TO PROGRAM ''x'''; END $$", Program),
            ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'COPY t TO PROGRAM ''x'''", Program),
            ("CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN pg_read_file('x'); END $$", File),
        ] {
            assert_eq!(outside(sql), Some(what), "{sql}");
        }
    }

    #[test]
    fn what_stays_inside_is_not() {
        for sql in [
            "COPY t FROM stdin",
            "INSERT INTO t VALUES ('COPY of the program')",
            "COMMENT ON TABLE t IS 'see pg_read_file'",
            "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
            "CREATE EXTENSION postgis",
            "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false)",
            "CREATE EXTENSION plv8",
            "CREATE EXTENSION IF NOT EXISTS dblink",
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
            "DO $$ BEGIN CREATE TABLE program (host text); END $$",
        ] {
            assert_eq!(outside(sql), None, "{sql}");
        }
    }
}
