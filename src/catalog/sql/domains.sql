-- Domains with their base type, collation, default and NOT NULL.
SELECT t.oid,
       n.nspname AS schema,
       t.typname AS name,
       format('%I.%I', n.nspname, t.typname) AS quoted,
       r.rolname AS owner,
       quote_ident(r.rolname) AS quoted_owner,
       format_type(t.typbasetype, t.typtypmod) AS base,
       t.typnotnull AS not_null,
       CASE WHEN t.typcollation <> b.typcollation
            THEN format('%I.%I', cn.nspname, co.collname) END AS collation,
       coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)) AS default_value
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_roles r ON r.oid = t.typowner
LEFT JOIN pg_catalog.pg_collation co ON co.oid = t.typcollation
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
WHERE t.typtype = 'd' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, t.typname;
