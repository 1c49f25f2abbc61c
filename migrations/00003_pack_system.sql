-- Packs and what they bring: runtimes, actions, sensors

-- ============================================================================
-- PACK
-- ============================================================================

CREATE TABLE pack (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE,               -- e.g. core, slack, my_team
    label           TEXT NOT NULL,
    description     TEXT,
    version         TEXT NOT NULL,                      -- semantic version
    conf_schema     JSONB NOT NULL DEFAULT '{}'::jsonb, -- JSON schema for config
    config          JSONB NOT NULL DEFAULT '{}'::jsonb,
    meta            JSONB NOT NULL DEFAULT '{}'::jsonb,
    tags            TEXT[] NOT NULL DEFAULT '{}',
    runtime_deps    TEXT[] NOT NULL DEFAULT '{}',       -- runtime refs the pack needs
    source_type          TEXT NOT NULL DEFAULT 'manual',      -- local, git, registry
    is_standard     BOOLEAN NOT NULL DEFAULT false,     -- ships with the platform
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),
    source_url   TEXT,
    source_ref   TEXT,             -- tag, branch or commit
    checksum     TEXT,             -- SHA-256 of the archive
    installed_at TIMESTAMPTZ,
    installed_by BIGINT REFERENCES identity(id) ON DELETE SET NULL,
    storage_path TEXT,
    installers JSONB NOT NULL DEFAULT '[]'::jsonb,

    CONSTRAINT pack_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT pack_ref_format CHECK (ref ~ '^[a-z][a-z0-9_-]*$'),
    CONSTRAINT pack_version_semver CHECK (version ~ '^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$'),
    CONSTRAINT pack_source_type_known CHECK (source_type IN ('manual', 'git', 'archive', 'registry')),
    CONSTRAINT pack_checksum_sha256 CHECK (checksum ~ '^[0-9a-f]{64}$')
);

-- Newest packs first
CREATE INDEX idx_pack_created ON pack(created DESC);

-- The handful of packs that ship with the platform
CREATE INDEX idx_pack_is_standard ON pack(is_standard) WHERE is_standard = true;

-- Search by tag and by dependency
CREATE INDEX idx_pack_tags         ON pack USING GIN (tags);
CREATE INDEX idx_pack_runtime_deps ON pack USING GIN (runtime_deps);

-- Where packs come from
CREATE INDEX idx_pack_source_type ON pack(source_type);

CREATE TRIGGER update_pack_updated
    BEFORE UPDATE ON pack
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON pack TO svc_attune;

COMMENT ON TABLE pack IS 'Bundle of automation components';
COMMENT ON COLUMN pack.ref IS 'Unique short name; prefix of every reference in the pack';
COMMENT ON COLUMN pack.conf_schema IS 'JSON schema that config has to satisfy';
COMMENT ON COLUMN pack.runtime_deps IS 'References of the runtimes this pack needs';
COMMENT ON COLUMN pack.meta IS 'Author, licence, keywords: shown, never interpreted';

COMMENT ON COLUMN pack.source_type IS 'How the pack was obtained: manual, git, archive or registry';
COMMENT ON COLUMN pack.is_standard IS 'Ships with the platform; cannot be removed';
COMMENT ON TRIGGER update_pack_updated ON pack IS 'Keeps updated current';
COMMENT ON INDEX idx_pack_tags IS 'Containment search over pack tags';

CREATE INDEX IF NOT EXISTS idx_pack_installed_at ON pack(installed_at DESC) WHERE installed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_pack_installed_by ON pack(installed_by);

COMMENT ON COLUMN pack.checksum IS 'SHA-256 of the archive, in hex';
COMMENT ON COLUMN pack.installed_by IS 'Identity that installed the pack';

COMMENT ON COLUMN pack.installers IS 'Steps that build an environment, in order';

-- ============================================================================
-- RUNTIME
-- ============================================================================
-- A runtime knows how to start a component: interpreter, arguments, and the
-- steps that prepare the host. One row per pack, kind and name.

CREATE TABLE runtime (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE,               -- pack.type.name
    pack            BIGINT REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT,
    name            TEXT NOT NULL,                      -- Python, Node.js, Shell
    description     TEXT,
    distributions   JSONB NOT NULL,                     -- host requirements
    installation    JSONB,                              -- steps that prepare a host
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),
    execution_config JSONB NOT NULL DEFAULT '{}'::jsonb, -- interpreter, arguments, environment

    -- The reference spells out the kind, so a reader needs no lookup:
    -- core.action.python, core.sensor.python
    CONSTRAINT runtime_ref_lowercase CHECK (ref = LOWER(ref))
);

CREATE INDEX idx_runtime_pack    ON runtime(pack);
CREATE INDEX idx_runtime_created ON runtime(created DESC);

CREATE TRIGGER update_runtime_updated
    BEFORE UPDATE ON runtime
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON runtime TO svc_attune;

COMMENT ON TABLE runtime IS 'Environment that starts actions and sensors alike';
COMMENT ON COLUMN runtime.ref IS 'Reference of the form pack.name';

COMMENT ON COLUMN runtime.distributions IS 'Checks that tell whether a host can offer the runtime';

