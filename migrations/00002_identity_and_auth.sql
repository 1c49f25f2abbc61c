-- Identities, permissions, keys

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
    pack            BIGINT,
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
-- KEY
-- ============================================================================

CREATE TABLE key (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE CHECK (ref = LOWER(ref)),
    owner_type      owner_type_enum NOT NULL,
    owner           TEXT,                               -- printable form, filled by trigger
    owner_identity  BIGINT REFERENCES identity(id) ON DELETE CASCADE,
    owner_pack      BIGINT,
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
    USING (owner_type IN ('system', 'pack') AND NOT encrypted);

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

-- ============================================================================
-- PERMISSIONS
-- ============================================================================

-- Operators may now drain a worker
UPDATE permission_set
SET grants = grants || '["worker.read", "worker.drain"]'::jsonb,
    description = 'Runs actions, answers inquiries, drains workers'
WHERE ref = 'core.operator';
