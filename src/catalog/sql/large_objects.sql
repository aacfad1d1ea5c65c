-- Large objects; their OIDs are kept, because rows refer to them by number.
SELECT l.oid, r.rolname AS owner, quote_ident(r.rolname) AS quoted_owner
FROM pg_catalog.pg_largeobject_metadata l
LEFT JOIN pg_catalog.pg_roles r ON r.oid = l.lomowner
ORDER BY l.oid;
