//! The script of a hand-over: one transaction that looks at the tool's table, refuses or changes it, and says what it did.

use super::Migration;
use super::tools::{Kind, Row, Tool};
use crate::error::Result;
use crate::escape::sql_literal as literal;

/// A hand-over, ready to run.
#[derive(Debug, Clone)]
pub struct Script {
    /// The tool's table.
    pub table: String,
    /// The SQL; empty where only the tool's commands can do it.
    pub sql: String,
    /// The same without a lock, to be asked where nothing may be written.
    pub look: String,
    /// What to run with the tool instead, or to make sure.
    pub commands: Vec<String>,
}

/// The setting in which the script leaves its outcome: `done` or `unchanged`.
pub const OUTCOME: &str = "consolidate.outcome";

/// Makes the script. `changed_texts` lets databases through that ran other texts of the same migrations.
///
/// # Errors
/// When a migration has no version as the tool wants it.
pub fn script(
    tool: &Tool,
    table: Option<&str>,
    old: &[Migration],
    new: &[Migration],
    changed_texts: bool,
) -> Result<Script> {
    let table = table.unwrap_or(tool.table).to_string();
    let body = match tool.kind {
        Kind::Commands => String::new(),
        Kind::Number { column, others } => number(tool, &table, column, others, old, new)?,
        Kind::Chain { column } => chain(tool, &table, column, old, new)?,
        Kind::Rows { ran, which, columns, row } => {
            let rows = |set: &[Migration]| -> Result<Vec<Row>> {
                set.iter().enumerate().map(|(number, m)| row(m, number)).collect()
            };
            let sets = Sets { old: rows(old)?, new: rows(new)?, mark: mark(new) };
            rows_script(tool, &table, ran, which, columns, &sets, changed_texts)
        }
    };
    let sql = if body.is_empty() { body } else { wrap(tool, &table, &body, old.len(), new.len()) };
    let look = sql.replacen(&lock(&table), "", 1);
    Ok(Script { table, sql, look, commands: commands(tool, old, new) })
}

struct Sets {
    old: Vec<Row>,
    new: Vec<Row>,
    mark: String,
}

impl Sets {
    /// Whether a database that is behind can look as if it had run the new set: the tool keeps names alone, and the new
    /// names are those of the history's first files.
    fn is_ambiguous(&self) -> bool {
        self.new.len() < self.old.len()
            && self.new.iter().zip(&self.old).all(|(n, o)| n.key == o.key && (n.sum.is_none() || n.sum == o.sum))
    }
}

/// What a table's comment says once it was handed over, where the table alone can't tell.
fn mark(new: &[Migration]) -> String {
    let texts: String = new.iter().map(|m| format!("{}\n{}\n", m.path, m.text)).collect();
    format!("consolidate: handed over to the set {}", crate::store::manifest::sum(texts.as_bytes()))
}

fn wrap(tool: &Tool, table: &str, body: &str, old: usize, new: usize) -> String {
    // The texts of the set may hold any quote.
    let mut quote = "$consolidate$".to_string();
    while body.contains(&quote) {
        quote.insert(quote.len() - 1, '_');
    }
    format!(
        "-- Hand-over of a database that {tool} keeps: it ran the {old} old migrations, and counts as having run the {new} new ones.\n\
         -- Only {table} changes. Behind, ahead, dirty or failed, the database is refused and nothing changes; run twice, nothing\n\
         -- changes either. psql -v ON_ERROR_STOP=1 -f THIS_FILE URL\n\
         BEGIN;\n\
         DO {quote}\n{body}{quote};\n\
         COMMIT;\n",
        tool = tool.name,
    )
}

fn commands(tool: &Tool, old: &[Migration], new: &[Migration]) -> Vec<String> {
    let name = |m: &Migration| match tool.name {
        "prisma" => word(m.folder()),
        _ => word(m.version.as_deref().unwrap_or(&m.path)),
    };
    let mut lines = Vec::new();
    for line in tool.commands {
        if line.contains("{NAME}") {
            lines.extend(new.iter().map(|m| line.replace("{NAME}", &name(m))));
        } else if line.contains("{OLD}") {
            lines.extend(old.iter().map(|m| line.replace("{OLD}", &name(m))));
        } else {
            lines.push(line.replace("{LAST}", &new.last().map(&name).unwrap_or_default()));
        }
    }
    lines
}

