//! `OPTIONS (...)` of wrappers, servers, user mappings and foreign tables, and the connection of a subscription: an ALTER is
//! worked into the statement that makes the object, so that a value which is dropped or replaced, such as a password, stands
//! nowhere any more.

use super::property::Property;
use crate::replay::Replay;
use crate::schema::{Body, Kind, ObjectId};
use crate::sql::edit;
use crate::sql::lex::{Token, TokenKind, lex_code};
use pg_query::NodeEnum as N;
use pg_query::protobuf::{AlterSubscriptionStmt, AlterTableCmd, DefElem, DefElemAction};
use std::ops::Range;

impl Replay<'_> {
    /// Folds the OPTIONS of an ALTER into the CREATE; false if the ALTER must stay as it is. `rest` says whether the ALTER
    /// says anything else.
    pub(crate) fn fold_options(&mut self, id: ObjectId, options: &[pg_query::Node], rest: bool) -> bool {
        let alter = self.text.to_string();
        if !self.fold_options_of(id, None, options, &alter) {
            return false;
        }
        if rest && let Some(text) = without_options(&alter) {
            self.set_property_text(id, Property::Change(self.current), Vec::new(), text);
        }
        true
    }

    /// OPTIONS of a foreign table or of one of its columns.
    pub(crate) fn fold_table_options(&mut self, table: ObjectId, command: &AlterTableCmd, alter: &str) -> bool {
        let Some(N::List(options)) = command.def.as_ref().and_then(|d| d.node.as_ref()) else { return false };
        let column = (!command.name.is_empty()).then_some(command.name.as_str());
        self.schema.objects[table].kind == Kind::ForeignTable
            && self.fold_options_of(table, column, &options.items, alter)
    }

    fn fold_options_of(&mut self, id: ObjectId, column: Option<&str>, options: &[pg_query::Node], alter: &str) -> bool {
        let Body::Text(text) = &self.schema.objects[id].body else { return false };
        // What stayed as written before comes first.
        if options.is_empty() || self.is_changed_in_place(id) || self.has_steps(id) {
            return false;
        }
        let Some(literals) = values(alter) else { return false };
        let (mut text, mut notes) = (text.clone(), Vec::new());
        let of_column = column.map(|c| format!(" of column {c}")).unwrap_or_default();
        for node in options {
            let Some(N::DefElem(option)) = &node.node else { return false };
            let name = &option.defname;
            let literal = literals.iter().find(|(n, _)| n == name).map(|(_, literal)| literal.as_str());
            let (edited, verb) = match DefElemAction::try_from(option.defaction) {
                Ok(DefElemAction::DefelemDrop) => (drop_option(&text, column, option), "dropped"),
                Ok(DefElemAction::DefelemSet) => (set_option(&text, column, option, literal), "set"),
                _ => (add_option(&text, column, option, literal), "added"),
            };
            let Some(edited) = edited else { return false };
            text = edited;
            notes.push(format!("option {name}{of_column} {verb}"));
        }
        self.schema.objects[id].body = Body::Text(text);
        self.folded(id, notes.join(", "));
        true
    }

    /// Whether an ALTER of the object stayed as it was written.
    fn has_steps(&self, id: ObjectId) -> bool {
        let children = self.schema.children(id);
        children.iter().map(|c| &self.schema.objects[*c]).any(|c| match &c.body {
            Body::Text(text) => c.kind == Kind::Setting && clauses(text, None).is_some(),
            _ => false,
        })
    }

    /// ALTER SUBSCRIPTION ... CONNECTION: the last one is that of the CREATE.
    pub(crate) fn fold_connection(&mut self, id: ObjectId, statement: &AlterSubscriptionStmt) -> bool {
        if statement.conninfo.is_empty() || self.is_changed_in_place(id) {
            return false;
        }
        let Body::Text(text) = &self.schema.objects[id].body else { return false };
        let (Some(old), Some(new)) = (connection(text), connection(&self.text)) else { return false };
        let edited = edit::replace(text, vec![(old, self.text[new].to_string())]);
        self.schema.objects[id].body = Body::Text(edited);
        self.folded(id, "connection changed");
        true
    }
}

/// Where the literal of a CONNECTION stands.
fn connection(text: &str) -> Option<Range<usize>> {
    let tokens = lex_code(text);
    let at = edit::find_word(text, &tokens, 0, "connection")? + 1;
    tokens.get(at).filter(|t| t.kind == TokenKind::Literal).map(|t| t.start..t.end)
}

/// The names and literals of an ALTER's OPTIONS.
fn values(alter: &str) -> Option<Vec<(String, String)>> {
    let tokens = lex_code(alter);
    // The last list is the ALTER's own; a statement of one list has no other.
    let open = (1..tokens.len()).rev().find(|i| tokens[*i].text(alter) == "(" && tokens[i - 1].is(alter, "options"))?;
    let close = edit::closing(alter, &tokens, open)?;
    let value = |part: Range<usize>| {
        let literal = tokens[part.end - 1];
        let name = tokens.get(part.end.checked_sub(2).filter(|at| *at >= part.start)?)?.name(alter)?;
        (literal.kind == TokenKind::Literal).then(|| (name, literal.text(alter).to_string()))
    };
    Some(edit::split_commas(alter, &tokens, open + 1, close).into_iter().filter_map(value).collect())
}

/// The OPTIONS of a CREATE: where the clause begins, and its pairs as tokens.
struct Clauses {
    tokens: Vec<Token>,
    /// The word, and the parentheses.
    at: Range<usize>,
    pairs: Vec<Range<usize>>,
}

