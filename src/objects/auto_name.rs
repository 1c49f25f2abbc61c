//! The names that PostgreSQL chooses by itself.
//!
//! After `makeObjectName` and `ChooseRelationName` (src/backend/commands/indexcmds.c), `ChooseConstraintName`
//! (src/backend/catalog/pg_constraint.c) and `FigureColname` (src/backend/parser/parse_target.c).

use crate::replay::Replay;
use crate::schema::ObjectId;
use pg_query::NodeEnum;
use pg_query::protobuf::IndexElem;

/// `first_second_label`, where first and second are cut, the longer one first, until all fit into 63 bytes.
pub fn make_name(first: &str, second: Option<&str>, label: &str) -> String {
    let overhead = second.map_or(0, |_| 1) + if label.is_empty() { 0 } else { label.len() + 1 };
    let room = 63 - overhead.min(62);
    let (mut a, mut b) = (first.len(), second.map_or(0, str::len));
    while a + b > room {
        if a > b { a -= 1 } else { b -= 1 }
    }
    let cut = |text: &str, mut end: usize| {
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_string()
    };
    let mut name = cut(first, a);
    if let Some(second) = second {
        name.push('_');
        name.push_str(&cut(second, b));
    }
    if !label.is_empty() {
        name.push('_');
        name.push_str(label);
    }
    name
}

/// Columns joined as PostgreSQL joins them for a name, at most 64 bytes (`ChooseIndexNameAddition`).
pub fn join_columns(columns: &[String]) -> String {
    let mut joined = String::new();
    for column in columns {
        if !joined.is_empty() {
            joined.push('_');
        }
        joined.push_str(column);
        if joined.len() >= 64 {
            break;
        }
    }
    joined
}

impl Replay<'_> {
    /// A free name for an index or sequence: with 1, 2, ... behind the label until nothing has it.
    pub(crate) fn choose_relation_name(
        &mut self,
        schema: &str,
        first: &str,
        second: Option<&str>,
        label: &str,
    ) -> String {
        self.choose(schema, first, second, label, false)
    }

    /// A free name for a constraint in its schema; one with an index must be free as a relation too.
    pub(crate) fn choose_constraint_name(
        &mut self,
        schema: &str,
        first: &str,
        second: Option<&str>,
        label: &str,
    ) -> String {
        self.choose(schema, first, second, label, true)
    }

    fn choose(&mut self, schema: &str, first: &str, second: Option<&str>, label: &str, constraint: bool) -> String {
        let of = if constraint { "constraint" } else { "relation" };
        let stem = (schema.to_string(), format!("{of}\0{first}\0{}\0{label}", second.unwrap_or("\0")));
        self.schema.first_free(&stem, constraint, |number| match number {
            0 => make_name(first, second, label),
            _ => make_name(first, second, &format!("{label}{number}")),
        })
    }

    /// The name of an index without one.
    pub(crate) fn choose_index_name(&mut self, table: ObjectId, elements: &[pg_query::Node]) -> String {
        let mut columns: Vec<String> = Vec::new();
        for element in elements {
            let Some(NodeEnum::IndexElem(element)) = &element.node else { continue };
            let base = element_name(element);
            let mut name = base.clone();
            let mut number = 0;
            while columns.contains(&name) {
                number += 1;
                name = format!("{base}{number}");
            }
            columns.push(name);
        }
        let (schema, name) = (self.schema.objects[table].schema.clone(), self.schema.objects[table].name.clone());
        self.choose_relation_name(&schema, &name, Some(&join_columns(&columns)), "idx")
    }
}

fn element_name(element: &IndexElem) -> String {
    if !element.name.is_empty() {
        return element.name.clone();
    }
    let expr = element.expr.as_ref().and_then(|e| e.node.as_ref());
    expr.and_then(|e| figure_name(e).map(|(name, _)| name)).unwrap_or_else(|| "expr".into())
}

/// The name of an expression, and whether it's a strong one (`FigureColnameInternal`).
fn figure_name(node: &NodeEnum) -> Option<(String, bool)> {
    match node {
        NodeEnum::ColumnRef(c) => crate::sql::names::strings(&c.fields).pop().map(|n| (n, true)),
        NodeEnum::FuncCall(f) => crate::sql::names::strings(&f.funcname).pop().map(|n| (n, true)),
        NodeEnum::TypeCast(cast) => {
            let inner = cast.arg.as_ref().and_then(|a| a.node.as_ref()).and_then(figure_name);
            match inner {
                Some((name, true)) => Some((name, true)),
                _ => {
                    cast.type_name.as_ref().and_then(|t| crate::sql::names::strings(&t.names).pop()).map(|n| (n, false))
                }
            }
        }
        NodeEnum::CollateClause(c) => c.arg.as_ref().and_then(|a| a.node.as_ref()).and_then(figure_name),
        NodeEnum::CoalesceExpr(_) => Some(("coalesce".into(), true)),
        NodeEnum::CaseExpr(_) => Some(("case".into(), false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_the_longer_part_first() {
        assert_eq!(make_name("t", Some("c"), "key"), "t_c_key");
        let name = make_name(&"a".repeat(50), Some(&"b".repeat(20)), "fkey");
        assert_eq!(name.len(), 63);
        assert_eq!(name, format!("{}_{}_fkey", "a".repeat(37), "b".repeat(20)));
    }
}
