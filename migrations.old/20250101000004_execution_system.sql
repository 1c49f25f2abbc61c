-- Migration: execution system
--
-- Actions, the rules that start them, their executions and the inquiries they
-- raise; then workflows, which are actions made of actions. The tables point
-- at one another in circles, so several foreign keys are added at the end:
--   action               <-> workflow_definition
--   enforcement          <-> execution
--   execution             -> worker
--   policy, key           -> action

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

    CONSTRAINT action_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT action_ref_format    CHECK (ref ~ '^[^.]+\.[^.]+$')
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

-- ============================================================================
-- RULE
-- ============================================================================

CREATE TABLE rule (
    id              BIGSERIAL PRIMARY KEY,
    ref             TEXT NOT NULL UNIQUE,
    pack            BIGINT NOT NULL REFERENCES pack(id) ON DELETE CASCADE,
    pack_ref        TEXT NOT NULL,
    label           TEXT NOT NULL,
    description     TEXT NOT NULL DEFAULT '',
    action          BIGINT REFERENCES action(id) ON DELETE SET NULL,
    action_ref      TEXT NOT NULL,
    trigger         BIGINT REFERENCES trigger(id) ON DELETE SET NULL,
    trigger_ref     TEXT NOT NULL,
    conditions      JSONB NOT NULL DEFAULT '[]'::jsonb,
    action_params   JSONB NOT NULL DEFAULT '{}'::jsonb, -- templates over the event
    trigger_params  JSONB NOT NULL DEFAULT '{}'::jsonb,
    enabled         BOOLEAN NOT NULL DEFAULT true,
    created         TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated         TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT rule_ref_lowercase CHECK (ref = LOWER(ref)),
    CONSTRAINT rule_ref_format    CHECK (ref ~ '^[^.]+\.[^.]+$')
);

CREATE INDEX idx_rule_pack   ON rule(pack);
CREATE INDEX idx_rule_action ON rule(action);

-- Event matching: rules that listen to a trigger
CREATE INDEX idx_rule_trigger_enabled ON rule(trigger) WHERE enabled = true;
CREATE INDEX idx_rule_trigger_params  ON rule USING GIN (trigger_params);

CREATE TRIGGER update_rule_updated
    BEFORE UPDATE ON rule
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON rule TO svc_attune;

COMMENT ON TABLE rule IS 'When this trigger fires, run that action';
COMMENT ON COLUMN rule.conditions IS 'Predicates over the event payload; all have to hold';
COMMENT ON COLUMN rule.trigger_params IS 'Narrows the trigger down, e.g. to one timer interval';
COMMENT ON COLUMN rule.action_params IS 'Action parameters; may contain templates over the event';

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

    CONSTRAINT execution_not_own_parent CHECK (parent IS NULL OR parent <> id),
    CONSTRAINT execution_time_order     CHECK (finished_at IS NULL OR started_at IS NULL OR finished_at >= started_at)
);

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
COMMENT ON FUNCTION guard_execution_status() IS 'Keeps finished executions finished';
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

-- ============================================================================
-- WORKFLOW TASK EXECUTION
-- ============================================================================

CREATE TABLE workflow_task_execution (
    id                  BIGSERIAL PRIMARY KEY,
    workflow_execution  BIGINT NOT NULL REFERENCES workflow_execution(id) ON DELETE CASCADE,
    execution           BIGINT NOT NULL REFERENCES execution(id) ON DELETE CASCADE,
    task_name           TEXT NOT NULL,
    task_index          INTEGER,                        -- position in a with-items list
    task_batch          INTEGER,                        -- batch in a with-items list
    status              execution_status_enum NOT NULL DEFAULT 'requested',
    result              JSONB,
    error               JSONB,
    retry_count         INTEGER NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    max_retries         INTEGER NOT NULL DEFAULT 0,
    next_retry_at       TIMESTAMPTZ,
    timeout_seconds     INTEGER CHECK (timeout_seconds > 0),
    timed_out           BOOLEAN NOT NULL DEFAULT false,
    duration_ms         BIGINT,
    started_at          TIMESTAMPTZ,
    completed_at        TIMESTAMPTZ,
    created             TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated             TIMESTAMPTZ NOT NULL DEFAULT now(),

    CONSTRAINT wf_task_exec_retry_limit CHECK (retry_count <= max_retries)
);

CREATE INDEX idx_wf_task_exec_workflow  ON workflow_task_execution(workflow_execution);
CREATE INDEX idx_wf_task_exec_execution ON workflow_task_execution(execution);
CREATE INDEX idx_wf_task_exec_name      ON workflow_task_execution(workflow_execution, task_name);

-- Sweepers: due retries, tasks that overran
CREATE INDEX idx_wf_task_exec_retry ON workflow_task_execution(next_retry_at)
    WHERE next_retry_at IS NOT NULL AND retry_count < max_retries;
CREATE INDEX idx_wf_task_exec_timed_out ON workflow_task_execution(workflow_execution) WHERE timed_out = true;

