//! Passwords of roles: one that a later statement replaces or takes away stands nowhere any more.

use crate::replay::Replay;
use crate::schema::{Body, Kind, ObjectId};
use crate::sql::edit;
use crate::sql::lex::{Token, TokenKind, lex_code};
use pg_query::NodeEnum;
use pg_query::protobuf::AlterRoleStmt;
use std::ops::Range;

impl Replay<'_> {
    /// An ALTER ROLE with a password, be it NULL: older ones go. True if nothing else is left to say of it.
    pub(crate) fn fold_password(&mut self, role: ObjectId, statement: &AlterRoleStmt) -> bool {
        if !says_password(statement) || self.is_changed_in_place(role) {
            return false;
        }
        let Body::Text(text) = self.schema.objects[role].body.clone() else { return false };
        let new = literal(&self.text).map(|range| self.text[range].to_string());
        if statement.options.len() == 1 {
            let edited = match &new {
                Some(new) => with_password(&text, new),
                None => Some(without_password(&text)),
            };
            if let Some(edited) = edited {
                self.schema.objects[role].body = Body::Text(edited);
                self.forget_older_passwords(role);
                let note = if new.is_some() { "password changed" } else { "password taken away" };
                self.folded(role, note);
                return true;
            }
        }
        self.schema.objects[role].edited |= without_password(&text) != text;
        self.schema.objects[role].body = Body::Text(without_password(&text));
        self.forget_older_passwords(role);
        false
    }

    /// Takes the passwords out of the role's settings, and out of settings that said nothing else.
    fn forget_older_passwords(&mut self, role: ObjectId) {
        for setting in self.schema.children(role) {
            let object = &self.schema.objects[setting];
            let Body::Text(text) = &object.body else { continue };
            if object.kind != Kind::Setting || self.is_changed_in_place(setting) {
                continue;
            }
            let Some(NodeEnum::AlterRoleStmt(alter)) = Replay::reparse(text) else { continue };
            match (says_password(&alter), alter.options.len()) {
                (false, _) => {}
                (true, 1) => self.kill(setting, None),
                (true, _) => {
                    let text = without_password(text);
                    self.schema.objects[setting].body = Body::Text(text);
                    self.schema.objects[setting].edited = true;
                }
            }
        }
    }

    /// The same for a role that this history didn't make: statements that were kept as written lose their passwords.
    pub(crate) fn forget_passwords_of(&mut self, statement: &AlterRoleStmt) {
        let name = |s: &AlterRoleStmt| s.role.as_ref().map(crate::sql::names::role_spec);
        if !says_password(statement) {
            return;
        }
        for id in self.schema.of_kind(Kind::Opaque).collect::<Vec<_>>() {
            let object = &self.schema.objects[id];
            let Body::Text(text) = &object.body else { continue };
            if self.is_changed_in_place(id) || literal(text).is_none() {
                continue;
            }
            let Some(NodeEnum::AlterRoleStmt(alter)) = Replay::reparse(text) else { continue };
            match (name(&alter) == name(statement) && says_password(&alter), alter.options.len()) {
                (false, _) => {}
                (true, 1) => self.kill(id, None),
                (true, _) => {
                    let text = without_password(text);
                    self.schema.objects[id].body = Body::Text(text);
                    self.schema.text_changed(id);
                    self.folded(id, "password taken out");
                }
            }
        }
    }
}

fn says_password(statement: &AlterRoleStmt) -> bool {
    let is_password = |o: &pg_query::Node| matches!(&o.node, Some(NodeEnum::DefElem(o)) if o.defname == "password");
    statement.options.iter().any(is_password)
}

/// Where the words of a password begin, and the token that is it.
fn clause(text: &str, tokens: &[Token]) -> Option<Range<usize>> {
    let at = (0..tokens.len()).find(|i| {
        tokens[*i].is(text, "password")
            && tokens.get(i + 1).is_some_and(|t| t.kind == TokenKind::Literal || t.is(text, "null"))
    })?;
    let kind = at > 0 && ["encrypted", "unencrypted"].iter().any(|w| tokens[at - 1].is(text, w));
    Some(if kind { at - 1 } else { at }..at + 2)
}

/// Where the password itself stands, at any depth of dollar quotes.
fn literal(text: &str) -> Option<Range<usize>> {
    let tokens = lex_code(text);
    if let Some(clause) = clause(text, &tokens) {
        let token = tokens[clause.end - 1];
        return (token.kind == TokenKind::Literal).then_some(token.start..token.end);
    }
    quoted(text, &tokens).find_map(|inside| {
        let found = literal(&text[inside.clone()])?;
        Some(inside.start + found.start..inside.start + found.end)
    })
}

/// What stands between dollar quotes.
fn quoted<'a>(text: &'a str, tokens: &'a [Token]) -> impl Iterator<Item = Range<usize>> + 'a {
    let dollars = tokens.iter().filter(|t| t.kind == TokenKind::Literal && t.text(text).starts_with('$'));
    dollars.filter_map(|t| {
        let inside = t.inside(text)?;
        let start = t.start + t.text(text).find(inside)?;
        Some(start..start + inside.len())
    })
}

/// A CREATE ROLE with another password, if it has one.
fn with_password(text: &str, new: &str) -> Option<String> {
    Some(edit::replace(text, vec![(literal(text)?, new.to_string())]))
}

/// A statement without its password, at any depth of dollar quotes.
fn without_password(text: &str) -> String {
    let tokens = lex_code(text);
    let Some(found) = clause(text, &tokens) else {
        let edits = quoted(text, &tokens).map(|inside| (inside.clone(), without_password(&text[inside])));
        return edit::replace(text, edits.collect());
    };
    // A WITH stands for what follows it.
    let with = found.start > 0 && tokens[found.start - 1].is(text, "with");
    let last = tokens.get(found.end).is_none_or(|t| t.text(text) == ";");
    let first = if with && last { found.start - 1 } else { found.start };
    let from = if first > 0 { tokens[first - 1].end } else { tokens[first].start };
    edit::replace(text, vec![(from..tokens[found.end - 1].end, String::new())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_replaced_or_taken_out() {
        let sql = "CREATE ROLE r WITH LOGIN ENCRYPTED PASSWORD 'old' VALID UNTIL '2030-01-01'";
        assert_eq!(without_password(sql), "CREATE ROLE r WITH LOGIN VALID UNTIL '2030-01-01'");
        assert_eq!(with_password(sql, "'new'").unwrap(), sql.replace("'old'", "'new'"));
        assert_eq!(without_password("CREATE USER r WITH PASSWORD 'old'"), "CREATE USER r");
        let block = "DO $$ BEGIN IF true THEN CREATE ROLE r PASSWORD 'old'; END IF; END $$";
        assert_eq!(without_password(block), "DO $$ BEGIN IF true THEN CREATE ROLE r; END IF; END $$");
        assert_eq!(literal(block).map(|r| &block[r]), Some("'old'"));
        assert_eq!(without_password("CREATE ROLE password LOGIN"), "CREATE ROLE password LOGIN");
    }
}
