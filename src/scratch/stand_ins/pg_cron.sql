-- Stands in for pg_cron 1.6: the tables, and functions that write and take away jobs as the original's do. No job ever
-- runs. Of a schedule only the number of its fields is looked at. The port of every job is 5432.

CREATE SCHEMA cron;

CREATE SEQUENCE cron.jobid_seq;
CREATE SEQUENCE cron.runid_seq;

CREATE TABLE cron.job (
    jobid bigint PRIMARY KEY DEFAULT nextval('cron.jobid_seq'),
    schedule text NOT NULL,
    command text NOT NULL,
    nodename text NOT NULL DEFAULT 'localhost',
    nodeport integer NOT NULL DEFAULT 5432,
    database text NOT NULL DEFAULT current_database(),
    username text NOT NULL DEFAULT current_user,
    active boolean NOT NULL DEFAULT true,
    jobname text,
    CONSTRAINT jobname_username_uniq UNIQUE (jobname, username)
);

CREATE TABLE cron.job_run_details (
    jobid bigint,
    runid bigint PRIMARY KEY DEFAULT nextval('cron.runid_seq'),
    job_pid integer,
    database text,
    username text,
    command text,
    status text,
    return_message text,
    start_time timestamptz,
    end_time timestamptz
);

SELECT pg_extension_config_dump('cron.job', '');
SELECT pg_extension_config_dump('cron.jobid_seq', '');
SELECT pg_extension_config_dump('cron.job_run_details', '');
SELECT pg_extension_config_dump('cron.runid_seq', '');

GRANT SELECT ON cron.job, cron.jobid_seq, cron.runid_seq TO PUBLIC;
GRANT SELECT, DELETE ON cron.job_run_details TO PUBLIC;

CREATE FUNCTION cron.schedule_in_database(job_name text, schedule text, command text, database text,
    username text DEFAULT NULL, active boolean DEFAULT true) RETURNS bigint LANGUAGE plpgsql AS $stand_in$
DECLARE
    id bigint := nextval('cron.jobid_seq');
BEGIN
    IF schedule IS NULL OR command IS NULL OR database IS NULL THEN
        RAISE EXCEPTION 'schedule, command and database can not be NULL';
    END IF;
    IF schedule !~* '^\s*(\S+\s+\S+\s+\S+\s+\S+\s+\S+|\d+\s+seconds?|@[a-z]+)\s*$' THEN
        RAISE EXCEPTION 'invalid schedule: %', schedule USING ERRCODE = '22023';
    END IF;
    INSERT INTO cron.job AS j (jobid, jobname, schedule, command, database, username, active)
    VALUES (id, job_name, $2, $3, $4, coalesce($5, current_user), $6)
    ON CONFLICT ON CONSTRAINT jobname_username_uniq
        DO UPDATE SET schedule = EXCLUDED.schedule, command = EXCLUDED.command, database = EXCLUDED.database,
            active = EXCLUDED.active
    RETURNING j.jobid INTO id;
    RETURN id;
END
$stand_in$;
REVOKE ALL ON FUNCTION cron.schedule_in_database FROM PUBLIC;

CREATE FUNCTION cron.schedule(schedule text, command text) RETURNS bigint LANGUAGE sql STRICT AS $stand_in$
    SELECT cron.schedule_in_database(NULL, schedule, command, current_database())
$stand_in$;

CREATE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint LANGUAGE sql AS $stand_in$
    SELECT cron.schedule_in_database(job_name, schedule, command, current_database())
$stand_in$;

CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean LANGUAGE plpgsql STRICT AS $stand_in$
BEGIN
    DELETE FROM cron.job WHERE jobid = job_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'could not find valid entry for job %', job_id USING ERRCODE = 'XX000';
    END IF;
    RETURN true;
END
$stand_in$;

CREATE FUNCTION cron.unschedule(job_name text) RETURNS boolean LANGUAGE plpgsql STRICT AS $stand_in$
BEGIN
    DELETE FROM cron.job WHERE jobname = job_name AND username = current_user;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'could not find valid entry for job ''%''', job_name USING ERRCODE = 'XX000';
    END IF;
    RETURN true;
END
$stand_in$;

CREATE FUNCTION cron.alter_job(job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL,
    database text DEFAULT NULL, username text DEFAULT NULL, active boolean DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $stand_in$
BEGIN
    UPDATE cron.job j SET schedule = coalesce($2, j.schedule), command = coalesce($3, j.command),
        database = coalesce($4, j.database), username = coalesce($5, j.username), active = coalesce($6, j.active)
    WHERE j.jobid = job_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Job % does not exist or you don''t own it', job_id USING ERRCODE = 'XX000';
    END IF;
END
$stand_in$;
REVOKE ALL ON FUNCTION cron.alter_job FROM PUBLIC;

CREATE FUNCTION cron.job_cache_invalidate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
