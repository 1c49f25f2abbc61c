//! Synthetic histories, each of one shape, in any size: what makes a loop over the whole show as a square.

/// The migrations of a history by number, from 0: the text of each file.
pub type Write = fn(usize, usize) -> String;

/// A shape: its name, and the text of one of so many migrations.
pub struct Shape {
    /// What it is about.
    pub name: &'static str,
    /// Writes the migration of the first number, of so many.
    pub write: Write,
}

/// All shapes.
pub const ALL: &[Shape] = &[
    Shape { name: "tables", write: tables },
    Shape { name: "tables dropped", write: tables_dropped },
    Shape { name: "serials", write: serials },
    Shape { name: "owned sequences", write: owned_sequences },
    Shape { name: "renames of tables", write: renames_of_tables },
    Shape { name: "renames of one table", write: renames_of_one },
    Shape { name: "renames of columns", write: renames_of_columns },
    Shape { name: "columns come and go", write: columns },
    Shape { name: "one wide table", write: wide },
    Shape { name: "columns changed", write: columns_changed },
    Shape { name: "indexes", write: indexes },
    Shape { name: "constraints", write: constraints },
    Shape { name: "foreign keys", write: foreign_keys },
    Shape { name: "one hub", write: hub },
    Shape { name: "comments", write: comments },
    Shape { name: "comments on one", write: comments_on_one },
    Shape { name: "grants", write: grants },
    Shape { name: "grants on one", write: grants_on_one },
    Shape { name: "rows", write: rows },
    Shape { name: "rows of many tables", write: rows_of_many },
    Shape { name: "rows emptied", write: rows_emptied },
    Shape { name: "rows changed", write: rows_changed },
    Shape { name: "functions", write: functions },
    Shape { name: "one function", write: one_function },
    Shape { name: "overloads", write: overloads },
    Shape { name: "triggers", write: triggers },
    Shape { name: "policies", write: policies },
    Shape { name: "views", write: views },
    Shape { name: "views on views", write: views_on_views },
    Shape { name: "one view", write: one_view },
    Shape { name: "materialized views", write: materialized_views },
    Shape { name: "values of an enum", write: values },
    Shape { name: "types", write: types },
    Shape { name: "partitions", write: partitions },
    Shape { name: "children", write: children },
    Shape { name: "schemas", write: schemas },
    Shape { name: "roles", write: roles },
    Shape { name: "default privileges", write: default_privileges },
    Shape { name: "blocks", write: blocks },
    Shape { name: "guarded blocks", write: guarded_blocks },
    Shape { name: "calls", write: calls },
    Shape { name: "drops of nothing", write: drops_of_nothing },
    Shape { name: "drops of the unknown", write: drops_of_the_unknown },
    Shape { name: "sessions", write: sessions },
    Shape { name: "transactions", write: transactions },
    Shape { name: "rollbacks", write: rollbacks },
    Shape { name: "extensions", write: extensions },
    Shape { name: "rare kinds", write: rare },
];

/// A history of all shapes at once.
pub fn mixed(at: usize, count: usize) -> String {
    let shape = &ALL[at % ALL.len()];
    (shape.write)(at / ALL.len(), count / ALL.len())
}

fn tables(at: usize, _: usize) -> String {
    format!(
        "-- The {at}th table.\nCREATE TABLE t{at} (\n    id bigint PRIMARY KEY,\n    name text NOT NULL, -- how it is called\n    \
         size integer DEFAULT 0 CHECK (size >= 0),\n    UNIQUE (name, size)\n);\n"
    )
}

fn tables_dropped(at: usize, _: usize) -> String {
    let pair = at / 2;
    match at % 2 {
        0 => format!("CREATE TABLE d{pair} (id int PRIMARY KEY, name text);\nCREATE INDEX ON d{pair} (name);\n"),
        _ => format!("DROP TABLE d{pair};\n"),
    }
}

