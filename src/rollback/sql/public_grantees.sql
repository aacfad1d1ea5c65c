-- Who has privileges on the schema public, quoted; PUBLIC among them.
SELECT DISTINCT CASE WHEN item.grantee = 0 THEN 'PUBLIC'
                     ELSE pg_catalog.quote_ident(role.rolname) END AS grantee
  FROM pg_catalog.pg_namespace AS namespace
 CROSS JOIN pg_catalog.aclexplode(namespace.nspacl) AS item
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = item.grantee
 WHERE namespace.nspname = 'public'
   AND (item.grantee = 0 OR role.rolname IS NOT NULL);
