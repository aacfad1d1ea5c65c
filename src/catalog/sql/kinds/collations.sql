-- Collations for this database's encoding. Versions are left out so that they are computed anew.
-- Columns as in kinds.rs: oid, schema, name, target, owner, quoted_owner, tie, create_text, aliases, problem.
SELECT c.oid, n.nspname AS schema, c.collname AS name,
       format('COLLATION %I.%I', n.nspname, c.collname) AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       format('CREATE COLLATION %I.%I (provider = %s%s%s%s);', n.nspname, c.collname,
              CASE c.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' WHEN 'd' THEN 'default' END,
              CASE WHEN NOT c.collisdeterministic THEN ', deterministic = false' ELSE '' END,
              CASE WHEN c.collprovider = 'c' AND c.collcollate = c.collctype THEN format(', locale = %L', c.collcollate)
                   WHEN c.collprovider = 'c' THEN format(', lc_collate = %L, lc_ctype = %L', c.collcollate, c.collctype)
                   WHEN c.collprovider = 'd' THEN ''
                   ELSE format(', locale = %L', coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate)) END,
              CASE WHEN to_jsonb(c) ->> 'collicurules' IS NULL THEN '' ELSE format(', rules = %L', to_jsonb(c) ->> 'collicurules') END) AS create_text
FROM pg_catalog.pg_collation c
JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.collowner
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.collprovider IN ('c', 'i', 'b', 'd')
  AND c.collencoding IN (-1, (SELECT d.encoding FROM pg_catalog.pg_database d WHERE d.datname = current_database()))
ORDER BY n.nspname, c.collname;
