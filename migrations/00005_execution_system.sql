-- Executions, enforcements, inquiries, policies, workflows

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
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT policy_action_fkey FOREIGN KEY (action) REFERENCES action(id) ON DELETE CASCADE
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
-- ENFORCEMENT
-- ============================================================================

CREATE TABLE enforcement (
    id              BIGSERIAL PRIMARY KEY,
    rule            BIGINT,                             -- forward reference to rule
    rule_ref        TEXT NOT NULL,
    trigger_ref     TEXT NOT NULL,
    event           BIGINT REFERENCES event(id) ON DELETE SET NULL,
    config          JSONB,                              -- action parameters after templating
    status          enforcement_status_enum NOT NULL DEFAULT 'created',
    payload         JSONB NOT NULL DEFAULT '{}'::jsonb,
    condition       enforcement_condition_enum NOT NULL DEFAULT 'all',
    conditions      JSONB NOT NULL DEFAULT '[]'::jsonb,
    last_execution  BIGINT,                             -- forward reference to execution
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CHECK (jsonb_typeof(conditions) = 'array'),
    CONSTRAINT enforcement_rule_fkey FOREIGN KEY (rule) REFERENCES rule(id) ON DELETE SET NULL
);

CREATE INDEX idx_enforcement_rule  ON enforcement(rule);
CREATE INDEX idx_enforcement_event ON enforcement(event);

-- Executor: what is still to be processed, oldest first
CREATE INDEX idx_enforcement_open ON enforcement(created) WHERE status = 'created';

-- A rule reacts to an event once
CREATE UNIQUE INDEX uq_enforcement_rule_event ON enforcement(rule, event)
    WHERE rule IS NOT NULL AND event IS NOT NULL;

CREATE TRIGGER update_enforcement_updated
    BEFORE UPDATE ON enforcement
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON enforcement TO svc_attune;

COMMENT ON TABLE enforcement IS 'A rule that matched an event';
COMMENT ON COLUMN enforcement.condition IS 'Whether any or all conditions have to hold';
COMMENT ON COLUMN enforcement.last_execution IS 'Most recent execution started on behalf of this enforcement';
COMMENT ON INDEX idx_enforcement_open IS 'Work list of the executor';

-- A finished execution stays finished; only its result may still be amended
CREATE OR REPLACE FUNCTION guard_execution_status()
RETURNS TRIGGER AS $$
BEGIN
    IF OLD.status IN ('completed', 'failed', 'cancelled', 'timeout')
       AND NEW.status IS DISTINCT FROM OLD.status THEN
        RAISE EXCEPTION 'execution % is already %', OLD.id, OLD.status
            USING HINT = 'Start a new execution instead';
    END IF;

    -- Stamp the two moments that matter, unless the worker already did
    IF NEW.status = 'running' AND NEW.started_at IS NULL THEN
        NEW.started_at := now();
    ELSIF NEW.status IN ('completed', 'failed', 'cancelled', 'timeout') AND NEW.finished_at IS NULL THEN
        NEW.finished_at := now();
    END IF;

    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

COMMENT ON FUNCTION guard_execution_status() IS 'Keeps finished executions finished';

-- ============================================================================
-- WORKFLOW DEFINITION
-- ============================================================================

CREATE TABLE workflow_definition (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE,               -- pack.name
    pack            BIGINT NOT NULL REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT NOT NULL,
    action          BIGINT REFERENCES action(id) ON DELETE SET NULL,    -- action that exposes it
    label           TEXT NOT NULL,
    description     TEXT,
    version         TEXT NOT NULL,
    param_schema    JSONB,
    out_schema      JSONB,
    definition      JSONB NOT NULL,                     -- parsed YAML
    tags            TEXT[] NOT NULL DEFAULT '{}',
    enabled         BOOLEAN NOT NULL DEFAULT true,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT workflow_definition_ref_format CHECK (ref ~ '^[^.]+\.[^.]+$'),

    -- A workflow without tasks is a mistake
    CONSTRAINT workflow_definition_has_tasks  CHECK (definition ? 'tasks')
);

