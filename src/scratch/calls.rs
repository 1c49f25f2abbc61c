//! Which functions a statement calls, by its tree: also in bodies of functions and DO blocks, and in strings that hold SQL, since
//! they may be run. Prose that happens to hold a function's name calls nothing.

use crate::stack;
use pg_query::ParserOptions;
use serde_json::Value;

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The schema, if it is said.
    pub schema: Option<String>,
    /// The function.
    pub name: String,
    /// The byte of the text at which it stands.
    pub at: usize,
}

/// What a statement says of functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The functions that it calls.
    pub calls: Vec<Call>,
    /// Those that it makes.
    pub made: Vec<Call>,
}

/// How deep strings of SQL may stand in strings of SQL.
const DEEPEST: usize = 4;

/// What stands in a PL/pgSQL body: statements, expressions, assignments to variables and to fields of them.
pub(super) const MODES: [ParserOptions; 5] = [
    ParserOptions::DEFAULT,
    ParserOptions::PLPGSQL_EXPR,
    ParserOptions::PLPGSQL_ASSIGN1,
    ParserOptions::PLPGSQL_ASSIGN2,
    ParserOptions::PLPGSQL_ASSIGN3,
];

/// What a text of statements says of functions; nothing if it isn't SQL.
pub fn said(sql: &str) -> Option<Said> {
    let mut reader = Reader { said: Said::default(), depth: 0, in_body: false };
    reader.statements(sql, 0, ParserOptions::DEFAULT).then_some(reader.said)
}

struct Reader {
    said: Said,
    depth: usize,
    /// Whether what is read may build a statement from pieces and run it.
    in_body: bool,
}

impl Reader {
    /// Reads statements that begin at a byte of the whole text; false if PostgreSQL's grammar doesn't know them.
    fn statements(&mut self, sql: &str, begin: usize, mode: ParserOptions) -> bool {
        if !stack::stands(sql) {
            return false;
        }
        let Ok(parsed) = stack::reading(sql, || pg_query::parse(sql, mode)) else { return false };
        for raw in &parsed.protobuf.stmts {
            let start = usize::try_from(raw.stmt_location).unwrap_or(0);
            let end = usize::try_from(raw.stmt_len).ok().filter(|len| *len > 0).map_or(sql.len(), |len| start + len);
            let text = sql.get(start..end).unwrap_or(sql);
            let Ok(tree) = serde_json::to_value(&raw.stmt) else { continue };
            // Places in the tree count from the begin of all statements.
            self.node(&tree, Text { text, whole: sql, begin, start });
        }
        true
    }

