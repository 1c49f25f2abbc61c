-- Migration: restore webhook functions
--
-- Clearing up the overloads removed regenerate_trigger_webhook_key(), which
-- the API still calls. Bring back the three functions it needs, in a form
-- that knows webhook_config, and drop whatever variant is left of each.

-- ============================================================================
-- OLD VARIANTS
-- ============================================================================

-- Return types change, so CREATE OR REPLACE alone would not do
DROP FUNCTION IF EXISTS enable_trigger_webhook(BIGINT, JSONB);
DROP FUNCTION IF EXISTS disable_trigger_webhook(BIGINT);
DROP FUNCTION IF EXISTS regenerate_trigger_webhook_key(BIGINT);

-- Enabling with a configuration does the same
DROP FUNCTION IF EXISTS configure_trigger_webhook(BIGINT, JSONB);

-- ============================================================================
-- FUNCTIONS
-- ============================================================================

-- Turns the webhook on; options given are merged into the configuration
CREATE OR REPLACE FUNCTION enable_trigger_webhook(p_trigger_id BIGINT, p_config JSONB DEFAULT '{}'::jsonb)
RETURNS TABLE (
    webhook_enabled BOOLEAN,
    webhook_key     VARCHAR(64),
    webhook_config  JSONB
) AS $$
BEGIN
    RETURN QUERY
    UPDATE trigger t
    SET webhook_enabled = true,
        webhook_key = COALESCE(t.webhook_key, generate_webhook_key()),
        webhook_config = COALESCE(t.webhook_config, '{}'::jsonb) || p_config
    WHERE t.id = p_trigger_id
    RETURNING t.webhook_enabled, t.webhook_key, t.webhook_config;

    IF NOT FOUND THEN
        RAISE EXCEPTION 'trigger % does not exist', p_trigger_id;
    END IF;
END;
$$ LANGUAGE plpgsql;

-- Turns the webhook off; key and configuration stay
CREATE OR REPLACE FUNCTION disable_trigger_webhook(p_trigger_id BIGINT)
RETURNS TABLE (webhook_enabled BOOLEAN, webhook_key VARCHAR(64)) AS $$
BEGIN
    RETURN QUERY
    UPDATE trigger t
    SET webhook_enabled = false
    WHERE t.id = p_trigger_id
    RETURNING t.webhook_enabled, t.webhook_key;
END;
$$ LANGUAGE plpgsql;

-- Replaces a key that leaked and tells the old one, for the audit log
CREATE OR REPLACE FUNCTION regenerate_trigger_webhook_key(p_trigger_id BIGINT)
RETURNS TABLE (new_key VARCHAR(64), old_key VARCHAR(64)) AS $$
DECLARE
    v_old VARCHAR(64);
BEGIN
    SELECT t.webhook_key INTO v_old
    FROM trigger t
    WHERE t.id = p_trigger_id AND t.webhook_enabled
    FOR UPDATE;

    IF NOT FOUND THEN
        RAISE EXCEPTION 'trigger % has no enabled webhook', p_trigger_id;
    END IF;

    RETURN QUERY
    UPDATE trigger t
    SET webhook_key = generate_webhook_key()
    WHERE t.id = p_trigger_id
    RETURNING t.webhook_key, v_old;
END;
$$ LANGUAGE plpgsql;

GRANT EXECUTE ON FUNCTION enable_trigger_webhook(BIGINT, JSONB) TO svc_attune;
GRANT EXECUTE ON FUNCTION disable_trigger_webhook(BIGINT) TO svc_attune;
GRANT EXECUTE ON FUNCTION regenerate_trigger_webhook_key(BIGINT) TO svc_attune;

COMMENT ON FUNCTION enable_trigger_webhook(BIGINT, JSONB) IS 'Turns a webhook on and merges options into its configuration';
COMMENT ON FUNCTION disable_trigger_webhook(BIGINT) IS 'Turns a webhook off, keeping key and configuration';
COMMENT ON FUNCTION regenerate_trigger_webhook_key(BIGINT) IS 'Replaces the key of an enabled webhook';

-- ============================================================================
-- VIEW
-- ============================================================================

-- Average size of the payloads joins the traffic figures
CREATE OR REPLACE VIEW webhook_activity AS
SELECT
    t.ref                                           AS trigger_ref,
    count(l.id)                                     AS requests,
    count(l.id) FILTER (WHERE l.status_code >= 400) AS failures,
    max(l.created)                                  AS last_request,
    avg(l.payload_bytes)::integer                   AS average_bytes
FROM trigger t
JOIN webhook_event_log l ON l.trigger = t.id
GROUP BY t.ref;
