-- Fragment: the name of a database, as a literal, follows.
-- Who has privileges on that database now, quoted; PUBLIC among them.
SELECT DISTINCT CASE WHEN item.grantee = 0 THEN 'PUBLIC'
                     ELSE pg_catalog.quote_ident(role.rolname) END AS grantee
  FROM pg_catalog.pg_database AS database
 CROSS JOIN pg_catalog.aclexplode(
           coalesce(database.datacl, pg_catalog.acldefault('d', database.datdba))) AS item
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = item.grantee
 WHERE (item.grantee = 0 OR role.rolname IS NOT NULL)
   AND database.datname =
