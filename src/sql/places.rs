//! What each name in a text is: a relation, a type, a function, a column. PostgreSQL's tree says it where it keeps a place;
//! the words before a name say it elsewhere.

use super::lex::{Token, lex_code};
use super::parse::parse;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// What a name is that the tree has a place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Relation,
    Type,
    Function,
    Schema,
    /// A role of the database.
    User,
    Column,
    /// A column, or a whole row of the relation of that name.
    ColumnOrRow,
    /// What stands before a column: a relation, or a name that the query gives one.
    Qualifier,
    /// A name that the text gives.
    Own,
}

/// Of which kind a name must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A table, view, index or sequence, or its row type.
    Relation {
        /// Whether the text reads a column of that name, so that a lone name is no row.
        reads_column: bool,
    },
    /// A type or a domain.
    Type,
    /// A function, procedure or aggregate.
    Function,
    /// A schema.
    Schema,
    /// A role.
    User,
    /// What stands behind this word only: a trigger, a policy.
    Behind(&'static str),
    /// Anything that the tree knows for nothing else.
    Other,
}

/// The names of a text. Where even as a part of a statement it isn't understood, nothing is known of them.
pub struct Names<'a> {
    text: &'a str,
    /// Its tokens, without comments.
    pub tokens: Vec<Token>,
    is_parsed: bool,
    roles: HashMap<usize, Role>,
    /// Names that a query gives to what it reads.
    aliases: HashSet<String>,
    /// Names that WITH gives to queries.
    queries: HashSet<String>,
}

/// What makes a statement of a part of one. A lone name is none of these.
const AROUND: [(&str, &str); 7] = [
    ("", ""),
    ("ALTER TABLE t ADD ", ""),
    ("ALTER TABLE t ADD COLUMN c int ", ""),
    ("ALTER TABLE t ADD COLUMN c ", ""),
    ("CREATE TABLE t (c int", ""),
    ("CREATE TABLE t (", ")"),
    ("", "c int)"),
];

