-- Whether the server counts for everybody, and which other sessions of this database may have committed
-- what is not counted yet: an idle one reports after ten seconds at most. One row with no process if there
-- is none.
SELECT pg_catalog.current_setting('track_counts') = 'on'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting AS setting,
                                   pg_catalog.unnest(setting.setconfig) AS one (line)
                        WHERE one.line ~* '^track_counts=') AS counting,
       other.pid,
       coalesce(other.usesysid = us.usesysid, false) AS same_role,
       coalesce(other.application_name, '') AS application
  FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS us
  LEFT JOIN pg_catalog.pg_stat_get_activity(NULL) AS other
    ON other.datid = us.datid
   AND other.pid <> us.pid
   AND coalesce(other.backend_type, '') NOT IN ('autovacuum worker', 'parallel worker', 'walsender')
   AND NOT coalesce(other.state = 'idle'
                    AND other.state_change < pg_catalog.clock_timestamp() - interval '15 seconds', false);
