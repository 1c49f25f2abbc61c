//! Takes a schema dump apart into the entries of its table of contents.
//!
//! Each entry stands under three comment lines, the middle one `-- Name: N; Type: T; Schema: S; Owner: O`. Lines that look
//! the same can stand inside a function's body or a comment's text, so quotes are followed through the whole dump, and only
//! what stands outside of them counts.

use super::{Entry, EntryKind};

/// What a dump falls into.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// The entries in order.
    pub entries: Vec<Entry>,
    /// Headers that it couldn't read, and statements before the first entry that it doesn't know.
    pub unread: Vec<String>,
}

/// The settings that `pg_dump` writes between entries, and that hold until it writes them again.
#[derive(Debug, Default)]
struct Placement {
    tablespace: String,
    access_method: String,
}

/// The lines of a text that PostgreSQL wrote: a carriage return before the end of one is the text's own.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n')
}

/// Drops what differs from run to run and from build to build: the token lines and the version comments.
pub(super) fn without_tokens(dump: &str) -> String {
    let mut quotes = Quotes::default();
    let mut out = String::with_capacity(dump.len());
    for line in lines(dump) {
        let outside = quotes.outside();
        quotes.read(line);
        let token = line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
        let version = line.starts_with("-- Dumped from database version") || line.starts_with("-- Dumped by pg_dump");
        if !(outside && (token || version)) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Takes a dump apart.
pub(super) fn split(dump: &str) -> Split {
    let lines: Vec<&str> = lines(dump).collect();
    let mut split = Split::default();
    let mut quotes = Quotes::default();
    let mut placement = Placement::default();
    // What must stand before the entry that is being read: the settings that held when it began.
    let mut prefix = String::new();
    let mut body: Vec<&str> = Vec::new();
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i];
        let title = lines.get(i + 1).filter(|_| lines.get(i + 2) == Some(&"--")).and_then(|l| l.strip_prefix("-- "));
        if let (true, "--", Some(title)) = (quotes.outside(), line, title) {
            finish(&mut split, &mut body, &prefix);
            match header(title) {
                Some(entry) => {
                    prefix = placement.prefix(&entry.kind);
                    split.entries.push(entry);
                }
                None if title.starts_with("PostgreSQL database dump") => {}
                None => split.unread.push(title.to_string()),
            }
            i += 3;
            continue;
        }
        let setting = quotes.outside() && placement.read(line);
        quotes.read(line);
        if !setting {
            body.push(line);
        }
        i += 1;
    }
    finish(&mut split, &mut body, &prefix);
    split
}

/// Gives what has been read since the last header to its entry.
fn finish(split: &mut Split, body: &mut Vec<&str>, prefix: &str) {
    let text = body.join("\n").trim().to_string();
    body.clear();
    let Some(entry) = split.entries.last_mut() else {
        // Before the first entry there are only settings.
        split.unread.extend(text.lines().filter(|l| !l.is_empty() && !is_preamble(l)).map(ToString::to_string));
        return;
    };
    if entry.text.is_empty() {
        entry.text = format!("{prefix}{text}");
    } else if !text.is_empty() {
        // A header that couldn't be read came between: nothing of it may get lost.
        entry.text = format!("{}\n\n{text}", entry.text);
    }
}

fn is_preamble(line: &str) -> bool {
    line.starts_with("SET ") || line.starts_with("SELECT pg_catalog.set_config(") || line.starts_with("--")
}

/// Reads `Name: N; Type: T; Schema: S; Owner: O`, perhaps with `; Tablespace: X`. A name may hold such words too, so it is
/// read from the right.
fn header(title: &str) -> Option<Entry> {
    let rest = title.strip_prefix("Name: ")?;
    let (rest, owner) = rest.rsplit_once("; Owner:")?;
    let (rest, schema) = rest.rsplit_once("; Schema: ")?;
    let (name, kind) = rest.rsplit_once("; Type: ")?;
    let owner = owner.split("; Tablespace: ").next().unwrap_or("").trim();
    let text = String::new();
    Some(Entry { kind: kind.into(), schema: schema.into(), name: name.into(), owner: owner.into(), text })
}

