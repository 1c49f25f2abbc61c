//! What the databases of a server share: roles, memberships, settings, privileges on parameters, slots. It is looked at
//! before a replay and after it, and what the replay changed is taken back.
//!
//! Others may change the same things meanwhile. So only that is taken back which the replayed texts name, or which was seen
//! inside a transaction of the replay before it was committed; but all of it if the replay ran what nobody could read.

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

/// A database or a tablespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Owned {
    pub name: String,
    /// What ALTER would say to make it as it is, one a line.
    pub attributes: String,
}

/// What puts something back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Back {
    pub sql: String,
    /// What it is about, if it was there before the replay: that wasn't the history's to change.
    pub theirs: Option<String>,
}

impl Back {
    fn of_theirs(what: String, sql: String) -> Back {
        Back { sql, theirs: Some(what) }
    }
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    /// Names of roles and what ALTER ROLE would say to make them as they are, by number.
    pub roles: BTreeMap<u32, (String, String)>,
    /// By their numbers.
    pub databases: BTreeMap<u32, Owned>,
    /// By their numbers.
    pub tablespaces: BTreeMap<u32, Owned>,
    /// Comments on roles, databases and tablespaces, by the catalogue and the number.
    pub comments: BTreeMap<(String, u32), String>,
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

/// Attributes of databases as ALTER DATABASE takes them; and who may do what there, which it doesn't take.
const DATABASES: &str = "SELECT oid, datname, concat_ws(E'\\n', 'OWNER TO ' || quote_ident(pg_get_userbyid(datdba)),
        'CONNECTION LIMIT ' || datconnlimit, 'ALLOW_CONNECTIONS ' || datallowconn, 'IS_TEMPLATE ' || datistemplate,
        'privileges ' || coalesce(datacl::text, 'by default')) FROM pg_database";

/// The same of tablespaces.
const TABLESPACES: &str =
    "SELECT oid, spcname, concat_ws(E'\\n', 'OWNER TO ' || quote_ident(pg_get_userbyid(spcowner)),
        'options ' || coalesce(spcoptions::text, 'by default'), 'privileges ' || coalesce(spcacl::text, 'by default'))
    FROM pg_tablespace";

