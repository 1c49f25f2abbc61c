-- Stands in for dblink 1.2: there is no server to connect to, so whatever would connect fails as the original fails.

DO $stand_in$
DECLARE
    made record;
BEGIN
    FOR made IN SELECT * FROM (VALUES
        ('dblink(text)', 'SETOF record'), ('dblink(text, text)', 'SETOF record'),
        ('dblink(text, boolean)', 'SETOF record'), ('dblink(text, text, boolean)', 'SETOF record'),
        ('dblink_exec(text)', 'text'), ('dblink_exec(text, text)', 'text'),
        ('dblink_exec(text, boolean)', 'text'), ('dblink_exec(text, text, boolean)', 'text'),
        ('dblink_connect(text)', 'text'), ('dblink_connect(text, text)', 'text'),
        ('dblink_connect_u(text)', 'text'), ('dblink_connect_u(text, text)', 'text'),
        ('dblink_disconnect()', 'text'), ('dblink_disconnect(text)', 'text'),
        ('dblink_get_result(text)', 'SETOF record'), ('dblink_get_result(text, boolean)', 'SETOF record'),
        ('dblink_send_query(text, text)', 'integer'), ('dblink_is_busy(text)', 'integer'),
        ('dblink_cancel_query(text)', 'text'), ('dblink_error_message(text)', 'text')
    ) AS functions (signature, result) LOOP
        EXECUTE format('CREATE FUNCTION @extschema@.%s RETURNS %s LANGUAGE plpgsql STRICT PARALLEL RESTRICTED AS %L',
            made.signature, made.result,
            'BEGIN RAISE EXCEPTION ''could not establish connection'' USING ERRCODE = ''08001''; END');
    END LOOP;
END
$stand_in$;
REVOKE ALL ON FUNCTION dblink_connect_u(text), dblink_connect_u(text, text) FROM PUBLIC;

CREATE FUNCTION dblink_get_connections() RETURNS text[] LANGUAGE sql PARALLEL RESTRICTED AS 'SELECT NULL::text[]';
CREATE FUNCTION dblink_current_query() RETURNS text LANGUAGE sql PARALLEL RESTRICTED AS 'SELECT current_query()';
