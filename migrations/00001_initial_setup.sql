-- Roles, extensions, enums and other base types, shared functions

-- ============================================================================
-- EXTENSIONS
-- ============================================================================

-- uuid_generate_v4() labels worker instances
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

-- gen_random_bytes() and digest() back the generated secrets
CREATE EXTENSION IF NOT EXISTS pgcrypto;

-- ============================================================================
-- SERVICE ROLE
-- ============================================================================

-- Roles belong to the cluster, not to the database, hence the guard
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'svc_attune') THEN
        -- Development password: rotate it before anyone else can connect
        CREATE ROLE svc_attune LOGIN PASSWORD 'svc-attune-dev-only';
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public TO svc_attune;

COMMENT ON SCHEMA public IS 'Automation platform: all application objects live here';

-- Where a worker process lives
CREATE TYPE worker_type_enum AS ENUM ('local', 'remote', 'container');

COMMENT ON TYPE worker_type_enum IS 'Placement of a worker process';

-- Liveness as last reported by the worker itself
CREATE TYPE worker_status_enum AS ENUM ('active', 'inactive', 'busy', 'error');

COMMENT ON TYPE worker_status_enum IS 'Self-reported state of a worker';

-- Progress of a rule activation
CREATE TYPE enforcement_status_enum AS ENUM ('created', 'processed', 'disabled');

COMMENT ON TYPE enforcement_status_enum IS 'Progress of an enforcement';

-- How several rule conditions combine
CREATE TYPE enforcement_condition_enum AS ENUM ('any', 'all');

COMMENT ON TYPE enforcement_condition_enum IS 'Boolean connective between rule conditions';

-- Life of an execution, in rough chronological order
CREATE TYPE execution_status_enum AS ENUM (
    'requested',
    'scheduling',
    'scheduled',
    'running',
    'completed',
    'failed',
    'canceling',
    'cancelled',
    'timeout'
);

COMMENT ON TYPE execution_status_enum IS 'State machine of an execution';

-- Human-in-the-loop questions
CREATE TYPE inquiry_status_enum AS ENUM ('pending', 'responded', 'timeout', 'cancelled');

COMMENT ON TYPE inquiry_status_enum IS 'State of a question put to a person';

-- What happens to an execution that exceeds a policy
CREATE TYPE policy_method_enum AS ENUM ('cancel', 'enqueue');

COMMENT ON TYPE policy_method_enum IS 'Reaction to an exceeded policy';

-- Who a key belongs to
CREATE TYPE owner_type_enum AS ENUM ('system', 'identity', 'pack', 'action', 'sensor');

COMMENT ON TYPE owner_type_enum IS 'Kind of object that owns a key';

-- Delivery of a notification
CREATE TYPE notification_status_enum AS ENUM ('created', 'queued', 'processing', 'error');

COMMENT ON TYPE notification_status_enum IS 'Delivery state of a notification';

-- Shape of a stored artifact
CREATE TYPE artifact_type_enum AS ENUM ('file_binary', 'file_text', 'datatable', 'log', 'progress', 'test_report', 'url');

COMMENT ON TYPE artifact_type_enum IS 'Shape of an artifact';

-- Unit in which artifact retention is counted
CREATE TYPE artifact_retention_enum AS ENUM ('versions', 'hours', 'days');

COMMENT ON TYPE artifact_retention_enum IS 'Unit of artifact retention';

-- ============================================================================
-- DOMAINS AND COMPOSITE TYPES
-- ============================================================================

-- Lower-case, dot-separated reference such as core.admin
CREATE DOMAIN ref_name AS TEXT
    CONSTRAINT ref_name_lowercase CHECK (VALUE = LOWER(VALUE))
    CONSTRAINT ref_name_length    CHECK (char_length(VALUE) BETWEEN 1 AND 255);

COMMENT ON DOMAIN ref_name IS 'Human-readable, lower-case reference';

-- Answer of queue_depth_for()
CREATE TYPE queue_depth AS (
    waiting     INTEGER,
    active      INTEGER,
    capacity    INTEGER
);

COMMENT ON TYPE queue_depth IS 'Load of one action queue at a moment in time';

-- ============================================================================
-- SHARED FUNCTIONS
-- ============================================================================

-- Row trigger: stamps the moment of the last change
CREATE OR REPLACE FUNCTION update_updated_column()
RETURNS TRIGGER AS $$
BEGIN
    NEW.updated = now();
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

COMMENT ON FUNCTION update_updated_column() IS 'Row trigger that keeps the updated column current';

-- ============================================================================
-- TYPE AND COLUMN
-- ============================================================================

CREATE TYPE worker_role_enum AS ENUM ('action', 'sensor', 'hybrid');

COMMENT ON TYPE worker_role_enum IS 'What a worker is used for';

-- ============================================================================
-- TYPE AND COLUMN
-- ============================================================================

CREATE TYPE pack_environment_status_enum AS ENUM (
    'pending',
    'installing',
    'ready',
    'failed',
    'outdated'      -- dependencies changed since
);

COMMENT ON TYPE pack_environment_status_enum IS 'State of a pack environment';
