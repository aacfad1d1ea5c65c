-- Before 15: who owns a fresh `public`, the bootstrap superuser (OID 10). Where this role may not give the
-- schema there, its owner stays, or this role when it has to make the schema: the archive's entries
-- about `public` start from either.
SELECT pg_catalog.pg_get_userbyid(
         CASE WHEN pg_catalog.pg_has_role(10::pg_catalog.oid, 'MEMBER') THEN 10::pg_catalog.oid
              ELSE coalesce((SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'),
                            (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user))
         END) AS owner;
