//! What each tool notes in a database about the migrations that it ran: its table, and a row as it writes it.
//!
//! Where a rule isn't in a tool's documents, the file of its source is named that it was taken from.

use super::Migration;
use super::rows::{changeset, flyway, graphile_migrate, revision};
use super::sums;
use crate::error::{Error, Result};
use crate::escape::sql_literal as literal;
use crate::history::layout::{play, postgrator};

/// A tool's table.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The layout's name.
    pub name: &'static str,
    /// The table, as the tool calls it if it isn't told otherwise.
    pub table: &'static str,
    /// What the table says: one number, or a row for each migration.
    pub kind: Kind,
    /// Finds what has gone wrong in it: a word for it, and a query (of `{T}`) for the names.
    pub broken: Option<(&'static str, &'static str)>,
    /// The tool's own command, as lines with `{NAME}` for each new migration, or `{OLD}` for each old one.
    pub commands: &'static [&'static str],
}

/// What a table says.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// One row with the version reached.
    Number {
        /// The column.
        column: &'static str,
        /// Other columns, and what they hold.
        others: &'static [(&'static str, &'static str)],
    },
    /// One row with the name of the last migration, each of which names the one before it.
    Chain {
        /// The column.
        column: &'static str,
    },
    /// A row for each migration.
    Rows {
        /// A query of `{T}` that gives each migration that counts as run, as `k`, and its checksum or NULL, as `s`.
        ran: &'static str,
        /// Which rows are migrations', as a condition.
        which: &'static str,
        /// The columns that the new rows fill.
        columns: &'static str,
        /// A migration's key, checksum and row.
        row: fn(&Migration, usize) -> Result<Row>,
    },
    /// The tool has no table that can be written from outside: its commands must do.
    Commands,
}

/// A migration in a tool's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What tells it from others.
    pub key: String,
    /// Its checksum, where the tool keeps one.
    pub sum: Option<String>,
    /// The values of the new row, as SQL.
    pub values: String,
    /// Whether the row that a database has of it stays as it is.
    pub stays: bool,
}

impl Row {
    pub(super) fn new(key: String, sum: Option<String>, values: String) -> Row {
        Row { key, sum, values, stays: false }
    }
}

/// The tool of a layout, whose migrations may have folders of their own.
///
/// # Errors
/// When it has none.
pub fn of(layout: &str, in_folders: bool) -> Result<&'static Tool> {
    if layout == DRIZZLE_IN_FOLDERS.name && in_folders {
        return Ok(&DRIZZLE_IN_FOLDERS);
    }
    TOOLS.iter().find(|t| t.name == layout).ok_or_else(|| {
        Error::new(format!("the layout {layout} belongs to no tool, so no table says what a database ran"))
            .hint("name the tool by --layout; if it is your own, its table must be changed by hand")
    })
}

/// drizzle's version 1, which knows a migration by its folder (drizzle-orm's pg-core/async/session.ts, `migrate`, and
/// up-migrations/pg.ts): it adds the column for that when it first runs.
const DRIZZLE_IN_FOLDERS: Tool = Tool {
    name: "drizzle",
    table: "drizzle.__drizzle_migrations",
    kind: Kind::Rows {
        ran: "SELECT to_jsonb(t) ->> 'name' AS k, hash AS s FROM {T} t",
        which: "true",
        columns: "hash, created_at, name",
        row: |m, _| {
            let (name, sum) = (m.folder().to_string(), sums::sha256(&m.text));
            let wrong =
                || Error::new(format!("the folder {name} doesn't begin with a time")).hint("drizzle-kit gives it one");
            let time = name.get(..14).filter(|t| t.bytes().all(|b| b.is_ascii_digit())).ok_or_else(wrong)?;
            // As JavaScript's Date.UTC: what is too great for a field goes to the next one.
            let field = |from: usize, to: usize| time[from..to].to_string();
            let when = format!(
                "1000 * extract(epoch FROM make_timestamp({}, 1, 1, 0, 0, 0) + make_interval(months => {} - 1, days => {} - 1, \
                 hours => {}, mins => {}, secs => {}))::bigint",
                field(0, 4),
                field(4, 6),
                field(6, 8),
                field(8, 10),
                field(10, 12),
                field(12, 14)
            );
            let values = format!("'{sum}', {when}, {}", literal(&name));
            Ok(Row::new(name, Some(sum), values))
        },
    },
    broken: Some(("without a name", "SELECT 'row ' || id FROM {T} t WHERE to_jsonb(t) ->> 'name' IS NULL")),
    commands: &[],
};

