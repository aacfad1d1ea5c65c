-- Half-finished work of somebody earlier: invalid indexes of a failed CREATE INDEX CONCURRENTLY
-- (a dump drops them silently, so a rollback could not bring them back), and partitions whose
-- DETACH CONCURRENTLY was interrupted. A partitioned table's own index may rightly be incomplete.
SELECT 'invalid-index' AS loss,
       pg_catalog.format('index %I.%I on %I', n.nspname, c.relname, t.relname) AS what,
       'it is invalid: a CREATE INDEX CONCURRENTLY failed or is still running' AS why,
       pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I or REINDEX INDEX CONCURRENTLY %1$I.%2$I',
                         n.nspname, c.relname) AS cure
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid AND c.relkind = 'i'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
UNION ALL
SELECT 'pending-detach',
       pg_catalog.format('partition %I.%I', n.nspname, c.relname),
       'its detaching from ' || h.inhparent::regclass::text || ' was interrupted',
       pg_catalog.format('ALTER TABLE %s DETACH PARTITION %I.%I FINALIZE',
                         h.inhparent::regclass, n.nspname, c.relname)
  FROM pg_catalog.pg_inherits h
  JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE h.inhdetachpending
 ORDER BY 2;
