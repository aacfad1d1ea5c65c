-- ALTER ... DEPENDS ON EXTENSION (pg_depend deptype x).
SELECT d.classid, d.objid, quote_ident(e.extname) AS extension
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
WHERE d.deptype = 'x' AND d.refclassid = 'pg_catalog.pg_extension'::regclass
ORDER BY d.classid, d.objid, e.extname;
