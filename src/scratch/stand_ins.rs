//! The stand-ins that come with the tool: which extension each is for, and what of it isn't what the original computes.

use super::extensions::StandIn;

/// The functions of pgcrypto's stand-in that don't compute what pgcrypto computes.
const PGCRYPTO: &[&str] = &[
    "crypt",
    "gen_salt",
    "encrypt",
    "decrypt",
    "encrypt_iv",
    "decrypt_iv",
    "pgp_sym_encrypt",
    "pgp_sym_encrypt_bytea",
    "pgp_sym_decrypt",
    "pgp_sym_decrypt_bytea",
    "pgp_pub_encrypt",
    "pgp_pub_encrypt_bytea",
    "pgp_pub_decrypt",
    "pgp_pub_decrypt_bytea",
    "pgp_key_id",
    "pgp_armor_headers",
    "armor",
    "dearmor",
];

/// Those of http's: all that would ask a server.
const HTTP: &[&str] = &["http(", "http_get", "http_post", "http_put", "http_patch", "http_delete", "http_head"];

/// Those of pg_net's.
const PG_NET: &[&str] = &["net.http_get", "net.http_post", "net.http_delete", "net.http_collect_response"];

/// Those of pgsodium's.
const PGSODIUM: &[&str] = &[
    "pgsodium.derive_key",
    "pgsodium.crypto_aead_det_encrypt",
    "pgsodium.crypto_aead_det_decrypt",
    "pgsodium.crypto_secretbox",
    "pgsodium.crypto_secretbox_open",
];

const HYPOPG: &[&str] = &["hypopg_create_index", "hypopg_hide_index", "hypopg_relation_size"];

const PG_JSONSCHEMA: &[&str] =
    &["json_matches_schema", "jsonb_matches_schema", "jsonschema_is_valid", "jsonschema_validation_errors"];

/// A stand-in that can be moved to any schema.
fn movable(name: &str, version: &str, comment: &str, sql: &str, substitutes: &[&str]) -> StandIn {
    StandIn {
        name: name.into(),
        version: version.into(),
        comment: comment.into(),
        sql: sql.into(),
        substitutes: substitutes.iter().map(ToString::to_string).collect(),
        ..StandIn::default()
    }
}

/// One that stays where it was created.
fn fixed(name: &str, version: &str, comment: &str, sql: &str, substitutes: &[&str]) -> StandIn {
    StandIn { is_fixed: true, ..movable(name, version, comment, sql, substitutes) }
}

/// One that has a schema of its own.
fn at_home(schema: &str, stand_in: StandIn) -> StandIn {
    StandIn { schema: Some(schema.into()), ..stand_in }
}

/// One that needs another extension.
fn with(needed: &str, stand_in: StandIn) -> StandIn {
    StandIn { requires: vec![needed.into()], ..stand_in }
}

macro_rules! script {
    ($name:literal) => {
        include_str!(concat!("stand_ins/", $name, ".sql"))
    };
}

/// All of them.
pub fn shipped() -> Vec<StandIn> {
    let mut all = vec![
        movable("pgcrypto", "1.3", "cryptographic functions", script!("pgcrypto"), PGCRYPTO),
        movable(
            "uuid-ossp",
            "1.1",
            "generate universally unique identifiers (UUIDs)",
            script!("uuid-ossp"),
            &["uuid_generate_v1", "uuid_generate_v1mc"],
        ),
        movable("moddatetime", "1.0", "functions for tracking last modification time", script!("moddatetime"), &[]),
        movable(
            "insert_username",
            "1.0",
            "functions for tracking who changed a table",
            script!("insert_username"),
            &[],
        ),
        fixed("dblink", "1.2", "connect to other PostgreSQL databases from within a database", script!("dblink"), &[]),
        movable(
            "pg_stat_statements",
            "1.11",
            "track planning and execution statistics of all SQL statements executed",
            script!("pg_stat_statements"),
            &[],
        ),
    ];
    all.extend(jobs_and_requests());
    all.extend(secrets());
    all.extend(tools());
    all
}

/// Jobs, queues and requests.
fn jobs_and_requests() -> [StandIn; 4] {
    [
        // The original wants to be in pg_catalog, but earlier versions didn't, and histories are of their time.
        fixed("pg_cron", "1.6", "Job scheduler for PostgreSQL", script!("pg_cron"), &[]),
        at_home(
            "pgmq",
            fixed(
                "pgmq",
                "1.5.1",
                "A lightweight message queue. Like AWS SQS and RSMQ but on Postgres.",
                script!("pgmq"),
                &[],
            ),
        ),
        fixed("pg_net", "0.14.0", "Async HTTP", script!("pg_net"), PG_NET),
        fixed(
            "http",
            "1.6",
            "HTTP client for PostgreSQL, allows web page retrieval inside the database.",
            script!("http"),
            HTTP,
        ),
    ]
}

/// Secrets and tokens.
fn secrets() -> [StandIn; 3] {
    [
        at_home(
            "pgsodium",
            fixed("pgsodium", "3.1.8", "Postgres extension for libsodium functions", script!("pgsodium"), PGSODIUM),
        ),
        at_home("vault", fixed("supabase_vault", "0.3.1", "Supabase Vault Extension", script!("supabase_vault"), &[])),
        with("pgcrypto", fixed("pgjwt", "0.2.0", "JSON Web Token API for Postgresql", script!("pgjwt"), &[])),
    ]
}

/// What looks at the database, or opens it to the outside.
fn tools() -> [StandIn; 6] {
    [
        at_home(
            "graphql",
            fixed("pg_graphql", "1.5.11", "pg_graphql: GraphQL support", script!("pg_graphql"), &["graphql.resolve"]),
        ),
        movable("pg_jsonschema", "0.3.3", "pg_jsonschema", script!("pg_jsonschema"), PG_JSONSCHEMA),
        movable("hypopg", "1.4.1", "Hypothetical indexes for PostgreSQL", script!("hypopg"), HYPOPG),
        with(
            "hypopg",
            movable("index_advisor", "0.2.0", "Query index advisor", script!("index_advisor"), &["index_advisor("]),
        ),
        movable(
            "plpgsql_check",
            "2.7",
            "extended check for plpgsql functions",
            script!("plpgsql_check"),
            &["plpgsql_check_function", "plpgsql_check_function_tb"],
        ),
        fixed("wrappers", "0.5.4", "Foreign data wrappers developed by Supabase", script!("wrappers"), &[]),
    ]
}
