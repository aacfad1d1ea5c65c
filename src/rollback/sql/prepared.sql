-- Prepared transactions of this database: each may still commit.
SELECT gid, owner, prepared::pg_catalog.text AS prepared
  FROM pg_catalog.pg_prepared_xacts
 WHERE database = pg_catalog.current_database()
 ORDER BY prepared;
