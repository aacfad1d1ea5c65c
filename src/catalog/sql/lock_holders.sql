-- Who keeps a table from being read: holders of ACCESS EXCLUSIVE on a table of this database, and
-- those who wait for it, behind whom every later reader queues. A prepared transaction has no pid; it is
-- known by the lock on its own transaction id, which it holds besides.
WITH locks AS MATERIALIZED (
  SELECT * FROM pg_catalog.pg_locks
)
SELECT l.pid,
       a.application_name AS application,
       a.usename AS role,
       a.state,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                            - coalesce(a.xact_start, p.prepared))::pg_catalog.int8 AS seconds,
       pg_catalog.to_char(a.query_start, 'YYYY-MM-DD HH24:MI:SS TZ') AS query_start,
       pg_catalog."left"(a.query, 200) AS query,
       p.gid AS prepared,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation,
       l.granted
  FROM locks l
  JOIN pg_catalog.pg_class c ON c.oid = l.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  LEFT JOIN pg_catalog.pg_prepared_xacts p
         ON l.pid IS NULL
        AND EXISTS (SELECT FROM locks own
                     WHERE own.locktype = 'transactionid' AND own.pid IS NULL
                       AND own.virtualtransaction = l.virtualtransaction
                       AND own.transactionid = p.transaction)
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p')
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                      WHERE d.datname = pg_catalog.current_database())
 ORDER BY l.granted DESC, seconds DESC NULLS LAST, relation
 LIMIT 3;
