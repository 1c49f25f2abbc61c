//! DO blocks: the common guards are read through; a block that only checks leaves nothing; all others are kept as written.
//!
//! Understood are blocks of plain statements, `IF [NOT] EXISTS (...) THEN ... END IF`, and `EXCEPTION WHEN duplicate_...`.
//! A guard asks whether what its statements make is there; whether it is, the model knows.

use crate::ledger::Mark;
use crate::replay::Replay;
use crate::schema::{Body, Kind};
use crate::sql::lex::{Token, TokenKind, lex_code};
use crate::sql::names;
use crate::sql::parse::parse;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableType, DoStmt};

/// A part of a DO block.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    /// A statement of SQL.
    Sql(String),
    /// Statements that run only if something isn't there (true) or is there (false).
    Guarded(bool, Vec<Item>),
}

/// Words without which a block can change nothing.
const WRITING: &[&str] = &[
    "create", "alter", "drop", "insert", "update", "delete", "truncate", "execute", "grant", "revoke", "comment",
    "copy", "call", "set", "merge", "refresh", "reindex", "cluster", "lock", "notify", "security", "import",
];

impl Replay<'_> {
    /// DO.
    pub(crate) fn do_block(&mut self, statement: &DoStmt) {
        let Some(body) = body_of(statement) else { return self.keep_effects("a block in another language") };
        let tokens = lex_code(&body);
        if !tokens.iter().any(|t| WRITING.iter().any(|w| t.is(&body, w))) && !performs_calls(&body, &tokens) {
            return self.mark(Mark::Session("a block that only checks".into()));
        }
        match read_block(&body, &tokens) {
            Some(items) if self.understands(&items) => {
                self.run_items(&items, None);
                self.keep_role_guard(&items);
            }
            _ => self.keep_effects("a block whose effects can't be told"),
        }
    }

    /// Roles belong to the cluster, not to the database: one may be there already where the new set runs, so the author's
    /// guard stays around its CREATE ROLE.
    fn keep_role_guard(&mut self, items: &[Item]) {
        let [Item::Guarded(true, inner)] = items else { return };
        let [Item::Sql(text)] = inner.as_slice() else { return };
        let Some(NodeEnum::CreateRoleStmt(role)) = parse(text).ok().flatten() else { return };
        let Some(id) = self.schema.global(Kind::Role, &role.role) else { return };
        if self.schema.objects[id].born == self.current {
            self.schema.objects[id].body = Body::Text(self.text.to_string());
            self.schema.objects[id].edited = false;
        }
    }

    fn run_items(&mut self, items: &[Item], guard: Option<bool>) {
        for item in items {
            match item {
                Item::Guarded(absent, inner) => self.run_items(inner, Some(*absent)),
                Item::Sql(text) => {
                    let node = parse(text).ok().flatten();
                    let there = node.as_ref().and_then(|n| self.is_there(n));
                    match (guard, there) {
                        (Some(true), Some(true)) => self.mark(Mark::Noop("it is already there".into())),
                        (Some(false), Some(false)) => self.mark(Mark::Noop("it isn't there".into())),
                        _ => self.apply_inner(text),
                    }
                }
            }
        }
    }

    /// Whether each statement is SQL, and each guarded one is of a kind whose guard can be answered.
    fn understands(&self, items: &[Item]) -> bool {
        fn all(items: &[Item], guarded: bool) -> bool {
            items.iter().all(|item| match item {
                Item::Guarded(_, inner) => all(inner, true),
                Item::Sql(text) => match parse(text) {
                    Ok(Some(node)) => !guarded || guard_is_known(&node),
                    _ => false,
                },
            })
        }
        !items.is_empty() && all(items, false)
    }

    /// Whether what the statement makes, or needs, is there; `None` if it can't be told.
    fn is_there(&self, node: &NodeEnum) -> Option<bool> {
        let path = self.path();
        let of_type = |parts: &[pg_query::Node]| {
            let name = names::qualified(&names::strings(parts));
            let (schema, name) = self.place(&name);
            self.schema.type_of(&names::Qualified { schema: Some(schema), name }, &path).is_some()
        };
        Some(match node {
            NodeEnum::CreateEnumStmt(s) => of_type(&s.type_name),
            NodeEnum::CreateDomainStmt(s) => of_type(&s.domainname),
            NodeEnum::CompositeTypeStmt(s) => {
                self.schema.type_of(&names::range_var(s.typevar.as_ref()?), &path).is_some()
            }
            NodeEnum::CreateStmt(s) => self.relation_opt(&s.relation).is_some(),
            NodeEnum::CreateSeqStmt(s) => self.relation_opt(&s.sequence).is_some(),
            NodeEnum::CreateRoleStmt(s) => self.schema.global(Kind::Role, &s.role).is_some(),
            NodeEnum::CreateSchemaStmt(s) => self.schema.global(Kind::Schema, &s.schemaname).is_some(),
            NodeEnum::CreateExtensionStmt(s) => self.schema.global(Kind::Extension, &s.extname).is_some(),
            NodeEnum::IndexStmt(s) => {
                let table = self.relation_opt(&s.relation)?;
                let schema = Some(self.schema.objects[table].schema.clone());
                self.schema.relation(&names::Qualified { schema, name: s.idxname.clone() }, &[]).is_some()
            }
            NodeEnum::CreateTrigStmt(s) => {
                self.schema.child(self.relation_opt(&s.relation)?, Kind::Trigger, &s.trigname).is_some()
            }
            NodeEnum::CreatePolicyStmt(s) => {
                self.schema.child(self.relation_opt(&s.table)?, Kind::Policy, &s.policy_name).is_some()
            }
            NodeEnum::DropStmt(s) => {
                let kind = Kind::of_object_type(s.remove_type)?;
                s.objects.iter().any(|o| self.locate(kind, o).is_some())
            }
            NodeEnum::AlterTableStmt(s) => return self.alter_is_there(s),
            NodeEnum::RenameStmt(s) if !s.subname.is_empty() => {
                let table = self.relation_opt(&s.relation)?;
                let kind = Kind::of_object_type(s.rename_type)?;
                self.schema.child(table, kind, &s.subname).is_some()
            }
            NodeEnum::RenameStmt(s) => self.relation_opt(&s.relation).is_some(),
            NodeEnum::AlterEnumStmt(_) => false,
            _ => return None,
        })
    }

    fn alter_is_there(&self, statement: &pg_query::protobuf::AlterTableStmt) -> Option<bool> {
        let table = self.relation_opt(&statement.relation)?;
        let NodeEnum::AlterTableCmd(command) = statement.cmds.first()?.node.as_ref()? else { return None };
        let definition = command.def.as_ref().and_then(|d| d.node.as_ref());
        match (AlterTableType::try_from(command.subtype).ok()?, definition) {
            (AlterTableType::AtAddColumn, Some(NodeEnum::ColumnDef(c))) => {
                Some(self.schema.column(table, &c.colname).is_some())
            }
            (AlterTableType::AtAddConstraint, Some(NodeEnum::Constraint(c))) => {
                Some(self.schema.child(table, Kind::Constraint, &c.conname).is_some())
            }
            (AlterTableType::AtDropConstraint, _) => {
                Some(self.schema.child(table, Kind::Constraint, &command.name).is_some())
            }
            (AlterTableType::AtDropColumn, _) => Some(self.schema.column(table, &command.name).is_some()),
            (
                AlterTableType::AtAlterColumnType
                | AlterTableType::AtColumnDefault
                | AlterTableType::AtSetNotNull
                | AlterTableType::AtDropNotNull,
                _,
            ) => Some(self.schema.column(table, &command.name).is_some()),
            _ => None,
        }
    }
}

