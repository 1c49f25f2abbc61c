//! What a setting says of the object that it belongs to. A later setting of the same property takes its place.

use super::Kind;
use crate::history::StatementId;
use std::fmt;

/// A property of an object, with all that tells it from the object's others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Property {
    /// Whose it is.
    Owner,
    /// The column that owns a sequence.
    OwnedBy,
    /// The table that a table was attached to.
    PartitionOf,
    /// Whether a materialized view is filled.
    Population,
    /// ENABLE ROW LEVEL SECURITY.
    RowSecurity,
    /// FORCE ROW LEVEL SECURITY.
    ForcedRowSecurity,
    /// CLUSTER ON.
    Cluster,
    /// REPLICA IDENTITY.
    ReplicaIdentity,
    /// LOGGED or UNLOGGED.
    Logged,
    /// The default of a column or domain.
    Default,
    /// The default of a serial column whose default isn't its sequence's next number any more.
    SerialDefault,
    /// NOT NULL of a column or domain.
    Nullability,
    /// VALIDATE of a constraint.
    Validated,
    /// What a policy says.
    Altered,
    /// The version of an extension.
    Version,
    /// The schema of an extension.
    Schema,
    /// Whether a trigger of a table fires.
    Trigger(String),
    /// Whether a rule of a table works.
    Rule(String),
    /// The statistics target of a table's column.
    Statistics(String),
    /// How a table's column is stored.
    Storage(String),
    /// How a table's column is compressed.
    Compression(String),
    /// The type of a table's column, where the model holds no text of the column.
    ColumnType(String),
    /// A constraint of a domain.
    DomainConstraint(String),
    /// The VALIDATE of a domain's constraint.
    Validation(String),
    /// A constraint that a domain doesn't have any more.
    Without(String),
    /// A value of an enum.
    Value(String),
    /// The security label of a provider.
    Label(String),
    /// The new name of an attribute, of a domain's constraint or of a view's column, by its old one.
    PartName(String),
    /// The end of a table's time as a partition of another, named here.
    DetachedFrom(String),
    /// The comment on a column that the model holds no object for: that of a view or a foreign table.
    CommentOnColumn(String),
    /// Options, by their names.
    Options(String),
    /// A setting of a role, perhaps in one database.
    RoleSetting(String),
    /// Who is in which roles.
    Membership {
        /// The members and the roles.
        of: String,
        /// The statement, where each has a say of its own.
        by: Option<StatementId>,
    },
    /// Any other command.
    Command {
        /// Its words.
        words: String,
        /// A sum of what it says, which tells it from others of the same words. People don't read it.
        sum: Option<u64>,
    },
    /// The type of a column that was there before the part, as one statement sets it.
    Type(StatementId),
    /// The identity of such a column, as one statement sets it.
    Identity(StatementId),
    /// The expression of such a column, as one statement sets it.
    Expression(StatementId),
    /// What one statement changes.
    Change(StatementId),
    /// The name of what was there before the part; what it was is named here.
    RenamedFrom(String),
    /// The schema of what was there before the part.
    Moved,
    /// That things are gone that were there before the part.
    Dropped {
        /// Their kind.
        kind: Kind,
        /// Their names.
        names: Vec<String>,
    },
    /// A change by a statement that none after it may take the place of.
    Sealed(Box<Property>, StatementId),
}

impl Property {
    /// Whether setting it may change the values of rows.
    pub fn may_change_rows(&self) -> bool {
        match self {
            Property::Type(_) | Property::ColumnType(_) => true,
            Property::Sealed(of, _) => of.may_change_rows(),
            _ => false,
        }
    }

    /// The name by which the object's properties are told apart.
    pub fn key(&self) -> String {
        match self {
            Property::Command { words, sum: Some(sum) } => format!("{words} {sum:x}"),
            Property::Sealed(of, by) => format!("{} by statement {by}", of.key()),
            other => other.to_string(),
        }
    }

    /// Whether it gives something another name or schema.
    pub fn renames(&self) -> bool {
        matches!(self, Property::RenamedFrom(_) | Property::Moved)
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Property::Owner => "owner",
            Property::OwnedBy => "owned by",
            Property::PartitionOf => "partition of",
            Property::Population => "population",
            Property::RowSecurity => "row security",
            Property::ForcedRowSecurity => "forced row security",
            Property::Cluster => "cluster",
            Property::ReplicaIdentity => "replica identity",
            Property::Logged => "logged",
            Property::Default => "default",
            Property::SerialDefault => "default of a serial column",
            Property::Nullability => "nullability",
            Property::Validated => "validated",
            Property::Altered => "altered",
            Property::Version => "version",
            Property::Schema => "schema",
            Property::Moved => "rename from another schema",
            Property::Trigger(name) => return write!(f, "trigger {name}"),
            Property::Rule(name) => return write!(f, "rule {name}"),
            Property::Statistics(name) => return write!(f, "statistics {name}"),
            Property::Storage(name) => return write!(f, "storage {name}"),
            Property::Compression(name) => return write!(f, "compression {name}"),
            Property::ColumnType(name) => return write!(f, "type of {name}"),
            Property::DomainConstraint(name) => return write!(f, "constraint {name}"),
            Property::Validation(name) => return write!(f, "validation of {name}"),
            Property::Without(name) => return write!(f, "without {name}"),
            Property::Value(name) => return write!(f, "value {name}"),
            Property::Label(provider) => return write!(f, "label {provider}"),
            Property::PartName(name) => return write!(f, "renamed {name}"),
            Property::DetachedFrom(parent) => return write!(f, "detaching from {parent}"),
            Property::CommentOnColumn(name) => return write!(f, "column {name}"),
            Property::Options(names) => return write!(f, "options {names}"),
            Property::RoleSetting(name) => return write!(f, "setting {name}"),
            Property::Membership { of, by: None } => return write!(f, "membership {of}"),
            Property::Membership { of, by: Some(by) } => return write!(f, "membership {of} {by}"),
            Property::Command { words, .. } => words,
            Property::Type(by) => return write!(f, "type {by}"),
            Property::Identity(by) => return write!(f, "identity {by}"),
            Property::Expression(by) => return write!(f, "expression {by}"),
            Property::Change(by) => return write!(f, "change {by}"),
            Property::RenamedFrom(name) => return write!(f, "rename from {name}"),
            Property::Dropped { kind, names } => return write!(f, "drop {} {}", kind.word(), names.join(", ")),
            Property::Sealed(of, by) => return write!(f, "{of} by statement {by}"),
        };
        f.write_str(word)
    }
}
