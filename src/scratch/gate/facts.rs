//! What is known of PostgreSQL by name: functions, settings, catalogues and languages that reach out of a database.

/// How a function reaches out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Program,
    File,
    Network,
    Code,
    Others,
}

/// Functions by the door that they are. Of an extension, too: they are named alike wherever it is.
const FUNCTIONS: &[(Door, &[&str])] = &[
    (
        Door::File,
        &[
            "lo_export",
            "lo_import",
            "pg_current_logfile",
            "pg_file_read",
            "pg_file_rename",
            "pg_file_settings",
            "pg_file_sync",
            "pg_file_unlink",
            "pg_file_write",
            "pg_hba_file_rules",
            "pg_ident_file_mappings",
            "pg_logdir_ls",
            "pg_ls_archive_statusdir",
            "pg_ls_dir",
            "pg_ls_logdir",
            "pg_ls_logicalmapdir",
            "pg_ls_logicalsnapdir",
            "pg_ls_replslotdir",
            "pg_ls_summariesdir",
            "pg_ls_tmpdir",
            "pg_ls_waldir",
            "pg_read_binary_file",
            "pg_read_file",
            "pg_read_file_old",
            "pg_read_file_off_len",
            "pg_read_file_all",
            "pg_read_file_all_missing",
            "pg_show_all_file_settings",
            "pg_stat_file",
            "file_fdw_handler",
            "file_fdw_validator",
            "be_lo_import",
            "be_lo_export",
        ],
    ),
    (
        Door::Network,
        &[
            "dblink",
            "dblink_build_sql_delete",
            "dblink_connect",
            "dblink_connect_u",
            "dblink_exec",
            "dblink_fetch",
            "dblink_get_result",
            "dblink_open",
            "dblink_send_query",
            "http",
            "http_delete",
            "http_get",
            "http_head",
            "http_patch",
            "http_post",
            "http_put",
            "postgres_fdw_handler",
        ],
    ),
    (Door::Code, &["plpython3_call_handler", "plperlu_call_handler", "pltclu_call_handler", "pg_import_library"]),
    (
        Door::Others,
        &[
            "pg_backup_start",
            "pg_backup_stop",
            "pg_cancel_backend",
            "pg_copy_logical_replication_slot",
            "pg_copy_physical_replication_slot",
            "pg_create_physical_replication_slot",
            "pg_create_restore_point",
            "pg_drop_replication_slot",
            "pg_log_backend_memory_contexts",
            "pg_promote",
            "pg_reload_conf",
            "pg_replication_origin_create",
            "pg_replication_origin_drop",
            "pg_replication_slot_advance",
            "pg_rotate_logfile",
            "pg_start_backup",
            "pg_stat_reset_replication_slot",
            "pg_stat_reset_shared",
            "pg_stat_reset_slru",
            "pg_stop_backup",
            "pg_switch_wal",
            "pg_terminate_backend",
            "pg_wal_replay_pause",
            "pg_wal_replay_resume",
        ],
    ),
];

/// Functions whose argument is a query that they run.
const RUNNERS: &[&str] = &[
    "cursor_to_xml",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "ts_rewrite",
    "ts_stat",
    "crosstab",
    "connectby",
    "xpath_table",
];

/// How a function reaches out, if it does.
pub(super) fn door(function: &str) -> Option<Door> {
    FUNCTIONS.iter().find(|(_, names)| names.contains(&function)).map(|(door, _)| *door)
}

/// Whether a function runs a query that it is given.
pub(super) fn runs_queries(function: &str) -> bool {
    RUNNERS.contains(&function)
}

/// Whether a setting makes the server run programs, load libraries, write its catalogues, or read strings otherwise.
pub(super) fn is_open(setting: &str) -> bool {
    const SETTINGS: &[&str] = &[
        "allow_in_place_tablespaces",
        "allow_system_table_mods",
        "archive_cleanup_command",
        "archive_command",
        "archive_library",
        "config_file",
        "data_directory",
        "dynamic_library_path",
        "extension_control_path",
        "external_pid_file",
        "hba_file",
        "ident_file",
        "jit_provider",
        "krb_server_keyfile",
        "local_preload_libraries",
        "log_directory",
        "log_filename",
        "oauth_validator_libraries",
        "primary_conninfo",
        "recovery_end_command",
        "restore_command",
        "session_preload_libraries",
        "shared_preload_libraries",
        "ssl_passphrase_command",
        "unix_socket_directories",
    ];
    let setting = setting.to_lowercase();
    SETTINGS.contains(&setting.as_str())
        || ["plperl.on_", "pltcl.start_proc", "plpython"].iter().any(|p| setting.starts_with(p))
}

/// Whether the server may read a text otherwise than it was read here, with a setting at another value than the usual one.
pub(super) fn respells(setting: &str) -> bool {
    ["client_encoding", "standard_conforming_strings"].iter().any(|name| setting.eq_ignore_ascii_case(name))
}

