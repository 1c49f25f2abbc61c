//! The guards of DO blocks: `IF [NOT] EXISTS (SELECT ... FROM a catalog WHERE ...)`, answered by what the model has.

use super::do_read::Guard;
use crate::replay::Replay;
use crate::schema::{Kind, Namespace, Object};
use crate::sql::lex::lex_code;
use crate::sql::names;
use pg_query::NodeEnum;
use pg_query::protobuf::AlterTableType;

/// The columns of PostgreSQL's catalogs and of the information schema that guards compare with a name, and of what.
const NAMED: &[(&[&str], Asked)] = &[
    (&["table_name", "tablename", "relname", "viewname", "matviewname", "sequencename"], Asked::Relation),
    (&["attrelid", "conrelid", "tgrelid", "indrelid", "polrelid"], Asked::Relation),
    (&["column_name", "attname"], Asked::Column),
    (&["typname"], Asked::Type),
    (&["indexname"], Asked::Kind(Kind::Index)),
    (&["conname", "constraint_name"], Asked::Kind(Kind::Constraint)),
    (&["tgname", "trigger_name"], Asked::Kind(Kind::Trigger)),
    (&["polname", "policyname"], Asked::Kind(Kind::Policy)),
    (&["rolname", "usename"], Asked::Kind(Kind::Role)),
    (&["schema_name"], Asked::Kind(Kind::Schema)),
    (&["extname"], Asked::Kind(Kind::Extension)),
];

/// The columns that say in which schema.
const SCHEMAS: &[&str] = &["table_schema", "schemaname", "nspname", "constraint_schema", "trigger_schema"];

/// What a guard wants to be there.
#[derive(Default)]
struct Question<'a> {
    asked: Vec<(Asked, &'a str)>,
    schemas: Vec<&'a str>,
}

/// What such a column names.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Relation,
    Column,
    Type,
    Kind(Kind),
}

