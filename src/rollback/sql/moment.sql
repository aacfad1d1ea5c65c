-- This moment as later commits are told from it, and when this life of the server began; times in microseconds since the epoch.
SELECT pg_catalog.pg_current_snapshot() AS snapshot,
       (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8 AS at,
       (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::pg_catalog.int8 AS began;
