-- Whether the server counts for everybody, and how many other sessions of this database may have
-- committed what is not counted yet: an idle one reports after ten seconds at most. The caller's own
-- sessions write no rows of the user; it adds how they are called.
SELECT pg_catalog.current_setting('track_counts') = 'on'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting AS setting,
                                   pg_catalog.unnest(setting.setconfig) AS one (line)
                        WHERE one.line ~* '^track_counts=') AS counting,
       (SELECT pg_catalog.count(*)
          FROM pg_catalog.pg_stat_get_activity(NULL) AS other,
               pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS us
         WHERE other.datid = us.datid
           AND other.pid <> us.pid
           AND coalesce(other.backend_type, '') NOT IN ('autovacuum worker', 'parallel worker', 'walsender')
           AND NOT coalesce(other.state = 'idle'
                            AND other.state_change < pg_catalog.clock_timestamp() - interval '15 seconds', false)
           AND NOT coalesce(other.usesysid = us.usesysid
                            AND pg_catalog.starts_with(other.application_name, ours.called), false)) AS sessions
  FROM (SELECT
