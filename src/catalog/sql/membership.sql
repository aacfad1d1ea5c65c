-- Members that the user added to an extension by ALTER EXTENSION ... ADD, and objects that were
-- dropped from one: CREATE EXTENSION will not make the former and will make the latter again.
-- Only what can be proven is listed. A script makes a member and its pg_depend row in one command,
-- so the rows share xmin and cmin; pg_upgrade does not, and an extension none of whose members
-- looks like that is left alone. Added: the object is older than its membership, and that is
-- younger than the extension's row, which every script that ran updated. Dropped: made by a command
-- between those that made two members.
WITH objects AS (
    SELECT 'pg_catalog.pg_proc'::regclass::oid AS class, oid, xmin, cmin FROM pg_catalog.pg_proc WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_class'::regclass, oid, xmin, cmin FROM pg_catalog.pg_class WHERE oid >= 16384 AND relkind IN ('r', 'v', 'm', 'f', 'S')
    UNION ALL SELECT 'pg_catalog.pg_type'::regclass, oid, xmin, cmin FROM pg_catalog.pg_type WHERE oid >= 16384 AND typrelid = 0 AND typcategory <> 'A'
    UNION ALL SELECT 'pg_catalog.pg_operator'::regclass, oid, xmin, cmin FROM pg_catalog.pg_operator WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_namespace'::regclass, oid, xmin, cmin FROM pg_catalog.pg_namespace WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_collation'::regclass, oid, xmin, cmin FROM pg_catalog.pg_collation WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_conversion'::regclass, oid, xmin, cmin FROM pg_catalog.pg_conversion WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_opclass'::regclass, oid, xmin, cmin FROM pg_catalog.pg_opclass WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_opfamily'::regclass, oid, xmin, cmin FROM pg_catalog.pg_opfamily WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_am'::regclass, oid, xmin, cmin FROM pg_catalog.pg_am WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_language'::regclass, oid, xmin, cmin FROM pg_catalog.pg_language WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_cast'::regclass, oid, xmin, cmin FROM pg_catalog.pg_cast WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid, xmin, cmin FROM pg_catalog.pg_foreign_data_wrapper WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_foreign_server'::regclass, oid, xmin, cmin FROM pg_catalog.pg_foreign_server WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_event_trigger'::regclass, oid, xmin, cmin FROM pg_catalog.pg_event_trigger WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_ts_config'::regclass, oid, xmin, cmin FROM pg_catalog.pg_ts_config WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_ts_dict'::regclass, oid, xmin, cmin FROM pg_catalog.pg_ts_dict WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_ts_parser'::regclass, oid, xmin, cmin FROM pg_catalog.pg_ts_parser WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_ts_template'::regclass, oid, xmin, cmin FROM pg_catalog.pg_ts_template WHERE oid >= 16384
    UNION ALL SELECT 'pg_catalog.pg_transform'::regclass, oid, xmin, cmin FROM pg_catalog.pg_transform WHERE oid >= 16384
), members AS (
    SELECT d.refobjid AS extension, d.classid AS class, d.objid AS object, d.xmin, d.cmin,
           o.xmin AS object_xmin, o.cmin AS object_cmin, x.xmin AS extension_xmin
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
    LEFT JOIN objects o ON o.class = d.classid AND o.oid = d.objid
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.objid >= 16384
), scripts AS (
    SELECT extension, xmin, min(cmin::text::bigint) AS first, max(cmin::text::bigint) AS last
    FROM members
    GROUP BY extension, xmin
    HAVING bool_or(object_xmin = xmin AND object_cmin = cmin)
)
SELECT pg_describe_object(m.class, m.object, 0) AS what, e.extname AS extension, true AS was_added
FROM members m
JOIN pg_catalog.pg_extension e ON e.oid = m.extension
WHERE EXISTS (SELECT FROM scripts s WHERE s.extension = m.extension)
  AND age(m.xmin) < age(m.extension_xmin)
  AND (age(m.object_xmin) > age(m.xmin)
       OR m.object_xmin = m.xmin AND m.object_cmin::text::bigint < m.cmin::text::bigint)
UNION ALL
SELECT pg_describe_object(o.class, o.oid, 0), e.extname, false
FROM objects o
JOIN scripts s ON s.xmin = o.xmin AND o.cmin::text::bigint > s.first AND o.cmin::text::bigint < s.last
JOIN pg_catalog.pg_extension e ON e.oid = s.extension
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype IN ('e', 'i', 'a'))
ORDER BY 1, 2;
