-- The part of identities.sql that rows depend on: which label a stored enumeration value shows, and which
-- table a qualified name means. Counts and hashes are made as there, so that the two compare.
WITH versions (catalog, oid, xmin) AS (
  SELECT 'pg_namespace', n.oid, n.xmin FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT 'pg_enum', e.oid, e.xmin FROM pg_catalog.pg_enum e
)
SELECT v.catalog, pg_catalog.count(*) AS rows,
       pg_catalog.sum(pg_catalog.hashint8extended((v.oid::pg_catalog.int8 << 31) # v.xmin::pg_catalog.text::pg_catalog.int8, 0))::pg_catalog.text AS hash
  FROM versions v WHERE v.xmin <> '1'::pg_catalog.xid GROUP BY v.catalog
UNION ALL
SELECT 'server', 1, ROW(pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()), d.oid)::pg_catalog.text
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
 ORDER BY 1;
