//! The walk over a statement's tree. It goes through all of it, kinds of nodes that it doesn't know included, so that nothing that
//! reaches out is missed for where it stands.

use pg_query::ParserOptions;
use pg_query::protobuf::ObjectType;
use serde_json::Value;

use super::facts::{self, Door};
use super::{Found, Reach, Reading, Whose};
use crate::stack;

/// How deep strings of SQL may stand in strings of SQL.
const DEEPEST: usize = 8;

/// Reads trees.
#[derive(Default)]
pub(super) struct Reader {
    pub reading: Reading,
    depth: usize,
    /// Where what is being parsed begins, in the whole text.
    begin: usize,
    /// Where the statement begins, in the whole text.
    pub start: usize,
    /// Where what is being looked at stands, in the whole text.
    pub at: usize,
    /// Whether functions are only spoken of here: by comments and grants.
    is_about: bool,
    /// Whether strings that stand here may be run as SQL: in bodies, and where they are handed to functions.
    pub runs_strings: bool,
}

impl Reader {
    /// Reads statements, or what else a mode of the parser reads, that begin at a byte of the whole text.
    pub fn statements(&mut self, sql: &str, begin: usize, mode: ParserOptions) -> Result<(), String> {
        if self.depth > DEEPEST {
            self.reading.is_unseen = true;
            return Ok(());
        }
        if !stack::stands(sql) {
            return Err("it is too deep for the stack".into());
        }
        let parsed = stack::reading(sql, || pg_query::parse(sql, mode)).map_err(|error| error.to_string())?;
        self.depth += 1;
        let before = (self.begin, self.start, self.at);
        for raw in &parsed.protobuf.stmts {
            let start = usize::try_from(raw.stmt_location).unwrap_or(0);
            let end = usize::try_from(raw.stmt_len).ok().filter(|len| *len > 0).map_or(sql.len(), |len| start + len);
            let text = sql.get(start..end).unwrap_or(sql);
            // Places in a tree count from the begin of all that was parsed with it.
            (self.begin, self.start) = (begin, begin + start);
            self.at = begin + start + text.len() - text.trim_start().len();
            match serde_json::to_value(&raw.stmt) {
                Ok(tree) => self.node(&tree, text),
                Err(_) => self.reading.is_unseen = true,
            }
        }
        (self.begin, self.start, self.at) = before;
        self.depth -= 1;
        Ok(())
    }

    /// Reads a text as statements if it is that, and as nothing if not. It stands where the reader is.
    pub fn maybe(&mut self, sql: &str) -> bool {
        self.statements(sql, self.at, ParserOptions::DEFAULT).is_ok()
    }

    pub fn add(&mut self, reach: Reach) {
        if !self.reading.found.iter().any(|found| found.reach == reach) {
            self.reading.found.push(Found { reach, at: self.at });
        }
    }

    fn node(&mut self, node: &Value, text: &str) {
        match node {
            Value::Array(items) => items.iter().for_each(|item| self.node(item, text)),
            Value::Object(fields) => {
                let outer = self.at;
                let location = fields.get("location").and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
                self.at = location.filter(|at| *at > 0).map_or(outer, |at| self.begin + at);
                // Some fields hold such a node without its kind.
                if !self.is_about {
                    self.function(fields.get("objname"));
                }
                if let Some(name) = catalog(node).filter(|name| facts::is_secret(name)) {
                    self.add(Reach::Secrets(name));
                }
                for (kind, value) in fields {
                    self.look(kind, value, text);
                    let before = (self.runs_strings, self.is_about);
                    self.runs_strings |= matches!(kind.as_str(), "FuncCall" | "PrepareStmt");
                    self.is_about |= matches!(kind.as_str(), "CommentStmt" | "GrantStmt" | "SecLabelStmt");
                    self.node(value, text);
                    (self.runs_strings, self.is_about) = before;
                }
                self.at = outer;
            }
            _ => {}
        }
    }

