//! The one list of the kinds of objects. All that is asked of a kind derives from its row: the word for it, pg_dump's name, within
//! what its names differ, PostgreSQL's `ObjectType`, whether it has a statement of its own, the word of GRANT, what takes it away,
//! how pg_dump names its entry, and what else it is. A new kind is one row here, its file beside, and a fixture.
//!
//! ```
//! use consolidate::schema::{Drop, Kind};
//! assert_eq!((Kind::View.grant_word(), Kind::Trigger.drop()), ("TABLE", Drop::OnParent));
//! assert!(Kind::Aggregate.is_routine() && !Kind::Aggregate.is_code());
//! ```

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

/// What takes an object of a kind away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Drop {
    /// `DROP KIND name`.
    Named,
    /// `DROP KIND name ON parent`.
    OnParent,
    /// `ALTER TABLE parent DROP KIND name`.
    Alter,
    /// The statement that made it, turned round: REVOKE for GRANT.
    TurnedRound,
    /// Nothing that its name alone could say.
    Never,
}

/// How pg_dump names the entry of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tag {
    /// By its name.
    Own,
    /// By its parent's name and its own.
    OnParent,
    /// By the names of the table and the column.
    OnColumn,
    /// By its name and arguments.
    WithArguments,
    /// As a comment on something.
    Comment,
    /// As the privileges on each thing that it reaches.
    Privileges,
    /// In that of what it belongs to, or as a part of it.
    OfParent,
    /// It has none.
    None,
}