fn serials(at: usize, _: usize) -> String {
    let pair = at / 2;
    match at % 2 {
        0 => format!("CREATE TABLE s{pair} (id serial, old bigserial, name text);\n"),
        _ => format!("ALTER TABLE s{pair} DROP COLUMN old;\n"),
    }
}

fn owned_sequences(at: usize, _: usize) -> String {
    let of = at / 3;
    match at % 3 {
        0 => format!("CREATE SEQUENCE q{of};\nCREATE TABLE o{of} (id int DEFAULT nextval('q{of}'), n int);\n"),
        1 => format!("ALTER SEQUENCE q{of} OWNED BY o{of}.id;\n"),
        _ => format!("ALTER TABLE o{of} DROP COLUMN id;\n"),
    }
}

fn renames_of_tables(at: usize, _: usize) -> String {
    let of = at / 4;
    match at % 4 {
        0 => format!("CREATE TABLE r{of} (id serial PRIMARY KEY, name text);\n"),
        1 => format!("CREATE VIEW rv{of} AS SELECT id, name FROM r{of};\n"),
        2 => format!("ALTER TABLE r{of} RENAME TO rr{of};\n"),
        _ => format!("ALTER TABLE rr{of} RENAME COLUMN name TO title;\n"),
    }
}

fn renames_of_one(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE one0 (id int PRIMARY KEY);\nCREATE VIEW of_one AS SELECT id FROM one0;\n".into(),
        _ => format!("ALTER TABLE one{} RENAME TO one{at};\n", at - 1),
    }
}

fn renames_of_columns(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE rc (id int PRIMARY KEY, c0 text);\nCREATE INDEX of_rc ON rc (c0);\n".into(),
        _ => format!("ALTER TABLE rc RENAME c{} TO c{at};\n", at - 1),
    }
}

fn columns(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE cg (id int PRIMARY KEY);\n".into(),
        _ if at % 2 == 1 => format!("ALTER TABLE cg ADD COLUMN c{at} text NOT NULL DEFAULT '';\n"),
        _ => format!("ALTER TABLE cg DROP COLUMN c{};\n", at - 1),
    }
}

/// PostgreSQL's limit is 1,600 columns; more of them come in further tables.
fn wide(at: usize, _: usize) -> String {
    const MOST: usize = 1_000;
    let (table, column) = (at / MOST, at % MOST);
    match column {
        0 => format!("CREATE TABLE wide{table} (id int PRIMARY KEY);\n"),
        _ => format!("ALTER TABLE wide{table} ADD COLUMN c{column} text;\n"),
    }
}

fn columns_changed(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE cc (id int PRIMARY KEY, n int, t varchar(1));\n".into(),
        _ => match at % 4 {
            0 => format!("ALTER TABLE cc ALTER n SET DEFAULT {at};\n"),
            1 => format!("ALTER TABLE cc ALTER COLUMN t TYPE varchar({});\n", at % 1000 + 1),
            2 => "ALTER TABLE cc ALTER n SET NOT NULL;\n".into(),
            _ => "ALTER TABLE cc ALTER n DROP NOT NULL, ALTER n DROP DEFAULT;\n".into(),
        },
    }
}

fn indexes(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE ix (id int PRIMARY KEY, n int, t text);\n".into(),
        _ if at.is_multiple_of(3) => format!("DROP INDEX ix_{};\n", at - 1),
        _ => format!("CREATE INDEX ix_{at} ON ix (n, t) WHERE n > {at};\n"),
    }
}

fn constraints(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE con (id int PRIMARY KEY, n int);\n".into(),
        _ if at % 2 == 1 => format!("ALTER TABLE con ADD CONSTRAINT con_{at} CHECK (n <> {at});\n"),
        _ if at.is_multiple_of(4) => format!("ALTER TABLE con DROP CONSTRAINT con_{};\n", at - 1),
        _ => format!("ALTER TABLE con ADD CHECK (n > -{at});\n"),
    }
}

