//! What the databases of a server share: roles, memberships, settings, privileges on parameters, slots. It is looked at
//! before a replay and after it, and what the replay changed is taken back.
//!
//! Others may change the same things meanwhile. So only that is taken back which the replayed texts name, or which was seen
//! inside a transaction of the replay before it was committed.

use std::collections::{BTreeMap, BTreeSet};

use super::PREFIX;
use super::link::{Cells, Link, literal, quoted};
use crate::Result;

/// A member of a role, by the numbers of both.
type Membership = (u32, u32);
/// Role and database (0: all), and the name of the setting.
type Setting = (u32, u32, String);
/// Name of a parameter, grantee, privilege.
type Grant = (String, u32, String);

/// Settings whose value is a list that is kept quoted already, as pg_dumpall knows them.
const LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    /// Names of roles and what ALTER ROLE would say to make them as they are, by number.
    pub roles: BTreeMap<u32, (String, String)>,
    /// Names of databases, by number.
    pub databases: BTreeMap<u32, String>,
    pub members: BTreeMap<Membership, String>,
    pub settings: BTreeMap<Setting, String>,
    pub grants: BTreeSet<Grant>,
    pub slots: BTreeSet<String>,
}

/// Attributes of a role as ALTER ROLE takes them, one a line, its password as it is kept.
const ROLES: &str = "SELECT oid, rolname, concat_ws(E'\\n',
        CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END, CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
        CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END, CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
        CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
        CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END, 'CONNECTION LIMIT ' || rolconnlimit,
        'VALID UNTIL ' || quote_literal(rolvaliduntil::text),
        'PASSWORD ' || coalesce(quote_literal(rolpassword), 'NULL')) FROM pg_authid";

impl Shared {
    /// Looks.
    ///
    /// # Errors
    /// When the server doesn't answer.
    pub fn read(link: &mut Link) -> Result<Shared> {
        let number = |cell: &Option<String>| cell.as_deref().and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
        let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
        let roles = link.rows(ROLES)?;
        let databases = link.rows("SELECT oid, datname FROM pg_database")?;
        let members = link.rows("SELECT roleid, member, admin_option::text FROM pg_auth_members")?;
        let settings = link.rows(
            "SELECT setrole, setdatabase, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
            FROM pg_db_role_setting, unnest(setconfig) c",
        )?;
        let version: u32 = link.one("SELECT current_setting('server_version_num')")?.parse().unwrap_or(0);
        // What the superuser has who made the cluster (number 10) comes and goes with what others have.
        let grants = match version {
            150_000.. => link.rows(
                "SELECT parname, a.grantee, a.privilege_type || CASE WHEN a.is_grantable THEN ' *' ELSE '' END
                FROM pg_parameter_acl, aclexplode(paracl) a WHERE a.grantee <> 10",
            )?,
            _ => Vec::new(),
        };
        let slots = link.rows("SELECT slot_name FROM pg_replication_slots WHERE NOT temporary")?;
        let of_role = |row: &Cells| (number(&row[0]), (text(&row[1]), text(&row[2])));
        Ok(Shared {
            roles: roles.iter().map(of_role).collect(),
            databases: databases.iter().map(|row| (number(&row[0]), text(&row[1]))).collect(),
            members: members.iter().map(|row| ((number(&row[0]), number(&row[1])), text(&row[2]))).collect(),
            settings: settings
                .iter()
                .map(|row| ((number(&row[0]), number(&row[1]), text(&row[2])), text(&row[3])))
                .collect(),
            grants: grants.iter().map(|row| (text(&row[0]), number(&row[1]), text(&row[2]))).collect(),
            slots: slots.iter().map(|row| text(&row[0])).collect(),
        })
    }

    fn role(&self, number: u32) -> Option<&str> {
        self.roles.get(&number).map(|(name, _)| name.as_str())
    }

