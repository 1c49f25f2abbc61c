//! Bodies of functions and DO blocks, and what they put together and run.

use pg_query::ParserOptions;
use serde_json::Value;

use super::Reach;
use super::facts::{Language, is_plain};
use super::tree::{Reader, last, string};
use crate::scratch::calls::MODES;
use crate::stack;

/// What stands for a piece of a statement that isn't known before it runs.
const UNKNOWN: &str = " consolidate_unknown ";

/// A function, a procedure or a DO block: its language and its body.
pub(super) fn routine(reader: &mut Reader, options: Option<&Value>, statement: &str) {
    let (mut language, mut body) = (None, None);
    for option in options.and_then(Value::as_array).into_iter().flatten() {
        let Some(option) = option.pointer("/node/DefElem") else { continue };
        let says = |at: &str| option.pointer(at).and_then(Value::as_str).map(ToString::to_string);
        match string(option, "defname").as_str() {
            "language" => language = says("/arg/node/String/sval"),
            "as" => body = says("/arg/node/List/items/0/node/String/sval").or_else(|| says("/arg/node/String/sval")),
            _ => {}
        }
    }
    let Some(body) = body else { return };
    // A body that was written with doubled quotes stands nowhere as it is: then the statement is the place.
    let outer = reader.at;
    reader.at = statement.find(&body).map_or(outer, |at| reader.start + at);
    let language = language.unwrap_or_else(|| "plpgsql".into());
    let before = std::mem::replace(&mut reader.runs_strings, true);
    match Language::named(&language) {
        Language::Sql => {
            if !reader.maybe(&body) {
                reader.reading.is_unseen = true;
            }
        }
        Language::Plpgsql => match pg_query::parse_plpgsql(statement) {
            Ok(tree) => plpgsql(reader, &tree, &mut Cursor { body: &body, begin: reader.at, passed: 0 }),
            Err(_) => reader.reading.is_unseen = true,
        },
        Language::Trusted => reader.reading.is_unseen = true,
        Language::Untrusted if language.eq_ignore_ascii_case("internal") && is_plain(&body) => {}
        // Nothing of it can be read here.
        Language::Untrusted => reader.add(Reach::Language(language.to_lowercase())),
    }
    (reader.runs_strings, reader.at) = (before, outer);
}

/// How far a body was looked through for what its tree holds: that comes in the order of the text, but for what is declared.
struct Cursor<'a> {
    body: &'a str,
    /// Where the body begins in the whole text.
    begin: usize,
    passed: usize,
}

impl Cursor<'_> {
    /// Where a query stands in the whole text.
    fn place(&mut self, query: &str) -> usize {
        let find = |query: &str, from: usize| self.body[from..].find(query).map(|at| from + at);
        // PERFORM is read as SELECT.
        let performed = query.strip_prefix("SELECT ").unwrap_or(query);
        let at = find(query, self.passed).or_else(|| find(performed, self.passed));
        self.passed = at.unwrap_or(self.passed);
        self.begin + at.or_else(|| find(query, 0)).unwrap_or(self.passed)
    }
}

/// All that a PL/pgSQL body runs and evaluates.
fn plpgsql(reader: &mut Reader, node: &Value, cursor: &mut Cursor) {
    match node {
        Value::Array(items) => items.iter().for_each(|item| plpgsql(reader, item, cursor)),
        Value::Object(fields) => {
            for (kind, value) in fields {
                match kind.as_str() {
                    "PLpgSQL_stmt_dynexecute" | "PLpgSQL_stmt_dynfors" => dynamic(reader, value.get("query"), cursor),
                    "dynquery" => dynamic(reader, Some(value), cursor),
                    "PLpgSQL_expr" => {
                        let query = string(value, "query");
                        let at = cursor.place(&query);
                        if !MODES.iter().any(|mode| reader.statements(&query, at, *mode).is_ok()) {
                            reader.reading.is_unseen = true;
                        }
                    }
                    _ => {}
                }
                plpgsql(reader, value, cursor);
            }
        }
        _ => {}
    }
}

