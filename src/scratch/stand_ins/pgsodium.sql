-- Stands in for pgsodium 3.1: the keys and those functions that projects name. Nothing is encrypted: what is said to be
-- encrypted is a mark before the text itself, and what is decrypted is the rest behind the mark.

CREATE TYPE pgsodium.key_status AS ENUM ('default', 'valid', 'invalid', 'expired');
CREATE TYPE pgsodium.key_type AS ENUM ('aead-ietf', 'aead-det', 'hmacsha512', 'hmacsha256', 'auth', 'shorthash',
    'generichash', 'kdf', 'secretbox', 'secretstream', 'stream_xchacha20');

CREATE SEQUENCE pgsodium.key_key_id_seq;

CREATE TABLE pgsodium.key (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    status pgsodium.key_status DEFAULT 'valid',
    created timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    expires timestamptz,
    key_type pgsodium.key_type,
    key_id bigint DEFAULT nextval('pgsodium.key_key_id_seq'),
    key_context bytea DEFAULT '\x7067736f6469756d',
    name text CONSTRAINT pgsodium_key_unique_name UNIQUE,
    associated_data text DEFAULT 'associated',
    raw_key bytea,
    raw_key_nonce bytea,
    parent_key uuid REFERENCES pgsodium.key,
    comment text,
    user_data text
);
SELECT pg_extension_config_dump('pgsodium.key', '');

CREATE VIEW pgsodium.valid_key AS
    SELECT id, name, status, key_type, key_id, key_context, created, expires, associated_data
    FROM pgsodium.key WHERE status IN ('valid', 'default') AND (expires IS NULL OR expires > now());

CREATE FUNCTION pgsodium.create_key(key_type pgsodium.key_type DEFAULT 'aead-det', name text DEFAULT NULL,
    raw_key bytea DEFAULT NULL, raw_key_nonce bytea DEFAULT NULL, parent_key uuid DEFAULT NULL,
    key_context bytea DEFAULT '\x7067736f6469756d', expires timestamptz DEFAULT NULL, associated_data text DEFAULT '')
RETURNS pgsodium.valid_key LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $stand_in$
    INSERT INTO pgsodium.key (key_type, name, raw_key, raw_key_nonce, parent_key, key_context, expires, associated_data)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING id, name, status, key_type, key_id, key_context, created, expires, associated_data
$stand_in$;

CREATE FUNCTION pgsodium.get_key_by_id(uuid) RETURNS pgsodium.valid_key LANGUAGE sql AS $stand_in$
    SELECT * FROM pgsodium.valid_key WHERE id = $1
$stand_in$;

CREATE FUNCTION pgsodium.get_key_by_name(text) RETURNS pgsodium.valid_key LANGUAGE sql AS $stand_in$
    SELECT * FROM pgsodium.valid_key WHERE name = $1
$stand_in$;

CREATE FUNCTION pgsodium.randombytes_buf(size integer) RETURNS bytea LANGUAGE sql VOLATILE AS $stand_in$
    SELECT substring(string_agg(uuid_send(gen_random_uuid()), '') FROM 1 FOR size)
    FROM generate_series(1, size / 16 + 1)
$stand_in$;

CREATE FUNCTION pgsodium.randombytes_random() RETURNS integer LANGUAGE sql VOLATILE AS $stand_in$
    SELECT (random() * 2147483647)::integer
$stand_in$;

CREATE FUNCTION pgsodium.derive_key(key_id bigint, key_len integer DEFAULT 32,
    context bytea DEFAULT '\x7067736f6469756d')
RETURNS bytea LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT substring(sha512(int8send(key_id) || context) FROM 1 FOR key_len)
$stand_in$;

CREATE FUNCTION pgsodium.crypto_aead_det_keygen() RETURNS bytea LANGUAGE sql VOLATILE AS $stand_in$
    SELECT pgsodium.randombytes_buf(32)
$stand_in$;

CREATE FUNCTION pgsodium.crypto_aead_det_noncegen() RETURNS bytea LANGUAGE sql VOLATILE AS $stand_in$
    SELECT pgsodium.randombytes_buf(32)
$stand_in$;

CREATE FUNCTION pgsodium.crypto_aead_det_encrypt(message bytea, additional bytea, key bytea, nonce bytea DEFAULT NULL)
RETURNS bytea LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT sha256(key) || message
$stand_in$;

CREATE FUNCTION pgsodium.crypto_aead_det_decrypt(ciphertext bytea, additional bytea, key bytea,
    nonce bytea DEFAULT NULL) RETURNS bytea LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT substring(ciphertext FROM 33)
$stand_in$;

CREATE FUNCTION pgsodium.crypto_aead_det_encrypt(message bytea, additional bytea, key_uuid uuid,
    nonce bytea DEFAULT NULL) RETURNS bytea LANGUAGE sql STABLE AS $stand_in$
    SELECT sha256(uuid_send(key_uuid)) || message
$stand_in$;

CREATE FUNCTION pgsodium.crypto_aead_det_decrypt(message bytea, additional bytea, key_uuid uuid,
    nonce bytea DEFAULT NULL) RETURNS bytea LANGUAGE sql STABLE AS $stand_in$
    SELECT substring(message FROM 33)
$stand_in$;

CREATE FUNCTION pgsodium.crypto_secretbox_keygen() RETURNS bytea LANGUAGE sql VOLATILE AS $stand_in$
    SELECT pgsodium.randombytes_buf(32)
$stand_in$;

CREATE FUNCTION pgsodium.crypto_secretbox_noncegen() RETURNS bytea LANGUAGE sql VOLATILE AS $stand_in$
    SELECT pgsodium.randombytes_buf(24)
$stand_in$;

CREATE FUNCTION pgsodium.crypto_secretbox(message bytea, nonce bytea, key bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT substring(sha256(key) FROM 1 FOR 16) || message
$stand_in$;

CREATE FUNCTION pgsodium.crypto_secretbox_open(ciphertext bytea, nonce bytea, key bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT substring(ciphertext FROM 17)
$stand_in$;

GRANT SELECT ON pgsodium.valid_key TO PUBLIC;