impl<'a> Names<'a> {
    /// Looks at a statement, or a part of one.
    pub fn of(text: &'a str) -> Names<'a> {
        let tokens = lex_code(text);
        let (roles, aliases, queries) = (HashMap::new(), HashSet::new(), HashSet::new());
        let mut names = Names { text, tokens, is_parsed: false, roles, aliases, queries };
        for (before, after) in AROUND {
            if let Ok(Some(node)) = parse(&format!("{before}{text}{after}"))
                && let Ok(tree) = serde_json::to_value(&node)
            {
                names.is_parsed = true;
                names.visit(&tree, before.len());
                break;
            }
        }
        names
    }

    /// Whether the name at a token is one of that kind.
    pub fn is(&self, i: usize, wanted: Wanted) -> bool {
        if !self.is_parsed {
            return true;
        }
        let role = self.roles.get(&self.tokens[i].start).copied();
        let (start, end) = self.chain(i);
        let (word, is_last) = (self.word_before(start), i == end);
        let name = self.tokens[i].name(self.text).unwrap_or_default();
        let is_given = self.aliases.contains(&name) || self.queries.contains(&name);
        match wanted {
            Wanted::Relation { reads_column } => match role {
                Some(Role::Relation) => i > start || !self.queries.contains(&name),
                Some(Role::Type) => true,
                Some(Role::ColumnOrRow) => !reads_column && !is_given,
                Some(Role::Qualifier) => i > start || !is_given,
                Some(_) => false,
                // COMMENT ON COLUMN and OWNED BY name a column by its table.
                None if i + 2 == end => ["column", "by"].contains(&word.as_str()),
                None => is_last && (RELATIONS.contains(&word.as_str()) || self.is_of_drop(start)),
            },
            Wanted::Type => match role {
                Some(role) => matches!(role, Role::Type | Role::Relation),
                None => is_last && (["type", "domain"].contains(&word.as_str()) || self.is_of_drop(start)),
            },
            Wanted::Function => match role {
                // An option's value is read as a type: SFUNC = f.
                Some(role) => role == Role::Function || (role == Role::Type && word == "="),
                None => is_last && (self.is_symbol(end + 1, "(") || ROUTINES.contains(&word.as_str())),
            },
            Wanted::Schema => match role {
                Some(role) => role == Role::Schema,
                None => match i == start && i < end {
                    true => end > start + 2 || word != "column",
                    false => word == "schema",
                },
            },
            Wanted::User => match role {
                Some(role) => role == Role::User,
                None => {
                    let is_other = word != "role" && NO_COLUMN_BEHIND.contains(&word.as_str());
                    start == end && !is_other && !self.is_symbol(end + 1, "(")
                }
            },
            Wanted::Behind(kind) => role.is_none() && is_last && word == kind,
            Wanted::Other => role.is_none(),
        }
    }

    /// Whether the name at a token can be a column of a relation, as far as the words around it tell: not what is called, not
    /// what another relation qualifies, not a name that the text gives.
    pub fn is_column(&self, i: usize, relation: &str) -> bool {
        let (start, end) = self.chain(i);
        let word = self.word_before(start);
        let qualifier = (i > start).then(|| self.tokens[i - 2].name(self.text)).flatten();
        let is_other = match self.roles.get(&self.tokens[i].start) {
            Some(role) => !matches!(role, Role::Column | Role::ColumnOrRow),
            None => self.is_parsed && i == start && NO_COLUMN_BEHIND.contains(&word.as_str()),
        };
        !is_other
            && i == end
            && word != "as"
            && !self.is_symbol(i + 1, "(")
            && qualifier.is_none_or(|q| q == relation || q == "new" || q == "old" || q == "excluded")
    }

    /// The first and the last token of a name with all its parts.
    fn chain(&self, i: usize) -> (usize, usize) {
        let (mut start, mut end) = (i, i);
        while start > 1 && self.is_symbol(start - 1, ".") {
            start -= 2;
        }
        while self.is_symbol(end + 1, ".") && end + 2 < self.tokens.len() {
            end += 2;
        }
        (start, end)
    }

    fn is_symbol(&self, i: usize, symbol: &str) -> bool {
        self.tokens.get(i).is_some_and(|token| token.text(self.text) == symbol)
    }

    /// The word before a name, IF EXISTS and CONCURRENTLY aside, in small letters.
    fn word_before(&self, start: usize) -> String {
        let before = self.tokens[..start].iter().rev().map(|token| token.text(self.text).to_lowercase());
        let mut words = before.peekable();
        if words.next_if_eq("exists").is_some() {
            words.next_if_eq("not");
            words.next_if_eq("if");
        }
        words.next_if_eq("concurrently");
        words.next().unwrap_or_default()
    }

    /// Whether a name stands in the list of a DROP.
    fn is_of_drop(&self, start: usize) -> bool {
        self.tokens[0].is(self.text, "drop") && self.is_symbol(start.wrapping_sub(1), ",")
    }

    fn visit(&mut self, tree: &Value, shift: usize) {
        match tree {
            Value::Array(items) => items.iter().for_each(|item| self.visit(item, shift)),
            Value::Object(fields) => {
                self.note(fields, shift);
                fields.values().for_each(|value| self.visit(value, shift));
            }
            _ => {}
        }
    }

    /// Notes what a node of the tree names. Where a node stands in a field of its own type, only its fields tell what it is.
    fn note(&mut self, node: &Map<String, Value>, shift: usize) {
        let text = |field: &str| node.get(field).and_then(Value::as_str).unwrap_or_default();
        let has = |fields: &[&str]| fields.iter().all(|field| node.contains_key(*field));
        if has(&["aliasname"]) {
            self.aliases.insert(text("aliasname").into());
        }
        let roles: &[Role] = if has(&["relname", "relpersistence"]) {
            &[Role::Relation, Role::Schema]
        } else if has(&["fields", "location"]) {
            match node["fields"].as_array().map_or(0, Vec::len) {
                1 => &[Role::ColumnOrRow],
                _ => &[Role::Column, Role::Qualifier, Role::Schema],
            }
        } else if has(&["names", "typemod", "pct_type"]) {
            match node["pct_type"].as_bool() {
                Some(true) => &[Role::Column, Role::Relation, Role::Schema],
                _ => &[Role::Type, Role::Schema],
            }
        } else if has(&["funcname", "agg_star"]) {
            &[Role::Function, Role::Schema]
        } else if has(&["rolename", "roletype"]) {
            &[Role::User]
        } else if has(&["ctename", "ctequery"]) {
            self.queries.insert(text("ctename").into());
            &[Role::Own]
        } else if has(&["colname", "is_local"]) || has(&["name", "opclass", "collation", "location"]) {
            &[Role::Column]
        } else if has(&["name", "indirection", "val", "location"]) {
            // In a SELECT it is the name that is given, and the place that of the value.
            return self.assigned(text("name"), node, shift);
        } else {
            return;
        };
        let Some(first) = self.token_of(node, shift) else { return };
        let (_, mut at) = self.chain(first);
        for role in roles {
            self.roles.insert(self.tokens[at].start, *role);
            if at < first + 2 {
                break;
            }
            at -= 2;
        }
    }

    /// A column of an INSERT or UPDATE.
    fn assigned(&mut self, name: &str, node: &Map<String, Value>, shift: usize) {
        if let Some(at) = self.token_of(node, shift)
            && self.tokens[at].name(self.text).as_deref() == Some(name)
            && !self.is_symbol(at + 1, "(")
        {
            self.roles.entry(self.tokens[at].start).or_insert(Role::Column);
        }
    }

    /// The token at which a node begins.
    fn token_of(&self, node: &Map<String, Value>, shift: usize) -> Option<usize> {
        let at = usize::try_from(node.get("location")?.as_i64()?).ok()?.checked_sub(shift)?;
        self.tokens.iter().position(|token| token.start == at)
    }
}

/// The words behind which the tree keeps no place of a relation's name.
const RELATIONS: [&str; 8] = ["table", "view", "sequence", "index", "only", "on", "type", "domain"];
/// The same for functions.
const ROUTINES: [&str; 8] = ["function", "procedure", "routine", "aggregate", "handler", "validator", "inline", "="];
/// The words behind which, where the tree keeps no place, no column stands.
const NO_COLUMN_BEHIND: [&str; 16] = [
    "index",
    "trigger",
    "policy",
    "rule",
    "constraint",
    "table",
    "view",
    "sequence",
    "type",
    "domain",
    "function",
    "procedure",
    "schema",
    "role",
    "on",
    "collate",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, wanted: Wanted) -> Vec<usize> {
        let names = Names::of(text);
        (0..names.tokens.len())
            .filter(|i| names.tokens[*i].name(text).as_deref() == Some("a") && names.is(*i, wanted))
            .map(|i| names.tokens[i].start)
            .collect()
    }