/// Whether such a setting has the value with which statements are read here.
pub(super) fn is_usual(setting: &str, value: &str) -> bool {
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    let usual: &[&str] = match setting.to_lowercase().as_str() {
        "client_encoding" => &["utf8", "unicode", "default"],
        _ => &["on", "true", "yes", "1", "default"],
    };
    usual.contains(&plain.to_lowercase().as_str())
}

/// Whether a relation is a catalogue that must not be written: its rows say what code runs, or belong to the whole server. Those
/// that migrations write now and then (the labels of an enum, what is switched on or valid) are the database's own.
pub(super) fn is_closed(relation: &str) -> bool {
    const OWN: &[&str] = &[
        "pg_attribute",
        "pg_constraint",
        "pg_depend",
        "pg_description",
        "pg_enum",
        "pg_extension",
        "pg_index",
        "pg_largeobject",
        "pg_largeobject_metadata",
        "pg_trigger",
    ];
    CATALOGS.contains(&relation) && !OWN.contains(&relation)
}

/// Relations of `pg_catalog` that can be written, directly or through a view.
const CATALOGS: &[&str] = &[
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_attribute",
    "pg_auth_members",
    "pg_authid",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_constraint",
    "pg_conversion",
    "pg_database",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_inherits",
    "pg_init_privs",
    "pg_language",
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_parameter_acl",
    "pg_partitioned_table",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_range",
    "pg_replication_origin",
    "pg_rewrite",
    "pg_roles",
    "pg_seclabel",
    "pg_sequence",
    "pg_settings",
    "pg_shadow",
    "pg_shdepend",
    "pg_shdescription",
    "pg_shseclabel",
    "pg_statistic",
    "pg_statistic_ext",
    "pg_statistic_ext_data",
    "pg_subscription",
    "pg_subscription_rel",
    "pg_tablespace",
    "pg_transform",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_config_map",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "pg_user_mapping",
];

/// Whether a relation shows what a server keeps secret from most of its roles.
pub(super) fn is_secret(relation: &str) -> bool {
    const SECRET: &[&str] =
        &["pg_authid", "pg_shadow", "pg_file_settings", "pg_hba_file_rules", "pg_ident_file_mappings"];
    SECRET.contains(&relation)
}

/// Whether the databases of a server share a catalogue.
pub(super) fn is_shared(relation: &str) -> bool {
    const SHARED: &[&str] = &[
        "pg_auth_members",
        "pg_authid",
        "pg_database",
        "pg_db_role_setting",
        "pg_parameter_acl",
        "pg_replication_origin",
        "pg_shdepend",
        "pg_shdescription",
        "pg_shseclabel",
        "pg_subscription",
        "pg_tablespace",
    ];
    SHARED.contains(&relation)
}

/// What a language may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Sql,
    Plpgsql,
    /// One that PostgreSQL holds back, and whose text can't be read here.
    Trusted,
    Untrusted,
}

impl Language {
    /// A language by its name: one that isn't known may do anything.
    pub fn named(name: &str) -> Language {
        match name.to_lowercase().as_str() {
            "sql" => Language::Sql,
            "plpgsql" => Language::Plpgsql,
            "plperl" | "pltcl" | "plv8" | "plcoffee" | "plls" | "pllua" | "plprql" => Language::Trusted,
            _ => Language::Untrusted,
        }
    }
}

/// Whether a language of this handler is held back as PL/pgSQL is.
pub(super) fn is_own_handler(name: &str) -> bool {
    name == "plpgsql_call_handler"
}

/// Whether no extension is known to bring a language of this name: those that may do anything end with a u, or are these.
pub(super) fn is_free_language(name: &str) -> bool {
    !name.ends_with('u') && !["c", "internal", "pljava", "plr", "plrust", "plsh"].contains(&name)
}

/// Whether a function of PostgreSQL's own, by its internal name, only reads, writes or compares values, as types of one's own need
/// it.
pub(super) fn is_plain(internal: &str) -> bool {
    let ends = ["in", "out", "recv", "send", "_support"].iter().any(|end| internal.ends_with(end));
    ends && !internal.starts_with("pg_") && !internal.starts_with("be_") && door(internal).is_none()
}

/// Whether an extension brings a language that may do anything: by PostgreSQL's custom, their names end with a u.
pub(super) fn brings_untrusted(extension: &str) -> bool {
    extension == "plsh" || (extension.starts_with("pl") && extension.ends_with('u'))
}

/// The door that an option of a foreign server or table opens.
pub(super) fn place(option: &str) -> Option<Door> {
    match option {
        "program" => Some(Door::Program),
        "filename" => Some(Door::File),
        "host" | "hostaddr" | "service" | "servicefile" | "passfile" | "sslkey" | "sslcert" => Some(Door::Network),
        _ => None,
    }
}

/// The door that a foreign data wrapper is, by its name.
pub(super) fn wrapper(name: &str) -> Option<Door> {
    match name {
        "file_fdw" => Some(Door::File),
        _ if name.ends_with("_fdw") => Some(Door::Network),
        _ => None,
    }
}
