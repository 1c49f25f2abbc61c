-- Stands in for hypopg 1.4: no hypothetical index is ever made, so there is none to list.

CREATE FUNCTION hypopg(OUT indexname text, OUT indexrelid oid, OUT indrelid oid, OUT innatts integer,
    OUT indisunique boolean, OUT indkey int2vector, OUT indcollation oidvector,
    OUT indclass oidvector, OUT indoption oidvector,
    OUT indexprs pg_node_tree, OUT indpred pg_node_tree, OUT amid oid) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN; END';

CREATE FUNCTION hypopg_create_index(sql_order text, OUT indexrelid oid, OUT indexname text) RETURNS SETOF record
LANGUAGE plpgsql STRICT VOLATILE AS 'BEGIN RETURN; END';

CREATE FUNCTION hypopg_drop_index(indexid oid) RETURNS boolean LANGUAGE sql STRICT VOLATILE AS 'SELECT false';
CREATE FUNCTION hypopg_get_indexdef(indexid oid) RETURNS text LANGUAGE sql STRICT VOLATILE AS 'SELECT NULL::text';
CREATE FUNCTION hypopg_relation_size(indexid oid) RETURNS bigint LANGUAGE sql STRICT VOLATILE AS 'SELECT 0::bigint';
CREATE FUNCTION hypopg_hide_index(indexid oid) RETURNS boolean LANGUAGE sql STRICT VOLATILE AS 'SELECT false';
CREATE FUNCTION hypopg_unhide_index(indexid oid) RETURNS boolean LANGUAGE sql STRICT VOLATILE AS 'SELECT false';
CREATE FUNCTION hypopg_reset() RETURNS void LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN; END';
CREATE FUNCTION hypopg_reset_index() RETURNS void LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN; END';
CREATE FUNCTION hypopg_unhide_all_indexes() RETURNS void LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN; END';
CREATE FUNCTION hypopg_hidden_indexes() RETURNS TABLE (indexid oid)
LANGUAGE plpgsql STRICT VOLATILE AS 'BEGIN RETURN; END';

CREATE VIEW hypopg_list_indexes AS
    SELECT h.indexrelid, h.indexname AS index_name, n.nspname AS schema_name,
        coalesce(c.relname, '<dropped>') AS table_name, am.amname AS am_name
    FROM hypopg() h LEFT JOIN pg_class c ON c.oid = h.indrelid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_am am ON am.oid = h.amid;
