-- Transactions prepared in this database: they hold locks, and may commit at any time.
SELECT p.gid, p.owner,
       pg_catalog.to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') AS since
  FROM pg_catalog.pg_prepared_xacts p
 WHERE p.database = pg_catalog.current_database()
 ORDER BY p.prepared;
