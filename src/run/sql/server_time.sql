-- The server's clock, and what identifies one life of the server.
SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint AS now,
       (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint AS postmaster;