-- ============================================================================
-- EXECUTION
-- ============================================================================
-- References are weak on purpose: the history has to survive the removal of
-- the action, the rule or the worker involved.

CREATE TABLE execution (
    id              BIGSERIAL PRIMARY KEY,
    trace           UUID NOT NULL DEFAULT gen_random_uuid(),    -- shared with logs
    action          BIGINT REFERENCES action(id) ON DELETE SET NULL,
    action_ref      TEXT NOT NULL,
    config          JSONB,                              -- parameters, secrets removed
    parent          BIGINT REFERENCES execution(id) ON DELETE SET NULL,
    enforcement     BIGINT REFERENCES enforcement(id) ON DELETE SET NULL,
    executor        BIGINT REFERENCES identity(id) ON DELETE SET NULL,
    worker          BIGINT,                             -- set once scheduled
    status          execution_status_enum NOT NULL DEFAULT 'requested',
    result          JSONB,
    started_at      TIMESTAMPTZ,
    finished_at     TIMESTAMPTZ,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),
    is_workflow     BOOLEAN DEFAULT false NOT NULL,
    workflow_def    BIGINT REFERENCES workflow_definition(id) ON DELETE SET NULL,
    workflow_task   JSONB,

    CONSTRAINT execution_not_own_parent CHECK (parent IS NULL OR parent <> id),
    CONSTRAINT execution_time_order CHECK (finished_at IS NULL OR started_at IS NULL OR finished_at >= started_at)
);

-- enforcement and execution point at each other
ALTER TABLE enforcement ADD CONSTRAINT enforcement_last_execution_fkey FOREIGN KEY (last_execution) REFERENCES execution(id) ON DELETE SET NULL;

CREATE INDEX idx_execution_action      ON execution(action);
CREATE INDEX idx_execution_action_ref  ON execution(action_ref, created DESC);
CREATE INDEX idx_execution_parent      ON execution(parent) WHERE parent IS NOT NULL;
CREATE INDEX idx_execution_enforcement ON execution(enforcement);
CREATE INDEX idx_execution_executor    ON execution(executor);
CREATE INDEX idx_execution_status      ON execution(status, created DESC);

-- Scheduler: executions that still need attention
CREATE INDEX idx_execution_unfinished ON execution(created)
    WHERE status IN ('requested', 'scheduling', 'scheduled', 'running', 'canceling');

-- Search inside results
CREATE INDEX idx_execution_result ON execution USING GIN (result jsonb_path_ops);

-- Dashboard: executions per UTC day
CREATE INDEX idx_execution_day ON execution(((created AT TIME ZONE 'UTC')::date));

CREATE TRIGGER update_execution_updated
    BEFORE UPDATE ON execution
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

CREATE TRIGGER guard_execution_status_trigger
    BEFORE UPDATE OF status ON execution
    FOR EACH ROW EXECUTE FUNCTION guard_execution_status();

GRANT SELECT, INSERT, UPDATE, DELETE ON execution TO svc_attune;

COMMENT ON TABLE execution IS 'One run of an action';
COMMENT ON COLUMN execution.trace IS 'Identifier that ties log lines to the execution';
COMMENT ON COLUMN execution.parent IS 'Execution that started this one';
COMMENT ON COLUMN execution.config IS 'Parameters as passed to the action, secrets removed';
COMMENT ON COLUMN execution.enforcement IS 'Enforcement behind the execution; NULL when started by hand';
COMMENT ON COLUMN execution.worker IS 'Worker that runs or ran it';
COMMENT ON COLUMN execution.executor IS 'Identity on whose behalf the action runs';
COMMENT ON TRIGGER guard_execution_status_trigger ON execution IS 'Checks every change of status';
COMMENT ON INDEX idx_execution_unfinished IS 'Work list of the scheduler';

-- ============================================================================
-- INQUIRY
-- ============================================================================

