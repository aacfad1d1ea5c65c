-- Databases that are named as swaps name the failed one of this database.
SELECT d.datname AS name,
       pg_catalog.current_database() AS was
  FROM pg_catalog.pg_database d
 WHERE pg_catalog.starts_with(d.datname, pg_catalog.current_database()::text || '_failed_')
   AND pg_catalog.substr(d.datname::text, pg_catalog.length(pg_catalog.current_database()::text) + 9)
       ~ '^[0-9]{8}_[0-9]{6}$'
 ORDER BY d.datname;
