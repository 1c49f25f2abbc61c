//! Looks at everything in a scratch database after a replay.

use super::clock::Clock;
use super::session::Session;
use super::world::{self, Facts, Stay};
use super::{Entry, SequencePosition, Snapshot, entries, globals, hidden, rows};
use crate::Result;
use crate::scratch::Scratch;

/// How much to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Want {
    /// All.
    Everything,
    /// Rows, for a second replay that only has to say which of them differ.
    Rows,
}

/// How values are written, whatever the history has set. The empty search_path makes PostgreSQL qualify all names.
pub(super) const PLAIN: &str =
    "SET search_path = ''; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC';
    SET bytea_output = 'hex'; SET extra_float_digits = 1; SET xmloption = 'content'; SET row_security = off;
    SET statement_timeout = 0; SET lock_timeout = 0; SET default_transaction_read_only = off;
    SET standard_conforming_strings = on; SET quote_all_identifiers = off; SET lc_monetary = 'C';
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'";

/// How many tables or sequences one query asks about.
pub(super) const BATCH: usize = 200;

/// What a server that is there for others has of roles and settings before the replay; nothing on one of our own, but for a role that
/// the replay runs as.
pub(super) fn before(session: &mut Session, scratch: &dyn Scratch) -> Result<Vec<Entry>> {
    if !scratch.is_shared() && scratch.plain().is_none() {
        return Ok(Vec::new());
    }
    let version = version(session)?;
    globals::read(session, version)
}

fn version(session: &mut Session) -> Result<u32> {
    Ok(one(session, "SELECT current_setting('server_version_num')")?.parse().unwrap_or(0))
}

/// Takes the snapshot. It closes the session when it needs the database for `pg_dump`.
pub(super) fn take(
    session: &mut Session,
    scratch: &dyn Scratch,
    before: &[Entry],
    want: Want,
    (begun, facts, stay): (Clock, Facts, &Stay),
) -> Result<Snapshot> {
    session.forget()?;
    stay.end(session)?;
    session.must_run(PLAIN)?;
    let clock = begun.end(session)?;
    let facts = Facts { relations: world::relations(session)?, ..facts };
    session.must_run("BEGIN")?;
    let (rows, unread) = rows::read(session)?;
    session.must_run("COMMIT")?;
    let mut snapshot = Snapshot { rows, clock, facts, ..Snapshot::default() };
    if want == Want::Rows {
        return Ok(snapshot);
    }
    snapshot.postgres = one(session, "SELECT split_part(current_setting('server_version'), ' ', 1)")?;
    snapshot.superuser = one(session, "SELECT session_user")?;
    let version = version(session)?;
    snapshot.sequences = sequences(session)?;
    snapshot.globals = globals::read(session, version)?;
    stay.without_traces(&mut snapshot.globals);
    if scratch.is_shared() || scratch.plain().is_some() {
        snapshot.globals = globals::without(before, snapshot.globals, |role| scratch.made(role));
    }
    snapshot.not_compared = not_compared(session)?;
    let mut beyond = hidden::beyond(session)?;
    if scratch.is_shared() {
        // A history can't make a database there, so those that it has are others'.
        beyond.retain(|what| !what.is_elsewhere);
    }
    session.close()?;
    snapshot.dump = entries::without_tokens(&scratch.dump()?);
    let split = entries::split(&snapshot.dump);
    snapshot.entries = split.entries;
    snapshot.unread = split.unread;
    snapshot.unread.extend(beyond.into_iter().map(|what| what.words));
    snapshot.unread.extend(unread);
    Ok(snapshot)
}

pub(super) fn one(session: &mut Session, sql: &str) -> Result<String> {
    let rows = session.rows(sql)?;
    Ok(rows.into_iter().flatten().flatten().next().unwrap_or_default())
}

/// Where all sequences stand that aren't an extension's.
pub(super) fn sequences(session: &mut Session) -> Result<Vec<SequencePosition>> {
    let found = session.rows(
        "WITH RECURSIVE draws(sequence, tab) AS (
            (SELECT objid, refobjid FROM pg_depend WHERE classid = 'pg_class'::regclass
                AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i') AND refobjsubid > 0
            UNION SELECT d.refobjid, a.adrelid FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid
                WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass)
            UNION SELECT draws.sequence, i.inhrelid FROM draws JOIN pg_inherits i ON i.inhparent = draws.tab)
        SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), tn.nspname, t.relname,
            (SELECT json_agg(json_build_array(dn.nspname, dc.relname) ORDER BY dn.nspname, dc.relname)
                FROM draws JOIN pg_class dc ON dc.oid = draws.tab JOIN pg_namespace dn ON dn.oid = dc.relnamespace
                WHERE draws.sequence = c.oid AND dc.relkind IN ('r', 'p')), c.oid, s.seqstart
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
        LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
            AND d.refclassid = 'pg_class'::regclass
        LEFT JOIN pg_class t ON t.oid = d.refobjid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
        WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND (n.oid >= 16384 OR n.oid = 2200)
            AND NOT EXISTS (SELECT FROM pg_depend e
                WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
        ORDER BY 1, 2",
    )?;
    let mut positions = Vec::with_capacity(found.len());
    for batch in found.chunks(BATCH) {
        let asks: Vec<String> = batch
            .iter()
            .enumerate()
            .map(|(i, row)| format!("SELECT {i}, last_value, is_called FROM {}", row[2].as_deref().unwrap_or_default()))
            .collect();
        for answer in session.rows(&format!("{} ORDER BY 1", asks.join(" UNION ALL ")))? {
            let index = answer[0].as_deref().and_then(|i| i.parse::<usize>().ok());
            let Some(row) = index.and_then(|i| batch.get(i)) else { continue };
            positions.push(SequencePosition {
                schema: row[0].clone().unwrap_or_default(),
                name: row[1].clone().unwrap_or_default(),
                last_value: answer[1].as_deref().and_then(|value| value.parse().ok()),
                is_called: answer[2].as_deref() == Some("t"),
                owned_by: row[3].clone().zip(row[4].clone()),
                // No table draws from it if there is nothing to read.
                drawn_by: row[5].as_deref().and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default(),
                is_stated: false,
                start: row[7].as_deref().and_then(|start| start.parse().ok()),
                number: row[6].clone().unwrap_or_default(),
            });
        }
    }
    Ok(positions)
}

/// What the judge can't see in this database, as phrases.
pub(super) fn not_compared(session: &mut Session) -> Result<Vec<String>> {
    let rows = session.rows(
        "SELECT format('rows of foreign table %I.%I', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'f'
        UNION ALL SELECT format('rows of table %I.%I, which belongs to an extension', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
        JOIN pg_extension x ON x.oid = e.refobjid
        WHERE c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) > 0 AND c.oid <> ALL (coalesce(x.extconfig, '{}'))
        ORDER BY 1",
    )?;
    Ok(rows.into_iter().flatten().flatten().collect())
}
