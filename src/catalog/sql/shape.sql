-- The shape of the catalogs themselves (spec section 7.1): every table of pg_catalog that initdb made, with
-- its columns and their types in the order of their names. What a user or an extension adds as a
-- table of its own has an OID from 16384 on and is an object like any other.
SELECT c.relname || CASE WHEN c.relisshared THEN ' (shared)' ELSE '' END AS catalog,
       string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attname COLLATE pg_catalog."C") AS columns
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'p', 'f') AND c.oid < 16384
GROUP BY c.oid, c.relname, c.relisshared
ORDER BY c.relname COLLATE pg_catalog."C";
