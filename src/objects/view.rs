//! Views and materialized views.

use crate::ledger::Mark;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind};
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{RefreshMatViewStmt, ViewStmt};

impl Replay<'_> {
    /// CREATE [OR REPLACE] VIEW.
    pub(crate) fn create_view(&mut self, statement: &ViewStmt) {
        let Some(range) = &statement.view else { return };
        let needs = statement.query.as_ref().map(|q| self.needs(q, None)).unwrap_or_default();
        let text = self.text.to_string();
        if statement.replace
            && let Some(old) = self.relation(range)
        {
            return self.supersede(old, text, needs);
        }
        let mut place = self.place(&names::range_var(range));
        if range.relpersistence == "t" {
            place.0 = "pg_temp".into();
        }
        let id = self.create(New { needs, ..New::in_schema(Kind::View, place, Body::Text(text)) });
        self.default_grants(id);
    }

    /// REFRESH MATERIALIZED VIEW: matters where the view was made empty, or rows came since.
    pub(crate) fn refresh(&mut self, statement: &RefreshMatViewStmt) {
        let Some(view) = self.relation_opt(&statement.relation) else {
            return self.keep_opaque("refreshes what this history didn't make");
        };
        let Body::Text(text) = &self.schema.objects[view].body else { return };
        let unpopulated = matches!(
            Replay::reparse(text),
            Some(NodeEnum::CreateTableAsStmt(s)) if s.into.as_ref().is_some_and(|i| i.skip_data)
        );
        let has_rows = self.opaque_writes || self.schema.live().any(|id| self.schema.objects[id].kind == Kind::Rows);
        if !unpopulated && !has_rows && !statement.skip_data {
            return self.mark(Mark::Backfill("the view was filled when it was made, and no row came since".into()));
        }
        self.attach(view, Kind::Setting, "population", Vec::new());
    }
}