    fn look(&mut self, kind: &str, node: &Value, text: &str) {
        match kind {
            "AConst" if self.runs_strings => {
                if let Some(sql) = node.pointer("/val/Sval/sval").and_then(Value::as_str) {
                    self.maybe(sql);
                }
            }
            "FuncCall" => self.call(node),
            "CreateTrigStmt" | "CreateEventTrigStmt" => self.function(node.get("funcname")),
            "CreateConversionStmt" => self.function(node.get("func_name")),
            "CreateAmStmt" => self.function(node.get("handler_name")),
            "DefElem" => {
                self.function(node.pointer("/arg/node/List/items"));
                self.function(node.pointer("/arg/node/TypeName/names"));
            }
            "CreateFunctionStmt" => super::body::routine(self, node.get("options"), text),
            "DoStmt" => super::body::routine(self, node.get("args"), text),
            "CreatePlangStmt" => match node.get("plhandler").and_then(last) {
                Some(handler) if facts::is_own_handler(&handler) => {
                    self.reading.languages.push(string(node, "plname"));
                }
                Some(_) => self.add(Reach::Code(format!("CREATE LANGUAGE {}", string(node, "plname")))),
                None => {}
            },
            "LoadStmt" => self.add(Reach::Code("LOAD".into())),
            "CopyStmt" => self.copy(node),
            "CreateForeignServerStmt" => {
                self.server(&string(node, "fdwname"));
                self.place(node);
            }
            "CreateExtensionStmt" => {
                let name = string(node, "extname");
                if facts::brings_untrusted(&name) {
                    self.add(Reach::Brings(name));
                }
            }
            "AlterForeignServerStmt" | "CreateForeignTableStmt" => self.place(node),
            "ImportForeignSchemaStmt" => self.add(Reach::Network("IMPORT FOREIGN SCHEMA".into())),
            "CreateSubscriptionStmt" | "AlterSubscriptionStmt" => self.subscription(kind, node),
            "VariableSetStmt" | "setstmt" => {
                let value = node.pointer("/args/0").and_then(super::body::constant);
                self.setting(&string(node, "name"), value.as_deref());
            }
            "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => self.written(node.get("relation")),
            "TruncateStmt" => {
                let all = node.get("relations").and_then(Value::as_array).into_iter().flatten();
                all.for_each(|relation| self.written(relation.pointer("/node/RangeVar")));
            }
            "LockStmt" => {
                for relation in node.get("relations").and_then(Value::as_array).into_iter().flatten() {
                    let name =
                        relation.pointer("/node/RangeVar").and_then(catalog).filter(|name| facts::is_shared(name));
                    if let Some(name) = name {
                        self.add(Reach::Catalog(name));
                    }
                }
            }
            _ => self.whole(kind, node),
        }
    }

    /// Statements about what the databases of a server share.
    fn whole(&mut self, kind: &str, node: &Value) {
        match kind {
            "AlterSystemStmt" => self.add(Reach::Server("ALTER SYSTEM")),
            "CreatedbStmt" => self.add(Reach::Server("CREATE DATABASE")),
            "DropdbStmt" => self.add(Reach::Server("DROP DATABASE")),
            "CreateTableSpaceStmt" => {
                self.add(Reach::Server("CREATE TABLESPACE"));
                self.add(Reach::File("CREATE TABLESPACE".into()));
            }
            "DropTableSpaceStmt" => self.add(Reach::Server("DROP TABLESPACE")),
            "AlterTableSpaceOptionsStmt" => self.add(Reach::Server("ALTER TABLESPACE")),
            "AlterDatabaseStmt" | "AlterDatabaseSetStmt" | "AlterDatabaseRefreshCollStmt" => {
                let options = node.get("options").and_then(Value::as_array).into_iter().flatten();
                if options.filter_map(|o| o.pointer("/node/DefElem")).any(|o| string(o, "defname") == "tablespace") {
                    self.add(Reach::Server("ALTER DATABASE SET TABLESPACE"));
                }
                self.add(Reach::Database(string(node, "dbname")));
            }
            "CreateRoleStmt" => {
                self.add(Reach::Makes(string(node, "role")));
                self.powers(node, &string(node, "role"));
            }
            "AlterRoleStmt" => {
                let whose = whose(node.get("role"));
                if let Whose::Named(name) = &whose {
                    self.powers(node, name);
                }
                self.add(Reach::Changes(whose));
            }
            "AlterRoleSetStmt" => {
                let role = node.get("role").filter(|role| !role.is_null());
                self.add(Reach::Changes(role.map_or(Whose::All, |role| whose(Some(role)))));
                if !string(node, "database").is_empty() {
                    self.add(Reach::Database(string(node, "database")));
                }
            }
            "DropRoleStmt" | "DropOwnedStmt" | "ReassignOwnedStmt" => {
                for role in node.get("roles").and_then(Value::as_array).into_iter().flatten() {
                    self.add(Reach::Changes(whose(role.pointer("/node/RoleSpec"))));
                }
            }
            "GrantRoleStmt" => {
                let names = |list: &str, at: &str, name: &str| -> Vec<String> {
                    let items = node.get(list).and_then(Value::as_array).into_iter().flatten();
                    items.filter_map(|item| item.pointer(at)).map(|item| string(item, name)).collect()
                };
                let roles = names("granted_roles", "/node/AccessPriv", "priv_name");
                self.add(Reach::Members(roles, names("grantee_roles", "/node/RoleSpec", "rolename")));
            }
            "GrantStmt" => self.named("GRANT", node.get("objtype"), node.get("objects")),
            "RenameStmt" => self.renamed(node),
            "AlterOwnerStmt" => self.named("ALTER", node.get("object_type"), node.get("object")),
            "CommentStmt" => self.named("COMMENT ON", node.get("objtype"), node.get("object")),
            "SecLabelStmt" => self.named("SECURITY LABEL ON", node.get("objtype"), node.get("object")),
            _ => {}
        }
    }

