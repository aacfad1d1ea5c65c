-- Fragment: stands behind acl_items_head.sql.
       ) WITH ORDINALITY AS item (grantor, grantee, privilege_type, is_grantable, place)
  LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = item.grantee
  LEFT JOIN pg_catalog.pg_roles AS grantor ON grantor.oid = item.grantor
 WHERE item.grantee = 0 OR role.rolname IS NOT NULL
 ORDER BY (grantor.rolname = 