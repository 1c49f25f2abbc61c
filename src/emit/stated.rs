//! Between the model and the dump of the replayed history: which entries an object has there, and which object an entry
//! belongs to; and statements made from entries and rows.

use crate::objects::Property;
use crate::proof::{Entry, SequencePosition};
use crate::schema::{Body, Kind, ObjectId, Schema};
use crate::sql::names::quote;
use std::collections::HashMap;

/// The identity of an entry: kind, schema, name, as pg_dump's table of contents has them.
pub type Key = (String, String, String);

/// The identity of an entry.
pub fn key_of(entry: &Entry) -> Key {
    (entry.kind.clone(), entry.schema.clone(), entry.name.clone())
}

/// The entries that a live object may have in a dump. An object inside another has entries of its own too.
pub fn keys(schema: &Schema, id: ObjectId) -> Vec<Key> {
    let object = &schema.objects[id];
    let place = if object.schema.is_empty() { "-".to_string() } else { object.schema.clone() };
    let key = |kind: &str, name: String| (kind.to_string(), place.clone(), name);
    let on_parent = |name: &str| {
        let parent = object.parent.map(|p| schema.objects[p].name.clone()).unwrap_or_default();
        format!("{parent} {name}")
    };
    let name = object.name.clone();
    match object.kind {
        Kind::Table => vec![key("TABLE", name.clone()), key("ROW SECURITY", name.clone()), key("TABLE ATTACH", name)],
        Kind::Sequence => vec![key("SEQUENCE", name.clone()), key("SEQUENCE OWNED BY", name)],
        Kind::Default => {
            let column = object.parent.map(|c| (schema.objects[c].name.clone(), schema.objects[c].parent));
            let table = column.as_ref().and_then(|c| c.1).map(|t| schema.objects[t].name.clone()).unwrap_or_default();
            vec![key("DEFAULT", format!("{table} {}", column.map(|c| c.0).unwrap_or_default()))]
        }
        Kind::Constraint => ["CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT"]
            .iter()
            .map(|kind| key(kind, on_parent(&object.name)))
            .collect(),
        Kind::Index => vec![key("INDEX", name.clone()), key("INDEX ATTACH", name)],
        Kind::Trigger | Kind::Policy | Kind::Rule => vec![key(object.kind.toc(), on_parent(&object.name))],
        Kind::Function | Kind::Procedure | Kind::Aggregate => {
            let arguments = object.arguments.as_deref().unwrap_or("");
            vec![key(object.kind.toc(), format!("{name}({arguments})"))]
        }
        Kind::Comment => {
            object.parent.map(|p| vec![comment_key_of(schema, p, object.property.as_ref())]).unwrap_or_default()
        }
        Kind::Grant => acl_keys(schema, id),
        Kind::Setting => setting_keys(schema, id),
        Kind::Column | Kind::Rows | Kind::Opaque => Vec::new(),
        Kind::Schema | Kind::Extension => vec![key(object.kind.toc(), name)],
        _ => vec![key(object.kind.toc(), name)],
    }
}

/// The identity of a comment by its property: one on a column of what has no columns in the model is on a part of its parent.
fn comment_key_of(schema: &Schema, target: ObjectId, property: Option<&Property>) -> Key {
    let (kind, place, tag) = comment_key(schema, target);
    match property {
        Some(Property::CommentOnColumn(column)) => {
            let tag = format!("COLUMN {}.{}", quote(&schema.objects[target].name), quote(column));
            (kind, place, tag)
        }
        _ => (kind, place, tag),
    }
}

fn comment_key(schema: &Schema, target: ObjectId) -> Key {
    let object = &schema.objects[target];
    let parent = object.parent.map(|p| quote(&schema.objects[p].name)).unwrap_or_default();
    let place = if object.schema.is_empty() { "-".to_string() } else { object.schema.clone() };
    let tag = match object.kind {
        Kind::Column => format!("COLUMN {parent}.{}", quote(&object.name)),
        Kind::Constraint if object.parent.is_some_and(|p| schema.objects[p].kind == Kind::Domain) => {
            format!("CONSTRAINT {} ON DOMAIN {parent}", quote(&object.name))
        }
        Kind::Constraint | Kind::Trigger | Kind::Policy | Kind::Rule => {
            format!("{} {} ON {parent}", object.kind.toc(), quote(&object.name))
        }
        _ => match &object.arguments {
            Some(arguments) => format!("{} {}({arguments})", object.kind.toc(), quote(&object.name)),
            None => format!("{} {}", object.kind.toc(), quote(&object.name)),
        },
    };
    ("COMMENT".into(), place, tag)
}

fn acl_keys(schema: &Schema, id: ObjectId) -> Vec<Key> {
    let Body::Grant(grant) = &schema.objects[id].body else { return Vec::new() };
    let mut keys: Vec<Key> = Vec::new();
    for atom in &grant.atoms {
        let (kind, place, tag) = comment_key(schema, atom.target);
        debug_assert_eq!(kind, "COMMENT");
        // Views have their privileges listed as tables have.
        let tag = tag.replacen("MATERIALIZED VIEW ", "TABLE ", 1).replacen("VIEW ", "TABLE ", 1);
        keys.push(("ACL".into(), place.clone(), tag));
        for column in atom.privileges.iter().flat_map(|p| &p.columns) {
            let name =
                format!("COLUMN {}.{}", quote(&schema.objects[atom.target].name), quote(&schema.objects[*column].name));
            keys.push(("ACL".into(), place.clone(), name));
        }
    }
    keys
}

/// A setting shows in the entry of what it belongs to, unless pg_dump gives it one of its own.
fn setting_keys(schema: &Schema, id: ObjectId) -> Vec<Key> {
    let object = &schema.objects[id];
    let Some(parent) = object.parent else { return Vec::new() };
    let (name, place) = (schema.objects[parent].name.clone(), schema.objects[parent].schema.clone());
    match object.property {
        Some(Property::SerialDefault) => {
            let table = schema.objects[parent].parent.map(|t| schema.objects[t].name.as_str()).unwrap_or_default();
            vec![("DEFAULT".into(), place, format!("{table} {name}"))]
        }
        Some(Property::PartitionOf) => vec![("TABLE ATTACH".into(), place, name)],
        Some(Property::RowSecurity) => vec![("ROW SECURITY".into(), place, name)],
        Some(Property::OwnedBy) => vec![("SEQUENCE OWNED BY".into(), place, name)],
        _ => Vec::new(),
    }
}

/// Which live object each identity belongs to; what stands inside another leads to the object itself.
pub fn owners(schema: &Schema) -> HashMap<Key, Vec<ObjectId>> {
    let mut map: HashMap<Key, Vec<ObjectId>> = HashMap::new();
    for id in schema.live() {
        for key in keys(schema, id) {
            map.entry(key).or_default().push(id);
        }
    }
    map
}

/// Sets a sequence where the history left it.
pub fn set_sequence(position: &SequencePosition) -> Option<String> {
    let name = format!("{}.{}", quote(&position.schema), quote(&position.name)).replace('\'', "''");
    Some(format!("SELECT pg_catalog.setval('{name}', {}, {})", position.last_value?, position.is_called))
}
