-- What the server itself says about references between its catalogs, for the check that each leads
-- somewhere. Left out: catalogs of the whole cluster, statistics, large objects' pages
-- (orphan_pages.sql), what this role may not read, and roles, whose absence each kind of object
-- tells by itself. "named" is the column that names a row, where there is one.
SELECT k.fktable::regclass::text AS from_catalog,
       array_to_string(k.fkcols, ',') AS from_columns,
       k.pktable::regclass::text AS to_catalog,
       array_to_string(k.pkcols, ',') AS to_columns,
       k.is_array,
       k.is_opt,
       (SELECT a.attname FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = k.fktable AND a.atttypid = 'pg_catalog.name'::regtype AND a.attnum > 0
         ORDER BY a.attnum LIMIT 1) AS named
FROM pg_get_catalog_foreign_keys() k
JOIN pg_catalog.pg_class f ON f.oid = k.fktable
WHERE NOT f.relisshared
  AND f.relname NOT IN ('pg_statistic', 'pg_statistic_ext_data', 'pg_largeobject')
  AND has_table_privilege(k.fktable, 'SELECT')
  AND k.pktable <> 'pg_catalog.pg_authid'::regclass
  AND has_table_privilege(k.pktable, 'SELECT')
ORDER BY 1, 2, 3;
