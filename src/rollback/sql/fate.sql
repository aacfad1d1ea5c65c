-- Fragment: what became of a transaction, whose id the caller adds. An id that this life of the server has not come to
-- yet was lost with an earlier one; pg_xact_status refuses to speak of those.
SELECT (SELECT oid FROM pg_catalog.pg_database
         WHERE datname = pg_catalog.current_database()) AS database_oid,
       pg_catalog.concat_ws(' ', extract(epoch FROM pg_catalog.pg_postmaster_start_time()),
                            pg_catalog.pg_last_wal_replay_lsn()) AS life,
       CASE WHEN asked.id >= pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()) THEN 'in progress'
            ELSE pg_catalog.pg_xact_status(asked.id) END AS status
  FROM (SELECT v.n::pg_catalog.text::pg_catalog.xid8 AS id FROM (VALUES (
