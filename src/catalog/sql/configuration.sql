-- Configuration tables and sequences of extensions: members whose rows the user may add to
-- (pg_extension.extconfig, with a condition that begins with WHERE or is empty; spec section 3.6).
SELECT e.oid AS extension, c.relation, coalesce(e.extcondition[c.place], '') AS condition
FROM pg_catalog.pg_extension e
CROSS JOIN LATERAL unnest(e.extconfig) WITH ORDINALITY c(relation, place)
ORDER BY e.extname, c.place;
