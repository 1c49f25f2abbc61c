//! Enums.

use super::property::Property;
use crate::ledger::{Fold, Mark};
use crate::replay::{New, Replay};
use crate::schema::{Body, Kind, ObjectId};
use crate::sql::edit;
use crate::sql::lex::{Token, TokenKind, lex_code};
use crate::sql::names;
use pg_query::protobuf::{AlterEnumStmt, CreateEnumStmt};

impl Replay<'_> {
    /// CREATE TYPE ... AS ENUM.
    pub(crate) fn create_enum(&mut self, statement: &CreateEnumStmt) {
        let place = self.place(&names::qualified(&names::strings(&statement.type_name)));
        let text = self.text.to_string();
        let id = self.create(New::in_schema(Kind::Type, place, Body::Text(text)));
        self.default_grants(id);
    }

    /// ALTER TYPE ... ADD VALUE, RENAME VALUE: worked into the list.
    pub(crate) fn alter_enum(&mut self, statement: &AlterEnumStmt) {
        let name = names::qualified(&names::strings(&statement.type_name));
        let Some(id) = self.schema.type_of(&name, &self.path()) else {
            return self.keep_unmade("alters a type that", &name.name);
        };
        let Body::Text(text) = &self.schema.objects[id].body else { return };
        let has = |value: &str| value_index(text, &lex_code(text), value).is_some();
        let (edited, note) = if statement.old_val.is_empty() {
            if statement.skip_if_new_val_exists && has(&statement.new_val) {
                return self.mark(Mark::Noop(format!("value '{}' is already there", statement.new_val)));
            }
            (add_value(text, statement), Fold::Said(format!("value '{}' added", statement.new_val)))
        } else {
            let note = Fold::ValueRenamed(statement.old_val.clone(), statement.new_val.clone());
            (rename_value(text, &statement.old_val, &statement.new_val), note)
        };
        match edited {
            Some(edited) => {
                self.schema.objects[id].body = Body::Text(edited);
                self.folded(id, note);
                if !statement.old_val.is_empty() && !self.schema.is_given(id) {
                    self.rename_value_in_columns(id, &statement.old_val, &statement.new_val);
                }
            }
            None => {
                self.set_property(id, Property::Value(statement.new_val.clone()), Vec::new());
            }
        }
    }
}

impl Replay<'_> {
    /// PostgreSQL keeps values of enums by number, so defaults and what else is said of the type's columns follow. Rows and
    /// the bodies of functions keep their words.
    fn rename_value_in_columns(&mut self, enumeration: ObjectId, from: &str, to: &str) {
        let edit = |text: &str| rename_value_everywhere(text, from, to);
        let mut columns = self.schema.dependents(enumeration);
        columns.retain(|(on, _)| self.schema.objects[*on].kind == Kind::Column);
        for (column, _) in columns {
            self.edit_text(column, &edit);
            for (on, _) in self.schema.dependents(column) {
                let kind = self.schema.objects[on].kind;
                if matches!(kind, Kind::Constraint | Kind::Index | Kind::Policy | Kind::View | Kind::MaterializedView) {
                    self.edit_text(on, &edit);
                }
            }
        }
    }
}

fn rename_value_everywhere(text: &str, from: &str, to: &str) -> String {
    let (tokens, wanted) = (lex_code(text), literal(from));
    let places = tokens.iter().filter(|t| t.kind == TokenKind::Literal && t.text(text) == wanted);
    edit::replace(text, places.map(|t| (t.start..t.end, literal(to))).collect())
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn value_index(text: &str, tokens: &[Token], value: &str) -> Option<usize> {
    let wanted = literal(value);
    (0..tokens.len()).find(|i| tokens[*i].kind == TokenKind::Literal && tokens[*i].text(text) == wanted)
}

fn rename_value(text: &str, from: &str, to: &str) -> Option<String> {
    let tokens = lex_code(text);
    let at = value_index(text, &tokens, from)?;
    Some(edit::replace(text, vec![(tokens[at].start..tokens[at].end, literal(to))]))
}

/// Puts the value at its place, on a line of its own where the others have one.
fn add_value(text: &str, statement: &AlterEnumStmt) -> Option<String> {
    let tokens = lex_code(text);
    let values: Vec<usize> = (0..tokens.len()).filter(|i| tokens[*i].kind == TokenKind::Literal).collect();
    let (first, last) = (*values.first()?, *values.last()?);
    let before_first = &text[tokens[first - 1].end..tokens[first].start];
    let separator = match before_first.rfind('\n') {
        Some(line) => before_first[line..].to_string(),
        None => " ".to_string(),
    };
    let new = literal(&statement.new_val);
    let (at, with) = if statement.new_val_neighbor.is_empty() {
        (tokens[last].end, format!(",{separator}{new}"))
    } else {
        let neighbor = value_index(text, &tokens, &statement.new_val_neighbor)?;
        if statement.new_val_is_after {
            (tokens[neighbor].end, format!(",{separator}{new}"))
        } else {
            (tokens[neighbor].start, format!("{new},{separator}"))
        }
    };
    Some(edit::replace(text, vec![(at..at, with)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adding(text: &str, alter: &str) -> String {
        match crate::sql::parse::parse(alter) {
            Ok(Some(pg_query::NodeEnum::AlterEnumStmt(s))) => add_value(text, &s).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_go_to_their_places() {
        let text = "CREATE TYPE e AS ENUM ('a', 'c')";
        assert_eq!(adding(text, "ALTER TYPE e ADD VALUE 'd'"), "CREATE TYPE e AS ENUM ('a', 'c', 'd')");
        assert_eq!(adding(text, "ALTER TYPE e ADD VALUE 'b' BEFORE 'c'"), "CREATE TYPE e AS ENUM ('a', 'b', 'c')");
        assert_eq!(
            adding("CREATE TYPE e AS ENUM (\n  'a', -- one\n  'c' -- three\n)", "ALTER TYPE e ADD VALUE 'b' AFTER 'a'"),
            "CREATE TYPE e AS ENUM (\n  'a',\n  'b', -- one\n  'c' -- three\n)"
        );
    }
}
