-- Migration: consolidate webhook configuration
--
-- Ten columns for one feature are too many, and every new option would add
-- more. Everything but the switch and the key moves into webhook_config.

-- ============================================================================
-- NEW COLUMN
-- ============================================================================

ALTER TABLE trigger ADD COLUMN IF NOT EXISTS webhook_config JSONB DEFAULT '{}'::jsonb;

-- Carry over what is configured
UPDATE trigger
SET webhook_config = jsonb_build_object(
    'secret', webhook_secret,
    'hmac', jsonb_build_object(
        'enabled', webhook_hmac_enabled,
        'secret', webhook_hmac_secret,
        'algorithm', webhook_hmac_algorithm
    ),
    'rate_limit', jsonb_build_object(
        'enabled', webhook_rate_limit_enabled,
        'requests', webhook_rate_limit_requests,
        'window_seconds', webhook_rate_limit_window_seconds
    ),
    'ip_whitelist', jsonb_build_object(
        'enabled', webhook_ip_whitelist_enabled,
        'ips', webhook_ip_whitelist
    ),
    'payload_size_limit_kb', webhook_payload_size_limit_kb
)
WHERE webhook_key IS NOT NULL;

-- ============================================================================
-- OLD COLUMNS
-- ============================================================================

-- Readers of columns that are about to go, and an index nobody used
DROP VIEW webhook_overview;
DROP INDEX IF EXISTS idx_trigger_webhook_enabled;
DROP INDEX IF EXISTS idx_trigger_webhook_ip_whitelist;

ALTER TABLE trigger
    DROP CONSTRAINT IF EXISTS trigger_webhook_limits,
    DROP CONSTRAINT IF EXISTS trigger_webhook_hmac_secret,
    DROP CONSTRAINT IF EXISTS trigger_webhook_hmac_algorithm_fkey;

ALTER TABLE trigger
    DROP COLUMN IF EXISTS webhook_secret,
    DROP COLUMN IF EXISTS webhook_hmac_enabled,
    DROP COLUMN IF EXISTS webhook_hmac_secret,
    DROP COLUMN IF EXISTS webhook_hmac_algorithm,
    DROP COLUMN IF EXISTS webhook_rate_limit_enabled,
    DROP COLUMN IF EXISTS webhook_rate_limit_requests,
    DROP COLUMN IF EXISTS webhook_rate_limit_window_seconds,
    DROP COLUMN IF EXISTS webhook_ip_whitelist_enabled,
    DROP COLUMN IF EXISTS webhook_ip_whitelist,
    DROP COLUMN IF EXISTS webhook_payload_size_limit_kb;

-- The application knows its algorithms
DROP TABLE webhook_algorithm;

ALTER TABLE trigger
    ADD CONSTRAINT trigger_webhook_config_object CHECK (jsonb_typeof(webhook_config) = 'object');

CREATE INDEX idx_trigger_webhook_config ON trigger USING GIN (webhook_config);

COMMENT ON COLUMN trigger.webhook_key IS 'Last part of the webhook URL; unique, replaceable';
COMMENT ON COLUMN trigger.webhook_config IS 'Signature, rate limit, allow list and payload limit';

-- ============================================================================
-- FUNCTIONS
-- ============================================================================

-- Their columns are gone; configure_trigger_webhook() takes over
DROP FUNCTION IF EXISTS configure_trigger_webhook_rate_limit(BIGINT, INTEGER, INTEGER);
DROP FUNCTION IF EXISTS configure_trigger_webhook_ip_whitelist(BIGINT, JSONB);

-- Turns the webhook on with a configuration
CREATE OR REPLACE FUNCTION enable_trigger_webhook(p_trigger_id BIGINT, p_config JSONB DEFAULT '{}'::jsonb)
RETURNS TABLE (webhook_enabled BOOLEAN, webhook_key VARCHAR(64)) AS $$
BEGIN
    RETURN QUERY
    UPDATE trigger t
    SET webhook_enabled = true,
        webhook_key = COALESCE(t.webhook_key, generate_webhook_key()),
        webhook_config = p_config
    WHERE t.id = p_trigger_id
    RETURNING t.webhook_enabled, t.webhook_key;
END;
$$ LANGUAGE plpgsql;

-- Turns the webhook off; key and configuration stay
CREATE OR REPLACE FUNCTION disable_trigger_webhook(p_trigger_id BIGINT)
RETURNS BOOLEAN AS $$
BEGIN
    UPDATE trigger SET webhook_enabled = false WHERE id = p_trigger_id AND webhook_enabled;
    RETURN FOUND;
END;
$$ LANGUAGE plpgsql;

-- Merges options into the configuration
CREATE OR REPLACE FUNCTION configure_trigger_webhook(p_trigger_id BIGINT, p_config JSONB)
RETURNS JSONB AS $$
DECLARE
    v_config JSONB;
BEGIN
    UPDATE trigger
    SET webhook_config = webhook_config || p_config
    WHERE id = p_trigger_id
    RETURNING webhook_config INTO v_config;
    RETURN v_config;
END;
$$ LANGUAGE plpgsql;

GRANT EXECUTE ON FUNCTION enable_trigger_webhook(BIGINT, JSONB) TO svc_attune;
GRANT EXECUTE ON FUNCTION configure_trigger_webhook(BIGINT, JSONB) TO svc_attune;

COMMENT ON FUNCTION enable_trigger_webhook(BIGINT, JSONB) IS 'Turns a webhook on with a configuration';
COMMENT ON FUNCTION disable_trigger_webhook(BIGINT) IS 'Turns a webhook off, keeping key and configuration';

-- ============================================================================
-- VIEW
-- ============================================================================

CREATE VIEW webhook_overview AS
SELECT
    t.id,
    t.ref,
    t.webhook_enabled,
    t.webhook_key,
    COALESCE((t.webhook_config #>> '{hmac,enabled}')::boolean, false)         AS hmac_enabled,
    COALESCE((t.webhook_config #>> '{rate_limit,enabled}')::boolean, false)   AS rate_limit_enabled,
    COALESCE((t.webhook_config #>> '{ip_whitelist,enabled}')::boolean, false) AS ip_whitelist_enabled
FROM trigger t
WHERE t.webhook_key IS NOT NULL;

GRANT SELECT ON webhook_overview TO svc_attune;

COMMENT ON VIEW webhook_overview IS 'Triggers with a webhook, and their protection';
