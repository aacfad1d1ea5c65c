-- User objects that a rollback could not drop and make again with this role: it must own them,
-- directly or through a role whose rights it has (and, since 16, may SET ROLE to). Objects of the
-- bootstrap superuser are not in pg_shdepend, so the catalogs themselves are asked. The schema
-- public is never dropped. Members of extensions belong to their extension.
WITH objects AS (
    SELECT 'pg_catalog.pg_namespace'::regclass::oid AS classid, n.oid, n.nspowner AS owner
      FROM pg_catalog.pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass::oid, c.oid, c.relowner
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass::oid, p.oid, p.proowner
      FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass::oid, t.oid, t.typowner
      FROM pg_catalog.pg_type t
      JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     WHERE t.typtype IN ('b', 'd', 'e', 'r') AND t.typelem = 0
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'pg_catalog.pg_publication'::regclass::oid, p.oid, p.pubowner
      FROM pg_catalog.pg_publication p
    UNION ALL
    SELECT 'pg_catalog.pg_subscription'::regclass::oid, s.oid, s.subowner
      FROM pg_catalog.pg_subscription s
     WHERE s.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    UNION ALL
    SELECT 'pg_catalog.pg_foreign_server'::regclass::oid, f.oid, f.srvowner
      FROM pg_catalog.pg_foreign_server f
    UNION ALL
    SELECT 'pg_catalog.pg_largeobject'::regclass::oid, l.oid, l.lomowner
      FROM pg_catalog.pg_largeobject_metadata l
)
SELECT pg_catalog.pg_describe_object(o.classid, o.oid, 0) AS what,
       pg_catalog.pg_get_userbyid(o.owner) AS owner
  FROM objects o
  JOIN pg_catalog.pg_roles r ON r.rolname = current_user
 WHERE NOT r.rolsuper
   AND NOT (pg_catalog.pg_has_role(o.owner, 'USAGE')
            AND CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 160000
                     THEN pg_catalog.pg_has_role(o.owner, 'SET')
                     ELSE true END)
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
                    WHERE e.classid = o.classid AND e.objid = o.oid AND e.deptype = 'e')
 ORDER BY 1;
