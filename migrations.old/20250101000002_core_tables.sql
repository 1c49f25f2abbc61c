-- Migration: core tables
--
-- Packs, runtimes and workers on one side; identities, permissions, policies
-- and keys on the other. Columns that point at tables of later migrations
-- (policy.action, key.owner_action, key.owner_sensor) are plain BIGINT for
-- now and get their foreign key once the target exists.

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
    origin          TEXT NOT NULL DEFAULT 'local',      -- local, git, registry
    is_standard     BOOLEAN NOT NULL DEFAULT false,     -- ships with the platform
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT pack_ref_lowercase  CHECK (ref = LOWER(ref)),
    CONSTRAINT pack_ref_format     CHECK (ref ~ '^[a-z][a-z0-9_-]*$'),
    CONSTRAINT pack_version_semver CHECK (version ~ '^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$')
);

-- Newest packs first
CREATE INDEX idx_pack_created ON pack(created DESC);

-- The handful of packs that ship with the platform
CREATE INDEX idx_pack_is_standard ON pack(is_standard) WHERE is_standard = true;

-- Search by tag and by dependency
CREATE INDEX idx_pack_tags         ON pack USING GIN (tags);
CREATE INDEX idx_pack_runtime_deps ON pack USING GIN (runtime_deps);

-- Where packs come from
CREATE INDEX idx_pack_origin ON pack(origin);

CREATE TRIGGER update_pack_updated
    BEFORE UPDATE ON pack
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON pack TO svc_attune;

COMMENT ON TABLE pack IS 'Bundle of automation components';
COMMENT ON COLUMN pack.ref IS 'Unique short name; prefix of every reference in the pack';
COMMENT ON COLUMN pack.conf_schema IS 'JSON schema that config has to satisfy';
COMMENT ON COLUMN pack.runtime_deps IS 'References of the runtimes this pack needs';
COMMENT ON COLUMN pack.meta IS 'Author, licence, keywords: shown, never interpreted';
COMMENT ON COLUMN pack.origin IS 'Where the pack came from';
COMMENT ON COLUMN pack.is_standard IS 'Ships with the platform; cannot be removed';
COMMENT ON TRIGGER update_pack_updated ON pack IS 'Keeps updated current';
COMMENT ON INDEX idx_pack_tags IS 'Containment search over pack tags';

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
    runtime_type    runtime_type_enum NOT NULL,         -- action or sensor
    distributions   JSONB NOT NULL,                     -- host requirements
    installation    JSONB,                              -- steps that prepare a host
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    -- The reference spells out the kind, so a reader needs no lookup:
    -- core.action.python, core.sensor.python
    CONSTRAINT runtime_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT runtime_ref_format    CHECK (ref ~ '^[^.]+\.(action|sensor)\.[^.]+$')
);

CREATE INDEX idx_runtime_pack    ON runtime(pack);
CREATE INDEX idx_runtime_created ON runtime(created DESC);

-- Lookups by kind
CREATE INDEX idx_runtime_type         ON runtime(runtime_type);
CREATE INDEX idx_runtime_pack_type    ON runtime(pack, runtime_type);
CREATE INDEX idx_runtime_type_created ON runtime(runtime_type, created DESC);
CREATE INDEX idx_runtime_type_sensor  ON runtime(id) WHERE runtime_type = 'sensor';

CREATE TRIGGER update_runtime_updated
    BEFORE UPDATE ON runtime
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON runtime TO svc_attune;

COMMENT ON TABLE runtime IS 'Environment that starts actions or sensors';
COMMENT ON COLUMN runtime.ref IS 'Reference of the form pack.type.name';
COMMENT ON COLUMN runtime.runtime_type IS 'Kind of component this runtime hosts';
COMMENT ON COLUMN runtime.distributions IS 'Operating systems and tools the runtime needs';
COMMENT ON INDEX idx_runtime_type_sensor IS 'Sensor manager: runtimes that host sensors';

-- ============================================================================
-- WORKER
-- ============================================================================

