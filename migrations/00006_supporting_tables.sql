-- Workers, notifications, artifacts, queue statistics

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
    worker_role     worker_role_enum DEFAULT 'action' NOT NULL,

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

COMMENT ON TABLE worker IS 'Process that runs actions, hosts sensors, or both';
COMMENT ON COLUMN worker.instance IS 'Changes whenever the worker process restarts';

CREATE INDEX idx_worker_role_status ON worker(worker_role, status);

COMMENT ON COLUMN worker.worker_role IS 'Whether the worker runs actions, sensors or both';

ALTER TABLE execution ADD CONSTRAINT execution_worker_fkey FOREIGN KEY (worker) REFERENCES worker(id) ON DELETE SET NULL;

-- ============================================================================
-- NOTIFICATION
-- ============================================================================

CREATE TABLE notification (
    id              BIGSERIAL PRIMARY KEY,
    channel         TEXT NOT NULL CHECK (channel = LOWER(channel)),
    entity_type     TEXT NOT NULL,
    entity          TEXT NOT NULL,
    activity        TEXT NOT NULL,
    state           notification_status_enum NOT NULL DEFAULT 'created',
    content         JSONB,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX idx_notification_entity  ON notification(entity_type, entity);
CREATE INDEX idx_notification_channel ON notification(channel, created DESC);
CREATE INDEX idx_notification_pending ON notification(created) WHERE state IN ('created', 'queued');
CREATE INDEX idx_notification_content ON notification USING GIN (content);

CREATE TRIGGER update_notification_updated
    BEFORE UPDATE ON notification
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON notification TO svc_attune;

COMMENT ON TABLE notification IS 'Message for a person or a client';
COMMENT ON COLUMN notification.activity IS 'What happened to the entity: created, completed, failed';

-- ============================================================================
-- ARTIFACT
-- ============================================================================

CREATE TABLE artifact (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL,
    execution       BIGINT REFERENCES execution(id) ON DELETE SET NULL,
    owner_type      owner_type_enum NOT NULL,
    owner           TEXT NOT NULL DEFAULT '',
    type            artifact_type_enum NOT NULL,
    size_bytes      BIGINT CHECK (size_bytes >= 0),    -- NULL for url and progress
    retention       artifact_retention_enum NOT NULL DEFAULT 'versions',
    retention_limit INTEGER NOT NULL DEFAULT 1,
    location        TEXT,                               -- path or URL
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT artifact_retention_positive CHECK (retention_limit > 0)
);

CREATE INDEX idx_artifact_ref       ON artifact(ref, created DESC);
CREATE INDEX idx_artifact_execution ON artifact(execution) WHERE execution IS NOT NULL;
CREATE INDEX idx_artifact_owner     ON artifact(owner_type, owner);

CREATE TRIGGER update_artifact_updated
    BEFORE UPDATE ON artifact
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON artifact TO svc_attune;

COMMENT ON TABLE artifact IS 'File, log or link that an execution leaves behind';
COMMENT ON COLUMN artifact.size_bytes IS 'Size in bytes, where there is one';

-- ============================================================================
-- QUEUE STATISTICS
-- ============================================================================
-- The scheduler keeps one row per action, so that every API process sees the
-- same queue.

CREATE TABLE queue_stats (
    action_id       BIGINT PRIMARY KEY REFERENCES action(id) ON DELETE CASCADE,
    queue_length    INTEGER NOT NULL DEFAULT 0,
    active_count    INTEGER NOT NULL DEFAULT 0,
    max_concurrent  INTEGER NOT NULL DEFAULT 1,
    oldest_enqueued TIMESTAMPTZ,
    total_enqueued  BIGINT NOT NULL DEFAULT 0,
    total_completed BIGINT NOT NULL DEFAULT 0,
    last_updated    TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT queue_stats_counts CHECK (queue_length >= 0 AND active_count >= 0 AND max_concurrent > 0)
);

-- Monitoring: queues that are backed up
CREATE INDEX idx_queue_stats_waiting ON queue_stats(queue_length DESC) WHERE queue_length > 0;

-- Load of one action, zero when it never queued
CREATE FUNCTION queue_depth_for(p_action_ref TEXT)
RETURNS queue_depth
LANGUAGE sql STABLE
AS $$
    SELECT ROW(
        COALESCE(max(q.queue_length), 0),
        COALESCE(max(q.active_count), 0),
        COALESCE(max(q.max_concurrent), 1)
    )::queue_depth
    FROM action a
    JOIN queue_stats q ON q.action_id = a.id
    WHERE a.ref = p_action_ref;
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON queue_stats TO svc_attune;
GRANT EXECUTE ON FUNCTION queue_depth_for(TEXT) TO svc_attune;

COMMENT ON TABLE queue_stats IS 'Current load of each action queue';
COMMENT ON COLUMN queue_stats.oldest_enqueued IS 'When the head of the queue arrived';
COMMENT ON FUNCTION queue_depth_for(TEXT) IS 'Load of the queue of one action';

GRANT USAGE, SELECT ON SEQUENCE
    pack_id_seq,
    runtime_id_seq,
    worker_id_seq,
    identity_id_seq,
    permission_set_id_seq,
    permission_assignment_id_seq,
    policy_id_seq,
    key_id_seq,
    trigger_id_seq,
    sensor_id_seq,
    event_id_seq,
    enforcement_id_seq,
    action_id_seq,
    rule_id_seq,
    execution_id_seq,
    inquiry_id_seq,
    workflow_definition_id_seq,
    workflow_execution_id_seq,
    notification_id_seq,
    artifact_id_seq
TO svc_attune;
