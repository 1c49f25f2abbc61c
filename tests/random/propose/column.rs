//! Columns: their types, values, defaults, conditions, and what ALTER COLUMN does to them.

use super::{COLUMNS, Cx, OTHERS, quote};
use crate::catalog::Column;

const PLAIN: &[&str] = &[
    "int",
    "integer",
    "bigint",
    "smallint",
    "text",
    "text",
    "varchar(40)",
    "character varying",
    "numeric(10, 2)",
    "numeric",
    "boolean",
    "bool",
    "timestamptz",
    "timestamp with time zone",
    "timestamp",
    "date",
    "uuid",
    "jsonb",
    "text[]",
    "int[]",
    "double precision",
    "bytea",
    "interval",
    "char(3)",
    "time",
    "inet",
];

impl Cx<'_> {
    /// A type for a column, as written.
    pub fn kind(&mut self) -> String {
        let cat = self.cat;
        if self.chance(30)
            && let Some((_, name)) = self.thing(&cat.types)
        {
            return if self.chance(8) { format!("{name}[]") } else { name };
        }
        self.word(PLAIN).to_string()
    }

    /// A value of a type, as written in SQL. Few values, so that keys meet.
    pub fn value(&mut self, kind: &str) -> String {
        let cat = self.cat;
        if let Some(kind) = cat.types.iter().find(|t| names(kind, &t.name)) {
            return match kind.kind {
                'e' => {
                    let of: Vec<_> =
                        cat.labels.iter().filter(|l| l.of == kind.name && l.schema == kind.schema).collect();
                    self.pick(&of).map_or("NULL".into(), |l| format!("'{}'", l.name))
                }
                'd' => self.value(&kind.more),
                'c' => "NULL".into(),
                _ => "NULL".into(),
            };
        }
        let small = self.rng.u32(1..6);
        let word = self.word(&["a", "b", "it''s", "x;y", "$1"]);
        let kind = kind.split('(').next().unwrap_or(kind).trim();
        match kind {
            "int" | "integer" | "bigint" | "smallint" | "serial" | "bigserial" => small.to_string(),
            "numeric" | "double precision" => format!("{small}.5"),
            "boolean" | "bool" => self.word(&["true", "false"]).into(),
            k if k.starts_with("timestamp") => {
                self.word(&["now()", "'2020-01-02 03:04:05'", "CURRENT_TIMESTAMP", "'2021-05-06'"]).into()
            }
            "date" => self.word(&["'2020-01-02'", "CURRENT_DATE"]).into(),
            "uuid" if self.chance(50) => "gen_random_uuid()".into(),
            "uuid" => format!("'00000000-0000-0000-0000-00000000000{small}'"),
            "jsonb" => self.word(&["'{}'", "'{\"a\": 1}'", "'[]'::jsonb"]).into(),
            "text[]" => self.word(&["'{}'", "ARRAY['a', 'b']", "'{a,b}'"]).into(),
            "integer[]" | "int[]" => self.word(&["'{}'", "ARRAY[1, 2]"]).into(),
            "bytea" => "'\\x00ff'".into(),
            "interval" => "'1 day'".into(),
            "time" | "time without time zone" => "'10:00'".into(),
            "inet" => "'10.0.0.1'".into(),
            "char" | "character" => "'abc'".into(),
            "text" | "varchar" | "character varying" => format!("'{word}'"),
            _ => "NULL".into(),
        }
    }

    /// A default of a type.
    pub fn default(&mut self, kind: &str) -> String {
        let cat = self.cat;
        if matches!(kind, "int" | "integer" | "bigint")
            && self.chance(20)
            && let Some((_, sequence)) = self.relation("S")
        {
            return format!("nextval('{sequence}')");
        }
        if self.chance(12) {
            let fits: Vec<_> = cat.routines.iter().filter(|r| r.of.is_empty() && r.kind == 'f').collect();
            if let Some(routine) = self.pick(&fits) {
                return format!("{}()", self.qualified(&routine.schema, &routine.name));
            }
        }
        let value = self.value(kind);
        if self.chance(15) && !value.contains('(') { format!("{value}::{kind}") } else { value }
    }

    /// A condition on a column, under a name for it.
    pub fn condition(&mut self, column: &str, kind: &str) -> String {
        let plain = kind.split('(').next().unwrap_or(kind).trim();
        match plain {
            "int" | "integer" | "bigint" | "smallint" | "numeric" | "double precision" => {
                let form = self.word(&[
                    "# > 0",
                    "# >= 0 AND # < 1000",
                    "# BETWEEN 0 AND 99",
                    "# IN (1, 2, 3, 4, 5)",
                    "# <> 7",
                ]);
                form.replace('#', column)
            }
            "text" | "varchar" | "character varying" => {
                let form =
                    self.word(&["# <> ''", "length(#) < 50", "# IN ('a', 'b', 'it''s')", "lower(#) = #", "# !~ ';'"]);
                form.replace('#', column)
            }
            "boolean" | "bool" => column.to_string(),
            _ if self.chance(30) => format!("{column} = {}", self.value(kind)),
            _ => format!("{column} IS NOT NULL"),
        }
    }

    /// A new column as CREATE TABLE and ADD COLUMN have it. `keys` says whether it may be the primary key.
    pub fn column_definition(&mut self, name: &str, keys: bool) -> String {
        if self.chance(12) {
            let kind = self.word(&["serial", "bigserial"]);
            return format!("{name} {kind}{}", if keys { self.maybe(60, " PRIMARY KEY") } else { "" });
        }
        if self.chance(8) {
            let form = self.word(&["ALWAYS", "BY DEFAULT"]);
            let start = self.maybe(20, " (START WITH 10)");
            let key = if keys { self.maybe(60, " PRIMARY KEY") } else { "" };
            return format!("{name} bigint GENERATED {form} AS IDENTITY{start}{key}");
        }
        let kind = self.kind();
        if self.chance(5) {
            let expression = self.word(&["1 + 1", "'a' || 'b'", "qty * 2", "lower(name)", "amount + qty"]);
            let kind = if expression.contains('\'') || expression.contains("name") { "text" } else { "int" };
            return format!("{name} {kind} GENERATED ALWAYS AS ({expression}) STORED");
        }
        let mut text = format!("{name} {kind}");
        if self.chance(8) && (kind == "text" || kind.starts_with("varchar")) {
            text.push_str(" COLLATE \"C\"");
        }
        if self.chance(30) {
            text.push_str(&format!(" DEFAULT {}", self.default(&kind)));
        }
        if self.chance(25) {
            text.push_str(" NOT NULL");
        }
        if keys && self.chance(10) {
            text.push_str(" PRIMARY KEY");
        } else if self.chance(10) {
            text.push_str(" UNIQUE");
        }
        if self.chance(12) {
            let named = if self.chance(30) { format!(" CONSTRAINT {}", self.name(OTHERS)) } else { String::new() };
            text.push_str(&format!("{named} CHECK ({})", self.condition(name, &kind)));
        }
        if self.chance(14) {
            text.push_str(&self.references());
        }
        text
    }

    /// ` REFERENCES …`, or nothing.
    pub fn references(&mut self) -> String {
        let Some((target, table)) = self.table() else { return String::new() };
        let column = if self.chance(60) { self.column(target).map(|c| format!("({})", quote(&c.name))) } else { None };
        let delete = self.word(&[
            "",
            "",
            " ON DELETE CASCADE",
            " ON DELETE SET NULL",
            " ON UPDATE CASCADE",
            " DEFERRABLE INITIALLY DEFERRED",
        ]);
        format!(" REFERENCES {table}{}{delete}", column.unwrap_or_default())
    }
}

