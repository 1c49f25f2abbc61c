-- Stands in for pgmq 1.5: queues are tables, and all functions do what the original's do. Partitioned queues need
-- pg_partman and are refused, as the original refuses them without it. The tables of a queue are ordinary tables here,
-- not the extension's, so that they are dumped and compared.

CREATE TABLE pgmq.meta (
    queue_name varchar UNIQUE NOT NULL,
    is_partitioned boolean NOT NULL,
    is_unlogged boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TYPE pgmq.message_record AS (
    msg_id bigint,
    read_ct integer,
    enqueued_at timestamptz,
    vt timestamptz,
    message jsonb,
    headers jsonb
);

CREATE TYPE pgmq.queue_record AS (
    queue_name varchar,
    is_partitioned boolean,
    is_unlogged boolean,
    created_at timestamptz
);

CREATE TYPE pgmq.metrics_result AS (
    queue_name text,
    queue_length bigint,
    newest_msg_age_sec integer,
    oldest_msg_age_sec integer,
    total_messages bigint,
    scrape_time timestamptz,
    queue_visible_length bigint
);

GRANT USAGE ON SCHEMA pgmq TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA pgmq TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT SELECT ON TABLES TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT SELECT ON SEQUENCES TO pg_monitor;

CREATE FUNCTION pgmq.format_table_name(queue_name text, prefix text) RETURNS text LANGUAGE plpgsql AS $stand_in$
BEGIN
    IF queue_name ~ '\$|;|--|''' THEN
        RAISE EXCEPTION 'queue name contains invalid characters: $, ;, --, or \''';
    END IF;
    RETURN lower(prefix || '_' || queue_name);
END
$stand_in$;

CREATE FUNCTION pgmq.validate_queue_name(queue_name text) RETURNS void LANGUAGE plpgsql AS $stand_in$
BEGIN
    IF length(queue_name) >= 48 THEN
        RAISE EXCEPTION 'queue name is too long, maximum length is 48 characters';
    END IF;
END
$stand_in$;

CREATE FUNCTION pgmq.acquire_queue_lock(queue_name text) RETURNS void LANGUAGE sql AS $stand_in$
    SELECT pg_advisory_xact_lock(hashtext('pgmq.queue_' || queue_name))
$stand_in$;

-- Queues.

CREATE FUNCTION pgmq._make_queue(queue_name text, unlogged boolean) RETURNS void LANGUAGE plpgsql AS $stand_in$
DECLARE
    queue text := pgmq.format_table_name(queue_name, 'q');
    archive text := pgmq.format_table_name(queue_name, 'a');
    word text := CASE WHEN unlogged THEN 'UNLOGGED' ELSE '' END;
BEGIN
    PERFORM pgmq.validate_queue_name(queue_name);
    PERFORM pgmq.acquire_queue_lock(queue_name);
    EXECUTE format('CREATE %s TABLE IF NOT EXISTS pgmq.%I (
        msg_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        read_ct integer DEFAULT 0 NOT NULL,
        enqueued_at timestamptz DEFAULT now() NOT NULL,
        vt timestamptz NOT NULL,
        message jsonb,
        headers jsonb)', word, queue);
    EXECUTE format('CREATE TABLE IF NOT EXISTS pgmq.%I (
        msg_id bigint PRIMARY KEY,
        read_ct integer DEFAULT 0 NOT NULL,
        enqueued_at timestamptz DEFAULT now() NOT NULL,
        archived_at timestamptz DEFAULT now() NOT NULL,
        vt timestamptz NOT NULL,
        message jsonb,
        headers jsonb)', archive);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON pgmq.%I (vt ASC)', queue || '_vt_idx', queue);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON pgmq.%I (archived_at)', 'archived_at_idx_' || queue_name, archive);
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES ($1, false, unlogged) ON CONFLICT DO NOTHING;
END
$stand_in$;

CREATE FUNCTION pgmq."create"(queue_name text) RETURNS void LANGUAGE sql AS $stand_in$
    SELECT pgmq._make_queue(queue_name, false)
$stand_in$;

CREATE FUNCTION pgmq.create_non_partitioned(queue_name text) RETURNS void LANGUAGE sql AS $stand_in$
    SELECT pgmq._make_queue(queue_name, false)
$stand_in$;

