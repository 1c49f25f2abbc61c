//! Kinds that rarely change: they hold their CREATE and their ALTERs as written, and need only a name, needs, rename, drop.

use super::property::Property;
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, Need, ObjectId, Strength};
use crate::sql::names::{self, Qualified};
use pg_query::NodeEnum as N;
use pg_query::protobuf::{DefineStmt, TypeName};

impl Replay<'_> {
    /// Makes or alters an object of a rare kind; false if the statement is none.
    pub(crate) fn create_other(&mut self, node: &N) -> bool {
        self.create_named(node) || self.alter_named(node)
    }

    fn create_named(&mut self, node: &N) -> bool {
        let (kind, name) = match node {
            N::DefineStmt(s) => match self.define(s) {
                Some(found) => found,
                None => return false,
            },
            N::CreateRangeStmt(s) => (Kind::Type, names::strings(&s.type_name)),
            N::CreateOpClassStmt(s) => (Kind::OperatorClass, using(&names::strings(&s.opclassname), &s.amname)),
            N::CreateOpFamilyStmt(s) => (Kind::OperatorFamily, using(&names::strings(&s.opfamilyname), &s.amname)),
            N::CreateConversionStmt(s) => (Kind::Conversion, names::strings(&s.conversion_name)),
            N::CreateStatsStmt(s) => (Kind::Statistics, names::strings(&s.defnames)),
            N::CreateCastStmt(s) => (Kind::Cast, vec![self.pair(s.sourcetype.as_ref(), s.targettype.as_ref())]),
            N::CreateTransformStmt(s) => {
                let ty = s.type_name.as_ref().map(|t| self.type_text(t)).unwrap_or_default();
                (Kind::Transform, vec![format!("{ty} {}", s.lang)])
            }
            N::CreatePlangStmt(s) => (Kind::Language, vec![s.plname.clone()]),
            N::CreateAmStmt(s) => (Kind::AccessMethod, vec![s.amname.clone()]),
            N::CreateFdwStmt(s) => (Kind::ForeignDataWrapper, vec![s.fdwname.clone()]),
            N::CreateForeignServerStmt(s) => (Kind::Server, vec![s.servername.clone()]),
            N::CreateUserMappingStmt(s) => {
                let user = s.user.as_ref().map(names::role_spec).unwrap_or_default();
                (Kind::UserMapping, vec![format!("{user} {}", s.servername)])
            }
            N::CreateForeignTableStmt(s) => {
                let range = s.base_stmt.as_ref().and_then(|b| b.relation.as_ref());
                let name = range.map(names::range_var).unwrap_or_default();
                (Kind::ForeignTable, name.schema.into_iter().chain([name.name]).collect())
            }
            N::CreatePublicationStmt(s) => (Kind::Publication, vec![s.pubname.clone()]),
            N::CreateSubscriptionStmt(s) => (Kind::Subscription, vec![s.subname.clone()]),
            N::CreateEventTrigStmt(s) => (Kind::EventTrigger, vec![s.trigname.clone()]),
            _ => return false,
        };
        self.add_other(kind, &name, node);
        true
    }

    fn add_other(&mut self, kind: Kind, name: &[String], node: &N) {
        let needs = self.other_needs(node);
        let text = self.text.to_string();
        let place = match kind.namespace() {
            crate::schema::Namespace::Database => (String::new(), name.last().cloned().unwrap_or_default()),
            _ => self.place(&names::qualified(name)),
        };
        let mut new = New { needs, ..New::in_schema(kind, place, Body::Text(text)) };
        if let N::DefineStmt(s) = node
            && kind == Kind::Aggregate
        {
            new.arguments = Some(self.aggregate_arguments(s));
        }
        let id = self.create(new);
        self.default_grants(id);
    }

    /// Trees name functions, wrappers and servers in plain strings here: the words of the text tell what must come first.
    fn other_needs(&self, node: &N) -> Vec<Need> {
        let own = match node {
            N::CreateStatsStmt(s) => s.relations.first().and_then(|r| match &r.node {
                Some(N::RangeVar(range)) => self.relation(range),
                _ => None,
            }),
            _ => None,
        };
        let mut needs = self.needs(node, own);
        needs.extend(own.map(|on| Need { on, strength: Strength::Auto }));
        for need in self.needs_of_words(&self.text) {
            if !needs.iter().any(|n| n.on == need.on) {
                needs.push(Need { on: need.on, strength: Strength::Normal });
            }
        }
        let named = |kind: Kind, name: &str| self.schema.global(kind, name);
        let more: [Option<ObjectId>; 3] = match node {
            N::CreateForeignServerStmt(s) => [named(Kind::ForeignDataWrapper, &s.fdwname), None, None],
            N::CreateUserMappingStmt(s) => [named(Kind::Server, &s.servername), None, None],
            N::CreateForeignTableStmt(s) => [named(Kind::Server, &s.servername), None, None],
            _ => [None; 3],
        };
        needs.extend(more.into_iter().flatten().map(|on| Need { on, strength: Strength::Normal }));
        needs
    }

    fn define(&self, statement: &DefineStmt) -> Option<(Kind, Vec<String>)> {
        let kind = Kind::of_object_type(statement.kind)?;
        let mut name = names::strings(&statement.defnames);
        if kind == Kind::Operator {
            let types: Vec<String> =
                ["leftarg", "rightarg"].iter().map(|side| self.option_type(statement, side)).collect();
            let last = name.last_mut()?;
            *last = format!("{last}({})", types.join(", "));
        }
        Some((kind, name))
    }

    fn option_type(&self, statement: &DefineStmt, wanted: &str) -> String {
        let found = statement.definition.iter().find_map(|o| match &o.node {
            Some(N::DefElem(o)) if o.defname == wanted => match o.arg.as_ref()?.node.as_ref()? {
                N::TypeName(ty) => Some(self.type_text(ty)),
                _ => None,
            },
            _ => None,
        });
        found.unwrap_or_else(|| "none".into())
    }

    fn aggregate_arguments(&self, statement: &DefineStmt) -> String {
        let list = statement.args.first().and_then(|n| n.node.as_ref());
        match list {
            Some(N::List(list)) => self.arguments(&list.items),
            _ => self.arguments(&statement.args),
        }
    }

    fn pair(&self, from: Option<&TypeName>, to: Option<&TypeName>) -> String {
        let text = |ty: Option<&TypeName>| ty.map(|t| self.type_text(t)).unwrap_or_default();
        format!("{} {}", text(from), text(to))
    }

    /// ALTERs of rare kinds: each is kept as it is, the last of those that say the same.
    fn alter_named(&mut self, node: &N) -> bool {
        let path = self.path();
        let in_schema = |kind: Kind, parts: &[pg_query::Node]| {
            self.schema.in_schema(kind, &names::qualified(&names::strings(parts)), &path)
        };
        let global = |kind: Kind, name: &str| self.schema.global(kind, name);
        let target = match node {
            N::AlterExtensionStmt(s) => {
                self.alter_extension(s);
                return true;
            }
            N::AlterPublicationStmt(s) => global(Kind::Publication, &s.pubname),
            N::AlterSubscriptionStmt(s) => global(Kind::Subscription, &s.subname),
            N::AlterForeignServerStmt(s) => global(Kind::Server, &s.servername),
            N::AlterFdwStmt(s) => global(Kind::ForeignDataWrapper, &s.fdwname),
            N::AlterEventTrigStmt(s) => global(Kind::EventTrigger, &s.trigname),
            N::AlterUserMappingStmt(s) => {
                let user = s.user.as_ref().map(names::role_spec).unwrap_or_default();
                global(Kind::UserMapping, &format!("{user} {}", s.servername))
            }
            N::DropUserMappingStmt(s) => return self.drop_user_mapping(s),
            N::DropSubscriptionStmt(s) => {
                match global(Kind::Subscription, &s.subname) {
                    Some(id) => self.end(id, None, true),
                    None => self.missing(1, 1, s.missing_ok, "drops what isn't there", &s.subname),
                }
                return true;
            }
            N::AlterTsconfigurationStmt(s) => in_schema(Kind::TextSearchConfiguration, &s.cfgname),
            N::AlterTsdictionaryStmt(s) => in_schema(Kind::TextSearchDictionary, &s.dictname),
            N::AlterStatsStmt(s) => in_schema(Kind::Statistics, &s.defnames),
            N::AlterCollationStmt(s) => in_schema(Kind::Collation, &s.collname),
            N::AlterOpFamilyStmt(s) => {
                let name = names::qualified(&using(&names::strings(&s.opfamilyname), &s.amname));
                self.schema.in_schema(Kind::OperatorFamily, &name, &path)
            }
            N::AlterOperatorStmt(s) => {
                let name: Option<Qualified> = s.opername.as_ref().map(|o| self.operator_name(o));
                name.and_then(|n| self.schema.in_schema(Kind::Operator, &n, &path))
            }
            N::AlterTypeStmt(s) => self.schema.type_of(&names::qualified(&names::strings(&s.type_name)), &path),
            _ => return false,
        };
        match target {
            Some(id) if self.folds_into_other(id, node) => {}
            Some(id) => {
                // Steps of one object add up, so each is a change of its own.
                let needs = self.needs(node, None);
                self.set_property(id, Property::Change(self.current), needs);
            }
            None => self.keep_opaque("alters what this history didn't make"),
        }
        true
    }

    /// Options, and the connection of a subscription, stand in the CREATE.
    fn folds_into_other(&mut self, id: ObjectId, node: &N) -> bool {
        match node {
            N::AlterForeignServerStmt(s) => self.fold_options(id, &s.options, s.has_version),
            N::AlterFdwStmt(s) => self.fold_options(id, &s.options, !s.func_options.is_empty()),
            N::AlterUserMappingStmt(s) => self.fold_options(id, &s.options, false),
            N::AlterSubscriptionStmt(s) => self.fold_connection(id, s),
            _ => false,
        }
    }

    fn drop_user_mapping(&mut self, statement: &pg_query::protobuf::DropUserMappingStmt) -> bool {
        let user = statement.user.as_ref().map(names::role_spec).unwrap_or_default();
        match self.schema.global(Kind::UserMapping, &format!("{user} {}", statement.servername)) {
            Some(id) => self.kill(id, None),
            None => self.missing(1, 1, statement.missing_ok, "drops what isn't there", &statement.servername),
        }
        true
    }
}

/// Operator classes and families are named within their access method.
fn using(name: &[String], method: &str) -> Vec<String> {
    let mut name = name.to_vec();
    if let Some(last) = name.last_mut() {
        *last = format!("{last} using {method}");
    }
    name
}
