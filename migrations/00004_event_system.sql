-- Triggers, events, rules

-- ============================================================================
-- TRIGGER
-- ============================================================================

CREATE TABLE trigger (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE,               -- pack.name
    pack            BIGINT REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT,
    label           TEXT NOT NULL,
    description     TEXT,
    enabled         BOOLEAN NOT NULL DEFAULT true,
    param_schema    JSONB,                              -- what a rule may configure
    out_schema      JSONB,                              -- what an event carries
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),
    webhook_enabled BOOLEAN NOT NULL DEFAULT false,
    webhook_key     VARCHAR(64),   -- last part of the URL
    webhook_config JSONB DEFAULT '{}'::jsonb,

    CONSTRAINT trigger_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT trigger_ref_format CHECK (ref ~ '^[^.]+\.[^.]+$'),
    -- A key leads to exactly one trigger
    CONSTRAINT trigger_webhook_key_unique UNIQUE (webhook_key),
    CONSTRAINT trigger_webhook_config_object CHECK (jsonb_typeof(webhook_config) = 'object')
);

CREATE INDEX idx_trigger_pack         ON trigger(pack);
CREATE INDEX idx_trigger_enabled      ON trigger(enabled) WHERE enabled = true;
CREATE INDEX idx_trigger_pack_enabled ON trigger(pack, enabled);

CREATE TRIGGER update_trigger_updated
    BEFORE UPDATE ON trigger
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON trigger TO svc_attune;

COMMENT ON TABLE trigger IS 'Type of event that rules can react to';
COMMENT ON COLUMN trigger.param_schema IS 'JSON schema of the parameters a rule passes to the trigger';
COMMENT ON COLUMN trigger.out_schema IS 'JSON schema of the event payload';

COMMENT ON COLUMN trigger.webhook_enabled IS 'Whether requests to the webhook URL fire the trigger';

COMMENT ON COLUMN trigger.webhook_key IS 'Last part of the webhook URL; unique, replaceable';

CREATE INDEX idx_trigger_webhook_config ON trigger USING GIN (webhook_config);

COMMENT ON COLUMN trigger.webhook_config IS 'Signature, rate limit, allow list and payload limit';

ALTER TABLE sensor ADD CONSTRAINT sensor_trigger_fkey FOREIGN KEY (trigger) REFERENCES trigger(id) ON DELETE CASCADE;

-- ============================================================================
-- RULE
-- ============================================================================

CREATE TABLE rule (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE,
    pack            BIGINT NOT NULL REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT NOT NULL,
    label           TEXT NOT NULL,
    description     TEXT NOT NULL DEFAULT '',
    action          BIGINT REFERENCES action(id) ON DELETE SET NULL,
    action_ref      TEXT NOT NULL,
    trigger         BIGINT REFERENCES trigger(id) ON DELETE SET NULL,
    trigger_ref     TEXT NOT NULL,
    conditions      JSONB NOT NULL DEFAULT '[]'::jsonb,
    action_params   JSONB NOT NULL DEFAULT '{}'::jsonb, -- templates over the event
    trigger_params  JSONB NOT NULL DEFAULT '{}'::jsonb,
    enabled         BOOLEAN NOT NULL DEFAULT true,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),
    is_adhoc        BOOLEAN DEFAULT false NOT NULL,

    CONSTRAINT rule_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT rule_ref_format CHECK (ref ~ '^[^.]+\.[^.]+$')
);

-- ============================================================================
-- EVENT
-- ============================================================================
-- Events are history. They outlive the trigger and the sensor they came from,
-- which is why references are kept as text too.

CREATE TABLE event (
    id              BIGSERIAL PRIMARY KEY,
    trigger         BIGINT REFERENCES trigger(id) ON DELETE SET NULL,
    trigger_ref     TEXT NOT NULL,
    source          BIGINT REFERENCES sensor(id) ON DELETE SET NULL,
    source_ref      TEXT,                               -- NULL: injected by hand or webhook
    config          JSONB,                              -- trigger parameters in force
    payload         JSONB,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),
    rule            BIGINT,
    rule_ref        TEXT,     -- kept when the rule is gone
    CONSTRAINT event_rule_fkey FOREIGN KEY (rule) REFERENCES rule(id) ON DELETE SET NULL
);

CREATE INDEX idx_event_trigger     ON event(trigger, created DESC);
CREATE INDEX idx_event_trigger_ref ON event(trigger_ref, created DESC);
CREATE INDEX idx_event_source      ON event(source) WHERE source IS NOT NULL;
CREATE INDEX idx_event_payload     ON event USING GIN (payload);

CREATE TRIGGER update_event_updated
    BEFORE UPDATE ON event
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON event TO svc_attune;

COMMENT ON TABLE event IS 'One firing of a trigger';
COMMENT ON COLUMN event.trigger_ref IS 'Kept when the trigger is gone';
COMMENT ON COLUMN event.source IS 'Sensor that emitted the event';

CREATE INDEX IF NOT EXISTS idx_event_rule     ON event(rule) WHERE rule IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_event_rule_ref ON event(rule_ref, created DESC) WHERE rule_ref IS NOT NULL;

COMMENT ON COLUMN event.rule IS 'Only rule the event is meant for; NULL for all';
COMMENT ON COLUMN event.rule_ref IS 'Reference of that rule, kept when the rule is gone';

CREATE INDEX idx_rule_pack   ON rule(pack);
CREATE INDEX idx_rule_action ON rule(action);

-- Event matching: rules that listen to a trigger
CREATE INDEX idx_rule_trigger_enabled ON rule(trigger) WHERE enabled = true;
CREATE INDEX idx_rule_trigger_params  ON rule USING GIN (trigger_params);

CREATE TRIGGER update_rule_updated
    BEFORE UPDATE ON rule
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON rule TO svc_attune;

COMMENT ON TABLE rule IS 'When this trigger fires, run that action';
COMMENT ON COLUMN rule.conditions IS 'Predicates over the event payload; all have to hold';
COMMENT ON COLUMN rule.trigger_params IS 'Narrows the trigger down, e.g. to one timer interval';
COMMENT ON COLUMN rule.action_params IS 'Action parameters; may contain templates over the event';

CREATE INDEX IF NOT EXISTS idx_rule_is_adhoc   ON rule(is_adhoc) WHERE is_adhoc = true;

COMMENT ON COLUMN rule.is_adhoc IS 'Created by hand rather than installed with a pack';
