-- Row security policies; role 0 is PUBLIC.
SELECT p.oid,
       p.polname AS name,
       quote_ident(p.polname) AS quoted,
       p.polrelid AS relation,
       p.polcmd AS command,
       p.polpermissive AS permissive,
       (SELECT to_json(array_agg(coalesce(quote_ident(r.rolname), 'PUBLIC') ORDER BY r.rolname))
          FROM unnest(p.polroles) role(oid) LEFT JOIN pg_catalog.pg_roles r ON r.oid = role.oid) AS roles,
       EXISTS (SELECT FROM unnest(p.polroles) role(oid)
               WHERE role.oid <> 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = role.oid)) AS role_missing,
       -- Everything in one text, to see whether an extension's table has the policy already.
       concat_ws(' ', p.polcmd, p.polpermissive,
                 (SELECT string_agg(coalesce(quote_ident(r.rolname), 'PUBLIC'), ',' ORDER BY r.rolname)
                    FROM unnest(p.polroles) role(oid) LEFT JOIN pg_catalog.pg_roles r ON r.oid = role.oid),
                 'USING', pg_get_expr(p.polqual, p.polrelid), 'CHECK', pg_get_expr(p.polwithcheck, p.polrelid)) AS whole,
       pg_get_expr(p.polqual, p.polrelid) AS using_expression,
       pg_get_expr(p.polwithcheck, p.polrelid) AS check_expression
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
ORDER BY n.nspname, c.relname, p.polname;
