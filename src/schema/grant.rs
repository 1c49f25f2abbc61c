//! What GRANT and REVOKE leave: what is given, to whom, on what.

use super::ObjectId;

/// What one GRANT or REVOKE statement still says.
#[derive(Debug, Clone)]
pub struct GrantBody {
    /// The statement as written.
    pub text: String,
    /// False for a REVOKE.
    pub is_grant: bool,
    /// WITH GRANT OPTION, or GRANT OPTION FOR.
    pub grant_option: bool,
    /// What it gives, to whom, on what.
    pub atoms: Vec<Atom>,
    /// The schemas of `ON ALL ... IN SCHEMA`.
    pub all_in: Vec<String>,
}

/// Privileges on one object for one grantee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atom {
    /// The object.
    pub target: ObjectId,
    /// The role, or `PUBLIC`.
    pub grantee: String,
    /// The privileges.
    pub privileges: Vec<Privilege>,
}

/// A privilege, perhaps on columns only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privilege {
    /// In capitals; `ALL` for all.
    pub name: String,
    /// The columns, if it is for columns.
    pub columns: Vec<ObjectId>,
}
