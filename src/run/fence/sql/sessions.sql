-- The client sessions of this database but the asking one: those that a fence ends. Left alone are
-- the server's own processes, replication, parallel workers and background workers; where this role
-- may not see what kind a process is, replication is known by the views that everybody may read.
-- Times are microseconds since the epoch, by the server's clock; null where hidden.
SELECT a.pid,
       pg_catalog.pg_get_userbyid(a.usesysid) AS role,
       coalesce(a.application_name, '') AS application,
       coalesce(pg_catalog.host(a.client_addr), 'local') AS client,
       coalesce(a.state, 'hidden') AS state,
       (extract(epoch FROM a.backend_start) * 1000000)::bigint AS started,
       coalesce(theirs.rolsuper, false) AS of_superuser,
       ours.rolsuper
       OR (NOT coalesce(theirs.rolsuper, false)
           AND (pg_catalog.pg_has_role(ours.oid, a.usesysid, 'USAGE')
                OR pg_catalog.pg_has_role(ours.oid, 'pg_signal_backend', 'USAGE'))) AS may_end
  FROM pg_catalog.pg_stat_get_activity(NULL) a
  JOIN pg_catalog.pg_database d ON d.oid = a.datid
  JOIN pg_catalog.pg_roles ours ON ours.rolname = CURRENT_USER
  LEFT JOIN pg_catalog.pg_roles theirs ON theirs.oid = a.usesysid
 WHERE d.datname = pg_catalog.current_database()
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.usesysid IS NOT NULL
   AND (a.backend_type = 'client backend'
        OR a.backend_type IS NULL
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_get_subscription(NULL) s WHERE s.pid = a.pid)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_get_wal_senders() w WHERE w.pid = a.pid))
 ORDER BY a.pid;
