//! Where a scratch server is. It may hold a password, which is shown to nobody: not in an error, not by `Debug`, not in the
//! arguments of a program.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::{Error, Result, secrets};

/// The only database of a server that is connected to, beside our own; nothing in it is read or written.
pub const MAINTENANCE: &str = "postgres";

/// What an address may say behind its question mark. `options` and the like would change what a replay sees.
const KNOWN: &[&str] = &["host", "hostaddr", "port", "user", "password", "sslmode", "application_name", "dbname"];

/// The address of a server.
#[derive(Clone)]
pub struct Address {
    url: Url,
    options: PgConnectOptions,
}

impl Address {
    /// Reads an address: `postgres://user:password@host:port/`. Names of environment variables stand in it as `${NAME}`; as
    /// `env:NAME` a variable holds all of it.
    ///
    /// # Errors
    /// When it isn't one, or names a database of its own.
    pub fn read(text: &str) -> Result<Address> {
        let variable = |name: &str| {
            let missing = || Error::new(format!("the environment variable {name} isn't set"));
            let value = std::env::var(name);
            let _ = value.as_deref().map(secrets::remember);
            value.map_err(|_| missing().hint("the address of the scratch server names it"))
        };
        let whole = match text.strip_prefix("env:") {
            Some(name) => variable(name.trim())?,
            None => filled(text, variable)?,
        };
        let mut url = Url::parse(&whole).map_err(|why| wrong(&why.to_string()))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(wrong("it doesn't begin with postgres://"));
        }
        check(&url)?;
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(key, _)| key != "dbname")
            .map(|(k, v)| (k.into_owned(), v.into_owned()))
            .collect();
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
        url.set_path(MAINTENANCE);
        if std::env::var_os("PGOPTIONS").is_some_and(|value| !value.is_empty()) {
            return Err(
                Error::new("PGOPTIONS is set, and would change what a replay on the server sees").hint("unset it")
            );
        }
        let options: PgConnectOptions = url.as_str().parse().map_err(|_| wrong("a part of it can't be read"))?;
        if matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
            return Err(Error::new("the address of the scratch server asks for TLS, which this program doesn't speak")
                .hint("use a server on this machine, or a tunnel to it, with sslmode=disable"));
        }
        let address = Address { url, options };
        let _ = address.password().as_deref().map(secrets::remember);
        Ok(address)
    }

    /// How to connect to a database of the server.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        self.options.clone().database(database).application_name("consolidate")
    }

    /// The address of a database, with its password: not to be shown.
    pub fn secret(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }

    /// The password, if it is said anywhere but in a password file.
    pub fn password(&self) -> Option<String> {
        let query = self.url.query_pairs().find(|(key, _)| key == "password").map(|(_, value)| value.into_owned());
        query.or_else(|| self.url.password().map(plain)).or_else(|| std::env::var("PGPASSWORD").ok())
    }

    /// The host, or the folder of the socket.
    pub fn host(&self) -> String {
        let socket = self.options.get_socket().map(|folder| folder.display().to_string());
        socket.unwrap_or_else(|| self.options.get_host().to_string())
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.options.get_port()
    }

    /// The user.
    pub fn user(&self) -> &str {
        self.options.get_username()
    }
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host(), self.port())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// A part of an address without its escapes.
fn plain(escaped: &str) -> String {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Puts the values of variables into an address, as it must have them.
fn filled(text: &str, variable: impl Fn(&str) -> Result<String>) -> Result<String> {
    static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}").ok());
    let Some(name) = NAME.as_ref() else { return Ok(text.to_string()) };
    for found in name.captures_iter(text) {
        variable(&found[1])?;
    }
    let value = |found: &Captures| -> String {
        let value = variable(&found[1]).unwrap_or_default();
        let escaped = |byte: u8| match byte {
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        };
        value.bytes().map(escaped).collect()
    };
    Ok(name.replace_all(text, value).into_owned())
}

fn wrong(why: &str) -> Error {
    // The address itself isn't shown: what is wrong with it may be the password.
    Error::new(format!("the address of the scratch server can't be read: {why}"))
        .hint("write it as postgres://user:password@host:port/, or env:NAME for the variable that holds it")
}

