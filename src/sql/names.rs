//! Names as PostgreSQL keeps them: lists of identifiers, qualified names, types as `format_type` prints them, quoting.

use pg_query::{NodeEnum, protobuf};
use std::cell::RefCell;
use std::collections::HashMap;

/// A name that may carry its schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Qualified {
    /// The schema, if the text named one.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

/// The strings of a list of String nodes, as names stand in PostgreSQL's trees.
pub fn strings(nodes: &[pg_query::Node]) -> Vec<String> {
    nodes.iter().filter_map(string).collect()
}

/// The string of a String node.
pub fn string(node: &pg_query::Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::String(s)) => Some(s.sval.clone()),
        Some(NodeEnum::AStar(_)) => Some("*".into()),
        _ => None,
    }
}

/// The last two parts of a list of names; a leading catalog is dropped.
pub fn qualified(parts: &[String]) -> Qualified {
    let name = parts.last().cloned().unwrap_or_default();
    let schema = (parts.len() > 1).then(|| parts[parts.len() - 2].clone());
    Qualified { schema, name }
}

/// The name that an object node of DROP, COMMENT or RENAME carries, whatever its form.
pub fn of_node(node: &pg_query::Node) -> Vec<String> {
    match &node.node {
        Some(NodeEnum::List(list)) => list.items.iter().flat_map(of_node).collect(),
        Some(NodeEnum::String(s)) => vec![s.sval.clone()],
        Some(NodeEnum::TypeName(t)) => strings(&t.names),
        Some(NodeEnum::ObjectWithArgs(o)) => strings(&o.objname),
        Some(NodeEnum::RangeVar(r)) => range_var_parts(r),
        _ => Vec::new(),
    }
}

fn range_var_parts(range: &protobuf::RangeVar) -> Vec<String> {
    [&range.schemaname, &range.relname].into_iter().filter(|s| !s.is_empty()).cloned().collect()
}

/// The name of a relation.
pub fn range_var(range: &protobuf::RangeVar) -> Qualified {
    let schema = (!range.schemaname.is_empty()).then(|| range.schemaname.clone());
    Qualified { schema, name: range.relname.clone() }
}

/// The name of a relation that a statement may name, without its schema; nothing if it names none.
pub fn relation_name(range: &Option<protobuf::RangeVar>) -> &str {
    range.as_ref().map_or("", |r| &r.relname)
}

/// The role that a RoleSpec names; `PUBLIC` is `public`, and the current and session users keep their keywords.
pub fn role(node: &pg_query::Node) -> String {
    match &node.node {
        Some(NodeEnum::RoleSpec(spec)) => role_spec(spec),
        _ => String::new(),
    }
}

/// See [`role`].
pub fn role_spec(spec: &protobuf::RoleSpec) -> String {
    match protobuf::RoleSpecType::try_from(spec.roletype) {
        Ok(protobuf::RoleSpecType::RolespecPublic) => "PUBLIC".into(),
        Ok(protobuf::RoleSpecType::RolespecCurrentRole) => "CURRENT_ROLE".into(),
        Ok(protobuf::RoleSpecType::RolespecCurrentUser) => "CURRENT_USER".into(),
        Ok(protobuf::RoleSpecType::RolespecSessionUser) => "SESSION_USER".into(),
        _ => spec.rolename.clone(),
    }
}

/// The name of a built-in type as `format_type` prints it, from the name in the system catalog or an alias.
fn builtin(name: &str) -> &str {
    match name {
        "int4" | "int" => "integer",
        "int8" => "bigint",
        "int2" => "smallint",
        "float4" => "real",
        "float8" | "float" => "double precision",
        "bool" => "boolean",
        "varchar" => "character varying",
        "bpchar" | "char" => "character",
        "varbit" => "bit varying",
        "timestamptz" => "timestamp with time zone",
        "timestamp" => "timestamp without time zone",
        "timetz" => "time with time zone",
        "time" => "time without time zone",
        "decimal" => "numeric",
        other => other,
    }
}

/// A type as a function's signature names it: no length, arrays as `[]`. `schema_of` tells the schema of a type that
/// isn't built in.
pub fn type_name(ty: &protobuf::TypeName, schema_of: &dyn Fn(&Qualified) -> Option<String>) -> String {
    let parts = strings(&ty.names);
    let plain = qualified(&parts);
    let mut text = match (&plain.schema, schema_of(&plain)) {
        (Some(schema), _) if schema == "pg_catalog" => builtin(&plain.name).to_string(),
        (_, Some(schema)) => format!("{}.{}", quote(&schema), quote(&plain.name)),
        (Some(schema), None) => format!("{}.{}", quote(schema), quote(&plain.name)),
        (None, None) => builtin(&plain.name).to_string(),
    };
    if ty.pct_type {
        text.push_str("%TYPE");
    }
    if !ty.array_bounds.is_empty() {
        text.push_str("[]");
    }
    text
}

/// An identifier as PostgreSQL's `quote_ident` writes it: in quotes only where it must be.
pub fn quote(name: &str) -> String {
    let mut bytes = name.bytes();
    let plain = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain && !is_keyword(name) { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A text as a constant, whatever standard_conforming_strings says.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Whether the word is a keyword that can't stand as a name everywhere. PostgreSQL's scanner is asked once for each word.
fn is_keyword(name: &str) -> bool {
    thread_local! {
        static KNOWN: RefCell<HashMap<String, bool>> = RefCell::default();
    }
    if let Some(known) = KNOWN.with_borrow(|k| k.get(name).copied()) {
        return known;
    }
    let found = scan_keyword(name);
    KNOWN.with_borrow_mut(|k| k.insert(name.to_string(), found));
    found
}

fn scan_keyword(name: &str) -> bool {
    use protobuf::KeywordKind;
    pg_query::scan(name).is_ok_and(|scan| {
        scan.tokens.first().is_some_and(|t| {
            !matches!(
                KeywordKind::try_from(t.keyword_kind),
                Ok(KeywordKind::NoKeyword | KeywordKind::UnreservedKeyword) | Err(_)
            )
        })
    })
}

/// A name cut to PostgreSQL's 63 bytes, at a character's border.
pub fn truncate(name: &str) -> String {
    let mut end = name.len().min(63);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_where_needed() {
        assert_eq!(quote("users"), "users");
        assert_eq!(quote("order"), "\"order\"");
        assert_eq!(quote("User"), "\"User\"");
        assert_eq!(quote("key"), "key");
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }
}
