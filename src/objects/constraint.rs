//! Constraints of tables: in a column, in the table's list, or added later.

use super::element::{Constraint, Place};
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::edit;
use crate::sql::lex::lex_code;
use crate::sql::names::{self, quote};
use crate::sql::walk::references;
use pg_query::NodeEnum;
use pg_query::protobuf::{ConstrType, Constraint as Tree, IndexStmt};

impl Replay<'_> {
    /// A constraint, named as the author or PostgreSQL names it.
    pub(crate) fn create_constraint(
        &mut self,
        table: ObjectId,
        column: Option<ObjectId>,
        tree: &Tree,
        text: &str,
        place: Place,
    ) -> ObjectId {
        let kind = ConstrType::try_from(tree.contype).unwrap_or(ConstrType::Undefined);
        let columns = self.constraint_columns(column, tree, kind);
        let suffix = match kind {
            ConstrType::ConstrPrimary => "pkey",
            ConstrType::ConstrUnique => "key",
            ConstrType::ConstrExclusion => "excl",
            ConstrType::ConstrForeign => "fkey",
            ConstrType::ConstrNotnull => "not_null",
            _ => "check",
        };
        let schema = self.schema.objects[table].schema.clone();
        let name = if tree.conname.is_empty() {
            let (first, second) = (self.schema.objects[table].name.clone(), name_addition(&columns, suffix));
            self.choose_constraint_name(&schema, &first, second.as_deref(), suffix)
        } else {
            names::truncate(&tree.conname)
        };
        let mut needs = self.needs(tree, Some(table));
        needs.extend(column.map(|on| Need { on, strength: Strength::Auto }));
        self.add_key_needs(tree, &mut needs);
        let (prefix, rest) = cut_prefix(text, !tree.conname.is_empty());
        let body = Constraint { prefix, text: rest, place, columns, suffix };
        let has_index = matches!(suffix, "pkey" | "key" | "excl");
        let new = New::of(table, Kind::Constraint, (schema.clone(), name.clone()), Body::Constraint(body));
        let id = self.create(New { needs, ..new });
        if has_index {
            self.create(New::of(id, Kind::Index, (schema, name), Body::Inside));
        }
        id
    }

    fn constraint_columns(&self, column: Option<ObjectId>, tree: &Tree, kind: ConstrType) -> Vec<String> {
        if kind == ConstrType::ConstrCheck {
            let mut columns: Vec<String> = Vec::new();
            for mut parts in tree.raw_expr.as_ref().map(|e| references(e).columns).unwrap_or_default() {
                if let Some(name) = parts.pop()
                    && !columns.contains(&name)
                {
                    columns.push(name);
                }
            }
            return columns;
        }
        if let Some(column) = column {
            return vec![self.schema.objects[column].name.clone()];
        }
        let keys = if kind == ConstrType::ConstrForeign { &tree.fk_attrs } else { &tree.keys };
        if kind == ConstrType::ConstrExclusion {
            return references(tree).plain_columns;
        }
        names::strings(keys)
    }

    /// A foreign key needs the columns that it points at, and the key over them: it goes along with either.
    fn add_key_needs(&self, tree: &Tree, needs: &mut Vec<Need>) {
        let Some(target) = self.relation_opt(&tree.pktable) else { return };
        let on_key = self.key_pointed_at(target, &names::strings(&tree.pk_attrs));
        needs.extend(on_key.map(|on| Need { on, strength: Strength::Normal }));
        for name in names::strings(&tree.pk_attrs) {
            if let Some(on) = self.schema.column(target, &name) {
                needs.push(Need { on, strength: Strength::Normal });
            }
        }
        needs.extend(self.referred_key(target, &names::strings(&tree.pk_attrs)));
    }

    /// The key that a foreign key points at: without it there is no foreign key (`ATAddForeignKeyConstraint` in PostgreSQL's
    /// tablecmds.c records the dependency on the key's index). Any unique index will do, where no constraint fits.
    fn referred_key(&self, target: ObjectId, columns: &[String]) -> Vec<Need> {
        let children = self.schema.children(target);
        let fits = |id: &ObjectId| match &self.schema.objects[*id].body {
            Body::Constraint(c) if c.suffix == "pkey" => columns.is_empty() || c.columns == columns,
            Body::Constraint(c) if c.suffix == "key" => {
                !columns.is_empty() && c.columns.len() == columns.len() && c.columns.iter().all(|c| columns.contains(c))
            }
            _ => false,
        };
        if let Some(on) = children.iter().copied().find(fits) {
            return vec![Need { on, strength: Strength::Normal }];
        }
        let unique = |id: &ObjectId| match &self.schema.objects[*id].body {
            Body::Text(text) => self.schema.objects[*id].kind == Kind::Index && says_unique(text),
            _ => false,
        };
        children.into_iter().filter(unique).map(|on| Need { on, strength: Strength::Order }).collect()
    }

    /// The key or unique index of a table over just these columns, in whatever order; the primary key if there are none.
    fn key_pointed_at(&self, table: ObjectId, columns: &[String]) -> Option<ObjectId> {
        let fits = |names: &[String]| {
            names.len() == columns.len() && columns.iter().all(|c| names.contains(c)) && !columns.is_empty()
        };
        let mut children = self.schema.children(table);
        children.sort_unstable();
        children.into_iter().find(|id| match &self.schema.objects[*id].body {
            Body::Constraint(key) if columns.is_empty() => key.suffix == "pkey",
            Body::Constraint(key) => matches!(key.suffix, "pkey" | "key") && fits(&key.columns),
            Body::Text(text) if self.schema.objects[*id].kind == Kind::Index && says_unique(text) => {
                match Replay::reparse(text) {
                    Some(NodeEnum::IndexStmt(index)) if index.unique && index.where_clause.is_none() => {
                        fits(&index_columns(&index).unwrap_or_default())
                    }
                    _ => false,
                }
            }
            _ => false,
        })
    }

    /// ADD CONSTRAINT ... USING INDEX: the index becomes the constraint's.
    pub(crate) fn constraint_using_index(&mut self, table: ObjectId, tree: &Tree) -> bool {
        let schema = self.schema.objects[table].schema.clone();
        let index_name = names::Qualified { schema: Some(schema.clone()), name: tree.indexname.clone() };
        let Some(index) = self.schema.relation(&index_name, &[]) else { return false };
        let Body::Text(text) = &self.schema.objects[index].body else { return false };
        let Some(NodeEnum::IndexStmt(statement)) = Replay::reparse(text) else { return false };
        if statement.where_clause.is_some()
            || !statement.index_including_params.is_empty()
            || !statement.options.is_empty()
        {
            return false;
        }
        let Some(columns) = index_columns(&statement) else { return false };
        let primary = tree.contype == ConstrType::ConstrPrimary as i32;
        let words = self.keyword(table, if primary { "PRIMARY KEY" } else { "UNIQUE" });
        let list = columns.iter().map(|c| quote(c)).collect::<Vec<_>>().join(", ");
        let name = if tree.conname.is_empty() { tree.indexname.clone() } else { tree.conname.clone() };
        let prefix = Some(format!("{} {}", self.keyword(table, "CONSTRAINT"), quote(&name)));
        let needs: Vec<Need> = columns
            .iter()
            .filter_map(|c| self.schema.column(table, c))
            .map(|on| Need { on, strength: Strength::Auto })
            .collect();
        if self.schema.is_given(table) {
            // It takes over an index that was built while others wrote; to build one anew would lock them out.
            let built = self.schema.objects[index].source;
            self.relied_on.extend([built, self.current].into_iter().filter(|s| self.schema.cut <= Some(*s)));
        }
        self.kill(index, None);
        let suffix = if primary { "pkey" } else { "key" };
        let body = Constraint { prefix, text: format!("{words} ({list})"), place: Place::Late, columns, suffix };
        let new = New::of(table, Kind::Constraint, (schema.clone(), name.clone()), Body::Constraint(body));
        let id = self.create(New { needs, ..new });
        self.create(New::of(id, Kind::Index, (schema, name), Body::Inside));
        self.schema.objects[id].edited = true;
        self.fold_into_table(table, id);
        true
    }

    /// Keywords in the case that the table's author uses.
    pub(crate) fn keyword(&self, table: ObjectId, words: &str) -> String {
        let text = match &self.schema.objects[table].body {
            Body::Table(table) => table.head.as_str(),
            Body::Text(text) => text.as_str(),
            _ => "",
        };
        if text.starts_with("create") { words.to_lowercase() } else { words.to_string() }
    }
}