impl Placement {
    /// Takes in a line if it is one of the settings between entries.
    fn read(&mut self, line: &str) -> bool {
        let value = |setting: &str| {
            let value = line.strip_prefix("SET ")?.strip_prefix(setting)?.strip_prefix(" = ")?.strip_suffix(';')?;
            Some(value.trim_matches('\'').to_string())
        };
        if let Some(value) = value("default_tablespace") {
            self.tablespace = value;
        } else if let Some(value) = value("default_table_access_method") {
            self.access_method = value;
        } else {
            return false;
        }
        true
    }

    /// What must stand before an entry so that it says the same by itself. Nothing, in nearly all databases.
    fn prefix(&self, kind: &EntryKind) -> String {
        let mut prefix = String::new();
        let stored = matches!(kind, EntryKind::Table | EntryKind::MaterializedView);
        if stored && !["", "heap"].contains(&self.access_method.as_str()) {
            prefix.push_str(&format!("SET default_table_access_method = {};\n\n", self.access_method));
        }
        if (stored || matches!(kind, EntryKind::Index | EntryKind::Constraint)) && !self.tablespace.is_empty() {
            prefix.push_str(&format!("SET default_tablespace = '{}';\n\n", self.tablespace));
        }
        prefix
    }
}

/// Which quotes are open at a point of a script.
#[derive(Debug, Default)]
pub(super) struct Quotes {
    open: Option<Quote>,
}

#[derive(Debug, PartialEq)]
enum Quote {
    /// `'…'`, and whether a backslash escapes.
    String(bool),
    /// `"…"`.
    Name,
    /// `$tag$…$tag$`.
    Dollar(String),
    /// `/* … */`, so deep.
    Comment(usize),
}

impl Quotes {
    /// Whether none is open.
    pub fn outside(&self) -> bool {
        self.open.is_none()
    }

    /// Reads one more line, without its line end.
    pub fn read(&mut self, line: &str) {
        let mut rest = line;
        let mut before = ' ';
        while let Some(c) = rest.chars().next() {
            let step = match &mut self.open {
                None => {
                    if rest.starts_with("--") {
                        return;
                    }
                    self.opened(rest, before)
                }
                Some(_) => self.inside(rest, c),
            };
            let step = step.min(rest.len());
            before = rest[..step].chars().next_back().unwrap_or(c);
            rest = &rest[step..];
        }
    }

    /// One step outside of quotes: how far it goes, perhaps into a quote.
    fn opened(&mut self, rest: &str, before: char) -> usize {
        let word = before.is_alphanumeric() || before == '_' || before == '$';
        match rest.as_bytes()[0] {
            b'\'' => self.open = Some(Quote::String(before == 'E' || before == 'e')),
            b'"' => self.open = Some(Quote::Name),
            b'/' if rest.starts_with("/*") => {
                self.open = Some(Quote::Comment(1));
                return 2;
            }
            b'$' if !word => {
                let tag_end = rest[1..].find('$').map(|end| end + 2);
                let tag = tag_end.map(|end| &rest[..end]);
                let inner = |tag: &str| tag[1..tag.len() - 1].chars().all(|c| c.is_alphanumeric() || c == '_');
                if let Some(tag) = tag.filter(|tag| inner(tag) && !tag[1..].starts_with(|c: char| c.is_ascii_digit())) {
                    self.open = Some(Quote::Dollar(tag.to_string()));
                    return tag.len();
                }
            }
            _ => {}
        }
        rest.chars().next().map_or(1, char::len_utf8)
    }

