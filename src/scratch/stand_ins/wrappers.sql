-- Stands in for wrappers 0.5: the handlers and validators of its foreign-data wrappers, so that wrappers, servers and
-- foreign tables can be made. A query of a foreign table is refused: what stands behind the handlers is no wrapper's
-- handler.

DO $stand_in$
DECLARE
    prefix text;
BEGIN
    FOREACH prefix IN ARRAY ARRAY['airtable', 'auth0', 'big_query', 'click_house', 'cognito', 'duckdb', 'firebase',
        'hello_world', 'iceberg', 'logflare', 'mssql', 'redis', 's3', 's3_vectors', 'stripe', 'wasm'] LOOP
        EXECUTE format('CREATE FUNCTION @extschema@.%I() RETURNS fdw_handler LANGUAGE internal STRICT AS %L',
            prefix || '_fdw_handler', 'heap_tableam_handler');
        EXECUTE format(
            'CREATE FUNCTION @extschema@.%I(options text[], catalog oid) RETURNS void LANGUAGE plpgsql AS %L',
            prefix || '_fdw_validator', 'BEGIN RETURN; END');
    END LOOP;
END
$stand_in$;

CREATE TABLE wrappers_fdw_stats (
    fdw_name text PRIMARY KEY,
    create_times bigint,
    rows_in bigint,
    rows_out bigint,
    bytes_in bigint,
    bytes_out bigint,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT timezone('utc', now()),
    updated_at timestamptz NOT NULL DEFAULT timezone('utc', now())
);
