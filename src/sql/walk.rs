//! Collects what a tree refers to: relations, types, functions, columns, roles.
//!
//! pg_query's trees have some 270 kinds of nodes. All of them implement serde's `Serialize`, so a serializer that writes
//! nothing and only listens visits every field of every kind, those of later PostgreSQL versions included.

use super::names::{Qualified, qualified};
use serde::ser::{self, Serialize};

/// What a tree refers to, in the order met. Names are as written; nothing is resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Tables, views, sequences; also those named by a string that is cast to `regclass` or given to `nextval`.
    pub relations: Vec<Qualified>,
    /// Aliases of relations: (alias, relation).
    pub aliases: Vec<(String, Qualified)>,
    /// Types.
    pub types: Vec<Qualified>,
    /// Functions that are called.
    pub functions: Vec<Qualified>,
    /// With how many arguments each of them is called.
    pub argument_counts: Vec<usize>,
    /// Columns: all parts, `*` for a star.
    pub columns: Vec<Vec<String>>,
    /// Columns that stand by name only: of an index, a key, an INSERT.
    pub plain_columns: Vec<String>,
    /// Collations.
    pub collations: Vec<Qualified>,
    /// Text search configurations, named by a string that is cast to `regconfig` or given to `to_tsvector` and its like.
    pub configurations: Vec<Qualified>,
    /// Roles.
    pub roles: Vec<String>,
}

/// Everything that `tree` refers to.
pub fn references(tree: &impl Serialize) -> References {
    let mut walker = Walker::default();
    // The walker never fails.
    let _ = tree.serialize(&mut walker);
    walker.found
}

#[derive(Default)]
struct Walker {
    found: References,
    strings: Vec<String>,
    last: String,
    constants: Vec<String>,
    in_constant: bool,
    reads_names: bool,
    /// The number of elements of the list that ended last.
    elements: usize,
}

#[derive(Debug)]
struct Never;
impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
impl std::error::Error for Never {}
impl ser::Error for Never {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Never
    }
}

/// Listens to the fields of one struct.
struct Fields<'a> {
    walker: &'a mut Walker,
    name: &'static str,
    schema: String,
    relation: String,
    alias: String,
    names: Vec<String>,
    arguments: usize,
    constants_before: usize,
}

impl Fields<'_> {
    fn names_of(&mut self, value: &(impl ?Sized + Serialize)) -> Result<Vec<String>, Never> {
        let outer = std::mem::take(&mut self.walker.strings);
        let was = std::mem::replace(&mut self.walker.reads_names, true);
        value.serialize(&mut *self.walker)?;
        self.walker.reads_names = was;
        Ok(std::mem::replace(&mut self.walker.strings, outer))
    }

    fn text_of(&mut self, value: &(impl ?Sized + Serialize)) -> Result<String, Never> {
        self.walker.last.clear();
        value.serialize(&mut *self.walker)?;
        Ok(std::mem::take(&mut self.walker.last))
    }

    /// The names in the strings met since the struct began: `nextval('a_id_seq')`, `'a'::regclass`.
    fn names_in_constants(&mut self) -> Vec<Qualified> {
        let texts = self.walker.constants.split_off(self.constants_before);
        let parts = |text: &String| -> Vec<String> {
            super::lex::lex_code(text).iter().filter_map(|token| token.name(text)).collect()
        };
        texts.iter().map(parts).filter(|parts| !parts.is_empty()).map(|parts| qualified(&parts)).collect()
    }
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, key: &'static str, value: &T) -> Result<(), Never> {
        match (self.name, key) {
            ("String", "sval") => {
                let text = self.text_of(value)?;
                if self.walker.in_constant {
                    self.walker.constants.push(text);
                } else if self.walker.reads_names {
                    self.walker.strings.push(text);
                }
            }
            ("RangeVar", "schemaname") => self.schema = self.text_of(value)?,
            ("RangeVar", "relname") => self.relation = self.text_of(value)?,
            ("Alias", "aliasname") => {
                let text = self.text_of(value)?;
                self.walker.last = text;
            }
            ("RangeVar", "alias") => self.alias = self.text_of(value)?,
            ("RoleSpec", "rolename") => {
                let role = self.text_of(value)?;
                self.walker.found.roles.push(role);
            }
            ("IndexElem" | "StatsElem", "name") => {
                let column = self.text_of(value)?;
                self.walker.found.plain_columns.push(column);
            }
            ("TypeName", "names")
            | ("FuncCall", "funcname")
            | ("ColumnRef", "fields")
            | ("CollateClause", "collname") => {
                self.names = self.names_of(value)?;
            }
            ("Constraint", "keys" | "fk_attrs" | "including") => {
                let columns = self.names_of(value)?;
                self.walker.found.plain_columns.extend(columns);
            }
            ("FuncCall", "args") => {
                let counter = value.serialize(&mut *self.walker);
                self.arguments = std::mem::take(&mut self.walker.elements);
                counter?;
            }
            ("AConst", _) => {
                let was = std::mem::replace(&mut self.walker.in_constant, true);
                value.serialize(&mut *self.walker)?;
                self.walker.in_constant = was;
            }
            _ => value.serialize(&mut *self.walker)?,
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), Never> {
        let names = std::mem::take(&mut self.names);
        match self.name {
            "RangeVar" => {
                let schema = (!self.schema.is_empty()).then(|| self.schema.clone());
                let relation = Qualified { schema, name: std::mem::take(&mut self.relation) };
                if !self.alias.is_empty() {
                    self.walker.found.aliases.push((self.alias.clone(), relation.clone()));
                }
                self.walker.found.relations.push(relation);
            }
            "TypeName" if !names.is_empty() => self.walker.found.types.push(qualified(&names)),
            "CollateClause" if !names.is_empty() => self.walker.found.collations.push(qualified(&names)),
            "FuncCall" if !names.is_empty() => {
                let function = qualified(&names);
                if matches!(function.name.as_str(), "nextval" | "setval" | "currval") {
                    let names = self.names_in_constants();
                    self.walker.found.relations.extend(names);
                } else if self.arguments > 1 && searches(&function.name) {
                    // The configuration comes first.
                    let names = self.names_in_constants();
                    self.walker.found.configurations.extend(names.into_iter().next());
                }
                self.walker.found.functions.push(function);
                self.walker.found.argument_counts.push(self.arguments);
            }
            "ColumnRef" if !names.is_empty() => self.walker.found.columns.push(names),
            "TypeCast" if self.walker.found.types.last().is_some_and(|t| t.name == "regclass") => {
                let names = self.names_in_constants();
                self.walker.found.relations.extend(names);
            }
            "TypeCast" if self.walker.found.types.last().is_some_and(|t| t.name == "regconfig") => {
                let names = self.names_in_constants();
                self.walker.found.configurations.extend(names);
            }
            "AStar" if self.walker.reads_names => self.walker.strings.push("*".into()),
            _ => {}
        }
        Ok(())
    }
}

