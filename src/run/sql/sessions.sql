-- The sessions of this database that can write, but ours; asked many times while the migration
-- runs, so it must stay cheap, and it reads no catalog, so it locks none (P7). Times are
-- microseconds since the epoch, by the server's clock. A role without pg_read_all_stats gets nulls
-- for what other roles' sessions do, and nobody is told where track_activities is off: `hidden`. `running`: since when a transaction or a statement is at work, 0 where one is and
-- nobody says since when. Processes without a role are the server's own
-- (autovacuum).
SELECT a.pid,
       pg_catalog.pg_get_userbyid(a.usesysid) AS role,
       a.usesysid = us.usesysid AS same_role,
       coalesce(a.application_name, '') AS application,
       coalesce(pg_catalog.host(a.client_addr), 'local') AS client,
       a.backend_type IS NULL OR coalesce(a.state, '') = 'disabled' AS hidden,
       coalesce(a.backend_type, 'client backend') <> 'client backend' AS background,
       (extract(epoch FROM a.backend_start) * 1000000)::bigint AS started,
       (extract(epoch FROM greatest(a.xact_start, a.query_start, a.state_change)) * 1000000)::bigint
           AS active,
       pg_catalog.to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
           AS last_statement,
       a.backend_xid IS NOT NULL AS writing,
       CASE WHEN coalesce(a.state, 'disabled') <> 'disabled'
            THEN (extract(epoch FROM least(a.xact_start, CASE WHEN a.state <> 'idle' THEN a.query_start END)) * 1000000)::bigint
            WHEN a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL THEN 0::bigint
       END AS running
  FROM pg_catalog.pg_stat_get_activity(NULL) a,
       pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) us
 WHERE a.datid = us.datid
   AND a.pid <> us.pid
   AND a.usesysid IS NOT NULL
   AND coalesce(a.backend_type, '') NOT IN ('parallel worker', 'walsender');
