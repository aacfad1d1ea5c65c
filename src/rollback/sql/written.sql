-- Rows that this transaction has written so far, by table, and whether the server counts at all.
SELECT pg_catalog.current_setting('track_counts') = 'on' AS counts,
       written.oid, written.inserted, written.updated, written.deleted
  FROM (VALUES (1)) AS always (one)
  LEFT JOIN (SELECT class.oid,
                    pg_catalog.pg_stat_get_xact_tuples_inserted(class.oid) AS inserted,
                    pg_catalog.pg_stat_get_xact_tuples_updated(class.oid) AS updated,
                    pg_catalog.pg_stat_get_xact_tuples_deleted(class.oid) AS deleted
               FROM pg_catalog.pg_class AS class
              WHERE class.relkind = 'r') AS written
    ON written.inserted + written.updated + written.deleted > 0;
