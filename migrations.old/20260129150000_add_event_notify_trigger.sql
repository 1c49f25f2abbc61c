-- Migration: event notify trigger
--
-- Publishes new events on the channel event_created.

-- ============================================================================
-- FUNCTION
-- ============================================================================

CREATE OR REPLACE FUNCTION notify_event_created()
RETURNS TRIGGER AS $$
BEGIN
    -- The payload may be larger than pg_notify allows: send the id, not the event
    PERFORM pg_notify('event_created', json_build_object(
        'id',          NEW.id,
        'trigger_ref', NEW.trigger_ref,
        'source_ref',  NEW.source_ref,
        'created',     NEW.created
    )::text);

    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

-- ============================================================================
-- TRIGGER
-- ============================================================================

DROP TRIGGER IF EXISTS event_notify ON event;

CREATE TRIGGER event_notify
    AFTER INSERT ON event
    FOR EACH ROW EXECUTE FUNCTION notify_event_created();

COMMENT ON FUNCTION notify_event_created() IS 'Publishes new events on event_created';
COMMENT ON TRIGGER event_notify ON event IS 'Tells listeners about new events';
