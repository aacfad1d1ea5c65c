-- Tables of extensions that the extension does not call configuration: their rows are in no archive.
SELECT n.nspname AS schema, c.relname AS name, e.extname AS extension,
       has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
         AND NOT row_security_active(c.oid) AS readable
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
JOIN pg_catalog.pg_class c ON c.oid = d.objid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_extension'::regclass
  AND d.deptype = 'e' AND d.objsubid = 0 AND c.relkind = 'r'
  AND NOT c.oid = ANY (coalesce(e.extconfig, '{}'))
ORDER BY 1, 2;
