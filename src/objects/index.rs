//! Indexes.

use crate::ledger::Mark;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names::{self, Qualified, quote};
use pg_query::protobuf::IndexStmt;

impl Replay<'_> {
    /// CREATE INDEX. CONCURRENTLY speaks of a table in use, which a fresh database doesn't have; a part of a history runs on
    /// databases that do, so there it stays for tables that were there before.
    pub(crate) fn create_index(&mut self, statement: &IndexStmt) {
        let Some(table) = self.relation_opt(&statement.relation) else {
            return self.keep_unmade("indexes a table that", names::relation_name(&statement.relation));
        };
        let schema = self.schema.objects[table].schema.clone();
        let named = !statement.idxname.is_empty();
        let name = if named {
            names::truncate(&statement.idxname)
        } else {
            let elements: Vec<_> =
                statement.index_params.iter().chain(&statement.index_including_params).cloned().collect();
            self.choose_index_name(table, &elements)
        };
        let place = Qualified { schema: Some(schema.clone()), name: name.clone() };
        if statement.if_not_exists && self.schema.relation(&place, &[]).is_some() {
            return self.mark(Mark::Noop("the index is already there".into()));
        }
        let needs: Vec<Need> = self
            .needs(statement, Some(table))
            .into_iter()
            .map(|n| {
                let own = self.schema.objects[n.on].parent == Some(table);
                if own { Need { on: n.on, strength: Strength::Auto } } else { n }
            })
            .collect();
        let only = statement.relation.as_ref().is_some_and(|r| !r.inh);
        let before = if only { self.partitions_before(table) } else { Vec::new() };
        let needs: Vec<Need> = needs
            .into_iter()
            .chain(before)
            .chain(self.needs_of_unknown_columns(table, &crate::sql::walk::references(statement).plain_columns))
            .collect();
        let mut text = self.text.to_string();
        let in_use = self.schema.is_given(table);
        if statement.concurrent && !in_use {
            text = without_word(&text, "concurrently");
        }
        if !named {
            text = with_name(&text, &name);
        }
        let edited = text != self.text;
        let id = self.create(New { needs, ..New::of(table, Kind::Index, (schema, name), Body::Text(text)) });
        self.schema.objects[id].edited |= edited;
        if statement.concurrent && !in_use {
            self.event(id, crate::ledger::What::Folded("concurrently left out".into()));
        }
    }
}

/// Takes a keyword out, with the space before it.
pub(crate) fn without_word(text: &str, word: &str) -> String {
    let tokens = lex_code(text);
    match edit::find_word(text, &tokens, 0, word) {
        Some(i) => edit::replace(text, vec![(tokens[i - 1].end..tokens[i].end, String::new())]),
        None => text.to_string(),
    }
}

/// An index that PostgreSQL named keeps that name when its table has another by the end.
fn with_name(text: &str, name: &str) -> String {
    let tokens = lex_code(text);
    match edit::find_word(text, &tokens, 0, "index") {
        Some(i) => edit::replace(text, vec![(tokens[i].end..tokens[i].end, format!(" {}", quote(name)))]),
        None => text.to_string(),
    }
}
