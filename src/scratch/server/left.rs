//! What a run leaves on a server: nothing, if it can help it. All live scratch databases are known here, so that they can be
//! taken back when a signal comes; and what runs left that were killed is found.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::address::Address;
use super::link::{Link, literal, quoted};
use super::live::Live;
use crate::Result;

/// All that is ours on a server is named so, and 16 hexadecimal digits: the number of its lock.
pub const PREFIX: &str = "consolidate_scratch_";

/// Names of roles, and their numbers; 0 as long as a number isn't known.
pub(super) type Made = BTreeMap<String, u32>;

static ALL: Mutex<Vec<Arc<Mutex<Live>>>> = Mutex::new(Vec::new());

/// Takes a scratch database among those that are taken back if a signal comes.
pub(super) fn known(live: Live) -> Arc<Mutex<Live>> {
    let live = Arc::new(Mutex::new(live));
    if let Ok(mut all) = ALL.lock() {
        all.push(Arc::clone(&live));
    }
    live
}

/// One that was taken back.
pub(super) fn forget(live: &Arc<Mutex<Live>>) {
    if let Ok(mut all) = ALL.lock() {
        all.retain(|one| !Arc::ptr_eq(one, live));
    }
}

/// Takes back all scratch databases on servers, for a program that is about to end, and says what is left of them. Whoever
/// works on one of them waits for ever after: call it only before the end.
pub fn take_back_all() -> Vec<String> {
    let Ok(all) = ALL.lock() else { return Vec::new() };
    let mut left = Vec::new();
    for live in all.iter() {
        if let Ok(mut locked) = live.lock() {
            left.extend(locked.take_back());
            // The thread whose database it was would speak of an error that is none.
            std::mem::forget(locked);
        }
    }
    // Whoever waited for its turn has it now, and mustn't make anything any more.
    std::mem::forget(all);
    left
}

/// Drops a database of ours, and what would keep it.
pub(super) fn drop_database(address: &Address, link: &mut Link, name: &str) -> Result<()> {
    let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
    if link.run(&drop).is_ok() {
        return Ok(());
    }
    // Slots, prepared transactions and subscriptions of its own keep it; what can't be done here, DROP DATABASE tells.
    let of_it = format!("FROM pg_replication_slots WHERE database = {}", literal(name));
    let _ = link.run(&format!("SELECT pg_terminate_backend(active_pid) {of_it} AND active"));
    let _ = link.run(&format!("SELECT pg_drop_replication_slot(slot_name) {of_it}"));
    if let Ok(mut inside) = Link::open_to(address, name) {
        let prepared = inside.rows("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()");
        for gid in prepared.unwrap_or_default().into_iter().flatten().flatten() {
            let _ = inside.run(&format!("ROLLBACK PREPARED {}", literal(&gid)));
        }
        let mine = "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
            WHERE d.datname = current_database()";
        for subscription in inside.rows(mine).unwrap_or_default().into_iter().flatten().flatten() {
            let name = quoted(&subscription);
            for sql in
                ["ALTER SUBSCRIPTION @ DISABLE", "ALTER SUBSCRIPTION @ SET (slot_name = NONE)", "DROP SUBSCRIPTION @"]
            {
                let _ = inside.run(&sql.replace('@', &name));
            }
        }
    }
    link.run(&drop)
}

/// Drops roles of a replay, and then the role that kept their names. Says what is left.
pub(super) fn clear(link: &mut Link, mut roles: Vec<String>, own: &str) -> Vec<String> {
    // One that was granted by another can go only with it or after it.
    loop {
        let all: Vec<String> = roles.iter().map(|role| quoted(role)).collect();
        if roles.is_empty() || link.run(&format!("DROP ROLE {}", all.join(", "))).is_ok() {
            roles.clear();
            break;
        }
        let count = roles.len();
        roles.retain(|role| link.run(&format!("DROP ROLE {}", quoted(role))).is_err());
        if roles.len() == count {
            break;
        }
    }
    let mut left = Vec::new();
    for role in roles {
        if let Err(error) = link.run(&format!("DROP ROLE IF EXISTS {}", quoted(&role))) {
            left.push(format!("the role {role} is left on the scratch server: {}", error.message));
        }
    }
    if let Err(error) = link.run(&format!("DROP ROLE IF EXISTS {}", quoted(own))) {
        left.push(format!("the role {own} is left on the scratch server: {}", error.message));
    }
    left
}

/// The number of the lock of what has our prefix.
fn key(name: &str) -> Option<i64> {
    let digits = name.strip_prefix(PREFIX).filter(|rest| rest.len() == 16)?;
    digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)).then_some(())?;
    i64::from_str_radix(digits, 16).ok()
}

/// Takes back what runs left that were killed, and tells of it. It is our turn, so nobody else makes anything meanwhile.
pub(super) fn sweep(address: &Address, link: &mut Link) -> Result<Vec<String>> {
    let names = format!(
        "SELECT datname FROM pg_database WHERE starts_with(datname, {p}) UNION SELECT rolname FROM pg_roles
        WHERE starts_with(rolname, {p}) ORDER BY 1",
        p = literal(PREFIX)
    );
    let mut notes = Vec::new();
    for name in link.rows(&names)?.into_iter().flatten().flatten() {
        // A run that lives has its lock.
        let Some(key) = key(&name) else { continue };
        if link.try_lock(key)? {
            notes.extend(remove(address, link, &name)?);
            link.run(&format!("SELECT pg_advisory_unlock({key})"))?;
        }
    }
    Ok(notes)
}

/// Removes a database whose run was killed, and the roles that it made: those that still have the name and the number.
fn remove(address: &Address, link: &mut Link, name: &str) -> Result<Vec<String>> {
    let written = link.one(&format!(
        "SELECT substr(c, length('consolidate.made=') + 1) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole,
        unnest(s.setconfig) c WHERE r.rolname = {} AND starts_with(c, 'consolidate.made=')",
        literal(name)
    ))?;
    let made: Made = serde_json::from_str(&written).unwrap_or_default();
    if let Err(error) = drop_database(address, link, name) {
        return Ok(vec![format!("a run that was killed has left the database {name}: {}", error.message)]);
    }
    let (mut ours, mut notes) = (Vec::new(), Vec::new());
    for (role, number) in made {
        let now = link.one(&format!("SELECT oid FROM pg_roles WHERE rolname = {}", literal(&role)))?;
        match now.parse::<u32>() {
            Ok(now) if now == number => ours.push(role),
            Ok(_) => notes
                .push(format!("the role {role} may be left by a run that was killed; it stays, since that isn't sure")),
            Err(_) => {}
        }
    }
    let roles = if ours.is_empty() { String::new() } else { format!(" and the roles {}", ours.join(", ")) };
    notes.insert(0, format!("a run that was killed had left {name}{roles} on the scratch server; they are gone now"));
    for role in &ours {
        revoke_parameters(link, role);
    }
    notes.extend(clear(link, ours, name));
    Ok(notes)
}

/// Takes from a role of ours what was granted to it on parameters: it couldn't be dropped.
fn revoke_parameters(link: &mut Link, role: &str) {
    let sql = format!(
        "SELECT parname FROM pg_parameter_acl, aclexplode(paracl) a JOIN pg_roles r ON r.oid = a.grantee WHERE r.rolname = {}",
        literal(role)
    );
    for parameter in link.rows(&sql).unwrap_or_default().into_iter().flatten().flatten() {
        let parameter: Vec<String> = parameter.split('.').map(quoted).collect();
        let _ = link.run(&format!("REVOKE ALL ON PARAMETER {} FROM {}", parameter.join("."), quoted(role)));
    }
}
