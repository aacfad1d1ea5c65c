-- The id of this transaction, and what makes it one of a kind: the database, and the life of the server. A life ends with the
-- server's processes, also where they crash and are started again under the same postmaster: WAL is replayed then.
SELECT pg_catalog.pg_current_xact_id() AS transaction,
       (SELECT oid FROM pg_catalog.pg_database
         WHERE datname = pg_catalog.current_database()) AS database_oid,
       pg_catalog.concat_ws(' ', extract(epoch FROM pg_catalog.pg_postmaster_start_time()),
                            pg_catalog.pg_last_wal_replay_lsn()) AS life;
