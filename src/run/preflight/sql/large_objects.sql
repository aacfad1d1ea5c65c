-- Large objects that this role may not read: not its own (or a role's it is a member of), and no
-- SELECT granted. lo_compat_privileges switches the server's own check off.
SELECT l.oid AS oid, pg_catalog.pg_get_userbyid(l.lomowner) AS owner
  FROM pg_catalog.pg_largeobject_metadata l
  JOIN pg_catalog.pg_roles r ON r.rolname = current_user
 WHERE NOT r.rolsuper
   AND NOT pg_catalog.current_setting('lo_compat_privileges')::boolean
   AND NOT pg_catalog.pg_has_role(l.lomowner, 'USAGE')
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(l.lomacl) a
                    WHERE a.privilege_type = 'SELECT'
                      AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))
 ORDER BY 1;
