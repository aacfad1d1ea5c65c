-- Who holds advisory locks of pgbelay's class, on which database (its OID is the key's second half), in whatever database
-- the session is. A role without pg_read_all_stats sees only the process and the application name of other roles' sessions.
SELECT l.pid,
       l.objid AS database_oid,
       a.application_name AS application,
       a.usename AS role,
       CASE WHEN a.client_addr IS NOT NULL THEN pg_catalog.host(a.client_addr)
            WHEN a.client_port = -1 THEN 'a local socket' END AS client,
       pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS since,
       l.pid = pg_catalog.pg_backend_pid() AS ours
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory'
   AND l.granted
   AND l.classid = 1885823589
   AND l.objsubid = 2
 ORDER BY l.pid;
