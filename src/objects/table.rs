//! Tables: CREATE TABLE in all its forms.

use super::element::{Column, Piece, PieceKind, Place, Table, cut, cut_column};
use crate::ledger::Mark;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::lex::lex_code;
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::{
    ColumnDef, ConstrType, CreateStmt, CreateTableAsStmt, IntoClause, ObjectType, RangeVar, SelectStmt,
};

impl Replay<'_> {
    /// CREATE TABLE.
    pub(crate) fn create_table(&mut self, statement: &CreateStmt) {
        let Some(range) = &statement.relation else { return };
        let place = self.table_place(range);
        if statement.if_not_exists && self.relation(range).is_some() {
            return self.mark(Mark::Noop("the table is already there".into()));
        }
        let (table, texts) =
            cut(&self.text).unwrap_or_else(|| (Table { head: self.text.to_string(), ..Table::default() }, Vec::new()));
        // All but the elements, which say their own needs.
        let bounds = (&statement.partbound, &statement.partspec);
        let outer = (&statement.relation, &statement.inh_relations, &statement.of_typename, &statement.options, bounds);
        let needs = self.needs(&outer, None);
        let id = self.create(New { needs, ..New::in_schema(Kind::Table, place, Body::Table(Box::new(table))) });
        self.inherit(id, statement);
        let base = self.offset;
        for (i, (node, (start, text))) in statement.table_elts.iter().zip(&texts).enumerate() {
            self.offset = base + start;
            let object = match &node.node {
                Some(NodeEnum::ColumnDef(column)) => Some(self.create_column(id, column, *start, text)),
                Some(NodeEnum::Constraint(constraint)) => {
                    Some(self.create_constraint(id, None, constraint, text, Place::InTable))
                }
                other => {
                    self.like(id, other.as_ref());
                    None
                }
            };
            if let Some(object) = object {
                self.schema.list(object);
            }
            if let Body::Table(table) = &mut self.schema.objects[id].body {
                table.elements[i].object = object;
                table.elements[i].text = if object.is_none() { text.clone() } else { String::new() };
            }
        }
        self.offset = base;
        self.default_grants(id);
    }

    fn table_place(&self, range: &RangeVar) -> (String, String) {
        let mut place = self.place(&names::range_var(range));
        if range.relpersistence == "t" {
            place.0 = "pg_temp".into();
        }
        place
    }

    fn inherit(&mut self, id: ObjectId, statement: &CreateStmt) {
        let parents: Vec<ObjectId> = statement
            .inh_relations
            .iter()
            .filter_map(|n| match &n.node {
                Some(NodeEnum::RangeVar(range)) => self.relation(range),
                _ => None,
            })
            .collect();
        let strength = if statement.partbound.is_some() { Strength::Auto } else { Strength::Normal };
        let needs: Vec<Need> = parents.iter().map(|on| Need { on: *on, strength }).collect();
        self.schema.objects[id].needs.retain(|n| !parents.contains(&n.on));
        self.schema.add_needs(id, needs);
        self.schema.inherit(id, parents);
    }

    /// The columns that LIKE brings stand in the clause, not in pieces.
    fn like(&mut self, table: ObjectId, node: Option<&NodeEnum>) {
        let Some(NodeEnum::TableLikeClause(like)) = node else { return };
        let Some(source) = self.relation_opt(&like.relation) else { return };
        self.schema.add_needs(table, [Need { on: source, strength: Strength::Order }]);
        for column in self.schema.columns(source) {
            let object = &self.schema.objects[column];
            let place = (self.schema.objects[table].schema.clone(), object.name.clone());
            let needs: Vec<Need> = vec![Need { on: column, strength: Strength::Order }];
            self.create(New { needs, ..New::of(table, Kind::Column, place, Body::Inside) });
        }
    }

    /// A column of CREATE TABLE or ADD COLUMN. `start` is where `text` begins in the statement.
    pub(crate) fn create_column(&mut self, table: ObjectId, column: &ColumnDef, start: usize, text: &str) -> ObjectId {
        let schema = self.schema.objects[table].schema.clone();
        let needs = self.needs(&(&column.type_name, &column.coll_clause), None);
        let place = (schema, names::truncate(&column.colname));
        let id = self.create(New { needs, ..New::of(table, Kind::Column, place, Body::Column(Column::default())) });
        let offset = |location: i32| (location.max(0) as usize).saturating_sub(start).min(text.len());
        let mut starts = vec![(0, PieceKind::Name)];
        if let Some(ty) = &column.type_name {
            starts.push((offset(ty.location), PieceKind::Type));
        }
        let mut ends: Vec<usize> =
            column.constraints.iter().filter_map(|n| constraint_location(n).map(offset)).collect();
        ends.push(text.len());
        for (i, node) in column.constraints.iter().enumerate() {
            let Some(NodeEnum::Constraint(constraint)) = &node.node else { continue };
            let from = offset(constraint.location);
            let to = ends.get(i + 1..).and_then(|e| e.iter().find(|end| **end > from)).copied().unwrap_or(text.len());
            let what = match ConstrType::try_from(constraint.contype) {
                Ok(ConstrType::ConstrNotnull | ConstrType::ConstrNull) => PieceKind::Nullability,
                Ok(ConstrType::ConstrDefault) => {
                    self.create_default(table, id, constraint.raw_expr.as_deref());
                    PieceKind::Default
                }
                Ok(ConstrType::ConstrIdentity) => {
                    self.create_column_sequence(table, id);
                    PieceKind::Identity
                }
                Ok(ConstrType::ConstrGenerated) => {
                    let needs = constraint.raw_expr.as_ref().map(|e| self.needs(e, Some(table))).unwrap_or_default();
                    self.schema.add_needs(id, needs);
                    PieceKind::Generated
                }
                Ok(
                    ConstrType::ConstrCheck
                    | ConstrType::ConstrPrimary
                    | ConstrType::ConstrUnique
                    | ConstrType::ConstrExclusion
                    | ConstrType::ConstrForeign,
                ) => {
                    let slice = text[from..to].trim_end();
                    PieceKind::Constraint(self.create_constraint(table, Some(id), constraint, slice, Place::InColumn))
                }
                _ => continue,
            };
            starts.push((from, what));
        }
        if is_serial(column) {
            self.create_column_sequence(table, id);
        }
        starts.sort_by_key(|(at, _)| *at);
        self.schema.objects[id].body = Body::Column(cut_column(text, &starts));
        id
    }

    /// The default of a column, an object of its own for the sake of what it needs.
    pub(crate) fn create_default(&mut self, table: ObjectId, column: ObjectId, expr: Option<&pg_query::Node>) {
        let needs = expr.map(|e| self.needs(e, Some(table))).unwrap_or_default();
        let place = (self.schema.objects[table].schema.clone(), "default".to_string());
        self.create(New { needs, ..New::of(column, Kind::Default, place, Body::Inside) });
    }

    /// The sequence of a serial or identity column.
    pub(crate) fn create_column_sequence(&mut self, table: ObjectId, column: ObjectId) {
        let (schema, name) = (self.schema.objects[table].schema.clone(), self.schema.objects[table].name.clone());
        let column_name = self.schema.objects[column].name.clone();
        let name = self.choose_relation_name(&schema, &name, Some(&column_name), "seq");
        let id = self.create(New::of(column, Kind::Sequence, (schema, name), Body::Inside));
        self.default_grants(id);
    }

    /// CREATE TABLE AS, CREATE MATERIALIZED VIEW.
    pub(crate) fn create_table_as(&mut self, statement: &CreateTableAsStmt) {
        let Some(range) = statement.into.as_ref().and_then(|i| i.rel.as_ref()) else { return };
        let is_view = statement.objtype == ObjectType::ObjectMatview as i32;
        if statement.if_not_exists && self.relation(range).is_some() {
            return self.mark(Mark::Noop("it is already there".into()));
        }
        let Some(query) = &statement.query else { return };
        let needs = self.needs(query, None);
        let unpopulated = statement.into.as_ref().is_some_and(|i| i.skip_data);
        self.add_query_relation(range, needs, is_view, unpopulated);
    }

    /// SELECT INTO.
    pub(crate) fn create_table_as_select(&mut self, select: &SelectStmt) {
        let Some(IntoClause { rel: Some(range), .. }) = select.into_clause.as_deref() else { return };
        let mut query = select.clone();
        query.into_clause = None;
        let needs = self.needs(&query, None);
        self.add_query_relation(range, needs, false, false);
    }

    fn add_query_relation(&mut self, range: &RangeVar, mut needs: Vec<Need>, is_view: bool, unpopulated: bool) {
        let place = self.table_place(range);
        if !is_view {
            // The query runs once: what it reads may go, and the table stays.
            needs.iter_mut().for_each(|need| need.strength = Strength::Order);
        }
        let text = self.text.to_string();
        let (kind, body) = if is_view {
            (Kind::MaterializedView, Body::Text(text))
        } else {
            (Kind::Table, Body::Table(Box::new(Table { head: text, is_query: true, ..Table::default() })))
        };
        let id = self.create(New { needs, ..New::in_schema(kind, place, body) });
        if !is_view && !unpopulated {
            self.query_brings_rows(id);
        }
        self.default_grants(id);
    }
}

