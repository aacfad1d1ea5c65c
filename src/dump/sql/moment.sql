-- When a backup's snapshot was taken: what it sees, and the server's clock in seconds since 1970.
SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text AS snapshot,
       pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp()))::pg_catalog.int8 AS server_time;
