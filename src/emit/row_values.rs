//! Statements made from rows: one INSERT for a table's rows as the replayed history left them, with expressions where their
//! values differ from run to run.

use super::portable::Portable;
use super::value_texts::{
    constant, counted_time, expression, is_time, is_time_text, is_uuid_text, is_word, put_together,
};
use crate::proof::{Entry, EntryKind, Facts, Snapshot, TableRows};
use crate::sql::names::{literal, quote};
use crate::sql::parse::{NodeEnum, parse};
use pg_query::protobuf::ConstrType;
use regex::Regex;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A column by schema, table and name.
type Place = (String, String, String);

/// Writes rows of a replayed history.
pub struct RowTexts<'a> {
    first: &'a Snapshot,
    again: Option<&'a Snapshot>,
    refers: HashMap<Place, Place>,
    /// What of the server both replays had alike, and the history doesn't say: the superuser's name on a server of others.
    own: Vec<&'a str>,
    /// The tables with rows, each after those that its rows point at.
    pub order: Vec<(&'a str, &'a str)>,
}

/// The statements that bring a table's rows.
pub struct Stated {
    /// The statements.
    pub statements: Vec<String>,
    /// Whether they look rows of other tables up.
    pub looks_up: bool,
}

/// A value of a row, as it is written.
struct Value {
    text: String,
    is_looked_up: bool,
}

/// One table's rows under work.
struct Work<'a> {
    rows: &'a TableRows,
    /// Which cells differ from run to run.
    volatile: Vec<Vec<bool>>,
    /// The rows of the second run in the order of the first.
    twins: Vec<Option<&'a [Option<String>]>>,
}

impl Work<'_> {
    /// The rows in an order that is the same in every run. The judge sorts them by their primary key, which may differ from
    /// run to run; then by what of them doesn't.
    fn in_lasting_order(&self) -> Vec<usize> {
        let (rows, columns) = (&self.rows.rows, self.rows.columns.len());
        let sorted_by = if self.rows.key.is_empty() { (0..columns).collect() } else { self.rows.key.clone() };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        if sorted_by.iter().any(|i| self.volatile.iter().any(|row| row[*i])) {
            let others = (0..columns).filter(|i| !sorted_by.contains(i));
            let by: Vec<usize> = sorted_by.iter().copied().chain(others).collect();
            let value = |n: usize, i: usize| rows[n][i].as_ref().filter(|_| !self.volatile[n][i]);
            // 9 comes before 10.
            order.sort_by_cached_key(|n| {
                let lasting = by.iter().map(|i| value(*n, *i).map(|v| (v.parse::<i64>().ok(), v)));
                lasting.collect::<Vec<_>>()
            });
        }
        order
    }
}

impl<'a> RowTexts<'a> {
    /// `again` is a second replay of the same history: what differs there differs from run to run.
    pub fn new(first: &'a Snapshot, again: Option<&'a Snapshot>, portable: &Portable) -> Self {
        let keys = first.entries.iter().filter(|e| e.kind == EntryKind::FkConstraint);
        let (mine, theirs) = (&first.facts, again.map(|again| &again.facts));
        let mut own = Vec::new();
        if theirs.is_none_or(|theirs| theirs.user == mine.user) && !portable.is_in_the_history(&mine.user) {
            own.push(mine.user.as_str());
        }
        if theirs.is_none_or(|theirs| theirs.version == mine.version) {
            own.push(mine.version.as_str());
        }
        own.retain(|fact| !fact.is_empty());
        let refers = keys.filter_map(single_key).collect();
        let mut texts = RowTexts { first, again, refers, own, order: Vec::new() };
        let mut order = Vec::new();
        first.rows.iter().for_each(|table| texts.visit(table, &mut Vec::new(), &mut order));
        texts.order = order;
        texts
    }