CREATE TABLE inquiry (
    id              BIGSERIAL PRIMARY KEY,
    execution       BIGINT NOT NULL REFERENCES execution(id) ON DELETE CASCADE,
    prompt          TEXT NOT NULL CHECK (prompt <> ''),
    response_schema JSONB,
    assigned_to     BIGINT REFERENCES identity(id) ON DELETE SET NULL,
    status          inquiry_status_enum NOT NULL DEFAULT 'pending',
    response        JSONB,
    timeout_at      TIMESTAMPTZ,
    responded_at    TIMESTAMPTZ,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    -- Answered means there is an answer, and a time for it
    CONSTRAINT inquiry_response_complete CHECK (
        status <> 'responded' OR (response IS NOT NULL AND responded_at IS NOT NULL)
    )
);

CREATE INDEX idx_inquiry_execution ON inquiry(execution);
CREATE INDEX idx_inquiry_assigned  ON inquiry(assigned_to, status);

-- Sweeper: what runs out next
CREATE INDEX idx_inquiry_timeout ON inquiry(timeout_at)
    WHERE status = 'pending' AND timeout_at IS NOT NULL;

CREATE TRIGGER update_inquiry_updated
    BEFORE UPDATE ON inquiry
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

-- Sweeper: closes what ran out of time, answers with the number of rows
CREATE OR REPLACE FUNCTION expire_inquiries()
RETURNS BIGINT
LANGUAGE sql
AS $$
    WITH expired AS (
        UPDATE inquiry
        SET status = 'timeout'
        WHERE status = 'pending' AND timeout_at <= now()
        RETURNING id
    )
    SELECT count(*) FROM expired;
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON inquiry TO svc_attune;
GRANT EXECUTE ON FUNCTION expire_inquiries() TO svc_attune;

COMMENT ON TABLE inquiry IS 'Question an execution puts to a person';
COMMENT ON FUNCTION expire_inquiries() IS 'Times out pending inquiries';
COMMENT ON COLUMN inquiry.assigned_to IS 'Identity that may respond; NULL for anyone who may';
COMMENT ON COLUMN inquiry.prompt IS 'Question as shown to the person';
COMMENT ON COLUMN inquiry.timeout_at IS 'When the inquiry stops waiting';
COMMENT ON COLUMN inquiry.response_schema IS 'JSON schema the response has to satisfy';

CREATE INDEX idx_workflow_definition_pack    ON workflow_definition(pack);
CREATE INDEX idx_workflow_definition_enabled ON workflow_definition(ref) WHERE enabled = true;
CREATE INDEX idx_workflow_definition_tags    ON workflow_definition USING GIN (tags);

CREATE TRIGGER update_workflow_definition_updated
    BEFORE UPDATE ON workflow_definition
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_definition TO svc_attune;

COMMENT ON TABLE workflow_definition IS 'Graph of tasks, each of which runs an action';
COMMENT ON COLUMN workflow_definition.action IS 'Action under which the workflow can be started';
COMMENT ON COLUMN workflow_definition.version IS 'Copied from the file; not interpreted';
COMMENT ON COLUMN workflow_definition.definition IS 'Tasks, variables and transitions as parsed from YAML';

-- ============================================================================
-- WORKFLOW EXECUTION
-- ============================================================================
-- One row per running workflow. The execution row holds status and result for
-- the outside; this one holds what the workflow engine has to remember
-- between two transitions.

CREATE TABLE workflow_execution (
    id              BIGSERIAL PRIMARY KEY,
    execution       BIGINT NOT NULL REFERENCES execution(id) ON DELETE CASCADE,
    workflow_def    BIGINT NOT NULL REFERENCES workflow_definition(id) ON DELETE CASCADE,
    current_tasks   TEXT[] NOT NULL DEFAULT '{}',
    completed_tasks TEXT[] NOT NULL DEFAULT '{}',
    failed_tasks    TEXT[] NOT NULL DEFAULT '{}',
    skipped_tasks   TEXT[] NOT NULL DEFAULT '{}',
    variables       JSONB NOT NULL DEFAULT '{}'::jsonb,
    task_graph      JSONB NOT NULL,                     -- definition at start time
    status          execution_status_enum NOT NULL DEFAULT 'requested',
    error_message   TEXT,
    paused          BOOLEAN NOT NULL DEFAULT false,
    pause_reason    TEXT,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    UNIQUE (execution),

    -- Whoever pauses a workflow says why
    CONSTRAINT workflow_execution_pause_reason CHECK (NOT paused OR pause_reason IS NOT NULL)
);

