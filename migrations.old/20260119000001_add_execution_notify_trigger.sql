-- Migration: execution notify trigger
--
-- Publishes every new execution and every change of status on the channel
-- execution_changed, so that clients need not poll.

-- ============================================================================
-- FUNCTION
-- ============================================================================

CREATE OR REPLACE FUNCTION notify_execution_change()
RETURNS TRIGGER AS $$
BEGIN
    -- Updates that leave the status alone are of no interest
    IF TG_OP = 'UPDATE' AND NEW.status IS NOT DISTINCT FROM OLD.status THEN
        RETURN NEW;
    END IF;

    PERFORM pg_notify('execution_changed', json_build_object(
        'id',         NEW.id,
        'operation',  lower(TG_OP),
        'action_ref', NEW.action_ref,
        'status',     NEW.status,
        'parent',     NEW.parent,
        'updated',    NEW.updated
    )::text);

    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

-- ============================================================================
-- TRIGGER
-- ============================================================================

-- Safe to run again
DROP TRIGGER IF EXISTS execution_notify ON execution;

CREATE TRIGGER execution_notify
    AFTER INSERT OR UPDATE ON execution
    FOR EACH ROW EXECUTE FUNCTION notify_execution_change();

COMMENT ON FUNCTION notify_execution_change() IS 'Publishes execution changes on execution_changed';
COMMENT ON TRIGGER execution_notify ON execution IS 'Tells listeners about new executions and status changes';
