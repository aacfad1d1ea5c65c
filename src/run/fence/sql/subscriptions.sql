-- Subscriptions whose rows arrive in this database whatever its settings are.
SELECT s.subname AS name,
       pg_catalog.format('ALTER SUBSCRIPTION %I DISABLE', s.subname) AS cure
  FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
 WHERE d.datname = pg_catalog.current_database()
   AND s.subenabled
 ORDER BY s.subname;
