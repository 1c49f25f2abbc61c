//! The schema in memory: every object that a history ever made, alive or dead, with what it needs and how it is written.
//!
//! Objects are numbered and never removed: a number is one lifetime. Needs point at numbers, so renames don't touch them.

mod index;
mod numbers;

pub use numbers::Stem;

use crate::history::StatementId;
use crate::sql::names::{Qualified, quote};
pub(crate) use element::cut;
pub use element::{Column, Constraint, Element, Piece, PieceKind, Place, Table};
pub use grant::{Atom, GrantBody, Privilege};
pub use kind::{Drop, Kind, Namespace, Tag};
pub use property::Property;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub(crate) mod element;
mod grant;
pub(crate) mod kind;
pub(crate) mod property;

/// An object's number.
pub type ObjectId = usize;

/// How strongly an object needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strength {
    /// It goes when the other goes (PostgreSQL's automatic and internal dependencies).
    Auto,
    /// The other can't go without CASCADE (PostgreSQL's normal dependency).
    Normal,
    /// It must be created after the other, no more.
    Order,
}

/// A need of one object for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Need {
    /// The object needed.
    pub on: ObjectId,
    /// How strongly.
    pub strength: Strength,
}

/// The session's settings on which the meaning of a statement depends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Context {
    /// `search_path` where the history set it.
    pub search_path: Option<Vec<String>>,
    /// The role of SET ROLE or SET SESSION AUTHORIZATION.
    pub role: Option<String>,
    /// `check_function_bodies = off`.
    pub unchecked_bodies: bool,
    /// In a part, which runs on databases in use: how long a statement may wait or take, by the name of the setting.
    pub limits: BTreeMap<String, String>,
}

impl Context {
    /// The schemas that are searched.
    pub fn path(&self) -> &[String] {
        static DEFAULT: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| vec!["public".into()]);
        self.search_path.as_deref().unwrap_or(&DEFAULT)
    }
}

/// What an object is made of, and so how it is written.
#[derive(Debug, Clone)]
pub enum Body {
    /// A statement of its own, without the semicolon.
    Text(String),
    /// A table with its elements.
    Table(Box<Table>),
    /// A column, written inside its table.
    Column(Column),
    /// A constraint, inside its table or not.
    Constraint(Constraint),
    /// Grants.
    Grant(GrantBody),
    /// A statement that brings or changes rows, and the tables whose rows.
    Rows {
        /// The statement, without the semicolon.
        text: String,
        /// The tables, or the sequence of a `setval`.
        targets: Vec<ObjectId>,
    },
    /// Written by its parent: a default, the sequence of a serial column.
    Inside,
}

/// One lifetime of one object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its schema, or empty.
    pub schema: String,
    /// Its name; a routine's comes without arguments.
    pub name: String,
    /// What a setting says.
    pub property: Option<Property>,
    /// A routine's argument types, as pg_dump lists them.
    pub arguments: Option<String>,
    /// The object that it belongs to.
    pub parent: Option<ObjectId>,
    /// The statement that made it.
    pub born: StatementId,
    /// Where in that statement, in bytes.
    pub born_offset: usize,
    /// The statement whose text it has now.
    pub source: StatementId,
    /// The statement that ended it.
    pub died: Option<StatementId>,
    /// How it is written.
    pub body: Body,
    /// Whether the text differs from the author's.
    pub edited: bool,
    /// The session in which its text means what it means.
    pub context: Arc<Context>,
    /// What it needs.
    pub needs: Vec<Need>,
    /// Tables whose columns it has besides its own: parents by inheritance or partition.
    pub inherits: Vec<ObjectId>,
}

type Key = (Namespace, String, String);

/// All objects, and the names of those that live.
#[derive(Debug, Default, Clone)]
pub struct Schema {
    /// Every object that ever was, by number.
    pub objects: Vec<Object>,
    /// The first statement of the part that is consolidated, where the history before it stays as it is; none as long as
    /// that part hasn't begun, or if all of the history is consolidated.
    pub cut: Option<StatementId>,
    names: HashMap<Key, ObjectId>,
    routines: HashMap<(String, String), Vec<ObjectId>>,
    index: index::Index,
}

