-- Relations that a backup locks (tables and their partitions), and that a rollback that rebuilds
-- everything locks in one transaction (all kinds).
SELECT pg_catalog.count(*) FILTER (WHERE c.relkind IN ('r', 'p')) AS tables,
       pg_catalog.count(*) AS relations
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid >= 16384 AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';
