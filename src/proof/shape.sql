-- What a database is made of, as kind, name and text: the same query on a live database and on a replayed history.
-- Left out: what belongs to the system or to an extension, owners, privileges, comments, rows.
WITH theirs AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), spaces AS (
    SELECT oid, nspname FROM pg_namespace n
    WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM theirs t WHERE t.classid = 'pg_namespace'::regclass AND t.objid = n.oid)
), relations AS (
    SELECT c.*, format('%I.%I', s.nspname, c.relname) AS called FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM theirs t WHERE t.classid = 'pg_class'::regclass AND t.objid = c.oid)
)
SELECT 'schema' AS kind, quote_ident(nspname) AS name, '' AS text FROM spaces
UNION ALL
SELECT 'extension', quote_ident(extname), '' FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL
SELECT 'relation', called, concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity,
    CASE WHEN relispartition THEN pg_get_expr(relpartbound, oid) END,
    CASE WHEN relkind = 'p' THEN pg_get_partkeydef(oid) END,
    CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END)
FROM relations WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
UNION ALL
SELECT 'column', format('%s.%I', r.called, a.attname), concat_ws(' ',
    row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN 'not null' END, nullif(a.attidentity, ''), nullif(a.attgenerated, ''),
    (SELECT collname FROM pg_collation WHERE oid = a.attcollation AND collname <> 'default'),
    'default ' || pg_get_expr(d.adbin, d.adrelid))
FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.relkind IN ('r', 'p', 'f', 'c')
UNION ALL
SELECT 'constraint', format('%s.%I', coalesce(r.called, format_type(c.contypid, NULL)), c.conname),
    concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated)
FROM pg_constraint c JOIN spaces s ON s.oid = c.connamespace LEFT JOIN relations r ON r.oid = c.conrelid
WHERE c.contype NOT IN ('n', 't') AND (r.oid IS NOT NULL OR c.conrelid = 0)
UNION ALL
SELECT 'index', r.called, concat_ws(' ', pg_get_indexdef(r.oid), i.indisvalid)
FROM relations r JOIN pg_index i ON i.indexrelid = r.oid
UNION ALL
SELECT 'sequence', r.called, concat_ws(' ', format_type(q.seqtypid, NULL), q.seqstart, q.seqincrement, q.seqmax, q.seqmin, q.seqcycle)
FROM relations r JOIN pg_sequence q ON q.seqrelid = r.oid
UNION ALL
SELECT 'routine', format('%I.%I(%s)', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
    CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) ELSE p.prokind::text END
FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM theirs t WHERE t.classid = 'pg_proc'::regclass AND t.objid = p.oid)
UNION ALL
SELECT 'trigger', format('%s.%I', r.called, t.tgname), concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule', format('%s.%I', r.called, u.rulename), pg_get_ruledef(u.oid)
FROM pg_rewrite u JOIN relations r ON r.oid = u.ev_class WHERE u.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', format('%s.%I', r.called, p.polname), concat_ws(' ', p.polcmd, p.polpermissive,
    (SELECT string_agg(a.rolname, ', ' ORDER BY a.rolname) FROM pg_roles a WHERE a.oid = ANY (p.polroles)),
    'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p JOIN relations r ON r.oid = p.polrelid
UNION ALL
SELECT 'type', format('%I.%I', s.nspname, t.typname), concat_ws(' ', t.typtype,
    (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
    CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END, t.typnotnull, t.typdefault)
FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'r')
    AND NOT EXISTS (SELECT FROM theirs x WHERE x.classid = 'pg_type'::regclass AND x.objid = t.oid)
UNION ALL
SELECT 'statistics', format('%I.%I', s.nspname, x.stxname), pg_get_statisticsobjdef(x.oid)
FROM pg_statistic_ext x JOIN spaces s ON s.oid = x.stxnamespace
ORDER BY 1, 2
