-- Base types, and shells that were never completed.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT t.oid, n.nspname AS schema, t.typname AS name,
       format('TYPE %I.%I', n.nspname, t.typname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       CASE WHEN NOT t.typisdefined THEN format('CREATE TYPE %I.%I;', n.nspname, t.typname)
            ELSE format('CREATE TYPE %I.%I (%s);', n.nspname, t.typname, concat_ws(', ',
                format('INTERNALLENGTH = %s', CASE WHEN t.typlen = -1 THEN 'variable' ELSE t.typlen::text END),
                format('INPUT = %s', t.typinput), format('OUTPUT = %s', t.typoutput),
                CASE WHEN t.typreceive <> 0 THEN format('RECEIVE = %s', t.typreceive) END,
                CASE WHEN t.typsend <> 0 THEN format('SEND = %s', t.typsend) END,
                CASE WHEN t.typmodin <> 0 THEN format('TYPMOD_IN = %s', t.typmodin) END,
                CASE WHEN t.typmodout <> 0 THEN format('TYPMOD_OUT = %s', t.typmodout) END,
                CASE WHEN t.typanalyze <> 0 THEN format('ANALYZE = %s', t.typanalyze) END,
                CASE WHEN t.typsubscript <> 0 THEN format('SUBSCRIPT = %s', t.typsubscript) END,
                CASE WHEN t.typcollation <> 0 THEN 'COLLATABLE = true' END,
                CASE WHEN t.typdefault IS NOT NULL
                     THEN format('DEFAULT = %s', coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault))) END,
                CASE WHEN t.typelem <> 0 THEN format('ELEMENT = %s', format_type(t.typelem, NULL)) END,
                CASE WHEN t.typcategory <> 'U' THEN format('CATEGORY = %L', t.typcategory) END,
                CASE WHEN t.typispreferred THEN 'PREFERRED = true' END,
                CASE WHEN t.typdelim <> ',' THEN format('DELIMITER = %L', t.typdelim) END,
                CASE t.typalign WHEN 'c' THEN 'ALIGNMENT = char' WHEN 's' THEN 'ALIGNMENT = int2'
                                WHEN 'i' THEN 'ALIGNMENT = int4' WHEN 'd' THEN 'ALIGNMENT = double' END,
                CASE t.typstorage WHEN 'p' THEN 'STORAGE = plain' WHEN 'e' THEN 'STORAGE = external'
                                  WHEN 'x' THEN 'STORAGE = extended' WHEN 'm' THEN 'STORAGE = main' END,
                CASE WHEN t.typbyval THEN 'PASSEDBYVALUE' END)) END AS create_text,
       CASE WHEN t.typisdefined THEN format('CREATE TYPE %I.%I;', n.nspname, t.typname) END AS shell_text,
       CASE WHEN t.typisdefined THEN format('DROP TYPE %I.%I CASCADE;', n.nspname, t.typname) END AS drop_text
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = t.typowner
WHERE (t.typtype = 'b' OR (t.typtype = 'p' AND NOT t.typisdefined))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, t.typname;