/// Where a column's constraint begins. `DEFERRABLE` and its like are parts of the constraint before them, though the parser
/// lists them as constraints of their own.
fn constraint_location(node: &pg_query::Node) -> Option<i32> {
    let Some(NodeEnum::Constraint(constraint)) = &node.node else { return None };
    let is_attribute = matches!(
        ConstrType::try_from(constraint.contype),
        Ok(ConstrType::ConstrAttrDeferrable
            | ConstrType::ConstrAttrNotDeferrable
            | ConstrType::ConstrAttrDeferred
            | ConstrType::ConstrAttrImmediate
            | ConstrType::ConstrAttrEnforced
            | ConstrType::ConstrAttrNotEnforced)
    );
    (!is_attribute).then_some(constraint.location)
}

/// Whether a column is written as `serial` and so has a sequence and a default.
pub(crate) fn is_serial(column: &ColumnDef) -> bool {
    let name = column.type_name.as_ref().and_then(|t| names::strings(&t.names).pop());
    name.is_some_and(|n| is_serial_name(&n))
}

/// The names of the serial types.
pub(crate) fn is_serial_name(name: &str) -> bool {
    matches!(
        name.to_ascii_lowercase().as_str(),
        "serial" | "bigserial" | "smallserial" | "serial2" | "serial4" | "serial8"
    )
}

impl Column {
    /// The piece that says this, if there is one.
    pub fn piece(&self, what: PieceKind) -> Option<&Piece> {
        self.pieces.iter().find(|p| p.what == what)
    }

    /// Sets the text of a piece, at its place or at the end.
    pub fn set(&mut self, what: PieceKind, text: String) {
        match self.pieces.iter_mut().find(|p| p.what == what) {
            Some(piece) => piece.text = text,
            None => self.pieces.push(Piece { what, gap: " ".into(), text }),
        }
    }

    /// Takes a piece out.
    pub fn remove(&mut self, what: PieceKind) {
        self.pieces.retain(|p| p.what != what);
    }

    /// Whether the column says NOT NULL.
    pub fn is_not_null(&self) -> bool {
        self.piece(PieceKind::Nullability).is_some_and(|piece| {
            let tokens = lex_code(&piece.text);
            tokens.windows(2).any(|pair| pair[0].is(&piece.text, "not") && pair[1].is(&piece.text, "null"))
        })
    }

    /// Whether the type is a serial one.
    pub fn is_serial(&self) -> bool {
        self.piece(PieceKind::Type).is_some_and(|p| is_serial_name(&p.text))
    }
}
