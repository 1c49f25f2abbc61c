//! A scratch database on a server as long as it lives: what was there before it, what its replay made, and how all of that is
//! taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::address::Address;
use super::left::{Made, PREFIX, clear, drop_database};
use super::link::{Link, literal, quoted};
use super::shared::{Back, Shared};
use super::{TURN, reach};
use crate::scratch::PLAIN;
use crate::scratch::gate::{Reach, Reading};
use crate::{Error, Result};

/// How long a server that went away may take to come back, so that we can clean up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often what was made is taken back, if each time the connection is lost meanwhile.
const ATTEMPTS: usize = 5;

/// See above.
pub(super) struct Live {
    /// The database, and the role beside it.
    pub name: String,
    key: i64,
    address: Address,
    /// `None` if all is taken back.
    link: Option<Link>,
    before: Shared,
    /// All that was run, in lower case.
    texts: String,
    made: Made,
    /// The roles that there were before the statement that runs.
    known: BTreeSet<u32>,
    /// Whether something ran that was put together only then.
    dynamic: bool,
    /// What the replay changed that wasn't its own.
    pub harmed: Vec<String>,
}

impl Live {
    /// Looks at the server, and chooses a name. The link has the turn.
    pub fn begin(address: &Address, mut link: Link) -> Result<Live> {
        let random = RandomState::new().hash_one((std::process::id(), Instant::now()));
        // A lock's number, so it must not be negative, to stand in a name as it is.
        let key = i64::try_from(random >> 1).unwrap_or(0);
        let name = format!("{PREFIX}{key:016x}");
        if !link.try_lock(key)? {
            return Err(Error::new(format!("the lock of {name} on the scratch server is taken")));
        }
        let before = Shared::read(&mut link)?;
        Ok(Live {
            name,
            key,
            address: address.clone(),
            link: Some(link),
            before,
            texts: String::new(),
            made: Made::new(),
            known: BTreeSet::new(),
            dynamic: false,
            harmed: Vec::new(),
        })
    }

    /// Makes the database, from the template that nobody has changed; of a role that may do nothing but that, where it gets a
    /// password.
    pub fn make(&mut self, password: Option<&str>) -> Result<()> {
        let name = quoted(&self.name);
        let link = self.link()?;
        link.run(&format!("CREATE ROLE {name} NOLOGIN"))?;
        let mut owner = String::new();
        if let Some(password) = password {
            // It is our turn, so nobody else's replay has it; a killed one may have left it.
            link.run(&format!("DROP ROLE IF EXISTS {}", quoted(PLAIN[0])))?;
            link.run(&format!("CREATE ROLE {} LOGIN PASSWORD {}", quoted(PLAIN[0]), literal(password)))?;
            owner = format!(" OWNER {}", quoted(PLAIN[0]));
        }
        let create = format!("CREATE DATABASE {name}{owner} TEMPLATE template0 ENCODING 'UTF8'");
        // Not every locale of a server goes with UTF8.
        let made = link.run(&create).or_else(|_| link.run(&format!("{create} LC_COLLATE 'C' LC_CTYPE 'C'")));
        made.map_err(|e| Error::new(format!("can't make a database on the scratch server: {}", e.message)))
    }

    fn link(&mut self) -> Result<&mut Link> {
        self.link.as_mut().ok_or_else(|| Error::new("the scratch database was given up"))
    }

    /// See [`crate::scratch::Scratch::before`].
    pub fn before(&mut self, sql: &str, reading: &Reading) -> Result<()> {
        if let Some(error) = reach::out(reading, &self.before, self.address.user(), &self.name) {
            return Err(error);
        }
        self.texts.push_str(&sql.to_lowercase());
        self.texts.push('\n');
        self.dynamic |= reading.is_unseen;
        let count = self.made.len();
        for found in &reading.found {
            if let Reach::Makes(name) = &found.reach {
                self.made.entry(name.clone()).or_insert(0);
            }
        }
        if self.made.len() != count {
            self.write_down()?;
        }
        if self.dynamic {
            self.known = self.committed()?.into_keys().collect();
        }
        Ok(())
    }

    /// See [`crate::scratch::Scratch::sees`].
    pub fn sees(&mut self, roles: &[(u32, String)], inside: bool) -> Result<()> {
        let is_new = |role: &&(u32, String)| !self.before.roles.contains_key(&role.0) && !role.1.starts_with(PREFIX);
        let new: Vec<(u32, String)> = roles.iter().filter(is_new).cloned().collect();
        if new.iter().all(|(number, name)| self.made.get(name) == Some(number)) {
            return Ok(());
        }
        // What a session sees and others don't it has made itself, and not committed yet.
        let committed = self.committed()?;
        for (number, name) in new {
            let is_known = committed.contains_key(&number);
            let is_of_now = !inside && self.dynamic && !self.known.contains(&number);
            let is_read = self.made.contains_key(&name);
            if !is_known || is_of_now || is_read || self.names(&name) {
                self.made.insert(name, number);
            }
        }
        self.write_down()
    }

