//! Looks at a database that exists, and changes nothing in it: all is asked inside one READ ONLY transaction, and `pg_dump` of
//! this machine sees just what that transaction sees.

use std::path::Path;

use super::session::Session;
use super::snapshot::{self, PLAIN};
use super::{Class, Settings, Snapshot, entries, globals, hidden, rows};
use crate::scratch::{Limits, child, programs};
use crate::{Error, Result};

/// Everything of a database, as `pg_dump` of this machine states it. `programs` is where that is, if it is said. Rows are
/// read only if they are asked for.
///
/// # Errors
/// When it can't be reached or read, or there is no `pg_dump`. No error tells a password.
pub(super) fn look(url: &str, settings: &Settings, programs: Option<&Path>) -> Result<Snapshot> {
    let name = masked(url);
    let tell = |error: Error| {
        let why = error.message.rsplit("scratch database: ").next().unwrap_or_default().to_string();
        Error { message: format!("{name}: {why}"), ..error }
    };
    let dumper = programs::dumper(programs)?;
    let mut session = Session::to(url.to_string(), settings.limits).map_err(|error| {
        tell(error).hint("a database is named as postgres://USER@HOST:PORT/DATABASE; PGPASSWORD is understood too")
    })?;
    session.must_run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").map_err(tell)?;
    session.must_run(&PLAIN.replace("SET default_transaction_read_only = off;", "")).map_err(tell)?;
    if let Some(limit) = settings.limits.next() {
        // We give up first; the server then needn't wait for a lock that nobody wants any more.
        let millis = limit.as_millis() + 1000;
        session.must_run(&format!("SET LOCAL statement_timeout = {millis}")).map_err(tell)?;
    }
    let shared = snapshot::one(&mut session, "SELECT pg_export_snapshot()").map_err(tell)?;
    let mut found = Snapshot::default();
    let mut unread = Vec::new();
    if !settings.ignore.contains(&Class::Rows) {
        (found.rows, unread) = rows::read(&mut session).map_err(tell)?;
    }
    found.postgres =
        snapshot::one(&mut session, "SELECT split_part(current_setting('server_version'), ' ', 1)").map_err(tell)?;
    let version = snapshot::one(&mut session, "SELECT current_setting('server_version_num')").map_err(tell)?;
    found.sequences = snapshot::sequences(&mut session).map_err(tell)?;
    let (entries, refused) = globals::read_allowed(&mut session, version.parse().unwrap_or(0)).map_err(tell)?;
    found.globals = entries;
    found.unread = refused;
    found.unread.extend(unread);
    found.not_compared = snapshot::not_compared(&mut session).map_err(tell)?;
    let beyond = hidden::beyond(&mut session).map_err(tell)?;
    // Other databases of the server are no part of this one.
    found.unread.extend(beyond.into_iter().filter(|what| !what.is_elsewhere).map(|what| what.words));
    found.dump = entries::without_tokens(&dump(&dumper, url, &shared, settings.limits).map_err(tell)?);
    session.run("ROLLBACK").map_err(|refusal| Error::new(format!("{name}: {}", refusal.message)))?;
    session.close().map_err(tell)?;
    let split = entries::split(&found.dump);
    found.entries = split.entries;
    found.unread.extend(split.unread);
    Ok(found)
}

/// The schema as `pg_dump` states it. A password goes by the environment, which other users can't see.
fn dump(dumper: &Path, url: &str, shared: &str, limits: Limits) -> Result<String> {
    let (url, password) = without_password(url);
    let mut command = child::client(dumper);
    command.args(["--schema-only", "--no-password", "--snapshot", shared, "--dbname", &url]);
    if let Some(limit) = limits.next() {
        command.arg(format!("--lock-wait-timeout={}", limit.as_millis().max(1)));
    }
    command.env("PGOPTIONS", "-c default_transaction_read_only=on").env("PGCONNECT_TIMEOUT", "10");
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let unable = |why: &str| Error::new(format!("{} failed: {}", dumper.display(), why.trim()));
    let output = limits.output(&mut command)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // How it says that a lock was not to be had in time.
        if ["lock timeout", "statement timeout"].iter().any(|words| said.contains(words)) {
            return Err(limits.exceeded("waiting for a lock in it"));
        }
        let old = said.contains("server version mismatch");
        let hint = "pg_dump must not be older than the server; CONSOLIDATE_PG_BIN names the folder of a newer one";
        return Err(if old { unable(&said).hint(hint) } else { unable(&said) });
    }
    String::from_utf8(output.stdout).map_err(|e| unable(&e.to_string()))
}

/// A URL without its password, and the password.
pub fn without_password(url: &str) -> (String, Option<String>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    // A password may hold a slash.
    let query = rest.find('?').unwrap_or(rest.len());
    let host = rest[..query].rfind('@').map_or(0, |at| at + 1);
    let end = rest[host..].find(['/', '?']).map_or(rest.len(), |at| host + at);
    let (authority, path) = rest.split_at(end);
    let mut password = None;
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let (user, secret) = user.split_once(':').map_or((user, None), |(user, secret)| (user, Some(secret)));
            password = secret.map(decoded);
            format!("{user}@{host}")
        }
        None => authority.to_string(),
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.strip_prefix("password=") {
            Some(secret) => password = Some(decoded(secret)),
            None => kept.push(pair),
        }
    }
    password.as_deref().into_iter().for_each(crate::secrets::remember);
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    (format!("{scheme}://{authority}{path}{query}"), password)
}

/// A URL as it may be shown.
pub fn masked(url: &str) -> String {
    without_password(url).0
}

/// A text with its `%40` taken for what they are.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_out_of_a_url() {
        let of = |url: &str| without_password(url);
        assert_eq!(of("postgres://me:a%40b@h:1/d"), ("postgres://me@h:1/d".into(), Some("a@b".into())));
        assert_eq!(of("postgres://h/d?password=x&host=/tmp"), ("postgres://h/d?host=/tmp".into(), Some("x".into())));
        assert_eq!(of("postgresql:///d"), ("postgresql:///d".into(), None));
        assert_eq!(masked("postgres://me:secret@h/d"), "postgres://me@h/d");
        assert_eq!(of("postgres://me:se/cr@t@h:1/d"), ("postgres://me@h:1/d".into(), Some("se/cr@t".into())));
    }
}