    /// The roles that came since, by number.
    pub fn new_roles<'a>(&'a self, before: &'a Shared) -> impl Iterator<Item = (u32, &'a str)> {
        let is_new = |number: &u32| !before.roles.contains_key(number);
        let all = self.roles.iter().filter(move |(number, _)| is_new(number));
        all.map(|(number, (name, _))| (*number, name.as_str())).filter(|(_, name)| !name.starts_with(PREFIX))
    }

    /// What puts back what was there before, as SQL; `names` says whether the replay named something.
    ///
    /// It is about what stays: what belongs to roles and databases of the replay's own goes with them.
    pub fn back_to(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut sql = self.roles_back(before, names);
        sql.extend(self.members_back(before, names));
        sql.extend(self.settings_back(before, names));
        sql.extend(self.grants_back(before, names));
        let slots = self.slots.difference(&before.slots).filter(|slot| names(slot));
        sql.extend(slots.map(|slot| format!("SELECT pg_drop_replication_slot({})", literal(slot))));
        sql
    }

    fn roles_back(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut sql = Vec::new();
        for (number, (name, attributes)) in &before.roles {
            let Some((now, changed)) = self.roles.get(number) else { continue };
            if now != name && (names(name) || names(now)) {
                sql.push(format!("ALTER ROLE {} RENAME TO {}", quoted(now), quoted(name)));
            }
            if changed != attributes && names(name) {
                sql.push(format!("ALTER ROLE {} WITH {}", quoted(name), attributes_back(attributes, changed)));
            }
        }
        sql
    }

    fn members_back(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut sql = Vec::new();
        let of = |(role, member): &Membership| Some((before.role(*role)?, before.role(*member)?));
        for (membership, admin) in &self.members {
            let Some((role, member)) = of(membership).filter(|(role, member)| names(role) && names(member)) else {
                continue;
            };
            match before.members.get(membership) {
                None => sql.push(format!("REVOKE {} FROM {}", quoted(role), quoted(member))),
                Some(was) if was == "false" && admin == "true" => {
                    sql.push(format!("REVOKE ADMIN OPTION FOR {} FROM {}", quoted(role), quoted(member)));
                }
                Some(_) => {}
            }
        }
        for (membership, admin) in &before.members {
            if self.members.contains_key(membership) || !self.roles.contains_key(&membership.1) {
                continue;
            }
            let Some((role, member)) = of(membership).filter(|(role, member)| names(role) && names(member)) else {
                continue;
            };
            let option = if admin == "true" { " WITH ADMIN OPTION" } else { "" };
            sql.push(format!("GRANT {} TO {}{option}", quoted(role), quoted(member)));
        }
        sql
    }

    /// `ALTER ROLE … IN DATABASE …`, where both were there before.
    fn whose(before: &Shared, role: u32, database: u32) -> Option<String> {
        let database_name = || before.databases.get(&database).map(|name| quoted(name));
        match (role, database) {
            (0, 0) => Some("ALTER ROLE ALL".into()),
            (0, _) => Some(format!("ALTER DATABASE {}", database_name()?)),
            (_, 0) => Some(format!("ALTER ROLE {}", quoted(before.role(role)?))),
            _ => Some(format!("ALTER ROLE {} IN DATABASE {}", quoted(before.role(role)?), database_name()?)),
        }
    }

    fn settings_back(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut sql = Vec::new();
        let all: BTreeSet<&Setting> = self.settings.keys().chain(before.settings.keys()).collect();
        for setting in all {
            let (role, database, name) = setting;
            let (was, is) = (before.settings.get(setting), self.settings.get(setting));
            let ours = before.databases.get(database).or_else(|| self.databases.get(database));
            let ours = ours.is_some_and(|database| database.starts_with(PREFIX));
            if was == is || ours || before.role(*role).is_some_and(|role| role.starts_with(PREFIX)) || !names(name) {
                continue;
            }
            let Some(whose) = Shared::whose(before, *role, *database) else { continue };
            let name_in_sql: Vec<String> = name.split('.').map(quoted).collect();
            let name_in_sql = name_in_sql.join(".");
            sql.push(match was {
                Some(value) if LISTS.contains(&name.as_str()) => format!("{whose} SET {name_in_sql} = {value}"),
                Some(value) => format!("{whose} SET {name_in_sql} = {}", literal(value)),
                None => format!("{whose} RESET {name_in_sql}"),
            });
        }
        sql
    }

    /// Grants to roles of the replay's own, too: a role that has one can't be dropped.
    fn grants_back(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<String> {
        let whom = |grantee: u32| match grantee {
            0 => Some("PUBLIC".to_string()),
            _ => self.role(grantee).map(quoted),
        };
        let parameter = |name: &str| name.split('.').map(quoted).collect::<Vec<_>>().join(".");
        let mut sql = Vec::new();
        for (name, grantee, privilege) in self.grants.difference(&before.grants).filter(|(name, ..)| names(name)) {
            let privilege = privilege.trim_end_matches(" *");
            let Some(whom) = whom(*grantee) else { continue };
            sql.push(format!("REVOKE {privilege} ON PARAMETER {} FROM {whom} CASCADE", parameter(name)));
        }
        for (name, grantee, privilege) in before.grants.difference(&self.grants).filter(|(name, ..)| names(name)) {
            let option = if privilege.ends_with(" *") { " WITH GRANT OPTION" } else { "" };
            let privilege = privilege.trim_end_matches(" *");
            let Some(whom) = whom(*grantee) else { continue };
            sql.push(format!("GRANT {privilege} ON PARAMETER {} TO {whom}{option}", parameter(name)));
        }
        sql
    }
}

/// The attributes of a role that aren't as they were.
fn attributes_back(was: &str, is: &str) -> String {
    let now: BTreeSet<&str> = is.lines().collect();
    let mut back: Vec<&str> = was.lines().filter(|line| !now.contains(line)).collect();
    let valid = |text: &str| text.lines().any(|line| line.starts_with("VALID UNTIL "));
    if valid(is) && !valid(was) {
        // The nearest to none that can be said.
        back.push("VALID UNTIL 'infinity'");
    }
    back.join(" ")
}