CREATE FUNCTION pgmq.create_unlogged(queue_name text) RETURNS void LANGUAGE sql AS $stand_in$
    SELECT pgmq._make_queue(queue_name, true)
$stand_in$;

CREATE FUNCTION pgmq.create_partitioned(queue_name text, partition_interval text DEFAULT '10000',
    retention_interval text DEFAULT '100000') RETURNS void LANGUAGE plpgsql AS $stand_in$
BEGIN
    RAISE EXCEPTION 'pg_partman is required for partitioned queues';
END
$stand_in$;

CREATE FUNCTION pgmq.drop_queue(queue_name text) RETURNS boolean LANGUAGE plpgsql AS $stand_in$
BEGIN
    IF NOT EXISTS (SELECT FROM pgmq.meta m WHERE m.queue_name = $1) THEN
        RAISE NOTICE 'pgmq queue `%` does not exist', queue_name;
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', pgmq.format_table_name(queue_name, 'a'));
    DELETE FROM pgmq.meta m WHERE m.queue_name = $1;
    RETURN true;
END
$stand_in$;

CREATE FUNCTION pgmq.drop_queue(queue_name text, partitioned boolean) RETURNS boolean LANGUAGE sql AS $stand_in$
    SELECT pgmq.drop_queue(queue_name)
$stand_in$;

CREATE FUNCTION pgmq.detach_archive(queue_name text) RETURNS void LANGUAGE plpgsql AS 'BEGIN RETURN; END';

CREATE FUNCTION pgmq.purge_queue(queue_name text) RETURNS bigint LANGUAGE plpgsql AS $stand_in$
DECLARE
    purged bigint;
BEGIN
    EXECUTE format('DELETE FROM pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END
$stand_in$;

CREATE FUNCTION pgmq.list_queues() RETURNS SETOF pgmq.queue_record LANGUAGE sql AS $stand_in$
    SELECT queue_name, is_partitioned, is_unlogged, created_at FROM pgmq.meta
$stand_in$;

CREATE FUNCTION pgmq.metrics(queue_name text) RETURNS pgmq.metrics_result LANGUAGE plpgsql AS $stand_in$
DECLARE
    result pgmq.metrics_result;
    queue text := pgmq.format_table_name(queue_name, 'q');
BEGIN
    EXECUTE format('SELECT %L::text, count(*), extract(epoch FROM now() - max(enqueued_at))::integer,
        extract(epoch FROM now() - min(enqueued_at))::integer,
        (SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END FROM pgmq.%I s), now(),
        count(*) FILTER (WHERE vt <= now())
        FROM pgmq.%I', queue_name, queue || '_msg_id_seq', queue) INTO result;
    RETURN result;
END
$stand_in$;

CREATE FUNCTION pgmq.metrics_all() RETURNS SETOF pgmq.metrics_result LANGUAGE sql AS $stand_in$
    SELECT (pgmq.metrics(queue_name)).* FROM pgmq.meta
$stand_in$;

-- Messages.

CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql AS $stand_in$
BEGIN
    RETURN QUERY EXECUTE format('INSERT INTO pgmq.%I (vt, message, headers)
        SELECT $2, m.body, m.head FROM unnest($1, coalesce($3, ARRAY[]::jsonb[])) AS m (body, head) RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q')) USING msgs, delay, headers;
END
$stand_in$;

CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[]) RETURNS SETOF bigint LANGUAGE sql AS $stand_in$
    SELECT pgmq.send_batch(queue_name, msgs, NULL, clock_timestamp())
$stand_in$;

CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[]) RETURNS SETOF bigint
LANGUAGE sql AS $stand_in$
    SELECT pgmq.send_batch(queue_name, msgs, headers, clock_timestamp())
$stand_in$;

CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay integer) RETURNS SETOF bigint
LANGUAGE sql AS $stand_in$
    SELECT pgmq.send_batch(queue_name, msgs, NULL, clock_timestamp() + make_interval(secs => delay))
$stand_in$;

CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay timestamptz) RETURNS SETOF bigint
LANGUAGE sql AS $stand_in$
    SELECT pgmq.send_batch(queue_name, msgs, NULL, delay)
$stand_in$;

CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay integer) RETURNS SETOF bigint
LANGUAGE sql AS $stand_in$
    SELECT pgmq.send_batch(queue_name, msgs, headers, clock_timestamp() + make_interval(secs => delay))