    /// SUPERUSER among the options of a role.
    fn powers(&mut self, node: &Value, role: &str) {
        let options = node.get("options").and_then(Value::as_array).into_iter().flatten();
        let says = |option: &Value| {
            string(option, "defname") == "superuser"
                && option.pointer("/arg/node/Boolean/boolval").and_then(Value::as_bool) == Some(true)
        };
        if options.filter_map(|option| option.pointer("/node/DefElem")).any(says) {
            self.add(Reach::Superuser(role.to_string()));
        }
    }

    /// A statement about an object by its type and name, where that is a role, a database or a tablespace.
    fn named(&mut self, verb: &str, of: Option<&Value>, object: Option<&Value>) {
        let of = of.and_then(Value::as_i64).unwrap_or(-1);
        let mut names = Vec::new();
        strings(object, &mut names);
        if of == ObjectType::ObjectDatabase as i64 {
            names.into_iter().for_each(|name| self.add(Reach::Database(name)));
        } else if of == ObjectType::ObjectRole as i64 {
            names.into_iter().for_each(|name| self.add(Reach::Changes(Whose::Named(name))));
        } else if of == ObjectType::ObjectTablespace as i64 {
            self.add(Reach::Server(match verb {
                "GRANT" => "GRANT ON TABLESPACE",
                "ALTER" => "ALTER TABLESPACE",
                "COMMENT ON" => "COMMENT ON TABLESPACE",
                _ => "SECURITY LABEL ON TABLESPACE",
            }));
        }
    }

    fn renamed(&mut self, node: &Value) {
        let of = node.get("rename_type").and_then(Value::as_i64).unwrap_or(-1);
        let name = string(node, "subname");
        if of == ObjectType::ObjectRole as i64 {
            self.add(Reach::Changes(Whose::Named(name)));
            self.add(Reach::Makes(string(node, "newname")));
        } else if of == ObjectType::ObjectDatabase as i64 {
            self.add(Reach::Database(name));
        } else if of == ObjectType::ObjectTablespace as i64 {
            self.add(Reach::Server("ALTER TABLESPACE"));
        }
    }

    fn copy(&mut self, node: &Value) {
        if node.get("is_program").and_then(Value::as_bool) == Some(true) {
            self.add(Reach::Program("COPY … PROGRAM".into()));
        } else if !string(node, "filename").is_empty() {
            self.add(Reach::File("COPY".into()));
        }
        if node.get("is_from").and_then(Value::as_bool) == Some(true) {
            self.written(node.get("relation"));
        }
    }

    fn server(&mut self, wrapper: &str) {
        let what = format!("CREATE SERVER of {wrapper}");
        match facts::wrapper(wrapper) {
            Some(Door::File) => self.add(Reach::File(what)),
            Some(_) => self.add(Reach::Foreign(what)),
            None => {}
        }
    }

    /// Options of a foreign server or table that say where it is.
    fn place(&mut self, node: &Value) {
        let options = node.get("options").and_then(Value::as_array).into_iter().flatten();
        for option in options.filter_map(|o| o.pointer("/node/DefElem")) {
            let name = string(option, "defname");
            match facts::place(&name) {
                Some(Door::Program) => self.add(Reach::Program(format!("the option {name}"))),
                Some(Door::File) => self.add(Reach::File(format!("the option {name}"))),
                Some(_) => self.add(Reach::Place(name)),
                None => {}
            }
        }
    }

