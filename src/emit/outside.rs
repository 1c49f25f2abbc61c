//! Whether all that an opaque statement does can be seen in the database: only then may what it made be stated instead of it.
//!
//! What can't be told apart counts as reaching outside. A scratch database shows nothing of a notification, a request, a job
//! of another server's, a file.

use crate::replay::Model;
use crate::schema::{Body, Kind, ObjectId};
use crate::sql::lex::{Token, TokenKind, lex_code};
use std::collections::HashSet;

/// What a statement may begin with whose effects a dump shows.
const SEEN: &[&str] = &[
    "do", "select", "with", "call", "alter", "create", "drop", "comment", "grant", "revoke", "insert", "update",
    "delete", "truncate", "refresh",
];

/// What stands after ALTER or CREATE that may run functions; all else that such statements say runs later, or never.
const RUNNING: &[&str] = &["table", "materialized", "temporary", "temp", "unlogged", "schema", "domain"];

/// What stands after ALTER, CREATE or DROP and isn't, or isn't only, in the database.
const OF_SERVER: &[&str] = &["system", "database", "tablespace", "subscription", "server"];

/// Statements in a body that a dump shows nothing of.
const UNSEEN: &[&str] = &["notify", "copy", "load", "listen"];

/// Schemas whose functions every database has.
const EVERYWHERE: &[&str] = &["public", "pg_catalog", "information_schema", "extensions"];

/// What Supabase brings and policies ask.
const ASKED: &[&str] =
    &["auth.uid", "auth.role", "auth.jwt", "auth.email", "storage.foldername", "storage.filename", "storage.extension"];

/// PostgreSQL's functions named `pg_` that only tell or wait
/// (<https://www.postgresql.org/docs/17/functions-info.html>, `functions-admin.html`).
const TELLS: &[&str] = &[
    "get_",
    "typeof",
    "has_role",
    "sleep",
    "advisory_",
    "try_advisory_",
    "relation_",
    "total_relation_",
    "table_size",
    "indexes_size",
    "size_",
    "column_",
    "index_",
    "indexam_",
    "backend_pid",
    "my_temp_schema",
    "describe_object",
    "identify_object",
    "encoding_",
    "client_encoding",
    "collation_",
    "trigger_depth",
    "current_",
    "sequence_",
    "options_",
    "input_",
    "partition_",
    "event_trigger_",
    "postmaster_",
];

/// The beginnings of names of functions that reach outside, of PostgreSQL's own and of extensions.
const REACHES: &[&str] = &["pg_", "lo_", "dblink", "http", "create_distributed_", "create_reference_", "run_command_"];

/// What stands before a name in brackets that isn't called.
const NO_CALL: &[&str] =
    &["into", "on", "references", "table", "exists", "function", "procedure", "routine", "aggregate", "type", "view"];

/// What in an opaque statement, or in a function that it calls, may do what no dump shows.
pub(super) fn reaches_outside(model: &Model, id: ObjectId) -> Option<String> {
    let schema = &model.schema;
    let Body::Text(text) = &schema.objects[id].body else { return None };
    let begins: Vec<String> = lex_code(text).iter().take(2).filter_map(|t| t.name(text)).collect();
    let (first, second) = (begins.first()?, begins.get(1));
    let of_server = ["alter", "create", "drop"].contains(&first.as_str())
        && second.is_some_and(|s| OF_SERVER.contains(&s.as_str()));
    if of_server {
        return Some(begins.join(" ").to_uppercase());
    }
    if !SEEN.contains(&first.as_str()) {
        return Some(first.to_uppercase());
    }
    let is_still = match first.as_str() {
        "alter" | "create" => !second.is_some_and(|s| RUNNING.contains(&s.as_str())),
        "drop" | "comment" | "grant" | "revoke" => true,
        _ => false,
    };
    if is_still {
        return None;
    }
    if first == "do"
        && let Some(language) = foreign_language(text)
    {
        return Some(format!("DO in {language}"));
    }
    let mut look = Look { model, texts: vec![text], seen: HashSet::new() };
    while let Some(text) = look.texts.pop() {
        if let Some(what) = look.text(text) {
            return Some(what);
        }
    }
    None
}

struct Look<'a> {
    model: &'a Model,
    /// Texts that are still to be looked at.
    texts: Vec<&'a str>,
    /// Functions that were looked at.
    seen: HashSet<ObjectId>,
}

