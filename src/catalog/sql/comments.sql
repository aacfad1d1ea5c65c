-- Comments. Those on built-in objects come from initdb and are left to it, except public's and plpgsql's.
SELECT d.classoid AS class, d.objoid AS object, d.objsubid AS part,
       a.attname AS column, quote_ident(a.attname) AS quoted_column,
       quote_literal(d.description) AS text, d.description AS raw_text
FROM pg_catalog.pg_description d
LEFT JOIN pg_catalog.pg_attribute a
       ON d.classoid = 'pg_catalog.pg_class'::regclass AND a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE d.objoid >= 16384
   OR d.classoid IN ('pg_catalog.pg_largeobject'::regclass, 'pg_catalog.pg_extension'::regclass)
   OR (d.classoid = 'pg_catalog.pg_namespace'::regclass
       AND d.objoid IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'))
ORDER BY d.classoid, d.objoid, d.objsubid;