    /// The rows of a table as one INSERT. `hold_triggers` keeps the table's own triggers off, since these rows are their
    /// results already.
    ///
    /// # Errors
    /// Says why, when a value differs from run to run and nothing is known that gives such values: to write down the one
    /// that came out here would give every new database the same.
    pub fn insert(&self, rows: &TableRows, hold_triggers: bool) -> Result<Stated, String> {
        let work = self.work(rows);
        let wanted: Vec<usize> = (0..rows.columns.len()).filter(|i| self.is_wanted(&work, *i)).collect();
        let table = format!("{}.{}", quote(&rows.schema), quote(&rows.table));
        if wanted.is_empty() {
            let statements = vec![format!("INSERT INTO {table} DEFAULT VALUES"); rows.rows.len()];
            return Ok(Stated { statements, looks_up: false });
        }
        let mut looks_up = false;
        let mut lines = Vec::with_capacity(rows.rows.len());
        for n in work.in_lasting_order() {
            let mut values = Vec::with_capacity(wanted.len());
            for i in &wanted {
                let unknown = || {
                    let column = quote(&rows.columns[*i].0);
                    format!("{table}.{column} differs from run to run, and no expression for it is known")
                };
                let value = self.value(&work, n, *i).ok_or_else(unknown)?;
                looks_up |= value.is_looked_up;
                values.push(value.text);
            }
            lines.push(format!("    ({})", values.join(", ")));
        }
        let names: Vec<String> = wanted.iter().map(|i| quote(&rows.columns[*i].0)).collect();
        let overriding = if self.has_identity(rows) { " OVERRIDING SYSTEM VALUE" } else { "" };
        let insert = format!("INSERT INTO {table} ({}){overriding} VALUES\n{}", names.join(", "), lines.join(",\n"));
        let switch = |word: &str| format!("ALTER TABLE {table} {word} TRIGGER USER");
        let statements = match hold_triggers {
            true => vec![switch("DISABLE"), insert, switch("ENABLE")],
            false => vec![insert],
        };
        Ok(Stated { statements, looks_up })
    }

