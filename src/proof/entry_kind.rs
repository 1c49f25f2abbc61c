//! What kind of thing an entry is about, in the words of `pg_dump`'s table of contents; and the kinds of what it leaves out, which are
//! the judge's own. Nothing else compares these words.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! kinds {
    ($($name:ident = $words:literal;)*) => {
        /// A kind of entry. Those that nothing asks for by name are `Other`.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum EntryKind {
            $(#[doc = $words] $name,)*
            /// Another one, in its own words.
            Other(String),
        }

        impl EntryKind {
            /// Its words.
            pub fn as_str(&self) -> &str {
                match self {
                    $(EntryKind::$name => $words,)*
                    EntryKind::Other(words) => words,
                }
            }
        }

        impl From<&str> for EntryKind {
            fn from(words: &str) -> Self {
                match words {
                    $($words => EntryKind::$name,)*
                    words => EntryKind::Other(words.to_string()),
                }
            }
        }
    };
}

kinds! {
    Acl = "ACL";
    Aggregate = "AGGREGATE";
    BootstrapRole = "BOOTSTRAP ROLE";
    BuiltInComments = "BUILT-IN COMMENTS";
    BuiltInFunction = "BUILT-IN FUNCTION";
    BuiltInObjects = "BUILT-IN OBJECTS";
    CheckConstraint = "CHECK CONSTRAINT";
    ColumnOrder = "COLUMN ORDER";
    Comment = "COMMENT";
    Constraint = "CONSTRAINT";
    Database = "DATABASE";
    DatabaseSetting = "DATABASE SETTING";
    Default = "DEFAULT";
    DefaultAcl = "DEFAULT ACL";
    DroppedSchema = "DROPPED SCHEMA";
    ExtensionComments = "EXTENSION COMMENTS";
    ExtensionFunctions = "EXTENSION FUNCTIONS";
    ExtensionMembers = "EXTENSION MEMBERS";
    ExtensionOwner = "EXTENSION OWNER";
    ExtensionTypes = "EXTENSION TYPES";
    ExtensionVersion = "EXTENSION VERSION";
    FkConstraint = "FK CONSTRAINT";
    ForeignTable = "FOREIGN TABLE";
    Function = "FUNCTION";
    Index = "INDEX";
    IndexAttach = "INDEX ATTACH";
    InternalTrigger = "INTERNAL TRIGGER";
    LanguagePrivileges = "LANGUAGE PRIVILEGES";
    LargeObject = "LARGE OBJECT";
    MaterializedView = "MATERIALIZED VIEW";
    MaterializedViewData = "MATERIALIZED VIEW DATA";
    OtherDatabase = "OTHER DATABASE";
    ParameterPrivileges = "PARAMETER PRIVILEGES";
    Policy = "POLICY";
    ProceduralLanguage = "PROCEDURAL LANGUAGE";
    Procedure = "PROCEDURE";
    PublicationTable = "PUBLICATION TABLE";
    PublicationTablesInSchema = "PUBLICATION TABLES IN SCHEMA";
    ReplicaIdentity = "REPLICA IDENTITY";
    ReplicationOrigin = "REPLICATION ORIGIN";
    ReplicationSlot = "REPLICATION SLOT";
    Role = "ROLE";
    RoleComment = "ROLE COMMENT";
    RoleMembership = "ROLE MEMBERSHIP";
    RoleSetting = "ROLE SETTING";
    RowSecurity = "ROW SECURITY";
    RowTypePrivileges = "ROW TYPE PRIVILEGES";
    Rows = "ROWS";
    Rule = "RULE";
    SecurityLabel = "SECURITY LABEL";
    Sequence = "SEQUENCE";
    SequenceOwnedBy = "SEQUENCE OWNED BY";
    SequencePosition = "SEQUENCE POSITION";
    SequenceSet = "SEQUENCE SET";
    Session = "SESSION";
    SessionObject = "SESSION OBJECT";
    SessionOfAFile = "SESSION OF A FILE";
    Statistics = "STATISTICS";
    SubscriptionState = "SUBSCRIPTION STATE";
    SystemSetting = "SYSTEM SETTING";
    Table = "TABLE";
    TableAttach = "TABLE ATTACH";
    TableData = "TABLE DATA";
    Tablespace = "TABLESPACE";
    Trigger = "TRIGGER";
    UserMapping = "USER MAPPING";
    View = "VIEW";
}

impl EntryKind {
    /// Whether it is about a role: the role, its comment, its settings, who is a member of it.
    pub fn is_of_role(&self) -> bool {
        matches!(self, EntryKind::Role | EntryKind::RoleComment | EntryKind::RoleMembership | EntryKind::RoleSetting)
    }

    /// Whether it is something of an extension that no dump shows.
    pub fn is_of_extension(&self) -> bool {
        use EntryKind as K;
        let known = matches!(
            self,
            K::ExtensionComments | K::ExtensionFunctions | K::ExtensionMembers | K::ExtensionOwner | K::ExtensionTypes
        );
        known || *self == K::ExtensionVersion
    }

    /// Whether it is a constraint of any sort.
    pub fn is_constraint(&self) -> bool {
        matches!(self, EntryKind::Constraint | EntryKind::FkConstraint | EntryKind::CheckConstraint)
    }
}

impl Default for EntryKind {
    fn default() -> Self {
        EntryKind::Other(String::new())
    }
}

impl From<String> for EntryKind {
    fn from(words: String) -> Self {
        EntryKind::from(words.as_str())
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// By their words, so that reports keep their order.
impl Ord for EntryKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for EntryKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for EntryKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::EntryKind;

    #[test]
    fn words_come_back() {
        for words in ["ACL", "TABLE", "BUILT-IN FUNCTION", "EVENT TRIGGER", ""] {
            assert_eq!(EntryKind::from(words).to_string(), words);
        }
        assert_eq!(EntryKind::from("FK CONSTRAINT"), EntryKind::FkConstraint);
        assert!(EntryKind::Table < EntryKind::from("TABLE DATA") && EntryKind::from("ACL") < EntryKind::Table);
    }
}
