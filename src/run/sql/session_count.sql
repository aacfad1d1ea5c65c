-- How many client sessions this database has had (14+): a session that has ended is counted before
-- it leaves pg_stat_activity; a living one may be counted up to ten seconds late.
SELECT coalesce(pg_catalog.max(d.sessions), 0) AS sessions
  FROM pg_catalog.pg_stat_database d
 WHERE d.datname = pg_catalog.current_database();
