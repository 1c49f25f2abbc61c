-- Stands in for pg_graphql 1.5: every query gets an empty answer.

CREATE SEQUENCE graphql.seq_schema_version CYCLE;

CREATE FUNCTION graphql.resolve(query text, variables jsonb DEFAULT '{}', "operationName" text DEFAULT NULL,
    extensions jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $stand_in$
    SELECT '{"data": null, "errors": []}'::jsonb
$stand_in$;

CREATE FUNCTION graphql._internal_resolve(query text, variables jsonb DEFAULT '{}', "operationName" text DEFAULT NULL,
    extensions jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $stand_in$
    SELECT graphql.resolve(query, variables, "operationName", extensions)
$stand_in$;

CREATE FUNCTION graphql.comment_directive(comment_ text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $stand_in$
    SELECT coalesce(substring(comment_ FROM '@graphql\((.*?)\)')::jsonb, '{}')
$stand_in$;

CREATE FUNCTION graphql.exception(message text) RETURNS text LANGUAGE plpgsql AS $stand_in$
BEGIN
    RAISE EXCEPTION '%', message USING ERRCODE = '22000';
END
$stand_in$;

CREATE FUNCTION graphql.get_schema_version() RETURNS integer LANGUAGE sql SECURITY DEFINER AS $stand_in$
    SELECT last_value::integer FROM graphql.seq_schema_version
$stand_in$;