/// No database but the one for maintenance, and nothing that we don't know.
fn check(url: &Url) -> Result<()> {
    let path = url.path().trim_start_matches('/').to_string();
    let queried = url.query_pairs().filter(|(key, _)| key == "dbname").map(|(_, value)| value.into_owned());
    for database in std::iter::once(path).chain(queried) {
        if !database.is_empty() && database != MAINTENANCE {
            // A part of a password may have come here, if something else is wrong with the address.
            let is_plain = database.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
            let named = if is_plain { format!("the database \"{database}\"") } else { "a database of others".into() };
            return Err(Error::new(format!(
                "the address of the scratch server names {named}, which is not ours to touch"
            ))
            .hint(
                "name the server only, as in postgres://user@host:port/: databases of our own are made on it, and go again",
            ));
        }
    }
    match url.query_pairs().find(|(key, _)| !KNOWN.contains(&key.as_ref())) {
        Some((key, _)) => {
            let error = Error::new(format!("the address of the scratch server says {key:?}, which isn't taken"));
            Err(error.hint(format!("known are {}", KNOWN.join(", "))))
        }
        None => Ok(()),
    }
}

/// A text in which no password of an address is left, for what is printed: whatever said it.
pub fn redacted(text: &str) -> String {
    static SECRET: LazyLock<[Option<Regex>; 2]> = LazyLock::new(|| {
        [
            Regex::new(r"(?i)(postgres(?:ql)?:/{0,2}[^:/@\s]*):[^\s]*@").ok(),
            Regex::new(r"(?i)([?&]password=)[^&\s'\x22]*").ok(),
        ]
    });
    let [before, behind] = &*SECRET;
    let text = before.as_ref().map_or_else(|| text.into(), |secret| secret.replace_all(text, "$1:***@"));
    let text = behind.as_ref().map_or_else(|| text.clone(), |secret| secret.replace_all(&text, "${1}***"));
    secrets::hidden(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_of_others_are_refused_however_they_are_named() {
        for url in [
            "postgres://me@h/shop",
            "postgres://me@h/template1",
            "postgres://me@h/?dbname=shop",
            "postgres://me@h/postgres?dbname=shop",
            "postgres://me@h/postgres?dbname=postgres&dbname=shop",
            "postgres://me@h/%73hop",
            "postgres://me@h/consolidate_scratch_0123456789abcdef",
        ] {
            let error = Address::read(url).unwrap_err();
            assert!(error.message.contains("not ours to touch") && error.hint.is_some(), "{url}: {error}");
        }
        for url in
            ["postgres://me@h/?options=-csearch_path%3Dx", "postgres://me@h/?service=x", "postgres://me@h?options[a]=b"]
        {
            assert!(Address::read(url).unwrap_err().message.contains("isn't taken"), "{url}");
        }
        for url in
            ["postgres://me@h", "postgresql://me@h/", "postgres://me@h/postgres", "postgres:///?host=%2Ftmp&user=me"]
        {
            assert!(Address::read(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn passwords_are_never_shown() {
        let address = Address::read("postgres://me:s3cret%21@h:5433/").unwrap();
        assert_eq!(address.password().as_deref(), Some("s3cret!"));
        assert_eq!(format!("{address} {address:?}"), "h:5433 Address(h:5433)");
        for url in
            ["postgres://me:s3cret@h:port/", "postgres://me:s3cret@[h/", "mysql://me:s3cret@h/", "postgres:me:s3cret@h"]
        {
            let error = Address::read(url).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert_eq!(redacted("postgres://me:s3/cret@h:1/d: no"), "postgres://me:***@h:1/d: no");
        let said = redacted("a postgres://me:s3c@ret@h/x?password=s3cret&a=b 'postgresql://me:s3cret@h' http://a:b@c");
        assert_eq!(said, "a postgres://me:***@h/x?password=***&a=b 'postgresql://me:***@h' http://a:b@c");
    }

    #[test]
    fn variables_are_put_in_as_an_address_has_them() {
        let variable = |name: &str| Ok(format!("{name}/:@"));
        assert_eq!(filled("postgres://me:${PW}@h/", variable).unwrap(), "postgres://me:PW%2F%3A%40@h/");
        let error = Address::read("env:CONSOLIDATE_NO_SUCH").unwrap_err();
        assert!(error.message.contains("CONSOLIDATE_NO_SUCH isn't set"));
    }
}
