-- When this life of the server began, microseconds since the epoch.
SELECT (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::pg_catalog.int8 AS began;
