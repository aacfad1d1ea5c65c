-- One property of one relation at a time, and one relation more or less.
WITH relations AS (
    SELECT c.*, c.oid::regclass AS shown FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT format('%s %s', what, shown) AS what, change
FROM relations AS c CROSS JOIN LATERAL (VALUES
    ('fillfactor of', CASE WHEN relkind IN ('r', 'm') THEN format('ALTER TABLE %s SET (fillfactor = 33)', shown) END),
    ('toast option of', CASE WHEN relkind IN ('r', 'm') AND reltoastrelid <> 0 THEN format('ALTER TABLE %s SET (toast.vacuum_truncate = off)', shown) END),
    ('options of', CASE WHEN relkind = 'v' THEN format('ALTER VIEW %s %s', shown, CASE WHEN reloptions::text ~ 'security_barrier' THEN 'RESET (security_barrier)' ELSE 'SET (security_barrier)' END) END),
    ('replica identity of', CASE WHEN relkind IN ('r', 'p') THEN format('ALTER TABLE %s REPLICA IDENTITY %s', shown, CASE relreplident WHEN 'n' THEN 'FULL' ELSE 'NOTHING' END) END),
    ('row security of', CASE WHEN relkind IN ('r', 'p') THEN format('ALTER TABLE %s %s ROW LEVEL SECURITY', shown, CASE WHEN relrowsecurity THEN 'DISABLE' ELSE 'ENABLE' END) END),
    ('forced row security of', CASE WHEN relkind IN ('r', 'p') THEN format('ALTER TABLE %s %s ROW LEVEL SECURITY', shown, CASE WHEN relforcerowsecurity THEN 'NO FORCE' ELSE 'FORCE' END) END),
    ('persistence of', CASE WHEN relkind = 'r' AND NOT relispartition THEN format('UPDATE pg_catalog.pg_class SET relpersistence = %L WHERE oid = %s', CASE relpersistence WHEN 'u' THEN 'p' ELSE 'u' END, c.oid) END),
    ('name of', format('ALTER TABLE %s RENAME TO "renamed %s"', shown, c.oid)),
    ('schema of', CASE WHEN relkind <> 'p' THEN format('CREATE SCHEMA elsewhere; ALTER TABLE %s SET SCHEMA elsewhere', shown) END),
    ('populated state of', CASE WHEN relkind = 'm' THEN format('UPDATE pg_catalog.pg_class SET relispopulated = NOT relispopulated WHERE oid = %s', c.oid) END),
    ('a column more in', CASE WHEN relkind IN ('r', 'p', 'f') AND NOT relispartition AND reloftype = 0 THEN format('ALTER TABLE %s ADD COLUMN "one more" integer', shown) END),
    ('cluster mark of', CASE WHEN relkind = 'r' THEN (SELECT format('UPDATE pg_catalog.pg_index SET indisclustered = NOT indisclustered WHERE indexrelid = %s', min(indexrelid)) FROM pg_index WHERE indrelid = c.oid HAVING count(*) > 0) END),
    ('inherited table of', (SELECT format('ALTER TABLE %s NO INHERIT %s', shown, min(inhparent::regclass::text)) FROM pg_inherits WHERE inhrelid = c.oid AND NOT relispartition AND relkind = 'r' HAVING count(*) > 0)),
    ('partition detached:', CASE WHEN relispartition THEN (SELECT format('ALTER TABLE %s DETACH PARTITION %s', inhparent::regclass, shown) FROM pg_inherits WHERE inhrelid = c.oid) END),
    ('dropped:', format('DROP %s %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, shown))
) AS changes(what, change)
WHERE change IS NOT NULL
UNION ALL SELECT 'a table more', 'CREATE TABLE public."one more" (a integer)'
UNION ALL SELECT 'a view more', 'CREATE VIEW public."one more" AS SELECT 1 AS one'
UNION ALL SELECT 'a sequence more', 'CREATE SEQUENCE public."one more"'
UNION ALL SELECT 'a function more', 'CREATE FUNCTION public."one more"() RETURNS integer LANGUAGE sql AS ''SELECT 1'''
UNION ALL SELECT 'a type more', 'CREATE TYPE public."one more" AS ENUM ()'
UNION ALL SELECT 'a schema more', 'CREATE SCHEMA "one more"'
UNION ALL SELECT 'a large object more', 'SELECT lo_create(424242)'
UNION ALL SELECT 'a publication more', 'CREATE PUBLICATION "one more"'
UNION ALL SELECT 'a cast more', 'CREATE CAST (date AS bit) WITH INOUT'
UNION ALL SELECT 'default privileges more', 'ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO pg_monitor'
UNION ALL SELECT 'no schema public any more', 'DROP SCHEMA public CASCADE'
ORDER BY 1;
