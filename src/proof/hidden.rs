//! What a schema dump of `pg_dump` hides: things that PostgreSQL stores and that no entry of the dump tells.
//!
//! Everything below OID 16384 comes with PostgreSQL. Rows of its catalogues that are younger than the database template0
//! were written by the history.

use super::EntryKind;
use super::session::Session;
use crate::Result;

/// Whether a kind says nothing new where an object is on one side only.
pub(super) fn needs_both(kind: &EntryKind) -> bool {
    use EntryKind as K;
    let of_extension = kind.is_of_extension() && *kind != K::ExtensionVersion;
    of_extension || matches!(kind, K::ColumnOrder | K::ProceduralLanguage | K::SubscriptionState)
}

/// Each query gives kind, schema, name and text.
pub(super) const QUERIES: &[&str] = &[
    // The statement of a child leaves out what it inherits, and so where that stands.
    "SELECT 'COLUMN ORDER', n.nspname, c.relname, string_agg(quote_ident(a.attname), E'\\n' ORDER BY a.attnum)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'f') AND NOT c.relispartition AND c.relpersistence <> 't' AND a.attnum > 0 AND NOT a.attisdropped
        AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
    GROUP BY n.nspname, c.relname ORDER BY 2, 3",
    // ALTER TABLE ... DISABLE TRIGGER ALL: nothing checks the foreign key any more.
    "SELECT 'INTERNAL TRIGGER', n.nspname, c.relname, string_agg(format('%s %s: %s', k.conname, p.proname,
        CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas only' ELSE 'always' END), E'\\n'
        ORDER BY k.conname, p.proname)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_constraint k ON k.oid = t.tgconstraint JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgisinternal AND t.tgenabled <> 'O' GROUP BY n.nspname, c.relname ORDER BY 2, 3",
    "SELECT 'COMMENT', n.nspname, format('CONSTRAINT %s ON %s', k.conname, c.relname),
        format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L;', k.conname, n.nspname, c.relname, d.description)
    FROM pg_description d JOIN pg_constraint k ON k.oid = d.objoid JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classoid = 'pg_constraint'::regclass AND (NOT k.conislocal OR k.conparentid <> 0 OR k.contype = 't')
    UNION ALL SELECT 'COMMENT', n.nspname, format('RULE _RETURN ON %s', c.relname),
        format('COMMENT ON RULE \"_RETURN\" ON %I.%I IS %L;', n.nspname, c.relname, d.description)
    FROM pg_description d JOIN pg_rewrite r ON r.oid = d.objoid JOIN pg_class c ON c.oid = r.ev_class
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classoid = 'pg_rewrite'::regclass AND r.rulename = '_RETURN' AND d.objoid >= 16384
    UNION ALL SELECT 'COMMENT', n.nspname, format('TRIGGER %s ON %s', t.tgname, c.relname),
        format('COMMENT ON TRIGGER %I ON %I.%I IS %L;', t.tgname, n.nspname, c.relname, d.description)
    FROM pg_description d JOIN pg_trigger t ON t.oid = d.objoid JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classoid = 'pg_trigger'::regclass AND t.tgparentid <> 0
    UNION ALL SELECT 'COMMENT', '-', upper(o.type) || ' ' || o.identity,
        format('COMMENT ON %s %s IS %L;', upper(o.type), o.identity, d.description)
    FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o
    WHERE d.objoid < 16384 AND NOT (d.classoid = 'pg_namespace'::regclass AND d.objoid = 2200)
        AND d.classoid <> 'pg_largeobject'::regclass
        AND age(d.xmin) < age((SELECT xmin FROM pg_database WHERE datname = 'template0'))
    ORDER BY 2, 3",
    // A dump doesn't say that a schema is gone which each new database has.
    "SELECT 'DROPPED SCHEMA', '-', 'public', 'DROP SCHEMA public;'
    WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public')",
    // A comment that is gone stands nowhere.
    "SELECT 'BUILT-IN COMMENTS', 'pg_catalog', classoid::regclass::text, count(*) || ' comments' FROM pg_description
    WHERE objoid < 16384 AND NOT (classoid = 'pg_namespace'::regclass AND objoid = 2200)
        AND classoid <> 'pg_largeobject'::regclass GROUP BY classoid ORDER BY 3",
    // Those that an extension brings are the same wherever it is.
    "SELECT 'EXTENSION COMMENTS', '-', x.extname, coalesce((SELECT string_agg(format('%s: %L',
            pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description), E'\\n'
            ORDER BY pg_describe_object(d.classoid, d.objoid, d.objsubid) COLLATE \"C\")
        FROM pg_depend e JOIN pg_description d ON d.classoid = e.classid AND d.objoid = e.objid
        WHERE e.refclassid = 'pg_extension'::regclass AND e.refobjid = x.oid AND e.deptype = 'e' AND d.objoid >= 16384), 'none')
    FROM pg_extension x ORDER BY 3",
    // No statement leads straight to it: PostgreSQL wants an index, which is dropped again.
    "SELECT 'REPLICA IDENTITY', n.nspname, c.relname, coalesce((SELECT format('CREATE UNIQUE INDEX consolidate_identity ON %1$I.%2$I (%3$s);