/// A word of a shell's command: in quotes, unless every shell takes it as it is.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/=+@%,:".contains(c);
    match !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        true => text.to_string(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// Nothing else may change the table meanwhile.
fn lock(table: &str) -> String {
    format!("    LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;\n")
}

/// Checks that all tools share: the table is there, it is locked, nothing in it went wrong.
fn head(tool: &Tool, table: &str) -> String {
    let mut out = format!(
        "    PERFORM set_config('{OUTCOME}', '', false);\n\
         \x20   IF to_regclass({name}) IS NULL THEN\n\
         \x20       RAISE EXCEPTION 'behind: there is no table {shown}, so {tool} ran nothing here'\n\
         \x20           USING HINT = 'a new database needs no hand-over: the new set runs on it as it is';\n\
         \x20   END IF;\n\
         {lock}",
        lock = lock(table),
        name = literal(table),
        shown = table.replace('\'', "''").replace('%', "%%"),
        tool = tool.name,
    );
    if let Some((word, query)) = tool.broken {
        out.push_str(&format!(
            "    wrong := ARRAY({query});\n\
             \x20   IF cardinality(wrong) > 0 THEN\n\
             \x20       RAISE EXCEPTION '{word}: {tool} notes trouble with %', array_to_string(wrong, ', ')\n\
             \x20           USING HINT = 'mend it with {tool} and the old set first';\n\
             \x20   END IF;\n",
            query = query.replace("{T}", table),
            tool = tool.name,
        ));
    }
    out
}

fn unchanged(indent: &str, message: &str) -> String {
    format!(
        "{indent}PERFORM set_config('{OUTCOME}', 'unchanged', false);\n\
         {indent}RAISE NOTICE '{message}: nothing was changed';\n\
         {indent}RETURN;\n"
    )
}

fn done(from: usize, to: usize) -> String {
    format!(
        "    PERFORM set_config('{OUTCOME}', 'done', false);\n\
         \x20   RAISE NOTICE 'handed over: {from} old migrations, {to} new ones';\n"
    )
}

/// A note on the table, for where the table alone can't tell.
fn put_mark(table: &str, mark: &str) -> String {
    format!(
        "    EXECUTE format('COMMENT ON TABLE {table} IS %L', concat_ws(E'\\n', noted, '{mark}'));\n",
        table = table.replace('\'', "''").replace('%', "%%"),
    )
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> String {
    format!("ARRAY[{}]::text[]", values.map(literal).collect::<Vec<_>>().join(", "))
}

fn sums(rows: &[Row]) -> String {
    let value = |row: &Row| row.sum.as_deref().map_or_else(|| "NULL".to_string(), literal);
    format!("ARRAY[{}]::text[]", rows.iter().map(value).collect::<Vec<_>>().join(", "))
}

const FIRST_NAMES: &str = "array_to_string({A}[1:5], ', ') || CASE WHEN cardinality({A}) > 5 THEN ', ...' ELSE '' END";

fn first_names(array: &str) -> String {
    FIRST_NAMES.replace("{A}", array)
}

/// Stops where the new set's rows may as well be the history's first ones, unless the table's comment says whose they are.
fn only_if_noted(name: &str, mark: &str) -> String {
    format!(
        "        IF noted IS NULL OR position('{mark}' IN noted) = 0 THEN\n\
         \x20           RAISE EXCEPTION 'behind: {name} notes %, which are also the first of the history', array_to_string(ran, ', ')\n\
         \x20               USING HINT = 'a database that the new set made needs no hand-over; another must run the rest of the old set first';\n\
         \x20       END IF;\n",
    )
}

/// Stops where the database ran other texts than the history's.
fn stops_if_changed(ran: &str) -> String {
    format!(
        "    wrong := ARRAY(SELECT r.k FROM ({ran}) r JOIN unnest(old_keys, old_sums) o(k, s) ON o.k = r.k WHERE o.s <> r.s ORDER BY 1);\n\
         \x20   IF cardinality(wrong) > 0 THEN\n\
         \x20       RAISE EXCEPTION 'changed: this database ran other texts of %', {names}\n\
         \x20           USING HINT = 'put the files back as they were, or say --allow-drift if the difference is of no account';\n\
         \x20   END IF;\n",
        names = first_names("wrong"),
    )
}

fn insert_of(table: &str, columns: &str, rows: &[Row]) -> String {
    let values: Vec<String> =
        rows.iter().filter(|row| !row.stays).map(|row| format!("        ({})", row.values)).collect();
    match values.is_empty() {
        true => String::new(),
        false => format!("    INSERT INTO {table} ({columns}) VALUES\n{};\n", values.join(",\n")),
    }
}

fn rows_script(
    tool: &Tool,
    table: &str,
    ran: &str,
    which: &str,
    columns: &str,
    sets: &Sets,
    changed_texts: bool,
) -> String {
    let name = tool.name;
    let keys = |rows: &[Row]| texts(rows.iter().map(|r| r.key.as_str()));
    let ran = ran.replace("{T}", table);
    let already = if sets.is_ambiguous() { only_if_noted(name, &sets.mark) } else { String::new() };
    let changed = if changed_texts { String::new() } else { stops_if_changed(&ran) };
    let insert = insert_of(table, columns, &sets.new);
    let staying = texts(sets.new.iter().filter(|row| row.stays).map(|row| row.key.as_str()));
    let stays = if which.contains("stays") { format!("    stays text[] := {staying};\n") } else { String::new() };
    format!(
        "DECLARE\n\
         \x20   old_keys text[] := {old_keys};\n\
         \x20   old_sums text[] := {old_sums};\n\
         \x20   new_keys text[] := {new_keys};\n\
         \x20   new_sums text[] := {new_sums};\n\
         {stays}\
         \x20   ran text[];\n\
         \x20   lacking text[];\n\
         \x20   beyond text[];\n\
         \x20   wrong text[];\n\
         \x20   noted text;\n\
         BEGIN\n\
         {head}\
         \x20   noted := obj_description({table_name}::regclass, 'pg_class');\n\
         \x20   ran := ARRAY(SELECT k FROM ({ran}) r ORDER BY k);\n\
         \x20   lacking := ARRAY(SELECT o.k FROM unnest(old_keys) WITH ORDINALITY o(k, n) WHERE o.k <> ALL (ran) ORDER BY o.n);\n\
         \x20   beyond := ARRAY(SELECT r.k FROM unnest(ran) r(k) WHERE r.k <> ALL (old_keys) ORDER BY 1);\n\
         \x20   -- All of the new set is noted, with its checksums, and nothing that only the old one has.\n\
         \x20   IF NOT EXISTS (SELECT FROM unnest(new_keys, new_sums) n(k, s) LEFT JOIN ({ran}) r ON r.k = n.k\n\
         \x20           WHERE r.k IS NULL OR n.s <> r.s)\n\
         \x20       AND NOT EXISTS (SELECT FROM unnest(ran) r(k) WHERE r.k = ANY (old_keys) AND r.k <> ALL (new_keys)) THEN\n\
         {already}{unchanged}\
         \x20   END IF;\n\
         \x20   IF cardinality(lacking) > 0 AND cardinality(beyond) > 0 THEN\n\
         \x20       RAISE EXCEPTION 'behind and ahead: this database lacks %, and ran %, which the history doesn''t have', {lacking}, {beyond}\n\
         \x20           USING HINT = 'it is another history''s, or an earlier set''s: name that with --old';\n\
         \x20   ELSIF cardinality(lacking) > 0 THEN\n\
         \x20       RAISE EXCEPTION 'behind: this database lacks % of % migrations: %', cardinality(lacking), cardinality(old_keys), {lacking}\n\
         \x20           USING HINT = 'run the old set to its end on it first';\n\
         \x20   ELSIF cardinality(beyond) > 0 THEN\n\
         \x20       RAISE EXCEPTION 'ahead: this database ran %, which the history doesn''t have', {beyond}\n\
         \x20           USING HINT = 'consolidate a history that has them too, or hand over before they run';\n\
         \x20   END IF;\n\
         {changed}\
         \x20   DELETE FROM {table} WHERE {which};\n\
         {insert}{put_mark}{done}\
         END\n",
        old_keys = keys(&sets.old),
        old_sums = sums(&sets.old),
        new_keys = keys(&sets.new),
        new_sums = sums(&sets.new),
        head = head(tool, table),
        table_name = literal(table),
        unchanged = unchanged("        ", "this database counts as having run the new set already"),
        lacking = first_names("lacking"),
        beyond = first_names("beyond"),
        put_mark = if sets.is_ambiguous() { put_mark(table, &sets.mark) } else { String::new() },
        done = done(sets.old.len(), sets.new.len()),
    )
}

fn number(
    tool: &Tool,
    table: &str,
    column: &str,
    others: &[(&str, &str)],
    old: &[Migration],
    new: &[Migration],
) -> Result<String> {
    let numbers = |set: &[Migration]| set.iter().map(Migration::number).collect::<Result<Vec<i64>>>();
    let (olds, news) = (numbers(old)?, numbers(new)?);
    let (last, target) = (olds.last().copied().unwrap_or(0), news.last().copied().unwrap_or(0));
    let name = tool.name;
    let list = olds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let columns: String = others.iter().map(|(column, _)| format!(", {column}")).collect();
    let values: String = others.iter().map(|(_, value)| format!(", {value}")).collect();
    let mark = mark(new);
    let same = unchanged("        ", "the new set ends at the version at which this database is");
    let already = unchanged("        ", "this database counts as having run the new set already");
    let is_marked = format!("noted IS NOT NULL AND position('{mark}' IN noted) > 0");
    let first = if last == target {
        format!("    IF reached = {last} THEN\n{same}    END IF;\n")
    } else {
        format!("    IF {is_marked} AND reached >= {target} THEN\n{already}    END IF;\n")
    };
    Ok(format!(
        "DECLARE\n\
         \x20   reached bigint;\n\
         \x20   noted text;\n\
         \x20   wrong text[];\n\
         BEGIN\n\
         {head}\
         \x20   noted := obj_description({table_name}::regclass, 'pg_class');\n\
         \x20   SELECT max({column}) INTO reached FROM {table};\n\
         {first}\
         \x20   IF reached IS NULL OR reached = 0 THEN\n\
         \x20       RAISE EXCEPTION 'behind: {name} ran nothing here'\n\
         \x20           USING HINT = 'a new database needs no hand-over: the new set runs on it as it is';\n\
         \x20   ELSIF reached > {last} THEN\n\
         \x20       RAISE EXCEPTION 'ahead: this database is at version %, and the history ends at {last}', reached\n\
         \x20           USING HINT = 'consolidate a history that has them too, or hand over before they run';\n\
         \x20   ELSIF reached <> {last} AND reached = ANY (ARRAY[{list}]::bigint[]) THEN\n\
         \x20       RAISE EXCEPTION 'behind: this database is at version %, and the history ends at {last}', reached\n\
         \x20           USING HINT = 'run the old set to its end on it first; one that the new set made needs no hand-over';\n\
         \x20   ELSIF reached <> {last} THEN\n\
         \x20       RAISE EXCEPTION 'ahead: this database is at version %, which the history doesn''t have', reached\n\
         \x20           USING HINT = 'it is another history''s, or an earlier set''s: name that with --old';\n\
         \x20   END IF;\n\
         \x20   DELETE FROM {table};\n\
         \x20   INSERT INTO {table} ({column}{columns}) VALUES ({target}{values});\n\
         {put_mark}{done}\
         END\n",
        head = head(tool, table),
        table_name = literal(table),
        put_mark = put_mark(table, &mark),
        done = done(olds.len(), news.len()),
    ))
}

/// For a tool whose table names the last migration alone.
fn chain(tool: &Tool, table: &str, column: &str, old: &[Migration], new: &[Migration]) -> Result<String> {
    let names = |set: &[Migration]| set.iter().map(|m| m.version().map(String::from)).collect::<Result<Vec<_>>>();
    let (olds, news) = (names(old)?, names(new)?);
    let end = |names: &[String]| names.last().cloned().unwrap_or_default();
    let (last, target) = (end(&olds), end(&news));
    let name = tool.name;
    // A name from the middle of the history is that of a database which is behind.
    let already = if target == last || !olds.contains(&target) {
        let same = unchanged("        ", "the new set ends at the revision at which this database is");
        format!("    IF ran = ARRAY[{}]::text[] THEN\n{same}    END IF;\n", literal(&target))
    } else {
        String::new()
    };
    // Said by RAISE, where a percent sign has a meaning.
    let shown = last.replace('\'', "''").replace('%', "%%");
    Ok(format!(
        "DECLARE\n\
         \x20   old_keys text[] := {keys};\n\
         \x20   ran text[];\n\
         \x20   wrong text[];\n\
         BEGIN\n\
         {head}\
         \x20   ran := ARRAY(SELECT {column}::text FROM {table} ORDER BY 1);\n\
         {already}\
         \x20   IF cardinality(ran) = 0 THEN\n\
         \x20       RAISE EXCEPTION 'behind: {name} ran nothing here'\n\
         \x20           USING HINT = 'a new database needs no hand-over: the new set runs on it as it is';\n\
         \x20   ELSIF NOT ran <@ old_keys THEN\n\
         \x20       RAISE EXCEPTION 'ahead: this database is at %, which the history doesn''t have', {ran}\n\
         \x20           USING HINT = 'consolidate a history that has it too, or hand over before it runs';\n\
         \x20   ELSIF ran <> ARRAY[{last}]::text[] THEN\n\
         \x20       RAISE EXCEPTION 'behind: this database is at %, and the history ends at {shown}', {ran}\n\
         \x20           USING HINT = 'run the old set to its end on it first; one that the new set made needs no hand-over';\n\
         \x20   END IF;\n\
         \x20   DELETE FROM {table};\n\
         \x20   INSERT INTO {table} ({column}) VALUES ({target});\n\
         {done}\
         END\n",
        keys = texts(olds.iter().map(String::as_str)),
        head = head(tool, table),
        target = literal(&target),
        last = literal(&last),
        ran = first_names("ran"),
        done = done(olds.len(), news.len()),
    ))
}