CREATE TABLE worker (
    id              BIGSERIAL PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    instance        UUID NOT NULL DEFAULT uuid_generate_v4(),   -- new on each start
    worker_type     worker_type_enum NOT NULL,
    runtime         BIGINT REFERENCES runtime(id) ON DELETE SET NULL,
    host            TEXT,
    port            INTEGER CHECK (port BETWEEN 1 AND 65535),
    status          worker_status_enum NOT NULL DEFAULT 'inactive',
    capabilities    JSONB NOT NULL DEFAULT '{}'::jsonb,
    meta            JSONB,
    last_heartbeat  TIMESTAMPTZ,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    -- A port without a host means nothing
    CHECK (port IS NULL OR host IS NOT NULL)
);

CREATE INDEX idx_worker_runtime ON worker(runtime);
CREATE INDEX idx_worker_status  ON worker(status, worker_type);

-- Scheduler: who was heard of last
CREATE INDEX idx_worker_heartbeat ON worker(last_heartbeat DESC NULLS LAST) WHERE status IN ('active', 'busy');

CREATE TRIGGER update_worker_updated
    BEFORE UPDATE ON worker
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON worker TO svc_attune;

COMMENT ON TABLE worker IS 'Process that carries out executions';
COMMENT ON COLUMN worker.instance IS 'Changes whenever the worker process restarts';

-- ============================================================================
-- IDENTITY AND PERMISSIONS
-- ============================================================================