ALTER TABLE ONLY %1$I.%2$I REPLICA IDENTITY USING INDEX consolidate_identity;
DROP INDEX %1$I.consolidate_identity;', n.nspname, c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
        FROM pg_attribute a LEFT JOIN pg_index p ON p.indrelid = a.attrelid AND p.indisprimary
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
            AND (p.indrelid IS NULL OR a.attnum = ANY (p.indkey::int2[])) HAVING count(*) > 0), '-- using an index that is gone')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) ORDER BY 2, 3",
    "SELECT 'PROCEDURAL LANGUAGE', '-', l.lanname, format('CREATE%s LANGUAGE %I HANDLER %s%s%s;',
        CASE WHEN l.lanpltrusted THEN ' TRUSTED' ELSE '' END, l.lanname, l.lanplcallfoid::regproc,
        ' INLINE ' || nullif(l.laninline, 0)::regproc, ' VALIDATOR ' || nullif(l.lanvalidator, 0)::regproc)
    FROM pg_language l WHERE l.lanplcallfoid <> 0 ORDER BY 3",
    "SELECT 'LANGUAGE PRIVILEGES', '-', lanname, concat_ws(E'\\n', 'owner: ' || pg_get_userbyid(lanowner),
        'privileges: ' || (SELECT string_agg(a::text, ', ' ORDER BY a::text) FROM unnest(lanacl) a))
    FROM pg_language WHERE oid < 16384 AND (lanacl IS NOT NULL OR lanowner <> 10) ORDER BY 3",
    "SELECT 'ROW TYPE PRIVILEGES', n.nspname, t.typname,
        (SELECT string_agg(a::text, ', ' ORDER BY a::text) FROM unnest(t.typacl) a)
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typacl IS NOT NULL AND c.relkind <> 'c' ORDER BY 2, 3",
    // PostgreSQL's own configurations can be altered, and a dump says nothing of it.
    "SELECT 'TEXT SEARCH MAPPING', 'pg_catalog', c.cfgname, string_agg(format('%s %s %s', m.maptokentype, m.mapseqno, d.dictname),
        E'\\n' ORDER BY m.maptokentype, m.mapseqno)
    FROM pg_ts_config c JOIN pg_ts_config_map m ON m.mapcfg = c.oid JOIN pg_ts_dict d ON d.oid = m.mapdict
    WHERE c.oid < 16384 GROUP BY c.cfgname ORDER BY 3",
    "SELECT 'BUILT-IN FUNCTION', 'pg_catalog', p.oid::regprocedure::text, (to_jsonb(p) - 'proacl')::text
    FROM pg_proc p WHERE p.oid < 16384 AND p.proacl IS NOT DISTINCT FROM (SELECT i.initprivs FROM pg_init_privs i
        WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid)
        AND age(p.xmin) < age((SELECT xmin FROM pg_database WHERE datname = 'template0')) ORDER BY 3",
    // A function of an extension can be written anew, given settings or another owner.
    "SELECT 'EXTENSION FUNCTIONS', '-', x.extname, string_agg(format('%s: %s', p.oid::regprocedure,
        md5(concat_ws(' ', p.prosrc, p.probin, p.proconfig, p.procost, p.prorows, p.provolatile, p.proparallel, p.proisstrict,
            p.prosecdef, p.proleakproof, pg_get_userbyid(p.proowner)))), E'\\n' ORDER BY p.oid::regprocedure::text COLLATE \"C\")
    FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass
    GROUP BY x.extname ORDER BY 3",
    "SELECT 'EXTENSION TYPES', '-', x.extname, string_agg(format('%s: %s', t.oid::regtype, pg_get_userbyid(t.typowner)),
        E'\\n' ORDER BY t.oid::regtype::text COLLATE \"C\")
    FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid JOIN pg_type t ON t.oid = d.objid
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_type'::regclass
    GROUP BY x.extname ORDER BY 3",
    "SELECT 'EXTENSION OWNER', '-', extname, pg_get_userbyid(extowner) FROM pg_extension ORDER BY 3",
    "SELECT 'EXTENSION MEMBERS', '-', x.extname,
        string_agg(pg_describe_object(d.classid, d.objid, d.objsubid), E'\\n' ORDER BY
            pg_describe_object(d.classid, d.objid, d.objsubid) COLLATE \"C\")
    FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass GROUP BY x.extname ORDER BY 3",
    "SELECT 'SUBSCRIPTION STATE', '-', subname, CASE WHEN subenabled THEN 'enabled' ELSE 'disabled' END
    FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 3",
    // Subscriptions make origins of their own, named after their OIDs.
    "SELECT 'REPLICATION ORIGIN', '-', roname, roname FROM pg_replication_origin WHERE roname !~ '^pg_[0-9]' ORDER BY 3",
    "SELECT 'REPLICATION SLOT', '-', slot_name, concat_ws(' ', slot_type, plugin, 'in ' || database)
    FROM pg_replication_slots WHERE NOT temporary ORDER BY 3",
    "SELECT 'LARGE OBJECT', '-', m.oid::text, concat_ws(E'\\n', 'owner: ' || pg_get_userbyid(m.lomowner),
        'privileges: ' || (SELECT string_agg(a::text, ', ' ORDER BY a::text) FROM unnest(m.lomacl) a),
        'comment: ' || obj_description(m.oid, 'pg_largeobject'), 'md5 of content: ' || md5(lo_get(m.oid)))
    FROM pg_largeobject_metadata m ORDER BY 3",
    "SELECT 'TABLESPACE', '-', t.spcname, concat_ws(E'\\n', 'owner: ' || pg_get_userbyid(t.spcowner),
        'privileges: ' || (SELECT string_agg(a::text, ', ' ORDER BY a::text) FROM unnest(t.spcacl) a),
        'options: ' || array_to_string(t.spcoptions, ', '), 'comment: ' || shobj_description(t.oid, 'pg_tablespace'))
    FROM pg_tablespace t
    WHERE t.oid >= 16384 OR t.spcacl IS NOT NULL OR t.spcoptions IS NOT NULL OR t.spcowner <> 10 ORDER BY 3",
    "SELECT 'SECURITY LABEL', '-', upper(objtype) || ' ' || objname, provider || ': ' || label
    FROM pg_seclabels WHERE objtype IN ('role', 'database', 'tablespace') OR objoid < 16384 ORDER BY 3, 4",
    // PostgreSQL lets go of some of its own, such as views of information_schema. The numbers that it keeps of relations for
    // itself change by themselves.
    "SELECT 'BUILT-IN OBJECTS', '-', kind, format('%s, md5: %s', count(*), md5(string_agg(concat_ws(' ', oid, state), ' '
        ORDER BY oid))) FROM (
        SELECT 'functions' AS kind, oid, 'pg_proc'::regclass AS class, NULL AS state FROM pg_proc
        UNION ALL SELECT 'relations', oid, 'pg_class', (to_jsonb(c) - ARRAY['relacl', 'relpages', 'reltuples',
            'relallvisible', 'relallfrozen', 'relfrozenxid', 'relminmxid', 'relfilenode', 'relhasindex', 'reltoastrelid'])::text
            FROM pg_class c WHERE relkind IN ('r', 'v')
        UNION ALL SELECT 'rules of views', oid, 'pg_rewrite', CASE WHEN age(xmin) < age((SELECT xmin FROM pg_database
            WHERE datname = 'template0')) THEN md5(ev_action::text) END FROM pg_rewrite
        UNION ALL SELECT 'types', oid, 'pg_type', NULL FROM pg_type
        UNION ALL SELECT 'operators', oid, 'pg_operator', NULL FROM pg_operator
        UNION ALL SELECT 'casts', oid, 'pg_cast', NULL FROM pg_cast
        UNION ALL SELECT 'languages', oid, 'pg_language', NULL FROM pg_language
        UNION ALL SELECT 'text search configurations', oid, 'pg_ts_config', NULL FROM pg_ts_config
        UNION ALL SELECT 'text search dictionaries', oid, 'pg_ts_dict', NULL FROM pg_ts_dict
        UNION ALL SELECT 'conversions', oid, 'pg_conversion', NULL FROM pg_conversion) o
    WHERE oid < 16384 AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = o.class AND e.objid = o.oid AND e.deptype = 'e')
    GROUP BY kind ORDER BY kind",
    "SELECT 'SYSTEM SETTING', '-', name, setting FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf' ORDER BY 3",
];

