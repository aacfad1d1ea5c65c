-- What row_definitions.sql asks, of the catalog that 15 brought (15 and later).
SELECT 'pg_publication_namespace' AS catalog, pg_catalog.count(*) AS rows,
       coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW(o.oid, o.xmin)::pg_catalog.text, 0)), 0)::pg_catalog.text AS hash
  FROM pg_catalog.pg_publication_namespace o