/// All tools.
pub const TOOLS: &[Tool] = &[
    // sqlx-postgres/src/migrate.rs, `ensure_migrations_table`, `apply`.
    Tool {
        name: "sqlx",
        table: "_sqlx_migrations",
        kind: Kind::Rows {
            ran: "SELECT version::text AS k, encode(checksum, 'hex') AS s FROM {T}",
            which: "true",
            columns: "version, description, success, checksum, execution_time",
            row: |m, _| {
                let (version, sum) = (m.number()?, sums::sha384(&m.text));
                let values = format!("{version}, {}, true, '\\x{sum}', 0", literal(&m.words()));
                Ok(Row::new(version.to_string(), Some(sum), values))
            },
        },
        broken: Some(("failed", "SELECT version::text FROM {T} WHERE NOT success")),
        commands: &[],
    },
    // diesel_migrations/src/migration_harness.rs.
    Tool {
        name: "diesel",
        table: "__diesel_schema_migrations",
        kind: Kind::Rows {
            ran: "SELECT version AS k, NULL::text AS s FROM {T}",
            which: "true",
            columns: "version",
            row: |m, _| m.named(m.version()?.to_string()),
        },
        broken: None,
        commands: &[],
    },
    // database/postgres/postgres.go, `SetVersion`.
    Tool {
        name: "golang-migrate",
        table: "schema_migrations",
        kind: Kind::Number { column: "version", others: &[("dirty", "false")] },
        broken: Some(("dirty", "SELECT version::text FROM {T} WHERE dirty")),
        commands: &["migrate -path MIGRATIONS -database URL force {LAST}"],
    },
    // internal/dialects/postgres.go; the row of version 0 is goose's own. Older versions note an undone one by a row.
    Tool {
        name: "goose",
        table: "goose_db_version",
        kind: Kind::Rows {
            ran: "SELECT version_id::text AS k, NULL::text AS s FROM (SELECT DISTINCT ON (version_id) version_id, is_applied \
                  FROM {T} ORDER BY version_id, id DESC) latest WHERE is_applied AND version_id > 0",
            which: "version_id > 0",
            columns: "version_id, is_applied",
            row: |m, _| {
                let version = m.number()?;
                Ok(Row::new(version.to_string(), None, format!("{version}, true")))
            },
        },
        broken: None,
        commands: &[],
    },
    // cmd/atlas/internal/migrate/ent/schema/revision.go; sql/migrate/migrate.go, `Pending` and `Execute`. A baseline stands for
    // what comes before it. What ran before a checkpoint is none of the history's, and a later file then stands for the
    // checkpoint. Names that begin with a dot are Atlas' own. Its hash sums up the files before a file, too, so it says
    // nothing of one, and isn't compared: what stands for a checksum only marks a checkpoint.
    Tool {
        name: "atlas",
        table: "atlas_schema_revisions.atlas_schema_revisions",
        kind: Kind::Rows {
            ran: "SELECT version::text AS k, NULL::text AS s FROM {T} \
                  WHERE version NOT LIKE '.%' AND NOT (old_sums[1] IS NOT DISTINCT FROM 'checkpoint' AND version COLLATE \"C\" < old_keys[1] \
                  AND version <> ALL (new_keys)) \
                  UNION SELECT o, NULL FROM unnest(old_keys) WITH ORDINALITY k(o, n) WHERE EXISTS (SELECT FROM {T} \
                  WHERE version NOT LIKE '.%' AND (type = 1 AND o COLLATE \"C\" <= version \
                  OR n = 1 AND old_sums[1] = 'checkpoint' AND o COLLATE \"C\" < version))",
            which: "version NOT LIKE '.%'",
            columns: "version, description, type, applied, total, executed_at, execution_time, hash, operator_version",
            row: revision,
        },
        broken: Some((
            "failed",
            "SELECT version::text FROM {T} WHERE version NOT LIKE '.%' AND (applied <> total OR coalesce(error, '') <> '')",
        )),
        commands: &[],
    },
    // pkg/driver/postgres/postgres.go, `InsertMigration`.
    Tool {
        name: "dbmate",
        table: "schema_migrations",
        kind: Kind::Rows {
            ran: "SELECT version::text AS k, NULL::text AS s FROM {T}",
            which: "true",
            columns: "version",
            row: |m, _| m.named(m.version()?.to_string()),
        },
        broken: None,
        commands: &[],
    },
    // flyway-database-postgresql's PostgreSQLDatabase.java, `getRawCreateScript`; the row of rank 0 notes that Flyway made
    // the schema. A script that runs again has several rows.
    Tool {
        name: "flyway",
        table: "flyway_schema_history",
        kind: Kind::Rows {
            ran: "SELECT DISTINCT ON (1) coalesce(version, script) AS k, checksum::text AS s FROM {T} \
                  WHERE type <> 'SCHEMA' ORDER BY 1, installed_rank DESC",
            which: "type <> 'SCHEMA'",
            columns: "installed_rank, version, description, type, script, checksum, installed_by, execution_time, success",
            row: flyway,
        },
        broken: Some((
            "failed",
            "SELECT coalesce(version, script) FROM {T} WHERE NOT success OR type LIKE 'UNDO%' OR type = 'DELETE'",
        )),
        commands: &["flyway validate"],
    },
    // schema-engine's sql_schema_differ and persistence.rs: `_prisma_migrations`.
    Tool {
        name: "prisma",
        table: "_prisma_migrations",
        kind: Kind::Rows {
            ran: "SELECT migration_name::text AS k, checksum::text AS s FROM {T} WHERE rolled_back_at IS NULL",
            which: "true",
            columns: "id, checksum, finished_at, migration_name, started_at, applied_steps_count",
            row: |m, _| {
                let (name, sum) = (m.folder().to_string(), sums::sha256(&m.text));
                let values = format!("gen_random_uuid()::text, '{sum}', now(), {}, now(), 1", literal(&name));
                Ok(Row::new(name, Some(sum), values))
            },
        },
        broken: Some((
            "failed",
            "SELECT migration_name::text FROM {T} WHERE finished_at IS NULL AND rolled_back_at IS NULL",
        )),
        commands: &["prisma migrate resolve --applied {NAME}"],
    },
    // drizzle-orm/src/pg-core/dialect.ts, `migrate`.
    Tool {
        name: "drizzle",
        table: "drizzle.__drizzle_migrations",
        kind: Kind::Rows {
            ran: "SELECT created_at::text AS k, hash AS s FROM {T}",
            which: "true",
            columns: "hash, created_at",
            row: |m, _| {
                let when =
                    m.when.ok_or_else(|| Error::new(format!("meta/_journal.json has no time for {}", m.path)))?;
                let sum = sums::sha256(&m.text);
                let values = format!("'{sum}', {when}");
                Ok(Row::new(when.to_string(), Some(sum), values))
            },
        },
        broken: None,
        commands: &[],
    },
    // supabase/cli's pkg/migration/history.go.
    Tool {
        name: "supabase",
        table: "supabase_migrations.schema_migrations",
        kind: Kind::Rows {
            ran: "SELECT version::text AS k, NULL::text AS s FROM {T}",
            which: "true",
            columns: "version, name, statements",
            row: |m, _| {
                let version = m.version()?;
                let statements: Vec<String> = m.statements.iter().map(|s| literal(s)).collect();
                let statements = format!("ARRAY[{}]::text[]", statements.join(", "));
                let values = format!("{}, {}, {statements}", literal(version), literal(&m.description));
                Ok(Row::new(version.to_string(), None, values))
            },
        },
        broken: None,
        commands: &[
            "supabase migration repair --status reverted {OLD}",
            "supabase migration repair --status applied {NAME}",
        ],
    },
    // refinery_core/src/traits/mod.rs, `insert_migration_query`.
    Tool {
        name: "refinery",
        table: "refinery_schema_history",
        kind: Kind::Rows {
            ran: "SELECT version::text AS k, checksum::text AS s FROM {T}",
            which: "true",
            columns: "version, name, applied_on, checksum",
            row: |m, _| {
                let version = m.number()?;
                let sum = sums::refinery(&m.description, version, &m.text).to_string();
                let now = "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
                let values = format!("{version}, {}, {now}, '{sum}'", literal(&m.description));
                Ok(Row::new(version.to_string(), Some(sum), values))
            },
        },
        broken: None,
        commands: &[],
    },
    // graphile/migrate's src/migration.ts, `_migrateMigrationSchema`, `runStringMigration`.
    Tool {
        name: "graphile-migrate",
        table: "graphile_migrate.migrations",
        kind: Kind::Rows {
            ran: "SELECT filename AS k, hash AS s FROM {T}",
            which: "true",
            columns: "hash, previous_hash, filename",
            row: graphile_migrate,
        },
        broken: None,
        commands: &[],
    },
    // lib/Client.js, `ensureTable` and `persistActionSql`; the row of version 0 is postgrator's own, and a step that is a
    // program has no checksum.
    Tool {
        name: "postgrator",
        table: "schemaversion",
        kind: Kind::Rows {
            ran: "SELECT version::text AS k, md5::text AS s FROM {T} WHERE version > 0",
            which: "version > 0",
            columns: "version, name, md5, run_at",
            row: |m, _| {
                let (version, sum) = (m.number()?, sums::md5(&m.text));
                let values = format!("{version}, {}, '{sum}', now()", literal(postgrator::name(&m.description)));
                Ok(Row::new(version.to_string(), Some(sum), values))
            },
        },
        broken: None,
        commands: &[],
    },
    // liquibase's StandardChangeLogHistoryService.java. A checksum that is NULL is computed anew by the next update (the command
    // clear-checksums makes them so). The path in a row may begin above the history's folder. A row of a file that an author
    // wrote stays as it is, since only the database knows how its path begins.
    Tool {
        name: "liquibase",
        table: "databasechangelog",
        kind: Kind::Rows {
            ran: "SELECT coalesce((SELECT o FROM unnest(old_keys || new_keys) o WHERE r = o OR right(r, length(o) + 1) = '/' || o \
                  ORDER BY length(o) DESC LIMIT 1), r) AS k, NULL::text AS s \
                  FROM (SELECT filename || '::' || id || '::' || author AS r FROM {T}) t",
            which: "NOT EXISTS (SELECT FROM unnest(stays) o, concat(filename, '::', id, '::', author) r \
                    WHERE r = o OR right(r, length(o) + 1) = '/' || o)",
            columns: "id, author, filename, dateexecuted, orderexecuted, exectype, md5sum, description, comments, liquibase",
            row: changeset,
        },
        broken: Some(("failed", "SELECT id || ' of ' || author FROM {T} WHERE exectype = 'FAILED'")),
        commands: &["liquibase changelog-sync"],
    },
    // gobuffalo/pop's schema_migrations.go and migrator.go; popx has one more column, with a default.
    Tool {
        name: "pop",
        table: "schema_migration",
        kind: Kind::Rows {
            ran: "SELECT version::text AS k, NULL::text AS s FROM {T}",
            which: "true",
            columns: "version",
            row: |m, _| m.named(m.version()?.to_string()),
        },
        broken: None,
        commands: &[],
    },
    // play-jdbc-evolutions' EvolutionsApi.scala, `CreatePlayEvolutionsSql` and `evolve`.
    Tool {
        name: "play",
        table: "play_evolutions",
        kind: Kind::Rows {
            ran: "SELECT id::text AS k, hash::text AS s FROM {T}",
            which: "true",
            columns: "id, hash, applied_at, apply_script, revert_script, state, last_problem",
            row: |m, _| {
                let (up, down) = play::scripts(&m.text);
                let (number, sum) = (m.number()?, sums::sha1(&format!("{down}{up}")));
                let values = format!("{number}, '{sum}', now(), {}, {}, 'applied', ''", literal(&up), literal(&down));
                Ok(Row::new(number.to_string(), Some(sum), values))
            },
        },
        broken: Some(("failed", "SELECT id::text FROM {T} WHERE state <> 'applied'")),
        commands: &[],
    },
    // migrate.go, `MigrationRecord`: the id is the file's name.
    Tool {
        name: "sql-migrate",
        table: "gorp_migrations",
        kind: Kind::Rows {
            ran: "SELECT id::text AS k, NULL::text AS s FROM {T}",
            which: "true",
            columns: "id, applied_at",
            row: |m, _| Ok(Row::new(m.path.clone(), None, format!("{}, now()", literal(&m.path)))),
        },
        broken: None,
        commands: &[],
    },
    // src/runner.ts; the order of the rows must be that of the files.
    Tool {
        name: "node-pg-migrate",
        table: "pgmigrations",
        kind: Kind::Rows {
            ran: "SELECT name::text AS k, NULL::text AS s FROM {T}",
            which: "true",
            columns: "name, run_on",
            row: |m, _| {
                let name = m.path.strip_suffix(".sql").unwrap_or(&m.path).to_string();
                let values = format!("{}, now()", literal(&name));
                Ok(Row::new(name, None, values))
            },
        },
        broken: None,
        commands: &[],
    },
    // migrate/migrate.go, `ensureSchemaVersionTableExists`.
    Tool {
        name: "tern",
        table: "public.schema_version",
        kind: Kind::Number { column: "version", others: &[] },
        broken: None,
        commands: &[],
    },
    // alembic/runtime/migration.py, `MigrationContext._version` and `HeadMaintainer`.
    Tool {
        name: "alembic",
        table: "alembic_version",
        kind: Kind::Chain { column: "version_num" },
        broken: None,
        commands: &["alembic stamp --purge {LAST}"],
    },
    // Hasura keeps it in its metadata, which may lie in another database
    // (https://hasura.io/docs/latest/hasura-cli/commands/hasura_migrate_apply/).
    Tool {
        name: "hasura",
        table: "",
        kind: Kind::Commands,
        broken: None,
        commands: &[
            "hasura migrate delete --database-name DATABASE --version {OLD} --server",
            "hasura migrate apply --database-name DATABASE --version {NAME} --skip-execution",
        ],
    },
];