CREATE TRIGGER update_workflow_task_execution_updated
    BEFORE UPDATE ON workflow_task_execution
    FOR EACH ROW EXECUTE FUNCTION update_updated_column();

GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_task_execution TO svc_attune;
GRANT USAGE, SELECT ON SEQUENCE workflow_task_execution_id_seq TO svc_attune;

COMMENT ON TABLE workflow_task_execution IS 'One task of a running workflow';
COMMENT ON COLUMN workflow_task_execution.execution IS 'Execution that runs the task';
COMMENT ON COLUMN workflow_task_execution.task_index IS 'Item number when the task iterates';
COMMENT ON INDEX idx_wf_task_exec_retry IS 'Tasks waiting for their next attempt';
COMMENT ON TRIGGER update_workflow_task_execution_updated ON workflow_task_execution IS 'Keeps updated current';

-- ============================================================================
-- WORKFLOW COLUMNS ON EXISTING TABLES
-- ============================================================================

-- An execution may be the run of a workflow
ALTER TABLE execution
    ADD COLUMN is_workflow BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN workflow_def BIGINT REFERENCES workflow_definition(id) ON DELETE SET NULL;

-- An action may be implemented by a workflow
ALTER TABLE action
    ADD COLUMN is_workflow BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN workflow_def BIGINT;

CREATE INDEX idx_execution_is_workflow ON execution(id) WHERE is_workflow = true;
CREATE INDEX idx_execution_workflow_def ON execution(workflow_def) WHERE workflow_def IS NOT NULL;
CREATE INDEX idx_action_workflow_def ON action(workflow_def) WHERE is_workflow = true;

COMMENT ON COLUMN execution.is_workflow IS 'True for the run of a workflow';
COMMENT ON COLUMN execution.workflow_def IS 'Workflow that is being run';
COMMENT ON COLUMN action.workflow_def IS 'Workflow that implements the action';

-- ============================================================================
-- FORWARD REFERENCES
-- ============================================================================

-- action and workflow_definition point at each other
ALTER TABLE action
    ADD CONSTRAINT action_workflow_def_fkey
    FOREIGN KEY (workflow_def) REFERENCES workflow_definition(id) ON DELETE CASCADE;

-- enforcement and execution point at each other
ALTER TABLE enforcement
    ADD CONSTRAINT enforcement_rule_fkey
        FOREIGN KEY (rule) REFERENCES rule(id) ON DELETE SET NULL,
    ADD CONSTRAINT enforcement_last_execution_fkey
        FOREIGN KEY (last_execution) REFERENCES execution(id) ON DELETE SET NULL;

ALTER TABLE execution
    ADD CONSTRAINT execution_worker_fkey
    FOREIGN KEY (worker) REFERENCES worker(id) ON DELETE SET NULL;

ALTER TABLE policy
    ADD CONSTRAINT policy_action_fkey
    FOREIGN KEY (action) REFERENCES action(id) ON DELETE CASCADE;

ALTER TABLE key
    ADD CONSTRAINT key_owner_action_fkey
    FOREIGN KEY (owner_action) REFERENCES action(id) ON DELETE CASCADE;

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

-- One line per task
CREATE VIEW workflow_task_detail AS
SELECT
    wte.id,
    wte.workflow_execution,
    wd.ref          AS workflow_ref,
    wte.task_name,
    wte.task_index,
    wte.status,
    wte.retry_count,
    wte.timed_out,
    wte.duration_ms,
    e.action_ref
FROM workflow_task_execution wte
JOIN workflow_execution we  ON we.id = wte.workflow_execution
JOIN workflow_definition wd ON wd.id = we.workflow_def
JOIN execution e            ON e.id = wte.execution;

-- Which action exposes which workflow
CREATE VIEW workflow_action_link AS
SELECT
    a.id        AS action_id,
    a.ref       AS action_ref,
    wd.id       AS workflow_def_id,
    wd.ref      AS workflow_ref,
    wd.version  AS workflow_version,
    wd.enabled
FROM action a
JOIN workflow_definition wd ON wd.id = a.workflow_def
WHERE a.is_workflow;

GRANT SELECT ON workflow_execution_summary, workflow_task_detail, workflow_action_link TO svc_attune;

COMMENT ON VIEW workflow_execution_summary IS 'Progress of every workflow run';
COMMENT ON VIEW workflow_task_detail IS 'Tasks of every workflow run';
COMMENT ON VIEW workflow_action_link IS 'Actions that are workflows, and the workflows behind them';

-- ============================================================================
-- SEED DATA
-- ============================================================================

-- Platform-wide limits until an operator sets others
INSERT INTO policy (ref, pack_ref, method, threshold, name, description) VALUES
    ('core.global_concurrency', 'core', 'enqueue', 100, 'Global concurrency', 'Executions that may run at once'),
    ('core.per_action_burst',   'core', 'enqueue', 25,  'Burst per action',   'Executions of one action that may run at once');
