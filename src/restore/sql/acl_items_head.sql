-- Fragment: an expression for an aclitem[], acl_items_tail.sql and the owner's name follow.
-- The items of an ACL, grantees quoted, with who granted each (raw) and who we are; the owner's own
-- grants first, then in the order of the ACL, so that whoever passes a right on has it already.
SELECT item.privilege_type AS privilege,
       item.is_grantable AS grantable,
       grantor.rolname AS grantor,
       current_user::pg_catalog.text AS own,
       CASE WHEN item.grantee = 0 THEN 'PUBLIC'
            ELSE pg_catalog.quote_ident(role.rolname) END AS grantee
  FROM pg_catalog.aclexplode(
