//! Between the model and the dump of the replayed history: which entries an object has there, and which object an entry
//! belongs to; and statements made from entries and rows.

use crate::objects::Property;
use crate::proof::{Entry, EntryKind, SequencePosition};
use crate::schema::Tag;
use crate::schema::{Body, Kind, ObjectId, Schema};
use crate::sql::names::quote;
use std::collections::HashMap;

/// The identity of an entry: kind, schema, name, as pg_dump's table of contents has them.
pub type Key = (EntryKind, String, String);

/// The identity of an entry.
pub fn key_of(entry: &Entry) -> Key {
    (entry.kind.clone(), entry.schema.clone(), entry.name.clone())
}

/// The entries that a live object may have in a dump. An object inside another has entries of its own too.
pub fn keys(schema: &Schema, id: ObjectId) -> Vec<Key> {
    let object = &schema.objects[id];
    let place = if object.schema.is_empty() { "-".to_string() } else { object.schema.clone() };
    let key = |kind: EntryKind, name: String| (kind, place.clone(), name);
    let own = |name: String| key(object.kind.toc().into(), name);
    let on_parent = |name: &str| {
        let parent = object.parent.map(|p| schema.objects[p].name.clone()).unwrap_or_default();
        format!("{parent} {name}")
    };
    let name = object.name.clone();
    match object.kind.tag() {
        Tag::Own => {
            // What pg_dump states apart.
            let beside = match object.kind {
                Kind::Table => &[EntryKind::RowSecurity, EntryKind::TableAttach][..],
                Kind::Sequence => &[EntryKind::SequenceOwnedBy],
                Kind::Index => &[EntryKind::IndexAttach],
                _ => &[],
            };
            let beside: Vec<Key> = beside.iter().map(|kind| key(kind.clone(), name.clone())).collect();
            std::iter::once(own(name)).chain(beside).collect()
        }
        Tag::OnParent if object.kind == Kind::Constraint => {
            [EntryKind::Constraint, EntryKind::FkConstraint, EntryKind::CheckConstraint]
                .into_iter()
                .map(|kind| key(kind, on_parent(&object.name)))
                .collect()
        }
        Tag::OnParent => vec![own(on_parent(&object.name))],
        Tag::OnColumn => {
            let column = object.parent.map(|c| (schema.objects[c].name.clone(), schema.objects[c].parent));
            let table = column.as_ref().and_then(|c| c.1).map(|t| schema.objects[t].name.clone()).unwrap_or_default();
            vec![own(format!("{table} {}", column.map(|c| c.0).unwrap_or_default()))]
        }
        Tag::WithArguments => {
            let arguments = object.arguments.as_deref().unwrap_or("");
            vec![own(format!("{name}({arguments})"))]
        }
        Tag::Comment => {
            object.parent.map(|p| vec![comment_key_of(schema, p, object.property.as_ref())]).unwrap_or_default()
        }
        Tag::Privileges => acl_keys(schema, id),
        Tag::OfParent => setting_keys(schema, id),
        Tag::None => Vec::new(),
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
    (EntryKind::Comment, place, tag)
}

fn acl_keys(schema: &Schema, id: ObjectId) -> Vec<Key> {
    let Body::Grant(grant) = &schema.objects[id].body else { return Vec::new() };
    let mut keys: Vec<Key> = Vec::new();
    for atom in &grant.atoms {
        let (kind, place, tag) = comment_key(schema, atom.target);
        debug_assert_eq!(kind, EntryKind::Comment);
        // Views have their privileges listed as tables have.
        let tag = tag.replacen("MATERIALIZED VIEW ", "TABLE ", 1).replacen("VIEW ", "TABLE ", 1);
        keys.push((EntryKind::Acl, place.clone(), tag));
        for column in atom.privileges.iter().flat_map(|p| &p.columns) {
            let name =
                format!("COLUMN {}.{}", quote(&schema.objects[atom.target].name), quote(&schema.objects[*column].name));
            keys.push((EntryKind::Acl, place.clone(), name));
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
            vec![(EntryKind::Default, place, format!("{table} {name}"))]
        }
        Some(Property::PartitionOf) => vec![(EntryKind::TableAttach, place, name)],
        Some(Property::RowSecurity) => vec![(EntryKind::RowSecurity, place, name)],
        Some(Property::OwnedBy) => vec![(EntryKind::SequenceOwnedBy, place, name)],
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