/// PERFORM of a query only looks; PERFORM of a function may do anything.
fn performs_calls(body: &str, tokens: &[Token]) -> bool {
    tokens.iter().enumerate().any(|(i, t)| {
        let end = skip_statement(body, tokens, i).unwrap_or(tokens.len());
        t.is(body, "perform")
            && tokens[i..end].windows(2).any(|w| {
                let calls = w[0].kind == TokenKind::Word && w[1].text(body) == "(";
                calls
                    && !["exists", "in", "and", "or", "not", "count", "values", "any"].iter().any(|k| w[0].is(body, k))
            })
    })
}

fn guard_is_known(node: &NodeEnum) -> bool {
    matches!(
        node,
        NodeEnum::CreateEnumStmt(_)
            | NodeEnum::CreateDomainStmt(_)
            | NodeEnum::CompositeTypeStmt(_)
            | NodeEnum::CreateStmt(_)
            | NodeEnum::CreateSeqStmt(_)
            | NodeEnum::CreateRoleStmt(_)
            | NodeEnum::CreateSchemaStmt(_)
            | NodeEnum::CreateExtensionStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::CreateTrigStmt(_)
            | NodeEnum::CreatePolicyStmt(_)
            | NodeEnum::DropStmt(_)
            | NodeEnum::AlterTableStmt(_)
            | NodeEnum::RenameStmt(_)
    )
}

/// The body of a DO in plpgsql.
fn body_of(statement: &DoStmt) -> Option<String> {
    let mut body = None;
    for arg in &statement.args {
        let Some(NodeEnum::DefElem(option)) = &arg.node else { continue };
        let text = option.arg.as_ref().and_then(|a| names::string(a))?;
        match option.defname.as_str() {
            "as" => body = Some(text),
            "language" if text != "plpgsql" => return None,
            _ => {}
        }
    }
    body
}