/// What EXECUTE runs: the value of an expression.
fn dynamic(reader: &mut Reader, expression: Option<&Value>, cursor: &mut Cursor) {
    let query = expression.and_then(|e| e.pointer("/PLpgSQL_expr")).map(|e| string(e, "query")).unwrap_or_default();
    let parsed =
        stack::stands(&query).then(|| stack::reading(&query, || pg_query::parse(&query, ParserOptions::PLPGSQL_EXPR)));
    let tree =
        parsed.and_then(Result::ok).and_then(|parsed| serde_json::to_value(&parsed.protobuf.stmts.first()?.stmt).ok());
    let outer = std::mem::replace(&mut reader.at, cursor.place(&query));
    run(reader, tree.as_ref().and_then(|tree| tree.pointer("/node/SelectStmt/target_list/0/node/ResTarget/val")));
    reader.at = outer;
}

/// The value of an expression is run as SQL.
pub(super) fn run(reader: &mut Reader, expression: Option<&Value>) {
    let Some((sql, is_known)) = expression.and_then(text) else {
        reader.reading.is_unseen = true;
        return;
    };
    // With what stands for the unknown in it, it may still be seen what kind of statement it is.
    let is_read = reader.maybe(&sql);
    reader.reading.is_unseen |= !is_known || !is_read;
}

/// The constant that an expression is.
pub(super) fn constant(expression: &Value) -> Option<String> {
    text(expression).filter(|(_, is_known)| *is_known).map(|(text, _)| text)
}

/// The text that an expression gives, and whether all of it is known; none if nothing is.
fn text(expression: &Value) -> Option<(String, bool)> {
    let node = expression.get("node").unwrap_or(expression);
    let (kind, value) = node.as_object()?.iter().next()?;
    match kind.as_str() {
        "AConst" => Some((value.pointer("/val/Sval/sval")?.as_str()?.to_string(), true)),
        "TypeCast" => text(value.get("arg")?),
        "AExpr" if is_named(value.get("name"), "||") => {
            let (left, right) = (part(value.get("lexpr")), part(value.get("rexpr")));
            Some((left.0 + &right.0, left.1 && right.1))
        }
        "FuncCall" => {
            let arguments: Vec<&Value> = value.get("args").and_then(Value::as_array).into_iter().flatten().collect();
            match value.get("funcname").and_then(last)?.as_str() {
                "concat" => Some(joined(arguments.iter().map(|a| part(Some(a))))),
                "format" => {
                    let (template, is_known) = text(arguments.first()?)?;
                    let parts: Vec<_> = arguments[1..].iter().map(|a| part(Some(a))).collect();
                    let (filled, is_filled) = filled(&template, &parts);
                    Some((filled, is_known && is_filled))
                }
                "quote_literal" | "quote_nullable" => {
                    let (value, is_known) = part(arguments.first().copied());
                    Some((literal(&value), is_known))
                }
                "quote_ident" => {
                    let (value, is_known) = part(arguments.first().copied());
                    Some((identifier(&value), is_known))
                }
                "btrim" | "lower" | "ltrim" | "rtrim" | "trim" | "upper" => text(arguments.first()?),
                _ => None,
            }
        }
        _ => None,
    }
}

fn part(expression: Option<&Value>) -> (String, bool) {
    expression.and_then(text).unwrap_or_else(|| (UNKNOWN.to_string(), false))
}

fn joined(parts: impl Iterator<Item = (String, bool)>) -> (String, bool) {
    parts.fold((String::new(), true), |(text, known), (more, is_known)| (text + &more, known && is_known))
}

fn literal(value: &str) -> String {
    format!("'{}'", value.trim().replace('\'', "''"))
}

fn identifier(value: &str) -> String {
    format!("\"{}\"", value.trim().replace('"', "\"\""))
}

/// A template of `format` with its values, or with something in their places; and whether all of them are known.
fn filled(template: &str, values: &[(String, bool)]) -> (String, bool) {
    let mut values = values.iter();
    let mut all_known = true;
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let end = behind.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(behind.len());
        let (kind, more) = behind[end..].chars().next().map_or(("", ""), |c| behind[end..].split_at(c.len_utf8()));
        rest = more;
        if kind == "%" {
            out.push('%');
            continue;
        }
        // Places that are named by number, or are wide, aren't followed.
        let (value, is_known) = match values.next() {
            Some(value) if end == 0 => value.clone(),
            _ => (UNKNOWN.to_string(), false),
        };
        all_known &= is_known;
        out.push_str(&match kind {
            "L" => literal(&value),
            "I" => identifier(&value),
            _ => value,
        });
    }
    (out + rest, all_known)
}

fn is_named(names: Option<&Value>, name: &str) -> bool {
    names.and_then(last).as_deref() == Some(name)
}