/// Whether a type's words name this type, in whatever schema.
fn names(kind: &str, name: &str) -> bool {
    let last = if kind.ends_with('"') { kind.rsplit('"').nth(1) } else { kind.rsplit('.').next() };
    last == Some(name)
}

/// `ALTER TABLE … ALTER COLUMN …`.
pub fn alter(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.table()?;
    let column = cx.column(relation)?;
    let action = alter_action(cx, column);
    let only = cx.maybe(5, "ONLY ");
    Some(format!("ALTER TABLE {only}{table} {action}"))
}

/// What is done to a column, from ALTER on.
pub fn alter_action(cx: &mut Cx, column: &Column) -> String {
    let name = quote(&column.name);
    let word = cx.maybe(60, "COLUMN ");
    let action = match cx.rng.u32(..17) {
        0..3 => format!("SET DEFAULT {}", cx.default(&column.kind)),
        3 if column.is('d') => "DROP DEFAULT".into(),
        4 | 5 if !column.is('n') => "SET NOT NULL".into(),
        4..7 if column.is('n') => "DROP NOT NULL".into(),
        7..12 => change_type(cx, &name, column),
        12 => "ADD GENERATED BY DEFAULT AS IDENTITY".into(),
        13 if column.is('i') => "DROP IDENTITY IF EXISTS".into(),
        13 if column.is('g') => "DROP EXPRESSION IF EXISTS".into(),
        13 => "DROP IDENTITY IF EXISTS".into(),
        14 => cx
            .word(&["SET STATISTICS 100", "SET STORAGE EXTERNAL", "SET (n_distinct = 5)", "SET COMPRESSION pglz"])
            .into(),
        15 if column.is('i') => cx.word(&["SET GENERATED ALWAYS", "RESTART WITH 50", "SET INCREMENT BY 5"]).into(),
        _ => "DROP DEFAULT".into(),
    };
    format!("ALTER {word}{name} {action}")
}

fn change_type(cx: &mut Cx, name: &str, column: &Column) -> String {
    let wider = match column.kind.as_str() {
        "integer" | "smallint" => "bigint",
        "character varying(40)" | "character varying" => "text",
        "text" => "varchar(80)",
        "timestamp without time zone" => "timestamptz",
        _ => "text",
    };
    let kind = if cx.chance(60) { wider.to_string() } else { cx.kind() };
    let set = cx.maybe(40, "SET DATA ");
    let using = match cx.rng.u32(..4) {
        0 => format!(" USING {name}::{kind}"),
        1 => format!(" USING {name}::text::{kind}"),
        _ => String::new(),
    };
    format!("{set}TYPE {kind}{using}")
}

/// A name for a column.
pub fn new_name(cx: &mut Cx) -> String {
    cx.name(COLUMNS)
}
