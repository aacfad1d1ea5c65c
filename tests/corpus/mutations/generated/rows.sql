-- Rows and values: one row less, one value changed in each column, each sequence one off and its flag turned.
WITH tables AS (
    SELECT c.oid, c.oid::regclass AS shown FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind = 'r'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), columns AS (
    SELECT t.shown, quote_ident(attname) AS name,
           CASE WHEN typcategory = 'S' AND typtype = 'b' THEN format('%I || ''.''', attname)
                WHEN atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) THEN format('CASE WHEN %1$I > 0 THEN %1$I - 1 ELSE %1$I + 1 END', attname)
                WHEN atttypid = 'bool'::regtype THEN format('NOT %I', attname)
                WHEN atttypid = 'bytea'::regtype THEN format('%I || ''\x00''', attname)
                ELSE 'NULL' END AS changed
    FROM tables t JOIN pg_attribute ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    JOIN pg_type y ON y.oid = atttypid
)
SELECT format('a row less in %s', shown) AS what,
       format('DO $change$ BEGIN DELETE FROM ONLY %s WHERE ctid = (SELECT ctid FROM ONLY %1$s LIMIT 1); IF NOT FOUND THEN RAISE EXCEPTION ''nothing to change''; END IF; END $change$', shown) AS change
FROM tables
UNION ALL
SELECT format('a row with defaults more in %s', shown), format('INSERT INTO %s DEFAULT VALUES', shown) FROM tables t
-- What takes a number from a sequence would not be undone with the transaction.
WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND attidentity <> '')
  AND NOT EXISTS (SELECT FROM pg_attrdef d WHERE d.adrelid = t.oid AND pg_get_expr(d.adbin, d.adrelid) ~ 'nextval')
UNION ALL
SELECT format('all rows of %s', shown), format('DO $change$ BEGIN IF NOT EXISTS (SELECT FROM ONLY %s) THEN RAISE EXCEPTION ''nothing to change''; END IF; TRUNCATE ONLY %1$s; END $change$', shown) FROM tables
UNION ALL
SELECT format('a value of %s.%s', shown, name),
       format('DO $change$ BEGIN UPDATE ONLY %s SET %s = %s WHERE ctid = (SELECT ctid FROM ONLY %1$s WHERE %2$s IS NOT NULL AND (%3$s)::text IS DISTINCT FROM %2$s::text LIMIT 1); IF NOT FOUND THEN RAISE EXCEPTION ''nothing to change''; END IF; END $change$', shown, name, changed)
FROM columns
UNION ALL
SELECT format('sequence %s %s', s.seqrelid::regclass, verb), change
FROM pg_sequence s CROSS JOIN LATERAL (VALUES
    ('one less', format('DO $change$ DECLARE v bigint; c boolean; BEGIN SELECT last_value, is_called INTO v, c FROM %s; ALTER SEQUENCE %1$s RESTART; PERFORM setval(%L, v - 1, c); END $change$', s.seqrelid::regclass, s.seqrelid::regclass)),
    ('one more', format('DO $change$ DECLARE v bigint; c boolean; BEGIN SELECT last_value, is_called INTO v, c FROM %s; ALTER SEQUENCE %1$s RESTART; PERFORM setval(%L, v + 1, c); END $change$', s.seqrelid::regclass, s.seqrelid::regclass)),
    ('flag turned', format('DO $change$ DECLARE v bigint; c boolean; BEGIN SELECT last_value, is_called INTO v, c FROM %s; ALTER SEQUENCE %1$s RESTART; PERFORM setval(%L, v, NOT c); END $change$', s.seqrelid::regclass, s.seqrelid::regclass))
) AS changes(verb, change)
ORDER BY 1;
