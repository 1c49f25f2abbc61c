//! Rows: which statements bring rows that live, which change nothing in a fresh database, which end the rows of others.

use crate::ledger::Mark;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::names;
use crate::sql::walk::{References, references};
use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, InsertStmt, RangeVar, TruncateStmt, WithClause};
use std::collections::BTreeSet;

impl Replay<'_> {
    /// INSERT, UPDATE, DELETE, MERGE.
    pub(crate) fn rows(&mut self, node: &NodeEnum) {
        let (relation, columns): (Option<&RangeVar>, &[pg_query::Node]) = match node {
            NodeEnum::InsertStmt(s) => (s.relation.as_ref(), &s.cols),
            NodeEnum::UpdateStmt(s) => (s.relation.as_ref(), &s.target_list),
            NodeEnum::DeleteStmt(s) => (s.relation.as_ref(), &[]),
            NodeEnum::MergeStmt(s) => (s.relation.as_ref(), &[]),
            _ => return,
        };
        let Some(table) = relation.and_then(|r| self.relation(r)) else {
            return self.keep_unmade("rows of a table that", relation.map_or("", |r| &r.relname));
        };
        if self.schema.objects[table].kind == Kind::View {
            return self.rows_through_view(table, node);
        }
        if self.schema.objects[table].schema == "pg_temp" {
            self.filled.insert(table);
            return self.mark(Mark::Session("rows of a temporary table".into()));
        }
        let has_with = matches!(node, NodeEnum::InsertStmt(s) if s.with_clause.is_some());
        match node {
            NodeEnum::InsertStmt(s) if !has_with => {
                if let Some(why) = self.inserts_nothing(s) {
                    return self.mark(Mark::Backfill(why));
                }
            }
            NodeEnum::InsertStmt(_) => {}
            NodeEnum::DeleteStmt(s) if s.where_clause.is_none() && s.using_clause.is_empty() => {
                return self.empty(&[table], "deletes all rows");
            }
            // It inserts what it doesn't find.
            NodeEnum::MergeStmt(_) => {}
            _ if !self.has_rows(table) => {
                let why = format!("{} has no rows in a fresh database", self.schema.display(table));
                return self.mark(Mark::Backfill(why));
            }
            _ => {}
        }
        let found = references(node);
        let mut targets = vec![table];
        if let NodeEnum::InsertStmt(insert) = node
            && let Some(with) = &insert.with_clause
        {
            targets.extend(self.written_in_with(with));
        }
        let mut needs = self.row_needs(&found, table);
        for column in columns {
            if let Some(NodeEnum::ResTarget(target)) = &column.node
                && let Some(on) = self.schema.column(table, &target.name)
            {
                needs.push(Need { on, strength: Strength::Order });
            }
        }
        self.add_rows(targets, needs);
    }

    /// Rows of a view are those of the tables behind it, and stay when it goes.
    fn rows_through_view(&mut self, view: ObjectId, node: &NodeEnum) {
        let behind = self.tables_behind(view);
        let redirects = |id: &ObjectId| matches!(self.schema.objects[*id].kind, Kind::Trigger | Kind::Rule);
        if self.schema.children(view).iter().any(redirects) {
            // They may write anywhere.
            self.opaque_writes = true;
        }
        let inserts = matches!(node, NodeEnum::InsertStmt(_) | NodeEnum::MergeStmt(_));
        if !inserts && !behind.is_empty() && !behind.iter().any(|table| self.has_rows(*table)) {
            let why = format!("{} shows no rows in a fresh database", self.schema.display(view));
            return self.mark(Mark::Backfill(why));
        }
        let mut needs = self.row_needs(&references(node), view);
        needs.push(Need { on: view, strength: Strength::Order });
        self.add_rows(if behind.is_empty() { vec![view] } else { behind }, needs);
    }

    /// The tables that a view reads, itself or by other views.
    fn tables_behind(&self, view: ObjectId) -> Vec<ObjectId> {
        let (mut open, mut seen, mut tables) = (vec![view], vec![view], Vec::new());
        while let Some(at) = open.pop() {
            for on in self.schema.objects[at].needs.iter().map(|n| n.on) {
                if seen.contains(&on) || !self.schema.lives(on) {
                    continue;
                }
                seen.push(on);
                match self.schema.objects[on].kind {
                    Kind::Table => tables.push(on),
                    Kind::View => open.push(on),
                    _ => {}
                }
            }
        }
        tables.sort_unstable();
        tables
    }

    /// A table goes: rows that a statement also brought to others stay there. False if there are no others.
    pub(crate) fn rows_stay_elsewhere(&mut self, rows: ObjectId, without: ObjectId) -> bool {
        let Body::Rows { targets, .. } = &self.schema.objects[rows].body else { return false };
        let left: Vec<ObjectId> = targets.iter().copied().filter(|t| *t != without && self.schema.lives(*t)).collect();
        let Some(first) = left.first().copied().filter(|_| targets.contains(&without)) else { return false };
        if let Body::Rows { targets, .. } = &mut self.schema.objects[rows].body {
            *targets = left;
        }
        let mut needs = self.schema.objects[rows].needs.clone();
        needs.retain(|n| n.on != without && n.on != first);
        needs.push(Need { on: first, strength: Strength::Auto });
        self.schema.clear_needs(rows);
        self.schema.add_needs(rows, needs);
        true
    }

    /// Tables that the statements of a WITH write to.
    fn written_in_with(&self, with: &WithClause) -> Vec<ObjectId> {
        let mut tables = Vec::new();
        for node in &with.ctes {
            let Some(NodeEnum::CommonTableExpr(cte)) = &node.node else { continue };
            let relation = match cte.ctequery.as_ref().and_then(|q| q.node.as_ref()) {
                Some(NodeEnum::InsertStmt(s)) => s.relation.as_ref(),
                Some(NodeEnum::UpdateStmt(s)) => s.relation.as_ref(),
                Some(NodeEnum::DeleteStmt(s)) => s.relation.as_ref(),
                _ => None,
            };
            tables.extend(relation.and_then(|r| self.relation(r)));
        }
        tables
    }

    fn row_needs(&self, found: &References, table: ObjectId) -> Vec<Need> {
        let mut needs = self.needs_of_references(found, Some(table));
        needs.iter_mut().for_each(|n| n.strength = Strength::Order);
        needs
    }

    /// A statement that changes no row itself, but how those of a table come in.
    pub(crate) fn among_rows(&mut self, table: ObjectId, text: String) {
        let edited = text != self.text;
        self.add_rows_as(vec![table], Vec::new(), text);
        if let Some(object) = self.schema.objects.last_mut() {
            object.edited |= edited;
        }
    }

    pub(crate) fn add_rows(&mut self, targets: Vec<ObjectId>, needs: Vec<Need>) {
        self.add_rows_as(targets, needs, self.text.to_string());
    }

    fn add_rows_as(&mut self, targets: Vec<ObjectId>, mut needs: Vec<Need>, text: String) {
        let Some(first) = targets.first().copied() else { return };
        needs.retain(|n| !targets.contains(&n.on));
        for on in &targets {
            let strength = if *on == first { Strength::Auto } else { Strength::Order };
            needs.push(Need { on: *on, strength });
        }
        let place = (self.schema.objects[first].schema.clone(), self.schema.objects[first].name.clone());
        let body = Body::Rows { text, targets };
        self.create(New { needs, ..New::in_schema(Kind::Rows, place, body) });
    }

    /// A SELECT whose WITH changes rows: any table that it names may have rows then.
    pub(crate) fn rows_of_with(&mut self, found: &References) {
        let path = self.path();
        let targets: Vec<ObjectId> = found
            .relations
            .iter()
            .filter_map(|r| self.schema.relation(r, &path))
            .filter(|id| self.schema.objects[*id].kind == Kind::Table)
            .collect();
        let needs = self.needs_of_references(found, None);
        if targets.is_empty() {
            return self.keep_effects("changes rows of what this history didn't make");
        }
        self.add_rows(targets, needs);
    }

    /// Why an INSERT ... SELECT brings nothing: all that it reads from is empty.
    fn inserts_nothing(&self, statement: &InsertStmt) -> Option<String> {
        let Some(NodeEnum::SelectStmt(select)) = statement.select_stmt.as_ref().and_then(|s| s.node.as_ref()) else {
            return None;
        };
        // The databases that run a part of a history hold rows.
        if self.schema.cut.is_some() {
            return None;
        }
        if !select.values_lists.is_empty() || select.from_clause.is_empty() {
            return None;
        }
        let path = self.path();
        let from = references(&select.from_clause);
        let plain = select.from_clause.iter().all(is_inner);
        // Any function may be an aggregate, and without GROUP BY one gives a row for no rows at all.
        let aggregates = !references(&select.target_list).functions.is_empty();
        if !plain || (aggregates && select.group_clause.is_empty()) {
            return None;
        }
        let empty = from
            .relations
            .iter()
            .filter_map(|r| self.schema.relation(r, &path))
            .find(|id| self.schema.objects[*id].kind == Kind::Table && !self.has_rows(*id))?;
        Some(format!("{} has no rows in a fresh database", self.schema.display(empty)))
    }

    /// Whether the table may have rows at this point of the history.
    pub(crate) fn has_rows(&self, table: ObjectId) -> bool {
        // The databases that run a part of a history hold what users wrote, and it may have come anywhere.
        self.opaque_writes
            || self.schema.cut.is_some()
            || self.filled.contains(&table)
            || self.schema.objects[table].kind != Kind::Table
            || self.schema.writers(table).next().is_some()
            || self.schema.heirs(table).into_iter().any(|heir| self.has_rows(heir))
            || self.partition_parents(table).into_iter().any(|parent| self.is_written(parent))
    }

    /// Whether rows came into a partitioned table by its own name, or by that of one above it: they lie in its partitions.
    fn is_written(&self, table: ObjectId) -> bool {
        self.schema.writers(table).next().is_some()
            || self.partition_parents(table).into_iter().any(|parent| self.is_written(parent))
    }

    /// A table made by a query has the query's rows.
    pub(crate) fn query_brings_rows(&mut self, table: ObjectId) {
        self.filled.insert(table);
    }

    /// TRUNCATE, with CASCADE also of the tables that point at these.
    pub(crate) fn truncate(&mut self, statement: &TruncateStmt) {
        let mut tables: Vec<ObjectId> = Vec::new();
        for node in &statement.relations {
            let Some(NodeEnum::RangeVar(range)) = &node.node else { continue };
            match self.relation(range) {
                Some(id) => tables.push(id),
                None => return self.keep_unmade("empties a table that", &range.relname),
            }
        }
        if crate::replay::is_cascade(statement.behavior) {
            let mut at = 0;
            while at < tables.len() {
                for (id, _) in self.schema.dependents(tables[at]) {
                    let object = &self.schema.objects[id];
                    if let (Body::Constraint(c), Some(parent)) = (&object.body, object.parent)
                        && c.suffix == "fkey"
                        && !tables.contains(&parent)
                    {
                        tables.push(parent);
                    }
                }
                at += 1;
            }
        }
        self.empty(&tables, "truncates");
    }

    /// All rows of some tables go. Where anything else may have written, the statement stays.
    fn empty(&mut self, tables: &[ObjectId], how: &str) {
        if self.schema.cut.is_some() || self.is_read(tables) {
            // Something else may hold what goes.
            return self.add_rows(tables.to_vec(), Vec::new());
        }
        if !tables.iter().any(|t| self.has_rows(*t)) {
            return self.mark(Mark::Backfill("the tables have no rows in a fresh database".into()));
        }
        let certain = !self.opaque_writes && !tables.iter().any(|t| self.filled.contains(t));
        let within = |id: &ObjectId| matches!(&self.schema.objects[*id].body, Body::Rows { targets, .. } if targets.iter().all(|t| tables.contains(t)));
        let doomed: BTreeSet<ObjectId> =
            tables.iter().flat_map(|table| self.schema.writers(*table)).filter(within).collect();
        for id in doomed {
            self.kill(id, None);
        }
        if certain && !tables.iter().any(|t| self.has_rows(*t)) {
            self.mark(Mark::EndsRows(how.into()));
        } else {
            self.add_rows(tables.to_vec(), Vec::new());
        }
    }

    /// Whether anything that holds rows of its own took them from these tables: a materialized view, a table made by a
    /// query, rows of another table.
    fn is_read(&self, tables: &[ObjectId]) -> bool {
        let mut open: Vec<ObjectId> = tables.to_vec();
        let mut seen: Vec<ObjectId> = Vec::new();
        while let Some(at) = open.pop() {
            for (id, _) in self.schema.dependents(at) {
                let object = &self.schema.objects[id];
                match &object.body {
                    _ if object.kind == Kind::MaterializedView || self.filled.contains(&id) => return true,
                    Body::Rows { targets, .. } if !targets.iter().all(|t| tables.contains(t)) => return true,
                    _ if object.kind == Kind::View && !seen.contains(&id) => {
                        seen.push(id);
                        open.push(id);
                    }
                    _ => {}
                }
            }
        }
        false
    }

    /// COPY ... FROM stdin with its data in the file.
    pub(crate) fn copy(&mut self, statement: &CopyStmt) {
        let to_outside = !statement.filename.is_empty();
        if !statement.is_from && to_outside {
            return self.keep_effects("copies to outside");
        }
        if !statement.is_from {
            return self.mark(Mark::Session("only looks".into()));
        }
        let table = self.relation_opt(&statement.relation);
        let has_data = self.history.statements[self.current].piece.copy_data.is_some();
        match table {
            Some(table) if has_data => {
                let needs: Vec<Need> = names::strings(&statement.attlist)
                    .iter()
                    .filter_map(|c| self.schema.column(table, c))
                    .map(|on| Need { on, strength: Strength::Order })
                    .collect();
                self.add_rows(vec![table], needs);
            }
            _ => self.keep_effects("copies from outside"),
        }
    }
}

/// Whether a FROM is empty as soon as one of its tables is: an outer join keeps the rows of a side, at any depth.
fn is_inner(node: &pg_query::Node) -> bool {
    match &node.node {
        Some(NodeEnum::RangeVar(_)) => true,
        Some(NodeEnum::JoinExpr(join)) => {
            join.jointype <= 1 && [&join.larg, &join.rarg].into_iter().flatten().all(|side| is_inner(side))
        }
        _ => false,
    }
}
