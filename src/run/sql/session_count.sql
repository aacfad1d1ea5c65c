-- How many client sessions this database has had (14+): a session that has ended is counted before
-- it leaves pg_stat_activity; a living one may be counted up to ten seconds late.
--   postmaster      when this life of the server began, microseconds
--   counting_since  a crash takes the counts away, and this moment is another one; a restart in peace keeps both
--   was_reset       whether somebody has set this database's counts back since they began (from 15 on)
SELECT coalesce(pg_catalog.max(d.sessions), 0) AS sessions,
       (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint AS postmaster,
       coalesce((SELECT b.stats_reset::pg_catalog.text FROM pg_catalog.pg_stat_bgwriter b), '') AS counting_since,
       coalesce(pg_catalog.bool_or(d.stats_reset IS NOT NULL), false) AS was_reset
  FROM pg_catalog.pg_stat_database d
 WHERE d.datname = pg_catalog.current_database();