impl Shared {
    /// Looks.
    ///
    /// # Errors
    /// When the server doesn't answer.
    pub fn read(link: &mut Link) -> Result<Shared> {
        let number = |cell: &Option<String>| cell.as_deref().and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
        let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
        let roles = link.rows(ROLES)?;
        let databases = link.rows(DATABASES)?;
        let tablespaces = link.rows(TABLESPACES)?;
        let comments = link.rows("SELECT classoid::regclass::text, objoid, description FROM pg_shdescription")?;
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
        let owned = |row: &Cells| (number(&row[0]), Owned { name: text(&row[1]), attributes: text(&row[2]) });
        Ok(Shared {
            roles: roles.iter().map(of_role).collect(),
            databases: databases.iter().map(owned).collect(),
            tablespaces: tablespaces.iter().map(owned).collect(),
            comments: comments.iter().map(|row| ((text(&row[0]), number(&row[1])), text(&row[2]))).collect(),
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

    /// What puts back what was there before; `names` says whether the replay named something, or may have.
    ///
    /// It is about what stays: what belongs to roles and databases of the replay's own goes with them.
    pub fn back_to(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<Back> {
        let mut back = self.roles_back(before, names);
        back.extend(self.members_back(before, names));
        back.extend(self.settings_back(before, names));
        back.extend(self.grants_back(before, names));
        back.extend(owned_back("DATABASE", &before.databases, &self.databases, names));
        back.extend(owned_back("TABLESPACE", &before.tablespaces, &self.tablespaces, names));
        back.extend(self.comments_back(before, names));
        let slots = self.slots.difference(&before.slots).filter(|slot| names(slot));
        back.extend(
            slots.map(|slot| Back { sql: format!("SELECT pg_drop_replication_slot({})", literal(slot)), theirs: None }),
        );
        back
    }

    fn roles_back(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<Back> {
        let mut back = Vec::new();
        for (number, (name, attributes)) in &before.roles {
            let what = || format!("role \"{name}\"");
            let Some((now, changed)) = self.roles.get(number) else {
                if names(name) {
                    let attributes = attributes.replace('\n', " ");
                    let sql = format!("CREATE ROLE {} WITH {attributes}", quoted(name));
                    back.push(Back::of_theirs(
                        format!("{} (dropped; its number and what it owned are lost)", what()),
                        sql,
                    ));
                }
                continue;
            };
            if now != name && (names(name) || names(now)) {
                let sql = format!("ALTER ROLE {} RENAME TO {}", quoted(now), quoted(name));
                back.push(Back::of_theirs(format!("the name of {}", what()), sql));
            }
            if changed != attributes && names(name) {
                let attributes = attributes_back(attributes, changed);
                back.push(Back::of_theirs(what(), format!("ALTER ROLE {} WITH {attributes}", quoted(name))));
            }
        }
        back
    }

    /// Whether a role is there as it was, or under a new number.
    fn has_role(&self, before: &Shared, number: u32) -> bool {
        self.roles.contains_key(&number) || before.role(number).is_some_and(|name| !name.starts_with(PREFIX))
    }

    fn comments_back(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<Back> {
        let all: BTreeSet<_> = before.comments.keys().chain(self.comments.keys()).collect();
        let mut back = Vec::new();
        for key in all.into_iter().filter(|key| before.comments.get(*key) != self.comments.get(*key)) {
            let (kind, name) = match key.0.as_str() {
                "pg_authid" => ("ROLE", before.role(key.1)),
                "pg_database" => ("DATABASE", before.databases.get(&key.1).map(|owned| owned.name.as_str())),
                "pg_tablespace" => ("TABLESPACE", before.tablespaces.get(&key.1).map(|owned| owned.name.as_str())),
                _ => continue,
            };
            let Some(name) = name.filter(|name| names(name) && !name.starts_with(PREFIX)) else { continue };
            let text = before.comments.get(key).map_or_else(|| "NULL".to_string(), |text| literal(text));
            let sql = format!("COMMENT ON {kind} {} IS {text}", quoted(name));
            back.push(Back::of_theirs(format!("the comment on {} \"{name}\"", kind.to_lowercase()), sql));
        }
        back
    }

    fn members_back(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<Back> {
        let mut sql = Vec::new();
        let of = |(role, member): &Membership| Some((before.role(*role)?, before.role(*member)?));
        for (membership, admin) in &self.members {
            let Some((role, member)) = of(membership).filter(|(role, member)| names(role) && names(member)) else {
                continue;
            };
            let what = member_of(role, member);
            match before.members.get(membership) {
                None => sql.push(Back::of_theirs(what, format!("REVOKE {} FROM {}", quoted(role), quoted(member)))),
                Some(was) if was == "false" && admin == "true" => {
                    let text = format!("REVOKE ADMIN OPTION FOR {} FROM {}", quoted(role), quoted(member));
                    sql.push(Back::of_theirs(what, text));
                }
                Some(_) => {}
            }
        }
        for (membership, admin) in &before.members {
            if self.members.contains_key(membership) || !self.has_role(before, membership.1) {
                continue;
            }
            let Some((role, member)) = of(membership).filter(|(role, member)| names(role) && names(member)) else {
                continue;
            };
            let option = if admin == "true" { " WITH ADMIN OPTION" } else { "" };
            let text = format!("GRANT {} TO {}{option}", quoted(role), quoted(member));
            sql.push(Back::of_theirs(member_of(role, member), text));
        }
        sql
    }

    /// `ALTER ROLE … IN DATABASE …`, where both were there before.
    fn whose(before: &Shared, role: u32, database: u32) -> Option<String> {
        let database_name = || before.databases.get(&database).map(|owned| quoted(&owned.name));
        match (role, database) {
            (0, 0) => Some("ALTER ROLE ALL".into()),
            (0, _) => Some(format!("ALTER DATABASE {}", database_name()?)),
            (_, 0) => Some(format!("ALTER ROLE {}", quoted(before.role(role)?))),
            _ => Some(format!("ALTER ROLE {} IN DATABASE {}", quoted(before.role(role)?), database_name()?)),
        }
    }

    fn settings_back(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<Back> {
        let mut sql = Vec::new();
        let all: BTreeSet<&Setting> = self.settings.keys().chain(before.settings.keys()).collect();
        for setting in all {
            let (role, database, name) = setting;
            let (was, is) = (before.settings.get(setting), self.settings.get(setting));
            let ours = before.databases.get(database).or_else(|| self.databases.get(database));
            let ours = ours.is_some_and(|database| database.name.starts_with(PREFIX));
            if was == is || ours || before.role(*role).is_some_and(|role| role.starts_with(PREFIX)) || !names(name) {
                continue;
            }
            let Some(whose) = Shared::whose(before, *role, *database) else { continue };
            let name_in_sql: Vec<String> = name.split('.').map(quoted).collect();
            let name_in_sql = name_in_sql.join(".");
            let text = match was {
                Some(value) if LISTS.contains(&name.as_str()) => format!("{whose} SET {name_in_sql} = {value}"),
                Some(value) => format!("{whose} SET {name_in_sql} = {}", literal(value)),
                None => format!("{whose} RESET {name_in_sql}"),
            };
            let what = whose.trim_start_matches("ALTER ");
            sql.push(Back::of_theirs(format!("the setting {name} of {what}"), text));
        }
        sql
    }

    /// Grants to roles of the replay's own, too: a role that has one can't be dropped.
    fn grants_back(&self, before: &Shared, names: &dyn Fn(&str) -> bool) -> Vec<Back> {
        let whom = |grantee: u32| match grantee {
            0 => Some("PUBLIC".to_string()),
            _ => self.role(grantee).map(quoted),
        };
        let parameter = |name: &str| name.split('.').map(quoted).collect::<Vec<_>>().join(".");
        let mut sql = Vec::new();
        for (name, grantee, privilege) in self.grants.difference(&before.grants).filter(|(name, ..)| names(name)) {
            let privilege = privilege.trim_end_matches(" *");
            let Some(whom) = whom(*grantee) else { continue };
            let theirs = before.roles.contains_key(grantee) || *grantee == 0;
            let text = format!("REVOKE {privilege} ON PARAMETER {} FROM {whom} CASCADE", parameter(name));
            sql.push(Back { sql: text, theirs: theirs.then(|| format!("who may set {name}")) });
        }
        for (name, grantee, privilege) in before.grants.difference(&self.grants).filter(|(name, ..)| names(name)) {
            let option = if privilege.ends_with(" *") { " WITH GRANT OPTION" } else { "" };
            let privilege = privilege.trim_end_matches(" *");
            let Some(whom) = whom(*grantee) else { continue };
            let text = format!("GRANT {privilege} ON PARAMETER {} TO {whom}{option}", parameter(name));
            sql.push(Back::of_theirs(format!("who may set {name}"), text));
        }
        sql
    }
}

fn member_of(role: &str, member: &str) -> String {
    format!("the membership of \"{member}\" in \"{role}\"")
}

/// Puts back what databases or tablespaces were. What they may be is said by ALTER, but for privileges and options: those are
/// only told.
fn owned_back(
    kind: &str,
    before: &BTreeMap<u32, Owned>,
    after: &BTreeMap<u32, Owned>,
    names: &dyn Fn(&str) -> bool,
) -> Vec<Back> {
    let mut back = Vec::new();
    for (number, was) in before.iter().filter(|(_, was)| names(&was.name) && !was.name.starts_with(PREFIX)) {
        let what = format!("{} \"{}\"", kind.to_lowercase(), was.name);
        let Some(is) = after.get(number) else {
            // A drop can't be a part of what nobody could read: others have dropped it.
            continue;
        };
        if is.name != was.name {
            let sql = format!("ALTER {kind} {} RENAME TO {}", quoted(&is.name), quoted(&was.name));
            back.push(Back::of_theirs(format!("the name of {what}"), sql));
        }
        let now: BTreeSet<&str> = is.attributes.lines().collect();
        for line in was.attributes.lines().filter(|line| !now.contains(line)) {
            let told = line.starts_with("privileges ") || line.starts_with("options ");
            let with = if line.starts_with("OWNER") || told { "" } else { "WITH " };
            back.push(Back::of_theirs(
                format!("{what}: {line}"),
                format!("ALTER {kind} {} {with}{line}", quoted(&was.name)),
            ));
        }
    }
    back
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