CREATE TABLE identity (
    id              BIGSERIAL PRIMARY KEY,
    login           TEXT NOT NULL UNIQUE,
    display_name    TEXT,
    password_hash   TEXT,                               -- NULL: cannot log in with a password
    attributes      JSONB NOT NULL DEFAULT '{}'::jsonb,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Logins are unique whatever their case
CREATE UNIQUE INDEX uq_identity_login_lower ON identity(LOWER(login));

CREATE TRIGGER update_identity_updated
    BEFORE UPDATE ON identity
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON identity TO svc_attune;

COMMENT ON TABLE identity IS 'Person or service that may act';
COMMENT ON INDEX uq_identity_login_lower IS 'No two logins that differ only in case';

CREATE TABLE permission_set (
    id              BIGSERIAL PRIMARY KEY,
    ref             ref_name NOT NULL UNIQUE,           -- pack.name
    pack            BIGINT REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT,
    label           TEXT,
    description     TEXT,
    grants          JSONB NOT NULL DEFAULT '[]'::jsonb, -- list of resource.verb
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT permission_set_ref_format CHECK (ref ~ '^[^.]+\.[^.]+$'),
    CHECK (jsonb_typeof(grants) = 'array')
);

CREATE INDEX idx_permission_set_pack   ON permission_set(pack);
CREATE INDEX idx_permission_set_grants ON permission_set USING GIN (grants jsonb_path_ops);

CREATE TRIGGER update_permission_set_updated
    BEFORE UPDATE ON permission_set
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

COMMENT ON TABLE permission_set IS 'Named list of permissions, much like a role';

CREATE TABLE permission_assignment (
    id              BIGSERIAL PRIMARY KEY,
    identity        BIGINT NOT NULL REFERENCES identity(id) ON DELETE CASCADE,
    permset         BIGINT NOT NULL REFERENCES permission_set(id) ON DELETE CASCADE,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT permission_assignment_once UNIQUE (identity, permset)
);

-- The unique constraint serves lookups by identity; this one the other way
CREATE INDEX idx_permission_assignment_permset ON permission_assignment(permset);

GRANT SELECT, INSERT, UPDATE, DELETE ON permission_set, permission_assignment TO svc_attune;

COMMENT ON TABLE permission_assignment IS 'Which identity holds which permission set';

-- ============================================================================
-- POLICY
-- ============================================================================

CREATE TABLE policy (
    id              BIGSERIAL PRIMARY KEY,
    ref             ref_name NOT NULL UNIQUE,
    pack            BIGINT REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT,
    action          BIGINT,                             -- forward reference to action
    action_ref      TEXT,                               -- NULL: every action
    parameters      TEXT[] NOT NULL DEFAULT '{}',       -- parameters that form the group key
    method          policy_method_enum NOT NULL,
    threshold       INTEGER NOT NULL CHECK (threshold > 0),
    name            TEXT NOT NULL,
    description     TEXT,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX idx_policy_action ON policy(action) WHERE action IS NOT NULL;
CREATE INDEX idx_policy_pack   ON policy(pack);

CREATE TRIGGER update_policy_updated
    BEFORE UPDATE ON policy
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON policy TO svc_attune;

COMMENT ON TABLE policy IS 'Limit on concurrent executions';
COMMENT ON COLUMN policy.parameters IS 'Executions that agree in these parameters count together';

-- ============================================================================
-- KEY
-- ============================================================================

CREATE TABLE key (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE CHECK (ref = LOWER(ref)),
    owner_type      owner_type_enum NOT NULL,
    owner           TEXT,                               -- printable form, filled by trigger
    owner_identity  BIGINT REFERENCES identity(id) ON DELETE CASCADE,
    owner_pack      BIGINT REFERENCES pack(id) ON DELETE CASCADE,
    owner_action    BIGINT,                             -- forward reference to action
    owner_sensor    BIGINT,                             -- forward reference to sensor
    name            TEXT NOT NULL,
    encrypted       BOOLEAN NOT NULL DEFAULT true,
    value           TEXT NOT NULL,                      -- ciphertext when encrypted
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    -- At most one owner column; system keys have none
    CONSTRAINT key_single_owner CHECK (
        num_nonnulls(owner_identity, owner_pack, owner_action, owner_sensor)
            = CASE WHEN owner_type = 'system' THEN 0 ELSE 1 END
    )
);

CREATE UNIQUE INDEX uq_key_owner_name ON key(owner_type, COALESCE(owner, ''), name);
CREATE INDEX idx_key_owner_pack ON key(owner_pack) WHERE owner_pack IS NOT NULL;

-- Fills owner from whichever owner column is set
CREATE OR REPLACE FUNCTION fill_key_owner()
RETURNS TRIGGER AS $$
BEGIN
    NEW.owner := CASE NEW.owner_type
        WHEN 'system'   THEN NULL
        WHEN 'identity' THEN NEW.owner_identity::text
        WHEN 'pack'     THEN NEW.owner_pack::text
        WHEN 'action'   THEN NEW.owner_action::text
        WHEN 'sensor'   THEN NEW.owner_sensor::text
    END;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER fill_key_owner_trigger
    BEFORE INSERT OR UPDATE OF owner_type, owner_identity, owner_pack, owner_action, owner_sensor ON key
    FOR EACH ROW EXECUTE FUNCTION fill_key_owner();

CREATE TRIGGER update_key_updated
    BEFORE UPDATE ON key
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON key TO svc_attune;

-- The service writes everything; other roles see unencrypted system values only
ALTER TABLE key ENABLE ROW LEVEL SECURITY;

CREATE POLICY key_service_access ON key
    TO svc_attune
    USING (true)
    WITH CHECK (true);

CREATE POLICY key_shared_read ON key
    FOR SELECT
    USING (owner_type = 'system' AND NOT encrypted);

COMMENT ON TABLE key IS 'Configuration values and secrets';
COMMENT ON COLUMN key.value IS 'Plain text, or ciphertext when encrypted is true';
COMMENT ON TRIGGER fill_key_owner_trigger ON key IS 'Derives the printable owner';
COMMENT ON POLICY key_shared_read ON key IS 'Plain system values are readable by all';

-- ============================================================================
-- SEED DATA
-- ============================================================================

-- Default permission sets
INSERT INTO permission_set (ref, pack_ref, label, description, grants) VALUES
    ('core.admin',    'core', 'Administrator', 'May do everything',               '["*"]'),
    ('core.operator', 'core', 'Operator',      'Runs actions, answers inquiries', '["execution.create", "execution.read", "inquiry.respond"]'),
    ('core.viewer',   'core', 'Viewer',        'Reads, changes nothing',          '["execution.read", "event.read", "pack.read"]');

-- The platform itself acts under this identity; it has no password
INSERT INTO identity (login, display_name, attributes)
VALUES ('system', 'Automation Platform', '{"internal": true}')
ON CONFLICT (login) DO NOTHING;

-- It is an administrator
INSERT INTO permission_assignment (identity, permset)
SELECT i.id, p.id
FROM identity i
CROSS JOIN permission_set p
WHERE i.login = 'system' AND p.ref = 'core.admin'
ON CONFLICT DO NOTHING;
