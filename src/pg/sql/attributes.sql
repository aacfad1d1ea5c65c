-- What target_session_attrs asks about. Asked before anything is pinned, so every operator is named. A
-- default of the database alone counts for nothing, because every session of ours lifts it: it may
-- be the fence of a run, and whoever takes that down has to get in.
SELECT pg_catalog.pg_is_in_recovery() AS standby,
       pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on'
       AND (pg_catalog.pg_is_in_recovery()
            OR (SELECT s.source OPERATOR(pg_catalog.<>) 'database'
                  FROM pg_catalog.pg_settings s
                 WHERE s.name OPERATOR(pg_catalog.=) 'default_transaction_read_only')) AS read_only;
