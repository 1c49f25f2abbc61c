-- Migration: enforcement notify trigger
--
-- Publishes new enforcements and their progress on enforcement_changed.

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
