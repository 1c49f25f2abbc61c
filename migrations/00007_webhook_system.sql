-- Webhooks: log, functions, views

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

GRANT EXECUTE ON FUNCTION generate_webhook_key() TO svc_attune;

COMMENT ON FUNCTION generate_webhook_key() IS 'Fresh, unused webhook key';

-- ============================================================================
-- EVENT LOG
-- ============================================================================

CREATE TABLE webhook_event_log (
    id              BIGSERIAL PRIMARY KEY,
    delivery        UUID NOT NULL UNIQUE,               -- returned to the sender
    trigger         BIGINT REFERENCES trigger(id) ON DELETE CASCADE,
    event           BIGINT REFERENCES event(id) ON DELETE SET NULL,
    source_ip       INET,
    status_code     INTEGER NOT NULL CHECK (status_code BETWEEN 100 AND 599),
    payload_bytes   INTEGER,
    error_message   TEXT,
    created         TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Rate limiting counts backwards from now
CREATE INDEX idx_webhook_event_log_trigger ON webhook_event_log(trigger, created DESC);
CREATE INDEX idx_webhook_event_log_failed  ON webhook_event_log(created) WHERE status_code >= 400;

GRANT SELECT, INSERT ON webhook_event_log TO svc_attune;

COMMENT ON TABLE webhook_event_log IS 'Every request that reached a webhook';

-- ============================================================================
-- FUNCTIONS: CONFIGURATION
-- ============================================================================

-- Secret with 256 bits of entropy
CREATE OR REPLACE FUNCTION generate_webhook_secret()
RETURNS VARCHAR(128) AS $$
BEGIN
    RETURN encode(gen_random_bytes(32), 'hex');
END;
$$ LANGUAGE plpgsql;

-- ============================================================================
-- FUNCTIONS: REQUEST HANDLING
-- ============================================================================

-- No list means no restriction
CREATE OR REPLACE FUNCTION check_webhook_ip_allowed(p_ip INET, p_whitelist JSONB)
RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE
AS $$
    SELECT COALESCE(jsonb_array_length(p_whitelist), 0) = 0
        OR EXISTS (
            SELECT 1
            FROM jsonb_array_elements_text(p_whitelist) AS allowed(network)
            WHERE p_ip <<= allowed.network::inet
        );
$$;

-- True while the trigger is below its limit
CREATE OR REPLACE FUNCTION check_webhook_rate_limit(p_trigger_id BIGINT, p_requests INTEGER, p_window_seconds INTEGER)
RETURNS BOOLEAN AS $$
DECLARE
    v_recent BIGINT;
BEGIN
    SELECT count(*) INTO v_recent
    FROM webhook_event_log
    WHERE trigger = p_trigger_id
      AND created > now() - make_interval(secs => p_window_seconds);
    RETURN v_recent < p_requests;
END;
$$ LANGUAGE plpgsql STABLE;

-- Writes the log and hands out the delivery number
CREATE OR REPLACE FUNCTION record_webhook_event(p_trigger_id BIGINT, p_ip INET, p_status INTEGER, p_bytes INTEGER DEFAULT NULL)
RETURNS UUID AS $$
DECLARE
    v_delivery UUID := gen_random_uuid();
BEGIN
    INSERT INTO webhook_event_log (delivery, trigger, source_ip, status_code, payload_bytes)
    VALUES (v_delivery, p_trigger_id, p_ip, p_status, p_bytes);
    RETURN v_delivery;
END;
$$ LANGUAGE plpgsql;

-- Secrets are made for the service alone
REVOKE EXECUTE ON FUNCTION generate_webhook_secret() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION generate_webhook_secret() TO svc_attune;
GRANT EXECUTE ON FUNCTION check_webhook_rate_limit(BIGINT, INTEGER, INTEGER) TO svc_attune;
GRANT EXECUTE ON FUNCTION record_webhook_event(BIGINT, INET, INTEGER, INTEGER) TO svc_attune;

COMMENT ON FUNCTION check_webhook_ip_allowed(INET, JSONB) IS 'Whether an address is on the allow list';
COMMENT ON FUNCTION record_webhook_event(BIGINT, INET, INTEGER, INTEGER) IS 'Logs a request';

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

GRANT SELECT ON TABLE webhook_activity TO svc_attune;

COMMENT ON VIEW webhook_activity IS 'Webhook traffic per trigger';

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
