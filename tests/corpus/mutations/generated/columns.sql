-- One property of one column at a time.
WITH columns AS (
    SELECT a.*, c.relkind, format('%s.%I', attrelid::regclass, attname) AS shown,
           format('ALTER %sTABLE %s ALTER COLUMN %I', CASE c.relkind WHEN 'f' THEN 'FOREIGN ' ELSE '' END, attrelid::regclass, attname) AS alter_column
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = attrelid JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT format('%s of column %s', what, shown) AS what, change
FROM columns AS c CROSS JOIN LATERAL (VALUES
    ('statistics target', format('%s SET STATISTICS %s', alter_column, CASE attstattarget WHEN 123 THEN 124 ELSE 123 END)),
    ('n_distinct', format('%s SET (n_distinct = -0.25)', alter_column)),
    ('storage', CASE WHEN attlen = -1 AND attstorage IN ('x', 'm', 'e') THEN format('UPDATE pg_catalog.pg_attribute SET attstorage = %L WHERE attrelid = %s AND attnum = %s', CASE attstorage WHEN 'e' THEN 'm' ELSE 'e' END, attrelid, attnum) END),
    ('compression', CASE WHEN attlen = -1 AND relkind = 'r' AND attcompression <> 'p' THEN format('%s SET COMPRESSION pglz', alter_column) END),
    ('default', CASE WHEN attgenerated = '' AND attidentity = '' THEN CASE WHEN atthasdef THEN format('%s DROP DEFAULT', alter_column) WHEN (SELECT typcategory IN ('N', 'S') FROM pg_type t WHERE t.oid = atttypid AND typtype = 'b') THEN format('%s SET DEFAULT ''7''', alter_column) END END),
    ('nullability', CASE WHEN relkind <> 'f' AND attinhcount = 0 AND attidentity = ''
                         AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = attrelid AND contype = 'p' AND attnum = ANY (conkey))
                         AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = attrelid AND indisreplident)
                         AND (attnotnull OR relkind = 'p' OR attnum > 0)
                    THEN format('%s %s NOT NULL', alter_column, CASE WHEN attnotnull THEN 'DROP' ELSE 'SET' END) END),
    ('name', CASE WHEN attinhcount = 0 THEN format('ALTER %sTABLE %s RENAME COLUMN %I TO renamed', CASE relkind WHEN 'f' THEN 'FOREIGN ' ELSE '' END, attrelid::regclass, attname) END),
    ('identity', CASE WHEN attidentity <> '' THEN format('%s SET GENERATED %s', alter_column, CASE attidentity WHEN 'a' THEN 'BY DEFAULT' ELSE 'ALWAYS' END) END)
) AS changes(what, change)
WHERE change IS NOT NULL
ORDER BY 1;