    fn work(&self, rows: &'a TableRows) -> Work<'a> {
        let twin = self.again.and_then(|s| find(s, &rows.schema, &rows.table));
        let twin = twin.filter(|t| t.rows.len() == rows.rows.len() && t.columns == rows.columns);
        let Some(twin) = twin else {
            let volatile =
                rows.rows.iter().map(|r| r.iter().map(|v| self.is_of_clock(v) || self.is_own(v)).collect()).collect();
            return Work { rows, volatile, twins: vec![None; rows.rows.len()] };
        };
        let mut work = Work { rows, volatile: Vec::new(), twins: vec![None; rows.rows.len()] };
        for (a, b) in matched(rows, twin) {
            work.twins[a] = Some(&twin.rows[b]);
        }
        let other = |n: usize, i: usize| work.twins[n].is_some_and(|t| t[i] != rows.rows[n][i]);
        let differs =
            |n: usize, i: usize| other(n, i) || self.is_of_clock(&rows.rows[n][i]) || self.is_own(&rows.rows[n][i]);
        work.volatile =
            (0..rows.rows.len()).map(|n| (0..rows.columns.len()).map(|i| differs(n, i)).collect()).collect();
        work
    }

    /// Whether a value holds what only this server is, though both replays gave it.
    fn is_own(&self, value: &Option<String>) -> bool {
        let holds = |value: &str, fact: &str| {
            value.match_indices(fact).any(|(at, _)| is_word(&value[..at], &value[at + fact.len()..]))
        };
        value.as_ref().is_some_and(|value| self.own.iter().any(|fact| holds(value, fact)))
    }

    /// Whether a value is the time at which it was written: two replays may give the same by chance.
    fn is_of_clock(&self, value: &Option<String>) -> bool {
        value.as_ref().is_some_and(|value| self.first.clock.gave(value))
    }

    /// The column's line in the table's entry.
    fn line(&self, rows: &TableRows, column: &str) -> &str {
        let table = |e: &&Entry| e.kind == EntryKind::Table && e.schema == rows.schema && e.name == rows.table;
        let begins = format!("{} ", quote(column));
        let entry = self.first.entries.iter().find(table);
        entry.and_then(|e| e.text.lines().map(str::trim_start).find(|l| l.starts_with(&begins))).unwrap_or("")
    }

    fn has_identity(&self, rows: &TableRows) -> bool {
        let of = |e: &Entry| e.kind == EntryKind::Sequence && e.text.contains("GENERATED ALWAYS AS IDENTITY");
        let table = format!("{}.{} ", quote(&rows.schema), quote(&rows.table));
        self.first.entries.iter().any(|e| of(e) && e.text.contains(&table))
    }

    /// Whether a column is written: not if it is generated, or if its default gives what differs from run to run.
    fn is_wanted(&self, work: &Work, i: usize) -> bool {
        let has = constraints(self.line(work.rows, &work.rows.columns[i].0));
        let volatile = !work.rows.rows.is_empty() && work.volatile.iter().all(|row| row[i]);
        let by_default = volatile && has.contains(&ConstrType::ConstrDefault) && self.origin(work.rows, i).is_none();
        !(has.contains(&ConstrType::ConstrGenerated) || by_default)
    }

    /// The column that this one's values come from.
    fn origin(&self, rows: &TableRows, i: usize) -> Option<&Place> {
        self.refers.get(&(rows.schema.clone(), rows.table.clone(), rows.columns[i].0.clone()))
    }

    fn value(&self, work: &Work, n: usize, i: usize) -> Option<Value> {
        let (plain, found) = (|text| Value { text, is_looked_up: false }, |text| Value { text, is_looked_up: true });
        let Some(value) = &work.rows.rows[n][i] else { return Some(plain("NULL".into())) };
        if !work.volatile[n][i] {
            return Some(plain(constant(value, &work.rows.columns[i].1)));
        }
        if let Some(expression) = self.of_the_server(work, n, i) {
            return Some(plain(expression));
        }
        if let Some((schema, table, column)) = self.origin(work.rows, i) {
            return self.look_up(find(self.first, schema, table)?, column, value, 0).map(found);
        }
        if let Some((table, column)) = self.owner(work.rows, i, value) {
            return self.look_up(table, &column, value, 0).map(found);
        }
        let type_name = &work.rows.columns[i].1;
        expression(type_name)
            .map(String::from)
            .or_else(|| self.is_of_clock(&work.rows.rows[n][i]).then(|| counted_time(value, type_name)).flatten())
            .or_else(|| alike(work, i))
            .map(plain)
    }

    /// What gives a value that is the server's own, or holds it: both replays say the same of servers that are called otherwise.
    fn of_the_server(&self, work: &Work, n: usize, i: usize) -> Option<String> {
        let value = work.rows.rows[n][i].as_ref()?;
        let twin = work.twins[n].map_or(Some(value), |twin| twin[i].as_ref())?;
        let (here, there) = (&self.first.facts, &self.again.unwrap_or(self.first).facts);
        let named =
            |facts: &Facts, number: &str| facts.relations.iter().find(|(_, n)| n == number).map(|r| r.0.clone());
        let by_number = named(here, value).filter(|name| value != twin && named(there, twin).as_ref() == Some(name));
        if let Some(name) = by_number {
            return Some(format!("{}::regclass::oid", literal(&name)));
        }
        let facts = here.named().into_iter().zip(there.named()).map(|((what, a), (_, b))| (what, a, b));
        let facts: Vec<_> = facts.filter(|(_, a, b)| a != b || self.own.contains(a)).collect();
        if let Some((what, ..)) = facts.iter().find(|(_, a, b)| a == value && b == twin) {
            return Some(what.to_string());
        }
        let type_name = &work.rows.columns[i].1;
        if type_name.ends_with("with time zone") && here.states_without_zone(value, there, twin) {
            return value.strip_suffix("+00").map(literal);
        }
        let is_text = type_name == "text" || type_name.starts_with("character varying");
        is_text.then(|| put_together(value, twin, &facts)).flatten()
    }

    /// Without a foreign key: an earlier table with the same long value, which the value then refers to.
    fn owner(&self, rows: &TableRows, i: usize, value: &str) -> Option<(&'a TableRows, String)> {
        if value.len() < 16 || is_time(&rows.columns[i].1) {
            return None;
        }
        let own = |at: &&(&str, &str)| **at != (rows.schema.as_str(), rows.table.as_str());
        self.order.iter().take_while(own).find_map(|(schema, table)| {
            let table = find(self.first, schema, table)?;
            let row = table.rows.iter().find(|r| r.iter().any(|v| v.as_deref() == Some(value)))?;
            let at = row.iter().position(|v| v.as_deref() == Some(value))?;
            Some((table, table.columns[at].0.clone()))
        })
    }

    /// A query for the value, by what of its row is the same in every run, or is itself looked up. `depth` says how many
    /// queries stand around this one.
    fn look_up(&self, table: &'a TableRows, column: &str, value: &str, depth: usize) -> Option<String> {
        let work = self.work(table);
        let at = table.columns.iter().position(|(name, _)| name == column)?;
        let row = table.rows.iter().position(|r| r[at].as_deref() == Some(value))?;
        let stable = |i: &usize| work.volatile.iter().all(|r| !r[*i]);
        let refers = |i: &usize| !stable(i) && *i != at && depth < 4 && self.origin(table, *i).is_some();
        let known = (0..table.columns.len()).filter(stable);
        let mut alike: Vec<usize> = (0..table.rows.len()).collect();
        let mut conditions = Vec::new();
        // Only what tells the row apart from those that are left is asked for.
        for i in known.chain((0..table.columns.len()).filter(refers)) {
            let same: Vec<usize> = alike.iter().copied().filter(|n| table.rows[*n][i] == table.rows[row][i]).collect();
            if same.len() == alike.len() {
                continue;
            }
            let name = quote(&table.columns[i].0);
            conditions.push(match &table.rows[row][i] {
                None => format!("{name} IS NULL"),
                Some(value) if !work.volatile[row][i] => {
                    format!("{name} = {}", constant(value, &table.columns[i].1))
                }
                Some(value) => {
                    let (schema, other, key) = self.origin(table, i)?;
                    format!("{name} = {}", self.look_up(find(self.first, schema, other)?, key, value, depth + 1)?)
                }
            });
            alike = same;
        }
        let condition =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let name = quote(column);
        let from = format!("{}.{}", quote(&table.schema), quote(&table.table));
        let place = alike.iter().position(|n| *n == row)?;
        // Rows that are alike in all that lasts are interchangeable; each is taken once.
        let nth = if alike.len() > 1 { format!(" ORDER BY {name} OFFSET {place} LIMIT 1") } else { String::new() };
        Some(format!("(SELECT {name} FROM {from}{condition}{nth})"))
    }

    fn visit(&self, table: &'a TableRows, path: &mut Vec<(&'a str, &'a str)>, order: &mut Vec<(&'a str, &'a str)>) {
        let name = (table.schema.as_str(), table.table.as_str());
        if order.contains(&name) || path.contains(&name) || table.rows.is_empty() {
            return;
        }
        path.push(name);
        for (i, _) in table.columns.iter().enumerate().filter(|(i, _)| table.rows.iter().any(|r| r[*i].is_some())) {
            let on = self.origin(table, i).and_then(|(schema, other, _)| find(self.first, schema, other));
            if let Some(other) = on {
                self.visit(other, path, order);
            }
        }
        path.pop();
        order.push(name);
    }
}

/// The kinds of constraints that a column's line in a dump says.
fn constraints(line: &str) -> Vec<ConstrType> {
    let table = format!("CREATE TABLE t ({})", line.trim_end_matches(','));
    let Ok(Some(NodeEnum::CreateStmt(table))) = parse(&table) else { return Vec::new() };
    let Some(NodeEnum::ColumnDef(column)) = table.table_elts.first().and_then(|node| node.node.as_ref()) else {
        return Vec::new();
    };
    let kind = |node: &pg_query::Node| match &node.node {
        Some(NodeEnum::Constraint(constraint)) => ConstrType::try_from(constraint.contype).ok(),
        _ => None,
    };
    column.constraints.iter().filter_map(kind).collect()
}

fn find<'a>(snapshot: &'a Snapshot, schema: &str, table: &str) -> Option<&'a TableRows> {
    snapshot.rows.iter().find(|t| t.schema == schema && t.table == table)
}

