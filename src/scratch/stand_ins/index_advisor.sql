-- Stands in for index_advisor 0.2: it never has anything to advise.

CREATE FUNCTION index_advisor(query text) RETURNS TABLE (startup_cost_before jsonb, startup_cost_after jsonb,
    total_cost_before jsonb, total_cost_after jsonb, index_statements text[], errors text[])
LANGUAGE sql VOLATILE AS $stand_in$
    SELECT '0'::jsonb, '0'::jsonb, '0'::jsonb, '0'::jsonb, ARRAY[]::text[], ARRAY[]::text[]
$stand_in$;
