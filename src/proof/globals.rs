//! What `pg_dump` leaves out of a schema: roles and their memberships, settings of roles and of the database, versions of
//! extensions, whether materialized views are populated, and indexes that a failed build left invalid.
//!
//! Everything below OID 16384 comes with PostgreSQL.

use super::session::Session;
use super::{Entry, EntryKind, hidden};
use crate::Result;

/// Each query gives kind, schema, name and text. PostgreSQL before 16 keeps less of a membership,
/// and whoever gave it may be gone. What a plain GRANT by the superuser makes is told as that, so that every version takes it.
const QUERIES: &[&str] = &[
    // Whether a role has a password counts; the password itself is salted and differs from run to run.
    "SELECT CASE WHEN oid = 10 THEN 'BOOTSTRAP ROLE' ELSE 'ROLE' END, '-', rolname, format('CREATE ROLE %I WITH %s %s %s %s %s %s %s CONNECTION LIMIT %s%s;%s', rolname,
        CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
        CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
        CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
        CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
        CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
        CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
        rolconnlimit, ' VALID UNTIL ' || quote_literal(rolvaliduntil),
        CASE WHEN rolpassword IS NULL THEN '' ELSE ' -- has a password' END)
    FROM pg_authid WHERE oid >= 16384 OR oid = 10 ORDER BY rolname",
    "SELECT 'ROLE COMMENT', '-', rolname, format('COMMENT ON ROLE %I IS %L;', rolname, shobj_description(oid, 'pg_authid'))
    FROM pg_authid WHERE (oid >= 16384 OR oid = 10) AND shobj_description(oid, 'pg_authid') IS NOT NULL ORDER BY rolname",
    "SELECT 'ROLE MEMBERSHIP', '-', format('%s in %s by %s', m.rolname, r.rolname, g.rolname),
        format('GRANT %I TO %I%s%s;', r.rolname, m.rolname,
            CASE WHEN NOT to_jsonb(a) ? 'set_option' OR (to_jsonb(a) ->> 'set_option')::boolean
                    AND (to_jsonb(a) ->> 'inherit_option')::boolean = m.rolinherit
                THEN CASE WHEN a.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END
                ELSE format(' WITH ADMIN %s, INHERIT %s, SET %s', upper(a.admin_option::text),
                    upper(to_jsonb(a) ->> 'inherit_option'), upper(to_jsonb(a) ->> 'set_option')) END,
            CASE WHEN a.grantor <> 10 AND g.rolname <> session_user THEN ' GRANTED BY ' || quote_ident(g.rolname) END)
    FROM pg_auth_members a JOIN pg_authid r ON r.oid = a.roleid JOIN pg_authid m ON m.oid = a.member
    LEFT JOIN pg_authid g ON g.oid = a.grantor
    WHERE a.roleid >= 16384 OR a.member >= 16384
        OR age(a.xmin) < age((SELECT xmin FROM pg_database WHERE datname = 'template0')) ORDER BY r.rolname, m.rolname, g.rolname",
    "SELECT CASE WHEN s.setrole = 0 THEN 'DATABASE SETTING' ELSE 'ROLE SETTING' END, '-',
        concat_ws(' ', coalesce(r.rolname, 'every role'), CASE WHEN d.datname = current_database() THEN 'in the database'
            WHEN s.setdatabase <> 0 THEN 'in database ' || coalesce(d.datname, '?') END,
            split_part(c, '=', 1)), c
    FROM pg_db_role_setting s LEFT JOIN pg_authid r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c ORDER BY 1, 3, 4",
    "SELECT 'DATABASE', '-', 'the database', concat_ws(E'\\n', 'owner: ' || pg_get_userbyid(datdba),
        'privileges: ' || (SELECT string_agg(a::text, ', ' ORDER BY a::text) FROM unnest(datacl) a),
        'comment: ' || shobj_description(oid, 'pg_database'), 'connection limit: ' || datconnlimit,
        CASE WHEN datistemplate THEN 'a template' END, CASE WHEN NOT datallowconn THEN 'takes no connections' END)
    FROM pg_database WHERE datname = current_database()",
    "SELECT 'OTHER DATABASE', '-', datname, concat_ws(E'\\n', 'owner: ' || pg_get_userbyid(datdba),
        'privileges: ' || (SELECT string_agg(a::text, ', ' ORDER BY a::text) FROM unnest(datacl) a),
        'comment: ' || shobj_description(oid, 'pg_database'), 'connection limit: ' || datconnlimit)
    FROM pg_database WHERE datname <> current_database() AND oid < 16384 ORDER BY datname",
    "SELECT 'EXTENSION VERSION', '-', extname, extversion FROM pg_extension ORDER BY extname",
    "SELECT 'MATERIALIZED VIEW DATA', n.nspname, c.relname,
        CASE WHEN c.relispopulated THEN 'populated' ELSE 'not populated' END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' ORDER BY 2, 3",
    "SELECT 'INVALID INDEX', n.nspname, c.relname, pg_get_indexdef(c.oid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'i' AND NOT (i.indisvalid AND i.indisready AND i.indislive) AND c.oid >= 16384 ORDER BY 2, 3",
];

