-- Tables shaped like Alembic's version table: one column, version_num, of a character type.
-- Alembic's own is varchar(32); people widen it. Members of extensions do not count.
-- place: our own search_path is empty, so the one that sessions of this role begin with is asked for.
SELECT n.nspname AS schema, c.relname AS name,
       (SELECT pg_catalog.min(path.place)::integer
          FROM (SELECT parts.place, CASE WHEN named = '$user' THEN current_user::text ELSE named END AS schema
                  FROM pg_catalog.pg_settings s,
                       LATERAL (SELECT place, CASE WHEN pg_catalog.btrim(one, E' \t\n\r') LIKE '"%'
                              THEN pg_catalog.replace(pg_catalog.btrim(pg_catalog.btrim(one, E' \t\n\r'), '"'), '""', '"')
                              ELSE pg_catalog.lower(pg_catalog.btrim(one, E' \t\n\r')) END AS named
                                  FROM pg_catalog.unnest(pg_catalog.string_to_array(s.reset_val, ','))
                                       WITH ORDINALITY split (one, place)) parts
                 WHERE s.name = 'search_path') path
         WHERE path.schema = n.nspname) AS place
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
   -- What this role may not read is named by preflight and refuses a backup.
   AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
   AND NOT row_security_active(c.oid)
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) = 1
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                  AND a.attname = 'version_num'
                  AND a.atttypid IN ('pg_catalog.varchar'::regtype, 'pg_catalog.text'::regtype))
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_class'::regclass
                      AND e.objid = c.oid AND e.deptype = 'e')
 ORDER BY n.nspname, c.relname;
