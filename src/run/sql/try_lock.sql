-- Asks once for the run's advisory lock, without waiting. It shows in pg_locks as
-- locktype advisory, classid 1885823589 ('pgbe' in ASCII), objid = the database's OID, objsubid 2.
-- The OID goes into a signed integer, so large ones wrap.
SELECT pg_catalog.pg_try_advisory_lock(
           1885823589,
           (CASE WHEN oid::bigint > 2147483647 THEN oid::bigint - 4294967296
                 ELSE oid::bigint END)::integer) AS obtained
  FROM pg_catalog.pg_database
 WHERE datname = pg_catalog.current_database();