CREATE INDEX idx_workflow_execution_def    ON workflow_execution(workflow_def);
CREATE INDEX idx_workflow_execution_status ON workflow_execution(status);
CREATE INDEX idx_workflow_execution_paused ON workflow_execution(id) WHERE paused = true;

CREATE TRIGGER update_workflow_execution_updated
    BEFORE UPDATE ON workflow_execution
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_execution TO svc_attune;

COMMENT ON TABLE workflow_execution IS 'Memory of the workflow engine for one running workflow';
COMMENT ON COLUMN workflow_execution.task_graph IS 'Copy of the definition, so that later edits do not disturb a run';
COMMENT ON COLUMN workflow_execution.current_tasks IS 'Tasks that are running now';
COMMENT ON COLUMN workflow_execution.paused IS 'Started tasks finish, no new ones start';
COMMENT ON COLUMN workflow_execution.variables IS 'Values published by finished tasks';

CREATE INDEX idx_execution_is_workflow ON execution(id) WHERE is_workflow = true;
CREATE INDEX idx_execution_workflow_def ON execution(workflow_def) WHERE workflow_def IS NOT NULL;

COMMENT ON COLUMN execution.is_workflow IS 'True for the run of a workflow';
COMMENT ON COLUMN execution.workflow_def IS 'Workflow that is being run';

-- ============================================================================
-- FORWARD REFERENCES
-- ============================================================================

-- action and workflow_definition point at each other
ALTER TABLE action ADD CONSTRAINT action_workflow_def_fkey FOREIGN KEY (workflow_def) REFERENCES workflow_definition(id) ON DELETE CASCADE;

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
-- WORKFLOW VIEWS
-- ============================================================================

-- One line per running or finished workflow
CREATE VIEW workflow_execution_summary AS
SELECT
    we.id,
    we.execution,
    wd.ref                          AS workflow_ref,
    wd.version                      AS workflow_version,
    we.status,
    we.paused,
    cardinality(we.current_tasks)   AS current_count,
    cardinality(we.completed_tasks) AS completed_count,
    cardinality(we.failed_tasks)    AS failed_count,
    e.started_at,
    e.finished_at
FROM workflow_execution we
JOIN workflow_definition wd ON wd.id = we.workflow_def
JOIN execution e            ON e.id = we.execution;

-- ============================================================================
-- VIEW
-- ============================================================================

-- New columns go to the end, so the view can be replaced in place
CREATE OR REPLACE VIEW workflow_action_link AS
SELECT
    a.id        AS action_id,
    a.ref       AS action_ref,
    wd.id       AS workflow_def_id,
    wd.ref      AS workflow_ref,
    wd.version  AS workflow_version,
    wd.enabled,
    a.is_adhoc
FROM action a
JOIN workflow_definition wd ON wd.id = a.workflow_def
WHERE a.is_workflow;

GRANT SELECT ON TABLE workflow_execution_summary, workflow_action_link TO svc_attune;

COMMENT ON VIEW workflow_execution_summary IS 'Progress of every workflow run';
COMMENT ON VIEW workflow_action_link IS 'Actions that are workflows, and the workflows behind them';

-- ============================================================================
-- PRIVILEGES
-- ============================================================================

-- Everything so far ...
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE
    workflow_execution_summary,
    workflow_action_link
TO svc_attune;

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

-- Policies point at actions and went with them; put the defaults back
SELECT setval('policy_id_seq', 2);
INSERT INTO policy (ref, pack_ref, method, threshold, name, description) VALUES
    ('core.global_concurrency', 'core', 'enqueue', 200, 'Global concurrency', 'Executions that may run at once'),
    ('core.per_action_burst',   'core', 'enqueue', 50,  'Burst per action',   'Executions of one action that may run at once')
ON CONFLICT (ref) DO NOTHING;
