-- Extensions with their control file's default version and comment. plpgsql comes by itself; its
-- OID is below 16384 unless somebody dropped it and made it again.
SELECT e.oid,
       e.extname AS name,
       quote_ident(e.extname) AS quoted,
       e.extversion AS version,
       quote_literal(e.extversion) AS quoted_version,
       n.nspname AS schema,
       quote_ident(n.nspname) AS quoted_schema,
       e.oid < 16384 OR (e.extname = 'plpgsql' AND n.nspname = 'pg_catalog' AND e.extversion = a.default_version) AS comes_by_itself,
       a.default_version,
       a.comment AS default_comment
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
LEFT JOIN pg_catalog.pg_available_extensions() a ON a.name = e.extname
ORDER BY e.extname;