impl<'a> Look<'a> {
    /// What of a text reaches outside. What a string says may be run.
    fn text(&mut self, text: &'a str) -> Option<String> {
        let tokens = lex_code(text);
        let names: Vec<Option<String>> = tokens.iter().map(|t| t.name(text)).collect();
        for (i, name) in names.iter().enumerate() {
            if let Some(inside) = tokens[i].inside(text) {
                self.texts.push(inside);
            }
            let Some(name) = name else { continue };
            let is_called = tokens.get(i + 1).is_some_and(|t| t.is(text, "("));
            let before = |n: usize| i.checked_sub(n).and_then(|at| names[at].as_deref());
            let is_dotted = i > 0 && tokens[i - 1].is(text, ".");
            let place = if is_dotted { before(2) } else { None };
            let first = if is_dotted { before(3) } else { before(1) };
            let found = match is_called && !first.is_some_and(|word| NO_CALL.contains(&word)) {
                true => self.called(place, name),
                false => self.said(&tokens[i], name, before(1)),
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// A function that is called: the history's own is looked into.
    fn called(&mut self, place: Option<&str>, name: &str) -> Option<String> {
        let objects = &self.model.schema.objects;
        let is_code = |kind: Kind| kind.is_routine();
        let is_it = |id: &ObjectId| {
            let object = &objects[*id];
            is_code(object.kind) && object.name == name && place.is_none_or(|place| object.schema == place)
        };
        let own: Vec<ObjectId> = (0..objects.len()).filter(is_it).collect();
        for id in &own {
            if self.seen.insert(*id)
                && let Body::Text(text) = &objects[*id].body
            {
                if let Some(language) = foreign_language(text) {
                    return Some(format!("{name}(), which is written in {language}"));
                }
                self.texts.push(text);
            }
        }
        let full = place.map_or(name.to_string(), |place| format!("{place}.{name}"));
        // Also where the history made the schema: an extension may have filled it.
        let unknown = place.is_some_and(|p| !EVERYWHERE.contains(&p));
        let tells = name
            .strip_prefix("pg_")
            .is_some_and(|rest| rest.ends_with("_is_visible") || TELLS.iter().any(|known| rest.starts_with(known)));
        let reaches = !tells && REACHES.iter().any(|begin| name.starts_with(begin));
        (own.is_empty() && !ASKED.contains(&full.as_str()) && (unknown || reaches)).then(|| format!("{full}()"))
    }

    /// A word that is no call.
    fn said(&self, token: &Token, name: &str, before: Option<&str>) -> Option<String> {
        let is_foreign = |o: &crate::schema::Object| o.kind == Kind::ForeignTable && o.name == name;
        if self.model.schema.objects.iter().any(is_foreign) {
            return Some(format!("foreign table {name}"));
        }
        let is_system = name == "system" && before == Some("alter");
        (token.kind == TokenKind::Word && (is_system || UNSEEN.contains(&name))).then(|| name.to_uppercase())
    }
}

/// The language of a function, if it is one that may do anything.
fn foreign_language(text: &str) -> Option<String> {
    let tokens = lex_code(text);
    let at = tokens.iter().position(|t| t.is(text, "language"))?;
    let named = tokens.get(at + 1)?;
    let language = named.text(text).trim_matches(['\'', '"']).to_lowercase();
    (!matches!(language.as_str(), "sql" | "plpgsql")).then_some(language)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of the last statement of a history reaches outside.
    fn outside(sql: &str) -> Option<String> {
        let history = crate::history::from_texts(std::path::Path::new(""), &[("1.sql".into(), sql.into())]).unwrap();
        let model = crate::replay::replay(&history);
        let objects = &model.schema.objects;
        let id = (0..objects.len())
            .rfind(|id| objects[*id].kind == Kind::Opaque)
            .unwrap_or_else(|| panic!("nothing opaque: {sql}"));
        reaches_outside(&model, id)
    }

    #[test]
    fn what_a_dump_shows_stays_inside() {
        for sql in [
            "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables LOOP \
             EXECUTE format('ALTER TABLE %I ADD COLUMN a int', t); END LOOP; END $$",
            "DO $$ BEGIN EXECUTE 'CREATE POLICY p ON a USING (auth.uid() = b)' || pg_get_constraintdef(1); END $$",
            "CREATE SCHEMA app; CREATE FUNCTION app.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'x'; END $$; \
             SELECT app.f()",
            "DO $$ BEGIN EXECUTE 'INSERT INTO auth.users (id) VALUES (1)'; END $$",
            "CREATE POLICY p ON storage.objects USING (net.http_get('a') IS NOT NULL)",
        ] {
            assert_eq!(outside(sql), None, "{sql}");
        }
    }

    #[test]
    fn what_no_dump_shows_reaches_outside() {
        for (sql, what) in [
            ("SELECT cron.schedule('a', '* * * * *', 'SELECT 1')", "cron.schedule()"),
            ("DO $$ BEGIN PERFORM net.http_post('x'); END $$", "net.http_post()"),
            ("CREATE SCHEMA net; SELECT net.http_post('x')", "net.http_post()"),
            ("DO $$ BEGIN PERFORM pg_notify('a', 'b'); END $$", "pg_notify()"),
            ("DO $$ BEGIN NOTIFY a; EXECUTE 'x'; END $$", "NOTIFY"),
            ("DO $$ BEGIN EXECUTE 'COPY a TO PROGRAM ''mail'''; END $$", "COPY"),
            ("DO $$ BEGIN EXECUTE 'ALTER SYSTEM SET a = 1'; END $$", "ALTER SYSTEM"),
            ("DO LANGUAGE plpython3u $$ import os $$", "DO in plpython3u"),
            ("COPY a TO PROGRAM 'mail'", "COPY"),
            ("ALTER SYSTEM SET work_mem = '1MB'", "ALTER SYSTEM"),
            (
                "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS $$ import os $$; SELECT f()",
                "f(), which is written in plpython3u",
            ),
            (
                "CREATE FUNCTION g() RETURNS void LANGUAGE sql AS 'SELECT dblink_exec(1)'; \
                 CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT g()'; END $$; SELECT f()",
                "dblink_exec()",
            ),
        ] {
            assert_eq!(outside(sql).as_deref(), Some(what), "{sql}");
        }
    }
}
