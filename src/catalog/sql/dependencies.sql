-- Edges of the dependency graph, sub-objects collapsed (spec section 2.2.1). Rows whose ends are both
-- built in (OIDs below 16384) cannot connect user objects.
SELECT DISTINCT d.classid, d.objid, d.refclassid, d.refobjid, d.deptype
FROM pg_catalog.pg_depend d
WHERE d.deptype NOT IN ('e', 'p')
  AND (d.objid >= 16384 OR d.refobjid >= 16384)
  AND NOT (d.classid = d.refclassid AND d.objid = d.refobjid)
ORDER BY d.classid, d.objid, d.refclassid, d.refobjid, d.deptype;
