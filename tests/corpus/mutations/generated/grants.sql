-- A grant more on every object that has rights, a grant option more, and every access list emptied.
WITH mine AS (
    SELECT oid AS namespace FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), objects(class, object, privilege, target, acl) AS (
    SELECT 'pg_class'::regclass, c.oid, CASE relkind WHEN 'S' THEN 'SELECT' ELSE 'TRIGGER' END,
           format('%s %s', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass), relacl
    FROM pg_class c WHERE relnamespace IN (SELECT namespace FROM mine) AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, 'EXECUTE', format('%s %s', CASE prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure), proacl
    FROM pg_proc p WHERE pronamespace IN (SELECT namespace FROM mine)
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL SELECT 'pg_type'::regclass, t.oid, 'USAGE', format('TYPE %s', t.oid::regtype), typacl
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid WHERE typnamespace IN (SELECT namespace FROM mine) AND (typtype IN ('d', 'e', 'r') OR c.relkind = 'c')
    UNION ALL SELECT 'pg_namespace'::regclass, n.oid, 'CREATE', format('SCHEMA %I', nspname), nspacl FROM pg_namespace n WHERE n.oid IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_language'::regclass, oid, 'USAGE', format('LANGUAGE %I', lanname), lanacl FROM pg_language WHERE lanpltrusted AND lanname = 'plpgsql'
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 'USAGE', format('FOREIGN DATA WRAPPER %I', fdwname), fdwacl FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid, 'USAGE', format('FOREIGN SERVER %I', srvname), srvacl FROM pg_foreign_server
    UNION ALL SELECT 'pg_largeobject_metadata'::regclass, oid, 'UPDATE', format('LARGE OBJECT %s', oid), lomacl FROM pg_largeobject_metadata
), columns AS (
    SELECT attrelid::regclass AS relation, attname, attnum, attacl FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace IN (SELECT namespace FROM mine) AND relkind IN ('r', 'p', 'v', 'm', 'f') AND attnum > 0 AND NOT attisdropped
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = attrelid AND d.deptype = 'e')
), own AS (
    SELECT * FROM objects WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = object AND d.deptype = 'e' AND object >= 16384)
)
SELECT format('%s granted on %s', privilege, target) AS what, format('GRANT %s ON %s TO pg_monitor', privilege, target) AS change FROM own
UNION ALL
SELECT format('grant option of %s on %s', privilege, target), format('GRANT %s ON %s TO pg_monitor WITH GRANT OPTION', privilege, target) FROM own
UNION ALL
SELECT format('access list of %s emptied', target), format('REVOKE ALL ON %s FROM app, postgres, PUBLIC', target)
FROM own WHERE acl IS NULL OR cardinality(acl) > 0
UNION ALL
SELECT format('UPDATE granted on column %s of %s', attname, relation), format('GRANT UPDATE (%I) ON %s TO pg_monitor', attname, relation) FROM columns
UNION ALL
SELECT format('access list of column %s of %s removed', attname, relation), format('UPDATE pg_catalog.pg_attribute SET attacl = NULL WHERE attrelid = %s AND attnum = %s', relation::oid, attnum)
FROM columns WHERE attacl IS NOT NULL
UNION ALL
SELECT format('default privileges %s changed', oid), format('UPDATE pg_catalog.pg_default_acl SET defaclacl = defaclacl || makeaclitem(''pg_monitor''::regrole, defaclrole, %L, false) WHERE oid = %s',
       CASE defaclobjtype WHEN 'f' THEN 'EXECUTE' WHEN 'T' THEN 'USAGE' WHEN 'n' THEN 'USAGE' ELSE 'SELECT' END, oid) FROM pg_default_acl
ORDER BY 1;
