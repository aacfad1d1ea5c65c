-- Sessions of this database that are likely to block the migration: a transaction or a snapshot
-- older than a minute, or a lock on a user table that even reading waits for.
SELECT a.pid, coalesce(a.usename, '?') AS role, coalesce(a.application_name, '') AS application,
       coalesce(pg_catalog.host(a.client_addr), 'local') AS client,
       coalesce(a.state, 'hidden') AS state,
       coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::bigint, 0)
           AS transaction_seconds,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks l
         WHERE l.pid = a.pid AND l.granted AND l.mode = 'AccessExclusiveLock'
           AND l.relation >= 16384) AS exclusive_locks
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database()
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND coalesce(a.application_name, '') NOT LIKE 'pgbelay %'
   AND (a.xact_start < pg_catalog.clock_timestamp() - interval '1 minute'
        OR EXISTS (SELECT 1 FROM pg_catalog.pg_locks l
                    WHERE l.pid = a.pid AND l.granted AND l.mode = 'AccessExclusiveLock'
                      AND l.relation >= 16384))
 ORDER BY transaction_seconds DESC;
