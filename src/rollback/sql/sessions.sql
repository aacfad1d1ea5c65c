-- Other sessions of this database, and whether each has an open transaction that has written:
-- it holds a transaction id, or more than a read lock on a relation of this database.
-- Locks are visible to every role, other sessions' states are not.
SELECT activity.pid,
       coalesce(activity.usename, '')::pg_catalog.text AS role,
       coalesce(activity.application_name, '') AS application,
       EXISTS (SELECT FROM pg_catalog.pg_locks AS lock
                WHERE lock.pid = activity.pid
                  AND lock.granted
                  AND (lock.locktype = 'transactionid' AND lock.mode = 'ExclusiveLock'
                       OR lock.locktype = 'relation'
                          AND lock.database = activity.datid
                          AND lock.mode NOT IN ('AccessShareLock', 'RowShareLock'))) AS writing
  FROM pg_catalog.pg_stat_activity AS activity
 WHERE activity.datname = pg_catalog.current_database()
   AND activity.pid <> pg_catalog.pg_backend_pid()
   AND activity.usename IS NOT NULL
 ORDER BY activity.pid;