    /// See [`crate::scratch::Scratch::made`].
    pub fn made(&self, role: &str) -> bool {
        self.made.contains_key(role) || self.names(role)
    }

    fn committed(&mut self) -> Result<BTreeMap<u32, String>> {
        let rows = self.link()?.rows("SELECT oid, rolname FROM pg_roles")?;
        let role = |row: Vec<Option<String>>| Some((row.first()?.as_ref()?.parse().ok()?, row.get(1)?.clone()?));
        Ok(rows.into_iter().filter_map(role).collect())
    }

    /// Keeps on the server which roles are ours, for the case that we are killed.
    fn write_down(&mut self) -> Result<()> {
        let made = serde_json::to_string(&self.made).unwrap_or_default();
        let sql = format!("ALTER ROLE {} SET consolidate.made = {}", quoted(&self.name), literal(&made));
        self.link()?.run(&sql)
    }

    /// Whether the replayed texts name something.
    fn names(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        self.texts.match_indices(&name).any(|(at, _)| {
            let (before, behind) = (&self.texts[..at], &self.texts[at + name.len()..]);
            !before.ends_with(of_word) && !behind.starts_with(of_word)
        })
    }

    /// Takes back all that the replay made on the server. Says what is left, and how to remove it. A connection that is lost
    /// on the way is made anew: what was taken back already needs nothing more.
    pub fn take_back(&mut self) -> Vec<String> {
        let Some(mut link) = self.link.take() else { return Vec::new() };
        let mut has_turn = true;
        for _ in 0..ATTEMPTS {
            if !link.stands() {
                drop(link);
                match self.again() {
                    Ok((again, turn)) => (link, has_turn) = (again, turn),
                    Err(error) => return vec![self.nothing_done(&error)],
                }
            }
            let left = self.take_back_by(&mut link, has_turn);
            if !link.is_lost() {
                return left;
            }
        }
        vec![self.nothing_done(&Error::new("the connection to the scratch server was lost again and again"))]
    }

    /// Takes back what still is to be taken back. Says what is left.
    fn take_back_by(&mut self, link: &mut Link, has_turn: bool) -> Vec<String> {
        let mut left = Vec::new();
        if let Err(error) = drop_database(&self.address, link, &self.name) {
            left.push(format!("the database {} is left on the scratch server: {}", self.name, error.message));
        }
        let after = match Shared::read(link) {
            Ok(after) => after,
            Err(error) => return vec![self.nothing_done(&error)],
        };
        for Back { sql, theirs } in after.back_to(&self.before, &|name| self.dynamic || self.names(name)) {
            if let Err(error) = link.run(&sql) {
                // Passwords of roles are among what is put back.
                let said = sql.split(" PASSWORD ").next().unwrap_or_default();
                left.push(format!("the scratch server wasn't put back as it was: {said}: {}", error.message));
            }
            self.harmed.extend(theirs);
        }
        let mut ours: Vec<String> = Vec::new();
        for (number, name) in after.new_roles(&self.before) {
            if self.made.get(name) == Some(&number) || (has_turn && self.names(name)) {
                ours.push(name.to_string());
            } else if self.dynamic {
                left.push(format!("the role {name} came up on the scratch server meanwhile; nothing says that it is the replay's, so it stays"));
            }
        }
        left.extend(clear(link, ours, &self.name));
        if let Err(error) = link.run(&format!("DROP ROLE IF EXISTS {}", quoted(PLAIN[0]))) {
            left.push(format!("the role {} is left on the scratch server: {}", PLAIN[0], error.message));
        }
        left
    }

    /// Connects anew after the connection was lost, and whether it is our turn again.
    fn again(&self) -> Result<(Link, bool)> {
        let end = Instant::now() + PATIENCE;
        loop {
            match Link::open(&self.address) {
                Ok(mut link) => {
                    let turn = link.lock_until(TURN, Some(end))?;
                    link.try_lock(self.key)?;
                    return Ok((link, turn));
                }
                Err(error) if Instant::now() >= end => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    fn nothing_done(&self, error: &Error) -> String {
        let roles: Vec<&str> = self.made.keys().map(String::as_str).collect();
        let roles =
            if roles.is_empty() { String::new() } else { format!(", and perhaps the roles {}", roles.join(", ")) };
        format!(
            "on the scratch server are left: the database and the role {}{roles}: {}; the next run on it takes them back",
            self.name, error.message
        )
    }
}