/// What else a kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trait {
    Routine,
    Code,
    Type,
    Readable,
    Public,
    Act,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $word:literal, $toc:literal, $space:ident, [$($object:ident),*], $stands:literal, $grant:literal,
        $drop:ident, $tag:ident, [$($trait:ident),*];)*) => {
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

            /// The word for it in GRANT and REVOKE.
            pub fn grant_word(self) -> &'static str {
                match self { $(Kind::$kind => $grant,)* }
            }

            /// What takes an object of the kind away.
            pub fn drop(self) -> Drop {
                match self { $(Kind::$kind => Drop::$drop,)* }
            }

            /// How pg_dump names its entry.
            pub fn tag(self) -> Tag {
                match self { $(Kind::$kind => Tag::$tag,)* }
            }

            fn traits(self) -> &'static [Trait] {
                match self { $(Kind::$kind => &[$(Trait::$trait),*],)* }
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
    Schema: "schema", "SCHEMA", Database, [ObjectSchema], true, "SCHEMA", Named, Own, [Public];
    /// An extension.
    Extension: "extension", "EXTENSION", Database, [ObjectExtension], true, "EXTENSION", Named, Own, [];
    /// A role.
    Role: "role", "ROLE", Database, [ObjectRole], true, "ROLE", Named, Own, [];
    /// An enum, composite, range or base type.
    Type: "type", "TYPE", Type, [ObjectType], true, "TYPE", Named, Own, [Type, Public];
    /// A domain.
    Domain: "domain", "DOMAIN", Type, [ObjectDomain], true, "DOMAIN", Named, Own, [Type, Public];
    /// A sequence, also of a serial or identity column.
    Sequence: "sequence", "SEQUENCE", Relation, [ObjectSequence], true, "SEQUENCE", Named, Own, [];
    /// A table.
    Table: "table", "TABLE", Relation, [ObjectTable], true, "TABLE", Named, Own, [Readable];
    /// A foreign table.
    ForeignTable: "foreign table", "FOREIGN TABLE", Relation, [ObjectForeignTable], true, "TABLE", Named, Own, [Readable];
    /// A column of a table.
    Column: "column", "COLUMN", Parent, [ObjectColumn], false, "COLUMN", Alter, None, [];
    /// A column's default.
    Default: "default", "DEFAULT", Parent, [], false, "DEFAULT", Never, OnColumn, [];
    /// A constraint of a table.
    Constraint: "constraint", "CONSTRAINT", Parent, [ObjectTabconstraint], true, "CONSTRAINT", Alter, OnParent, [];
    /// An index.
    Index: "index", "INDEX", Relation, [ObjectIndex], true, "INDEX", Named, Own, [];
    /// A function.
    Function: "function", "FUNCTION", Routine, [ObjectFunction, ObjectRoutine], true, "FUNCTION", Named, WithArguments, [Routine, Code, Public];
    /// A procedure.
    Procedure: "procedure", "PROCEDURE", Routine, [ObjectProcedure], true, "PROCEDURE", Named, WithArguments, [Routine, Code, Public];
    /// An aggregate.
    Aggregate: "aggregate", "AGGREGATE", Routine, [ObjectAggregate], true, "FUNCTION", Named, WithArguments, [Routine, Public];
    /// A view.
    View: "view", "VIEW", Relation, [ObjectView], true, "TABLE", Named, Own, [Readable];
    /// A materialized view.
    MaterializedView: "materialized view", "MATERIALIZED VIEW", Relation, [ObjectMatview], true, "TABLE", Named, Own, [Readable];
    /// A trigger.
    Trigger: "trigger", "TRIGGER", Parent, [ObjectTrigger], true, "TRIGGER", OnParent, OnParent, [];
    /// A rewrite rule.
    Rule: "rule", "RULE", Parent, [ObjectRule], true, "RULE", OnParent, OnParent, [];
    /// A policy of row security.
    Policy: "policy", "POLICY", Parent, [ObjectPolicy], true, "POLICY", OnParent, OnParent, [];
    /// An event trigger.
    EventTrigger: "event trigger", "EVENT TRIGGER", Database, [ObjectEventTrigger], true, "EVENT TRIGGER", Named, Own, [];
    /// Extended statistics.
    Statistics: "statistics", "STATISTICS", Schema, [ObjectStatisticExt], true, "STATISTICS", Named, Own, [];
    /// A collation.
    Collation: "collation", "COLLATION", Schema, [ObjectCollation], true, "COLLATION", Named, Own, [];
    /// A conversion of encodings.
    Conversion: "conversion", "CONVERSION", Schema, [ObjectConversion], true, "CONVERSION", Named, Own, [];
    /// An operator.
    Operator: "operator", "OPERATOR", Schema, [ObjectOperator], true, "OPERATOR", Never, Own, [];
    /// An operator class.
    OperatorClass: "operator class", "OPERATOR CLASS", Schema, [ObjectOpclass], true, "OPERATOR CLASS", Never, Own, [];
    /// An operator family.
    OperatorFamily: "operator family", "OPERATOR FAMILY", Schema, [ObjectOpfamily], true, "OPERATOR FAMILY", Never, Own, [];
    /// A cast.
    Cast: "cast", "CAST", Database, [ObjectCast], true, "CAST", Never, Own, [];
    /// A text search configuration.
    TextSearchConfiguration: "text search configuration", "TEXT SEARCH CONFIGURATION", Schema, [ObjectTsconfiguration], true, "TEXT SEARCH CONFIGURATION", Named, Own, [];
    /// A text search dictionary.
    TextSearchDictionary: "text search dictionary", "TEXT SEARCH DICTIONARY", Schema, [ObjectTsdictionary], true, "TEXT SEARCH DICTIONARY", Named, Own, [];
    /// A text search parser.
    TextSearchParser: "text search parser", "TEXT SEARCH PARSER", Schema, [ObjectTsparser], true, "TEXT SEARCH PARSER", Named, Own, [];
    /// A text search template.
    TextSearchTemplate: "text search template", "TEXT SEARCH TEMPLATE", Schema, [ObjectTstemplate], true, "TEXT SEARCH TEMPLATE", Named, Own, [];
    /// A procedural language.
    Language: "language", "PROCEDURAL LANGUAGE", Database, [ObjectLanguage], true, "LANGUAGE", Named, Own, [Public];
    /// A transform.
    Transform: "transform", "TRANSFORM", Database, [ObjectTransform], true, "TRANSFORM", Never, Own, [];
    /// An access method.
    AccessMethod: "access method", "ACCESS METHOD", Database, [ObjectAccessMethod], true, "ACCESS METHOD", Named, Own, [];
    /// A foreign-data wrapper.
    ForeignDataWrapper: "foreign-data wrapper", "FOREIGN DATA WRAPPER", Database, [ObjectFdw], true, "FOREIGN DATA WRAPPER", Named, Own, [];
    /// A foreign server.
    Server: "server", "SERVER", Database, [ObjectForeignServer], true, "FOREIGN SERVER", Named, Own, [];
    /// A user mapping.
    UserMapping: "user mapping", "USER MAPPING", Database, [ObjectUserMapping], true, "USER MAPPING", TurnedRound, Own, [];
    /// A publication.
    Publication: "publication", "PUBLICATION", Database, [ObjectPublication], true, "PUBLICATION", Named, Own, [];
    /// A subscription.
    Subscription: "subscription", "SUBSCRIPTION", Database, [ObjectSubscription], true, "SUBSCRIPTION", Never, Own, [];
    /// A comment on an object.
    Comment: "comment", "COMMENT", Parent, [], true, "COMMENT", TurnedRound, Comment, [];
    /// A GRANT or REVOKE, with all that it reaches.
    Grant: "grant", "ACL", None, [], true, "ACL", TurnedRound, Privileges, [];
    /// What ALTER DEFAULT PRIVILEGES set.
    DefaultPrivileges: "default privileges", "DEFAULT ACL", None, [ObjectDefacl], true, "DEFAULT ACL", TurnedRound, Own, [];
    /// A property that an ALTER gave and that no CREATE can say, such as an owner or row security.
    Setting: "setting", "SETTING", Parent, [], true, "SETTING", TurnedRound, OfParent, [];
    /// Rows that a statement brings or changes.
    Rows: "rows", "TABLE DATA", None, [], true, "TABLE DATA", Never, None, [Act];
    /// A statement that can't be understood and is kept as written.
    Opaque: "statement", "OPAQUE", None, [], true, "OPAQUE", Never, None, [Act];
}

impl Kind {
    /// A function, a procedure or an aggregate.
    pub fn is_routine(self) -> bool {
        self.traits().contains(&Trait::Routine)
    }

    /// A routine with a body.
    pub fn is_code(self) -> bool {
        self.traits().contains(&Trait::Code)
    }

    /// What a column may be of, other than a table's row.
    pub fn is_type(self) -> bool {
        self.traits().contains(&Trait::Type)
    }

    /// What GRANT ... ON TABLE reaches: a table, or something that is read as one.
    pub fn is_read_as_table(self) -> bool {
        self.traits().contains(&Trait::Readable)
    }

    /// What PUBLIC has privileges on from the start (PostgreSQL's documentation, "Privileges", table 5.2).
    pub fn is_public(self) -> bool {
        self.traits().contains(&Trait::Public)
    }

    /// No thing, but what a statement does: it brings rows, or whatever nobody can read.
    pub fn is_act(self) -> bool {
        self.traits().contains(&Trait::Act)
    }
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
