-- Stands in for pgcrypto 1.3: the same functions with the same signatures, volatility and strictness, in SQL.
-- digest, hmac, gen_random_bytes and gen_random_uuid compute what pgcrypto computes; the others are substitutes that keep
-- the shape of their results (lengths, prefixes, what decrypts what) and nothing else. It encrypts nothing.
-- The extension can be moved to any schema, so a function that calls another one looks up where it lives.

CREATE FUNCTION digest(bytea, text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
DECLARE
    message bytea := $1;
    mask CONSTANT bigint := 4294967295;
    bits bigint := octet_length(message)::bigint * 8;
    h0 bigint := 1732584193; h1 bigint := 4023233417; h2 bigint := 2562383102;
    h3 bigint := 271733878; h4 bigint := 3285377520;
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; x bigint;
    w bigint[]; p int;
BEGIN
    CASE lower($2)
        WHEN 'md5' THEN RETURN decode(md5($1), 'hex');
        WHEN 'sha224' THEN RETURN sha224($1);
        WHEN 'sha256' THEN RETURN sha256($1);
        WHEN 'sha384' THEN RETURN sha384($1);
        WHEN 'sha512' THEN RETURN sha512($1);
        WHEN 'sha1' THEN NULL;
        ELSE RAISE EXCEPTION 'Cannot use "%": No such hash algorithm', $2 USING ERRCODE = '22023';
    END CASE;
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
    RETURN int8send((h0 << 32) | h1) || int8send((h2 << 32) | h3) || int4send(('x' || lpad(to_hex(h4), 8, '0'))::bit(32)::int);
END
$stand_in$;

CREATE FUNCTION digest(text, text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
DECLARE
    home name := (SELECT nspname FROM pg_namespace n JOIN pg_extension e ON e.extnamespace = n.oid WHERE extname = 'pgcrypto');
    result bytea;
BEGIN
    EXECUTE format('SELECT %I.digest($1, $2)', home) INTO result USING convert_to($1, 'UTF8'), $2;
    RETURN result;
END
$stand_in$;

CREATE FUNCTION hmac(bytea, bytea, text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
DECLARE
    home name := (SELECT nspname FROM pg_namespace n JOIN pg_extension e ON e.extnamespace = n.oid WHERE extname = 'pgcrypto');
    hash text := format('SELECT %I.digest($1, $2)', home);
    size int := CASE WHEN lower($3) IN ('sha384', 'sha512') THEN 128 ELSE 64 END;
    key bytea := $2;
    inside bytea; outside bytea; result bytea;
BEGIN
    IF octet_length(key) > size THEN
        EXECUTE hash INTO key USING key, $3;
    END IF;
    key := key || decode(repeat('00', size - octet_length(key)), 'hex');
    inside := key; outside := key;
    FOR i IN 0 .. size - 1 LOOP
        inside := set_byte(inside, i, get_byte(key, i) # 54);
        outside := set_byte(outside, i, get_byte(key, i) # 92);
    END LOOP;
    EXECUTE hash INTO result USING inside || $1, $3;
    EXECUTE hash INTO result USING outside || result, $3;
    RETURN result;
END
$stand_in$;

CREATE FUNCTION hmac(text, text, text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
DECLARE
    home name := (SELECT nspname FROM pg_namespace n JOIN pg_extension e ON e.extnamespace = n.oid WHERE extname = 'pgcrypto');
    result bytea;
BEGIN
    EXECUTE format('SELECT %I.hmac($1, $2, $3)', home) INTO result
        USING convert_to($1, 'UTF8'), convert_to($2, 'UTF8'), $3;
    RETURN result;
END
$stand_in$;

-- As long as the original's result, and crypt(password, crypt(password, salt)) gives itself back.
CREATE FUNCTION crypt(text, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT CASE
        WHEN $2 LIKE '$2%' THEN left($2, 29) || left(md5($1 || left($2, 29)), 31)
        WHEN $2 LIKE '$1$%' THEN left($2, 11) || '$' || left(md5($1 || left($2, 11)), 22)
        WHEN $2 LIKE '\_%' THEN left($2, 9) || left(md5($1 || left($2, 9)), 11)
        ELSE left($2, 2) || left(md5($1 || left($2, 2)), 11)
    END
$stand_in$;

CREATE FUNCTION gen_salt(text, int4) RETURNS text LANGUAGE sql VOLATILE STRICT PARALLEL SAFE AS $stand_in$
    SELECT CASE lower($1)
        WHEN 'bf' THEN '$2a$' || lpad((CASE WHEN $2 = 0 THEN 6 ELSE $2 END)::text, 2, '0') || '$' || left(md5(random()::text), 22)
        WHEN 'md5' THEN '$1$' || left(md5(random()::text), 8)
        WHEN 'xdes' THEN '_J9..' || left(md5(random()::text), 4)
        ELSE left(md5(random()::text), 2)
    END
$stand_in$;

CREATE FUNCTION gen_salt(text) RETURNS text LANGUAGE sql VOLATILE STRICT PARALLEL SAFE AS $stand_in$
    SELECT CASE lower($1)
        WHEN 'bf' THEN '$2a$06$' || left(md5(random()::text), 22)
        WHEN 'md5' THEN '$1$' || left(md5(random()::text), 8)
        WHEN 'xdes' THEN '_J9..' || left(md5(random()::text), 4)
        ELSE left(md5(random()::text), 2)
    END
$stand_in$;

CREATE FUNCTION gen_random_bytes(int4) RETURNS bytea LANGUAGE plpgsql VOLATILE STRICT PARALLEL SAFE AS $stand_in$
DECLARE
    bytes bytea := '';
BEGIN
    IF $1 < 1 OR $1 > 1024 THEN
        RAISE EXCEPTION 'Length not in range' USING ERRCODE = '22023';
    END IF;
    WHILE octet_length(bytes) < $1 LOOP
        bytes := bytes || sha256(uuid_send(pg_catalog.gen_random_uuid()));
    END LOOP;
    RETURN substring(bytes FROM 1 FOR $1);
END
$stand_in$;

CREATE FUNCTION gen_random_uuid() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $stand_in$
    SELECT pg_catalog.gen_random_uuid()
$stand_in$;

-- Raw encryption: a mark made of the key, then the data itself.

CREATE FUNCTION encrypt(bytea, bytea, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT decode(md5($2 || convert_to(lower($3), 'UTF8')), 'hex') || $1
$stand_in$;

CREATE FUNCTION decrypt(bytea, bytea, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT substring($1 FROM 17)
$stand_in$;

CREATE FUNCTION encrypt_iv(bytea, bytea, bytea, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT decode(md5($2 || $3 || convert_to(lower($4), 'UTF8')), 'hex') || $1
$stand_in$;

CREATE FUNCTION decrypt_iv(bytea, bytea, bytea, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT substring($1 FROM 17)
$stand_in$;

-- PGP: sixteen random bytes, then the data itself.

CREATE FUNCTION pgp_sym_encrypt(text, text) RETURNS bytea LANGUAGE sql STRICT PARALLEL SAFE AS $stand_in$
    SELECT uuid_send(pg_catalog.gen_random_uuid()) || convert_to($1, 'UTF8')
$stand_in$;

CREATE FUNCTION pgp_sym_encrypt_bytea(bytea, text) RETURNS bytea LANGUAGE sql STRICT PARALLEL SAFE AS $stand_in$
    SELECT uuid_send(pg_catalog.gen_random_uuid()) || $1
$stand_in$;

CREATE FUNCTION pgp_sym_encrypt(text, text, text) RETURNS bytea LANGUAGE sql STRICT PARALLEL SAFE AS $stand_in$
    SELECT uuid_send(pg_catalog.gen_random_uuid()) || convert_to($1, 'UTF8')
$stand_in$;

CREATE FUNCTION pgp_sym_encrypt_bytea(bytea, text, text) RETURNS bytea LANGUAGE sql STRICT PARALLEL SAFE AS $stand_in$
    SELECT uuid_send(pg_catalog.gen_random_uuid()) || $1
$stand_in$;

CREATE FUNCTION pgp_sym_decrypt(bytea, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT convert_from(substring($1 FROM 17), 'UTF8')
$stand_in$;

CREATE FUNCTION pgp_sym_decrypt_bytea(bytea, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT substring($1 FROM 17)
$stand_in$;

CREATE FUNCTION pgp_sym_decrypt(bytea, text, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT convert_from(substring($1 FROM 17), 'UTF8')
$stand_in$;

CREATE FUNCTION pgp_sym_decrypt_bytea(bytea, text, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT substring($1 FROM 17)
$stand_in$;

CREATE FUNCTION pgp_pub_encrypt(text, bytea) RETURNS bytea LANGUAGE sql STRICT PARALLEL SAFE AS $stand_in$
    SELECT uuid_send(pg_catalog.gen_random_uuid()) || convert_to($1, 'UTF8')
$stand_in$;

CREATE FUNCTION pgp_pub_encrypt_bytea(bytea, bytea) RETURNS bytea LANGUAGE sql STRICT PARALLEL SAFE AS $stand_in$
    SELECT uuid_send(pg_catalog.gen_random_uuid()) || $1
$stand_in$;

CREATE FUNCTION pgp_pub_encrypt(text, bytea, text) RETURNS bytea LANGUAGE sql STRICT PARALLEL SAFE AS $stand_in$
    SELECT uuid_send(pg_catalog.gen_random_uuid()) || convert_to($1, 'UTF8')
$stand_in$;

CREATE FUNCTION pgp_pub_encrypt_bytea(bytea, bytea, text) RETURNS bytea LANGUAGE sql STRICT PARALLEL SAFE AS $stand_in$
    SELECT uuid_send(pg_catalog.gen_random_uuid()) || $1
$stand_in$;

CREATE FUNCTION pgp_pub_decrypt(bytea, bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT convert_from(substring($1 FROM 17), 'UTF8')
$stand_in$;

CREATE FUNCTION pgp_pub_decrypt_bytea(bytea, bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT substring($1 FROM 17)
$stand_in$;

CREATE FUNCTION pgp_pub_decrypt(bytea, bytea, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT convert_from(substring($1 FROM 17), 'UTF8')
$stand_in$;

CREATE FUNCTION pgp_pub_decrypt_bytea(bytea, bytea, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT substring($1 FROM 17)
$stand_in$;

CREATE FUNCTION pgp_pub_decrypt(bytea, bytea, text, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT convert_from(substring($1 FROM 17), 'UTF8')
$stand_in$;

CREATE FUNCTION pgp_pub_decrypt_bytea(bytea, bytea, text, text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT substring($1 FROM 17)
$stand_in$;

CREATE FUNCTION pgp_key_id(bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT upper(left(md5($1), 16))
$stand_in$;

-- Armour without its checksum.

CREATE FUNCTION armor(bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT E'-----BEGIN PGP MESSAGE-----\n\n' || encode($1, 'base64') || E'\n-----END PGP MESSAGE-----\n'
$stand_in$;

CREATE FUNCTION armor(bytea, text[], text[]) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT E'-----BEGIN PGP MESSAGE-----\n' || (SELECT coalesce(string_agg(k || ': ' || v || E'\n', '' ORDER BY n), '') FROM unnest($2, $3) WITH ORDINALITY h(k, v, n))
        || E'\n' || encode($1, 'base64') || E'\n-----END PGP MESSAGE-----\n'
$stand_in$;

CREATE FUNCTION dearmor(text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT decode(substring($1 FROM '-----BEGIN[^\n]*\n(?:[^\n]+\n)*\n(.*)\n-----END'), 'base64')
$stand_in$;

CREATE FUNCTION pgp_armor_headers(text, key OUT text, value OUT text) RETURNS SETOF record LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $stand_in$
    SELECT m[1], m[2] FROM regexp_matches($1, '^([^:\n]+): ([^\n]*)$', 'gn') m
$stand_in$;
