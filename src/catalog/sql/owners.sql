-- Objects that a fresh database, or CREATE EXTENSION, gives to another owner: built-in ones that do
-- not belong to the bootstrap superuser (OID 10), and members of extensions that belong neither to
-- it nor to their extension's owner. The schema public has entries of its own.
WITH owned AS (
    SELECT 'pg_catalog.pg_class'::regclass AS class, oid, relowner AS owner FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relpersistence <> 't'
    UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, oid, proowner FROM pg_catalog.pg_proc
    UNION ALL SELECT 'pg_catalog.pg_type'::regclass, t.oid, typowner FROM pg_catalog.pg_type t
               WHERE typtype IN ('b', 'd', 'e', 'r') AND typcategory <> 'A'
    UNION ALL SELECT 'pg_catalog.pg_namespace'::regclass, oid, nspowner FROM pg_catalog.pg_namespace WHERE nspname <> 'public' AND nspname !~ '^pg_(toast|temp)'
    UNION ALL SELECT 'pg_catalog.pg_operator'::regclass, oid, oprowner FROM pg_catalog.pg_operator
    UNION ALL SELECT 'pg_catalog.pg_opclass'::regclass, oid, opcowner FROM pg_catalog.pg_opclass
    UNION ALL SELECT 'pg_catalog.pg_opfamily'::regclass, oid, opfowner FROM pg_catalog.pg_opfamily
    UNION ALL SELECT 'pg_catalog.pg_collation'::regclass, oid, collowner FROM pg_catalog.pg_collation
    UNION ALL SELECT 'pg_catalog.pg_conversion'::regclass, oid, conowner FROM pg_catalog.pg_conversion
    UNION ALL SELECT 'pg_catalog.pg_ts_dict'::regclass, oid, dictowner FROM pg_catalog.pg_ts_dict
    UNION ALL SELECT 'pg_catalog.pg_ts_config'::regclass, oid, cfgowner FROM pg_catalog.pg_ts_config
    UNION ALL SELECT 'pg_catalog.pg_language'::regclass, oid, lanowner FROM pg_catalog.pg_language
    UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid, fdwowner FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_catalog.pg_foreign_server'::regclass, oid, srvowner FROM pg_catalog.pg_foreign_server
)
SELECT o.class::oid AS class, o.oid AS object,
       CASE i.type WHEN 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER' ELSE upper(i.type) END || ' ' || i.identity AS target,
       r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner,
       quote_ident(pg_get_userbyid(coalesce(x.extowner, 10))) AS usual_owner,
       -- Only allow_system_table_mods lets anybody alter these.
       o.class = 'pg_catalog.pg_class'::regclass AND o.oid < 12000 AS is_catalog
FROM owned o
LEFT JOIN pg_catalog.pg_depend d
       ON d.classid = o.class AND d.objid = o.oid AND d.objsubid = 0 AND d.deptype = 'e' AND o.oid >= 16384
LEFT JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
LEFT JOIN pg_catalog.pg_roles r ON r.oid = o.owner
CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) i
WHERE o.owner NOT IN (10, coalesce(x.extowner, 10))
  AND (o.oid < 16384 OR x.oid IS NOT NULL)
ORDER BY 1, 3;
