-- Migration: webhook support
--
-- A trigger may be fired by an HTTP request. The key is part of the URL and
-- identifies the trigger; the optional secret authenticates the sender.

-- ============================================================================
-- COLUMNS
-- ============================================================================

ALTER TABLE trigger
    ADD COLUMN IF NOT EXISTS webhook_enabled BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS webhook_key     VARCHAR(64),   -- last part of the URL
    ADD COLUMN IF NOT EXISTS webhook_secret  VARCHAR(128);  -- shared with the sender

-- A key leads to exactly one trigger
ALTER TABLE trigger
    ADD CONSTRAINT trigger_webhook_key_unique UNIQUE (webhook_key);

CREATE INDEX IF NOT EXISTS idx_trigger_webhook_enabled ON trigger(webhook_enabled) WHERE webhook_enabled = true;

COMMENT ON COLUMN trigger.webhook_enabled IS 'Whether requests to the webhook URL fire the trigger';
COMMENT ON COLUMN trigger.webhook_key IS 'Last part of the webhook URL';
COMMENT ON COLUMN trigger.webhook_secret IS 'Secret shared with the sender';
COMMENT ON INDEX idx_trigger_webhook_enabled IS 'Triggers that can be fired over HTTP';

-- ============================================================================
-- FUNCTIONS
-- ============================================================================

-- A fresh key that no trigger uses yet
CREATE OR REPLACE FUNCTION generate_webhook_key()
RETURNS VARCHAR(64) AS $$
DECLARE
    v_key VARCHAR(64);
BEGIN
    LOOP
        v_key := 'wh_' || encode(gen_random_bytes(24), 'hex');
        EXIT WHEN NOT EXISTS (SELECT 1 FROM trigger WHERE webhook_key = v_key);
    END LOOP;
    RETURN v_key;
END;
$$ LANGUAGE plpgsql;

-- Turns the webhook on; an existing key is kept
CREATE OR REPLACE FUNCTION enable_trigger_webhook(p_trigger_id BIGINT)
RETURNS TABLE (webhook_enabled BOOLEAN, webhook_key VARCHAR(64)) AS $$
BEGIN
    RETURN QUERY
    UPDATE trigger t
    SET webhook_enabled = true,
        webhook_key = COALESCE(t.webhook_key, generate_webhook_key())
    WHERE t.id = p_trigger_id
    RETURNING t.webhook_enabled, t.webhook_key;
END;
$$ LANGUAGE plpgsql;

-- Turns the webhook off; the key stays for the next time
CREATE OR REPLACE FUNCTION disable_trigger_webhook(p_trigger_id BIGINT)
RETURNS BOOLEAN AS $$
BEGIN
    UPDATE trigger SET webhook_enabled = false WHERE id = p_trigger_id;
    RETURN FOUND;
END;
$$ LANGUAGE plpgsql;

-- Replaces a key that leaked, and the secret along with it
CREATE OR REPLACE FUNCTION regenerate_trigger_webhook_key(p_trigger_id BIGINT)
RETURNS TABLE (new_key VARCHAR(64), had_secret BOOLEAN) AS $$
DECLARE
    v_had_secret BOOLEAN;
BEGIN
    SELECT t.webhook_secret IS NOT NULL INTO v_had_secret
    FROM trigger t
    WHERE t.id = p_trigger_id AND t.webhook_enabled;

    IF NOT FOUND THEN
        RAISE EXCEPTION 'trigger % has no enabled webhook', p_trigger_id;
    END IF;

    RETURN QUERY
    UPDATE trigger t
    SET webhook_key = generate_webhook_key(), webhook_secret = NULL
    WHERE t.id = p_trigger_id
    RETURNING t.webhook_key, v_had_secret;
END;
$$ LANGUAGE plpgsql;

GRANT EXECUTE ON FUNCTION generate_webhook_key() TO svc_attune;
GRANT EXECUTE ON FUNCTION enable_trigger_webhook(BIGINT) TO svc_attune;
GRANT EXECUTE ON FUNCTION disable_trigger_webhook(BIGINT) TO svc_attune;
GRANT EXECUTE ON FUNCTION regenerate_trigger_webhook_key(BIGINT) TO svc_attune;

COMMENT ON FUNCTION generate_webhook_key() IS 'Fresh, unused webhook key';
COMMENT ON FUNCTION enable_trigger_webhook(BIGINT) IS 'Turns a webhook on';
COMMENT ON FUNCTION disable_trigger_webhook(BIGINT) IS 'Turns a webhook off, keeping its key';
COMMENT ON FUNCTION regenerate_trigger_webhook_key(BIGINT) IS 'Replaces the key of an enabled webhook';

-- ============================================================================
-- VIEW
-- ============================================================================

CREATE VIEW webhook_overview AS
SELECT
    t.id,
    t.ref,
    t.webhook_enabled,
    t.webhook_key,
    t.webhook_secret IS NOT NULL AS has_secret
FROM trigger t
WHERE t.webhook_key IS NOT NULL;

GRANT SELECT ON webhook_overview TO svc_attune;

COMMENT ON VIEW webhook_overview IS 'Triggers with a webhook';