impl Schema {
    /// Whether the object lives.
    pub fn lives(&self, id: ObjectId) -> bool {
        self.objects[id].died.is_none()
    }

    /// The numbers of all objects that live.
    pub fn live(&self) -> impl Iterator<Item = ObjectId> + '_ {
        (0..self.objects.len()).filter(|id| self.lives(*id))
    }

    fn key(&self, id: ObjectId) -> Option<Key> {
        let object = &self.objects[id];
        let word = || object.kind.word().to_string();
        let space = object.kind.namespace();
        Some(match space {
            Namespace::Relation | Namespace::Type => (space, object.schema.clone(), object.name.clone()),
            Namespace::Routine => {
                let arguments = object.arguments.as_deref().unwrap_or("");
                (space, object.schema.clone(), format!("{}({arguments})", object.name))
            }
            Namespace::Schema => (space, format!("{} {}", word(), object.schema), object.name.clone()),
            Namespace::Parent => (space, format!("{} #{}", word(), object.parent?), object.name.clone()),
            Namespace::Database => (space, word(), object.name.clone()),
            Namespace::None => return None,
        })
    }

    /// Adds an object. An object of the same name that the model still holds as alive gives way.
    pub fn add(&mut self, object: Object) -> ObjectId {
        let id = self.objects.len();
        self.objects.push(object);
        self.index(id);
        self.register(id);
        id
    }

    fn register(&mut self, id: ObjectId) {
        if let Some(key) = self.key(id) {
            self.names.insert(key, id);
        }
        if self.objects[id].kind.namespace() == Namespace::Routine {
            let place = (self.objects[id].schema.clone(), self.objects[id].name.clone());
            self.routines.entry(place).or_default().push(id);
        }
        self.index_name(id);
    }

    /// Ends an object by a statement.
    pub fn end(&mut self, id: ObjectId, statement: StatementId) {
        self.unregister(id);
        self.objects[id].died = Some(statement);
        self.forget(id);
    }

    /// Takes an object's name away, before it dies or gets another.
    fn unregister(&mut self, id: ObjectId) {
        self.forget_name(id);
        if let Some(key) = self.key(id)
            && self.names.get(&key) == Some(&id)
        {
            self.names.remove(&key);
        }
        if self.objects[id].kind.namespace() == Namespace::Routine {
            let place = (self.objects[id].schema.clone(), self.objects[id].name.clone());
            if let Some(list) = self.routines.get_mut(&place) {
                list.retain(|r| *r != id);
            }
        }
    }

    /// Gives an object another name, schema or parent, and its name's place with it.
    pub fn change_name(&mut self, id: ObjectId, change: impl FnOnce(&mut Object)) {
        self.unregister(id);
        change(&mut self.objects[id]);
        self.register(id);
    }

    /// Adds needs to an object.
    pub fn add_needs(&mut self, id: ObjectId, needs: impl IntoIterator<Item = Need>) {
        for need in needs {
            if need.on != id && self.is_new_need(id, need) {
                self.objects[id].needs.push(need);
                self.index_need(id, need.on);
            }
        }
    }

    /// Takes all needs of an object away, as when it is written anew.
    pub fn clear_needs(&mut self, id: ObjectId) {
        self.forget_needs(id);
        self.objects[id].needs.clear();
    }

    fn in_namespace(&self, space: Namespace, scope: &str, name: &str) -> Option<ObjectId> {
        self.names.get(&(space, scope.to_string(), name.to_string())).copied()
    }

    fn on_path(&self, name: &Qualified, path: &[String], find: impl Fn(&str) -> Option<ObjectId>) -> Option<ObjectId> {
        match &name.schema {
            Some(schema) => find(schema),
            None => path.iter().find_map(|schema| find(schema)),
        }
    }

    /// A table, view, index or sequence by name.
    pub fn relation(&self, name: &Qualified, path: &[String]) -> Option<ObjectId> {
        self.on_path(name, path, |schema| self.in_namespace(Namespace::Relation, schema, &name.name))
    }

    /// A type or domain by name; also the row type of a relation.
    pub fn type_of(&self, name: &Qualified, path: &[String]) -> Option<ObjectId> {
        self.on_path(name, path, |schema| self.in_namespace(Namespace::Type, schema, &name.name))
            .or_else(|| self.relation(name, path))
    }

    /// An object whose kind has names of its own within a schema.
    pub fn in_schema(&self, kind: Kind, name: &Qualified, path: &[String]) -> Option<ObjectId> {
        self.on_path(name, path, |schema| {
            self.in_namespace(Namespace::Schema, &format!("{} {schema}", kind.word()), &name.name)
        })
    }

    /// All routines of a name, whatever their arguments.
    pub fn routines(&self, name: &Qualified, path: &[String]) -> Vec<ObjectId> {
        let of =
            |schema: &str| self.routines.get(&(schema.to_string(), name.name.clone())).cloned().unwrap_or_default();
        match &name.schema {
            Some(schema) => of(schema),
            None => path.iter().map(|schema| of(schema)).find(|list| !list.is_empty()).unwrap_or_default(),
        }
    }

    /// A routine by name and argument types.
    pub fn routine(&self, name: &Qualified, arguments: &str, path: &[String]) -> Option<ObjectId> {
        let key = format!("{}({arguments})", name.name);
        self.on_path(name, path, |schema| self.in_namespace(Namespace::Routine, schema, &key))
    }

    /// An object of a kind that has one namespace in the database.
    pub fn global(&self, kind: Kind, name: &str) -> Option<ObjectId> {
        self.in_namespace(Namespace::Database, kind.word(), name)
    }

    /// An object that belongs to another, by kind and name.
    pub fn child(&self, parent: ObjectId, kind: Kind, name: &str) -> Option<ObjectId> {
        self.in_namespace(Namespace::Parent, &format!("{} #{parent}", kind.word()), name)
    }

    /// The setting of a property of an object.
    pub fn setting(&self, parent: ObjectId, property: &Property) -> Option<ObjectId> {
        let found = self.child(parent, Kind::Setting, &property.key())?;
        (self.objects[found].property.as_ref() == Some(property)).then_some(found)
    }

    /// A column by name, also one that the table inherits.
    pub fn column(&self, table: ObjectId, name: &str) -> Option<ObjectId> {
        self.child(table, Kind::Column, name)
            .or_else(|| self.objects[table].inherits.iter().find_map(|parent| self.column(*parent, name)))
    }

    /// The live columns of a table, its own ones, in order of birth.
    pub fn columns(&self, table: ObjectId) -> Vec<ObjectId> {
        let mut columns = self.children(table);
        columns.retain(|o| self.objects[*o].kind == Kind::Column);
        columns.sort_unstable();
        columns
    }

    /// The name of an object as people and pg_dump write it: `public.t`, `public.t.column`, `public.f(integer)`.
    pub fn display(&self, id: ObjectId) -> String {
        let object = &self.objects[id];
        let qualified = |schema: &str, name: &str| {
            if schema.is_empty() { quote(name) } else { format!("{}.{}", quote(schema), quote(name)) }
        };
        match (object.kind, object.parent) {
            (Kind::Comment, Some(parent)) => match &object.property {
                Some(Property::CommentOnColumn(column)) => {
                    format!("on column {}.{}", self.display(parent), quote(column))
                }
                _ => format!("on {} {}", self.objects[parent].kind.word(), self.display(parent)),
            },
            (Kind::Setting, Some(parent)) => {
                let words = object.property.as_ref().map_or_else(|| object.name.clone(), Property::to_string);
                let words = words.trim_end_matches(" of");
                format!("{words} of {} {}", self.objects[parent].kind.word(), self.display(parent))
            }
            (Kind::Default, Some(parent)) => format!("of {}", self.display(parent)),
            (Kind::Column | Kind::Constraint | Kind::Trigger | Kind::Policy | Kind::Rule, Some(parent)) => {
                format!("{}.{}", self.display(parent), quote(&object.name))
            }
            (Kind::Grant | Kind::Opaque | Kind::DefaultPrivileges, _) => object.name.clone(),
            _ => match &object.arguments {
                Some(arguments) => format!("{}({arguments})", qualified(&object.schema, &object.name)),
                None => qualified(&object.schema, &object.name),
            },
        }
    }

    /// The object at the root of the parents: the table of a column's comment.
    pub fn root(&self, id: ObjectId) -> ObjectId {
        self.objects[id].parent.map_or(id, |parent| self.root(parent))
    }

    /// Whether the object was there before the part of the history that is consolidated.
    pub fn is_given(&self, id: ObjectId) -> bool {
        self.cut.is_some_and(|cut| self.objects[id].born < cut)
    }

    /// Whether what comes before the part makes the object as it stands: the part has no statement for it, only changes.
    pub fn is_fixed(&self, id: ObjectId) -> bool {
        self.cut.is_some_and(|cut| self.objects[id].source < cut)
    }

    /// Whether the object is a column that the part adds to a table which was there before.
    pub fn is_added_column(&self, id: ObjectId) -> bool {
        let object = &self.objects[id];
        object.kind == Kind::Column
            && matches!(object.body, Body::Column(_))
            && !self.is_given(id)
            && object.parent.is_some_and(|table| self.is_fixed(table))
    }

    /// The object within whose text this one stands, if it has no statement of its own.
    pub fn holder(&self, id: ObjectId) -> Option<ObjectId> {
        let object = &self.objects[id];
        let in_column = matches!(&object.body, Body::Constraint(c) if c.place == Place::InColumn);
        let added = |on: &ObjectId| self.objects[*on].parent == object.parent && self.is_added_column(*on);
        let column = object.needs.iter().map(|n| n.on).find(added).filter(|_| in_column && self.cut.is_some());
        column.or(object.parent)
    }

    /// Whether the object lives and has a statement of its own: all but columns, and but those constraints, defaults and
    /// sequences that stand inside their table.
    pub fn is_unit(&self, id: ObjectId) -> bool {
        let object = &self.objects[id];
        if self.cut.is_some() {
            if self.is_added_column(id) {
                return object.died.is_none();
            }
            if self.is_fixed(id) {
                return false;
            }
        }
        if object.died.is_some() || !object.kind.stands_alone() || object.schema == "pg_temp" {
            return false;
        }
        match &object.body {
            Body::Inside => false,
            Body::Constraint(_) => !self.is_in_table(id),
            _ => object.parent.is_none_or(|parent| self.objects[parent].schema != "pg_temp"),
        }
    }

    /// Whether a constraint stands inside its table's CREATE.
    pub fn is_in_table(&self, id: ObjectId) -> bool {
        let object = &self.objects[id];
        match (&object.body, object.parent.map(|p| &self.objects[p].body)) {
            (Body::Constraint(c), _) if c.place == Place::InColumn => true,
            (Body::Constraint(_), Some(Body::Table(_))) => self.is_listed(id),
            _ => false,
        }
    }

    /// The object in whose statement this one is written.
    pub fn unit_of(&self, id: ObjectId) -> ObjectId {
        match self.holder(id) {
            Some(parent) if !self.is_unit(id) => self.unit_of(parent),
            _ => id,
        }
    }

    /// The name of an object as a statement under `context` can write it: with its schema only where that is needed.
    pub fn reference(&self, id: ObjectId, context: &Context) -> String {
        let object = &self.objects[id];
        let first = context.path().first().map(String::as_str);
        let schema = if Some(object.schema.as_str()) == first { "" } else { object.schema.as_str() };
        let name =
            if schema.is_empty() { quote(&object.name) } else { format!("{}.{}", quote(schema), quote(&object.name)) };
        match &object.arguments {
            Some(arguments) => format!("{name}({arguments})"),
            None => name,
        }
    }
}