/// A foreign key of one column, as from where to where.
fn single_key(entry: &Entry) -> Option<(Place, Place)> {
    static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let name = r#"("(?:[^"]|"")+"|[\w$]+)"#;
        Regex::new(&format!(
            r"(?s)ALTER TABLE (?:ONLY )?{name}\.{name}\s.*FOREIGN KEY \({name}\) REFERENCES {name}\.{name}\({name}\)"
        ))
        .ok()
    });
    let found = KEY.as_ref()?.captures(&entry.text)?;
    let part = |i: usize| {
        let text = &found[i];
        text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).map_or(text.to_string(), |t| t.replace("\"\"", "\""))
    };
    Some(((part(1), part(2), part(3)), (part(4), part(5), part(6))))
}

/// Rows of both runs in pairs: those that are the same in both, then the others in the order of those columns that hold the same
/// values in both.
fn matched(rows: &TableRows, twin: &TableRows) -> Vec<(usize, usize)> {
    let column = |of: &TableRows, i: usize| {
        let mut values: Vec<Option<String>> = of.rows.iter().map(|r| r[i].clone()).collect();
        values.sort();
        values
    };
    let stable: Vec<usize> = (0..rows.columns.len()).filter(|i| column(rows, *i) == column(twin, *i)).collect();
    let mut same: HashMap<&[Option<String>], Vec<usize>> = HashMap::new();
    for (b, row) in twin.rows.iter().enumerate().rev() {
        same.entry(row).or_default().push(b);
    }
    let mut pairs = Vec::with_capacity(rows.rows.len());
    let mut taken = vec![false; twin.rows.len()];
    let mut left = Vec::new();
    for (a, row) in rows.rows.iter().enumerate() {
        match same.get_mut(row.as_slice()).and_then(Vec::pop) {
            Some(b) => {
                taken[b] = true;
                pairs.push((a, b));
            }
            None => left.push(a),
        }
    }
    let order = |of: &TableRows, mut order: Vec<usize>| {
        order.sort_by_key(|n| stable.iter().map(|i| of.rows[*n][*i].clone()).collect::<Vec<_>>());
        order
    };
    let others = (0..taken.len()).filter(|b| !taken[*b]).collect();
    pairs.extend(order(rows, left).into_iter().zip(order(twin, others)));
    pairs
}

