//! Which statements reach out of a scratch database to what others have on the server. They are refused before they run: some
//! of what they do can't be taken back.

use super::shared::Shared;
use crate::Error;
use crate::scratch::gate::{Reach, Reading, Whose};

/// Why a statement must not run, if it must not; `user` is who runs it, `own` the scratch database.
pub(super) fn out(reading: &Reading, before: &Shared, user: &str, own: &str) -> Option<Error> {
    reading.found.iter().find_map(|found| closed(&found.reach, before, user, own))
}

/// Why it must not, whoever else has something on the server.
pub(super) fn out_of_any(reading: &Reading) -> Option<Error> {
    reading.found.iter().find_map(|found| of_the_server(&found.reach))
}

fn of_the_server(reach: &Reach) -> Option<Error> {
    match reach {
        Reach::Server(_) => Some(Error::new(format!("{reach}, and isn't run on one of others")).hint(ELSEWHERE)),
        Reach::Superuser(_) => Some(Error::new(format!("{reach} of a server of others")).hint(ELSEWHERE)),
        Reach::Others(_) | Reach::Secrets(_) => {
            Some(Error::new(format!("{reach}, and isn't run on a server of others")).hint(ELSEWHERE))
        }
        Reach::Foreign(_) => Some(Error::new(format!("{reach}, and isn't run on a server of others")).hint(INSIDE)),
        _ if reach.is_outside() => {
            Some(Error::new(format!("{reach}, and isn't run on a server of others")).hint(INSIDE))
        }
        _ => None,
    }
}

fn closed(reach: &Reach, before: &Shared, user: &str, own: &str) -> Option<Error> {
    let role = |name: &str| before.roles.values().any(|(known, _)| known == name);
    match reach {
        Reach::Makes(name) if role(name) => Some(
            Error::new(format!("{reach} is on the scratch server already, and isn't ours to make, change or drop"))
                .hint(format!("drop it there if nobody needs it; otherwise {ELSEWHERE}")),
        ),
        Reach::Changes(whose) => {
            let name = match whose {
                Whose::Named(name) => name.as_str(),
                Whose::Current => user,
                Whose::All => return Some(not_ours("all roles")),
            };
            role(name).then(|| not_ours(&format!("role \"{name}\"")))
        }
        Reach::Members(roles, members) if members.iter().any(|member| role(member)) => {
            let name = roles.iter().find(|name| role(name))?;
            let what = format!("who is a member of role \"{name}\" isn't ours to change");
            Some(Error::new(format!("{what}: both roles were on the scratch server before")).hint(ELSEWHERE))
        }
        Reach::Database(name) if name != own && before.databases.values().any(|known| known.name == *name) => Some(
            Error::new(format!("{reach} of the scratch server isn't ours to change")).hint(format!(
                "a statement that means the database it runs in can take its name from current_database(); otherwise {ELSEWHERE}"
            )),
        ),
        _ => of_the_server(reach),
    }
}

fn not_ours(whose: &str) -> Error {
    Error::new(format!("{whose} of the scratch server: isn't ours to change")).hint(ELSEWHERE)
}

const INSIDE: &str = "the embedded PostgreSQL has neither programs nor files nor a network: --scratch embedded; if you trust the history \
    with the server's machine, --trusted reach";

const ELSEWHERE: &str = "--scratch local and --scratch embedded run it where nobody else is";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::gate::read;
    use crate::scratch::server::shared::Owned;

    fn refused(sql: &str) -> Option<String> {
        let roles = [(10, "boss"), (20000, "clerk"), (20001, "Shop Keeper")];
        let mut before = Shared::default();
        before.roles.extend(roles.map(|(number, name)| (number, (name.to_string(), String::new()))));
        let database = |name: &str| Owned { name: name.into(), ..Owned::default() };
        before.databases.extend([(5, "postgres"), (16384, "shop"), (16385, "own")].map(|(n, d)| (n, database(d))));
        out(&read(sql).unwrap(), &before, "boss", "own").map(|error| error.message)
    }

    #[test]
    fn what_others_have_is_out_of_reach() {
        for sql in [
            "ALTER SYSTEM SET work_mem = '1GB'",
            "/* now */ drop database if exists shop",
            "CREATE DATABASE other",
            "CREATE TABLESPACE fast LOCATION '/x'",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
            "CREATE ROLE clerk",
            "CREATE USER Clerk",
            "DO $$ BEGIN IF true THEN CREATE ROLE \"Shop Keeper\" LOGIN; END IF; END $$",
            "ALTER ROLE clerk CREATEDB",
            "ALTER ROLE fresh SUPERUSER",
            "CREATE ROLE fresh SUPERUSER",
            "COPY t TO PROGRAM 'id'",
            "SELECT rolpassword FROM pg_authid",
            "ALTER USER CURRENT_USER SET search_path = x",
            "ALTER ROLE ALL SET work_mem = '1MB'",
            "DROP ROLE IF EXISTS a, clerk",
            "DROP OWNED BY clerk",
            "GRANT clerk TO \"Shop Keeper\"",
            "REVOKE ADMIN OPTION FOR clerk FROM boss",
            "ALTER DATABASE shop SET search_path = x",
            "ALTER ROLE new IN DATABASE shop SET work_mem = '1MB'",
            "REVOKE ALL ON DATABASE postgres FROM PUBLIC",
            "GRANT CONNECT, TEMPORARY ON DATABASE \"shop\" TO new",
            "COMMENT ON DATABASE shop IS 'x'",
            "DO 'BEGIN EXECUTE ''ALTER DATABASE shop SET a.b = 1''; END'",
        ] {
            assert!(refused(sql).is_some(), "{sql}");
        }
    }

    #[test]
    fn what_is_the_replays_own_is_not() {
        for sql in [
            "CREATE ROLE fresh",
            "GRANT SELECT ON t TO clerk",
            "GRANT fresh TO clerk",
            "ALTER ROLE fresh IN DATABASE own SET work_mem = '1MB'",
            "ALTER DATABASE own SET search_path = x",
            "CREATE USER MAPPING FOR clerk SERVER s",
            "-- DROP ROLE clerk\nSELECT 1",
            "COMMENT ON TABLE t IS 'after drop role clerk, see alter database shop'",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET a.b = 1', current_database()); END $$",
            "CREATE TABLE t (role text, \"user\" text)",
        ] {
            assert_eq!(refused(sql), None, "{sql}");
        }
    }
}
