-- Fragment: an expression for an aclitem[] and acl_items_tail.sql follow.
-- The items of an ACL, grantees quoted; those of roles that do not exist are left out.
SELECT item.privilege_type AS privilege,
       item.is_grantable AS grantable,
       CASE WHEN item.grantee = 0 THEN 'PUBLIC'
            ELSE pg_catalog.quote_ident(role.rolname) END AS grantee
  FROM pg_catalog.aclexplode(
