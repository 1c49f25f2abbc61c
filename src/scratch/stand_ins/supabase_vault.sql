-- Stands in for supabase_vault 0.3: secrets are kept and read back, but not encrypted, only written in base64.

CREATE TABLE vault.secrets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text,
    description text NOT NULL DEFAULT '',
    secret text NOT NULL,
    key_id uuid,
    nonce bytea,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX secrets_name_idx ON vault.secrets (name) WHERE name IS NOT NULL;
COMMENT ON TABLE vault.secrets IS 'Table with encrypted `secret` column for storing sensitive information on disk.';
SELECT pg_extension_config_dump('vault.secrets', '');

CREATE VIEW vault.decrypted_secrets AS
    SELECT id, name, description, secret, convert_from(decode(secret, 'base64'), 'UTF8') AS decrypted_secret, key_id,
        nonce, created_at, updated_at
    FROM vault.secrets;

CREATE FUNCTION vault.create_secret(new_secret text, new_name text DEFAULT NULL, new_description text DEFAULT '',
    new_key_id uuid DEFAULT NULL) RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $stand_in$
    INSERT INTO vault.secrets (secret, name, description, key_id)
    VALUES (translate(encode(convert_to(new_secret, 'UTF8'), 'base64'), E'\n', ''), new_name, new_description,
        new_key_id)
    RETURNING id
$stand_in$;

CREATE FUNCTION vault.update_secret(secret_id uuid, new_secret text DEFAULT NULL, new_name text DEFAULT NULL,
    new_description text DEFAULT NULL, new_key_id uuid DEFAULT NULL) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $stand_in$
    UPDATE vault.secrets SET
        secret = coalesce(translate(encode(convert_to(new_secret, 'UTF8'), 'base64'), E'\n', ''), secret),
        name = coalesce(new_name, name), description = coalesce(new_description, description),
        key_id = coalesce(new_key_id, key_id), updated_at = now()
    WHERE id = secret_id
$stand_in$;

REVOKE ALL ON FUNCTION vault.create_secret, vault.update_secret FROM PUBLIC;
