//! From names to objects: as DROP, COMMENT, GRANT and ALTER name them, and as trees refer to them.

use super::Replay;
use crate::objects::PieceKind;
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::names::{self, Qualified};
use crate::sql::walk::{References, references};
use pg_query::protobuf::{FunctionParameterMode, ObjectWithArgs, RangeVar, TypeName};
use pg_query::{Node, NodeEnum};
use serde::Serialize;

impl Replay<'_> {
    /// The schemas that a name without one is looked up in.
    pub(crate) fn path(&self) -> Vec<String> {
        let mut path = vec!["pg_temp".to_string()];
        path.extend(self.context.path().iter().cloned());
        path
    }

    /// The schema in which a new object without one is made: the first of the path.
    pub(crate) fn place(&self, name: &Qualified) -> (String, String) {
        let schema = name.schema.clone().unwrap_or_else(|| {
            let path = self.context.path();
            let exists = |s: &&String| self.schema.global(Kind::Schema, s).is_some();
            path.iter().find(exists).or(path.first()).cloned().unwrap_or_else(|| "public".into())
        });
        (schema, names::truncate(&name.name))
    }

    /// A relation by name.
    pub(crate) fn relation(&self, range: &RangeVar) -> Option<ObjectId> {
        self.schema.relation(&names::range_var(range), &self.path())
    }

    /// A relation by the optional name of a statement.
    pub(crate) fn relation_opt(&self, range: &Option<RangeVar>) -> Option<ObjectId> {
        self.relation(range.as_ref()?)
    }

    /// A type as signatures name it.
    pub(crate) fn type_text(&self, ty: &TypeName) -> String {
        let path = self.path();
        if ty.pct_type
            && let Some(found) = self.type_of_column(&names::strings(&ty.names))
        {
            return found;
        }
        names::type_name(ty, &|name| self.schema.type_of(name, &path).map(|id| self.schema.objects[id].schema.clone()))
    }

    /// `table.column%TYPE` is looked up once, when the routine is made.
    fn type_of_column(&self, parts: &[String]) -> Option<String> {
        let (column, table) = parts.split_last()?;
        let table = self.schema.relation(&names::qualified(table), &self.path())?;
        let column = self.schema.column(table, column)?;
        let Body::Column(body) = &self.schema.objects[column].body else { return None };
        let text = &body.piece(PieceKind::Type)?.text;
        let NodeEnum::SelectStmt(select) = Replay::reparse(&format!("SELECT NULL::{text}"))? else { return None };
        let NodeEnum::ResTarget(target) = select.target_list.first()?.node.as_ref()? else { return None };
        match target.val.as_ref()?.node.as_ref()? {
            NodeEnum::TypeCast(cast) => cast.type_name.as_ref().map(|t| self.type_text(t)),
            _ => None,
        }
    }

    /// The argument types of a routine, as pg_dump lists them.
    pub(crate) fn arguments(&self, parameters: &[Node]) -> String {
        let mut types = Vec::new();
        for parameter in parameters {
            let Some(NodeEnum::FunctionParameter(p)) = &parameter.node else { continue };
            let mode = FunctionParameterMode::try_from(p.mode).unwrap_or(FunctionParameterMode::Undefined);
            if matches!(mode, FunctionParameterMode::FuncParamOut | FunctionParameterMode::FuncParamTable) {
                continue;
            }
            if let Some(ty) = &p.arg_type {
                types.push(self.type_text(ty));
            }
        }
        types.join(", ")
    }

    /// The routine that DROP, COMMENT or GRANT names.
    pub(crate) fn routine(&self, object: &ObjectWithArgs) -> Option<ObjectId> {
        let name = names::qualified(&names::strings(&object.objname));
        let path = self.path();
        if object.args_unspecified {
            return self.schema.routines(&name, &path).last().copied();
        }
        let types: Vec<String> = object.objargs.iter().filter_map(|a| self.node_type(a)).collect();
        self.schema.routine(&name, &types.join(", "), &path).or_else(|| {
            let from_parameters = self.arguments(&object.objfuncargs);
            self.schema.routine(&name, &from_parameters, &path)
        })
    }

    fn node_type(&self, node: &Node) -> Option<String> {
        match node.node.as_ref()? {
            NodeEnum::TypeName(ty) => Some(self.type_text(ty)),
            _ => None,
        }
    }

    /// The object that a DROP, COMMENT, ALTER OWNER or SECURITY LABEL names.
    pub(crate) fn locate(&self, kind: Kind, node: &Node) -> Option<ObjectId> {
        let path = self.path();
        if let Some(NodeEnum::ObjectWithArgs(object)) = &node.node {
            return match kind {
                Kind::Operator => self.schema.in_schema(kind, &self.operator_name(object), &path),
                _ => self.routine(object),
            };
        }
        let mut parts = names::of_node(node);
        match kind.namespace() {
            crate::schema::Namespace::Relation => self.schema.relation(&names::qualified(&parts), &path),
            crate::schema::Namespace::Type => self.schema.type_of(&names::qualified(&parts), &path),
            crate::schema::Namespace::Parent => {
                let name = parts.pop()?;
                let table = names::qualified(&parts);
                let parent = self.schema.relation(&table, &path).or_else(|| self.schema.type_of(&table, &path))?;
                if kind == Kind::Column {
                    self.schema.column(parent, &name)
                } else {
                    self.schema.child(parent, kind, &name)
                }
            }
            crate::schema::Namespace::Schema => {
                if matches!(kind, Kind::OperatorClass | Kind::OperatorFamily) && parts.len() > 1 {
                    let method = parts.remove(0);
                    let mut name = names::qualified(&parts);
                    name.name = format!("{} using {method}", name.name);
                    return self.schema.in_schema(kind, &name, &path);
                }
                self.schema.in_schema(kind, &names::qualified(&parts), &path)
            }
            crate::schema::Namespace::Database => self.schema.global(kind, &self.global_name(kind, node, &parts)),
            crate::schema::Namespace::Routine => self.schema.routines(&names::qualified(&parts), &path).last().copied(),
            crate::schema::Namespace::None => None,
        }
    }

    /// The name under which an object of the database is kept: casts and transforms are named by their types.
    fn global_name(&self, kind: Kind, node: &Node, parts: &[String]) -> String {
        if let (Kind::Cast | Kind::Transform, Some(NodeEnum::List(list))) = (kind, &node.node) {
            let types: Vec<String> =
                list.items.iter().map(|i| self.node_type(i).or_else(|| names::string(i)).unwrap_or_default()).collect();
            return types.join(" ");
        }
        parts.last().cloned().unwrap_or_default()
    }

    /// The name under which an operator is kept: with its argument types.
    pub(crate) fn operator_name(&self, object: &ObjectWithArgs) -> Qualified {
        let mut name = names::qualified(&names::strings(&object.objname));
        let types: Vec<String> =
            object.objargs.iter().map(|a| self.node_type(a).unwrap_or_else(|| "none".into())).collect();
        name.name = format!("{}({})", name.name, types.join(", "));
        name
    }

    /// What a tree needs. Columns that stand by name only, and columns without a qualifier, are looked up in `own` first.
    pub(crate) fn needs(&self, tree: &impl Serialize, own: Option<ObjectId>) -> Vec<Need> {
        self.needs_of_references(&references(tree), own)
    }

    /// Of overloads, those with just as many arguments, if there are any: defaults and VARIADIC allow for others.
    fn by_argument_count(&self, overloads: Vec<ObjectId>, count: usize) -> Vec<ObjectId> {
        let fits = |id: &ObjectId| {
            let arguments = self.schema.objects[*id].arguments.as_deref().unwrap_or("");
            let has = if arguments.is_empty() { 0 } else { arguments.split(", ").count() };
            has == count
        };
        let fitting: Vec<ObjectId> = overloads.iter().copied().filter(fits).collect();
        if fitting.is_empty() { overloads } else { fitting }
    }

    /// See [`Replay::needs`].
    pub(crate) fn needs_of_references(&self, found: &References, own: Option<ObjectId>) -> Vec<Need> {
        let path = self.path();
        let mut needs = Vec::new();
        let mut push = |on: Option<ObjectId>, strength: Strength| {
            if let Some(on) = on
                && Some(on) != own
                && !needs.iter().any(|n: &Need| n.on == on)
            {
                needs.push(Need { on, strength });
            }
        };
        let relations: Vec<ObjectId> =
            found.relations.iter().filter_map(|name| self.schema.relation(name, &path)).collect();
        for id in &relations {
            push(Some(*id), Strength::Normal);
        }
        for name in &found.types {
            push(self.schema.type_of(name, &path), Strength::Normal);
        }
        for (name, arguments) in found.functions.iter().zip(&found.argument_counts) {
            let overloads = self.by_argument_count(self.schema.routines(name, &path), *arguments);
            let strength = if overloads.len() == 1 { Strength::Normal } else { Strength::Order };
            overloads.into_iter().for_each(|id| push(Some(id), strength));
        }
        for name in &found.collations {
            push(self.schema.in_schema(Kind::Collation, name, &path), Strength::Normal);
        }
        for name in &found.configurations {
            push(self.schema.in_schema(Kind::TextSearchConfiguration, name, &path), Strength::Normal);
        }
        for role in &found.roles {
            push(self.schema.global(Kind::Role, role), Strength::Normal);
        }
        let own_strength = Strength::Auto;
        for column in &found.plain_columns {
            push(own.and_then(|table| self.schema.column(table, column)), own_strength);
        }
        for column in &found.columns {
            for (id, strength) in self.columns_meant(column, found, &relations, own) {
                push(Some(id), strength);
            }
        }
        needs
    }

    fn columns_meant(
        &self,
        parts: &[String],
        found: &References,
        relations: &[ObjectId],
        own: Option<ObjectId>,
    ) -> Vec<(ObjectId, Strength)> {
        let Some((name, qualifier)) = parts.split_last() else { return Vec::new() };
        let strength = |table: ObjectId| if Some(table) == own { Strength::Auto } else { Strength::Normal };
        let candidates: Vec<ObjectId> = match qualifier.last() {
            None => own.into_iter().chain(relations.iter().copied()).collect(),
            Some(alias) => {
                let path = self.path();
                let by_alias = found.aliases.iter().filter(|(a, _)| a == alias);
                let mut tables: Vec<ObjectId> = by_alias.filter_map(|(_, r)| self.schema.relation(r, &path)).collect();
                tables.extend(relations.iter().copied().filter(|r| self.schema.objects[*r].name == *alias));
                tables
                    .extend(own.filter(|o| self.schema.objects[*o].name == *alias || alias == "new" || alias == "old"));
                tables
            }
        };
        if name == "*" {
            return candidates
                .iter()
                .flat_map(|t| self.schema.columns(*t).into_iter().map(|c| (c, strength(*t))).collect::<Vec<_>>())
                .collect();
        }
        let mut seen = Vec::new();
        candidates
            .iter()
            .filter_map(|t| self.schema.column(*t, name).map(|c| (c, strength(*t))))
            .filter(|(c, _)| {
                let new = !seen.contains(c);
                seen.push(*c);
                new
            })
            .collect()
    }

    /// What a text may need by the words in it, where no tree can tell: only for order.
    pub(crate) fn needs_of_words(&self, text: &str) -> Vec<Need> {
        let path = self.path();
        let mut needs: Vec<Need> = Vec::new();
        self.words_into(text, &path, &mut needs);
        needs
    }

    fn words_into(&self, text: &str, path: &[String], needs: &mut Vec<Need>) {
        for token in crate::sql::lex::lex_code(text) {
            if let Some(inside) = token.inside(text) {
                self.words_into(inside, path, needs);
                continue;
            }
            let Some(name) = token.name(text) else { continue };
            let name = Qualified { schema: None, name };
            let mut on = self.schema.type_of(&name, path).into_iter().collect::<Vec<_>>();
            on.extend(self.schema.routines(&name, path));
            on.extend(self.schema.global(Kind::Role, &name.name));
            for on in on {
                if !needs.iter().any(|n| n.on == on) {
                    needs.push(Need { on, strength: Strength::Order });
                }
            }
        }
    }
}
