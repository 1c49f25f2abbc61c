-- Migration: advanced webhook features
--
-- Signed requests, rate limits, IP allow lists and a payload limit, each with
-- its own columns; and a log of what was received.

-- ============================================================================
-- COLUMNS
-- ============================================================================

ALTER TABLE trigger
    ADD COLUMN IF NOT EXISTS webhook_hmac_enabled              BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS webhook_hmac_secret               VARCHAR(128),
    ADD COLUMN IF NOT EXISTS webhook_hmac_algorithm            VARCHAR(32) DEFAULT 'sha256',
    ADD COLUMN IF NOT EXISTS webhook_rate_limit_enabled        BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS webhook_rate_limit_requests       INTEGER DEFAULT 100,
    ADD COLUMN IF NOT EXISTS webhook_rate_limit_window_seconds INTEGER DEFAULT 60,
    ADD COLUMN IF NOT EXISTS webhook_ip_whitelist_enabled      BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS webhook_ip_whitelist              JSONB DEFAULT '[]'::jsonb,
    ADD COLUMN IF NOT EXISTS webhook_payload_size_limit_kb     INTEGER DEFAULT 1024;

-- Limits make sense only when positive; a signature needs a secret
ALTER TABLE trigger
    ADD CONSTRAINT trigger_webhook_limits CHECK (
        webhook_rate_limit_requests > 0
        AND webhook_rate_limit_window_seconds > 0
        AND webhook_payload_size_limit_kb BETWEEN 1 AND 10240
    ),
    ADD CONSTRAINT trigger_webhook_hmac_secret CHECK (
        NOT webhook_hmac_enabled OR webhook_hmac_secret IS NOT NULL
    );

CREATE INDEX idx_trigger_webhook_ip_whitelist ON trigger USING GIN (webhook_ip_whitelist)
    WHERE webhook_ip_whitelist_enabled = true;

COMMENT ON COLUMN trigger.webhook_hmac_enabled IS 'Whether requests have to be signed';
COMMENT ON COLUMN trigger.webhook_ip_whitelist IS 'List of addresses and networks that may send';
COMMENT ON COLUMN trigger.webhook_payload_size_limit_kb IS 'Largest accepted body in KiB';

-- ============================================================================
-- SIGNATURE ALGORITHMS
-- ============================================================================

CREATE TABLE webhook_algorithm (
    name            VARCHAR(32) PRIMARY KEY,
    digest_bits     INTEGER NOT NULL CHECK (digest_bits > 0),
    recommended     BOOLEAN NOT NULL DEFAULT false,
    created         TIMESTAMPTZ NOT NULL DEFAULT now()
);

INSERT INTO webhook_algorithm (name, digest_bits, recommended) VALUES
    ('sha1',   160, false),     -- some senders know no better
    ('sha256', 256, true),
    ('sha512', 512, true);

ALTER TABLE trigger
    ADD CONSTRAINT trigger_webhook_hmac_algorithm_fkey
    FOREIGN KEY (webhook_hmac_algorithm) REFERENCES webhook_algorithm(name);

COMMENT ON TABLE webhook_algorithm IS 'Digests a webhook signature may use';

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

-- Signed requests
CREATE OR REPLACE FUNCTION configure_trigger_webhook_hmac(p_trigger_id BIGINT, p_enabled BOOLEAN, p_algorithm VARCHAR(32))
RETURNS VARCHAR(128) AS $$
DECLARE
    v_secret VARCHAR(128);
BEGIN
    UPDATE trigger
    SET webhook_hmac_enabled = p_enabled,
        webhook_hmac_algorithm = p_algorithm,
        webhook_hmac_secret = CASE WHEN p_enabled THEN generate_webhook_secret() END
    WHERE id = p_trigger_id
    RETURNING webhook_hmac_secret INTO v_secret;
    RETURN v_secret;
END;
$$ LANGUAGE plpgsql;

-- Rate limit
CREATE OR REPLACE FUNCTION configure_trigger_webhook_rate_limit(p_trigger_id BIGINT, p_requests INTEGER, p_window_seconds INTEGER)
RETURNS BOOLEAN AS $$
BEGIN
    UPDATE trigger
    SET webhook_rate_limit_enabled = true,
        webhook_rate_limit_requests = p_requests,
        webhook_rate_limit_window_seconds = p_window_seconds
    WHERE id = p_trigger_id;
    RETURN FOUND;
END;
$$ LANGUAGE plpgsql;

-- Allow list; an empty one turns the check off
CREATE OR REPLACE FUNCTION configure_trigger_webhook_ip_whitelist(p_trigger_id BIGINT, p_whitelist JSONB)
RETURNS BOOLEAN AS $$
BEGIN
    UPDATE trigger
    SET webhook_ip_whitelist_enabled = jsonb_array_length(p_whitelist) > 0,
        webhook_ip_whitelist = p_whitelist
    WHERE id = p_trigger_id;
    RETURN FOUND;
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

COMMENT ON FUNCTION configure_trigger_webhook_hmac(BIGINT, BOOLEAN, VARCHAR) IS 'Requires or waives signatures';
COMMENT ON FUNCTION check_webhook_ip_allowed(INET, JSONB) IS 'Whether an address is on the allow list';
COMMENT ON FUNCTION record_webhook_event(BIGINT, INET, INTEGER, INTEGER) IS 'Logs a request';

-- ============================================================================
-- VIEWS
-- ============================================================================

-- The overview gains the new switches
DROP VIEW webhook_overview;

CREATE VIEW webhook_overview AS
SELECT
    t.id,
    t.ref,
    t.webhook_enabled,
    t.webhook_key,
    t.webhook_secret IS NOT NULL AS has_secret,
    t.webhook_hmac_enabled,
    t.webhook_rate_limit_enabled,
    t.webhook_ip_whitelist_enabled
FROM trigger t
WHERE t.webhook_key IS NOT NULL;

-- Traffic per trigger
CREATE VIEW webhook_activity AS
SELECT
    t.ref                                           AS trigger_ref,
    count(l.id)                                     AS requests,
    count(l.id) FILTER (WHERE l.status_code >= 400) AS failures,
    max(l.created)                                  AS last_request
FROM trigger t
JOIN webhook_event_log l ON l.trigger = t.id
GROUP BY t.ref;

GRANT SELECT ON webhook_overview, webhook_activity TO svc_attune;

COMMENT ON VIEW webhook_overview IS 'Triggers with a webhook, and their protection';
COMMENT ON VIEW webhook_activity IS 'Webhook traffic per trigger';