    fn node(&mut self, node: &Value, of: Text) {
        match node {
            Value::Array(items) => items.iter().for_each(|item| self.node(item, of)),
            Value::Object(fields) => {
                for (kind, value) in fields {
                    match kind.as_str() {
                        "CreateFunctionStmt" => self.function(value, of),
                        "DoStmt" => self.body(value.get("args"), of),
                        "DefineStmt" => self.parts(value, of),
                        "AConst" => self.string(value, of),
                        // What isn't called there is named so that it is called later.
                        "FuncCall" | "CreateTrigStmt" | "CreateEventTrigStmt" => {
                            self.call(value.get("funcname"), value, of);
                        }
                        "CreateCastStmt" => self.call(value.pointer("/func/objname"), value, of),
                        _ => {}
                    }
                    self.node(value, of);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, names: Option<&Value>, node: &Value, of: Text) {
        let at = of.place(node.get("location"));
        self.said.calls.extend(named(names, at));
    }

    /// CREATE AGGREGATE and the like: the functions that it is made of stand where other definitions have types.
    fn parts(&mut self, define: &Value, of: Text) {
        for part in define.get("definition").and_then(Value::as_array).into_iter().flatten() {
            let Some(part) = part.pointer("/node/DefElem") else { continue };
            let at = of.place(part.get("location"));
            self.said.calls.extend(named(part.pointer("/arg/node/TypeName/names"), at));
        }
    }

    fn function(&mut self, create: &Value, of: Text) {
        self.said.made.extend(named(create.get("funcname"), of.place(None)));
        self.body(create.get("options"), of);
    }

    /// The body of a function or a DO block.
    fn body(&mut self, options: Option<&Value>, of: Text) {
        let (mut language, mut body) = ("plpgsql", None);
        for option in options.and_then(Value::as_array).into_iter().flatten() {
            let Some(option) = option.pointer("/node/DefElem") else { continue };
            let arg = option.get("arg");
            let string = |at: &str| arg.and_then(|arg| arg.pointer(at)).and_then(Value::as_str);
            match option.get("defname").and_then(Value::as_str) {
                Some("language") => language = string("/node/String/sval").unwrap_or(language),
                Some("as") => {
                    body = string("/node/List/items/0/node/String/sval").or_else(|| string("/node/String/sval"));
                }
                _ => {}
            }
        }
        let Some(body) = body else { return };
        // A body that was written with doubled quotes stands nowhere as it is; then the statement is the place.
        let begin = of.text.find(body).map_or(of.place(None), |at| of.begin + of.start + at);
        let outside = std::mem::replace(&mut self.in_body, true);
        let is_read = match language.to_lowercase().as_str() {
            "sql" => self.nested(body, begin, ParserOptions::DEFAULT),
            "plpgsql" => self.expressions(of.text, body, begin),
            _ => false,
        };
        if !is_read {
            self.words(body, begin);
        }
        self.in_body = outside;
    }

    /// What a PL/pgSQL body evaluates; false if it can't be read.
    fn expressions(&mut self, statement: &str, body: &str, begin: usize) -> bool {
        let Ok(tree) = pg_query::parse_plpgsql(statement) else { return false };
        let mut queries = Vec::new();
        gather(&tree, &mut queries);
        let mut from = 0;
        for query in queries {
            // They come in the order of the text, but for some that are declared.
            let at = body[from..].find(query).map(|at| from + at).or_else(|| body.find(query));
            from = at.unwrap_or(from);
            let place = begin + at.unwrap_or(0);
            let readable = MODES.iter().any(|mode| self.nested(query, place, *mode));
            if !readable {
                self.words(query, place);
            }
        }
        true
    }

    fn nested(&mut self, sql: &str, begin: usize, mode: ParserOptions) -> bool {
        self.depth += 1;
        let is_read = self.depth <= DEEPEST && self.statements(sql, begin, mode);
        self.depth -= 1;
        is_read
    }

    /// A string may be SQL that is run later. Pieces of SQL can't be parsed: inside a body, and where one begins as a statement
    /// does, a name before a parenthesis counts.
    fn string(&mut self, constant: &Value, of: Text) {
        let Some(text) = constant.pointer("/val/Sval/sval").and_then(Value::as_str) else { return };
        let begin = of.place(constant.get("location")) + 1;
        if !text.contains('(') || self.nested(text, begin, ParserOptions::DEFAULT) {
            return;
        }
        let verbs =
            ["select", "insert", "update", "delete", "with", "merge", "call", "do", "create", "alter", "perform"];
        let first = text.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if self.in_body || verbs.contains(&first.to_ascii_lowercase().as_str()) {
            self.words(text, begin);
        }
    }

    /// The names that stand right before a parenthesis, in a text that has no tree.
    fn words(&mut self, text: &str, begin: usize) {
        let of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == '.' || c == '"';
        for (at, _) in text.match_indices('(') {
            let start =
                text[..at].rfind(|c| !of_name(c)).map_or(0, |i| i + text[i..].chars().next().map_or(1, char::len_utf8));
            let parts: Vec<String> =
                text[start..at].split('.').map(|part| part.replace('"', "").to_lowercase()).collect();
            if let Some((name, schema)) = parts.split_last().filter(|(name, _)| !name.is_empty()) {
                let schema = schema.last().cloned();
                self.said.calls.push(Call { schema, name: name.clone(), at: begin + start });
            }
        }
    }
}

/// Where a statement stands.
#[derive(Clone, Copy)]
struct Text<'a> {
    /// Its text.
    text: &'a str,
    /// The statements that were parsed together.
    whole: &'a str,
    /// Where those begin in the whole text.
    begin: usize,
    /// Where it begins among them.
    start: usize,
}

impl Text<'_> {
    /// The place of a node; of the statement's first word if it says none.
    fn place(&self, location: Option<&Value>) -> usize {
        let location = location.and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok()).filter(|at| *at > 0);
        let blank = || self.start + self.whole[self.start..].len() - self.whole[self.start..].trim_start().len();
        self.begin + location.unwrap_or_else(blank)
    }
}

