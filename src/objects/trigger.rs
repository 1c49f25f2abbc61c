//! Triggers and rewrite rules.

use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, Strength};
use crate::sql::names;
use pg_query::protobuf::{CreateTrigStmt, RuleStmt};

impl Replay<'_> {
    /// CREATE [OR REPLACE] [CONSTRAINT] TRIGGER.
    pub(crate) fn create_trigger(&mut self, statement: &CreateTrigStmt) {
        let Some(table) = self.relation_opt(&statement.relation) else {
            return self.keep_unmade("a trigger on a table that", names::relation_name(&statement.relation));
        };
        let mut needs = self.needs(statement, Some(table));
        let function = names::qualified(&names::strings(&statement.funcname));
        if let Some(on) = self.schema.routine(&function, "", &self.path()) {
            needs.push(Need { on, strength: Strength::Normal });
        }
        for column in names::strings(&statement.columns) {
            if let Some(on) = self.schema.column(table, &column) {
                needs.push(Need { on, strength: Strength::Normal });
            }
        }
        let text = self.text.to_string();
        let name = names::truncate(&statement.trigname);
        if statement.replace
            && let Some(old) = self.schema.child(table, Kind::Trigger, &name)
        {
            return self.supersede(old, text, needs);
        }
        let place = (self.schema.objects[table].schema.clone(), name);
        self.create(New { needs, ..New::of(table, Kind::Trigger, place, Body::Text(text)) });
    }

    /// CREATE [OR REPLACE] RULE.
    pub(crate) fn create_rule(&mut self, statement: &RuleStmt) {
        let Some(table) = self.relation_opt(&statement.relation) else {
            return self.keep_unmade("a rule on a table that", names::relation_name(&statement.relation));
        };
        let needs = self.needs(statement, Some(table));
        let text = self.text.to_string();
        let name = names::truncate(&statement.rulename);
        if statement.replace
            && let Some(old) = self.schema.child(table, Kind::Rule, &name)
        {
            return self.supersede(old, text, needs);
        }
        let place = (self.schema.objects[table].schema.clone(), name);
        self.create(New { needs, ..New::of(table, Kind::Rule, place, Body::Text(text)) });
    }
}
