-- Other sessions of this database whose last statement changes definitions, newest first.
SELECT a.pid, a.application_name AS application, a.usename AS role, pg_catalog."left"(a.query, 120) AS query
  FROM pg_catalog.pg_stat_activity a
 WHERE a.datname = pg_catalog.current_database()
   AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.query ~* '^\s*(create|alter|drop|grant|revoke|comment|security|refresh|reindex|cluster|truncate|do|begin|commit)\M'
 ORDER BY a.query_start DESC
 LIMIT 3;
