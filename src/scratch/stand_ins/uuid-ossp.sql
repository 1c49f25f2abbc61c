-- Stands in for uuid-ossp 1.1: the same functions with the same signatures, volatility and strictness, in SQL.
-- Versions 3, 4 and 5 and the constants are exact; versions 1 and 1mc are random, with the version's own digits.

CREATE FUNCTION uuid_nil() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT '00000000-0000-0000-0000-000000000000'::uuid
$stand_in$;

CREATE FUNCTION uuid_ns_dns() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid
$stand_in$;

CREATE FUNCTION uuid_ns_url() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid
$stand_in$;

CREATE FUNCTION uuid_ns_oid() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid
$stand_in$;

CREATE FUNCTION uuid_ns_x500() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid
$stand_in$;

CREATE FUNCTION uuid_generate_v1() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE AS $stand_in$
    SELECT overlay(pg_catalog.gen_random_uuid()::text PLACING '1' FROM 15 FOR 1)::uuid
$stand_in$;

CREATE FUNCTION uuid_generate_v1mc() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE AS $stand_in$
    SELECT overlay(pg_catalog.gen_random_uuid()::text PLACING '1' FROM 15 FOR 1)::uuid
$stand_in$;

CREATE FUNCTION uuid_generate_v3(namespace uuid, name text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT encode(set_byte(set_byte(h, 6, (get_byte(h, 6) & 15) | 48), 8, (get_byte(h, 8) & 63) | 128), 'hex')::uuid
    FROM (SELECT decode(md5(uuid_send($1) || convert_to($2, 'UTF8')), 'hex')) AS hash(h)
$stand_in$;

CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE AS $stand_in$
    SELECT pg_catalog.gen_random_uuid()
$stand_in$;

CREATE FUNCTION uuid_generate_v5(namespace uuid, name text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
#variable_conflict use_variable
DECLARE
    message bytea := uuid_send($1) || convert_to($2, 'UTF8');
    mask CONSTANT bigint := 4294967295;
    bits bigint := octet_length(message)::bigint * 8;
    h0 bigint := 1732584193; h1 bigint := 4023233417; h2 bigint := 2562383102;
    h3 bigint := 271733878; h4 bigint := 3285377520;
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; x bigint;
    w bigint[]; p int;
    h bytea;
BEGIN
    message := message || '\x80'::bytea;
    message := message || decode(repeat('00', (120 - octet_length(message) % 64) % 64), 'hex') || int8send(bits);
    FOR block IN 0 .. octet_length(message) / 64 - 1 LOOP
        FOR i IN 0 .. 15 LOOP
            p := block * 64 + i * 4;
            w[i] := (get_byte(message, p)::bigint << 24) | (get_byte(message, p + 1)::bigint << 16)
                | (get_byte(message, p + 2)::bigint << 8) | get_byte(message, p + 3)::bigint;
        END LOOP;
        FOR i IN 16 .. 79 LOOP
            x := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
            w[i] := ((x << 1) | (x >> 31)) & mask;
        END LOOP;
        a := h0; b := h1; c := h2; d := h3; e := h4;
        FOR i IN 0 .. 79 LOOP
            IF i < 20 THEN
                f := (b & c) | ((~b & mask) & d); k := 1518500249;
            ELSIF i < 40 THEN
                f := b # c # d; k := 1859775393;
            ELSIF i < 60 THEN
                f := (b & c) | (b & d) | (c & d); k := 2400959708;
            ELSE
                f := b # c # d; k := 3395469782;
            END IF;
            x := ((((a << 5) | (a >> 27)) & mask) + f + e + k + w[i]) & mask;
            e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := x;
        END LOOP;
        h0 := (h0 + a) & mask; h1 := (h1 + b) & mask; h2 := (h2 + c) & mask;
        h3 := (h3 + d) & mask; h4 := (h4 + e) & mask;
    END LOOP;
    h := int8send((h0 << 32) | h1) || int8send((h2 << 32) | h3);
    h := set_byte(set_byte(h, 6, (get_byte(h, 6) & 15) | 80), 8, (get_byte(h, 8) & 63) | 128);
    RETURN encode(h, 'hex')::uuid;
END
$stand_in$;
