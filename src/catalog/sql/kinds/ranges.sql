-- Range types; their multirange and its constructors come along.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, alias_target, problem.
SELECT t.oid, n.nspname AS schema, t.typname AS name,
       format('TYPE %I.%I', n.nspname, t.typname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE TYPE %I.%I AS RANGE (%s);', n.nspname, t.typname,
              concat_ws(', ',
                  format('subtype = %s', format_type(g.rngsubtype, NULL)),
                  format('multirange_type_name = %s', format_type(g.rngmultitypid, NULL)),
                  CASE WHEN NOT c.opcdefault THEN format('subtype_opclass = %I.%I', cn.nspname, c.opcname) END,
                  CASE WHEN g.rngcollation <> 0 AND g.rngcollation <> st.typcollation
                       THEN (SELECT format('collation = %I.%I', ln.nspname, l.collname) FROM pg_catalog.pg_collation l
                             JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace WHERE l.oid = g.rngcollation) END,
                  CASE WHEN g.rngcanonical <> 0 THEN format('canonical = %s', g.rngcanonical::regproc) END,
                  CASE WHEN g.rngsubdiff <> 0 THEN format('subtype_diff = %s', g.rngsubdiff::regproc) END)) AS create_text,
       format('CREATE TYPE %I.%I;', n.nspname, t.typname) AS shell_text,
       to_json(ARRAY[format('1247:%s', g.rngmultitypid)]) AS aliases,
       format('TYPE %s', format_type(g.rngmultitypid, NULL)) AS alias_target
FROM pg_catalog.pg_range g
JOIN pg_catalog.pg_type t ON t.oid = g.rngtypid
JOIN pg_catalog.pg_type st ON st.oid = g.rngsubtype
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_opclass c ON c.oid = g.rngsubopc
JOIN pg_catalog.pg_namespace cn ON cn.oid = c.opcnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = t.typowner
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, t.typname;
