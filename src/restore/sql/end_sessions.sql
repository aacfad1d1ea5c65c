-- Fragment: a list of server processes and `)` follow. Ends those that are sessions of ours in this
-- database and waits up to ten seconds for each; one row for each that was still there.
SELECT pg_catalog.pg_terminate_backend(pid, 10000) AS ended
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database()
   AND usename = current_user
   AND application_name LIKE 'pgbelay %'
   AND pid <> pg_catalog.pg_backend_pid()
   AND pid IN (
