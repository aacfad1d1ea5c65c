-- What target_session_attrs asks about. Asked before anything is pinned, so every operator is named.
SELECT pg_catalog.pg_is_in_recovery() AS standby,
       pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on' AS read_only;
