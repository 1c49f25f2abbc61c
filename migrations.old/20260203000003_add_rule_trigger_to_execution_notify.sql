-- Migration: rule and trigger in execution notifications
--
-- Clients that show executions want to know why they happened. The message
-- now names the rule and the trigger behind an execution.

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

COMMENT ON FUNCTION notify_execution_change() IS 'Publishes execution changes, with rule and trigger, on execution_changed';
