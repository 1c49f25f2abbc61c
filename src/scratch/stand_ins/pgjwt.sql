-- Stands in for pgjwt 0.2: tokens are signed and verified as the original does it, with pgcrypto's hmac, whose stand-in
-- is exact.

CREATE FUNCTION url_encode(data bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT translate(encode(data, 'base64'), E'+/=\n', '-_')
$stand_in$;

CREATE FUNCTION url_decode(data text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT decode(translate(data, '-_', '+/') || repeat('=', (4 - length(data) % 4) % 4), 'base64')
$stand_in$;

CREATE FUNCTION algorithm_sign(signables text, secret text, algorithm text) RETURNS text
LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT @extschema@.url_encode(@extschema:pgcrypto@.hmac(signables, secret,
        CASE algorithm WHEN 'HS256' THEN 'sha256' WHEN 'HS384' THEN 'sha384' WHEN 'HS512' THEN 'sha512' END))
$stand_in$;

CREATE FUNCTION sign(payload json, secret text, algorithm text DEFAULT 'HS256') RETURNS text
LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT said || '.' || @extschema@.algorithm_sign(said, secret, algorithm)
    FROM (SELECT @extschema@.url_encode(convert_to('{"alg":"' || algorithm || '","typ":"JWT"}', 'utf8')) || '.'
        || @extschema@.url_encode(convert_to(payload::text, 'utf8'))) AS token (said)
$stand_in$;

CREATE FUNCTION try_cast_double(inp text) RETURNS double precision LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT CASE WHEN pg_input_is_valid(inp, 'double precision') THEN inp::double precision END
$stand_in$;

CREATE FUNCTION verify(token text, secret text, algorithm text DEFAULT 'HS256')
RETURNS TABLE (header json, payload json, valid boolean) LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT said.header, said.payload, said.fits
        AND tstzrange(to_timestamp(@extschema@.try_cast_double(said.payload ->> 'nbf')),
            to_timestamp(@extschema@.try_cast_double(said.payload ->> 'exp'))) @> CURRENT_TIMESTAMP
    FROM (SELECT convert_from(@extschema@.url_decode(part[1]), 'utf8')::json,
            convert_from(@extschema@.url_decode(part[2]), 'utf8')::json,
            part[3] = @extschema@.algorithm_sign(part[1] || '.' || part[2], secret, algorithm)
        FROM regexp_split_to_array(token, '\.') AS part) AS said (header, payload, fits)
$stand_in$;
