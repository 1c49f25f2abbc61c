-- LISTEN/NOTIFY triggers and their functions

-- ============================================================================
-- FUNCTION
-- ============================================================================

CREATE OR REPLACE FUNCTION notify_execution_change()
RETURNS TRIGGER AS $$
DECLARE
    v_rule_ref    TEXT;
    v_trigger_ref TEXT;
BEGIN
    -- Updates that leave the status alone are of no interest
    IF TG_OP = 'UPDATE' AND NEW.status IS NOT DISTINCT FROM OLD.status THEN
        RETURN NEW;
    END IF;

    -- Executions started by hand have no enforcement
    IF NEW.enforcement IS NOT NULL THEN
        SELECT rule_ref, trigger_ref INTO v_rule_ref, v_trigger_ref
        FROM enforcement
        WHERE id = NEW.enforcement;
    END IF;

    PERFORM pg_notify('execution_changed', json_build_object(
        'id',          NEW.id,
        'operation',   lower(TG_OP),
        'action_ref',  NEW.action_ref,
        'status',      NEW.status,
        'parent',      NEW.parent,
        'enforcement', NEW.enforcement,
        'rule_ref',    v_rule_ref,
        'trigger_ref', v_trigger_ref,
        'updated',     NEW.updated
    )::text);

    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER execution_notify
    AFTER INSERT OR UPDATE ON execution
    FOR EACH ROW EXECUTE FUNCTION notify_execution_change();

COMMENT ON FUNCTION notify_execution_change() IS 'Publishes execution changes, with rule and trigger, on execution_changed';
COMMENT ON TRIGGER execution_notify ON execution IS 'Tells listeners about new executions and status changes';

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

CREATE TRIGGER event_notify
    AFTER INSERT ON event
    FOR EACH ROW EXECUTE FUNCTION notify_event_created();

COMMENT ON FUNCTION notify_event_created() IS 'Publishes new events on event_created';
COMMENT ON TRIGGER event_notify ON event IS 'Tells listeners about new events';

-- ============================================================================
-- FUNCTION
-- ============================================================================

CREATE OR REPLACE FUNCTION notify_enforcement_change()
RETURNS TRIGGER AS $$
BEGIN
    PERFORM pg_notify('enforcement_changed', json_build_object(
        'id',          NEW.id,
        'operation',   lower(TG_OP),
        'rule',        NEW.rule,
        'rule_ref',    NEW.rule_ref,
        'trigger_ref', NEW.trigger_ref,
        'event',       NEW.event,
        'status',      NEW.status
    )::text);

    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

-- ============================================================================
-- TRIGGERS
-- ============================================================================

CREATE TRIGGER enforcement_notify_insert
    AFTER INSERT ON enforcement
    FOR EACH ROW EXECUTE FUNCTION notify_enforcement_change();

-- Only when the status really changes
CREATE TRIGGER enforcement_notify_status
    AFTER UPDATE OF status ON enforcement
    FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION notify_enforcement_change();

COMMENT ON FUNCTION notify_enforcement_change() IS 'Publishes enforcement changes on enforcement_changed';
COMMENT ON TRIGGER enforcement_notify_insert ON enforcement IS 'Tells listeners about new enforcements';
COMMENT ON TRIGGER enforcement_notify_status ON enforcement IS 'Tells listeners about progress';
