-- Extensions that the user installed (plpgsql has an OID below 16384), their control file's
-- default version and comment.
SELECT e.oid,
       e.extname AS name,
       quote_ident(e.extname) AS quoted,
       e.extversion AS version,
       quote_literal(e.extversion) AS quoted_version,
       n.nspname AS schema,
       quote_ident(n.nspname) AS quoted_schema,
       a.default_version,
       a.comment AS default_comment
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
LEFT JOIN pg_catalog.pg_available_extensions() a ON a.name = e.extname
WHERE e.oid >= 16384
ORDER BY e.extname;
