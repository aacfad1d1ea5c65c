-- What transaction ids can say here, asked inside a REPEATABLE READ transaction.
--   snapshot            the current snapshot
--   database_oid        of this database
--   in_recovery         a standby has no transaction ids of its own
--   recovered           this server replayed WAL since it was started: a crash or a promotion
--   wal_writer_seconds  age of the WAL writer, which starts anew after every recovery; null when
--                       the role may not see it
--   server_seconds      age of the server itself
--   server_time         the server's clock, seconds since 1970
SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text AS snapshot,
       (SELECT oid FROM pg_catalog.pg_database
         WHERE datname = pg_catalog.current_database()) AS database_oid,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       pg_catalog.pg_last_wal_replay_lsn() IS NOT NULL AS recovered,
       (SELECT pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp() - backend_start))::pg_catalog.int8
          FROM pg_catalog.pg_stat_activity
         WHERE backend_type = 'walwriter') AS wal_writer_seconds,
       pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp()
                                           - pg_catalog.pg_postmaster_start_time()))::pg_catalog.int8 AS server_seconds,
       pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp()))::pg_catalog.int8 AS server_time;