fn says_unique(index: &str) -> bool {
    lex_code(index).get(1).is_some_and(|token| token.is(index, "unique"))
}

/// The columns of an index that has plain columns only, in the order that a key would have.
fn index_columns(index: &IndexStmt) -> Option<Vec<String>> {
    let column = |node: &pg_query::protobuf::Node| match &node.node {
        Some(NodeEnum::IndexElem(e)) if !e.name.is_empty() && e.opclass.is_empty() && e.ordering <= 1 => {
            Some(e.name.clone())
        }
        _ => None,
    };
    index.index_params.iter().map(column).collect()
}

/// The middle part of PostgreSQL's automatic name of a constraint.
pub fn name_addition(columns: &[String], suffix: &str) -> Option<String> {
    match suffix {
        "pkey" => None,
        "check" => (columns.len() == 1).then(|| columns[0].clone()),
        _ => Some(super::auto_name::join_columns(columns)),
    }
}

/// `CONSTRAINT name`, if it's there, and the rest.
fn cut_prefix(text: &str, named: bool) -> (Option<String>, String) {
    let tokens = lex_code(text);
    if !named || tokens.len() < 3 {
        return (None, text.to_string());
    }
    let end = tokens[edit::name_end(text, &tokens, 1) - 1].end;
    (Some(text[..end].to_string()), text[end..].trim_start().to_string())
}
