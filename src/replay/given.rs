//! What is there before the history starts: what every new database has, and what a prelude makes of which the history's own
//! statements depend: extensions, and default privileges, which reach everything that comes later.

use super::Replay;
use crate::objects::DefaultGrant;
use crate::schema::{Body, Kind, Object, ObjectId};
use crate::sql::lex::lex_code;
use crate::sql::names;
use crate::sql::{parse::parse, split::split};
use pg_query::NodeEnum;

impl Replay<'_> {
    /// The schema public and the language plpgsql, and what the prelude makes. They have no statement to write.
    pub(super) fn add_what_is_there(&mut self) {
        self.add_given(Kind::Schema, "public");
        self.add_given(Kind::Extension, "plpgsql");
        for text in &self.history.prelude {
            self.add_prelude(text);
        }
        self.given = self.schema.objects.len();
    }

    /// Whether an object was there before the history.
    pub(crate) fn is_given(&self, id: ObjectId) -> bool {
        id < self.given
    }

    fn add_given(&mut self, kind: Kind, name: &str) {
        if self.schema.global(kind, name).is_some() {
            return;
        }
        self.schema.add(Object {
            kind,
            schema: String::new(),
            name: name.into(),
            property: None,
            arguments: None,
            parent: None,
            born: 0,
            born_offset: 0,
            source: 0,
            died: None,
            body: Body::Inside,
            edited: false,
            context: self.context.clone(),
            needs: Vec::new(),
            inherits: Vec::new(),
        });
    }

    fn add_prelude(&mut self, text: &str) {
        let mut role = None;
        for piece in split(text) {
            let statement = &text[piece.body];
            for name in extensions_made(statement) {
                self.add_given(Kind::Extension, &name);
            }
            match parse(statement) {
                Ok(Some(NodeEnum::VariableSetStmt(set))) if set.name == "role" => {
                    role = set.args.first().and_then(constant);
                }
                Ok(Some(NodeEnum::AlterDefaultPrivilegesStmt(default))) => {
                    let rules = DefaultGrant::read(&default, role.clone());
                    self.defaults.extend(rules);
                }
                _ => {}
            }
        }
    }
}

fn constant(node: &pg_query::Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            pg_query::protobuf::a_const::Val::Sval(text) => Some(text.sval.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The extensions that a statement makes, be it inside a DO block.
fn extensions_made(statement: &str) -> Vec<String> {
    let tokens = lex_code(statement);
    let body = match parse(statement) {
        Ok(Some(NodeEnum::DoStmt(block))) => block.args.iter().find_map(|arg| match &arg.node {
            Some(NodeEnum::DefElem(arg)) if arg.defname == "as" => arg.arg.as_ref().and_then(|a| names::string(a)),
            _ => None,
        }),
        _ => None,
    };
    if let Some(body) = body {
        return extensions_made(&body);
    }
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is(statement, word));
    let mut made = Vec::new();
    for at in 0..tokens.len() {
        if is(at, "create") && is(at + 1, "extension") {
            let name = if is(at + 2, "if") { at + 5 } else { at + 2 };
            made.extend(tokens.get(name).and_then(|t| t.name(statement)));
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_found_inside_blocks_too() {
        assert_eq!(extensions_made("CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" SCHEMA x"), ["uuid-ossp"]);
        assert_eq!(extensions_made("DO $$BEGIN IF true THEN CREATE EXTENSION a SCHEMA b; END IF; END$$"), ["a"]);
        assert!(extensions_made("SELECT 'create extension a'").is_empty());
    }
}
