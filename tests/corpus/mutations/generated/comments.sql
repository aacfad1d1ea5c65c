-- A comment more, a comment changed and a comment less, on every object that can carry one.
WITH mine AS (
    SELECT oid AS namespace FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), candidates(class, object, part) AS (
    SELECT 'pg_class'::regclass, oid, 0 FROM pg_class WHERE relnamespace IN (SELECT namespace FROM mine) AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'i', 'I')
    UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
               WHERE relnamespace IN (SELECT namespace FROM mine) AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0 FROM pg_proc p WHERE pronamespace IN (SELECT namespace FROM mine)
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL SELECT 'pg_type'::regclass, t.oid, 0 FROM pg_type t LEFT JOIN pg_class c ON c.oid = typrelid
               WHERE typnamespace IN (SELECT namespace FROM mine) AND (typtype IN ('b', 'd', 'e', 'r') AND typcategory <> 'A' OR c.relkind = 'c')
    UNION ALL SELECT 'pg_namespace'::regclass, namespace, 0 FROM mine
    UNION ALL SELECT 'pg_constraint'::regclass, oid, 0 FROM pg_constraint WHERE connamespace IN (SELECT namespace FROM mine) AND contype <> 't' AND conparentid = 0
               AND (contype <> 'n' OR current_setting('server_version_num')::int >= 180000)
    UNION ALL SELECT 'pg_trigger'::regclass, oid, 0 FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0
    UNION ALL SELECT 'pg_rewrite'::regclass, r.oid, 0 FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class WHERE relnamespace IN (SELECT namespace FROM mine) AND rulename <> '_RETURN'
    UNION ALL SELECT 'pg_policy'::regclass, oid, 0 FROM pg_policy
    UNION ALL SELECT 'pg_operator'::regclass, oid, 0 FROM pg_operator WHERE oprnamespace IN (SELECT namespace FROM mine) AND oprcode <> 0
    UNION ALL SELECT 'pg_opclass'::regclass, oid, 0 FROM pg_opclass WHERE opcnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_opfamily'::regclass, oid, 0 FROM pg_opfamily WHERE opfnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_collation'::regclass, oid, 0 FROM pg_collation WHERE collnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_conversion'::regclass, oid, 0 FROM pg_conversion WHERE connamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_ts_parser'::regclass, oid, 0 FROM pg_ts_parser WHERE prsnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_ts_template'::regclass, oid, 0 FROM pg_ts_template WHERE tmplnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid, 0 FROM pg_ts_dict WHERE dictnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_ts_config'::regclass, oid, 0 FROM pg_ts_config WHERE cfgnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, 0 FROM pg_statistic_ext WHERE stxnamespace IN (SELECT namespace FROM mine)
    UNION ALL SELECT 'pg_language'::regclass, oid, 0 FROM pg_language WHERE oid >= 16384
    UNION ALL SELECT 'pg_cast'::regclass, c.oid, 0 FROM pg_cast c WHERE oid >= 16384
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid AND d.deptype = 'i')
    UNION ALL SELECT 'pg_transform'::regclass, oid, 0 FROM pg_transform
    UNION ALL SELECT 'pg_am'::regclass, oid, 0 FROM pg_am WHERE oid >= 16384
    UNION ALL SELECT 'pg_extension'::regclass, oid, 0 FROM pg_extension WHERE oid >= 16384
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 0 FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid, 0 FROM pg_foreign_server
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 0 FROM pg_event_trigger
    UNION ALL SELECT 'pg_publication'::regclass, oid, 0 FROM pg_publication
    UNION ALL SELECT 'pg_largeobject'::regclass, oid, 0 FROM pg_largeobject_metadata
), commented AS (
    SELECT c.*, d.description FROM candidates c
    LEFT JOIN pg_description d ON d.classoid = c.class AND d.objoid = c.object AND d.objsubid = c.part
    WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = c.class AND e.objid = c.object AND e.deptype = 'e')
)
SELECT format('comment on %s %s', pg_describe_object(class, object, part), verb) AS what, change
FROM commented CROSS JOIN LATERAL (VALUES
    ('added', CASE WHEN description IS NULL THEN format('INSERT INTO pg_catalog.pg_description VALUES (%s, %s, %s, ''new'')', object, class::oid, part) END),
    ('changed', CASE WHEN description IS NOT NULL THEN format('UPDATE pg_catalog.pg_description SET description = description || ''.'' WHERE objoid = %s AND classoid = %s AND objsubid = %s', object, class::oid, part) END),
    ('removed', CASE WHEN description IS NOT NULL THEN format('DELETE FROM pg_catalog.pg_description WHERE objoid = %s AND classoid = %s AND objsubid = %s', object, class::oid, part) END)
) AS changes(verb, change)
WHERE change IS NOT NULL
ORDER BY 1;
