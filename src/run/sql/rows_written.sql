-- The moment, and what the server has counted as written to the tables of this database until then, as one hash. Counts
-- are reset together, and are gone after a crash: when that was goes into the hash, too. Materialized views are not
-- looked at: whoever refreshes one has written nothing.
SELECT pg_catalog.pg_current_snapshot() AS snapshot,
       (SELECT pg_catalog.hashtextextended(pg_catalog.concat_ws('/',
                 pg_catalog.pg_postmaster_start_time(),
                 pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
                 (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(':', c.oid,
                           pg_catalog.pg_stat_get_tuples_inserted(c.oid),
                           pg_catalog.pg_stat_get_tuples_updated(c.oid),
                           pg_catalog.pg_stat_get_tuples_deleted(c.oid)), ',' ORDER BY c.oid)
                    FROM pg_catalog.pg_class c
                    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind = 'r' AND c.relpersistence <> 't'
                     AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')), 0)
          FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) AS written;
