-- Stands in for plpgsql_check 2.7: it never finds anything. Of the functions' many options only those that are often
-- given are there.

CREATE FUNCTION plpgsql_check_function(funcoid regprocedure, relid regclass DEFAULT 0, format text DEFAULT 'text',
    fatal_errors boolean DEFAULT true, other_warnings boolean DEFAULT true, performance_warnings boolean DEFAULT false,
    extra_warnings boolean DEFAULT true, security_warnings boolean DEFAULT false,
    compatibility_warnings boolean DEFAULT false) RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN; END';

CREATE FUNCTION plpgsql_check_function(name text, relid regclass DEFAULT 0, format text DEFAULT 'text',
    fatal_errors boolean DEFAULT true, other_warnings boolean DEFAULT true, performance_warnings boolean DEFAULT false,
    extra_warnings boolean DEFAULT true, security_warnings boolean DEFAULT false,
    compatibility_warnings boolean DEFAULT false) RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN; END';

CREATE FUNCTION plpgsql_check_function_tb(funcoid regprocedure, relid regclass DEFAULT 0,
    fatal_errors boolean DEFAULT true, other_warnings boolean DEFAULT true, performance_warnings boolean DEFAULT false,
    extra_warnings boolean DEFAULT true, security_warnings boolean DEFAULT false,
    compatibility_warnings boolean DEFAULT false)
RETURNS TABLE (functionid regproc, lineno integer, statement text, sqlstate text, message text, detail text, hint text,
    level text, "position" integer, query text, context text) LANGUAGE plpgsql AS 'BEGIN RETURN; END';