-- Which runtimes a host can verify
CREATE INDEX IF NOT EXISTS idx_runtime_verification ON runtime USING GIN ((distributions->'verification'));

-- Name lookups, whatever the case
CREATE INDEX idx_runtime_name_lower ON runtime(LOWER(name));

COMMENT ON COLUMN runtime.execution_config IS 'How to start a component: interpreter, arguments, environment';

ALTER TABLE permission_set ADD CONSTRAINT permission_set_pack_fkey FOREIGN KEY (pack) REFERENCES pack(id) ON DELETE CASCADE;

ALTER TABLE key ADD CONSTRAINT key_owner_pack_fkey FOREIGN KEY (owner_pack) REFERENCES pack(id) ON DELETE CASCADE;

-- ============================================================================
-- SENSOR
-- ============================================================================

CREATE TABLE sensor (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE,
    pack            BIGINT REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT,
    label           TEXT NOT NULL,
    description     TEXT,
    entrypoint      TEXT NOT NULL,                      -- path inside the pack
    runtime         BIGINT NOT NULL REFERENCES runtime(id) ON DELETE CASCADE,
    runtime_ref     TEXT NOT NULL,
    trigger         BIGINT NOT NULL,
    trigger_ref     TEXT NOT NULL,
    enabled         BOOLEAN NOT NULL DEFAULT true,
    config          JSONB NOT NULL DEFAULT '{}'::jsonb,
    poll_seconds    INTEGER CHECK (poll_seconds IS NULL OR poll_seconds >= 1),
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),
    is_adhoc        BOOLEAN DEFAULT false NOT NULL,

    CONSTRAINT sensor_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT sensor_ref_format CHECK (ref ~ '^[^.]+\.[^.]+$')
);

CREATE INDEX idx_sensor_pack    ON sensor(pack);
CREATE INDEX idx_sensor_runtime ON sensor(runtime);
CREATE INDEX idx_sensor_trigger ON sensor(trigger);

-- Sensor manager: what has to be running
CREATE INDEX idx_sensor_enabled ON sensor(trigger, runtime) WHERE enabled = true;

CREATE TRIGGER update_sensor_updated
    BEFORE UPDATE ON sensor
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON sensor TO svc_attune;

COMMENT ON TABLE sensor IS 'Program that watches for something and emits events';
COMMENT ON COLUMN sensor.poll_seconds IS 'Polling interval; NULL for sensors that are pushed to';

CREATE INDEX IF NOT EXISTS idx_sensor_is_adhoc ON sensor(is_adhoc) WHERE is_adhoc = true;

COMMENT ON COLUMN sensor.is_adhoc IS 'Created by hand rather than installed with a pack';

-- ============================================================================
-- FORWARD REFERENCES OF EARLIER MIGRATIONS
-- ============================================================================

ALTER TABLE key ADD CONSTRAINT key_owner_sensor_fkey FOREIGN KEY (owner_sensor) REFERENCES sensor(id) ON DELETE CASCADE;

-- ============================================================================
-- ACTION
-- ============================================================================

CREATE TABLE action (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE,               -- pack.name
    pack            BIGINT NOT NULL REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT NOT NULL,
    label           TEXT NOT NULL,
    description     TEXT NOT NULL DEFAULT '',
    entrypoint      TEXT NOT NULL,                      -- path inside the pack
    runtime         BIGINT REFERENCES runtime(id) ON DELETE SET NULL,
    param_schema    JSONB,
    out_schema      JSONB,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),
    is_workflow     BOOLEAN DEFAULT false NOT NULL,
    workflow_def    BIGINT,
    is_adhoc        BOOLEAN DEFAULT false NOT NULL,

    CONSTRAINT action_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT action_ref_format CHECK (ref ~ '^[^.]+\.[^.]+$')
);

CREATE INDEX idx_action_pack    ON action(pack);
CREATE INDEX idx_action_runtime ON action(runtime);
CREATE INDEX idx_action_created ON action(created DESC);

CREATE TRIGGER update_action_updated
    BEFORE UPDATE ON action
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON action TO svc_attune;

COMMENT ON TABLE action IS 'Something that can be executed';
COMMENT ON COLUMN action.entrypoint IS 'File or function the runtime starts';
COMMENT ON COLUMN action.runtime IS 'Runtime that starts the entrypoint; NULL for workflows';
COMMENT ON COLUMN action.param_schema IS 'JSON schema of the parameters';
COMMENT ON COLUMN action.out_schema IS 'JSON schema of the result';

CREATE INDEX idx_action_workflow_def ON action(workflow_def) WHERE is_workflow = true;

COMMENT ON COLUMN action.workflow_def IS 'Workflow that implements the action';

CREATE INDEX IF NOT EXISTS idx_action_is_adhoc ON action(is_adhoc) WHERE is_adhoc = true;

COMMENT ON COLUMN action.is_adhoc IS 'Created by hand rather than installed with a pack';

ALTER TABLE key ADD CONSTRAINT key_owner_action_fkey FOREIGN KEY (owner_action) REFERENCES action(id) ON DELETE CASCADE;

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
