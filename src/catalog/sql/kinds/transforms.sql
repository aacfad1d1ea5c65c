-- Transforms between a type and a procedural language.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT t.oid, NULL AS schema,
       format('%s %s', format_type(t.trftype, NULL), l.lanname) AS name,
       format('TRANSFORM FOR %s LANGUAGE %I', format_type(t.trftype, NULL), l.lanname) AS target,
       format('CREATE TRANSFORM FOR %s LANGUAGE %I (%s);', format_type(t.trftype, NULL), l.lanname,
              concat_ws(', ', CASE WHEN t.trffromsql <> 0 THEN format('FROM SQL WITH FUNCTION %s', t.trffromsql::regprocedure) END,
                              CASE WHEN t.trftosql <> 0 THEN format('TO SQL WITH FUNCTION %s', t.trftosql::regprocedure) END)) AS create_text
FROM pg_catalog.pg_transform t
JOIN pg_catalog.pg_language l ON l.oid = t.trflang
ORDER BY 3;