/// The OPTIONS clause of an object, or of a column within its parentheses.
fn clauses(text: &str, column: Option<&str>) -> Option<Clauses> {
    let tokens = lex_code(text);
    let within = match column {
        None => 0..tokens.len(),
        Some(column) => part_of_column(text, &tokens, column)?,
    };
    let mut depth = 0;
    for at in within {
        match tokens[at].text(text) {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if depth == 0
                && tokens[at].is(text, "options")
                && tokens.get(at + 1).is_some_and(|t| t.text(text) == "(") =>
            {
                let close = edit::closing(text, &tokens, at + 1)?;
                let pairs = edit::split_commas(text, &tokens, at + 2, close);
                return Some(Clauses { tokens, at: at..close + 1, pairs });
            }
            _ => {}
        }
    }
    None
}

fn part_of_column(text: &str, tokens: &[Token], column: &str) -> Option<Range<usize>> {
    let open = tokens.iter().position(|t| t.text(text) == "(")?;
    let close = edit::closing(text, tokens, open)?;
    let parts = edit::split_commas(text, tokens, open + 1, close);
    parts.into_iter().find(|part| tokens[part.start].name(text).as_deref() == Some(column))
}

impl Clauses {
    fn find(&self, text: &str, name: &str) -> Option<usize> {
        self.pairs.iter().position(|pair| self.tokens[pair.start].name(text).as_deref() == Some(name))
    }
}

fn drop_option(text: &str, column: Option<&str>, option: &DefElem) -> Option<String> {
    let clause = clauses(text, column)?;
    let at = clause.find(text, &option.defname)?;
    let end = |token: usize| clause.tokens[token].end;
    let pair = &clause.pairs[at];
    let gone = match (clause.pairs.len(), at) {
        // The word goes along with the last of its list.
        (1, _) => end(clause.at.start - 1)..end(clause.at.end - 1),
        (_, 0) => clause.tokens[pair.start].start..clause.tokens[clause.pairs[1].start].start,
        _ => end(clause.pairs[at - 1].end - 1)..end(pair.end - 1),
    };
    Some(edit::replace(text, vec![(gone, String::new())]))
}

fn set_option(text: &str, column: Option<&str>, option: &DefElem, literal: Option<&str>) -> Option<String> {
    let clause = clauses(text, column)?;
    let pair = &clause.pairs[clause.find(text, &option.defname)?];
    let old = clause.tokens[pair.end - 1];
    Some(edit::replace(text, vec![(old.start..old.end, literal?.to_string())]))
}

fn add_option(text: &str, column: Option<&str>, option: &DefElem, literal: Option<&str>) -> Option<String> {
    let pair = format!("{} {}", crate::sql::names::quote(&option.defname), literal?);
    let Some(clause) = clauses(text, column) else {
        // At the end of a statement the clause may come; a column has other words behind it.
        return column.is_none().then(|| format!("{} OPTIONS ({pair})", text.trim_end()));
    };
    if clause.find(text, &option.defname).is_some() {
        return None;
    }
    let last = clause.pairs.last().map_or(clause.at.start + 1, |pair| pair.end - 1);
    let (at, comma) = (clause.tokens[last].end, if clause.pairs.is_empty() { "" } else { ", " });
    Some(edit::replace(text, vec![(at..at, format!("{comma}{pair}"))]))
}

/// An ALTER without its OPTIONS.
fn without_options(text: &str) -> Option<String> {
    let clause = clauses(text, None)?;
    let from = clause.tokens[clause.at.start - 1].end;
    Some(edit::replace(text, vec![(from..clause.tokens[clause.at.end - 1].end, String::new())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str) -> DefElem {
        DefElem { defname: name.into(), ..DefElem::default() }
    }

    #[test]
    fn options_are_edited_in_their_list() {
        let sql = "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'a', password 'x')";
        assert_eq!(
            drop_option(sql, None, &option("password")).as_deref(),
            Some("CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'a')")
        );
        assert_eq!(
            drop_option(sql, None, &option("user")).as_deref(),
            Some("CREATE USER MAPPING FOR u SERVER s OPTIONS (password 'x')")
        );
        let one = "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (password 'x')";
        let none = "CREATE SERVER s FOREIGN DATA WRAPPER w";
        assert_eq!(drop_option(one, None, &option("password")).as_deref(), Some(none));
        assert_eq!(add_option(none, None, &option("password"), Some("'x'")).as_deref(), Some(one));
        let set = set_option(sql, None, &option("password"), Some("E'y\\''")).unwrap();
        assert_eq!(set, "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'a', password E'y\\'')");
    }

    #[test]
    fn a_column_has_options_of_its_own() {
        let sql = "CREATE FOREIGN TABLE t (a int OPTIONS (k 'x') NOT NULL, b int) SERVER s OPTIONS (k 'y')";
        let want = "CREATE FOREIGN TABLE t (a int NOT NULL, b int) SERVER s OPTIONS (k 'y')";
        assert_eq!(drop_option(sql, Some("a"), &option("k")).as_deref(), Some(want));
        assert_eq!(add_option(sql, Some("b"), &option("k"), Some("'z'")), None);
    }

    #[test]
    fn values_are_those_of_the_list() {
        let alter = "ALTER SERVER s VERSION '2' OPTIONS (SET host 'h', ADD \"Key\" 'v', DROP port)";
        let want = [("host".to_string(), "'h'".to_string()), ("Key".to_string(), "'v'".to_string())];
        assert_eq!(values(alter).unwrap(), want);
        assert_eq!(without_options(alter).as_deref(), Some("ALTER SERVER s VERSION '2'"));
    }
}
