-- Migration: unify runtimes
--
-- Python is Python, whether it runs an action or hosts a sensor. A runtime no
-- longer has a kind, its reference shrinks from pack.type.name to pack.name,
-- and the rows come from YAML files in packs/core/runtimes/.

-- ============================================================================
-- REFERENCE FORMAT
-- ============================================================================

-- References have two parts from now on: core.python in place of both
-- core.action.python and core.sensor.python. The loader checks that, so no
-- new constraint takes the place of this one.

-- The old format is history
ALTER TABLE runtime DROP CONSTRAINT IF EXISTS runtime_ref_format;

-- ============================================================================
-- RUNTIME KIND
-- ============================================================================

-- Indexes first. The column would take them along, but a reader should not
-- have to know that
DROP INDEX IF EXISTS idx_runtime_type;
DROP INDEX IF EXISTS idx_runtime_pack_type;
DROP INDEX IF EXISTS idx_runtime_type_created;
DROP INDEX IF EXISTS idx_runtime_type_sensor;

-- Then the column. From here on a runtime serves actions and sensors alike,
-- and whoever asks for one has to say what for.
ALTER TABLE runtime DROP COLUMN IF EXISTS runtime_type;

-- Nothing uses the type any more. No CASCADE: if something does use it after
-- all, this has to fail.
DROP TYPE IF EXISTS runtime_type_enum;

-- ============================================================================
-- DATA
-- ============================================================================

-- Old references would never match again. This reaches everything that points
-- at a runtime: workers, actions, sensors, and what hangs from those.
TRUNCATE runtime CASCADE;

-- Policies point at actions and went with them; put the defaults back
INSERT INTO policy (ref, pack_ref, method, threshold, name, description) VALUES
    ('core.global_concurrency', 'core', 'enqueue', 200, 'Global concurrency', 'Executions that may run at once'),
    ('core.per_action_burst',   'core', 'enqueue', 50,  'Burst per action',   'Executions of one action that may run at once')
ON CONFLICT (ref) DO NOTHING;

-- ============================================================================
-- NEW SHAPE
-- ============================================================================

ALTER TABLE runtime
    ADD COLUMN execution_config JSONB NOT NULL DEFAULT '{}'::jsonb; -- interpreter, arguments, environment

-- Name lookups, whatever the case
CREATE INDEX idx_runtime_name_lower ON runtime(LOWER(name));

COMMENT ON TABLE runtime IS 'Environment that starts actions and sensors alike';
COMMENT ON COLUMN runtime.ref IS 'Reference of the form pack.name';
COMMENT ON COLUMN runtime.execution_config IS 'How to start a component: interpreter, arguments, environment';