    #[test]
    fn a_relation_is_told_from_its_columns() {
        let wanted = Wanted::Relation { reads_column: true };
        for (text, places) in [
            ("CREATE TABLE a (a int, b a, CHECK (a > 0))", vec![13, 25]),
            ("CREATE INDEX ON a (a)", vec![16]),
            ("CREATE VIEW v AS SELECT a, a.a FROM x.a WHERE a > 1", vec![27, 38]),
            ("CREATE VIEW v AS SELECT a.a FROM b AS a", vec![]),
            ("CREATE VIEW v AS SELECT a.a FROM a AS a", vec![33]),
            ("CREATE VIEW v AS WITH a AS (SELECT 1) SELECT a.b FROM a", vec![]),
            ("INSERT INTO a (a) VALUES (1)", vec![12]),
            ("UPDATE a SET a = a + 1", vec![7]),
            ("COMMENT ON COLUMN a.a IS ''", vec![18]),
            ("COMMENT ON TRIGGER a ON a IS ''", vec![24]),
            ("CREATE TRIGGER a BEFORE UPDATE OF a ON a EXECUTE FUNCTION a()", vec![39]),
            ("DROP TABLE b, a", vec![14]),
            ("CREATE TABLE a (", vec![13]),
            ("REFERENCES a (a)", vec![11]),
            (") INHERITS (a)", vec![12]),
            ("CREATE FUNCTION f(a a) RETURNS SETOF a LANGUAGE sql AS ''", vec![20, 37]),
            ("ALTER SEQUENCE s OWNED BY a.a", vec![26]),
        ] {
            assert_eq!(found(text, wanted), places, "{text}");
        }
        let row = Wanted::Relation { reads_column: false };
        assert_eq!(found("SELECT a FROM a", row), [7, 14]);
    }

    #[test]
    fn other_names_are_told_from_their_namesakes() {
        assert_eq!(found("CREATE TRIGGER a BEFORE UPDATE ON a EXECUTE FUNCTION a()", Wanted::Function), [53]);
        assert_eq!(found("CREATE TRIGGER a BEFORE UPDATE ON a EXECUTE FUNCTION a()", Wanted::Behind("trigger")), [15]);
        assert_eq!(found("CREATE FUNCTION a(a a) RETURNS a LANGUAGE sql AS ''", Wanted::Type), [20, 31]);
        assert_eq!(found("CREATE TABLE a.a (a a.a)", Wanted::Schema), [13, 20]);
        assert_eq!(found("CREATE POLICY a ON a TO a USING (a)", Wanted::User), [24]);
    }
}
