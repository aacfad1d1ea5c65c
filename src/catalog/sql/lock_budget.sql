-- Room in the server's table of locks, in locks (spec section 3.10). The server sizes it by all processes
-- that it may start, not by max_connections alone; locks on the fast path are not in it.
-- Our own are counted by the caller.
SELECT pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8 AS per_transaction,
       (SELECT pg_catalog.sum(s.setting::pg_catalog.int8)
          FROM pg_catalog.pg_settings s
         WHERE s.name IN ('max_connections', 'max_prepared_transactions', 'max_worker_processes',
                          'max_wal_senders', 'autovacuum_worker_slots')
            OR (s.name = 'autovacuum_max_workers'
                AND pg_catalog.current_setting('autovacuum_worker_slots', true) IS NULL)) AS processes,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks l
         WHERE NOT l.fastpath AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()) AS used;
