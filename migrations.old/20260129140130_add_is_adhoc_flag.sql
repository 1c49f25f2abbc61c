-- Migration: is_adhoc flag
--
-- Tells components that people create in the UI from those that a pack
-- installs. Updating a pack must not touch the former.

-- ============================================================================
-- COLUMNS
-- ============================================================================

ALTER TABLE action ADD COLUMN IF NOT EXISTS is_adhoc BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE sensor ADD COLUMN IF NOT EXISTS is_adhoc BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE rule   ADD COLUMN IF NOT EXISTS is_adhoc BOOLEAN DEFAULT false NOT NULL;

-- A sensor without a pack can only have been made by hand
UPDATE sensor SET is_adhoc = true WHERE pack IS NULL;

CREATE INDEX IF NOT EXISTS idx_action_is_adhoc ON action(is_adhoc) WHERE is_adhoc = true;
CREATE INDEX IF NOT EXISTS idx_sensor_is_adhoc ON sensor(is_adhoc) WHERE is_adhoc = true;
CREATE INDEX IF NOT EXISTS idx_rule_is_adhoc   ON rule(is_adhoc) WHERE is_adhoc = true;

COMMENT ON COLUMN action.is_adhoc IS 'Created by hand rather than installed with a pack';
COMMENT ON COLUMN sensor.is_adhoc IS 'Created by hand rather than installed with a pack';
COMMENT ON COLUMN rule.is_adhoc IS 'Created by hand rather than installed with a pack';

-- ============================================================================
-- VIEW
-- ============================================================================

-- New columns go to the end, so the view can be replaced in place
CREATE OR REPLACE VIEW workflow_action_link AS
SELECT
    a.id        AS action_id,
    a.ref       AS action_ref,
    wd.id       AS workflow_def_id,
    wd.ref      AS workflow_ref,
    wd.version  AS workflow_version,
    wd.enabled,
    a.is_adhoc
FROM action a
JOIN workflow_definition wd ON wd.id = a.workflow_def
WHERE a.is_workflow;