impl Replay<'_> {
    /// Whether what a guard guards runs; `None` if the guard's question can't be answered.
    pub(crate) fn answer(&self, guard: &Guard) -> Option<bool> {
        let asks = guard.asks.as_deref()?;
        let tokens = lex_code(asks);
        // One condition beside the other is understood, no more.
        if tokens.iter().any(|t| ["or", "not", "in", "like", "ilike"].iter().any(|w| t.is(asks, w))) {
            return None;
        }
        let mut question = Question::default();
        for at in 2..tokens.len() {
            let Some(name) = tokens[at].inside(asks).filter(|_| tokens[at - 1].text(asks) == "=") else { continue };
            let column = tokens[at - 2].name(asks)?;
            match NAMED.iter().find(|(columns, _)| columns.contains(&column.as_str())) {
                Some((_, kind)) => question.asked.push((*kind, name)),
                None if SCHEMAS.contains(&column.as_str()) => question.schemas.push(name),
                None if column == "enumlabel" => return None,
                // Of which form it is asked to be.
                None => {}
            }
        }
        // What isn't known here may be there all the same, if others could make it.
        let is_certain = !self.opaque_writes && self.history.prelude.is_empty();
        let mut there = (!question.asked.is_empty()).then_some(true)?;
        let mut is_told = true;
        for (asked, name) in &question.asked {
            let has = self.has(*asked, name, &question);
            let of_all = matches!(asked, Asked::Kind(Kind::Role | Kind::Extension));
            is_told &= has || (is_certain && !of_all);
            there &= has;
        }
        is_told.then_some(there != guard.absent)
    }

    /// Whether something of a name lives.
    fn has(&self, asked: Asked, name: &str, question: &Question) -> bool {
        let schema = &self.schema;
        let in_place =
            |object: &Object| question.schemas.is_empty() || question.schemas.contains(&object.schema.as_str());
        let is_named = |object: &Object, name: &str| {
            in_place(object) && (object.name == name || names_in(name).last() == Some(&object.name))
        };
        let is_column = |object: &Object| {
            let of = |parent: usize| {
                let mut relations =
                    question.asked.iter().filter(|(kind, _)| matches!(kind, Asked::Relation)).peekable();
                relations.peek().is_none() || relations.any(|(_, r)| is_named(&schema.objects[parent], r))
            };
            object.kind == Kind::Column && object.name == name && object.parent.is_some_and(of)
        };
        let last = names_in(name).pop().filter(|last| last != name);
        let named = schema.named(name).chain(last.iter().flat_map(|last| schema.named(last)));
        named.map(|id| &schema.objects[id]).any(|object| match asked {
            Asked::Relation => object.kind.namespace() == Namespace::Relation && is_named(object, name),
            Asked::Type => object.kind.is_type() && object.name == name && in_place(object),
            Asked::Column => is_column(object),
            // The index of a key has its name.
            Asked::Kind(Kind::Index) => matches!(object.kind, Kind::Index | Kind::Constraint) && object.name == name,
            Asked::Kind(kind) => object.kind == kind && object.name == name,
        })
    }

    /// Whether a statement runs behind a guard that can't be answered: such guards ask for what their statements make, or
    /// need.
    pub(crate) fn runs(&self, guard: &Guard, node: &NodeEnum) -> bool {
        let Some(there) = self.is_there(node) else { return true };
        match guard.absent {
            true => !there,
            // What is made only if something is there isn't that itself.
            false => there || makes(node),
        }
    }

    /// Whether what the statement makes, or needs, is there; `None` if it can't be told.
    fn is_there(&self, node: &NodeEnum) -> Option<bool> {
        let path = self.path();
        let of_type = |parts: &[pg_query::Node]| {
            let name = names::qualified(&names::strings(parts));
            let (schema, name) = self.place(&name);
            self.schema.type_of(&names::Qualified { schema: Some(schema), name }, &path).is_some()
        };
        Some(match node {
            NodeEnum::CreateEnumStmt(s) => of_type(&s.type_name),
            NodeEnum::CreateDomainStmt(s) => of_type(&s.domainname),
            NodeEnum::CompositeTypeStmt(s) => {
                self.schema.type_of(&names::range_var(s.typevar.as_ref()?), &path).is_some()
            }
            NodeEnum::CreateStmt(s) => self.relation_opt(&s.relation).is_some(),
            NodeEnum::CreateSeqStmt(s) => self.relation_opt(&s.sequence).is_some(),
            NodeEnum::CreateRoleStmt(s) => self.schema.global(Kind::Role, &s.role).is_some(),
            NodeEnum::CreateSchemaStmt(s) => self.schema.global(Kind::Schema, &s.schemaname).is_some(),
            NodeEnum::CreateExtensionStmt(s) => self.schema.global(Kind::Extension, &s.extname).is_some(),
            NodeEnum::IndexStmt(s) => {
                let table = self.relation_opt(&s.relation)?;
                let schema = Some(self.schema.objects[table].schema.clone());
                self.schema.relation(&names::Qualified { schema, name: s.idxname.clone() }, &[]).is_some()
            }
            NodeEnum::CreateTrigStmt(s) => {
                self.schema.child(self.relation_opt(&s.relation)?, Kind::Trigger, &s.trigname).is_some()
            }
            NodeEnum::CreatePolicyStmt(s) => {
                self.schema.child(self.relation_opt(&s.table)?, Kind::Policy, &s.policy_name).is_some()
            }
            NodeEnum::DropStmt(s) => {
                let kind = Kind::of_object_type(s.remove_type)?;
                s.objects.iter().any(|o| self.locate(kind, o).is_some())
            }
            NodeEnum::AlterTableStmt(s) => return self.alter_is_there(s),
            NodeEnum::RenameStmt(s) if !s.subname.is_empty() => {
                let table = self.relation_opt(&s.relation)?;
                let kind = Kind::of_object_type(s.rename_type)?;
                self.schema.child(table, kind, &s.subname).is_some()
            }
            NodeEnum::RenameStmt(s) => self.relation_opt(&s.relation).is_some(),
            NodeEnum::AlterEnumStmt(_) => false,
            _ => return None,
        })
    }

    fn alter_is_there(&self, statement: &pg_query::protobuf::AlterTableStmt) -> Option<bool> {
        let table = self.relation_opt(&statement.relation)?;
        let NodeEnum::AlterTableCmd(command) = statement.cmds.first()?.node.as_ref()? else { return None };
        let definition = command.def.as_ref().and_then(|d| d.node.as_ref());
        match (AlterTableType::try_from(command.subtype).ok()?, definition) {
            (AlterTableType::AtAddColumn, Some(NodeEnum::ColumnDef(c))) => {
                Some(self.schema.column(table, &c.colname).is_some())
            }
            (AlterTableType::AtAddConstraint, Some(NodeEnum::Constraint(c))) => {
                Some(self.schema.child(table, Kind::Constraint, &c.conname).is_some())
            }
            (AlterTableType::AtDropConstraint, _) => {
                Some(self.schema.child(table, Kind::Constraint, &command.name).is_some())
            }
            (AlterTableType::AtDropColumn, _) => Some(self.schema.column(table, &command.name).is_some()),
            (
                AlterTableType::AtAlterColumnType
                | AlterTableType::AtColumnDefault
                | AlterTableType::AtSetNotNull
                | AlterTableType::AtDropNotNull,
                _,
            ) => Some(self.schema.column(table, &command.name).is_some()),
            _ => None,
        }
    }
}

/// Whether a statement makes an object of its own.
fn makes(node: &NodeEnum) -> bool {
    !matches!(node, NodeEnum::DropStmt(_) | NodeEnum::AlterTableStmt(_) | NodeEnum::RenameStmt(_))
}

/// The parts of a name as it stands in a string: `public.users`.
fn names_in(text: &str) -> Vec<String> {
    lex_code(text).iter().filter_map(|t| t.name(text)).collect()
}
