-- Configuration tables and sequences of extensions: members whose rows the user may add to
-- (pg_extension.extconfig, with a condition that begins with WHERE or is empty; spec section 3.6).
-- is_readable: whether this role may look what is in it; unlogged rows are not there on a standby.
SELECT e.oid AS extension, c.relation, coalesce(e.extcondition[c.place], '') AS condition,
       coalesce(has_table_privilege(c.relation, 'SELECT') AND has_schema_privilege(r.relnamespace, 'USAGE')
                AND NOT row_security_active(c.relation)
                AND NOT (r.relpersistence = 'u' AND pg_is_in_recovery()), false) AS is_readable
FROM pg_catalog.pg_extension e
CROSS JOIN LATERAL unnest(e.extconfig) WITH ORDINALITY c(relation, place)
LEFT JOIN pg_catalog.pg_class r ON r.oid = c.relation
ORDER BY e.extname, c.place;
