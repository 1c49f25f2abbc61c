//! The one list of the kinds of objects. Words, pg_dump's names, namespaces and PostgreSQL's `ObjectType` all derive
//! from it: a new kind is one line here, its file beside, and a fixture.

use pg_query::protobuf::ObjectType as O;

/// Within what the names of a kind must differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Tables, indexes, sequences, views of a schema.
    Relation,
    /// Types of a schema.
    Type,
    /// Functions, procedures and aggregates of a schema, with their arguments.
    Routine,
    /// Objects of the kind within a schema.
    Schema,
    /// Objects of the kind on one parent.
    Parent,
    /// Objects of the kind in the database or cluster.
    Database,
    /// No name: each is its own.
    None,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $word:literal, $toc:literal, $space:ident, [$($object:ident),*], $stands:literal;)*) => {
        /// A kind of object, as pg_dump's table of contents divides them, and what belongs to objects.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)*];

            /// The words for it in a sentence.
            pub fn word(self) -> &'static str {
                match self { $(Kind::$kind => $word,)* }
            }

            /// How pg_dump names it.
            pub fn toc(self) -> &'static str {
                match self { $(Kind::$kind => $toc,)* }
            }

            /// Within what its names differ.
            pub fn namespace(self) -> Namespace {
                match self { $(Kind::$kind => Namespace::$space,)* }
            }

            /// Whether an object of the kind has a statement of its own in a minimal set.
            pub fn stands_alone(self) -> bool {
                match self { $(Kind::$kind => $stands,)* }
            }

            /// The kind that PostgreSQL's grammar means by an `ObjectType`.
            pub fn of_object_type(object: i32) -> Option<Kind> {
                $($(if object == O::$object as i32 { return Some(Kind::$kind); })*)*
                None
            }
        }
    };
}

kinds! {
    /// A schema.
    Schema: "schema", "SCHEMA", Database, [ObjectSchema], true;
    /// An extension.
    Extension: "extension", "EXTENSION", Database, [ObjectExtension], true;
    /// A role.
    Role: "role", "ROLE", Database, [ObjectRole], true;
    /// An enum, composite, range or base type.
    Type: "type", "TYPE", Type, [ObjectType], true;
    /// A domain.
    Domain: "domain", "DOMAIN", Type, [ObjectDomain], true;
    /// A sequence, also of a serial or identity column.
    Sequence: "sequence", "SEQUENCE", Relation, [ObjectSequence], true;
    /// A table.
    Table: "table", "TABLE", Relation, [ObjectTable], true;
    /// A foreign table.
    ForeignTable: "foreign table", "FOREIGN TABLE", Relation, [ObjectForeignTable], true;
    /// A column of a table.
    Column: "column", "COLUMN", Parent, [ObjectColumn], false;
    /// A column's default.
    Default: "default", "DEFAULT", Parent, [], false;
    /// A constraint of a table.
    Constraint: "constraint", "CONSTRAINT", Parent, [ObjectTabconstraint], true;
    /// An index.
    Index: "index", "INDEX", Relation, [ObjectIndex], true;
    /// A function.
    Function: "function", "FUNCTION", Routine, [ObjectFunction, ObjectRoutine], true;
    /// A procedure.
    Procedure: "procedure", "PROCEDURE", Routine, [ObjectProcedure], true;
    /// An aggregate.
    Aggregate: "aggregate", "AGGREGATE", Routine, [ObjectAggregate], true;
    /// A view.
    View: "view", "VIEW", Relation, [ObjectView], true;
    /// A materialized view.
    MaterializedView: "materialized view", "MATERIALIZED VIEW", Relation, [ObjectMatview], true;
    /// A trigger.
    Trigger: "trigger", "TRIGGER", Parent, [ObjectTrigger], true;
    /// A rewrite rule.
    Rule: "rule", "RULE", Parent, [ObjectRule], true;
    /// A policy of row security.
    Policy: "policy", "POLICY", Parent, [ObjectPolicy], true;
    /// An event trigger.
    EventTrigger: "event trigger", "EVENT TRIGGER", Database, [ObjectEventTrigger], true;
    /// Extended statistics.
    Statistics: "statistics", "STATISTICS", Schema, [ObjectStatisticExt], true;
    /// A collation.
    Collation: "collation", "COLLATION", Schema, [ObjectCollation], true;
    /// A conversion of encodings.
    Conversion: "conversion", "CONVERSION", Schema, [ObjectConversion], true;
    /// An operator.
    Operator: "operator", "OPERATOR", Schema, [ObjectOperator], true;
    /// An operator class.
    OperatorClass: "operator class", "OPERATOR CLASS", Schema, [ObjectOpclass], true;
    /// An operator family.
    OperatorFamily: "operator family", "OPERATOR FAMILY", Schema, [ObjectOpfamily], true;
    /// A cast.
    Cast: "cast", "CAST", Database, [ObjectCast], true;
    /// A text search configuration.
    TextSearchConfiguration: "text search configuration", "TEXT SEARCH CONFIGURATION", Schema, [ObjectTsconfiguration], true;
    /// A text search dictionary.
    TextSearchDictionary: "text search dictionary", "TEXT SEARCH DICTIONARY", Schema, [ObjectTsdictionary], true;
    /// A text search parser.
    TextSearchParser: "text search parser", "TEXT SEARCH PARSER", Schema, [ObjectTsparser], true;
    /// A text search template.
    TextSearchTemplate: "text search template", "TEXT SEARCH TEMPLATE", Schema, [ObjectTstemplate], true;
    /// A procedural language.
    Language: "language", "PROCEDURAL LANGUAGE", Database, [ObjectLanguage], true;
    /// A transform.
    Transform: "transform", "TRANSFORM", Database, [ObjectTransform], true;
    /// An access method.
    AccessMethod: "access method", "ACCESS METHOD", Database, [ObjectAccessMethod], true;
    /// A foreign-data wrapper.
    ForeignDataWrapper: "foreign-data wrapper", "FOREIGN DATA WRAPPER", Database, [ObjectFdw], true;
    /// A foreign server.
    Server: "server", "SERVER", Database, [ObjectForeignServer], true;
    /// A user mapping.
    UserMapping: "user mapping", "USER MAPPING", Database, [ObjectUserMapping], true;
    /// A publication.
    Publication: "publication", "PUBLICATION", Database, [ObjectPublication], true;
    /// A subscription.
    Subscription: "subscription", "SUBSCRIPTION", Database, [ObjectSubscription], true;
    /// A comment on an object.
    Comment: "comment", "COMMENT", Parent, [], true;
    /// A GRANT or REVOKE, with all that it reaches.
    Grant: "grant", "ACL", None, [], true;
    /// What ALTER DEFAULT PRIVILEGES set.
    DefaultPrivileges: "default privileges", "DEFAULT ACL", None, [ObjectDefacl], true;
    /// A property that an ALTER gave and that no CREATE can say, such as an owner or row security.
    Setting: "setting", "SETTING", Parent, [], true;
    /// Rows that a statement brings or changes.
    Rows: "rows", "TABLE DATA", None, [], true;
    /// A statement that can't be understood and is kept as written.
    Opaque: "statement", "OPAQUE", None, [], true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_words_of_its_own() {
        for (i, kind) in Kind::ALL.iter().enumerate() {
            for other in &Kind::ALL[i + 1..] {
                assert_ne!(kind.word(), other.word());
                assert_ne!(kind.toc(), other.toc());
            }
        }
    }
}
