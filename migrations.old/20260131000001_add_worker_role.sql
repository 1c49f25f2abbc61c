-- Migration: worker role
--
-- A worker either runs actions, hosts sensors, or does both. So far that had
-- to be guessed from its name.

-- ============================================================================
-- TYPE AND COLUMN
-- ============================================================================

CREATE TYPE worker_role_enum AS ENUM ('action', 'sensor', 'hybrid');

COMMENT ON TYPE worker_role_enum IS 'What a worker is used for';

ALTER TABLE worker ADD COLUMN worker_role worker_role_enum;

-- The guess, for the last time
UPDATE worker
SET worker_role = CASE
    WHEN name LIKE 'sensor-%' THEN 'sensor'::worker_role_enum
    ELSE 'action'::worker_role_enum
END
WHERE worker_role IS NULL;

ALTER TABLE worker
    ALTER COLUMN worker_role SET DEFAULT 'action',
    ALTER COLUMN worker_role SET NOT NULL;

CREATE INDEX idx_worker_role_status ON worker(worker_role, status);

COMMENT ON COLUMN worker.worker_role IS 'Whether the worker runs actions, sensors or both';
COMMENT ON TABLE worker IS 'Process that runs actions, hosts sensors, or both';

-- ============================================================================
-- PERMISSIONS
-- ============================================================================

-- Operators may now drain a worker
UPDATE permission_set
SET grants = grants || '["worker.read", "worker.drain"]'::jsonb,
    description = 'Runs actions, answers inquiries, drains workers'
WHERE ref = 'core.operator';

-- Sensor hosts connect as themselves and read plain pack values too
ALTER POLICY key_shared_read ON key
    USING (owner_type IN ('system', 'pack') AND NOT encrypted);
