-- Results of pack tests

-- ============================================================================
-- TABLE
-- ============================================================================

CREATE TABLE IF NOT EXISTS pack_test_execution (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pack            BIGINT NOT NULL REFERENCES pack(id) ON DELETE CASCADE,
    pack_version    TEXT NOT NULL,
    trigger_reason  TEXT NOT NULL,                      -- install, update, manual, validation
    total_tests     INTEGER NOT NULL,
    passed          INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    skipped         INTEGER NOT NULL DEFAULT 0,
    pass_rate       NUMERIC(5, 4) NOT NULL,             -- 0.0000 to 1.0000
    duration_ms     BIGINT NOT NULL CHECK (duration_ms >= 0),
    report          JSONB NOT NULL,
    execution_time  TIMESTAMPTZ NOT NULL DEFAULT now(),
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT pack_test_reason    CHECK (trigger_reason IN ('install', 'update', 'manual', 'validation')),
    CONSTRAINT pack_test_counts    CHECK (passed >= 0 AND failed >= 0 AND skipped >= 0 AND passed + failed + skipped = total_tests),
    CONSTRAINT pack_test_pass_rate CHECK (pass_rate BETWEEN 0 AND 1)
);

GRANT USAGE, SELECT ON SEQUENCE
    webhook_event_log_id_seq,
    pack_test_execution_id_seq,
    pack_environment_id_seq
TO svc_attune;

CREATE INDEX idx_pack_test_pack   ON pack_test_execution(pack, execution_time DESC);
CREATE INDEX idx_pack_test_failed ON pack_test_execution(execution_time DESC) WHERE failed > 0;

GRANT SELECT, INSERT, DELETE ON pack_test_execution TO svc_attune;

COMMENT ON TABLE pack_test_execution IS 'One run of the tests of a pack';
COMMENT ON COLUMN pack_test_execution.report IS 'Suites and cases with their output';

-- ============================================================================
-- MATERIALIZED VIEW
-- ============================================================================

-- Refreshed by the API after each run
CREATE MATERIALIZED VIEW pack_latest_test AS
SELECT DISTINCT ON (p.id)
    p.id            AS pack_id,
    p.ref           AS pack_ref,
    t.id            AS test_id,
    t.pack_version,
    t.pass_rate,
    t.execution_time
FROM pack p
JOIN pack_test_execution t ON t.pack = p.id
ORDER BY p.id, t.execution_time DESC
WITH NO DATA;

-- REFRESH ... CONCURRENTLY asks for a unique index
CREATE UNIQUE INDEX uq_pack_latest_test ON pack_latest_test(pack_id);

GRANT SELECT ON pack_latest_test TO svc_attune;

COMMENT ON MATERIALIZED VIEW pack_latest_test IS 'Most recent test run of each pack';

-- ============================================================================
-- PRIVILEGES
-- ============================================================================

-- Several recent tables were granted piecemeal; even that out
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE
    webhook_event_log,
    webhook_activity,
    pack_test_execution,
    pack_latest_test,
    webhook_overview,
    workflow_task_detail,
    pack_environment
TO svc_attune;

-- ... and the sequences of later tables
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO svc_attune;
