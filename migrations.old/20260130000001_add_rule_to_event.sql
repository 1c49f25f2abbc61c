-- Migration: rule on event
--
-- Some events are meant for a single rule, such as a timer that exists on
-- behalf of one. The event now names it.

-- ============================================================================
-- COLUMNS
-- ============================================================================

ALTER TABLE event
    ADD COLUMN IF NOT EXISTS rule     BIGINT,
    ADD COLUMN IF NOT EXISTS rule_ref TEXT;     -- kept when the rule is gone

ALTER TABLE event
    ADD CONSTRAINT event_rule_fkey
    FOREIGN KEY (rule) REFERENCES rule(id) ON DELETE SET NULL;

-- Past events with exactly one enforcement belong to its rule
UPDATE event ev
SET rule = en.rule, rule_ref = en.rule_ref
FROM enforcement en
WHERE en.event = ev.id
  AND 1 = (SELECT count(*) FROM enforcement o WHERE o.event = ev.id);

CREATE INDEX IF NOT EXISTS idx_event_rule     ON event(rule) WHERE rule IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_event_rule_ref ON event(rule_ref, created DESC) WHERE rule_ref IS NOT NULL;

COMMENT ON COLUMN event.rule IS 'Only rule the event is meant for; NULL for all';
COMMENT ON COLUMN event.rule_ref IS 'Reference of that rule, kept when the rule is gone';

-- ============================================================================
-- NOTIFICATION
-- ============================================================================

-- Listeners learn the rule as well
CREATE OR REPLACE FUNCTION notify_event_created()
RETURNS TRIGGER AS $$
BEGIN
    -- The payload may be larger than pg_notify allows: send the id, not the event
    PERFORM pg_notify('event_created', json_build_object(
        'id',          NEW.id,
        'trigger_ref', NEW.trigger_ref,
        'source_ref',  NEW.source_ref,
        'rule',        NEW.rule,
        'rule_ref',    NEW.rule_ref,
        'created',     NEW.created
    )::text);

    RETURN NEW;
END;
$$ LANGUAGE plpgsql;
