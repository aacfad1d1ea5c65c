-- User objects that only a superuser can make again, for a role that is none: functions in
-- languages that are not trusted, or marked leakproof.
SELECT pg_catalog.pg_describe_object('pg_catalog.pg_proc'::regclass, p.oid, 0) AS what,
       CASE WHEN p.proleakproof THEN 'it is leakproof'
            ELSE 'its language ' || l.lanname || ' is not trusted' END AS why
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_roles r ON r.rolname = current_user
 WHERE NOT r.rolsuper
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND (p.proleakproof OR NOT l.lanpltrusted) AND l.lanname <> 'sql'
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_proc'::regclass
                      AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
 ORDER BY 1;
