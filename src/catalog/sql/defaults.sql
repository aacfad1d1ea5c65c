-- Default and generation expressions.
SELECT d.oid, d.adrelid AS relation, d.adnum AS number, pg_get_expr(d.adbin, d.adrelid) AS expression
FROM pg_catalog.pg_attrdef d
JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
ORDER BY d.adrelid, d.adnum;