/// A function by the parts of its name.
fn named(names: Option<&Value>, at: usize) -> Option<Call> {
    let parts = names?.as_array()?.iter().map(|part| part.pointer("/node/String/sval")?.as_str());
    let parts: Vec<&str> = parts.collect::<Option<_>>()?;
    let (name, schema) = parts.split_last()?;
    Some(Call { schema: schema.last().map(ToString::to_string), name: (*name).to_string(), at })
}

/// The queries and expressions of a PL/pgSQL tree, in its order.
fn gather<'a>(node: &'a Value, queries: &mut Vec<&'a str>) {
    match node {
        Value::Array(items) => items.iter().for_each(|item| gather(item, queries)),
        Value::Object(fields) => {
            for (kind, value) in fields {
                if kind == "PLpgSQL_expr" {
                    queries.extend(value.get("query").and_then(Value::as_str));
                } else {
                    gather(value, queries);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the functions that a text calls, each with the line of its place.
    fn calls(sql: &str) -> Vec<(String, usize)> {
        let line = |at: usize| sql[..at].matches('\n').count() + 1;
        said(sql).unwrap().calls.into_iter().map(|call| (call.name, line(call.at))).collect()
    }

    fn names(sql: &str) -> Vec<String> {
        calls(sql).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn prose_calls_nothing() {
        assert!(names("INSERT INTO t VALUES ('Let''s Encrypt certificate', 'encrypt (all) now', 'armor')").is_empty());
        assert!(
            names("COMMENT ON TABLE t IS 'crypt(x) is used'; GRANT EXECUTE ON FUNCTION crypt(text, text) TO a")
                .is_empty()
        );
        assert!(names("CREATE TABLE crypt (encrypt text DEFAULT 'crypt')").is_empty());
    }

    #[test]
    fn calls_are_found_with_their_lines() {
        assert_eq!(
            calls("INSERT INTO t\nVALUES (1,\n  crypt('a', gen_salt('bf')))"),
            [("crypt".into(), 3), ("gen_salt".into(), 3)]
        );
        let trigger = "\nCREATE TRIGGER a AFTER INSERT ON t\nEXECUTE FUNCTION net.http_request('x')";
        assert_eq!(calls(trigger), [("http_request".into(), 2)]);
        assert_eq!(names("CREATE VIEW v AS SELECT a FROM t WHERE a = (SELECT x.crypt('a', 'b'))"), ["crypt"]);
        assert_eq!(names("CREATE AGGREGATE agg (text) (sfunc = armor, stype = text)"), ["armor", "text"]);
        assert_eq!(names("CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT crypt('a', 'b'); END"), ["crypt"]);
    }

    #[test]
    fn bodies_are_read() {
        let sql = "CREATE FUNCTION f(a text) RETURNS text LANGUAGE sql AS $$\n -- encrypt(a)\n SELECT crypt(a, 'x') $$";
        assert_eq!(calls(sql), [("crypt".into(), 3)]);
        let plpgsql = "CREATE FUNCTION f(a text) RETURNS text LANGUAGE plpgsql AS $$\nDECLARE b text;\nBEGIN\n -- decrypt(a)\n  b := crypt(a, 'x');\n  EXECUTE 'SELECT ' || 'encrypt(' || quote_literal(a) || ')';\n  RAISE NOTICE 'armor: %', a;\n  RETURN b;\nEND $$";
        let found = calls(plpgsql);
        assert!(found.contains(&("crypt".into(), 5)), "{found:?}");
        assert!(found.contains(&("encrypt".into(), 6)), "{found:?}");
        assert!(!found.iter().any(|(name, _)| name == "armor" || name == "decrypt"), "{found:?}");
        assert_eq!(names("DO $$ BEGIN PERFORM crypt('a', 'b'); END $$"), ["crypt"]);
    }

    #[test]
    fn sql_in_strings_counts() {
        assert_eq!(
            names("SELECT cron.schedule('job', '* * * * *', $$SELECT crypt('a', 'b')$$)"),
            ["schedule", "crypt"]
        );
        assert_eq!(names("SELECT run(format('SELECT crypt(%L, 1, ', 'a'))"), ["run", "format", "crypt"]);
        assert_eq!(said("CREATE FUNCTION a.f() RETURNS int LANGUAGE sql AS 'SELECT 1'").unwrap().made[0].name, "f");
        assert_eq!(said("no SQL"), None);
    }
}
