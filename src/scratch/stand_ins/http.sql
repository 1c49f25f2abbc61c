-- Stands in for http 1.6: no request is sent, and every answer is an empty one with status 200. urlencode and the
-- conversions do what the original's do.

CREATE DOMAIN http_method AS text;
CREATE TYPE http_header AS (field varchar, value varchar);
CREATE TYPE http_response AS (status integer, content_type varchar, headers http_header[], content varchar);
CREATE TYPE http_request AS (method http_method, uri varchar, headers http_header[], content_type varchar,
    content varchar);

CREATE FUNCTION http(request http_request) RETURNS http_response LANGUAGE sql AS $stand_in$
    SELECT ROW(200, 'text/plain', ARRAY[]::@extschema@.http_header[], '')::@extschema@.http_response
$stand_in$;

CREATE FUNCTION http_header(field varchar, value varchar) RETURNS http_header LANGUAGE sql AS $stand_in$
    SELECT $1, $2
$stand_in$;

CREATE FUNCTION http_headers(VARIADIC args text[]) RETURNS http_header[] LANGUAGE sql AS $stand_in$
    SELECT array_agg(ROW(args[i], args[i + 1])::@extschema@.http_header ORDER BY i)
    FROM generate_series(1, cardinality(args), 2) AS i
$stand_in$;

CREATE FUNCTION http_get(uri varchar) RETURNS http_response LANGUAGE sql AS $stand_in$
    SELECT @extschema@.http(NULL)
$stand_in$;

CREATE FUNCTION http_get(uri varchar, data jsonb) RETURNS http_response LANGUAGE sql AS $stand_in$
    SELECT @extschema@.http(NULL)
$stand_in$;

CREATE FUNCTION http_post(uri varchar, content varchar, content_type varchar) RETURNS http_response
LANGUAGE sql AS $stand_in$
    SELECT @extschema@.http(NULL)
$stand_in$;

CREATE FUNCTION http_post(uri varchar, data jsonb) RETURNS http_response LANGUAGE sql AS $stand_in$
    SELECT @extschema@.http(NULL)
$stand_in$;

CREATE FUNCTION http_put(uri varchar, content varchar, content_type varchar) RETURNS http_response
LANGUAGE sql AS $stand_in$
    SELECT @extschema@.http(NULL)
$stand_in$;

CREATE FUNCTION http_patch(uri varchar, content varchar, content_type varchar) RETURNS http_response
LANGUAGE sql AS $stand_in$
    SELECT @extschema@.http(NULL)
$stand_in$;

CREATE FUNCTION http_delete(uri varchar) RETURNS http_response LANGUAGE sql AS $stand_in$
    SELECT @extschema@.http(NULL)
$stand_in$;

CREATE FUNCTION http_delete(uri varchar, content varchar, content_type varchar) RETURNS http_response
LANGUAGE sql AS $stand_in$
    SELECT @extschema@.http(NULL)
$stand_in$;

CREATE FUNCTION http_head(uri varchar) RETURNS http_response LANGUAGE sql AS $stand_in$
    SELECT @extschema@.http(NULL)
$stand_in$;

CREATE FUNCTION http_set_curlopt(curlopt varchar, value varchar) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION http_reset_curlopt() RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION http_list_curlopt() RETURNS TABLE (curlopt text, value text) LANGUAGE plpgsql AS 'BEGIN RETURN; END';

CREATE FUNCTION urlencode(string bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $stand_in$
    SELECT coalesce(string_agg(CASE
        WHEN chr(byte) ~ '^[A-Za-z0-9_.~-]$' AND byte < 128 THEN chr(byte)
        ELSE '%' || upper(lpad(to_hex(byte), 2, '0')) END, '' ORDER BY i), '')
    FROM (SELECT i, get_byte(string, i) FROM generate_series(0, octet_length(string) - 1) AS i) AS bytes (i, byte)
$stand_in$;

CREATE FUNCTION urlencode(string varchar) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $stand_in$
    SELECT @extschema@.urlencode(convert_to(string, 'UTF8'))
$stand_in$;

CREATE FUNCTION urlencode(data jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $stand_in$
    SELECT string_agg(@extschema@.urlencode(key::varchar) || '=' || @extschema@.urlencode(value::varchar), '&')
    FROM jsonb_each_text(data)
$stand_in$;

CREATE FUNCTION text_to_bytea(data text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $stand_in$
    SELECT convert_to(data, 'UTF8')
$stand_in$;

CREATE FUNCTION bytea_to_text(data bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $stand_in$
    SELECT convert_from(data, 'UTF8')
$stand_in$;
