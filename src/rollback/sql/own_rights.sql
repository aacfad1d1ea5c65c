-- Tables on which the role lacks a right that it may give itself, because it may act as their owner: owners take rights
-- from themselves (a log that only grows). A rollback locks, reads, empties and fills tables.
SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
   AND NOT (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT')
            AND pg_catalog.has_table_privilege(c.oid, 'UPDATE') AND pg_catalog.has_table_privilege(c.oid, 'DELETE')
            AND pg_catalog.has_table_privilege(c.oid, 'TRUNCATE'));