    /// A subscription connects when it is made and when it is refreshed, if it isn't told not to; and once it is enabled.
    fn subscription(&mut self, kind: &str, node: &Value) {
        use pg_query::protobuf::AlterSubscriptionType as T;
        let says_no = |option: &str| {
            let options = node.get("options").and_then(Value::as_array).into_iter().flatten();
            let mut named =
                options.filter_map(|o| o.pointer("/node/DefElem")).filter(|o| string(o, "defname") == option);
            named.any(|option| {
                let mut says = Vec::new();
                strings(option.get("arg"), &mut says);
                says.iter().any(|said| ["false", "off", "0"].contains(&said.to_lowercase().as_str()))
                    || option.pointer("/arg/node/Boolean/boolval").and_then(Value::as_bool) == Some(false)
            })
        };
        if kind == "CreateSubscriptionStmt" {
            if !says_no("connect") {
                self.add(Reach::Network("CREATE SUBSCRIPTION".into()));
            }
            return;
        }
        let of = node.get("kind").and_then(Value::as_i64).unwrap_or(-1);
        let is = |kinds: &[T]| kinds.iter().any(|kind| *kind as i64 == of);
        let sets = is(&[T::AlterSubscriptionSetPublication, T::AlterSubscriptionAddPublication]);
        if is(&[T::AlterSubscriptionRefresh]) || (sets && !says_no("refresh")) {
            self.add(Reach::Network("ALTER SUBSCRIPTION".into()));
        } else if is(&[T::AlterSubscriptionEnabled]) && !says_no("enabled") {
            self.add(Reach::Foreign("ALTER SUBSCRIPTION".into()));
        }
    }

    fn setting(&mut self, name: &str, value: Option<&str>) {
        // In other encodings a quote may be half of a letter; and a dump switches on how strings are read here.
        let respells = facts::respells(name) && !value.is_none_or(|value| facts::is_usual(name, value));
        if facts::is_open(name) || respells {
            self.add(Reach::Setting(name.to_lowercase()));
        }
    }

    fn written(&mut self, relation: Option<&Value>) {
        if let Some(name) = relation.and_then(catalog).filter(|name| facts::is_closed(name)) {
            self.add(Reach::Catalog(name));
        }
    }

    /// A name of a function, wherever one may stand.
    fn function(&mut self, names: Option<&Value>) {
        let Some(name) = names.and_then(last) else { return };
        let what = format!("{name}()");
        match facts::door(&name) {
            Some(Door::File) => self.add(Reach::File(what)),
            Some(Door::Network) => self.add(Reach::Network(what)),
            Some(Door::Code) => self.add(Reach::Code(what)),
            Some(Door::Program) => self.add(Reach::Program(what)),
            Some(Door::Others) => self.add(Reach::Others(name)),
            None => {}
        }
    }

    fn call(&mut self, node: &Value) {
        self.function(node.get("funcname"));
        let Some(name) = node.get("funcname").and_then(last) else { return };
        let first = node.pointer("/args/0");
        if name == "set_config" {
            match first.and_then(super::body::constant) {
                Some(setting) => {
                    let value = node.pointer("/args/1").and_then(super::body::constant);
                    self.setting(&setting, value.as_deref());
                }
                None => self.reading.is_unseen = true,
            }
        } else if facts::runs_queries(&name) {
            super::body::run(self, first);
        }
    }
}

/// A relation's name, if it may be one of the catalogue.
fn catalog(range: &Value) -> Option<String> {
    let schema = string(range, "schemaname");
    let name = string(range, "relname");
    (name.starts_with("pg_") && (schema.is_empty() || schema == "pg_catalog")).then_some(name)
}

/// The last part of a name.
pub(super) fn last(names: &Value) -> Option<String> {
    names.as_array()?.last()?.pointer("/node/String/sval")?.as_str().map(ToString::to_string)
}

/// A field that is a text; empty if there is none.
pub(super) fn string(node: &Value, field: &str) -> String {
    node.get(field).and_then(Value::as_str).unwrap_or_default().to_string()
}

/// All strings under a node, as names stand there.
fn strings(node: Option<&Value>, found: &mut Vec<String>) {
    match node {
        Some(Value::Array(items)) => items.iter().for_each(|item| strings(Some(item), found)),
        Some(Value::Object(fields)) => {
            for (kind, value) in fields {
                match (kind.as_str(), value) {
                    ("sval" | "rolename", Value::String(text)) if !text.is_empty() => found.push(text.clone()),
                    _ => strings(Some(value), found),
                }
            }
        }
        _ => {}
    }
}

fn whose(role: Option<&Value>) -> Whose {
    let Some(role) = role else { return Whose::All };
    match string(role, "rolename") {
        name if name.is_empty() => Whose::Current,
        name => Whose::Named(name),
    }
}
