-- Migration: event system
--
-- From the outside world to the decision to act: trigger types, the sensors
-- that watch for them, the events they emit and the enforcements that follow.
-- Rules come with the execution system, so enforcement.rule is a forward
-- reference here.

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

    CONSTRAINT trigger_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT trigger_ref_format    CHECK (ref ~ '^[^.]+\.[^.]+$')
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

-- ============================================================================
-- SENSOR
-- ============================================================================

CREATE TABLE sensor (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE,
    pack            BIGINT REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT,
    label           TEXT NOT NULL,
    description     TEXT,
    entrypoint      TEXT NOT NULL,                      -- path inside the pack
    runtime         BIGINT NOT NULL REFERENCES runtime(id) ON DELETE CASCADE,
    runtime_ref     TEXT NOT NULL,
    trigger         BIGINT NOT NULL REFERENCES trigger(id) ON DELETE CASCADE,
    trigger_ref     TEXT NOT NULL,
    enabled         BOOLEAN NOT NULL DEFAULT true,
    config          JSONB NOT NULL DEFAULT '{}'::jsonb,
    poll_seconds    INTEGER CHECK (poll_seconds IS NULL OR poll_seconds >= 1),
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT sensor_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT sensor_ref_format    CHECK (ref ~ '^[^.]+\.[^.]+$')
);

CREATE INDEX idx_sensor_pack    ON sensor(pack);
CREATE INDEX idx_sensor_runtime ON sensor(runtime);
CREATE INDEX idx_sensor_trigger ON sensor(trigger);

-- Sensor manager: what has to be running
CREATE INDEX idx_sensor_enabled ON sensor(trigger, runtime) WHERE enabled = true;

CREATE TRIGGER update_sensor_updated
    BEFORE UPDATE ON sensor
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON sensor TO svc_attune;

COMMENT ON TABLE sensor IS 'Program that watches for something and emits events';
COMMENT ON COLUMN sensor.poll_seconds IS 'Polling interval; NULL for sensors that are pushed to';

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
    updated         TIMESTAMPTZ NOT NULL DEFAULT now()
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

-- ============================================================================
-- ENFORCEMENT
-- ============================================================================

CREATE TABLE enforcement (
    id              BIGSERIAL PRIMARY KEY,
    rule            BIGINT,                             -- forward reference to rule
    rule_ref        TEXT NOT NULL,
    trigger_ref     TEXT NOT NULL,
    event           BIGINT REFERENCES event(id) ON DELETE SET NULL,
    config          JSONB,                              -- action parameters after templating
    status          enforcement_status_enum NOT NULL DEFAULT 'created',
    payload         JSONB NOT NULL DEFAULT '{}'::jsonb,
    condition       enforcement_condition_enum NOT NULL DEFAULT 'all',
    conditions      JSONB NOT NULL DEFAULT '[]'::jsonb,
    last_execution  BIGINT,                             -- forward reference to execution
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CHECK (jsonb_typeof(conditions) = 'array')
);

CREATE INDEX idx_enforcement_rule  ON enforcement(rule);
CREATE INDEX idx_enforcement_event ON enforcement(event);

-- Executor: what is still to be processed, oldest first
CREATE INDEX idx_enforcement_open ON enforcement(created) WHERE status = 'created';

-- A rule reacts to an event once
CREATE UNIQUE INDEX uq_enforcement_rule_event ON enforcement(rule, event)
    WHERE rule IS NOT NULL AND event IS NOT NULL;

CREATE TRIGGER update_enforcement_updated
    BEFORE UPDATE ON enforcement
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON enforcement TO svc_attune;

COMMENT ON TABLE enforcement IS 'A rule that matched an event';
COMMENT ON COLUMN enforcement.condition IS 'Whether any or all conditions have to hold';
COMMENT ON COLUMN enforcement.last_execution IS 'Most recent execution started on behalf of this enforcement';
COMMENT ON INDEX idx_enforcement_open IS 'Work list of the executor';

-- ============================================================================
-- FORWARD REFERENCES OF EARLIER MIGRATIONS
-- ============================================================================

ALTER TABLE key
    ADD CONSTRAINT key_owner_sensor_fkey
    FOREIGN KEY (owner_sensor) REFERENCES sensor(id) ON DELETE CASCADE;