fn foreign_keys(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE fk0 (id int PRIMARY KEY);\n".into(),
        _ => format!(
            "CREATE TABLE fk{at} (id int PRIMARY KEY, up int REFERENCES fk{});\n\
             ALTER TABLE fk{} ADD COLUMN down int REFERENCES fk{at};\n",
            at - 1,
            at - 1
        ),
    }
}

fn hub(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE hub (id int PRIMARY KEY, name text);\n".into(),
        _ if at % 2 == 1 => format!("CREATE TABLE spoke{at} (id int, hub int NOT NULL REFERENCES hub (id));\n"),
        _ => format!("DROP TABLE spoke{};\n", at - 1),
    }
}

fn comments(at: usize, _: usize) -> String {
    format!(
        "CREATE TABLE com{at} (id int, n int);\nCOMMENT ON TABLE com{at} IS 'the table';\nCOMMENT ON COLUMN com{at}.n IS 'n';\n"
    )
}

fn comments_on_one(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE coo (id int, n int);\n".into(),
        _ if at.is_multiple_of(2) => format!("COMMENT ON TABLE coo IS 'version {at}';\n"),
        _ => format!("COMMENT ON COLUMN coo.n IS 'version {at}';\n"),
    }
}

fn grants(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE ROLE reader;\nCREATE ROLE writer;\n".into(),
        _ => format!(
            "CREATE TABLE gr{at} (id int, n int);\nGRANT SELECT, INSERT ON gr{at} TO reader, writer;\nREVOKE INSERT ON gr{at} FROM reader;\n"
        ),
    }
}

fn grants_on_one(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE goo (id int, n int);\nCREATE ROLE of_goo;\n".into(),
        _ if at % 2 == 1 => "GRANT SELECT, UPDATE (n) ON goo TO of_goo;\n".into(),
        _ => "REVOKE SELECT, UPDATE (n) ON goo FROM of_goo;\n".into(),
    }
}

fn rows(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE kv (key text PRIMARY KEY, value text);\n".into(),
        _ => format!("INSERT INTO kv (key, value) VALUES ('key {at}', 'value {at}');\n"),
    }
}

fn rows_of_many(at: usize, _: usize) -> String {
    format!("CREATE TABLE rm{at} (id serial PRIMARY KEY, name text);\nINSERT INTO rm{at} (name) VALUES ('a'), ('b');\n")
}

fn rows_emptied(at: usize, _: usize) -> String {
    match (at, at % 4) {
        (0, _) => "CREATE TABLE em (id int PRIMARY KEY, n int);\n".into(),
        (_, 0) => "TRUNCATE em;\n".into(),
        (_, 1) => "DELETE FROM em;\n".into(),
        _ => format!("INSERT INTO em VALUES ({at}, {at});\n"),
    }
}

fn rows_changed(at: usize, _: usize) -> String {
    let of = at / 3;
    match at % 3 {
        0 => format!("CREATE TABLE rw{of} (id int PRIMARY KEY, n int);\n"),
        1 if of.is_multiple_of(2) => format!("INSERT INTO rw{of} VALUES (1, 2);\n"),
        _ => format!("UPDATE rw{of} SET n = id WHERE n IS NULL;\n"),
    }
}

fn functions(at: usize, _: usize) -> String {
    format!(
        "CREATE FUNCTION f{at}(a int) RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n    RETURN a + {at};\nEND\n$$;\n\
         COMMENT ON FUNCTION f{at}(int) IS 'adds';\n"
    )
}

fn one_function(at: usize, _: usize) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION same(a int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$\n\
         BEGIN\n    RETURN a + {at};\nEND\n$$;\n"
    )
}

fn overloads(at: usize, _: usize) -> String {
    format!(
        "CREATE TYPE ov{at} AS ENUM ('a');\nCREATE FUNCTION over(a ov{at}) RETURNS int LANGUAGE sql AS 'SELECT {at}';\n"
    )
}

