-- Tables that this transaction has written rows of so far, and whether the server counts at all.
SELECT pg_catalog.current_setting('track_counts') = 'on' AS counts,
       written.oid
  FROM (VALUES (1)) AS always (one)
  LEFT JOIN (SELECT class.oid
               FROM pg_catalog.pg_class AS class
              WHERE class.relkind = 'r'
                AND pg_catalog.pg_stat_get_xact_tuples_inserted(class.oid)
                  + pg_catalog.pg_stat_get_xact_tuples_updated(class.oid)
                  + pg_catalog.pg_stat_get_xact_tuples_deleted(class.oid) > 0) AS written ON true;