/// What gives text like the column's: what all its values begin with, and random letters and digits to the same length.
fn alike(work: &Work, i: usize) -> Option<String> {
    let type_name = &work.rows.columns[i].1;
    if !(type_name == "text" || type_name.starts_with("character")) {
        return None;
    }
    let mut values: Vec<&str> = Vec::new();
    for (n, row) in work.rows.rows.iter().enumerate().filter(|(n, _)| work.volatile[*n][i]) {
        values.extend(row[i].as_deref());
        values.extend(work.twins[n].and_then(|t| t[i].as_deref()));
    }
    let first = values.first()?;
    if values.iter().all(|value| is_time_text(value)) {
        return Some("now()::text".into());
    }
    if values.iter().all(|value| is_uuid_text(value)) {
        return Some("gen_random_uuid()::text".into());
    }
    let common = values.iter().map(|v| v.bytes().zip(first.bytes()).take_while(|(a, b)| a == b).count()).min()?;
    // A random letter that happens to be the same everywhere is no part of what they begin with.
    let prefix = first.get(..common)?;
    let prefix = &prefix[..prefix.rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1)];
    let rest = first.len() - prefix.len();
    // Alphabets for addresses and base64 have more than letters and digits.
    let is_random = |b: u8| b.is_ascii_alphanumeric() || b"-_+/=".contains(&b);
    let fits = |v: &&str| v.len() == first.len() && v[prefix.len()..].bytes().all(is_random);
    if rest < 8 || !values.iter().all(fits) {
        return None;
    }
    let random = (0..rest.div_ceil(32)).map(|_| "md5(random()::text)").collect::<Vec<_>>().join(" || ");
    let random = if rest % 32 == 0 { random } else { format!("substr({random}, 1, {rest})") };
    Some(if prefix.is_empty() { random } else { format!("{} || {random}", literal(prefix)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_is_called_stays_an_expression() {
        let facts = [("CURRENT_USER", "postgres", "away"), ("pg_backend_pid()", "1", "98765")];
        assert_eq!(
            put_together("made by postgres, 1", "made by away, 1", &facts).as_deref(),
            Some("'made by ' || CURRENT_USER || ', 1'")
        );
        assert_eq!(put_together("by postgres", "by web", &facts), None);
        // A cluster's first database is called as its superuser.
        let alike = [("CURRENT_USER", "postgres", "somebody"), ("current_database()", "postgres", "elsewher")];
        assert_eq!(
            put_together("postgres in postgres", "somebody in elsewher", &alike).as_deref(),
            Some("CURRENT_USER || ' in ' || current_database()")
        );
    }

    #[test]
    fn a_default_is_told_from_words_in_one() {
        assert_eq!(constraints("a text DEFAULT 'x GENERATED ALWAYS AS (y)'::text,"), [ConstrType::ConstrDefault]);
        assert!(constraints("\"a DEFAULT b\" integer,").is_empty());
        assert_eq!(constraints("b integer GENERATED ALWAYS AS ((a * 2)) STORED"), [ConstrType::ConstrGenerated]);
    }

    #[test]
    fn numbers_and_truth_stand_without_quotes() {
        for (text, type_name, written) in [
            ("20", "integer", "20"),
            ("-7", "bigint", "-7"),
            ("1.50", "numeric(4,2)", "1.50"),
            ("NaN", "numeric", "'NaN'"),
            ("t", "boolean", "true"),
            ("t", "text", "'t'"),
            ("007", "character varying(3)", "'007'"),
            ("1e+20", "double precision", "'1e+20'"),
            ("{1,2}", "integer[]", "'{1,2}'"),
        ] {
            assert_eq!(constant(text, type_name), written);
        }
    }
}
