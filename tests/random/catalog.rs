//! What lives in the database while a history grows, read from its catalogs, so that most names proposed next are valid.
//! Everything comes sorted by name: a seed must always give the same history.

use crate::database::Database;

/// A table, view, sequence … with its columns.
#[derive(Debug, Clone, Default)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    /// As in `pg_class.relkind`.
    pub kind: char,
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, Default)]
pub struct Column {
    pub name: String,
    /// As `format_type` writes it.
    pub kind: String,
    /// `n` for NOT NULL, `d` for a default, `i` for identity, `g` for generated.
    pub flags: String,
}

impl Column {
    pub fn is(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }
}

/// Something with a name, in a schema, on or of something else.
#[derive(Debug, Clone, Default)]
pub struct Thing {
    pub schema: String,
    pub name: String,
    /// The relation, domain or enum that it belongs to; a function's arguments.
    pub of: String,
    /// The kind of a constraint (`contype`), a type (`typtype`), a routine (`prokind`).
    pub kind: char,
    /// The type that a function returns; a domain's base type; an index's words.
    pub more: String,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub relations: Vec<Relation>,
    pub constraints: Vec<Thing>,
    pub indexes: Vec<Thing>,
    pub types: Vec<Thing>,
    pub labels: Vec<Thing>,
    pub routines: Vec<Thing>,
    pub triggers: Vec<Thing>,
    pub policies: Vec<Thing>,
    pub roles: Vec<String>,
    pub schemas: Vec<String>,
}

const QUERY: &str = r#"
WITH n AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = 'public' OR oid >= 16384 AND nspname !~ '^pg_'),
r AS (SELECT c.oid, nspname, relname, relkind FROM pg_class c JOIN n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'S'))
SELECT * FROM (
SELECT 'a' AS what, nspname::text AS a, relname::text AS b, relkind::text AS c, '' AS d, '' AS e, 0 AS o FROM r
UNION ALL SELECT 'b', nspname, relname, attname, format_type(atttypid, atttypmod),
    CASE WHEN attnotnull THEN 'n' ELSE '' END || CASE WHEN atthasdef THEN 'd' ELSE '' END
    || CASE WHEN attidentity <> '' THEN 'i' ELSE '' END || CASE WHEN attgenerated <> '' THEN 'g' ELSE '' END, attnum
    FROM r JOIN pg_attribute a ON attrelid = r.oid WHERE attnum > 0 AND NOT attisdropped AND relkind <> 'S'
UNION ALL SELECT 'c', nspname, conname, relname, contype::text, '', 0 FROM r JOIN pg_constraint k ON conrelid = r.oid
UNION ALL SELECT 'c', nspname, conname, typname, 'd', '', 0 FROM pg_constraint k JOIN pg_type t ON contypid = t.oid
    JOIN n ON n.oid = typnamespace
UNION ALL SELECT 'd', nspname, i.relname, r.relname, CASE WHEN indisunique THEN 'u' ELSE 'i' END, '', 0
    FROM r JOIN pg_index x ON indrelid = r.oid JOIN pg_class i ON indexrelid = i.oid
UNION ALL SELECT 'e', nspname, typname, '', typtype::text, CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) ELSE '' END, 0
    FROM pg_type t JOIN n ON n.oid = typnamespace WHERE typtype IN ('e', 'd', 'r')
    OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c')
UNION ALL SELECT 'f', nspname, enumlabel, typname, 'e', '', 0 FROM pg_enum JOIN pg_type t ON enumtypid = t.oid JOIN n ON n.oid = typnamespace
UNION ALL SELECT 'g', nspname, proname, pg_get_function_identity_arguments(p.oid), prokind::text, format_type(prorettype, NULL), 0
    FROM pg_proc p JOIN n ON n.oid = pronamespace
    WHERE NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'i')
UNION ALL SELECT 'h', nspname, tgname, relname, 't', '', 0 FROM r JOIN pg_trigger ON tgrelid = r.oid WHERE NOT tgisinternal
UNION ALL SELECT 'i', nspname, polname, relname, 'p', '', 0 FROM r JOIN pg_policy ON polrelid = r.oid
UNION ALL SELECT 'j', '', rolname, '', '', '', 0 FROM pg_roles WHERE oid >= 16384
UNION ALL SELECT 'k', '', nspname, '', '', '', 0 FROM n
) all_of_it ORDER BY what, a COLLATE "C", CASE WHEN what = 'b' THEN b ELSE '' END COLLATE "C", o, b COLLATE "C", c COLLATE "C", d COLLATE "C"
"#;

impl Catalog {
    pub fn read(database: &mut Database) -> Catalog {
        let mut catalog = Catalog::default();
        for row in database.rows(QUERY) {
            let [what, a, b, c, d, e, _] = row.try_into().unwrap_or_default();
            let letter = |text: &str| text.chars().next().unwrap_or(' ');
            let thing = Thing { schema: a.clone(), name: b.clone(), of: c.clone(), kind: letter(&d), more: e.clone() };
            match what.as_str() {
                "a" => catalog.relations.push(Relation { schema: a, name: b, kind: letter(&c), columns: Vec::new() }),
                "b" => {
                    let owner = catalog.relations.iter_mut().find(|r| r.schema == a && r.name == b);
                    owner.into_iter().for_each(|r| {
                        r.columns.push(Column { name: c.clone(), kind: d.clone(), flags: e.clone() });
                    });
                }
                "c" => catalog.constraints.push(thing),
                "d" => catalog.indexes.push(thing),
                "e" => catalog.types.push(thing),
                "f" => catalog.labels.push(thing),
                "g" => catalog.routines.push(thing),
                "h" => catalog.triggers.push(thing),
                "i" => catalog.policies.push(thing),
                "j" => catalog.roles.push(b),
                _ => catalog.schemas.push(b),
            }
        }
        catalog
    }

    /// The relations of some kinds.
    pub fn of_kinds(&self, kinds: &str) -> Vec<&Relation> {
        self.relations.iter().filter(|r| kinds.contains(r.kind)).collect()
    }
}
