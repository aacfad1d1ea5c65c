-- The owner of one object at a time, straight in its catalog.
WITH mine AS (
    SELECT oid AS namespace FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), owned(class, object, owner_column) AS (
    SELECT 'pg_class'::regclass, c.oid, 'relowner' FROM pg_class c WHERE relnamespace IN (SELECT namespace FROM mine) AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i' AND c.relkind = 'S')
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, 'proowner' FROM pg_proc p WHERE pronamespace IN (SELECT namespace FROM mine)
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL SELECT 'pg_type'::regclass, oid, 'typowner' FROM pg_type WHERE typnamespace IN (SELECT namespace FROM mine) AND typtype IN ('d', 'e', 'r')
    UNION ALL SELECT 'pg_namespace'::regclass, namespace, 'nspowner' FROM mine
    UNION ALL SELECT 'pg_operator'::regclass, oid, 'oprowner' FROM pg_operator WHERE oprnamespace IN (SELECT namespace FROM mine) AND oprcode <> 0
    UNION ALL SELECT 'pg_opclass'::regclass, oid, 'opcowner' FROM pg_opclass WHERE opcnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_opfamily'::regclass, oid, 'opfowner' FROM pg_opfamily WHERE opfnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_collation'::regclass, oid, 'collowner' FROM pg_collation WHERE collnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_conversion'::regclass, oid, 'conowner' FROM pg_conversion WHERE connamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid, 'dictowner' FROM pg_ts_dict WHERE dictnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_ts_config'::regclass, oid, 'cfgowner' FROM pg_ts_config WHERE cfgnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, 'stxowner' FROM pg_statistic_ext WHERE stxnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_language'::regclass, oid, 'lanowner' FROM pg_language WHERE oid >= 16384
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 'fdwowner' FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid, 'srvowner' FROM pg_foreign_server
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 'evtowner' FROM pg_event_trigger
    UNION ALL SELECT 'pg_publication'::regclass, oid, 'pubowner' FROM pg_publication
    UNION ALL SELECT 'pg_largeobject_metadata'::regclass, oid, 'lomowner' FROM pg_largeobject_metadata
)
SELECT format('owner of %s', pg_describe_object(CASE class WHEN 'pg_largeobject_metadata'::regclass THEN 'pg_largeobject'::regclass ELSE class END, object, 0)) AS what,
       format('UPDATE pg_catalog.%I SET %I = CASE %2$I WHEN ''reader''::regrole THEN ''app''::regrole ELSE ''reader''::regrole END WHERE oid = %s', class::text, owner_column, object) AS change
FROM owned
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = object AND d.deptype = 'e')
ORDER BY 1;
