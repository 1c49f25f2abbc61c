//! DO blocks: the common guards are read through; a block that only checks leaves nothing; all others are kept as written.
//!
//! Understood are blocks of plain statements, `IF [NOT] EXISTS (...) THEN ... END IF`, and `EXCEPTION WHEN duplicate_...`.
//! A guard asks whether what its statements make is there; whether it is, the model knows.

use super::do_read::{Guard, Item, read_block, skip_statement};
use crate::ledger::Mark;
use crate::replay::Replay;
use crate::schema::{Body, Kind};
use crate::sql::lex::{Token, TokenKind, lex_code};

use crate::sql::names;
use crate::sql::parse::parse;
use pg_query::NodeEnum;
use pg_query::protobuf::DoStmt;

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
            Some(items) if changes_rows_only(&items) && !self.calls_own(&body) => self.rows_of_block(&body, &tokens),
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
        let [Item::Guarded(Guard { absent: true, .. }, inner)] = items else { return };
        let [Item::Sql(text)] = inner.as_slice() else { return };
        let Some(NodeEnum::CreateRoleStmt(role)) = parse(text).ok().flatten() else { return };
        let Some(id) = self.schema.global(Kind::Role, &role.role) else { return };
        if self.schema.objects[id].born == self.current {
            self.schema.objects[id].body = Body::Text(self.text.to_string());
            self.schema.objects[id].edited = false;
        }
    }

    fn run_items(&mut self, items: &[Item], guard: Option<&Guard>) {
        let runs = guard.and_then(|guard| self.answer(guard));
        for item in items {
            match item {
                Item::Rows(text) => self.rows_by_effect(text),
                Item::Guarded(guard, inner) => self.run_items(inner, Some(guard)),
                Item::Sql(text) => {
                    let node = parse(text).ok().flatten();
                    let runs = runs.or_else(|| Some(self.runs(guard?, node.as_ref()?)));
                    match (guard, runs) {
                        (Some(Guard { absent: true, .. }), Some(false)) => {
                            self.mark(Mark::Noop("it is already there".into()));
                        }
                        (Some(_), Some(false)) => self.mark(Mark::Noop("it isn't there".into())),
                        _ => self.apply_inner(text),
                    }
                }
            }
        }
    }

    /// A block that does nothing but change rows is a statement that does.
    fn rows_of_block(&mut self, body: &str, tokens: &[Token]) {
        let named = |at: usize| {
            let end = crate::sql::edit::name_end(body, tokens, at);
            let parts: Vec<String> = tokens[at..end.min(tokens.len())].iter().filter_map(|t| t.name(body)).collect();
            self.schema.relation(&names::qualified(&parts), &self.path())
        };
        let is = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is(body, word));
        let mut targets = Vec::new();
        for at in 0..tokens.len() {
            let writes = ((is(at, "insert") || is(at, "merge")) && is(at + 1, "into"))
                || (is(at, "delete") && is(at + 1, "from"));
            let target = match (writes, is(at, "update")) {
                (true, _) => named(at + 2),
                (_, true) => named(at + 1 + usize::from(is(at + 1, "only"))),
                _ => None,
            };
            targets.extend(target.filter(|t| !targets.contains(t)));
        }
        if targets.is_empty() {
            return self.keep_effects("changes rows of what this history didn't make");
        }
        let needs = self.needs_of_words(&self.text.clone());
        self.add_rows(targets, needs);
    }

    /// Rows that only the replay can tell: whatever tables are spoken of may have some from here on.
    fn rows_by_effect(&mut self, text: &str) {
        for on in self.needs_of_words(text).into_iter().map(|n| n.on) {
            if self.schema.objects[on].kind == Kind::Table {
                self.query_brings_rows(on);
            }
        }
    }

    /// Whether a part of the block calls a function of this history, which may do anything.
    fn calls_own(&self, text: &str) -> bool {
        let tokens = lex_code(text);
        tokens.windows(2).any(|w| {
            let name = w[0].name(text).filter(|_| w[1].text(text) == "(");
            name.is_some_and(|name| {
                !self.schema.routines(&names::Qualified { schema: None, name }, &self.path()).is_empty()
            })
        })
    }

    /// Whether each statement is SQL, and each guarded one is of a kind whose guard can be answered. Where rows can be told
    /// only by the replay, the rest must be worth taking the block apart for.
    fn understands(&self, items: &[Item]) -> bool {
        fn all(items: &[Item], guarded: bool) -> bool {
            items.iter().all(|item| match item {
                Item::Rows(_) => true,
                Item::Guarded(_, inner) => all(inner, true),
                Item::Sql(text) => match parse(text) {
                    Ok(Some(node)) => !guarded || guard_is_known(&node),
                    _ => false,
                },
            })
        }
        let rows: Vec<&String> =
            items.iter().filter_map(|i| if let Item::Rows(t) = i { Some(t) } else { None }).collect();
        let changes_schema = |item: &Item| match item {
            Item::Guarded(..) => true,
            Item::Sql(text) => !matches!(
                parse(text),
                Ok(Some(
                    NodeEnum::InsertStmt(_)
                        | NodeEnum::UpdateStmt(_)
                        | NodeEnum::DeleteStmt(_)
                        | NodeEnum::SelectStmt(_)
                        | NodeEnum::MergeStmt(_)
                ))
            ),
            Item::Rows(_) => false,
        };
        let worth = rows.is_empty() || items.iter().any(changes_schema);
        !items.is_empty() && worth && !rows.iter().any(|text| self.calls_own(text)) && all(items, false)
    }
}

/// Whether a block does nothing but change rows, and not by plain statements alone, which speak for themselves.
fn changes_rows_only(items: &[Item]) -> bool {
    let is_dml = |item: &Item| match item {
        Item::Rows(_) => true,
        Item::Sql(text) => matches!(
            parse(text),
            Ok(Some(
                NodeEnum::InsertStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_) | NodeEnum::MergeStmt(_)
            ))
        ),
        Item::Guarded(..) => false,
    };
    let only = items.iter().all(|item| match item {
        Item::Guarded(_, inner) => inner.iter().all(is_dml),
        item => is_dml(item),
    });
    only && items.iter().any(|item| !matches!(item, Item::Sql(_)))
}

/// PERFORM of a query only looks; PERFORM of a function may do anything.
fn performs_calls(body: &str, tokens: &[Token]) -> bool {
    tokens.iter().enumerate().any(|(i, t)| {
        let end = || skip_statement(body, tokens, i).unwrap_or(tokens.len());
        t.is(body, "perform")
            && tokens[i..end()].windows(2).any(|w| {
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