fn triggers(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n = 1; RETURN NEW; END $$;\n"
            .into(),
        _ => format!(
            "CREATE TABLE tr{at} (id int, n int);\n\
             CREATE TRIGGER touched BEFORE UPDATE ON tr{at} FOR EACH ROW EXECUTE FUNCTION touch();\n"
        ),
    }
}

fn policies(at: usize, _: usize) -> String {
    format!(
        "CREATE TABLE po{at} (id int, who text);\nALTER TABLE po{at} ENABLE ROW LEVEL SECURITY;\n\
         CREATE POLICY own ON po{at} USING (who = current_user);\n\
         ALTER POLICY own ON po{at} USING (who = session_user);\n"
    )
}

fn views(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE vt (id int PRIMARY KEY, name text);\n".into(),
        _ if at.is_multiple_of(3) => format!("DROP VIEW v{};\n", at - 1),
        _ => format!("CREATE VIEW v{at} AS SELECT t.id, t.name FROM vt t WHERE t.id > {at};\n"),
    }
}

/// Each of them reads the one before, ten deep.
fn views_on_views(at: usize, _: usize) -> String {
    match at % 10 {
        0 => format!("CREATE TABLE w{at} (id int PRIMARY KEY, name text);\n"),
        _ => format!("CREATE VIEW w{at} AS SELECT id, name FROM w{};\n", at - 1),
    }
}

fn one_view(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE ovt (id int PRIMARY KEY, name text);\n".into(),
        _ if at.is_multiple_of(2) => "DROP VIEW ov;\n".into(),
        _ => format!("CREATE VIEW ov AS SELECT id, name FROM ovt WHERE id > {at};\n"),
    }
}

fn materialized_views(at: usize, _: usize) -> String {
    let of = at / 3;
    match at % 3 {
        0 => format!("CREATE TABLE mt{of} (id int PRIMARY KEY, n int);\n"),
        1 => format!("INSERT INTO mt{of} VALUES (1, 2);\n"),
        _ => format!("CREATE MATERIALIZED VIEW mv{of} AS SELECT n FROM mt{of};\n"),
    }
}

/// Fifty values each: that a value has a place in the text of its type makes a longer list cost more.
fn values(at: usize, _: usize) -> String {
    let (of, value) = (at / 50, at % 50);
    match value {
        0 => format!("CREATE TYPE mood{of} AS ENUM ('v0');\n"),
        _ if value % 4 == 0 => format!("ALTER TYPE mood{of} RENAME VALUE 'v{}' TO 'w{}';\n", value - 1, value - 1),
        _ => format!("ALTER TYPE mood{of} ADD VALUE 'v{value}';\n"),
    }
}

fn types(at: usize, _: usize) -> String {
    let of = at / 2;
    match at % 2 {
        0 => format!("CREATE TYPE ct{of} AS (a int, b text);\nCREATE DOMAIN dom{of} AS int;\n"),
        _ => format!(
            "ALTER TYPE ct{of} ADD ATTRIBUTE c int;\nALTER DOMAIN dom{of} ADD CONSTRAINT positive CHECK (VALUE > 0);\n"
        ),
    }
}

fn partitions(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE TABLE part (id int, n int) PARTITION BY RANGE (id);\nCREATE INDEX ON part (n);\n".into(),
        _ => format!("CREATE TABLE part{at} PARTITION OF part FOR VALUES FROM ({at}) TO ({});\n", at + 1),
    }
}

fn children(at: usize, _: usize) -> String {
    let of = at / 3;
    match at % 3 {
        0 => format!("CREATE TABLE mother{of} (id int, n int);\n"),
        1 => format!("CREATE TABLE child{of} (m int) INHERITS (mother{of});\n"),
        _ => format!("ALTER TABLE mother{of} RENAME n TO number;\nALTER TABLE mother{of} ADD COLUMN late int;\n"),
    }
}

