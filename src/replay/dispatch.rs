//! Which statement goes where.

use super::Replay;
use crate::ledger::Mark;
use pg_query::NodeEnum as N;

impl Replay<'_> {
    /// Applies one statement.
    pub(crate) fn apply(&mut self, node: &N) {
        match node {
            N::CreateStmt(s) => self.create_table(s),
            N::CreateTableAsStmt(s) => self.create_table_as(s),
            N::AlterTableStmt(s) => self.alter_table(s),
            N::ViewStmt(s) => self.create_view(s),
            N::IndexStmt(s) => self.create_index(s),
            N::CreateSeqStmt(s) => self.create_sequence(s),
            N::AlterSeqStmt(s) => self.alter_sequence(s),
            N::CreateEnumStmt(s) => self.create_enum(s),
            N::AlterEnumStmt(s) => self.alter_enum(s),
            N::CompositeTypeStmt(s) => self.create_composite(s),
            N::CreateDomainStmt(s) => self.create_domain(s),
            N::AlterDomainStmt(s) => self.alter_domain(s),
            N::CreateFunctionStmt(s) => self.create_routine(s),
            N::AlterFunctionStmt(s) => self.alter_routine(s),
            N::CreateTrigStmt(s) => self.create_trigger(s),
            N::CreatePolicyStmt(s) => self.create_policy(s),
            N::AlterPolicyStmt(s) => self.alter_policy(s),
            N::RuleStmt(s) => self.create_rule(s),
            N::CreateSchemaStmt(s) => self.create_schema(s),
            N::CreateExtensionStmt(s) => self.create_extension(s),
            N::CreateRoleStmt(s) => self.create_role(s),
            N::AlterRoleStmt(s) => self.alter_role(s),
            N::AlterRoleSetStmt(s) => self.alter_role_set(s),
            N::DropRoleStmt(s) => self.drop_role(s),
            N::GrantRoleStmt(s) => self.grant_role(s),
            N::GrantStmt(s) => self.grant(s),
            N::AlterDefaultPrivilegesStmt(s) => self.default_privileges(s),
            N::DropOwnedStmt(s) => self.drop_owned(s),
            N::ReassignOwnedStmt(s) => self.reassign_owned(s),
            N::CommentStmt(s) => self.comment(s),
            N::SecLabelStmt(s) => self.security_label(s),
            N::DropStmt(s) => self.drop(s),
            N::RenameStmt(s) => self.rename(s),
            N::AlterObjectSchemaStmt(s) => self.set_schema(s),
            N::AlterOwnerStmt(s) => self.owner(s),
            N::InsertStmt(_) | N::UpdateStmt(_) | N::DeleteStmt(_) | N::MergeStmt(_) => self.rows(node),
            N::TruncateStmt(s) => self.truncate(s),
            N::CopyStmt(s) => self.copy(s),
            N::RefreshMatViewStmt(s) => self.refresh(s),
            N::SelectStmt(s) => self.select(s, node),
            N::DoStmt(s) => self.do_block(s),
            N::VariableSetStmt(s) => self.variable_set(s),
            N::TransactionStmt(s) => self.transaction(s),
            _ => self.apply_rare(node),
        }
    }

    /// Statements that leave nothing behind, and the kinds that rarely change.
    fn apply_rare(&mut self, node: &N) {
        let noise = match node {
            // No text is one by itself (`sql::parse`).
            N::RawStmt(_) => return self.keep_effects("nested too deep to be taken apart"),
            N::VacuumStmt(_) => "gathers statistics or cleans up",
            N::LockStmt(_) => "locks",
            N::ExplainStmt(s) if s.options.iter().any(is_analyze) => return self.keep_effects("runs what it explains"),
            N::VariableShowStmt(_) | N::ExplainStmt(_) => "only looks",
            N::NotifyStmt(_) | N::ListenStmt(_) | N::UnlistenStmt(_) => "talks to listeners",
            N::CheckPointStmt(_) | N::ReindexStmt(_) => "maintains",
            N::DiscardStmt(s) => return self.discard(s),
            N::ConstraintsSetStmt(_) => "speaks to the session",
            _ => {
                if !self.create_other(node) {
                    self.keep_effects("a kind of statement that isn't understood");
                }
                return;
            }
        };
        self.mark(Mark::Session(noise.into()));
    }
}

fn is_analyze(option: &pg_query::Node) -> bool {
    matches!(&option.node, Some(N::DefElem(o)) if o.defname == "analyze")
}
