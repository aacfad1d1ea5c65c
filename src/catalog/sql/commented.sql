-- Every comment on a user's object, named as the server names it, to see that an entry carries it.
-- Sessions' temporary objects are nobody's. DROP SUBSCRIPTION leaves its comment behind, which then
-- describes nothing.
SELECT d.classoid AS class, d.objoid AS object, d.objsubid AS part,
       coalesce(pg_describe_object(d.classoid, d.objoid, d.objsubid), format('object %s of %s', d.objoid, d.classoid::regclass)) AS described
FROM pg_catalog.pg_description d
LEFT JOIN LATERAL pg_identify_object_as_address(d.classoid, d.objoid, d.objsubid) i ON pg_describe_object(d.classoid, d.objoid, d.objsubid) IS NOT NULL
WHERE (d.objoid >= 16384 OR d.classoid = 'pg_catalog.pg_largeobject'::regclass)
  AND NOT (d.classoid = 'pg_catalog.pg_subscription'::regclass AND pg_describe_object(d.classoid, d.objoid, d.objsubid) IS NULL)
  AND NOT coalesce(i.object_names[1] ~ '^pg_temp_[0-9]+$', false)
ORDER BY 4;
