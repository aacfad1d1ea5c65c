-- Functions, procedures and window functions of user schemas. Constructors of range types
-- (deptype i) belong to their type; aggregates have their own query.
SELECT p.oid,
       n.nspname AS schema,
       p.proname AS name,
       format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS signature,
       r.rolname AS owner,
       quote_ident(r.rolname) AS quoted_owner,
       p.prokind AS kind,
       pg_get_functiondef(p.oid) AS definition,
       p.pronargs AS arguments,
       -- Recorded only where the server has read the body already (SQL-standard bodies).
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
                  AND d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = p.oid) AS calls_itself,
       (SELECT to_json(array_agg(format_type(a.type, NULL) ORDER BY a.place))
          FROM unnest(p.proargtypes) WITH ORDINALITY a(type, place)) AS argument_types
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
WHERE p.prokind IN ('f', 'p', 'w')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('i', 'e'))
ORDER BY n.nspname, p.proname, p.pronargs, pg_get_function_identity_arguments(p.oid);