/// Whether a function takes a text search configuration before what it works on.
fn searches(function: &str) -> bool {
    function.ends_with("to_tsvector") || function.ends_with("to_tsquery") || function == "ts_headline"
}

/// A sequence or a variant: every part is visited.
struct Parts<'a>(&'a mut Walker, usize);

macro_rules! visit_parts {
    ($($trait:ident :: $method:ident),*) => {$(
        impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = Never;
            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Never> {
                self.1 += 1;
                value.serialize(&mut *self.0)
            }
            fn end(self) -> Result<(), Never> {
                self.0.elements = self.1;
                Ok(())
            }
        }
    )*};
}
visit_parts!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Never;
    fn serialize_key<T: ?Sized + Serialize>(&mut self, _: &T) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Never> {
        value.serialize(&mut *self.0)
    }
    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}

impl ser::SerializeStructVariant for Parts<'_> {
    type Ok = ();
    type Error = Never;
    fn serialize_field<T: ?Sized + Serialize>(&mut self, _: &'static str, value: &T) -> Result<(), Never> {
        value.serialize(&mut *self.0)
    }
    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}

macro_rules! ignore {
    ($($method:ident($ty:ty)),*) => {$(
        fn $method(self, _: $ty) -> Result<(), Never> {
            Ok(())
        }
    )*};
}

impl<'a> ser::Serializer for &'a mut Walker {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Parts<'a>;

    ignore!(
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_bytes(&[u8]),
        serialize_unit_struct(&'static str)
    );

    fn serialize_str(self, text: &str) -> Result<(), Never> {
        self.last.clear();
        self.last.push_str(text);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Never> {
        Ok(Parts(self, 0))
    }
    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Never> {
        Ok(Parts(self, 0))
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Never> {
        Ok(Parts(self, 0))
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Parts<'a>, Never> {
        Ok(Parts(self, 0))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Never> {
        Ok(Parts(self, 0))
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>, Never> {
        let constants_before = self.constants.len();
        Ok(Fields {
            walker: self,
            name,
            schema: String::new(),
            relation: String::new(),
            alias: String::new(),
            names: Vec::new(),
            arguments: 0,
            constants_before,
        })
    }
    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Parts<'a>, Never> {
        Ok(Parts(self, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parse::parse;

    fn of(sql: &str) -> References {
        references(&parse(sql).unwrap().unwrap())
    }

    #[test]
    fn a_view_names_its_tables_columns_and_functions() {
        let found = of("CREATE VIEW v AS SELECT a.id, lower(b.x), s.* FROM app.t a JOIN u b ON a.id = b.id, s");
        let names: Vec<_> = found.relations.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["v", "t", "u", "s"]);
        assert_eq!(found.aliases[0].0, "a");
        assert_eq!(found.functions[0].name, "lower");
        assert!(found.columns.contains(&vec!["s".to_string(), "*".to_string()]));
    }

    #[test]
    fn strings_that_name_a_sequence_or_a_table_count() {
        let found = of("ALTER TABLE t ALTER c SET DEFAULT nextval('app.t_id_seq'::regclass)");
        assert!(found.relations.iter().any(|r| r.schema.as_deref() == Some("app") && r.name == "t_id_seq"));
        assert!(of("SELECT setval('t_id_seq', 5)").relations.iter().any(|r| r.name == "t_id_seq"));
    }

    #[test]
    fn strings_that_name_a_text_search_configuration_count() {
        let names = |sql: &str| of(sql).configurations.into_iter().map(|c| c.name).collect::<Vec<_>>();
        assert_eq!(names("CREATE INDEX i ON t USING gin (to_tsvector('app.shop', a))"), ["shop"]);
        assert_eq!(names("SELECT to_tsvector('shop'::regconfig, 'words')"), ["shop"]);
        assert!(names("SELECT to_tsvector('words')").is_empty());
    }

    #[test]
    fn columns_of_an_index_and_of_keys_stand_by_name() {
        assert_eq!(of("CREATE INDEX i ON t (a, (lower(b)))").plain_columns, ["a", ""]);
        assert_eq!(of("CREATE TABLE t (a int, UNIQUE (a))").plain_columns, ["a"]);
    }
}
