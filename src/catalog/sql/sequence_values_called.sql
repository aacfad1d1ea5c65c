-- Values of sequences that this role may read and that gave one already (up to 17: later servers have pg_get_sequence_data).
-- Its locks are in the way of ALTER SEQUENCE until the transaction ends, so only one that ends soon may
-- ask. A standby has no content of unlogged sequences.
SELECT s.seqrelid AS oid, pg_sequence_last_value(s.seqrelid) AS last_value
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery())
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT') END;