    /// One step inside a quote: how far it goes, perhaps out of it.
    fn inside(&mut self, rest: &str, c: char) -> usize {
        match &mut self.open {
            Some(Quote::String(true)) if c == '\\' => return 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            Some(Quote::String(_)) if rest.starts_with("''") => return 2,
            Some(Quote::String(_)) if c == '\'' => self.open = None,
            // A doubled one closes and opens again, which comes to the same.
            Some(Quote::Name) if c == '"' => self.open = None,
            Some(Quote::Dollar(tag)) if rest.starts_with(tag.as_str()) => {
                let length = tag.len();
                self.open = None;
                return length;
            }
            Some(Quote::Comment(depth)) if rest.starts_with("*/") => {
                *depth -= 1;
                if *depth == 0 {
                    self.open = None;
                }
                return 2;
            }
            Some(Quote::Comment(depth)) if rest.starts_with("/*") => {
                *depth += 1;
                return 2;
            }
            _ => {}
        }
        c.len_utf8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"--
-- PostgreSQL database dump
--

\restrict abc

-- Dumped from database version 17.5
-- Dumped by pg_dump version 17.5

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: postgres
--

CREATE FUNCTION public.f() RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
  -- it's quoted
--
-- Name: fake; Type: TABLE; Schema: public; Owner: postgres
--
SET default_tablespace = '';
end $$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: a; Type: b; Type: TABLE; Schema: public; Owner: me; Tablespace: fast
--

CREATE TABLE public."a; Type: b" (
    x text DEFAULT E'it''s \' \n'::text
);


--
-- Name: EXTENSION citext; Type: COMMENT; Schema: -; Owner: 
--

COMMENT ON EXTENSION citext IS 'a
--
-- Name: also fake; Type: TABLE; Schema: public; Owner: postgres
--
';


--
-- PostgreSQL database dump complete
--

\unrestrict abc
"#;

    #[test]
    fn a_dump_falls_into_its_entries() {
        let found = split(&without_tokens(DUMP));
        assert!(found.unread.is_empty(), "{:?}", found.unread);
        let heads: Vec<_> = found
            .entries
            .iter()
            .map(|e| (e.kind.as_str(), e.schema.as_str(), e.name.as_str(), e.owner.as_str()))
            .collect();
        assert_eq!(
            heads,
            [
                ("FUNCTION", "public", "f()", "postgres"),
                ("TABLE", "public", "a; Type: b", "me"),
                ("COMMENT", "-", "EXTENSION citext", ""),
            ]
        );
        assert!(found.entries[0].text.ends_with("SET default_tablespace = '';\nend $$;"), "{}", found.entries[0].text);
        assert!(found.entries[1].text.starts_with("CREATE TABLE"), "{}", found.entries[1].text);
        assert!(found.entries[2].text.contains("also fake"));
    }

    #[test]
    fn where_a_table_is_kept_belongs_to_it() {
        let dump = "SET default_tablespace = fast;\n\nSET default_table_access_method = odd;\n\n--\n-- Name: t; Type: TABLE; Schema: public; Owner: me\n--\n\nCREATE TABLE public.t ();\n";
        assert!(
            split(dump).entries[0]
                .text
                .starts_with("SET default_table_access_method = odd;\n\nSET default_tablespace = 'fast';")
        );
    }

    #[test]
    fn where_a_table_is_kept_belongs_to_no_other() {
        let table = |name: &str| {
            format!(
                "--\n-- Name: {name}; Type: TABLE; Schema: public; Owner: me\n--\n\nCREATE TABLE public.{name} ();\n\n"
            )
        };
        let dump = table("a") + "SET default_table_access_method = odd;\n\n" + &table("b");
        let found = split(&(dump + "SET default_table_access_method = heap;\n\n" + &table("c"))).entries;
        let odd: Vec<bool> = found.iter().map(|entry| entry.text.starts_with("SET")).collect();
        assert_eq!(odd, [false, true, false]);
    }

    #[test]
    fn a_header_that_cannot_be_read_is_reported_and_loses_nothing() {
        let dump = "--\n-- Name: t; Type: TABLE; Schema: public; Owner: me\n--\n\nCREATE TABLE public.t ();\n\n--\n-- Something new\n--\n\nSELECT 1;\n";
        let found = split(dump);
        assert_eq!(found.unread, ["Something new"]);
        assert!(found.entries[0].text.ends_with("SELECT 1;"));
    }
}