fn schemas(at: usize, _: usize) -> String {
    format!(
        "CREATE SCHEMA sch{at};\nCREATE TABLE sch{at}.t (id int PRIMARY KEY);\nGRANT USAGE ON SCHEMA sch{at} TO PUBLIC;\n"
    )
}

fn roles(at: usize, _: usize) -> String {
    let of = at / 3;
    match at % 3 {
        0 => format!("CREATE ROLE role{of};\n"),
        1 => format!("CREATE TABLE of_role{of} (id int);\nALTER TABLE of_role{of} OWNER TO role{of};\n"),
        _ => format!("ALTER ROLE role{of} SET search_path = public;\nGRANT role{of} TO CURRENT_USER;\n"),
    }
}

fn default_privileges(at: usize, _: usize) -> String {
    match at {
        0 => "CREATE ROLE app;\nALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO app;\n".into(),
        _ => format!("CREATE TABLE dp{at} (id int PRIMARY KEY);\n"),
    }
}

fn blocks(at: usize, _: usize) -> String {
    format!(
        "CREATE TABLE bl{at} (id int, n int);\nDO $$ DECLARE r record; BEGIN FOR r IN SELECT 1 LOOP EXECUTE format('ALTER TABLE bl{at} ADD c%s int', r); END LOOP; END $$;\n"
    )
}

fn guarded_blocks(at: usize, _: usize) -> String {
    let made = at / 2;
    format!(
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'gt{made}') THEN CREATE TYPE gt{made} AS ENUM ('a'); END IF; END $$;\n\
         DO $$ BEGIN CREATE TYPE gu{made} AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n"
    )
}

fn calls(at: usize, _: usize) -> String {
    match at % 2 {
        0 => format!("CREATE TABLE ca{at} (id serial, n int);\nSELECT setval('ca{at}_id_seq', 10);\n"),
        _ => format!("SELECT audit.enable('ca{}');\n", at - 1),
    }
}

fn drops_of_nothing(at: usize, _: usize) -> String {
    format!("DROP TABLE IF EXISTS dn{at};\nCREATE TABLE dn{at} (id int);\nDROP INDEX IF EXISTS dni{at};\n")
}

fn drops_of_the_unknown(at: usize, _: usize) -> String {
    format!("DROP TABLE du{at};\nCREATE TABLE dv{at} (id int);\n")
}

fn sessions(at: usize, _: usize) -> String {
    format!(
        "SET search_path = public;\nSET LOCAL lock_timeout = '1s';\nCREATE TABLE se{at} (id int);\nRESET search_path;\n"
    )
}

fn rollbacks(at: usize, _: usize) -> String {
    format!("CREATE TABLE rb{at} (id int);\nBEGIN;\nCREATE TABLE no{at} (id int);\nROLLBACK;\n")
}

fn transactions(at: usize, _: usize) -> String {
    format!("BEGIN;\nCREATE TABLE ta{at} (id int);\nALTER TABLE ta{at} ADD COLUMN n int;\nCOMMIT;\n")
}

fn extensions(at: usize, count: usize) -> String {
    match at % (count / 10).max(1) {
        0 => format!("CREATE EXTENSION IF NOT EXISTS ext{at};\n"),
        _ => format!("CREATE TABLE ex{at} (id int, v citext);\n"),
    }
}

fn rare(at: usize, _: usize) -> String {
    format!(
        "CREATE STATISTICS st{at} ON id, n FROM rare{at};\n\
         CREATE TABLE rare{at} (id int, n int);\nCREATE STATISTICS su{at} ON id, n FROM rare{at};\n\
         CREATE TEXT SEARCH CONFIGURATION ts{at} (COPY = simple);\nCREATE COLLATION co{at} (locale = 'C');\n\
         CREATE AGGREGATE ag{at}(int) (sfunc = int4pl, stype = int);\n"
    )
}
