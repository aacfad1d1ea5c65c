-- Every large object.
SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid;
