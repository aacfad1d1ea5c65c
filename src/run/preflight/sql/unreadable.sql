-- What the backup could not read with this role: schemas without USAGE, tables, materialized
-- views and sequences without SELECT. Members of extensions are not dumped and do not count.
WITH user_schemas AS (
    SELECT n.oid, n.nspname
      FROM pg_catalog.pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
                        WHERE e.classid = 'pg_catalog.pg_namespace'::regclass
                          AND e.objid = n.oid AND e.deptype = 'e')
)
SELECT pg_catalog.format('schema %I', s.nspname) AS what, 'USAGE' AS lacks,
       pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', s.nspname, current_user) AS cure
  FROM user_schemas s
 WHERE NOT pg_catalog.has_schema_privilege(s.oid, 'USAGE')
UNION ALL
SELECT pg_catalog.format('%s %I.%I',
                         CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'm' THEN 'materialized view'
                                        ELSE 'table' END,
                         s.nspname, c.relname),
       'SELECT',
       pg_catalog.format('GRANT SELECT ON %s%I.%I TO %I',
                         CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END,
                         s.nspname, c.relname, current_user)
  FROM pg_catalog.pg_class c
  JOIN user_schemas s ON s.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm', 'S')
   AND NOT CASE c.relkind WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                          ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_class'::regclass
                      AND e.objid = c.oid AND e.deptype = 'e')
 ORDER BY 1;
