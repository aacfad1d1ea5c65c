-- What somebody changed in what every fresh database has, and no dump brings along.
-- Comments on built-in objects: initdb writes its own before it makes the
-- views of information_schema, whose rules keep the number of the transaction that made them. What
-- belongs to an extension (plpgsql comes after those views) is the extension's, and extensions, the
-- schema public and large objects have entries of their own.
SELECT format('comment on %s', pg_describe_object(d.classoid, d.objoid, d.objsubid)) AS object,
       'pg_description' AS catalog, 'it is a built-in object, whose comments the server makes itself' AS reason
FROM pg_catalog.pg_description d
WHERE d.objoid < 16384
  AND d.classoid NOT IN ('pg_catalog.pg_largeobject'::regclass, 'pg_catalog.pg_extension'::regclass)
  AND NOT (d.classoid = 'pg_catalog.pg_namespace'::regclass
           AND d.objoid IN (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
-- The name last, in a CASE: the server would ask it first, of each of its thousands of comments.
  AND CASE WHEN d.xmin::text::bigint > (SELECT min(w.xmin::text::bigint) FROM pg_catalog.pg_rewrite w
                                          JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
                                         WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'information_schema') AND c.oid < 16384)
           THEN pg_describe_object(d.classoid, d.objoid, d.objsubid) IS NOT NULL
           ELSE false END
UNION ALL
SELECT 'schema information_schema', 'pg_namespace', 'it was dropped, and every fresh database has it'
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'information_schema')
ORDER BY 1;
