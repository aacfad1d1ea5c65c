-- Pages of large objects that have no large object. Jumps from number to number along the index, so
-- that no content is read. Only a superuser may ask.
WITH RECURSIVE pages(loid) AS (
    SELECT min(loid) FROM pg_catalog.pg_largeobject
    UNION ALL
    SELECT (SELECT min(l.loid) FROM pg_catalog.pg_largeobject l WHERE l.loid > p.loid) FROM pages p WHERE p.loid IS NOT NULL
)
SELECT p.loid::text AS loid FROM pages p
WHERE p.loid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid = p.loid)
ORDER BY 1;
