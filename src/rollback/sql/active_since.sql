-- Other sessions of this database, and when each was last seen at work, microseconds since the epoch by the server's
-- clock. Hidden ones do not say, nor do those with track_activities off. The server's own processes write no rows of users.
SELECT a.usesysid = us.usesysid AS same_role,
       coalesce(a.application_name, '') AS application,
       a.backend_type IS NULL OR coalesce(a.state, '') = 'disabled' AS hidden,
       (extract(epoch FROM greatest(a.xact_start, a.query_start, a.state_change)) * 1000000)::pg_catalog.int8 AS active
  FROM pg_catalog.pg_stat_get_activity(NULL) AS a,
       pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS us
 WHERE a.datid = us.datid
   AND a.pid <> us.pid
   AND a.usesysid IS NOT NULL
   AND coalesce(a.backend_type, '') NOT IN ('autovacuum worker', 'parallel worker', 'walsender');