$stand_in$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) RETURNS SETOF bigint
LANGUAGE sql AS $stand_in$
    SELECT pgmq.send_batch(queue_name, ARRAY[msg], ARRAY[headers], delay)
$stand_in$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb) RETURNS SETOF bigint LANGUAGE sql AS $stand_in$
    SELECT pgmq.send(queue_name, msg, NULL, clock_timestamp())
$stand_in$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb) RETURNS SETOF bigint LANGUAGE sql AS $stand_in$
    SELECT pgmq.send(queue_name, msg, headers, clock_timestamp())
$stand_in$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, delay integer) RETURNS SETOF bigint LANGUAGE sql AS $stand_in$
    SELECT pgmq.send(queue_name, msg, NULL, clock_timestamp() + make_interval(secs => delay))
$stand_in$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, delay timestamptz) RETURNS SETOF bigint LANGUAGE sql AS $stand_in$
    SELECT pgmq.send(queue_name, msg, NULL, delay)
$stand_in$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay integer) RETURNS SETOF bigint
LANGUAGE sql AS $stand_in$
    SELECT pgmq.send(queue_name, msg, headers, clock_timestamp() + make_interval(secs => delay))
$stand_in$;

CREATE FUNCTION pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}')
RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $stand_in$
BEGIN
    RETURN QUERY EXECUTE format('WITH found AS (SELECT msg_id FROM pgmq.%1$I
            WHERE vt <= clock_timestamp() AND ($3 = ''{}'' OR message @> $3) ORDER BY msg_id LIMIT $2
            FOR UPDATE SKIP LOCKED)
        UPDATE pgmq.%1$I q SET vt = clock_timestamp() + make_interval(secs => $1), read_ct = read_ct + 1
        FROM found WHERE q.msg_id = found.msg_id
        RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.vt, q.message, q.headers',
        pgmq.format_table_name(queue_name, 'q')) USING vt, qty, conditional;
END
$stand_in$;

CREATE FUNCTION pgmq.read_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5,
    poll_interval_ms integer DEFAULT 100, conditional jsonb DEFAULT '{}') RETURNS SETOF pgmq.message_record
LANGUAGE sql AS $stand_in$
    SELECT * FROM pgmq.read(queue_name, vt, qty, conditional)
$stand_in$;

CREATE FUNCTION pgmq.pop(queue_name text) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $stand_in$
BEGIN
    RETURN QUERY EXECUTE format('DELETE FROM pgmq.%1$I WHERE msg_id = (SELECT msg_id FROM pgmq.%1$I
            WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING msg_id, read_ct, enqueued_at, vt, message, headers', pgmq.format_table_name(queue_name, 'q'));
END
$stand_in$;

CREATE FUNCTION pgmq.delete(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $stand_in$
BEGIN
    RETURN QUERY EXECUTE format('DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q')) USING msg_ids;
END
$stand_in$;

CREATE FUNCTION pgmq.delete(queue_name text, msg_id bigint) RETURNS boolean LANGUAGE sql AS $stand_in$
    SELECT EXISTS (SELECT FROM pgmq.delete(queue_name, ARRAY[msg_id]))
$stand_in$;

CREATE FUNCTION pgmq.archive(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $stand_in$
BEGIN
    RETURN QUERY EXECUTE format('WITH taken AS (DELETE FROM pgmq.%I WHERE msg_id = ANY ($1)
            RETURNING msg_id, vt, read_ct, enqueued_at, message, headers)
        INSERT INTO pgmq.%I (msg_id, vt, read_ct, enqueued_at, message, headers) SELECT * FROM taken RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a')) USING msg_ids;
END
$stand_in$;

CREATE FUNCTION pgmq.archive(queue_name text, msg_id bigint) RETURNS boolean LANGUAGE sql AS $stand_in$
    SELECT EXISTS (SELECT FROM pgmq.archive(queue_name, ARRAY[msg_id]))
$stand_in$;

CREATE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt integer) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $stand_in$
BEGIN
    RETURN QUERY EXECUTE format('UPDATE pgmq.%I SET vt = clock_timestamp() + make_interval(secs => $2) WHERE msg_id = $1
        RETURNING msg_id, read_ct, enqueued_at, vt, message, headers',
        pgmq.format_table_name(queue_name, 'q')) USING msg_id, vt;
END
$stand_in$;
