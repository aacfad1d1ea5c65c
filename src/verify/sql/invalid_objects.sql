-- Indexes that the server does not use, and constraints that were never checked against the rows.
-- A constraint that is NOT ENFORCED (18 and newer) is unchecked on purpose and not listed.
SELECT 'index' AS kind,
       pg_catalog.format('%s on %s', i.indexrelid::pg_catalog.regclass, i.indrelid::pg_catalog.regclass) AS name
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 -- One of a partitioned table is complete once all partitions have theirs; until then it is no failure of anything.
 WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND c.relkind = 'i'
   AND n.nspname !~ '^pg_'
UNION ALL
SELECT 'constraint',
       CASE WHEN k.conrelid <> 0
            THEN pg_catalog.format('%I on %s', k.conname, k.conrelid::pg_catalog.regclass)
            ELSE pg_catalog.format('%I on domain %s', k.conname, k.contypid::pg_catalog.regtype) END
  FROM pg_catalog.pg_constraint k
 WHERE NOT k.convalidated
   AND coalesce(pg_catalog.to_jsonb(k) ->> 'conenforced', 'true') = 'true'
 ORDER BY 1, 2;
