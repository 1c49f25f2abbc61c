//! Policies of row security. ALTER POLICY works its clauses into the CREATE POLICY.

use super::property::Property;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind};
use crate::sql::edit;
use crate::sql::lex::{Token, lex_code};
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterPolicyStmt, CreatePolicyStmt};
use std::ops::Range;

impl Replay<'_> {
    /// CREATE POLICY.
    pub(crate) fn create_policy(&mut self, statement: &CreatePolicyStmt) {
        let Some(table) = self.relation_opt(&statement.table) else {
            return self.keep_unmade("a policy on a table that", names::relation_name(&statement.table));
        };
        let needs = self.needs(statement, Some(table));
        let place = (self.schema.objects[table].schema.clone(), names::truncate(&statement.policy_name));
        let text = self.text.to_string();
        self.create(New { needs, ..New::of(table, Kind::Policy, place, Body::Text(text)) });
    }

    /// ALTER POLICY ... TO, USING, WITH CHECK.
    pub(crate) fn alter_policy(&mut self, statement: &AlterPolicyStmt) {
        let table = self.relation_opt(&statement.table);
        let policy = table.and_then(|t| self.schema.child(t, Kind::Policy, &statement.policy_name));
        let (Some(table), Some(policy)) = (table, policy) else {
            return self.keep_unmade("alters a policy that", &statement.policy_name);
        };
        let Body::Text(text) = &self.schema.objects[policy].body else { return };
        let merged = merge(text, &self.text);
        let Some(node @ NodeEnum::CreatePolicyStmt(_)) = Replay::reparse(&merged) else {
            self.set_property(policy, Property::Altered, Vec::new());
            return;
        };
        let needs = self.needs(&node, Some(table));
        self.schema.add_needs(policy, needs);
        self.schema.objects[policy].body = Body::Text(merged);
        self.folded(policy, "policy altered");
    }
}

/// The clauses of a policy, in the order in which the grammar wants them.
const CLAUSES: [&str; 3] = ["to", "using", "with"];

/// Where each clause stands in the text.
fn clauses(text: &str, tokens: &[Token]) -> [Option<Range<usize>>; 3] {
    let mut depth = 0;
    let mut starts: Vec<(usize, usize)> = Vec::new();
    for (i, token) in tokens.iter().enumerate().skip(4) {
        match token.text(text) {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if depth == 0 => starts.extend(CLAUSES.iter().position(|c| token.is(text, c)).map(|c| (c, i))),
            _ => {}
        }
    }
    let mut found = [None, None, None];
    for (n, (clause, start)) in starts.iter().enumerate() {
        let end = starts.get(n + 1).map_or(tokens.len(), |s| s.1);
        found[*clause] = Some(tokens[*start].start..tokens[end - 1].end);
    }
    found
}

fn merge(policy: &str, alter: &str) -> String {
    let mut text = policy.to_string();
    let alter_clauses = clauses(alter, &lex_code(alter));
    for (i, clause) in alter_clauses.into_iter().enumerate() {
        let Some(new) = clause.map(|range| alter[range].to_string()) else { continue };
        let tokens = lex_code(&text);
        let now = clauses(&text, &tokens);
        text = match &now[i] {
            Some(range) => edit::replace(&text, vec![(range.clone(), new)]),
            None => {
                let next = now[i + 1..].iter().flatten().map(|r| r.start).min();
                match next {
                    Some(at) => edit::replace(&text, vec![(at..at, format!("{new} "))]),
                    None => format!("{} {new}", text.trim_end()),
                }
            }
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_altered_clause_takes_the_place_of_the_old_one() {
        let policy = "CREATE POLICY p ON t FOR SELECT TO a USING (x = 1)";
        let altered = merge(policy, "ALTER POLICY p ON t TO b, c WITH CHECK (y)");
        assert_eq!(altered, "CREATE POLICY p ON t FOR SELECT TO b, c USING (x = 1) WITH CHECK (y)");
    }
}
