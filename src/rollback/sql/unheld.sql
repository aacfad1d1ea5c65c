-- Tables of extensions whose rows are the user's and that this session has not locked against writers.
SELECT DISTINCT pg_catalog.format('%I.%I', namespace.nspname, class.relname) AS quoted
  FROM pg_catalog.pg_extension AS extension
 CROSS JOIN LATERAL pg_catalog.unnest(extension.extconfig) AS configuration (relation)
  JOIN pg_catalog.pg_class AS class ON class.oid = configuration.relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace
 WHERE class.relkind = 'r'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks AS lock
                    WHERE lock.locktype = 'relation'
                      AND lock.pid = pg_catalog.pg_backend_pid()
                      AND lock.relation = class.oid
                      AND lock.granted
                      AND lock.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
 ORDER BY quoted;
