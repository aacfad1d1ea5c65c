-- A moment by which commits and sessions after it are told; it stands before each look at the sessions and reads no catalog.
-- sessions: how many this database has had; before 15 that is read from a file, which is too much for so many looks.
SELECT pg_catalog.pg_current_snapshot() AS snapshot,
       (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint AS postmaster,
       CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 150000
            THEN pg_catalog.pg_stat_get_db_sessions(us.datid) END AS sessions
  FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) us;