/// What is not compared, and with which nothing is proven.
pub(super) struct Beyond {
    /// It, as a phrase.
    pub words: String,
    /// Whether it is in another database of the server.
    pub is_elsewhere: bool,
}

/// What is in the database, or beside it, and is not compared.
pub(super) fn beyond(session: &mut Session) -> Result<Vec<Beyond>> {
    let rows = session.rows(
        "WITH mine AS (SELECT oid FROM pg_namespace WHERE oid < 16384 AND nspname IN ('pg_catalog', 'information_schema')),
        found AS (SELECT 'pg_proc'::regclass AS class, oid FROM pg_proc WHERE pronamespace IN (SELECT oid FROM mine)
            UNION ALL SELECT 'pg_class'::regclass, oid FROM pg_class
                WHERE relnamespace IN (SELECT oid FROM mine) AND relkind IN ('r', 'v', 'm', 'S', 'f', 'p')
            UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type
                WHERE typnamespace IN (SELECT oid FROM mine) AND typrelid = 0 AND typelem = 0
            UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprnamespace IN (SELECT oid FROM mine)
            UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation WHERE collnamespace IN (SELECT oid FROM mine)
            UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion WHERE connamespace IN (SELECT oid FROM mine)
            UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass WHERE opcnamespace IN (SELECT oid FROM mine)
            UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily WHERE opfnamespace IN (SELECT oid FROM mine)
            UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE cfgnamespace IN (SELECT oid FROM mine)
            UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE dictnamespace IN (SELECT oid FROM mine))
        SELECT pg_describe_object(class, oid, 0) || ', which was put among PostgreSQL''s own', false FROM found f
        WHERE oid >= 16384
            AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = f.class AND e.objid = f.oid AND e.deptype = 'e')
        UNION ALL SELECT format('what is in the database %I', datname), true FROM pg_database
        WHERE oid >= 16384 AND datname <> current_database()
        ORDER BY 1",
    )?;
    let beyond = |row: Vec<Option<String>>| {
        let [words, is_elsewhere] = <[Option<String>; 2]>::try_from(row).ok()?;
        Some(Beyond { words: words?, is_elsewhere: is_elsewhere.as_deref() == Some("t") })
    };
    Ok(rows.into_iter().filter_map(beyond).collect())
}
