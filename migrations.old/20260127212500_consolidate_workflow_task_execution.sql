-- Migration: consolidate workflow task executions
--
-- Every workflow task had two rows, one here and one in execution, and the
-- two had to be kept in step. What is specific to workflows moves into
-- execution.workflow_task; the separate table goes.

-- Do not queue behind a long-running query
SET lock_timeout = '10s';

-- ============================================================================
-- NEW COLUMN
-- ============================================================================

ALTER TABLE execution ADD COLUMN IF NOT EXISTS workflow_task JSONB;

-- Leftovers of runs that were deleted by hand
DELETE FROM workflow_task_execution w
WHERE NOT EXISTS (SELECT 1 FROM execution e WHERE e.id = w.execution);

-- Carry the metadata over
UPDATE execution e
SET workflow_task = jsonb_build_object(
    'workflow_execution', w.workflow_execution,
    'task_name',          w.task_name,
    'task_index',         w.task_index,
    'task_batch',         w.task_batch,
    'retry_count',        w.retry_count,
    'max_retries',        w.max_retries,
    'next_retry_at',      w.next_retry_at,
    'timeout_seconds',    w.timeout_seconds,
    'timed_out',          w.timed_out,
    'duration_ms',        w.duration_ms,
    'started_at',         w.started_at,
    'completed_at',       w.completed_at
)
FROM workflow_task_execution w
WHERE w.execution = e.id;

-- Nothing may get lost
DO $$
BEGIN
    IF EXISTS (
        SELECT 1
        FROM workflow_task_execution w
        JOIN execution e ON e.id = w.execution
        WHERE e.workflow_task IS NULL
    ) THEN
        RAISE EXCEPTION 'workflow task metadata is incomplete, refusing to drop its table';
    END IF;
END
$$;

-- ============================================================================
-- OLD TABLE
-- ============================================================================

DROP VIEW IF EXISTS workflow_task_detail;
DROP TABLE IF EXISTS workflow_task_execution CASCADE;

-- ============================================================================
-- INDEXES
-- ============================================================================

-- Any containment query
CREATE INDEX idx_execution_workflow_task_gin ON execution USING GIN (workflow_task) WHERE workflow_task IS NOT NULL;

-- The tasks of a run, and one of them by name
CREATE INDEX idx_execution_workflow_execution
    ON execution(((workflow_task->>'workflow_execution')::bigint))
    WHERE workflow_task IS NOT NULL;
CREATE INDEX idx_execution_workflow_task_name ON execution((workflow_task->>'task_name')) WHERE workflow_task IS NOT NULL;

-- Sweepers: due retries, tasks that overran
CREATE INDEX idx_execution_pending_retries ON execution((workflow_task->>'next_retry_at'))
    WHERE workflow_task IS NOT NULL AND workflow_task->>'next_retry_at' IS NOT NULL;
CREATE INDEX idx_execution_timed_out ON execution(id)
    WHERE (workflow_task->>'timed_out')::boolean = true;

COMMENT ON COLUMN execution.workflow_task IS 'Task metadata when the execution is part of a workflow, else NULL';
COMMENT ON INDEX idx_execution_workflow_task_gin IS 'Containment search over task metadata';

-- ============================================================================
-- VIEW
-- ============================================================================

-- Same columns as before, read from the execution
CREATE VIEW workflow_task_detail AS
SELECT
    e.id,
    we.id                                       AS workflow_execution,
    wd.ref                                      AS workflow_ref,
    e.workflow_task->>'task_name'               AS task_name,
    (e.workflow_task->>'task_index')::integer   AS task_index,
    e.status,
    (e.workflow_task->>'retry_count')::integer  AS retry_count,
    (e.workflow_task->>'timed_out')::boolean    AS timed_out,
    (e.workflow_task->>'duration_ms')::bigint   AS duration_ms,
    e.action_ref
FROM execution e
JOIN workflow_execution we  ON we.id = (e.workflow_task->>'workflow_execution')::bigint
JOIN workflow_definition wd ON wd.id = we.workflow_def
WHERE e.workflow_task IS NOT NULL;

GRANT SELECT ON workflow_task_detail TO svc_attune;

COMMENT ON VIEW workflow_task_detail IS 'Tasks of every workflow run';

RESET lock_timeout;
