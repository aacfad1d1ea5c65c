-- Processes that are being let into this database: from before they read their settings until they
-- show up among the sessions, each holds this lock.
SELECT l.pid
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_database d ON d.oid = l.objid
 WHERE d.datname = pg_catalog.current_database()
   AND l.locktype = 'object'
   AND l.database = 0
   AND l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass
   AND l.mode = 'RowExclusiveLock'
   AND l.granted;
