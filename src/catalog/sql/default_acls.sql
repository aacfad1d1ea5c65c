-- ALTER DEFAULT PRIVILEGES (spec section 1.3 DEFAULT ACL): global rows compare with the built-in default,
-- rows of one schema with nothing.
SELECT d.oid,
       r.rolname AS role,
       quote_ident(r.rolname) AS quoted_role,
       n.nspname AS schema,
       quote_ident(n.nspname) AS quoted_schema,
       d.defaclobjtype AS object_type,
       (SELECT to_json(array_agg(json_build_object(
                   'grantee', CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(ge.rolname) END,
                   'grantor', quote_ident(gr.rolname),
                   'privilege', x.privilege_type, 'grantable', x.is_grantable) ORDER BY x.place))
          FROM aclexplode(d.defaclacl) WITH ORDINALITY x(grantor, grantee, privilege_type, is_grantable, place)
          LEFT JOIN pg_catalog.pg_roles gr ON gr.oid = x.grantor
          LEFT JOIN pg_catalog.pg_roles ge ON ge.oid = x.grantee) AS items,
       (SELECT to_json(array_agg(json_build_object(
                   'grantee', CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(ge.rolname) END,
                   'grantor', quote_ident(gr.rolname),
                   'privilege', x.privilege_type, 'grantable', x.is_grantable) ORDER BY x.place))
          FROM aclexplode(CASE WHEN d.defaclnamespace = 0
                               THEN acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END::"char", d.defaclrole)
                               END) WITH ORDINALITY x(grantor, grantee, privilege_type, is_grantable, place)
          LEFT JOIN pg_catalog.pg_roles gr ON gr.oid = x.grantor
          LEFT JOIN pg_catalog.pg_roles ge ON ge.oid = x.grantee) AS base_items,
       (SELECT to_json(array_agg(DISTINCT x.privilege_type))
          FROM aclexplode(acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END::"char", d.defaclrole)) x
         WHERE x.grantee = d.defaclrole) AS all_privileges
FROM pg_catalog.pg_default_acl d
LEFT JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
ORDER BY r.rolname, n.nspname, d.defaclobjtype;
