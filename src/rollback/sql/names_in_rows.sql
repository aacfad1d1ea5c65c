-- Tables whose rows hold names of other objects (regclass, regrole and so on, and whatever contains one): these rows say
-- something else once such an object has another name, and no count tells of it.
WITH RECURSIVE contains (outside, inside) AS (
       SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
        UNION ALL
       SELECT t.oid, t.typelem FROM pg_catalog.pg_type t WHERE t.typelem <> 0 AND t.typlen = -1
        UNION ALL
       SELECT t.oid, a.atttypid
         FROM pg_catalog.pg_type t
         JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.typtype = 'c'
        UNION ALL
       SELECT r.rngtypid, r.rngsubtype FROM pg_catalog.pg_range r
        UNION ALL
       SELECT r.rngmultitypid, r.rngtypid FROM pg_catalog.pg_range r
     ),
     names (type) AS (
       SELECT t.oid
         FROM pg_catalog.pg_type t
        WHERE t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typtype = 'b' AND t.typname ~ '^reg'
        UNION
       SELECT c.outside FROM names n JOIN contains c ON c.inside = n.type
     )
SELECT DISTINCT a.attrelid AS oid
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
  JOIN names n ON n.type = a.atttypid
 WHERE a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384;
