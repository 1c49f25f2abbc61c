//! Views and materialized views.

use super::property::Property;
use crate::ledger::Mark;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, ObjectId};
use crate::sql::names::{self, quote};
use crate::sql::places::Names;
use crate::sql::{edit, parse::parse};
use pg_query::NodeEnum;
use pg_query::protobuf::{RefreshMatViewStmt, SelectStmt, ViewStmt};

impl Replay<'_> {
    /// CREATE [OR REPLACE] VIEW.
    pub(crate) fn create_view(&mut self, statement: &ViewStmt) {
        let Some(range) = &statement.view else { return };
        let needs = statement.query.as_ref().map(|q| self.needs(q, None)).unwrap_or_default();
        let text = self.text.to_string();
        if statement.replace
            && let Some(old) = self.relation(range)
        {
            self.forget_options(old, &text);
            self.forget_renamed_columns(old);
            return self.supersede(old, text, needs);
        }
        let mut place = self.place(&names::range_var(range));
        if range.relpersistence == "t" {
            place.0 = "pg_temp".into();
        }
        let id = self.create(New { needs, ..New::in_schema(Kind::View, place, Body::Text(text)) });
        self.default_grants(id);
    }

    /// What is written anew says the names of its columns itself.
    fn forget_renamed_columns(&mut self, view: ObjectId) {
        for setting in self.schema.children(view) {
            let object = &self.schema.objects[setting];
            if matches!(object.property, Some(Property::PartName(_))) && !self.is_changed_in_place(setting) {
                self.kill(setting, None);
            }
        }
    }

    /// REFRESH MATERIALIZED VIEW: matters where the view was made empty, or rows came since.
    pub(crate) fn refresh(&mut self, statement: &RefreshMatViewStmt) {
        let Some(view) = self.relation_opt(&statement.relation) else {
            return self.keep_unmade("refreshes what", names::relation_name(&statement.relation));
        };
        let Body::Text(text) = &self.schema.objects[view].body else { return };
        let unpopulated = matches!(
            Replay::reparse(text),
            Some(NodeEnum::CreateTableAsStmt(s)) if s.into.as_ref().is_some_and(|i| i.skip_data)
        );
        let has_rows = self.opaque_writes || self.schema.of_kind(Kind::Rows).next().is_some();
        if !unpopulated && !has_rows && !statement.skip_data {
            return self.mark(Mark::Backfill("the view was filled when it was made, and no row came since".into()));
        }
        self.set_property(view, Property::Population, Vec::new());
    }
}

/// Renames a column of a table in the text of a view over it. The view's own column keeps the name that it has.
pub(crate) fn rename_column(text: &str, from: &str, to: &str, relation: &str) -> String {
    let given = unnamed_columns(text, from);
    let names = Names::of(text);
    let tokens = &names.tokens;
    let mut edits = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if token.name(text).as_deref() != Some(from) || !names.is_column(i, relation) {
            continue;
        }
        // A target begins with its qualifier.
        let mut begin = i;
        while begin > 1 && tokens[begin - 1].text(text) == "." {
            begin -= 2;
        }
        let name =
            if given.contains(&tokens[begin].start) { format!("{} AS {}", quote(to), quote(from)) } else { quote(to) };
        edits.push((token.start..token.end, name));
    }
    edit::replace(text, edits)
}

/// Where the query of a view takes a column without naming it, in bytes: the view's column has the name of the table's.
fn unnamed_columns(text: &str, name: &str) -> Vec<usize> {
    let (query, into) = match parse(text) {
        Ok(Some(NodeEnum::ViewStmt(view))) if view.aliases.is_empty() => (view.query, None),
        Ok(Some(NodeEnum::CreateTableAsStmt(table))) => (table.query, table.into),
        _ => return Vec::new(),
    };
    if into.is_some_and(|i| !i.col_names.is_empty()) {
        return Vec::new();
    }
    let Some(NodeEnum::SelectStmt(select)) = query.and_then(|q| q.node) else { return Vec::new() };
    let mut first: &SelectStmt = &select;
    while let Some(left) = &first.larg {
        first = left;
    }
    let targets = first.target_list.iter().filter_map(|target| match &target.node {
        Some(NodeEnum::ResTarget(target)) if target.name.is_empty() => Some(target),
        _ => None,
    });
    targets
        .filter(|target| match target.val.as_ref().and_then(|v| v.node.as_ref()) {
            Some(NodeEnum::ColumnRef(column)) => names::strings(&column.fields).last().is_some_and(|n| n == name),
            _ => false,
        })
        .filter_map(|target| usize::try_from(target.location).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_view_keep_their_names() {
        let sql = "CREATE VIEW v AS SELECT a, t.a, a AS c, f(a) FROM t WHERE a > 1";
        let want = "CREATE VIEW v AS SELECT b AS a, t.b AS a, b AS c, f(b) FROM t WHERE b > 1";
        assert_eq!(rename_column(sql, "a", "b", "t"), want);
        let sql = "CREATE VIEW v (x) AS SELECT a FROM t";
        assert_eq!(rename_column(sql, "a", "b", "t"), "CREATE VIEW v (x) AS SELECT b FROM t");
    }
}