/// Since PostgreSQL 15.
const PARAMETERS: &str =
    "SELECT 'PARAMETER PRIVILEGES', '-', parname,
        (SELECT string_agg(a::text, ', ' ORDER BY a::text) FROM unnest(paracl) a) FROM pg_parameter_acl ORDER BY parname";

/// Reads them all, from a server whose version is that number (`150018`).
pub(super) fn read(session: &mut Session, version: u32) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for query in queries(version) {
        read_one(session, query, &mut entries)?;
    }
    Ok(entries)
}

/// What a replay left of globals on a server that has some of its own: what wasn't there before, and what is gone.
pub(super) fn without(before: &[Entry], after: Vec<Entry>, made: impl Fn(&str) -> bool) -> Vec<Entry> {
    let is_shared = |entry: &Entry| {
        entry.kind.is_of_role() || matches!(entry.kind, EntryKind::DatabaseSetting | EntryKind::ParameterPrivileges)
    };
    let mut gone: Vec<&Entry> = before.iter().filter(|entry| is_shared(entry)).collect();
    let mut left = Vec::with_capacity(after.len());
    for entry in after {
        if is_shared(&entry)
            && let Some(at) = gone.iter().position(|known| **known == entry)
        {
            gone.swap_remove(at);
            continue;
        }
        // Somebody else may have made a role meanwhile.
        let is_role = matches!(entry.kind, EntryKind::Role | EntryKind::RoleComment);
        let is_ours = entry.name.starts_with(crate::scratch::server::PREFIX);
        if !is_ours && (!is_role || made(&entry.name)) {
            left.push(entry);
        }
    }
    let still = |entry: &Entry| left.iter().any(|one: &Entry| (&one.kind, &one.name) == (&entry.kind, &entry.name));
    let taken: Vec<Entry> = gone
        .into_iter()
        .filter(|entry| !entry.name.starts_with(crate::scratch::server::PREFIX) && !still(entry))
        .map(|entry| Entry { text: "-- was on the server, and is gone".into(), ..entry.clone() })
        .collect();
    left.extend(taken);
    left
}

/// Reads what a role without all rights may read, inside a transaction. What it may not, is named.
pub(super) fn read_allowed(session: &mut Session, version: u32) -> Result<(Vec<Entry>, Vec<String>)> {
    let (mut entries, mut refused) = (Vec::new(), Vec::new());
    let all = session.rows("SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')")?;
    let all = all.iter().flatten().flatten().next().is_some_and(|cell| cell == "t");
    for query in queries(version) {
        // Everybody may see roles, but for their passwords.
        let query = if all { query.to_string() } else { query.replace("pg_authid", "pg_roles") };
        session.must_run("SAVEPOINT consolidate_look")?;
        if let Err(error) = read_one(session, &query, &mut entries) {
            session.must_run("ROLLBACK TO SAVEPOINT consolidate_look")?;
            let kind = query.split('\'').nth(1).unwrap_or("?").to_lowercase();
            // The first line of what PostgreSQL said.
            let why = error.message.lines().next().unwrap_or_default();
            refused.push(format!("{kind}: {why}"));
        }
        session.must_run("RELEASE SAVEPOINT consolidate_look")?;
    }
    Ok((entries, refused))
}

fn queries(version: u32) -> impl Iterator<Item = &'static str> {
    let parameters = (version >= 150_000).then_some(PARAMETERS);
    QUERIES.iter().chain(hidden::QUERIES).copied().chain(parameters)
}

fn read_one(session: &mut Session, query: &str, entries: &mut Vec<Entry>) -> Result<()> {
    for row in session.rows(query)? {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().unwrap_or_default();
        entries.push(Entry { kind: next().into(), schema: next(), name: next(), owner: String::new(), text: next() });
    }
    Ok(())
}
