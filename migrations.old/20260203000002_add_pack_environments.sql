-- Migration: pack environments
--
-- A pack with dependencies needs an isolated environment per runtime, such as
-- a virtualenv or a node_modules directory. This tracks their state.

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

ALTER TABLE pack ADD COLUMN IF NOT EXISTS installers JSONB NOT NULL DEFAULT '[]'::jsonb;

COMMENT ON COLUMN pack.installers IS 'Steps that build an environment, in order';

-- ============================================================================
-- TABLE
-- ============================================================================

CREATE TABLE IF NOT EXISTS pack_environment (
    id              BIGSERIAL PRIMARY KEY,
    pack            BIGINT NOT NULL REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT NOT NULL,
    runtime         BIGINT NOT NULL REFERENCES runtime(id) ON DELETE CASCADE,
    runtime_ref     TEXT NOT NULL,
    env_path        TEXT NOT NULL UNIQUE,               -- absolute
    status          pack_environment_status_enum NOT NULL DEFAULT 'pending',
    installed_at    TIMESTAMPTZ,
    last_verified   TIMESTAMPTZ,
    install_log     TEXT,
    install_error   TEXT,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    UNIQUE (pack, runtime),
    CONSTRAINT pack_environment_path_absolute CHECK (env_path ~ '^/'),

    -- A failure comes with its message
    CONSTRAINT pack_environment_error_given CHECK (status <> 'failed' OR install_error IS NOT NULL)
);

CREATE INDEX IF NOT EXISTS idx_pack_environment_runtime ON pack_environment(runtime);
CREATE INDEX IF NOT EXISTS idx_pack_environment_status  ON pack_environment(status) WHERE status <> 'ready';

CREATE TRIGGER update_pack_environment_updated
    BEFORE UPDATE ON pack_environment
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

COMMENT ON TABLE pack_environment IS 'Isolated dependencies of a pack for one runtime';
COMMENT ON COLUMN pack_environment.env_path IS 'Directory of the environment';

-- Installed packs get a pending environment for each runtime they ask for
INSERT INTO pack_environment (pack, pack_ref, runtime, runtime_ref, env_path)
SELECT p.id, p.ref, r.id, r.ref, '/opt/attune/envs/' || p.ref || '/' || LOWER(r.name)
FROM pack p
JOIN runtime r ON r.ref = ANY (p.runtime_deps)
ON CONFLICT DO NOTHING;

-- ============================================================================
-- PRIVILEGES
-- ============================================================================

-- Several recent tables were granted piecemeal; even that out
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO svc_attune;
