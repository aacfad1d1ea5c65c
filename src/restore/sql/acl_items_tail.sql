-- Fragment: stands behind acl_items_head.sql.
       ) AS item
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = item.grantee
 WHERE item.grantee = 0 OR role.rolname IS NOT NULL