/// `BEGIN items [EXCEPTION WHEN duplicate_... THEN nothing] END`.
fn read_block(body: &str, tokens: &[Token]) -> Option<Vec<Item>> {
    if !tokens.first()?.is(body, "begin") {
        return None;
    }
    let mut at = 1;
    let items = read_items(body, tokens, &mut at)?;
    if tokens.get(at)?.is(body, "exception") {
        let (duplicates, end) = read_exception(body, tokens, at)?;
        at = end;
        if !tokens.get(at)?.is(body, "end") {
            return None;
        }
        return Some(if duplicates { vec![Item::Guarded(true, items)] } else { items });
    }
    tokens.get(at)?.is(body, "end").then_some(items)
}

/// `EXCEPTION WHEN conditions THEN` followed by nothing that does anything; whether all conditions are about duplicates.
fn read_exception(body: &str, tokens: &[Token], at: usize) -> Option<(bool, usize)> {
    let mut duplicates = true;
    let mut i = at + 1;
    while tokens.get(i)?.is(body, "when") {
        i += 1;
        while !tokens.get(i)?.is(body, "then") {
            let word = tokens[i].text(body).to_ascii_lowercase();
            duplicates &= word.starts_with("duplicate_") || word == "or";
            i += 1;
        }
        i += 1;
        while !tokens.get(i)?.is(body, "when") && !tokens[i].is(body, "end") {
            i = skip_statement(body, tokens, i).filter(|_| is_idle(body, &tokens[i]))?;
        }
    }
    duplicates.then_some((duplicates, i))
}

fn is_idle(body: &str, token: &Token) -> bool {
    token.is(body, "null") || token.is(body, "raise")
}

fn skip_statement(body: &str, tokens: &[Token], from: usize) -> Option<usize> {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(from) {
        match token.text(body) {
            "(" => depth += 1,
            ")" => depth -= 1,
            ";" if depth == 0 => return Some(i + 1),
            _ => {}
        }
    }
    None
}

fn read_items(body: &str, tokens: &[Token], at: &mut usize) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    loop {
        let token = tokens.get(*at)?;
        if token.is(body, "end") || token.is(body, "exception") || token.is(body, "else") || token.is(body, "elsif") {
            return Some(items);
        }
        if token.is(body, "if") {
            items.push(read_if(body, tokens, at)?);
            continue;
        }
        let end = skip_statement(body, tokens, *at)?;
        if !is_idle(body, token) {
            let starts_sql = token.kind == TokenKind::Word
                && !["for", "while", "loop", "execute", "perform", "return", "declare", "begin", "case"]
                    .iter()
                    .any(|w| token.is(body, w));
            let assigns = tokens.get(*at + 1).is_some_and(|t| matches!(t.text(body), ":=" | "="));
            if !starts_sql || assigns {
                return None;
            }
            items.push(Item::Sql(body[token.start..tokens[end - 2].end].to_string()));
        }
        *at = end;
    }
}

/// `IF [NOT] EXISTS (...) THEN items [ELSE idle] END IF;`
fn read_if(body: &str, tokens: &[Token], at: &mut usize) -> Option<Item> {
    let absent = tokens.get(*at + 1)?.is(body, "not");
    let exists = *at + 1 + usize::from(absent);
    if !tokens.get(exists)?.is(body, "exists") || tokens.get(exists + 1)?.text(body) != "(" {
        return None;
    }
    let close = crate::sql::edit::closing(body, tokens, exists + 1)?;
    if !tokens.get(close + 1)?.is(body, "then") {
        return None;
    }
    *at = close + 2;
    let items = read_items(body, tokens, at)?;
    if tokens.get(*at)?.is(body, "else") {
        *at += 1;
        if !read_items(body, tokens, at)?.is_empty() {
            return None;
        }
    }
    let ends = tokens.get(*at)?.is(body, "end") && tokens.get(*at + 1)?.is(body, "if");
    if !ends || tokens.get(*at + 2)?.text(body) != ";" {
        return None;
    }
    *at += 3;
    Some(Item::Guarded(absent, items))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<Vec<Item>> {
        read_block(body, &lex_code(body))
    }

    #[test]
    fn the_common_guards_are_read_through() {
        let sql = || Item::Sql("CREATE TYPE e AS ENUM ('a')".into());
        let exception = "BEGIN CREATE TYPE e AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN null; END";
        assert_eq!(read(exception), Some(vec![Item::Guarded(true, vec![sql()])]));
        let guard = "BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type) THEN CREATE TYPE e AS ENUM ('a'); END IF; END;";
        assert_eq!(read(guard), Some(vec![Item::Guarded(true, vec![sql()])]));
    }

    #[test]
    fn loops_and_other_exceptions_are_not() {
        assert_eq!(read("BEGIN FOR r IN SELECT 1 LOOP EXECUTE 'x'; END LOOP; END"), None);
        assert_eq!(read("BEGIN CREATE TABLE t (); EXCEPTION WHEN others THEN NULL; END"), None);
        assert_eq!(read("BEGIN IF a > 1 THEN DROP TABLE t; END IF; END"), None);
    }
}
