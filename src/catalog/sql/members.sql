-- What belongs to an extension (pg_depend deptype e): not ours to create or drop.
SELECT d.classid, d.objid, d.refobjid AS extension
FROM pg_catalog.pg_depend d
WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::regclass;
