-- Other sessions of this database, and whether each has an open transaction that has written:
-- it has a transaction id. A lock alone says only that it may be about to write: a statement that
-- is refused because its transaction is read only (behind the fence) holds one for a moment, too.
-- Transaction ids are visible to every role, other sessions' states are not.
SELECT activity.pid,
       coalesce(activity.usename, '')::pg_catalog.text AS role,
       coalesce(activity.application_name, '') AS application,
       activity.backend_xid IS NOT NULL AS writing
  FROM pg_catalog.pg_stat_activity AS activity
 WHERE activity.datname = pg_catalog.current_database()
   AND activity.pid <> pg_catalog.pg_backend_pid()
   AND activity.usename IS NOT NULL
 ORDER BY activity.pid;
